//! `limit`: a token bucket.

use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_LIMIT_F_INV, NFT_LIMIT_PKTS, NFTA_LIMIT_BURST, NFTA_LIMIT_FLAGS, NFTA_LIMIT_PAD, NFTA_LIMIT_RATE,
    NFTA_LIMIT_TYPE, NFTA_LIMIT_UNIT,
};

/// A rate limit; the rule ends when the bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// `NFTA_LIMIT_RATE`: packets or bytes per [`unit`](Limit::unit).
    pub rate: u64,
    /// `NFTA_LIMIT_UNIT`, seconds.
    pub unit: u64,
    /// `NFTA_LIMIT_BURST`, packets or bytes.
    pub burst: u32,
    /// `NFTA_LIMIT_TYPE`.
    pub kind: LimitKind,
    /// `NFT_LIMIT_F_INV`: match when over the limit.
    pub over: bool,
}

/// `enum nft_limit_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// `NFT_LIMIT_PKTS`.
    Packets,
    /// `NFT_LIMIT_PKT_BYTES`.
    Bytes,
}

impl Limit {
    /// The kernel's burst for packets when none is given, `NFT_LIMIT_PKT_BURST_DEFAULT`.
    pub const DEFAULT_BURST: u32 = 5;

    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u64_be(NFTA_LIMIT_RATE, self.rate);
        w.u64_be(NFTA_LIMIT_UNIT, self.unit);
        w.u32_be(NFTA_LIMIT_BURST, self.burst);
        // iptables-nft and nft write these two even when they are zero.
        w.u32_be(NFTA_LIMIT_TYPE, self.kind.number());
        w.u32_be(NFTA_LIMIT_FLAGS, if self.over { NFT_LIMIT_F_INV } else { 0 });
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_LIMIT_FLAGS>::read_padded(reader, NFTA_LIMIT_PAD)?;
        Ok(Self {
            rate: need!(f.u64(NFTA_LIMIT_RATE)),
            unit: need!(f.u64(NFTA_LIMIT_UNIT)),
            burst: f.u32(NFTA_LIMIT_BURST)?.unwrap_or(0),
            kind: LimitKind::from_number(NFTA_LIMIT_TYPE, f.u32(NFTA_LIMIT_TYPE)?.unwrap_or(NFT_LIMIT_PKTS))?,
            over: f.flag(NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV)?,
        }
        .normalized())
    }

    /// The kernel takes a packet burst of zero as its default.
    pub(crate) fn normalized(mut self) -> Self {
        if self.kind == LimitKind::Packets && self.burst == 0 {
            self.burst = Self::DEFAULT_BURST;
        }
        self
    }
}

numbered!(LimitKind: Packets = NFT_LIMIT_PKTS, Bytes = NFT_LIMIT_PKT_BYTES);
