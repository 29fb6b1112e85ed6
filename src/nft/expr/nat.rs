//! `nat`: source or destination translation.

use super::Register;
use crate::nft::Family;

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
