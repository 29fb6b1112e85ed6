//! The small values that matches and targets are made of.
//!
//! Owns: addresses with their masks, protocols, port ranges, marks, interfaces, references to chains, and negation.
//! Never: reads or prints iptables text; that is the front-end's.
//!
//! Invariant: a value that exists is valid: a range ascends, a name fits the kernel.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::Family;
use crate::name::{ChainName, InterfaceName, NameError};

/// A value that may be negated with `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Not<T> {
    /// Whether `!` stands in front.
    pub negated: bool,
    /// The value.
    pub value: T,
}

impl<T> Not<T> {
    /// The value itself.
    pub fn is(value: T) -> Self {
        Self { negated: false, value }
    }

    /// Anything but the value.
    #[allow(clippy::self_named_constructors, reason = "reads as `Not::is` and `Not::not`")]
    pub fn not(value: T) -> Self {
        Self { negated: true, value }
    }
}

impl From<IpAddr> for Not<Masked> {
    fn from(addr: IpAddr) -> Self {
        Self::is(addr.into())
    }
}

impl From<IpNetwork> for Not<Masked> {
    fn from(network: IpNetwork) -> Self {
        Self::is(network.into())
    }
}

impl<T> From<T> for Not<T> {
    fn from(value: T) -> Self {
        Self::is(value)
    }
}

impl From<u16> for Not<PortRange> {
    fn from(port: u16) -> Self {
        Self::is(port.into())
    }
}

/// A layer-4 protocol number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u8);

#[allow(missing_docs, reason = "the protocols' own names")]
impl Protocol {
    /// `-p all`.
    pub const ALL: Self = Self(0);
    pub const ICMP: Self = Self(1);
    pub const TCP: Self = Self(6);
    pub const UDP: Self = Self(17);
    pub const DCCP: Self = Self(33);
    pub const ESP: Self = Self(50);
    pub const AH: Self = Self(51);
    pub const ICMPV6: Self = Self(58);
    pub const IPCOMP: Self = Self(108);
    pub const SCTP: Self = Self(132);
    pub const MH: Self = Self(135);
    pub const UDPLITE: Self = Self(136);
}

/// Ports from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// All ports.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// Ports `first` to `last`, or `None` when they are the wrong way round.
    #[must_use]
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// One port.
    #[must_use]
    pub const fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The first port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether it is one port.
    #[must_use]
    pub const fn is_single(self) -> bool {
        self.first == self.last
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> Self {
        Self::single(port)
    }
}

/// A mark and the bits of it that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MarkMask {
    /// The mark.
    pub value: u32,
    /// The bits that count.
    pub mask: u32,
}

impl MarkMask {
    /// A mark with all bits counting.
    #[must_use]
    pub const fn exact(value: u32) -> Self {
        Self { value, mask: u32::MAX }
    }
}

/// An address with a mask, contiguous or not.
///
/// Unlike [`IpNetwork`] it takes every mask that iptables takes (`255.0.255.0`, `ffff::ffff`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Masked {
    /// IPv4.
    V4 {
        /// The address.
        addr: Ipv4Addr,
        /// The mask.
        mask: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// The address.
        addr: Ipv6Addr,
        /// The mask.
        mask: Ipv6Addr,
    },
}

impl Masked {
    /// An IPv4 address with a mask; bits outside the mask are cleared.
    #[must_use]
    pub fn v4(addr: Ipv4Addr, mask: Ipv4Addr) -> Self {
        Self::V4 { addr: addr & mask, mask }
    }

    /// An IPv6 address with a mask; bits outside the mask are cleared.
    #[must_use]
    pub fn v6(addr: Ipv6Addr, mask: Ipv6Addr) -> Self {
        Self::V6 { addr: addr & mask, mask }
    }

    /// One address.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => Self::V4 { addr, mask: Ipv4Addr::BROADCAST },
            IpAddr::V6(addr) => Self::V6 { addr, mask: Ipv6Addr::from(u128::MAX) },
        }
    }

    /// Its family.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::V4 { .. } => Family::Ipv4,
            Self::V6 { .. } => Family::Ipv6,
        }
    }

    /// The mask as a prefix length, if it is contiguous.
    #[must_use]
    pub fn prefix_len(self) -> Option<u8> {
        let (bits, ones, leading) = match self {
            Self::V4 { mask, .. } => {
                let m = u32::from(mask);
                (32, m.count_ones(), m.leading_ones())
            }
            Self::V6 { mask, .. } => {
                let m = u128::from(mask);
                (128, m.count_ones(), m.leading_ones())
            }
        };
        debug_assert!(ones <= bits);
        (ones == leading).then(|| u8::try_from(ones).unwrap_or(u8::MAX))
    }

    /// Whether every address matches (`0.0.0.0/0`, `::/0`).
    #[must_use]
    pub fn is_any(self) -> bool {
        self.prefix_len() == Some(0)
    }
}

impl From<IpNetwork> for Masked {
    fn from(network: IpNetwork) -> Self {
        match network {
            IpNetwork::V4(n) => Self::v4(n.ip(), n.mask()),
            IpNetwork::V6(n) => Self::v6(n.ip(), n.mask()),
        }
    }
}

impl From<IpAddr> for Masked {
    fn from(addr: IpAddr) -> Self {
        Self::host(addr)
    }
}

/// An interface by name, or by the start of its name (`eth+`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InterfaceMatch {
    /// Exactly this interface.
    Name(InterfaceName),
    /// Every interface whose name starts so (`eth+` without its `+`).
    Prefix(InterfaceName),
    /// Every interface (`+`).
    Any,
}

impl InterfaceMatch {
    /// From iptables' text: a name, a name with `+` at its end, or `+`.
    ///
    /// # Errors
    /// [`NameError`] when the name is empty, longer than 15 bytes with its `+`, or holds white space.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let whole = InterfaceName::new(text)?;
        Ok(match text.strip_suffix('+') {
            None => Self::Name(whole),
            Some("") => Self::Any,
            Some(prefix) => Self::Prefix(InterfaceName::new(prefix)?),
        })
    }
}

impl fmt::Display for InterfaceMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Prefix(prefix) => write!(f, "{prefix}+"),
            Self::Any => f.write_str("+"),
        }
    }
}

/// A chain that a rule refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChainRef {
    /// `$name`: the wrapped chain of that logical name of the component whose rule this is. The wrapped-chain model
    /// turns it into [`ChainRef::Named`] when the rule is added; nothing after that stage meets it.
    Wrapped(ChainName),
    /// The kernel chain of this name.
    Named(ChainName),
}

impl ChainRef {
    /// From text: `$name` is a wrapped chain, anything else the kernel's name.
    ///
    /// # Errors
    /// [`NameError`] when it is no chain name.
    pub fn new(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix('$') {
            Some(logical) => ChainName::new(logical).map(Self::Wrapped),
            None => ChainName::new(text).map(Self::Named),
        }
    }

    /// The name as it stands, without `$`.
    #[must_use]
    pub fn name(&self) -> &ChainName {
        match self {
            Self::Wrapped(name) | Self::Named(name) => name,
        }
    }
}
