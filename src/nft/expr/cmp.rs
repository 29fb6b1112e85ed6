//! `cmp`: compares a register with a constant; the rule ends when it does not hold.

use super::fields::{Fields, need, numbered};
use super::{Data, Register};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_CMP_DATA, NFTA_CMP_OP, NFTA_CMP_SREG};

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

impl Cmp {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_CMP_SREG, self.sreg.0);
        w.u32_be(NFTA_CMP_OP, self.op.number());
        self.data.encode(NFTA_CMP_DATA, w);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_CMP_DATA>::read(reader)?;
        Ok(Self {
            sreg: need!(f.register(NFTA_CMP_SREG)),
            op: CmpOp::from_number(NFTA_CMP_OP, need!(f.u32(NFTA_CMP_OP)))?,
            data: need!(f.data(NFTA_CMP_DATA)),
        })
    }
}

numbered!(CmpOp:
    Eq = NFT_CMP_EQ,
    Neq = NFT_CMP_NEQ,
    Lt = NFT_CMP_LT,
    Lte = NFT_CMP_LTE,
    Gt = NFT_CMP_GT,
    Gte = NFT_CMP_GTE,
);
