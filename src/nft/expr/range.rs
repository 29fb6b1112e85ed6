//! `range`: whether a register lies between two constants, both included.

use super::{CmpOp, Data, Register};

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
