//! `-j DNAT`, `-j SNAT`, `-j MASQUERADE`, `-j REDIRECT`: address and port translation.

use std::net::IpAddr;

use crate::rule::PortRange;

bitflags::bitflags! {
    /// How ports and addresses are chosen (`NF_NAT_RANGE_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NatOptions: u32 {
        /// `--random`.
        const RANDOM = 1 << 2;
        /// `--persistent`.
        const PERSISTENT = 1 << 3;
        /// `--random-fully`.
        const RANDOM_FULLY = 1 << 4;
    }
}

/// `-j DNAT` and `-j SNAT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Nat {
    /// First and last new address; one address is `(a, a)`.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// New ports.
    pub ports: Option<PortRange>,
    /// `DNAT` only, `a-b/base`: the port that maps to the first of [`ports`](Nat::ports), so that a range is shifted.
    pub base_port: Option<u16>,
    /// How a choice is made.
    pub options: NatOptions,
}

/// `-j MASQUERADE` and `-j REDIRECT`: the address is the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PortNat {
    /// `--to-ports`.
    pub ports: Option<PortRange>,
    /// How a choice is made.
    pub options: NatOptions,
}
