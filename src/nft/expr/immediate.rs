//! `immediate`: a constant or a verdict into a register.

use super::fields::{Fields, need};
use super::{Data, Register, Verdict};
use crate::netlink::attr::{AttrError, Reader, Writer, required};
use crate::nft::uapi::{NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_IMMEDIATE_DATA, NFTA_IMMEDIATE_DREG};

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

impl Immediate {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_IMMEDIATE_DREG, self.dreg.0);
        match &self.data {
            Operand::Value(data) => data.encode(NFTA_IMMEDIATE_DATA, w),
            Operand::Verdict(verdict) => verdict.encode(NFTA_IMMEDIATE_DATA, w),
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_IMMEDIATE_DATA>::read(reader)?;
        let data = required(f.attr(NFTA_IMMEDIATE_DATA), NFTA_IMMEDIATE_DATA, "NFTA_IMMEDIATE_DATA")?;
        Ok(Self { dreg: need!(f.register(NFTA_IMMEDIATE_DREG)), data: Operand::decode(data.attrs())? })
    }
}

impl Operand {
    /// Reads `enum nft_data_attributes`: one of the two forms, and nothing else.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_DATA_VERDICT>::read(reader.clone())?;
        match f.attr(NFTA_DATA_VERDICT) {
            Some(verdict) if f.attr(NFTA_DATA_VALUE).is_none() => Verdict::decode(verdict.attrs()).map(Self::Verdict),
            _ => Data::decode(reader).map(Self::Value),
        }
    }
}
