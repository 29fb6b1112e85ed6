//! `bitwise`: and-then-xor with constants, or a shift.

use super::{Data, Register};

/// A bit operation from one register to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bitwise {
    /// `NFTA_BITWISE_SREG`.
    pub sreg: Register,
    /// `NFTA_BITWISE_DREG`.
    pub dreg: Register,
    /// `NFTA_BITWISE_LEN`, bytes.
    pub len: u32,
    /// `NFTA_BITWISE_OP` with its operands.
    pub op: BitwiseOp,
}

/// `enum nft_bitwise_ops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BitwiseOp {
    /// `NFT_BITWISE_MASK_XOR`: `dreg = (sreg & mask) ^ xor`.
    MaskXor {
        /// `NFTA_BITWISE_MASK`.
        mask: Data,
        /// `NFTA_BITWISE_XOR`.
        xor: Data,
    },
    /// `NFT_BITWISE_LSHIFT` by this many bits (1 to 31; since Linux 5.6).
    Lshift(u32),
    /// `NFT_BITWISE_RSHIFT` by this many bits (1 to 31; since Linux 5.6).
    Rshift(u32),
}
