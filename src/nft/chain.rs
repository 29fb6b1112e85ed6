//! Chains.

use std::sync::Arc;

use super::Family;
use crate::name::{ChainName, TableName};

/// A chain: a regular one, or a base chain when it has [`base`](Chain::base).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_CHAIN_TABLE`.
    pub table: TableName,
    /// `NFTA_CHAIN_NAME`; with [`handle`](Chain::handle) in a request, the new name.
    pub name: ChainName,
    /// `NFTA_CHAIN_HANDLE`; set by the kernel, or naming the chain to change.
    pub handle: Option<u64>,
    /// `NFTA_CHAIN_HOOK`, `_TYPE`, `_POLICY`, for base chains.
    pub base: Option<BaseChain>,
    /// `NFTA_CHAIN_COUNTERS`, of base chains: packets and bytes that met the policy.
    pub counters: Option<super::expr::Counter>,
    /// `NFTA_CHAIN_USE`: rules in it and references to it; set by the kernel.
    pub uses: Option<u32>,
    /// `NFTA_CHAIN_FLAGS` (`NFT_CHAIN_*`: 1 base, 2 hardware offload, 4 binding).
    pub flags: Option<u32>,
    /// `NFTA_CHAIN_USERDATA`, at most 256 bytes (since Linux 5.10).
    pub userdata: Option<Box<[u8]>>,
}

/// What makes a chain a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseChain {
    /// `NFTA_CHAIN_TYPE`: `filter`, `nat` or `route`.
    pub kind: Arc<str>,
    /// `NFTA_HOOK_HOOKNUM` (`NF_INET_*`, or `NF_NETDEV_*`).
    pub hook: u32,
    /// `NFTA_HOOK_PRIORITY`: lower runs earlier.
    pub priority: i32,
    /// `NFTA_CHAIN_POLICY`; `None` leaves it as it is, or accept for a new chain.
    pub policy: Option<Policy>,
    /// `NFTA_HOOK_DEV` or `NFTA_HOOK_DEVS`, for the netdev family.
    pub devices: Vec<Arc<str>>,
}

/// What happens to a packet that reaches the end of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// `NF_DROP`.
    Drop,
    /// `NF_ACCEPT`.
    Accept,
}
