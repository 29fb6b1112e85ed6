//! Tables.

use super::Family;
use super::message::named;
use super::uapi::*;
use crate::name::TableName;
use crate::netlink::attr::{AttrError, Reader, Writer, required};

bitflags::bitflags! {
    /// `NFT_TABLE_F_*`. Bits that are not named here survive a dump.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct TableFlags: u32 {
        /// `NFT_TABLE_F_DORMANT`: the hooks are off.
        const DORMANT = 1;
        /// `NFT_TABLE_F_OWNER`: only the socket that made it may change it (since Linux 5.12).
        const OWNER = 2;
        /// `NFT_TABLE_F_PERSIST`: an owned table outlives its owner's socket (since Linux 6.9).
        const PERSIST = 4;
        const _ = !0;
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_TABLE_NAME`.
    pub name: TableName,
    /// `NFTA_TABLE_FLAGS`.
    pub flags: TableFlags,
    /// `NFTA_TABLE_HANDLE`; set by the kernel.
    pub handle: Option<u64>,
    /// `NFTA_TABLE_USE`: chains, sets and objects in it; set by the kernel.
    pub uses: Option<u32>,
    /// `NFTA_TABLE_OWNER`: netlink port of the owner; set by the kernel.
    pub owner: Option<u32>,
    /// `NFTA_TABLE_USERDATA`, at most 256 bytes (since Linux 5.10).
    pub userdata: Option<Box<[u8]>>,
}

impl Table {
    /// A table to make, without flags.
    #[must_use]
    pub fn new(family: Family, name: TableName) -> Self {
        Self { family, name, flags: TableFlags::empty(), handle: None, uses: None, owner: None, userdata: None }
    }

    /// Writes the attributes of a message about this table.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_TABLE_NAME, self.name.as_str());
        if let Some(handle) = self.handle {
            w.u64_be(NFTA_TABLE_HANDLE, handle);
        }
        if !self.flags.is_empty() {
            w.u32_be(NFTA_TABLE_FLAGS, self.flags.bits());
        }
        if let Some(uses) = self.uses {
            w.u32_be(NFTA_TABLE_USE, uses);
        }
        if let Some(owner) = self.owner {
            w.u32_be(NFTA_TABLE_OWNER, owner);
        }
        if let Some(userdata) = &self.userdata {
            w.bytes(NFTA_TABLE_USERDATA, userdata);
        }
    }

    /// Reads the attributes of a message about a table.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, or the name is missing.
    pub fn decode(family: Family, attributes: Reader<'_>) -> Result<Self, AttrError> {
        let mut name = None;
        let mut flags = TableFlags::empty();
        let (mut handle, mut uses, mut owner, mut userdata) = (None, None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_TABLE_NAME => name = Some(named(&attribute, TableName::from_kernel)?),
                NFTA_TABLE_FLAGS => flags = TableFlags::from_bits_retain(attribute.u32_be()?),
                NFTA_TABLE_HANDLE => handle = Some(attribute.u64_be()?),
                NFTA_TABLE_USE => uses = Some(attribute.u32_be()?),
                NFTA_TABLE_OWNER => owner = Some(attribute.u32_be()?),
                NFTA_TABLE_USERDATA => userdata = Some(attribute.payload.into()),
                _ => {}
            }
        }
        let name = required(name, NFTA_TABLE_NAME, "NFTA_TABLE_NAME")?;
        Ok(Self { family, name, flags, handle, uses, owner, userdata })
    }
}
