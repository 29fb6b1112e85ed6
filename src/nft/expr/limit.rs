//! `limit`: a token bucket.

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
