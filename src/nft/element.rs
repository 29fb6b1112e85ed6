//! Elements of sets and maps, and the messages that carry them.
//!
//! Owns: one element, and cutting a long list into messages: the list is one attribute, and no attribute holds more than
//! 65,535 bytes.
//! Never: sorts or merges elements.
//!
//! Where the truth is: `nft_add_set_elem` and `nf_tables_fill_setelem`, `net/netfilter/nf_tables_api.c` (Linux v6.12).

use std::sync::Arc;

use super::Family;
use super::expr::{self, Expr, Verdict};
use super::message::named;
use super::set::encode_expressions;
use super::uapi::*;
use crate::name::{SetName, TableName};
use crate::netlink::attr::{Attr, AttrError, Reader, Writer, required};

/// The most bytes that the elements of one message take: what an attribute holds, less its own header.
const LIST_MAX: usize = u16::MAX as usize - 4;

bitflags::bitflags! {
    /// `NFT_SET_ELEM_*`. Bits that are not named here survive a dump.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ElementFlags: u32 {
        /// `NFT_SET_ELEM_INTERVAL_END`: the key is the first one after a range.
        const INTERVAL_END = NFT_SET_ELEM_INTERVAL_END;
        /// `NFT_SET_ELEM_CATCHALL`: for all keys that have no element of their own (since Linux 5.13).
        const CATCHALL = NFT_SET_ELEM_CATCHALL;
        const _ = !0;
    }
}

/// What a map has for a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ElementData {
    /// Bytes for a register.
    Value(Box<[u8]>),
    /// A verdict.
    Verdict(Verdict),
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Element {
    /// `NFTA_SET_ELEM_KEY`, at most 64 bytes; `None` for a catch-all.
    pub key: Option<Box<[u8]>>,
    /// `NFTA_SET_ELEM_KEY_END`: the last key of a range, for concatenated keys (since Linux 5.6).
    pub key_end: Option<Box<[u8]>>,
    /// `NFTA_SET_ELEM_DATA`.
    pub data: Option<ElementData>,
    /// `NFTA_SET_ELEM_OBJREF`: the object's name.
    pub object: Option<Arc<str>>,
    /// `NFTA_SET_ELEM_FLAGS`.
    pub flags: ElementFlags,
    /// `NFTA_SET_ELEM_TIMEOUT`: milliseconds it lives.
    pub timeout: Option<u64>,
    /// `NFTA_SET_ELEM_EXPIRATION`: milliseconds it has left.
    pub expiration: Option<u64>,
    /// `NFTA_SET_ELEM_EXPR` or `NFTA_SET_ELEM_EXPRESSIONS`: its counters and the like.
    pub expressions: Vec<Expr>,
    /// `NFTA_SET_ELEM_USERDATA`, at most 256 bytes.
    pub userdata: Option<Box<[u8]>>,
}

impl Element {
    /// An element with a key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { key: Some(key.into()), ..Self::default() }
    }

    /// An element of a verdict map.
    #[must_use]
    pub fn with_verdict(key: &[u8], verdict: Verdict) -> Self {
        Self { data: Some(ElementData::Verdict(verdict)), ..Self::new(key) }
    }

    /// The end of a range: the first key after it.
    #[must_use]
    pub fn interval_end(key: &[u8]) -> Self {
        Self { flags: ElementFlags::INTERVAL_END, ..Self::new(key) }
    }

    /// Whether it is the end of a range.
    #[must_use]
    pub fn is_interval_end(&self) -> bool {
        self.flags.contains(ElementFlags::INTERVAL_END)
    }

    /// Writes the attributes of one list element.
    pub fn encode(&self, w: &mut Writer<'_>) {
        if !self.flags.is_empty() {
            w.u32_be(NFTA_SET_ELEM_FLAGS, self.flags.bits());
        }
        if let Some(timeout) = self.timeout {
            w.u64_be(NFTA_SET_ELEM_TIMEOUT, timeout);
        }
        if let Some(expiration) = self.expiration {
            w.u64_be(NFTA_SET_ELEM_EXPIRATION, expiration);
        }
        if let Some(key) = &self.key {
            w.nest(NFTA_SET_ELEM_KEY, |w| w.bytes(NFTA_DATA_VALUE, key));
        }
        if let Some(key) = &self.key_end {
            w.nest(NFTA_SET_ELEM_KEY_END, |w| w.bytes(NFTA_DATA_VALUE, key));
        }
        match &self.data {
            Some(ElementData::Value(value)) => w.nest(NFTA_SET_ELEM_DATA, |w| w.bytes(NFTA_DATA_VALUE, value)),
            Some(ElementData::Verdict(verdict)) => verdict.encode(NFTA_SET_ELEM_DATA, w),
            None => {}
        }
        if let Some(userdata) = &self.userdata {
            w.bytes(NFTA_SET_ELEM_USERDATA, userdata);
        }
        if let Some(object) = &self.object {
            w.string(NFTA_SET_ELEM_OBJREF, object);
        }
        encode_expressions(&self.expressions, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS, w);
    }

    /// Reads the attributes of one list element.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed.
    pub fn decode(attributes: Reader<'_>) -> Result<Self, AttrError> {
        let mut element = Self::default();
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_SET_ELEM_KEY => element.key = Some(decode_key(&attribute)?),
                NFTA_SET_ELEM_KEY_END => element.key_end = Some(decode_key(&attribute)?),
                NFTA_SET_ELEM_DATA => element.data = Some(ElementData::decode(&attribute)?),
                NFTA_SET_ELEM_OBJREF => element.object = Some(Arc::from(attribute.string()?)),
                NFTA_SET_ELEM_FLAGS => element.flags = ElementFlags::from_bits_retain(attribute.u32_be()?),
                NFTA_SET_ELEM_TIMEOUT => element.timeout = Some(attribute.u64_be()?),
                NFTA_SET_ELEM_EXPIRATION => element.expiration = Some(attribute.u64_be()?),
                NFTA_SET_ELEM_EXPR => element.expressions = vec![Expr::decode(attribute.attrs())?],
                NFTA_SET_ELEM_EXPRESSIONS => element.expressions = expr::decode_list(attribute.attrs())?,
                NFTA_SET_ELEM_USERDATA => element.userdata = Some(attribute.payload.into()),
                _ => {}
            }
        }
        Ok(element)
    }
}

impl ElementData {
    fn decode(attribute: &Attr<'_>) -> Result<Self, AttrError> {
        let inner = only(attribute)?;
        match inner.kind {
            NFTA_DATA_VALUE => Ok(Self::Value(inner.payload.into())),
            NFTA_DATA_VERDICT => Ok(Self::Verdict(Verdict::decode(inner.attrs())?)),
            kind => Err(AttrError::Unexpected { kind }),
        }
    }
}

fn decode_key(attribute: &Attr<'_>) -> Result<Box<[u8]>, AttrError> {
    let inner = only(attribute)?;
    match inner.kind {
        NFTA_DATA_VALUE => Ok(inner.payload.into()),
        kind => Err(AttrError::Unexpected { kind }),
    }
}

/// The one attribute of an `nft_data_attributes` nest.
fn only<'a>(attribute: &Attr<'a>) -> Result<Attr<'a>, AttrError> {
    let mut inner = attribute.attrs();
    let first = required(inner.next().transpose()?, NFTA_DATA_VALUE, "NFTA_DATA_VALUE")?;
    match inner.next().transpose()? {
        None => Ok(first),
        Some(second) => Err(AttrError::Unexpected { kind: second.kind }),
    }
}

/// Elements of one set: what one message adds, deletes or dumps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elements {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_SET_ELEM_LIST_TABLE`.
    pub table: TableName,
    /// `NFTA_SET_ELEM_LIST_SET`.
    pub set: SetName,
    /// `NFTA_SET_ELEM_LIST_SET_ID`: the id of a set that the same batch makes.
    pub set_id: Option<u32>,
    /// `NFTA_SET_ELEM_LIST_ELEMENTS`; none is written as no attribute, which in a deletion means all elements.
    pub elements: Vec<Element>,
}

impl Elements {
    /// Writes the attributes of one message. A list that does not fit becomes an error of the writer: see
    /// [`encode_part`](Elements::encode_part).
    pub fn encode(&self, w: &mut Writer<'_>) {
        self.encode_head(w);
        if self.elements.is_empty() {
            return;
        }
        w.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |w| {
            for element in &self.elements {
                w.nest(NFTA_LIST_ELEM, |w| element.encode(w));
            }
        });
    }

    /// Writes the attributes of one message with as many elements, from number `from` on, as fit into it; returns the
    /// number of the first that did not. Call it with the next message until that is [`elements`](Elements::elements)'
    /// length.
    ///
    /// The start and the end of a range may come in different messages of a batch.
    pub fn encode_part(&self, from: usize, w: &mut Writer<'_>) -> usize {
        self.encode_head(w);
        w.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |w| {
            let start = w.len();
            let mut next = from;
            let mut scratch = Vec::new();
            for element in self.elements.get(from..).unwrap_or_default() {
                scratch.clear();
                let mut one = Writer::new(&mut scratch);
                one.nest(NFTA_LIST_ELEM, |one| element.encode(one));
                let too_long = one.finish().is_err();
                if next > from && (too_long || w.len() - start + scratch.len() > LIST_MAX) {
                    break;
                }
                // An element too long even alone goes in all the same: the writer then reports its length.
                w.raw(&scratch);
                next += 1;
                if too_long {
                    break;
                }
            }
            next
        })
    }

    fn encode_head(&self, w: &mut Writer<'_>) {
        w.string(NFTA_SET_ELEM_LIST_TABLE, self.table.as_str());
        w.string(NFTA_SET_ELEM_LIST_SET, self.set.as_str());
        if let Some(id) = self.set_id {
            w.u32_be(NFTA_SET_ELEM_LIST_SET_ID, id);
        }
    }

    /// Reads the attributes of a message about elements.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, or table or set is missing.
    pub fn decode(family: Family, attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut table, mut set, mut set_id, mut elements) = (None, None, None, Vec::new());
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_SET_ELEM_LIST_TABLE => table = Some(named(&attribute, TableName::from_kernel)?),
                NFTA_SET_ELEM_LIST_SET => set = Some(named(&attribute, SetName::from_kernel)?),
                NFTA_SET_ELEM_LIST_SET_ID => set_id = Some(attribute.u32_be()?),
                NFTA_SET_ELEM_LIST_ELEMENTS => {
                    elements = attribute.attrs().map(|e| Element::decode(e?.attrs())).collect::<Result<_, _>>()?;
                }
                _ => {}
            }
        }
        let table = required(table, NFTA_SET_ELEM_LIST_TABLE, "NFTA_SET_ELEM_LIST_TABLE")?;
        let set = required(set, NFTA_SET_ELEM_LIST_SET, "NFTA_SET_ELEM_LIST_SET")?;
        Ok(Self { family, table, set, set_id, elements })
    }
}
