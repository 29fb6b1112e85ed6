//! Sets and maps.
//!
//! Owns: the attributes `NFTA_SET_*` as one value, written and read side by side.
//! Never: holds elements ([`Element`](super::Element)), or chooses flags and types for what a set is to be used for.
//!
//! Invariant: a set goes through a message and back unchanged, unknown flag bits included.
//!
//! Where the truth is: `nft_set_policy` and `nf_tables_fill_set`, `net/netfilter/nf_tables_api.c` (Linux v6.12).

use super::Family;
use super::expr::{self, Expr};
use super::message::named;
use super::uapi::*;
use crate::name::{SetName, TableName};
use crate::netlink::attr::{AttrError, Reader, Writer, required};

bitflags::bitflags! {
    /// `NFT_SET_*`. Bits that are not named here survive a dump.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SetFlags: u32 {
        /// `NFT_SET_ANONYMOUS`: belongs to the rule that uses it, and goes with it.
        const ANONYMOUS = NFT_SET_ANONYMOUS;
        /// `NFT_SET_CONSTANT`: its elements do not change once a rule uses it.
        const CONSTANT = NFT_SET_CONSTANT;
        /// `NFT_SET_INTERVAL`: elements are ranges.
        const INTERVAL = NFT_SET_INTERVAL;
        /// `NFT_SET_MAP`: elements have data.
        const MAP = NFT_SET_MAP;
        /// `NFT_SET_TIMEOUT`: elements expire.
        const TIMEOUT = NFT_SET_TIMEOUT;
        /// `NFT_SET_EVAL`: rules change it.
        const EVAL = NFT_SET_EVAL;
        /// `NFT_SET_OBJECT`: elements name objects.
        const OBJECT = NFT_SET_OBJECT;
        /// `NFT_SET_CONCAT`: keys have several fields.
        const CONCAT = NFT_SET_CONCAT;
        /// `NFT_SET_EXPR`: elements have expressions (since Linux 5.7).
        const EXPR = NFT_SET_EXPR;
        const _ = !0;
    }
}

/// `enum nft_set_policies`: what the choice of the set's algorithm is to favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SetPolicy {
    /// `NFT_SET_POL_PERFORMANCE`, the default.
    Performance = NFT_SET_POL_PERFORMANCE,
    /// `NFT_SET_POL_MEMORY`.
    Memory = NFT_SET_POL_MEMORY,
}

/// What a map's elements map to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetData {
    /// Bytes for a register.
    Value {
        /// `NFTA_SET_DATA_TYPE`: a number of `nft`'s own, the kernel only keeps it.
        kind: u32,
        /// `NFTA_SET_DATA_LEN`, bytes.
        len: u32,
    },
    /// `NFT_DATA_VERDICT`.
    Verdict,
}

/// A set, or a map when it has [`data`](Set::data) or [`object_kind`](Set::object_kind).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_SET_TABLE`.
    pub table: TableName,
    /// `NFTA_SET_NAME`; for an anonymous set in a batch a template, `__set%d` or `__map%d`.
    pub name: SetName,
    /// `NFTA_SET_HANDLE`; set by the kernel.
    pub handle: Option<u64>,
    /// `NFTA_SET_ID`: what rules of the same batch call it.
    pub id: Option<u32>,
    /// `NFTA_SET_FLAGS`.
    pub flags: SetFlags,
    /// `NFTA_SET_KEY_TYPE`: a number of `nft`'s own, the kernel only keeps it.
    pub key_kind: u32,
    /// `NFTA_SET_KEY_LEN`, bytes; 0 when only the name counts, as in a deletion.
    pub key_len: u32,
    /// `NFTA_SET_DATA_TYPE` and `NFTA_SET_DATA_LEN`.
    pub data: Option<SetData>,
    /// `NFTA_SET_OBJ_TYPE` (`NFT_OBJECT_*`), for maps to objects.
    pub object_kind: Option<u32>,
    /// `NFTA_SET_POLICY`.
    pub policy: Option<SetPolicy>,
    /// `NFTA_SET_DESC_SIZE`: the most elements it takes, a hard cap (`ENFILE`). Without it the kernel takes a hash
    /// table that grows, which is slower.
    pub size: Option<u32>,
    /// `NFTA_SET_DESC_CONCAT`: the length of each field of a concatenated key, bytes (since Linux 5.6).
    pub fields: Vec<u32>,
    /// `NFTA_SET_TIMEOUT`: milliseconds that an element lives by default.
    pub timeout: Option<u64>,
    /// `NFTA_SET_GC_INTERVAL`, milliseconds.
    pub gc_interval: Option<u32>,
    /// `NFTA_SET_USERDATA`, at most 256 bytes: `nft` keeps byte orders and types here.
    pub userdata: Option<Box<[u8]>>,
    /// `NFTA_SET_EXPR` or `NFTA_SET_EXPRESSIONS`: what each new element gets.
    pub expressions: Vec<Expr>,
}

impl Set {
    /// A set with keys of `key_len` bytes and nothing else.
    #[must_use]
    pub fn new(family: Family, table: TableName, name: SetName, key_len: u32) -> Self {
        Self {
            family,
            table,
            name,
            handle: None,
            id: None,
            flags: SetFlags::empty(),
            key_kind: 0,
            key_len,
            data: None,
            object_kind: None,
            policy: None,
            size: None,
            fields: Vec::new(),
            timeout: None,
            gc_interval: None,
            userdata: None,
            expressions: Vec::new(),
        }
    }

    /// Writes the attributes of a message about this set.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_SET_TABLE, self.table.as_str());
        w.string(NFTA_SET_NAME, self.name.as_str());
        if let Some(handle) = self.handle {
            w.u64_be(NFTA_SET_HANDLE, handle);
        }
        if self.key_len != 0 {
            w.u32_be(NFTA_SET_FLAGS, self.flags.bits());
            w.u32_be(NFTA_SET_KEY_TYPE, self.key_kind);
            w.u32_be(NFTA_SET_KEY_LEN, self.key_len);
        }
        match self.data {
            Some(SetData::Value { kind, len }) => {
                w.u32_be(NFTA_SET_DATA_TYPE, kind);
                w.u32_be(NFTA_SET_DATA_LEN, len);
            }
            // The kernel knows a verdict's size itself and refuses to be told (`nft_set_desc_parse`).
            Some(SetData::Verdict) => w.u32_be(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT),
            None => {}
        }
        if let Some(kind) = self.object_kind {
            w.u32_be(NFTA_SET_OBJ_TYPE, kind);
        }
        if let Some(id) = self.id {
            w.u32_be(NFTA_SET_ID, id);
        }
        if let Some(policy) = self.policy {
            w.u32_be(NFTA_SET_POLICY, policy as u32);
        }
        self.encode_description(w);
        if let Some(timeout) = self.timeout {
            w.u64_be(NFTA_SET_TIMEOUT, timeout);
        }
        if let Some(interval) = self.gc_interval {
            w.u32_be(NFTA_SET_GC_INTERVAL, interval);
        }
        if let Some(userdata) = &self.userdata {
            w.bytes(NFTA_SET_USERDATA, userdata);
        }
        encode_expressions(&self.expressions, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS, w);
    }

    fn encode_description(&self, w: &mut Writer<'_>) {
        if self.size.is_none() && self.fields.is_empty() {
            return;
        }
        w.nest(NFTA_SET_DESC, |w| {
            if let Some(size) = self.size {
                w.u32_be(NFTA_SET_DESC_SIZE, size);
            }
            if !self.fields.is_empty() {
                w.nest(NFTA_SET_DESC_CONCAT, |w| {
                    for field in &self.fields {
                        w.nest(NFTA_LIST_ELEM, |w| w.u32_be(NFTA_SET_FIELD_LEN, *field));
                    }
                });
            }
        });
    }

    /// Reads the attributes of a message about a set.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, or table or name is missing.
    pub fn decode(family: Family, attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (table, name) = decode_names(attributes.clone())?;
        let mut set = Self::new(family, table, name, 0);
        let (mut data_kind, mut data_len) = (None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_SET_HANDLE => set.handle = Some(attribute.u64_be()?),
                NFTA_SET_ID => set.id = Some(attribute.u32_be()?),
                NFTA_SET_FLAGS => set.flags = SetFlags::from_bits_retain(attribute.u32_be()?),
                NFTA_SET_KEY_TYPE => set.key_kind = attribute.u32_be()?,
                NFTA_SET_KEY_LEN => set.key_len = attribute.u32_be()?,
                NFTA_SET_DATA_TYPE => data_kind = Some(attribute.u32_be()?),
                NFTA_SET_DATA_LEN => data_len = Some(attribute.u32_be()?),
                NFTA_SET_OBJ_TYPE => set.object_kind = Some(attribute.u32_be()?),
                NFTA_SET_POLICY => set.policy = Some(SetPolicy::decode(attribute.u32_be()?)?),
                NFTA_SET_DESC => set.decode_description(attribute.attrs())?,
                NFTA_SET_TIMEOUT => set.timeout = Some(attribute.u64_be()?),
                NFTA_SET_GC_INTERVAL => set.gc_interval = Some(attribute.u32_be()?),
                NFTA_SET_USERDATA => set.userdata = Some(attribute.payload.into()),
                NFTA_SET_EXPR => set.expressions = vec![Expr::decode(attribute.attrs())?],
                NFTA_SET_EXPRESSIONS => set.expressions = expr::decode_list(attribute.attrs())?,
                _ => {}
            }
        }
        set.data = match (data_kind, data_len) {
            (Some(NFT_DATA_VERDICT), _) => Some(SetData::Verdict),
            (None, None) => None,
            (kind, len) => {
                let len = required(len, NFTA_SET_DATA_LEN, "NFTA_SET_DATA_LEN")?;
                Some(SetData::Value { kind: kind.unwrap_or(0), len })
            }
        };
        Ok(set)
    }

    fn decode_description(&mut self, attributes: Reader<'_>) -> Result<(), AttrError> {
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_SET_DESC_SIZE => self.size = Some(attribute.u32_be()?),
                NFTA_SET_DESC_CONCAT => {
                    self.fields =
                        attribute.attrs().map(|field| decode_field(field?.attrs())).collect::<Result<_, _>>()?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn decode_names(attributes: Reader<'_>) -> Result<(TableName, SetName), AttrError> {
    let (mut table, mut name) = (None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            NFTA_SET_TABLE => table = Some(named(&attribute, TableName::from_kernel)?),
            NFTA_SET_NAME => name = Some(named(&attribute, SetName::from_kernel)?),
            _ => {}
        }
    }
    Ok((required(table, NFTA_SET_TABLE, "NFTA_SET_TABLE")?, required(name, NFTA_SET_NAME, "NFTA_SET_NAME")?))
}

fn decode_field(attributes: Reader<'_>) -> Result<u32, AttrError> {
    let mut len = None;
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind == NFTA_SET_FIELD_LEN {
            len = Some(attribute.u32_be()?);
        }
    }
    required(len, NFTA_SET_FIELD_LEN, "NFTA_SET_FIELD_LEN")
}

impl SetPolicy {
    fn decode(value: u32) -> Result<Self, AttrError> {
        match value {
            NFT_SET_POL_PERFORMANCE => Ok(Self::Performance),
            NFT_SET_POL_MEMORY => Ok(Self::Memory),
            _ => Err(AttrError::UnknownValue { kind: NFTA_SET_POLICY, value: value.into() }),
        }
    }
}

/// One expression goes under the attribute that every kernel knows, several under the list (since Linux 5.11).
pub(super) fn encode_expressions(expressions: &[Expr], one: u16, several: u16, w: &mut Writer<'_>) {
    match expressions {
        [] => {}
        [expression] => w.nest(one, |w| expression.encode(w)),
        expressions => w.nest(several, |w| expr::encode_list(expressions, w)),
    }
}
