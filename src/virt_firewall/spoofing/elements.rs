//! An interface as elements.
//!
//! Owns: which keys an interface has in which set.
//! Never: knows a rule.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Rights;
use super::rules::SetId;
use crate::name::InterfaceName;
use crate::rule::Family;
use crate::virt_firewall::instances::{Interface, Subnet};

/// The bytes of an interface's name at the begin of every key.
pub(super) const NAME: usize = 16;

/// An element of a set, or of a map with the chain that it leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) set: SetId,
    pub(super) key: Box<[u8]>,
    pub(super) target: Option<String>,
}

/// All elements of an interface.
pub(super) fn of(interface: &Interface, rights: Rights) -> BTreeSet<Item> {
    let mut items = Items { device: &interface.device, items: BTreeSet::new() };
    let servers = |family| interface.subnets(family).filter_map(|subnet: &Subnet| subnet.dhcp_server);
    for family in Family::BOTH {
        let set = if family == Family::Ipv4 { SetId::Dhcp4 } else { SetId::Dhcp6 };
        servers(family).for_each(|server| items.address(set, server));
    }
    if rights.is_vpn {
        items.lead(SetId::Receivers, "to-vpn");
        return items.items;
    }
    let has_dhcp = Family::BOTH.into_iter().any(|family| servers(family).next().is_some());
    items.lead(SetId::Senders, if has_dhcp { "nova-base" } else { "nova-nodhcp" });
    items.lead(SetId::Receivers, "to-instance");
    items.add(SetId::Macs, &interface.mac.octets());
    let addresses = |family| interface.subnets(family).flat_map(|subnet| subnet.addresses.iter().copied());
    for address in addresses(Family::Ipv4) {
        items.address(SetId::Addresses4, address);
        items.add(SetId::Addressed4, &[]);
    }
    if rights.ipv6 {
        let link_local = IpAddr::V6(interface.link_local());
        items.address(SetId::Neighbours6, link_local);
        for address in addresses(Family::Ipv6) {
            items.address(SetId::Neighbours6, address);
            items.address(SetId::Addresses6, address);
            items.address(SetId::Addresses6, link_local);
            items.add(SetId::Addressed6, &[]);
        }
        let gateways = interface.subnets(Family::Ipv6).filter_map(|subnet| subnet.gateway);
        gateways.for_each(|gateway| items.address(SetId::Routers, gateway));
    }
    items.items
}

/// The interface that an element is of.
pub(super) fn device_of(key: &[u8]) -> Option<InterfaceName> {
    let name = key.get(..NAME)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    InterfaceName::new(std::str::from_utf8(name.get(..end)?).ok()?).ok()
}

struct Items<'a> {
    device: &'a InterfaceName,
    items: BTreeSet<Item>,
}

impl Items<'_> {
    /// A key: the device's name, then a value; each fills whole registers with zeros behind it.
    fn key(&self, value: &[u8]) -> Box<[u8]> {
        let mut key = self.device.as_str().as_bytes().to_vec();
        key.resize(NAME, 0);
        key.extend(value);
        key.resize(key.len().next_multiple_of(4), 0);
        key.into()
    }

    fn add(&mut self, set: SetId, value: &[u8]) {
        let key = self.key(value);
        self.items.insert(Item { set, key, target: None });
    }

    fn address(&mut self, set: SetId, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.add(set, &address.octets()),
            IpAddr::V6(address) => self.add(set, &address.octets()),
        }
    }

    fn lead(&mut self, map: SetId, chain: &str) {
        let key = self.key(&[]);
        self.items.insert(Item { set: map, key, target: Some(chain.to_owned()) });
    }
}
