//! Named objects: counters, quotas, limits, helpers.

use std::sync::Arc;

use super::Family;
use super::expr::{Connlimit, Counter, Limit, Quota};
use super::message::named;
use super::uapi::*;
use crate::name::TableName;
use crate::netlink::attr::{AttrError, Reader, Writer, required};

/// What an object is, with its state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObjectData {
    /// `NFT_OBJECT_COUNTER`.
    Counter(Counter),
    /// `NFT_OBJECT_QUOTA`.
    Quota(Quota),
    /// `NFT_OBJECT_LIMIT`.
    Limit(Limit),
    /// `NFT_OBJECT_CONNLIMIT`.
    Connlimit(Connlimit),
    /// `NFT_OBJECT_CT_HELPER`.
    CtHelper(CtHelper),
    /// Any other, byte for byte.
    Unknown {
        /// `NFTA_OBJ_TYPE`.
        kind: u32,
        /// Payload of `NFTA_OBJ_DATA`; `None` when it has none, as in a deletion.
        data: Option<Box<[u8]>>,
    },
}

/// A connection tracking helper (`enum nft_ct_helper_attributes`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CtHelper {
    /// `NFTA_CT_HELPER_NAME`: `ftp`, `tftp`, ...
    pub helper: Arc<str>,
    /// `NFTA_CT_HELPER_L3PROTO`, `NFPROTO_*`; `None` takes that of the table.
    pub l3proto: Option<u16>,
    /// `NFTA_CT_HELPER_L4PROTO`.
    pub l4proto: u8,
}

/// A named object of a table. Rules use it through `objref`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_OBJ_TABLE`.
    pub table: TableName,
    /// `NFTA_OBJ_NAME`. Names are unique among the objects of a kind in a table.
    pub name: Arc<str>,
    /// `NFTA_OBJ_TYPE` and `NFTA_OBJ_DATA`.
    pub data: ObjectData,
    /// `NFTA_OBJ_HANDLE`; set by the kernel.
    pub handle: Option<u64>,
    /// `NFTA_OBJ_USE`: rules and elements that use it; set by the kernel.
    pub uses: Option<u32>,
    /// `NFTA_OBJ_USERDATA`, at most 256 bytes (since Linux 5.10).
    pub userdata: Option<Box<[u8]>>,
}

impl Object {
    /// An object to make.
    #[must_use]
    pub fn new(family: Family, table: TableName, name: Arc<str>, data: ObjectData) -> Self {
        Self { family, table, name, data, handle: None, uses: None, userdata: None }
    }

    /// Writes the attributes of a message about this object.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_OBJ_TABLE, self.table.as_str());
        w.string(NFTA_OBJ_NAME, &self.name);
        w.u32_be(NFTA_OBJ_TYPE, self.data.kind());
        if let Some(handle) = self.handle {
            w.u64_be(NFTA_OBJ_HANDLE, handle);
        }
        self.data.encode(w);
        if let Some(uses) = self.uses {
            w.u32_be(NFTA_OBJ_USE, uses);
        }
        if let Some(userdata) = &self.userdata {
            w.bytes(NFTA_OBJ_USERDATA, userdata);
        }
    }

    /// Reads the attributes of a message about an object.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, or table, name or kind is missing.
    pub fn decode(family: Family, attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut table, mut name, mut kind, mut data) = (None, None, None, None);
        let (mut handle, mut uses, mut userdata) = (None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_OBJ_TABLE => table = Some(named(&attribute, TableName::from_kernel)?),
                NFTA_OBJ_NAME => name = Some(Arc::from(attribute.string()?)),
                NFTA_OBJ_TYPE => kind = Some(attribute.u32_be()?),
                NFTA_OBJ_DATA => data = Some(attribute.payload),
                NFTA_OBJ_HANDLE => handle = Some(attribute.u64_be()?),
                NFTA_OBJ_USE => uses = Some(attribute.u32_be()?),
                NFTA_OBJ_USERDATA => userdata = Some(attribute.payload.into()),
                _ => {}
            }
        }
        Ok(Self {
            family,
            table: required(table, NFTA_OBJ_TABLE, "NFTA_OBJ_TABLE")?,
            name: required(name, NFTA_OBJ_NAME, "NFTA_OBJ_NAME")?,
            data: ObjectData::decode(required(kind, NFTA_OBJ_TYPE, "NFTA_OBJ_TYPE")?, data)?,
            handle,
            uses,
            userdata,
        })
    }
}

impl ObjectData {
    /// `NFTA_OBJ_TYPE`, `NFT_OBJECT_*`.
    #[must_use]
    pub fn kind(&self) -> u32 {
        match self {
            Self::Counter(_) => NFT_OBJECT_COUNTER,
            Self::Quota(_) => NFT_OBJECT_QUOTA,
            Self::Limit(_) => NFT_OBJECT_LIMIT,
            Self::Connlimit(_) => NFT_OBJECT_CONNLIMIT,
            Self::CtHelper(_) => NFT_OBJECT_CT_HELPER,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Counter(counter) => w.nest(NFTA_OBJ_DATA, |w| counter.encode(w)),
            Self::Quota(quota) => w.nest(NFTA_OBJ_DATA, |w| quota.encode(w)),
            Self::Limit(limit) => w.nest(NFTA_OBJ_DATA, |w| limit.encode(w)),
            Self::Connlimit(connlimit) => w.nest(NFTA_OBJ_DATA, |w| connlimit.encode(w)),
            Self::CtHelper(helper) => w.nest(NFTA_OBJ_DATA, |w| helper.encode(w)),
            Self::Unknown { data: Some(data), .. } => w.nest(NFTA_OBJ_DATA, |w| w.raw(data)),
            Self::Unknown { data: None, .. } => {}
        }
    }

    /// As with expressions, what is well-formed and yet not known in full is kept as bytes.
    fn decode(kind: u32, data: Option<&[u8]>) -> Result<Self, AttrError> {
        let Some(bytes) = data else { return Ok(Self::Unknown { kind, data: None }) };
        let reader = Reader::new(bytes);
        let known = match kind {
            NFT_OBJECT_COUNTER => Counter::decode(reader).map(Self::Counter),
            NFT_OBJECT_QUOTA => Quota::decode(reader).map(Self::Quota),
            NFT_OBJECT_LIMIT => Limit::decode(reader).map(Self::Limit),
            NFT_OBJECT_CONNLIMIT => Connlimit::decode(reader).map(Self::Connlimit),
            NFT_OBJECT_CT_HELPER => CtHelper::decode(reader).map(Self::CtHelper),
            _ => return Ok(Self::Unknown { kind, data: Some(bytes.into()) }),
        };
        match known {
            Err(error @ (AttrError::Truncated { .. } | AttrError::BadLength { .. })) => Err(error),
            Err(_) => Ok(Self::Unknown { kind, data: Some(bytes.into()) }),
            known => known,
        }
    }
}

impl CtHelper {
    fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_CT_HELPER_NAME, &self.helper);
        if let Some(l3proto) = self.l3proto {
            w.u16_be(NFTA_CT_HELPER_L3PROTO, l3proto);
        }
        w.u8(NFTA_CT_HELPER_L4PROTO, self.l4proto);
    }

    fn decode(attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut helper, mut l3proto, mut l4proto) = (None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_CT_HELPER_NAME => helper = Some(Arc::from(attribute.string()?)),
                NFTA_CT_HELPER_L3PROTO => l3proto = Some(attribute.u16_be()?),
                NFTA_CT_HELPER_L4PROTO => l4proto = Some(attribute.u8()?),
                kind => return Err(AttrError::Unexpected { kind }),
            }
        }
        Ok(Self {
            helper: required(helper, NFTA_CT_HELPER_NAME, "NFTA_CT_HELPER_NAME")?,
            l3proto,
            l4proto: required(l4proto, NFTA_CT_HELPER_L4PROTO, "NFTA_CT_HELPER_L4PROTO")?,
        })
    }
}
