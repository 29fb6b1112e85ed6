//! `quota`: a number of bytes that may pass.

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
