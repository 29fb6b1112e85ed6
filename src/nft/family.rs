//! Protocol families of nf_tables.

use crate::netlink::family;

/// The family of a table: which packets its hooks see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// `NFPROTO_INET`: IPv4 and IPv6 in one table.
    Inet = 1,
    /// `NFPROTO_IPV4`.
    Ip = 2,
    /// `NFPROTO_ARP`.
    Arp = 3,
    /// `NFPROTO_NETDEV`: the ingress and egress hooks of one device.
    Netdev = 5,
    /// `NFPROTO_BRIDGE`.
    Bridge = 7,
    /// `NFPROTO_IPV6`.
    Ip6 = 10,
}

impl Family {
    /// The family with the kernel's number, if nf_tables has one.
    #[must_use]
    pub fn from_nfproto(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Inet,
            2 => Self::Ip,
            3 => Self::Arp,
            5 => Self::Netdev,
            7 => Self::Bridge,
            10 => Self::Ip6,
            _ => return None,
        })
    }

    /// The kernel's number, `NFPROTO_*`.
    #[must_use]
    pub fn nfproto(self) -> u8 {
        self as u8
    }

    /// The word that `nft` uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Arp => "arp",
            Self::Netdev => "netdev",
            Self::Bridge => "bridge",
            Self::Ip6 => "ip6",
        }
    }
}

impl From<family::Family> for Family {
    fn from(addresses: family::Family) -> Self {
        match addresses {
            family::Family::Ipv4 => Self::Ip,
            family::Family::Ipv6 => Self::Ip6,
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
