//! `cmp`: compares a register with a constant; the rule ends when it does not hold.

use super::{Data, Register};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cmp {
    /// `NFTA_CMP_SREG`.
    pub sreg: Register,
    /// `NFTA_CMP_OP`.
    pub op: CmpOp,
    /// `NFTA_CMP_DATA`; compared as bytes from the left (big-endian order).
    pub data: Data,
}

/// `enum nft_cmp_ops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CmpOp {
    /// `NFT_CMP_EQ`.
    Eq,
    /// `NFT_CMP_NEQ`.
    Neq,
    /// `NFT_CMP_LT`.
    Lt,
    /// `NFT_CMP_LTE`.
    Lte,
    /// `NFT_CMP_GT`.
    Gt,
    /// `NFT_CMP_GTE`.
    Gte,
}
