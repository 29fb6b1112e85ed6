//! `nat`: source or destination translation.

use super::Register;
use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::Family;
use crate::nft::uapi::{
    NFTA_NAT_FAMILY, NFTA_NAT_FLAGS, NFTA_NAT_REG_ADDR_MAX, NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_PROTO_MAX,
    NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_TYPE,
};

bitflags::bitflags! {
    /// `NF_NAT_RANGE_*`. Bits that are not named here survive a dump.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NatFlags: u32 {
        /// `NF_NAT_RANGE_MAP_IPS`.
        const MAP_IPS = 1 << 0;
        /// `NF_NAT_RANGE_PROTO_SPECIFIED`.
        const PROTO_SPECIFIED = 1 << 1;
        /// `NF_NAT_RANGE_PROTO_RANDOM`.
        const PROTO_RANDOM = 1 << 2;
        /// `NF_NAT_RANGE_PERSISTENT`.
        const PERSISTENT = 1 << 3;
        /// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
        const PROTO_RANDOM_FULLY = 1 << 4;
        /// `NF_NAT_RANGE_PROTO_OFFSET`.
        const PROTO_OFFSET = 1 << 5;
        /// `NF_NAT_RANGE_NETMAP`.
        const NETMAP = 1 << 6;
    }
}

/// Translates an address, a port, or both, from registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nat {
    /// `NFTA_NAT_TYPE`.
    pub kind: NatKind,
    /// `NFTA_NAT_FAMILY`.
    pub family: Family,
    /// `NFTA_NAT_REG_ADDR_MIN`.
    pub addr_min: Option<Register>,
    /// `NFTA_NAT_REG_ADDR_MAX`.
    pub addr_max: Option<Register>,
    /// `NFTA_NAT_REG_PROTO_MIN`.
    pub proto_min: Option<Register>,
    /// `NFTA_NAT_REG_PROTO_MAX`.
    pub proto_max: Option<Register>,
    /// `NFTA_NAT_FLAGS`.
    pub flags: NatFlags,
}

/// `enum nft_nat_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// `NFT_NAT_SNAT`.
    Snat,
    /// `NFT_NAT_DNAT`.
    Dnat,
}

impl Nat {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_NAT_TYPE, self.kind.number());
        w.u32_be(NFTA_NAT_FAMILY, self.family.nfproto().into());
        let registers = [
            (NFTA_NAT_REG_ADDR_MIN, self.addr_min),
            (NFTA_NAT_REG_ADDR_MAX, self.addr_max),
            (NFTA_NAT_REG_PROTO_MIN, self.proto_min),
            (NFTA_NAT_REG_PROTO_MAX, self.proto_max),
        ];
        for (kind, register) in registers {
            if let Some(register) = register {
                w.u32_be(kind, register.0);
            }
        }
        if !self.flags.is_empty() {
            w.u32_be(NFTA_NAT_FLAGS, self.flags.bits());
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_NAT_FLAGS>::read(reader)?;
        let family = need!(f.u32(NFTA_NAT_FAMILY));
        Ok(Self {
            kind: NatKind::from_number(NFTA_NAT_TYPE, need!(f.u32(NFTA_NAT_TYPE)))?,
            family: u8::try_from(family)
                .ok()
                .and_then(Family::from_nfproto)
                .ok_or(AttrError::UnknownValue { kind: NFTA_NAT_FAMILY, value: family.into() })?,
            addr_min: f.register(NFTA_NAT_REG_ADDR_MIN)?,
            addr_max: f.register(NFTA_NAT_REG_ADDR_MAX)?,
            proto_min: f.register(NFTA_NAT_REG_PROTO_MIN)?,
            proto_max: f.register(NFTA_NAT_REG_PROTO_MAX)?,
            flags: NatFlags::from_bits_retain(f.u32(NFTA_NAT_FLAGS)?.unwrap_or(0)),
        }
        .normalized())
    }

    /// The kernel takes a missing end of a range as its start and dumps both, and adds the flags that say which
    /// registers are there.
    pub(crate) fn normalized(mut self) -> Self {
        self.addr_max = self.addr_max.filter(|_| self.addr_min.is_some() && self.addr_max != self.addr_min);
        self.proto_max = self.proto_max.filter(|_| self.proto_min.is_some() && self.proto_max != self.proto_min);
        self.flags.set(NatFlags::MAP_IPS, self.flags.contains(NatFlags::MAP_IPS) && self.addr_min.is_none());
        self.flags
            .set(NatFlags::PROTO_SPECIFIED, self.flags.contains(NatFlags::PROTO_SPECIFIED) && self.proto_min.is_none());
        self
    }
}

numbered!(NatKind: Snat = NFT_NAT_SNAT, Dnat = NFT_NAT_DNAT);
