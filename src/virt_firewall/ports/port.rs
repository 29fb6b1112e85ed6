//! A port, typed.
//!
//! Owns: what a port is made of, its rules of the provider, and which addresses it may send from.
//! Never: names a chain or a device of a driver ([`names`](super::names) does).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::super::group::{Direction, GroupId};
use super::super::identifier::identifier;
use super::super::service::{Dialect, PortProtocol, Service};
use crate::name::{InterfaceName, MacAddress};
use crate::rule::{Family, PortRange, Rule};

identifier!(
    /// A port's identifier, usually a UUID.
    PortId,
    "port id"
);
identifier!(
    /// The identifier of a port's network.
    NetworkId,
    "network id"
);

/// An address, or a prefix, that a port may send from beside its own ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPair {
    /// The hardware address that goes with it.
    pub mac: MacAddress,
    /// The address or prefix.
    pub address: IpNetwork,
}

/// A port of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its identifier.
    pub id: PortId,
    /// Its device on this host, on the instance's side.
    pub device: InterfaceName,
    /// Its hardware address.
    pub mac: MacAddress,
    /// Its addresses.
    pub fixed_ips: Vec<IpAddr>,
    /// What else it may send from.
    pub allowed_pairs: Vec<AddressPair>,
    /// Its network.
    pub network: NetworkId,
    /// Its security groups, in order.
    pub groups: Vec<GroupId>,
    /// Whether it is filtered at all.
    pub port_security: bool,
    /// What it belongs to, `compute:nova` for instance. Ports of `network:` and `neutron:` are always tracked.
    pub device_owner: String,
    /// Rules of the provider, before those of its groups.
    pub fixed: Vec<FixedRule>,
}

/// The device of a port whose name is made of its identifier.
const DEVICE: usize = 14;

/// The text, not longer than so many bytes.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// A device that is called after something with an identifier.
pub(super) fn device(prefix: &str, id: &str) -> InterfaceName {
    // Identifiers have no character that a device cannot have.
    InterfaceName::from_kernel(cut(&format!("{prefix}{id}"), DEVICE))
}

impl Port {
    /// A filtered port without addresses and groups, behind the device that is called after it: `tap` and the
    /// identifier, cut to 14 characters.
    #[must_use]
    pub fn new(id: PortId, mac: MacAddress, network: NetworkId) -> Self {
        Self {
            device: device("tap", id.as_str()),
            id,
            mac,
            fixed_ips: Vec::new(),
            allowed_pairs: Vec::new(),
            network,
            groups: Vec::new(),
            port_security: true,
            device_owner: String::new(),
            fixed: Vec::new(),
        }
    }

    /// What a server adds for a port that it gives addresses to: answers of DHCP, and advertisements of routers.
    #[must_use]
    pub fn provider_rules(&self) -> Vec<FixedRule> {
        let of = |family| self.fixed_ips.iter().copied().filter(move |ip| ip.is_ipv4() == (family == Family::Ipv4));
        let mut rules = Vec::new();
        if of(Family::Ipv6).next().is_some() {
            rules.push(FixedRule::icmpv6(134));
        }
        let broadcast = IpAddr::from(Ipv4Addr::BROADCAST);
        rules.extend(of(Family::Ipv4).chain([broadcast]).map(|ip| FixedRule::udp(ip.into(), 67, 68)));
        let link_local = IpNetwork::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 64).ok();
        let six = of(Family::Ipv6).map(IpNetwork::from).chain(link_local);
        rules.extend(six.map(|to| FixedRule::udp(to, 547, 546)));
        rules
    }

    /// All addresses that it may send from, each once.
    pub(super) fn addresses(&self, family: Family) -> Vec<IpNetwork> {
        let mut addresses: Vec<_> = self.pairs(family).into_iter().map(|(_, address)| address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The pairs that it may send from: allowed ones, its own, and in IPv6 the link-local address of each hardware address.
    pub(super) fn pairs(&self, family: Family) -> Vec<(MacAddress, IpNetwork)> {
        let allowed = self.allowed_pairs.iter().map(|pair| (pair.mac, pair.address));
        let own = self.fixed_ips.iter().map(|&ip| (self.mac, ip.into()));
        let mut pairs = Vec::new();
        for (mac, address) in allowed.chain(own).filter(|(_, address)| is_of(*address, family)) {
            let link_local = (family == Family::Ipv6).then(|| (mac, link_local(mac).into()));
            for pair in [(mac, address)].into_iter().chain(link_local) {
                if !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
        }
        pairs
    }

    /// Whether its connections are tracked whatever its groups say.
    pub(super) fn is_always_stateful(&self) -> bool {
        ["network:", "neutron:"].iter().any(|owner| self.device_owner.starts_with(owner))
    }
}

pub(super) fn is_of(address: IpNetwork, family: Family) -> bool {
    address.is_ipv4() == (family == Family::Ipv4)
}

/// `fe80::/64` with the hardware address in it (RFC 4291, appendix A).
fn link_local(mac: MacAddress) -> IpAddr {
    let [a, b, c, d, e, f] = mac.octets();
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]).into()
}

/// A rule of the provider: a port has it whatever its groups are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FixedRule {
    /// To the port, or from it.
    pub direction: Direction,
    /// The family.
    pub family: Family,
    /// What is allowed.
    pub service: Service,
    /// From where.
    pub source: Option<IpNetwork>,
    /// To where.
    pub destination: Option<IpNetwork>,
}

impl FixedRule {
    fn icmpv6(kind: u8) -> Self {
        let service = Service::Icmp { kind: Some(kind), code: None };
        Self { direction: Direction::Ingress, family: Family::Ipv6, service, source: None, destination: None }
    }

    fn udp(destination: IpNetwork, from: u16, to: u16) -> Self {
        let ports = |port| Some(PortRange::single(port));
        let service = Service::Ports { protocol: PortProtocol::Udp, source: ports(from), destination: ports(to) };
        let family = Family::of(destination.ip());
        Self { direction: Direction::Ingress, family, service, source: None, destination: Some(destination) }
    }

    /// The rule of iptables, when it is of the family. One with an address of the other family is of none.
    pub(super) fn rule(&self, family: Family) -> Option<Rule> {
        let ends = [self.source, self.destination];
        let fits = ends.into_iter().flatten().all(|end| is_of(end, family)) && self.service.is_of(family);
        if self.family != family || !fits {
            return None;
        }
        let mut rule = Rule::new();
        if let Some(source) = self.source {
            rule = rule.source(source);
        }
        if let Some(destination) = self.destination {
            rule = rule.destination(destination);
        }
        Some(self.service.limit(rule, family, Dialect::Neutron).ret())
    }
}
