//! `masq`: source translation to the address of the output device.

use super::fields::Fields;
use super::{NatFlags, Register};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_MASQ_FLAGS, NFTA_MASQ_REG_PROTO_MAX, NFTA_MASQ_REG_PROTO_MIN};

/// Masquerades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Masq {
    /// `NFTA_MASQ_FLAGS`.
    pub flags: NatFlags,
    /// `NFTA_MASQ_REG_PROTO_MIN`.
    pub proto_min: Option<Register>,
    /// `NFTA_MASQ_REG_PROTO_MAX`.
    pub proto_max: Option<Register>,
}

impl Masq {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        if !self.flags.is_empty() {
            w.u32_be(NFTA_MASQ_FLAGS, self.flags.bits());
        }
        if let Some(reg) = self.proto_min {
            w.u32_be(NFTA_MASQ_REG_PROTO_MIN, reg.0);
        }
        if let Some(reg) = self.proto_max {
            w.u32_be(NFTA_MASQ_REG_PROTO_MAX, reg.0);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_MASQ_REG_PROTO_MAX>::read(reader)?;
        Ok(Self {
            flags: NatFlags::from_bits_retain(f.u32(NFTA_MASQ_FLAGS)?.unwrap_or(0)),
            proto_min: f.register(NFTA_MASQ_REG_PROTO_MIN)?,
            proto_max: f.register(NFTA_MASQ_REG_PROTO_MAX)?,
        }
        .normalized())
    }

    /// The kernel takes a missing end of a range as its start, and dumps both.
    pub(crate) fn normalized(mut self) -> Self {
        self.proto_max = self.proto_max.filter(|_| self.proto_min.is_some() && self.proto_max != self.proto_min);
        self
    }
}
