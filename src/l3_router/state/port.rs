//! The router's devices and the routes by them.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::Id;
use crate::name::{InterfaceName, MacAddress};
use crate::rule::Family;

/// A port of the router in a network of guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalPort {
    /// Which one; its device is `qr-` and the start of this.
    pub id: Id,
    /// Its addresses, each with the length of its network's prefix.
    pub addresses: Vec<IpNetwork>,
    /// The scopes of its networks.
    pub scopes: AddressScopes,
    /// How it comes to its device.
    pub plug: Plug,
    /// The hardware address; `None` for that which the device has.
    pub mac: Option<MacAddress>,
    /// The longest packet in bytes; `None` for that which the device has.
    pub mtu: Option<u32>,
}

impl InternalPort {
    /// One with these addresses, whose device is given.
    #[must_use]
    pub fn new(id: Id, addresses: Vec<IpNetwork>) -> Self {
        Self { id, addresses, scopes: AddressScopes::default(), plug: Plug::Given, mac: None, mtu: None }
    }
}

/// The router's port in the outside network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Which one; its device is `qg-` and the start of this.
    pub id: Id,
    /// Its addresses, each with the length of its network's prefix. The first IPv4 address is what guests are seen under.
    pub addresses: Vec<IpNetwork>,
    /// The routers that the default routes lead to, at most one of each family.
    pub next_hops: Vec<IpAddr>,
    /// Whether guests without a floating address are seen under the router's address; they are seen under their own if
    /// not.
    pub snat: bool,
    /// The scopes of the outside network.
    pub scopes: AddressScopes,
    /// How it comes to its device.
    pub plug: Plug,
    /// The hardware address; `None` for that which the device has.
    pub mac: Option<MacAddress>,
    /// The longest packet in bytes; `None` for that which the device has.
    pub mtu: Option<u32>,
}

impl Gateway {
    /// One that translates, with these addresses, whose device is given.
    #[must_use]
    pub fn new(id: Id, addresses: Vec<IpNetwork>, next_hops: Vec<IpAddr>) -> Self {
        let (scopes, plug) = (AddressScopes::default(), Plug::Given);
        Self { id, addresses, next_hops, snat: true, scopes, plug, mac: None, mtu: None }
    }

    /// The address that guests are seen under; a gateway that has IPv6 only has none.
    #[must_use]
    pub fn source(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|network| match network {
            IpNetwork::V4(network) => Some(network.ip()),
            IpNetwork::V6(_) => None,
        })
    }
}

/// Whether one of the addresses is of the family.
pub(in crate::l3_router) fn has_family(addresses: &[IpNetwork], family: Family) -> bool {
    addresses.iter().any(|network| network.is_ipv4() == (family == Family::Ipv4))
}

/// The address scopes of a port's networks: packets do not go from one scope to another untranslated. `None` is a scope
/// too, that of all networks without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AddressScopes {
    /// That of its IPv4 networks.
    pub v4: Option<Id>,
    /// That of its IPv6 networks.
    pub v6: Option<Id>,
}

impl AddressScopes {
    /// That of a family.
    #[must_use]
    pub fn of(&self, family: Family) -> Option<&Id> {
        match family {
            Family::Ipv4 => self.v4.as_ref(),
            Family::Ipv6 => self.v6.as_ref(),
        }
    }
}

/// How a port comes to its device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Plug {
    /// The device is there: in the router's namespace, or in the host's, from which it is moved and to which it is given
    /// back.
    #[default]
    Given,
    /// One end of a pair that is made for it.
    Veth {
        /// The name of the other end, in the host's namespace.
        peer: InterfaceName,
        /// A bridge of the host that the other end becomes a port of.
        bridge: Option<InterfaceName>,
    },
}

/// A route that the caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StaticRoute {
    /// Where to.
    pub destination: IpNetwork,
    /// By which router, in the network of a port or of the gateway.
    pub next_hop: IpAddr,
}
