//! An instance as its firewall has to know it.
//!
//! Owns: the values, and the check that their parts fit together.
//! Never: holds text that could become part of a rule: the instance's name is for messages alone.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;
use thiserror::Error;

use crate::name::{InterfaceName, MacAddress, NameError};
use crate::rule::{ChainRef, Family};
use crate::virt_firewall::group::GroupId;
use crate::virt_firewall::identifier::identifier;

identifier!(
    /// An instance's identifier, of which its chain has the name: `inst-7`. Two identifiers that differ have two chains;
    /// one that is too long for a chain of the component is refused, never cut.
    InstanceId,
    "instance id"
);

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its identifier.
    pub id: InstanceId,
    /// Its name. A tenant chose it, so it reaches neither a rule nor a log.
    pub name: String,
    /// Whether it is a gateway to a virtual private network, whose interface passes on what others send.
    pub is_vpn: bool,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Its security groups, in order.
    pub groups: Vec<GroupId>,
}

/// An interface of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The host's device, a port of a bridge.
    pub device: InterfaceName,
    /// The instance's hardware address.
    pub mac: MacAddress,
    /// Where it is.
    pub network: Network,
}

/// An interface's network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Its subnets.
    pub subnets: Vec<Subnet>,
}

/// A subnet, seen from one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its range.
    pub cidr: IpNetwork,
    /// Its gateway, which in IPv6 is usually a link-local address.
    pub gateway: Option<IpAddr>,
    /// Who answers DHCP requests.
    pub dhcp_server: Option<IpAddr>,
    /// The interface's addresses.
    pub addresses: Vec<IpAddr>,
}

/// Why an instance cannot be firewalled as it is described.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// An address of the other family.
    #[error("instance {instance}: {what} {address} is not of the family of its subnet {cidr}")]
    Family {
        /// The instance.
        instance: InstanceId,
        /// What it is.
        what: &'static str,
        /// The address.
        address: IpAddr,
        /// The subnet.
        cidr: IpNetwork,
    },
    /// An address that no single host has.
    #[error("instance {instance}: {address} is no address of a host")]
    NoHost {
        /// The instance.
        instance: InstanceId,
        /// The address.
        address: IpAddr,
    },
    /// Two interfaces with one device.
    #[error("instance {instance}: two interfaces have the device {device}")]
    Device {
        /// The instance.
        instance: InstanceId,
        /// The device.
        device: InterfaceName,
    },
}

impl Instance {
    /// Whether its parts fit together.
    ///
    /// # Errors
    /// [`InstanceError`] names the part that does not.
    pub fn check(&self) -> Result<(), InstanceError> {
        let mut devices = HashSet::new();
        if let Some(twice) = self.interfaces.iter().find(|interface| !devices.insert(&interface.device)) {
            return Err(InstanceError::Device { instance: self.id.clone(), device: twice.device.clone() });
        }
        self.interfaces.iter().flat_map(|interface| &interface.network.subnets).try_for_each(|subnet| {
            let gateway = subnet.gateway.map(|address| ("gateway", address));
            let server = subnet.dhcp_server.map(|address| ("DHCP server", address));
            let own = subnet.addresses.iter().map(|address| ("address", *address));
            gateway
                .into_iter()
                .chain(server)
                .chain(own)
                .try_for_each(|(what, address)| self.check_address(what, address, subnet.cidr))
        })
    }

    fn check_address(&self, what: &'static str, address: IpAddr, cidr: IpNetwork) -> Result<(), InstanceError> {
        let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
        if address.is_ipv4() != cidr.is_ipv4() {
            Err(InstanceError::Family { instance: self.id.clone(), what, address, cidr })
        } else if address.is_unspecified() || address.is_multicast() || broadcast {
            Err(InstanceError::NoHost { instance: self.id.clone(), address })
        } else {
            Ok(())
        }
    }

    /// Its subnets of a family, in order.
    pub(in crate::virt_firewall) fn subnets(&self, family: Family) -> impl Iterator<Item = &Subnet> {
        self.interfaces.iter().flat_map(move |interface| interface.subnets(family))
    }

    /// Its chain.
    pub(super) fn chain(&self) -> Result<ChainRef, NameError> {
        ChainRef::new(&chain_name(&self.id))
    }
}

/// The chain of an instance.
pub(super) fn chain_name(id: &InstanceId) -> String {
    format!("$inst-{id}")
}

impl Interface {
    /// Its subnets of a family, in order.
    pub(in crate::virt_firewall) fn subnets(&self, family: Family) -> impl Iterator<Item = &Subnet> {
        self.network.subnets.iter().filter(move |subnet| subnet.cidr.is_ipv4() == (family == Family::Ipv4))
    }

    /// The link-local address that the hardware address gives (RFC 4291, appendix A).
    #[must_use]
    pub fn link_local(&self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.mac.octets().map(u16::from);
        Ipv6Addr::new(0xfe80, 0, 0, 0, ((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(cidr: &str, addresses: &[&str]) -> Instance {
        let subnet = Subnet {
            cidr: cidr.parse().unwrap(),
            gateway: None,
            dhcp_server: None,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let interface = Interface {
            device: "tap0".parse().unwrap(),
            mac: "fa:16:3e:00:00:01".parse().unwrap(),
            network: Network { subnets: vec![subnet] },
        };
        let (id, name) = ("7".parse().unwrap(), "x\n-j ACCEPT".to_owned());
        Instance { id, name, is_vpn: false, interfaces: vec![interface], groups: Vec::new() }
    }

    #[test]
    fn addresses_are_of_hosts_of_their_family() {
        assert_eq!(instance("10.0.0.0/24", &["10.0.0.2", "10.0.0.3"]).check(), Ok(()));
        let error = instance("10.0.0.0/24", &["fd00::2"]).check().unwrap_err();
        assert_eq!(error.to_string(), "instance 7: address fd00::2 is not of the family of its subnet 10.0.0.0/24");
        for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1"] {
            let error = instance("10.0.0.0/24", &[address]).check().unwrap_err();
            assert!(matches!(error, InstanceError::NoHost { .. }));
        }
        let mut twice = instance("10.0.0.0/24", &[]);
        twice.interfaces.push(twice.interfaces[0].clone());
        assert!(matches!(twice.check(), Err(InstanceError::Device { .. })));
    }

    #[test]
    fn the_link_local_address_is_made_of_the_hardware_address() {
        assert_eq!(instance("10.0.0.0/24", &[]).interfaces[0].link_local().to_string(), "fe80::f816:3eff:fe00:1");
    }

    #[test]
    fn chains_of_two_instances_never_have_one_name() {
        let names = ["1", "10", "01", "1-1", "a.b"].map(|id| chain_name(&id.parse().unwrap()));
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(InstanceId::new("7 -j ACCEPT").is_err() && InstanceId::new("").is_err());
    }
}
