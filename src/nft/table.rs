//! Tables.

use super::Family;
use crate::name::TableName;

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
