//! What can be wrong with a router as a whole.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;
use thiserror::Error;

use super::{Direction, Gateway, Id, Router};
use crate::l3_router::names::Names;
use crate::name::{InterfaceName, NameError};
use crate::rule::{PortRange, Protocol};

/// Why a router cannot be what is asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// A value stands twice where each stands once.
    #[error("{what} `{value}` is there twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A value does not fit.
    #[error("{what} `{value}` {problem}")]
    Bad {
        /// What it is.
        what: &'static str,
        /// The value.
        value: String,
        /// Why it does not fit.
        problem: &'static str,
    },
    /// The name of a helper is none.
    #[error("`{name}` is no name of a conntrack helper")]
    HelperName {
        /// The name.
        name: String,
    },
    /// Two ports would have one device.
    #[error("ports {first} and {second} would both have the device {device}")]
    Device {
        /// The device.
        device: InterfaceName,
        /// One port.
        first: Id,
        /// The other.
        second: Id,
    },
    /// Two things would have one chain, even under longer names.
    #[error("{first} and {second} would both have the chain {chain}")]
    Chain {
        /// The chain.
        chain: String,
        /// One of them.
        first: Id,
        /// The other.
        second: Id,
    },
    /// Part of an identifier cannot be in a name.
    #[error(transparent)]
    Name(#[from] NameError),
}

fn bad(what: &'static str, value: impl Display, problem: &'static str) -> StateError {
    StateError::Bad { what, value: value.to_string(), problem }
}

/// Refuses a value that was there before.
struct Once<T>(&'static str, BTreeSet<T>);

impl<T: Ord + Display> Once<T> {
    fn new(what: &'static str) -> Self {
        Self(what, BTreeSet::new())
    }

    fn add(&mut self, value: T) -> Result<(), StateError> {
        let shown = value.to_string();
        if self.1.insert(value) { Ok(()) } else { Err(StateError::Twice { what: self.0, value: shown }) }
    }
}

impl Router {
    /// Looks at all of it.
    ///
    /// # Errors
    /// [`StateError`]: the first thing that is wrong.
    pub fn check(&self) -> Result<(), StateError> {
        self.check_ports()?;
        self.check_outside()?;
        self.check_forwardings()?;
        self.check_helpers()?;
        self.check_labels()?;
        self.check_routes()?;
        if self.metadata.port() == Some(0) {
            return Err(bad("metadata port", 0, "is no port"));
        }
        Names::of(self).map(drop)
    }

    fn check_ports(&self) -> Result<(), StateError> {
        let (mut ids, mut addresses) = (Once::new("port"), Once::new("address"));
        let ports = self.ports.iter().map(|port| (&port.id, &port.addresses));
        for (id, own) in ports.chain(self.gateway.iter().map(|gateway| (&gateway.id, &gateway.addresses))) {
            ids.add(id)?;
            for network in own {
                usable("address", network.ip())?;
                addresses.add(network.ip())?;
            }
        }
        self.gateway.as_ref().map_or(Ok(()), check_gateway)
    }

    fn check_outside(&self) -> Result<(), StateError> {
        let own: Vec<IpAddr> = self.addresses().map(|network| network.ip()).collect();
        let mut floating = Once::new("floating address");
        for ip in &self.floating {
            usable("floating address", ip.floating.into())?;
            usable("fixed address", ip.fixed.into())?;
            floating.add(ip.floating)?;
            if own.contains(&ip.floating.into()) {
                return Err(bad("floating address", ip.floating, "is the router's own"));
            }
        }
        Ok(())
    }

    fn check_forwardings(&self) -> Result<(), StateError> {
        let mut ids = Once::new("port forwarding");
        for (at, one) in self.forwardings.iter().enumerate() {
            ids.add(&one.id)?;
            usable("address of a port forwarding", one.floating.into())?;
            usable("address of a port forwarding", one.internal_address.into())?;
            has_ports(one.protocol)?;
            for range in [one.external, one.internal] {
                if range.first() == 0 {
                    return Err(bad("port forwarding", &one.id, "has port 0"));
                }
            }
            if self.floating.iter().any(|ip| ip.floating == one.floating) {
                return Err(bad("port forwarding", &one.id, "has an address that is a floating one"));
            }
            let before = self.forwardings.get(..at).unwrap_or_default();
            let meets = |other: PortRange| one.external.first() <= other.last() && other.first() <= one.external.last();
            let same = |a: Ipv4Addr, b: Protocol| (a, b) == (one.floating, one.protocol);
            if before.iter().any(|other| same(other.floating, other.protocol) && meets(other.external)) {
                return Err(bad("port forwarding", &one.id, "has an outside port of another"));
            }
        }
        Ok(())
    }

    fn check_helpers(&self) -> Result<(), StateError> {
        let mut ids = Once::new("conntrack helper");
        for helper in &self.helpers {
            ids.add(&helper.id)?;
            has_ports(helper.protocol)?;
            if helper.port == 0 {
                return Err(bad("conntrack helper", &helper.id, "has port 0"));
            }
        }
        Ok(())
    }

    fn check_labels(&self) -> Result<(), StateError> {
        let mut ids = Once::new("metering label");
        for label in &self.labels {
            ids.add(&label.id)?;
            for rule in &label.rules {
                if let (Some(source), Some(destination)) = rule.traffic.ends(Direction::Egress)
                    && source.is_ipv4() != destination.is_ipv4()
                {
                    return Err(bad("metering label", &label.id, "has a rule of two families"));
                }
            }
        }
        Ok(())
    }

    fn check_routes(&self) -> Result<(), StateError> {
        let mut destinations = Once::new("route");
        for route in &self.routes {
            let shown = format!("{} via {}", route.destination, route.next_hop);
            if route.destination.is_ipv4() != route.next_hop.is_ipv4() {
                return Err(bad("route", shown, "is of two families"));
            }
            if route.destination.network() != route.destination.ip() {
                return Err(bad("route", shown, "has bits behind its prefix"));
            }
            if !is_link_local(route.next_hop) && !self.addresses().any(|network| network.contains(route.next_hop)) {
                return Err(bad("route", shown, "leads to no network of the router"));
            }
            destinations.add(shown)?;
        }
        Ok(())
    }

    /// All addresses of its devices.
    fn addresses(&self) -> impl Iterator<Item = IpNetwork> {
        let outside = self.gateway.iter().flat_map(|gateway| &gateway.addresses);
        self.ports.iter().flat_map(|port| &port.addresses).chain(outside).copied()
    }
}

fn check_gateway(gateway: &Gateway) -> Result<(), StateError> {
    let mut families = Once::new("default route of a family");
    for hop in &gateway.next_hops {
        usable("next hop", *hop)?;
        families.add(if hop.is_ipv4() { "IPv4" } else { "IPv6" })?;
        if gateway.addresses.iter().any(|network| network.ip() == *hop) {
            return Err(bad("next hop", hop, "is the router's own address"));
        }
        if !gateway.addresses.iter().any(|network| network.is_ipv4() == hop.is_ipv4()) && !is_link_local(*hop) {
            return Err(bad("next hop", hop, "is of a family that the gateway has no address of"));
        }
    }
    Ok(())
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn usable(what: &'static str, address: IpAddr) -> Result<(), StateError> {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast {
        return Err(bad(what, address, "cannot be that of a host"));
    }
    Ok(())
}

fn has_ports(protocol: Protocol) -> Result<(), StateError> {
    let known = [Protocol::TCP, Protocol::UDP, Protocol::SCTP, Protocol::DCCP];
    if known.contains(&protocol) { Ok(()) } else { Err(bad("protocol", protocol.0, "has no ports")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l3_router::state::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn router() -> Router {
        let port = |name: &str, address: &str| InternalPort::new(id(name), vec![address.parse().unwrap()]);
        let hop = "203.0.113.1".parse().unwrap();
        Router {
            gateway: Some(Gateway::new(id("g"), vec!["203.0.113.10/24".parse().unwrap()], vec![hop])),
            ports: vec![port("p1", "10.1.0.1/24"), port("p2", "10.2.0.1/24")],
            ..Router::new(id("r"))
        }
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Router), message: &str) {
        let mut router = router();
        router.check().unwrap();
        change(&mut router);
        assert_eq!(router.check().unwrap_err().to_string(), message);
    }

    fn route(destination: &str, next_hop: &str) -> Vec<StaticRoute> {
        vec![StaticRoute { destination: destination.parse().unwrap(), next_hop: next_hop.parse().unwrap() }]
    }

    #[test]
    fn addresses_are_those_of_hosts_and_stand_once() {
        refused(|r| r.ports[1].id = id("p1"), "port `p1` is there twice");
        refused(|r| r.ports[1].addresses = r.ports[0].addresses.clone(), "address `10.1.0.1` is there twice");
        refused(
            |r| r.ports[0].addresses = vec!["224.0.0.1/4".parse().unwrap()],
            "address `224.0.0.1` cannot be that of a host",
        );
        let floating = |fixed: [u8; 4]| vec![FloatingIp::new([203, 0, 113, 101].into(), fixed.into())];
        refused(|r| r.floating = floating([0; 4]), "fixed address `0.0.0.0` cannot be that of a host");
    }

    #[test]
    fn a_gateway_has_one_way_a_family() {
        fn hops(router: &mut Router, hops: &[&str]) {
            let hops = hops.iter().map(|hop| hop.parse().unwrap()).collect();
            router.gateway.as_mut().unwrap().next_hops = hops;
        }
        refused(|r| hops(r, &["203.0.113.1", "203.0.113.2"]), "default route of a family `IPv4` is there twice");
        refused(|r| hops(r, &["203.0.113.10"]), "next hop `203.0.113.10` is the router's own address");
        let message = "next hop `2001:db8::1` is of a family that the gateway has no address of";
        refused(|r| hops(r, &["2001:db8::1"]), message);
        let mut linked = router();
        hops(&mut linked, &["fe80::1", "198.51.100.1"]);
        linked.check().unwrap();
    }

    #[test]
    fn routes_lead_somewhere() {
        let message = "route `192.0.2.0/24 via fe80::1` is of two families";
        refused(|r| r.routes = route("192.0.2.0/24", "fe80::1"), message);
        let message = "route `192.0.2.1/24 via 10.1.0.7` has bits behind its prefix";
        refused(|r| r.routes = route("192.0.2.1/24", "10.1.0.7"), message);
        let message = "route `192.0.2.0/24 via 10.9.0.7` leads to no network of the router";
        refused(|r| r.routes = route("192.0.2.0/24", "10.9.0.7"), message);
    }

    #[test]
    fn what_has_ports_has_some() {
        let helper = |protocol, port| {
            let helper = HelperName::new("tftp").unwrap();
            vec![ConntrackHelper { id: id("h"), protocol, port, helper }]
        };
        refused(|r| r.helpers = helper(Protocol::UDP, 0), "conntrack helper `h` has port 0");
        refused(|r| r.helpers = helper(Protocol::ICMP, 1), "protocol `1` has no ports");
        refused(|r| r.metadata = Metadata::Redirected { port: 0 }, "metadata port `0` is no port");
        for bad in ["", "-x", "a b", "a234567890123456"] {
            assert!(matches!(HelperName::new(bad), Err(StateError::HelperName { .. })), "{bad:?}");
        }
    }

    #[test]
    fn labels_have_rules_of_one_family() {
        let traffic = Traffic::Between {
            source: Some("10.0.0.0/8".parse().unwrap()),
            destination: Some("2001:db8::/32".parse().unwrap()),
        };
        let rules = vec![MeteringRule { direction: Direction::Egress, excluded: false, traffic }];
        let label = MeteringLabel { id: id("l"), rules };
        refused(|r| r.labels = vec![label], "metering label `l` has a rule of two families");
    }
}
