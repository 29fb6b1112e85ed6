//! `-m addrtype`: what kind of address it is for this host's routing.

use crate::rule::Not;

bitflags::bitflags! {
    /// Address types; bit n is the kernel's `RTN_*` number n.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct AddrTypes: u16 {
        /// `RTN_UNSPEC`.
        const UNSPEC = 1 << 0;
        /// `RTN_UNICAST`.
        const UNICAST = 1 << 1;
        /// `RTN_LOCAL`.
        const LOCAL = 1 << 2;
        /// `RTN_BROADCAST`.
        const BROADCAST = 1 << 3;
        /// `RTN_ANYCAST`.
        const ANYCAST = 1 << 4;
        /// `RTN_MULTICAST`.
        const MULTICAST = 1 << 5;
        /// `RTN_BLACKHOLE`.
        const BLACKHOLE = 1 << 6;
        /// `RTN_UNREACHABLE`.
        const UNREACHABLE = 1 << 7;
        /// `RTN_PROHIBIT`.
        const PROHIBIT = 1 << 8;
        /// `RTN_THROW`.
        const THROW = 1 << 9;
        /// `RTN_NAT`.
        const NAT = 1 << 10;
        /// `RTN_XRESOLVE`.
        const XRESOLVE = 1 << 11;
    }
}

/// Types of source and destination address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Addrtype {
    /// `--src-type`.
    pub source: Option<Not<AddrTypes>>,
    /// `--dst-type`.
    pub destination: Option<Not<AddrTypes>>,
    /// `--limit-iface-in` or `--limit-iface-out`.
    pub limit: Option<AddrtypeLimit>,
}

/// Which interface's addresses count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddrtypeLimit {
    /// `--limit-iface-in`.
    In,
    /// `--limit-iface-out`.
    Out,
}
