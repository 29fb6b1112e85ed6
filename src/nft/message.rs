//! Messages of the nf_tables subsystem, the batch markers among them.
//!
//! Owns: which object a message type carries, and the frame around its attributes.
//! Never: knows which operations make sense, or in which order; that is `transaction`.
//!
//! Where the truth is: `nf_tables_cb`, `net/netfilter/nf_tables_api.c`; `nfnetlink_rcv_batch`,
//! `net/netfilter/nfnetlink.c` (Linux v6.12).

use super::uapi::*;
use super::{Chain, Elements, Family, Generation, Object, Rule, Set, Table};
use crate::netlink::attr::{Attr, AttrError, Reader, Writer};
use crate::netlink::header::{FamilyHeader, NewFlags};
use crate::netlink::message::{self, MessageError};

/// Writes one message of the subsystem to the end of `buf`: `kind` is `NFT_MSG_*`, `flags` the bits of one of the flag
/// types of [`netlink::header`](crate::netlink::header).
///
/// # Errors
/// [`AttrError`] when an attribute was too long; `buf` is then as it was before.
#[inline]
pub fn append(
    buf: &mut Vec<u8>,
    kind: u8,
    flags: u16,
    family: Family,
    res_id: u16,
    seq: u32,
    fill: impl FnOnce(&mut Writer<'_>),
) -> Result<(), AttrError> {
    let header = FamilyHeader { family: family.nfproto(), version: 0, res_id };
    message::append(buf, message_type(kind), flags, seq, header, fill)
}

/// Writes `NFNL_MSG_BATCH_BEGIN`. With a generation the kernel refuses the batch (`ERESTART`) in any other.
///
/// # Errors
/// None that can happen; the signature is that of [`append`].
pub fn append_batch_begin(buf: &mut Vec<u8>, seq: u32, generation: Option<u32>) -> Result<(), AttrError> {
    append_marker(buf, NFNL_MSG_BATCH_BEGIN, seq, |w| {
        if let Some(generation) = generation {
            w.u32_be(NFNL_BATCH_GENID, generation);
        }
    })
}

/// Writes `NFNL_MSG_BATCH_END`, without which the kernel drops the batch silently.
///
/// # Errors
/// None that can happen; the signature is that of [`append`].
pub fn append_batch_end(buf: &mut Vec<u8>, seq: u32) -> Result<(), AttrError> {
    append_marker(buf, NFNL_MSG_BATCH_END, seq, |_| {})
}

fn append_marker(buf: &mut Vec<u8>, kind: u16, seq: u32, fill: impl FnOnce(&mut Writer<'_>)) -> Result<(), AttrError> {
    let header = FamilyHeader { family: 0, version: 0, res_id: NFNL_SUBSYS_NFTABLES.into() };
    message::append(buf, kind, NewFlags::REQUEST.bits(), seq, header, fill)
}

/// `nlmsg_type` of a message of the subsystem.
#[must_use]
pub const fn message_type(kind: u8) -> u16 {
    u16::from_be_bytes([NFNL_SUBSYS_NFTABLES, kind])
}

/// A decoded message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a variant is the NFT_MSG_ constant of its name, with the object it carries")]
pub enum Message {
    NewTable(Table),
    DelTable(Table),
    NewChain(Chain),
    DelChain(Chain),
    NewRule(Rule),
    DelRule(Rule),
    NewSet(Set),
    DelSet(Set),
    NewElements(Elements),
    DelElements(Elements),
    NewObject(Object),
    DelObject(Object),
    NewGen(Generation),
    /// `NFNL_MSG_BATCH_BEGIN`.
    BatchBegin {
        /// `NFNL_BATCH_GENID`.
        generation: Option<u32>,
    },
    /// `NFNL_MSG_BATCH_END`.
    BatchEnd,
    /// Any other message, of whatever subsystem.
    Other {
        /// `nlmsg_type`.
        kind: u16,
    },
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`MessageError`] when it is too short, its family is none of nf_tables, or its object is malformed.
    pub fn decode(message: &message::Message<'_>) -> Result<Self, MessageError> {
        let kind = message.header.kind;
        let [subsystem, number] = kind.to_be_bytes();
        match kind {
            NFNL_MSG_BATCH_BEGIN => {
                return Ok(Self::BatchBegin { generation: batch_generation(message.family()?.1)? });
            }
            NFNL_MSG_BATCH_END => return Ok(Self::BatchEnd),
            _ if subsystem != NFNL_SUBSYS_NFTABLES => return Ok(Self::Other { kind }),
            _ => {}
        }
        let (header, attributes) = message.family()?;
        // The generation belongs to no family.
        if number == NFT_MSG_NEWGEN {
            return Ok(Self::NewGen(Generation::decode(attributes)?));
        }
        let Some(family) = Family::from_nfproto(header.family) else {
            return Ok(Self::Other { kind });
        };
        Ok(match number {
            NFT_MSG_NEWTABLE => Self::NewTable(Table::decode(family, attributes)?),
            NFT_MSG_DELTABLE => Self::DelTable(Table::decode(family, attributes)?),
            NFT_MSG_NEWCHAIN => Self::NewChain(Chain::decode(family, attributes)?),
            NFT_MSG_DELCHAIN => Self::DelChain(Chain::decode(family, attributes)?),
            NFT_MSG_NEWRULE => Self::NewRule(Rule::decode(family, attributes)?),
            NFT_MSG_DELRULE => Self::DelRule(Rule::decode(family, attributes)?),
            NFT_MSG_NEWSET => Self::NewSet(Set::decode(family, attributes)?),
            NFT_MSG_DELSET => Self::DelSet(Set::decode(family, attributes)?),
            NFT_MSG_NEWSETELEM => Self::NewElements(Elements::decode(family, attributes)?),
            NFT_MSG_DELSETELEM => Self::DelElements(Elements::decode(family, attributes)?),
            NFT_MSG_NEWOBJ => Self::NewObject(Object::decode(family, attributes)?),
            NFT_MSG_DELOBJ => Self::DelObject(Object::decode(family, attributes)?),
            _ => Self::Other { kind },
        })
    }
}

fn batch_generation(attributes: Reader<'_>) -> Result<Option<u32>, AttrError> {
    let mut generation = None;
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind == NFNL_BATCH_GENID {
            generation = Some(attribute.u32_be()?);
        }
    }
    Ok(generation)
}

/// A name from a string attribute: whatever the kernel lets anybody call an object, never cut or skipped.
pub(super) fn named<N>(attribute: &Attr<'_>, name: impl FnOnce(&str) -> N) -> Result<N, AttrError> {
    if attribute.payload.len() > NFT_NAME_MAXLEN as usize {
        return Err(AttrError::BadString { kind: attribute.kind });
    }
    Ok(name(&attribute.string()?))
}
