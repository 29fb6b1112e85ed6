//! The builder of a transaction.
//!
//! Owns: the flags each verb needs, sequence numbers, and the way from an operation to its [`Origin`].
//! Never: allocates for an operation (the buffer grows by doubling), looks at what it is given beyond encoding it.

use super::{Origin, SealError, Sealed};
use crate::name::{ChainName, TableName};
use crate::netlink::attr::Writer;
use crate::nft::{Compat, Family};

const SUBSYSTEM: u16 = 10;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFNL_BATCH_GENID: u16 = 1;
const NFT_MSG_DELTABLE: u8 = 2;
const NFT_MSG_DELCHAIN: u8 = 5;
const NFT_MSG_NEWRULE: u8 = 6;
const NFT_MSG_DELRULE: u8 = 8;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_HANDLE: u16 = 2;
const NFTA_CHAIN_NAME: u16 = 3;
const NFT_MSG_NEWCHAIN: u8 = 3;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_HANDLE: u16 = 3;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_RULE_COMPAT: u16 = 5;
const NFTA_RULE_POSITION: u16 = 6;
const NFTA_RULE_USERDATA: u16 = 7;
const NFTA_RULE_COMPAT_PROTO: u16 = 1;
const NFTA_RULE_COMPAT_FLAGS: u16 = 2;
const NFT_RULE_COMPAT_F_INV: u32 = 2;

/// Where a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerb {
    /// To the end of the chain, or right after the rule with this handle.
    Append(Option<u64>),
    /// To the start of the chain, or right before the rule with this handle.
    Insert(Option<u64>),
    /// In place of the rule with this handle, which goes away.
    Replace(u64),
}

/// Everything of a rule but its expressions, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleHead<'a> {
    /// Family of the table.
    pub family: Family,
    /// The table.
    pub table: &'a TableName,
    /// The chain.
    pub chain: &'a ChainName,
    /// Where it goes.
    pub verb: RuleVerb,
    /// What xt extensions check the rule's protocol against.
    pub compat: Option<Compat>,
    /// User data, at most 256 bytes; empty for none.
    pub userdata: &'a [u8],
}

/// A transaction in the making. See the [module](super) for the order of operations.
///
/// The first operation that cannot be encoded is remembered and reported by [`seal`](Batch::seal), so callers write
/// straight-line code.
#[derive(Debug, Clone)]
pub struct Batch {
    bytes: Vec<u8>,
    first_seq: u32,
    generation: Option<u32>,
    origins: Vec<Origin>,
    last: usize,
    failure: Option<SealError>,
}

impl Batch {
    /// Sequence number of `BATCH_BEGIN`. It is always the same, so that the same operations are the same bytes; replies
    /// to an earlier batch cannot be in the way, because the kernel queues all of them before `send` returns.
    pub const FIRST_SEQ: u32 = 1;

    /// Starts a transaction. With a generation the kernel refuses it (`ERESTART`) when any table has changed since.
    #[must_use]
    pub fn begin(generation: Option<u32>) -> Self {
        Self::begin_in(Vec::new(), generation)
    }

    /// Starts a transaction in memory that was used before; what is in it goes away.
    #[must_use]
    pub fn begin_in(mut bytes: Vec<u8>, generation: Option<u32>) -> Self {
        bytes.clear();
        let first_seq = Self::FIRST_SEQ;
        let mut batch = Self { bytes, first_seq, generation, origins: Vec::new(), last: 0, failure: None };
        let start = batch.bytes.len();
        batch.header(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, 0, SUBSYSTEM, first_seq);
        if let Some(generation) = generation {
            Writer::new(&mut batch.bytes).u32_be(NFNL_BATCH_GENID, generation);
        }
        batch.close(start);
        batch
    }

    /// Number of operations so far.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.origins.len()
    }

    /// Whether there is no operation yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Deletes a table and all that is in it.
    pub fn delete_table(&mut self, family: Family, table: &TableName, origin: Origin) {
        self.operation(NFT_MSG_DELTABLE, 0, family, origin, |w| w.string(NFTA_TABLE_NAME, table.as_str()));
    }

    /// Gives a chain another name. The handle names the chain, because the name is the new one.
    pub fn rename_chain(&mut self, family: Family, table: &TableName, handle: u64, to: &ChainName, origin: Origin) {
        self.operation(NFT_MSG_NEWCHAIN, 0, family, origin, |w| {
            w.string(NFTA_CHAIN_TABLE, table.as_str());
            w.u64_be(NFTA_CHAIN_HANDLE, handle);
            w.string(NFTA_CHAIN_NAME, to.as_str());
        });
    }

    /// Deletes a chain, which must be empty and not referred to (`EBUSY`).
    pub fn delete_chain(&mut self, family: Family, table: &TableName, chain: &ChainName, origin: Origin) {
        self.operation(NFT_MSG_DELCHAIN, 0, family, origin, |w| {
            w.string(NFTA_CHAIN_TABLE, table.as_str());
            w.string(NFTA_CHAIN_NAME, chain.as_str());
        });
    }

    /// Deletes all rules of a chain.
    pub fn flush_chain(&mut self, family: Family, table: &TableName, chain: &ChainName, origin: Origin) {
        self.operation(NFT_MSG_DELRULE, 0, family, origin, |w| {
            w.string(NFTA_RULE_TABLE, table.as_str());
            w.string(NFTA_RULE_CHAIN, chain.as_str());
        });
    }

    /// Deletes all rules of all chains of a table.
    pub fn flush_table(&mut self, family: Family, table: &TableName, origin: Origin) {
        self.operation(NFT_MSG_DELRULE, 0, family, origin, |w| w.string(NFTA_RULE_TABLE, table.as_str()));
    }

    /// Deletes the rule with this handle.
    pub fn delete_rule(&mut self, family: Family, table: &TableName, chain: &ChainName, handle: u64, origin: Origin) {
        self.operation(NFT_MSG_DELRULE, 0, family, origin, |w| {
            w.string(NFTA_RULE_TABLE, table.as_str());
            w.string(NFTA_RULE_CHAIN, chain.as_str());
            w.u64_be(NFTA_RULE_HANDLE, handle);
        });
    }

    /// Adds, inserts or replaces a rule whose expressions `fill` writes: an `NFTA_LIST_ELEM` for each.
    ///
    /// This is the hot path of a big load: everything goes straight into the batch's memory.
    #[inline]
    pub fn rule_with(&mut self, head: &RuleHead<'_>, origin: Origin, fill: impl FnOnce(&mut Writer<'_>)) {
        let (flags, handle, position) = match head.verb {
            RuleVerb::Append(position) => (NLM_F_CREATE | NLM_F_APPEND, None, position),
            RuleVerb::Insert(position) => (NLM_F_CREATE, None, position),
            RuleVerb::Replace(handle) => (NLM_F_REPLACE, Some(handle), None),
        };
        self.operation(NFT_MSG_NEWRULE, flags, head.family, origin, |w| {
            w.string(NFTA_RULE_TABLE, head.table.as_str());
            w.string(NFTA_RULE_CHAIN, head.chain.as_str());
            if let Some(handle) = handle {
                w.u64_be(NFTA_RULE_HANDLE, handle);
            }
            if let Some(position) = position {
                w.u64_be(NFTA_RULE_POSITION, position);
            }
            if !head.userdata.is_empty() {
                w.bytes(NFTA_RULE_USERDATA, head.userdata);
            }
            w.nest(NFTA_RULE_EXPRESSIONS, fill);
            if let Some(compat) = head.compat {
                w.nest(NFTA_RULE_COMPAT, |w| {
                    w.u32_be(NFTA_RULE_COMPAT_PROTO, compat.protocol);
                    w.u32_be(NFTA_RULE_COMPAT_FLAGS, if compat.inverted { NFT_RULE_COMPAT_F_INV } else { 0 });
                });
            }
        });
    }

    /// Any operation: `kind` is `NFT_MSG_*`, `flags` are `NLM_F_*` beside `NLM_F_REQUEST`, `fill` writes the attributes.
    /// The verbs above cover what is usual.
    #[inline]
    pub fn operation(
        &mut self,
        kind: u8,
        flags: u16,
        family: Family,
        origin: Origin,
        fill: impl FnOnce(&mut Writer<'_>),
    ) {
        let start = self.bytes.len();
        let seq = self.next_seq();
        self.header(SUBSYSTEM << 8 | u16::from(kind), NLM_F_REQUEST | flags, family.nfproto(), 0, seq);
        let mut writer = Writer::new(&mut self.bytes);
        fill(&mut writer);
        let written = writer.finish();
        self.close(start);
        if let (Err(reason), None) = (written, &self.failure) {
            self.failure = Some(SealError::Encode { origin, index: self.origins.len(), reason });
        }
        self.last = start;
        self.origins.push(origin);
    }

    /// Ends the transaction: writes `BATCH_END` and asks for an acknowledgement of the last operation.
    ///
    /// One acknowledgement is enough, as the kernel runs all operations and queues all errors before `send` returns;
    /// asking for one of each costs a fifth of the load time and overflows the receive buffer after 256.
    ///
    /// # Errors
    /// [`SealError`] names the first operation that could not be encoded.
    pub fn seal(mut self) -> Result<Sealed, SealError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if !self.origins.is_empty()
            && let Some(slot) = self.bytes.get_mut(self.last + 6..self.last + 8)
            && let &mut [low, high] = slot
        {
            slot.copy_from_slice(&(u16::from_ne_bytes([low, high]) | NLM_F_ACK).to_ne_bytes());
        }
        let start = self.bytes.len();
        let seq = self.next_seq();
        self.header(NFNL_MSG_BATCH_END, NLM_F_REQUEST, 0, SUBSYSTEM, seq);
        self.close(start);
        let Self { bytes, first_seq, generation, origins, .. } = self;
        Ok(Sealed { bytes, first_seq, origins, generation })
    }

    fn next_seq(&self) -> u32 {
        let operations = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        self.first_seq.wrapping_add(operations).wrapping_add(1)
    }

    /// `nlmsghdr` with an open length, then `nfgenmsg`.
    #[inline]
    fn header(&mut self, kind: u16, flags: u16, family: u8, res_id: u16, seq: u32) {
        let [k0, k1] = kind.to_ne_bytes();
        let [f0, f1] = flags.to_ne_bytes();
        let [s0, s1, s2, s3] = seq.to_ne_bytes();
        let [r0, r1] = res_id.to_be_bytes();
        self.bytes.extend_from_slice(&[0, 0, 0, 0, k0, k1, f0, f1, s0, s1, s2, s3, 0, 0, 0, 0, family, 0, r0, r1]);
    }

    /// Fills in the length of the message that starts at `start`. Attributes end on multiples of four, so do messages.
    #[inline]
    fn close(&mut self, start: usize) {
        let len = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        if let Some(slot) = self.bytes.get_mut(start..start + 4) {
            slot.copy_from_slice(&len.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attr::AttrError;

    fn sample(generation: Option<u32>) -> Batch {
        let (table, chain) = (TableName::new("filter").unwrap(), ChainName::new("c").unwrap());
        let mut batch = Batch::begin(generation);
        batch.flush_chain(Family::Ip, &table, &chain, Origin(7));
        let head = RuleHead {
            family: Family::Ip,
            table: &table,
            chain: &chain,
            verb: RuleVerb::Append(None),
            compat: None,
            userdata: &[],
        };
        batch.rule_with(&head, Origin(8), |_| ());
        batch
    }

    fn headers(mut bytes: &[u8]) -> Vec<(u16, u16, u32)> {
        let mut headers = Vec::new();
        while !bytes.is_empty() {
            let len = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
            headers.push((
                u16::from_ne_bytes(bytes[4..6].try_into().unwrap()),
                u16::from_ne_bytes(bytes[6..8].try_into().unwrap()),
                u32::from_ne_bytes(bytes[8..12].try_into().unwrap()),
            ));
            bytes = &bytes[len..];
        }
        headers
    }

    #[test]
    fn only_the_last_operation_asks_for_an_acknowledgement() {
        let sealed = sample(None).seal().unwrap();
        let want = [(0x10, 1, 1), (0xa08, 1, 2), (0xa06, 0xc05, 3), (0x11, 1, 4)];
        assert_eq!(headers(sealed.bytes()), want);
        assert_eq!((sealed.messages(), sealed.operations(), sealed.last_seq()), (4, 2, 3));
    }

    #[test]
    fn begin_and_end_name_the_subsystem_and_the_generation() {
        let sealed = sample(Some(0x0102_0304)).seal().unwrap();
        assert_eq!(&sealed.bytes()[..4], &28u32.to_ne_bytes());
        assert_eq!(&sealed.bytes()[16..20], &[0, 0, 0, 10]);
        assert_eq!(&sealed.bytes()[24..28], &[1, 2, 3, 4]);
        assert_eq!(sealed.bytes().last_chunk(), Some(&[0, 0, 0, 10]));
        assert_eq!(sample(None).seal().unwrap(), sample(None).seal().unwrap(), "same operations, same bytes");
    }

    #[test]
    fn a_sequence_number_leads_back_to_its_origin() {
        let sealed = sample(None).seal().unwrap();
        let origins: Vec<_> = (0..6).map(|seq| sealed.origin(seq)).collect();
        assert_eq!(origins, [None, None, Some(Origin(7)), Some(Origin(8)), None, None]);
    }

    #[test]
    fn the_first_operation_that_does_not_fit_is_named() {
        let mut batch = sample(None);
        batch.operation(NFT_MSG_NEWRULE, 0, Family::Ip, Origin(9), |w| w.bytes(4, &[0; 70_000]));
        batch.operation(NFT_MSG_NEWRULE, 0, Family::Ip, Origin(10), |w| w.bytes(4, &[0; 80_000]));
        let reason = AttrError::TooLong { kind: 4, len: 70_004 };
        assert_eq!(batch.seal(), Err(SealError::Encode { origin: Origin(9), index: 2, reason }));
    }
}
