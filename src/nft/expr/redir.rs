//! `redir`: destination translation to the host itself.

use super::fields::Fields;
use super::{NatFlags, Register};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_REDIR_FLAGS, NFTA_REDIR_REG_PROTO_MAX, NFTA_REDIR_REG_PROTO_MIN};

/// Redirects to a local port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Redir {
    /// `NFTA_REDIR_REG_PROTO_MIN`.
    pub proto_min: Option<Register>,
    /// `NFTA_REDIR_REG_PROTO_MAX`.
    pub proto_max: Option<Register>,
    /// `NFTA_REDIR_FLAGS`.
    pub flags: NatFlags,
}

impl Redir {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        if let Some(reg) = self.proto_min {
            w.u32_be(NFTA_REDIR_REG_PROTO_MIN, reg.0);
        }
        if let Some(reg) = self.proto_max {
            w.u32_be(NFTA_REDIR_REG_PROTO_MAX, reg.0);
        }
        if !self.flags.is_empty() {
            w.u32_be(NFTA_REDIR_FLAGS, self.flags.bits());
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_REDIR_FLAGS>::read(reader)?;
        Ok(Self {
            proto_min: f.register(NFTA_REDIR_REG_PROTO_MIN)?,
            proto_max: f.register(NFTA_REDIR_REG_PROTO_MAX)?,
            flags: NatFlags::from_bits_retain(f.u32(NFTA_REDIR_FLAGS)?.unwrap_or(0)),
        }
        .normalized())
    }

    /// The kernel takes a missing end of a range as its start and dumps both. Without flags it takes a port as
    /// `NF_NAT_RANGE_PROTO_SPECIFIED`; flags that are given replace that one, so together with others it means something.
    pub(crate) fn normalized(mut self) -> Self {
        self.proto_max = self.proto_max.filter(|_| self.proto_min.is_some() && self.proto_max != self.proto_min);
        if self.proto_min.is_some() && self.flags == NatFlags::PROTO_SPECIFIED {
            self.flags = NatFlags::empty();
        }
        self
    }
}
