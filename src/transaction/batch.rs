//! The builder of a transaction.
//!
//! Owns: sequence numbers, the way from an operation to its [`Origin`], and the seal. What each verb sends is in
//! `verbs.rs`, which rules come back in `handles.rs`.
//! Never: allocates for an operation (the buffer grows by doubling), looks at what it is given beyond encoding it.

use super::handles::Handles;
use super::{Origin, SealError, Sealed};
use crate::name::TableName;
use crate::netlink::attr::Writer;
use crate::netlink::header::NewFlags;
use crate::nft::{Family, message};

/// A transaction in the making. See the [module](super) for the order of operations.
///
/// The first operation that cannot be encoded is remembered and reported by [`seal`](Batch::seal), so callers write
/// straight-line code.
#[derive(Debug, Clone)]
pub struct Batch {
    bytes: Vec<u8>,
    generation: Option<u32>,
    origins: Vec<Origin>,
    /// Where the last operation starts.
    last: usize,
    failure: Option<SealError>,
    /// What gets a handle, if that is asked for.
    handles: Option<Handles>,
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
        let written = message::append_batch_begin(&mut bytes, Self::FIRST_SEQ, generation);
        debug_assert!(written.is_ok(), "a marker always fits");
        Self { bytes, generation, origins: Vec::new(), last: 0, failure: None, handles: None }
    }

    /// Asks the kernel for what tells the handles of all rules that are added from here on ([`Sealed::handles`]): the first
    /// and the last of each table come back.
    pub fn ask_for_handles(&mut self) {
        self.handles.get_or_insert_default();
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

    /// Any operation: `kind` is `NFT_MSG_*`, `flags` are `NLM_F_*` beside `NLM_F_REQUEST`, `fill` writes the attributes.
    /// The other methods cover what is usual.
    pub fn operation(
        &mut self,
        kind: u8,
        flags: u16,
        family: Family,
        origin: Origin,
        fill: impl FnOnce(&mut Writer<'_>),
    ) {
        if let Some(handles) = &mut self.handles {
            handles.end_all();
        }
        self.push(kind, flags, family, origin, fill);
    }

    #[inline]
    pub(super) fn push(
        &mut self,
        kind: u8,
        flags: u16,
        family: Family,
        origin: Origin,
        fill: impl FnOnce(&mut Writer<'_>),
    ) {
        self.last = self.bytes.len();
        let flags = flags | NewFlags::REQUEST.bits();
        let seq = self.next_seq();
        let written = message::append(&mut self.bytes, kind, flags, family, 0, seq, fill);
        if let (Err(reason), None) = (written, &self.failure) {
            self.failure = Some(SealError::Encode { origin, index: self.origins.len(), reason });
        }
        self.origins.push(origin);
    }

    /// The next operation makes something in this table that gets a handle, and is no rule.
    pub(super) fn makes(&mut self, family: Family, table: &TableName) {
        if let Some(handles) = &mut self.handles {
            handles.made(family, table);
        }
    }

    /// Whether the next operation makes something in this table is not known.
    pub(super) fn may_make(&mut self, family: Family, table: &TableName) {
        if let Some(handles) = &mut self.handles {
            handles.end(family, table);
        }
    }

    /// The next operation makes a rule.
    pub(super) fn makes_rule(&mut self, family: Family, table: &TableName) {
        if let Some(handles) = &mut self.handles {
            handles.rule(family, table, self.origins.len(), self.bytes.len());
        }
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
        if !self.origins.is_empty() {
            add_flags(&mut self.bytes, self.last, NewFlags::ACK);
        }
        if let Some(handles) = &self.handles {
            handles.ask(&mut self.bytes);
        }
        let seq = self.next_seq();
        let written = message::append_batch_end(&mut self.bytes, seq);
        debug_assert!(written.is_ok(), "a marker always fits");
        let Self { bytes, generation, origins, handles, .. } = self;
        Ok(Sealed { bytes, first_seq: Self::FIRST_SEQ, origins, generation, handles })
    }

    fn next_seq(&self) -> u32 {
        let operations = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        Self::FIRST_SEQ.wrapping_add(operations).wrapping_add(1)
    }
}

/// Sets flags of the message that begins here.
pub(super) fn add_flags(bytes: &mut [u8], at: usize, flags: NewFlags) {
    if let Some(slot) = bytes.get_mut(at + 6..at + 8)
        && let &mut [low, high] = slot
    {
        slot.copy_from_slice(&(u16::from_ne_bytes([low, high]) | flags.bits()).to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RuleHead, RuleVerb};
    use super::*;
    use crate::name::{ChainName, TableName};
    use crate::netlink::attr::AttrError;
    use crate::nft::uapi::NFT_MSG_NEWRULE;

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
