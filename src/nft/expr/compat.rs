//! `match` and `target`: xt extensions run by `nft_compat`.

use std::sync::Arc;

use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer, required};
use crate::nft::uapi::{
    NFTA_MATCH_INFO, NFTA_MATCH_NAME, NFTA_MATCH_REV, NFTA_TARGET_INFO, NFTA_TARGET_NAME, NFTA_TARGET_REV,
};

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

impl Match {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_MATCH_NAME, &self.name);
        w.u32_be(NFTA_MATCH_REV, self.revision);
        w.bytes(NFTA_MATCH_INFO, &self.info);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_MATCH_INFO>::read(reader)?;
        Ok(Self {
            name: need!(f.name(NFTA_MATCH_NAME)),
            revision: need!(f.u32(NFTA_MATCH_REV)),
            info: required(f.attr(NFTA_MATCH_INFO), NFTA_MATCH_INFO, "NFTA_MATCH_INFO")?.payload.into(),
        })
    }
}

impl Target {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_TARGET_NAME, &self.name);
        w.u32_be(NFTA_TARGET_REV, self.revision);
        w.bytes(NFTA_TARGET_INFO, &self.info);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_TARGET_INFO>::read(reader)?;
        Ok(Self {
            name: need!(f.name(NFTA_TARGET_NAME)),
            revision: need!(f.u32(NFTA_TARGET_REV)),
            info: required(f.attr(NFTA_TARGET_INFO), NFTA_TARGET_INFO, "NFTA_TARGET_INFO")?.payload.into(),
        })
    }
}
