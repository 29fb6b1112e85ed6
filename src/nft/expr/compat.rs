//! `match` and `target`: xt extensions run by `nft_compat`.

use std::sync::Arc;

/// An xt match.
///
/// `info` is the extension's C struct, padded to eight bytes; its size is part of the interface
/// (`xt_check_match`, `net/netfilter/x_tables.c`). The kernel zeroes the parts of it that are its own on dump.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Match {
    /// `NFTA_MATCH_NAME`, at most 28 bytes.
    pub name: Arc<str>,
    /// `NFTA_MATCH_REV`.
    pub revision: u32,
    /// `NFTA_MATCH_INFO`.
    pub info: Arc<[u8]>,
}

/// An xt target. See [`Match`] for `info`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// `NFTA_TARGET_NAME`, at most 28 bytes.
    pub name: Arc<str>,
    /// `NFTA_TARGET_REV`.
    pub revision: u32,
    /// `NFTA_TARGET_INFO`.
    pub info: Arc<[u8]>,
}
