//! `range`: whether a register lies between two constants, both included.

use super::fields::{Fields, need};
use super::{CmpOp, Data, Register};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_RANGE_FROM_DATA, NFTA_RANGE_OP, NFTA_RANGE_SREG, NFTA_RANGE_TO_DATA};

/// A range test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// `NFTA_RANGE_SREG`.
    pub sreg: Register,
    /// `NFTA_RANGE_OP`: only [`CmpOp::Eq`] (inside) and [`CmpOp::Neq`] (outside) exist.
    pub op: CmpOp,
    /// `NFTA_RANGE_FROM_DATA`.
    pub from: Data,
    /// `NFTA_RANGE_TO_DATA`.
    pub to: Data,
}

impl Range {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_RANGE_SREG, self.sreg.0);
        w.u32_be(NFTA_RANGE_OP, self.op.number());
        self.from.encode(NFTA_RANGE_FROM_DATA, w);
        self.to.encode(NFTA_RANGE_TO_DATA, w);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_RANGE_TO_DATA>::read(reader)?;
        // `enum nft_range_ops` is the start of `enum nft_cmp_ops`.
        let op = match CmpOp::from_number(NFTA_RANGE_OP, need!(f.u32(NFTA_RANGE_OP)))? {
            op @ (CmpOp::Eq | CmpOp::Neq) => op,
            op => return Err(AttrError::UnknownValue { kind: NFTA_RANGE_OP, value: op.number().into() }),
        };
        Ok(Self {
            sreg: need!(f.register(NFTA_RANGE_SREG)),
            op,
            from: need!(f.data(NFTA_RANGE_FROM_DATA)),
            to: need!(f.data(NFTA_RANGE_TO_DATA)),
        })
    }
}
