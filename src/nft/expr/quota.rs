//! `quota`: a number of bytes that may pass.

use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_QUOTA_F_DEPLETED, NFT_QUOTA_F_INV, NFTA_QUOTA_BYTES, NFTA_QUOTA_CONSUMED, NFTA_QUOTA_FLAGS, NFTA_QUOTA_PAD,
};

/// A byte quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// `NFTA_QUOTA_BYTES`.
    pub bytes: u64,
    /// `NFT_QUOTA_F_INV`: match when over the quota.
    pub over: bool,
    /// `NFTA_QUOTA_CONSUMED`, bytes used so far.
    pub consumed: u64,
}

impl Quota {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u64_be(NFTA_QUOTA_BYTES, self.bytes);
        if self.consumed != 0 {
            w.u64_be(NFTA_QUOTA_CONSUMED, self.consumed);
        }
        if self.over {
            w.u32_be(NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_QUOTA_CONSUMED>::read_padded(reader, NFTA_QUOTA_PAD)?;
        let flags = f.u32(NFTA_QUOTA_FLAGS)?.unwrap_or(0);
        // "Depleted" only repeats that the consumed bytes have reached the quota, and the kernel refuses it in a request.
        if flags & !(NFT_QUOTA_F_INV | NFT_QUOTA_F_DEPLETED) != 0 {
            return Err(AttrError::UnknownValue { kind: NFTA_QUOTA_FLAGS, value: flags.into() });
        }
        Ok(Self {
            bytes: need!(f.u64(NFTA_QUOTA_BYTES)),
            over: flags & NFT_QUOTA_F_INV != 0,
            consumed: f.u64(NFTA_QUOTA_CONSUMED)?.unwrap_or(0),
        })
    }
}
