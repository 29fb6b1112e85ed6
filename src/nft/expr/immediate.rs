//! `immediate`: a constant or a verdict into a register.

use super::{Data, Register, Verdict};

/// Loads a constant, or sets the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Immediate {
    /// `NFTA_IMMEDIATE_DREG`; [`Register::VERDICT`] for a verdict.
    pub dreg: Register,
    /// `NFTA_IMMEDIATE_DATA`.
    pub data: Operand,
}

/// What an [`Immediate`] loads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// `NFTA_DATA_VALUE`.
    Value(Data),
    /// `NFTA_DATA_VERDICT`.
    Verdict(Verdict),
}
