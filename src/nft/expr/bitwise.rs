//! `bitwise`: and-then-xor with constants, or a shift.

use super::fields::{Fields, need};
use super::{Data, Register};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_BITWISE_LSHIFT, NFT_BITWISE_MASK_XOR, NFT_BITWISE_RSHIFT, NFTA_BITWISE_DATA, NFTA_BITWISE_DREG,
    NFTA_BITWISE_LEN, NFTA_BITWISE_MASK, NFTA_BITWISE_OP, NFTA_BITWISE_SREG, NFTA_BITWISE_XOR,
};

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

impl Bitwise {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_BITWISE_SREG, self.sreg.0);
        w.u32_be(NFTA_BITWISE_DREG, self.dreg.0);
        // Mask-and-xor is the default, and iptables-nft leaves it out.
        match self.op {
            BitwiseOp::MaskXor { .. } => {}
            BitwiseOp::Lshift(_) => w.u32_be(NFTA_BITWISE_OP, NFT_BITWISE_LSHIFT),
            BitwiseOp::Rshift(_) => w.u32_be(NFTA_BITWISE_OP, NFT_BITWISE_RSHIFT),
        }
        w.u32_be(NFTA_BITWISE_LEN, self.len);
        match self.op {
            BitwiseOp::MaskXor { mask, xor } => {
                mask.encode(NFTA_BITWISE_MASK, w);
                xor.encode(NFTA_BITWISE_XOR, w);
            }
            BitwiseOp::Lshift(bits) | BitwiseOp::Rshift(bits) => {
                Data::from(bits.to_ne_bytes()).encode(NFTA_BITWISE_DATA, w)
            }
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_BITWISE_DATA>::read(reader)?;
        // Absent before Linux 5.6, which knew only this one.
        let op = match f.u32(NFTA_BITWISE_OP)?.unwrap_or(NFT_BITWISE_MASK_XOR) {
            NFT_BITWISE_MASK_XOR if f.attr(NFTA_BITWISE_DATA).is_none() => {
                BitwiseOp::MaskXor { mask: need!(f.data(NFTA_BITWISE_MASK)), xor: need!(f.data(NFTA_BITWISE_XOR)) }
            }
            op @ (NFT_BITWISE_LSHIFT | NFT_BITWISE_RSHIFT)
                if f.attr(NFTA_BITWISE_MASK).is_none() && f.attr(NFTA_BITWISE_XOR).is_none() =>
            {
                let bits = need!(f.data(NFTA_BITWISE_DATA));
                let bits = bits.as_bytes().try_into().map(u32::from_ne_bytes).map_err(|_| AttrError::BadSize {
                    kind: NFTA_BITWISE_DATA,
                    want: 4,
                    got: bits.as_bytes().len(),
                })?;
                if op == NFT_BITWISE_LSHIFT { BitwiseOp::Lshift(bits) } else { BitwiseOp::Rshift(bits) }
            }
            op => return Err(AttrError::UnknownValue { kind: NFTA_BITWISE_OP, value: op.into() }),
        };
        Ok(Self {
            sreg: need!(f.register(NFTA_BITWISE_SREG)),
            dreg: need!(f.register(NFTA_BITWISE_DREG)),
            len: need!(f.u32(NFTA_BITWISE_LEN)),
            op,
        })
    }
}
