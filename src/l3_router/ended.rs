//! Connections that end with the translation that made them.
//!
//! Owns: which connections those are.
//! Never: takes one of an address that stays translated in the same way.
//!
//! A connection goes on by what was translated once, whatever the rules say later. So the entries of an address or port
//! that is not a guest's any more are deleted, after the rules that would make them again.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::state::{FloatingState, PortForwarding, Router};
use crate::conntrack::{Conntrack, Ends, Error, Family, Filter};
use crate::rule::PortRange;

/// Floating addresses that are translated.
pub(super) fn floating(router: &Router) -> BTreeSet<(Ipv4Addr, Ipv4Addr)> {
    let active = router.floating.iter().filter(|ip| router.gateway.is_some() && ip.state == FloatingState::Active);
    active.map(|ip| (ip.floating, ip.fixed)).collect()
}

fn forwardings(router: &Router) -> impl Iterator<Item = &PortForwarding> {
    router.forwardings.iter().filter(|_| router.gateway.is_some())
}

/// Deletes the connections of what was translated in the old state and is not in the new one. Returns how many there were.
pub(super) fn delete(conntrack: &mut Conntrack, old: &Router, new: &Router) -> Result<usize, Error> {
    let mut deleted = 0;
    let stays = floating(new);
    for (floating, fixed) in floating(old).difference(&stays) {
        let came = Ends { destination: host(*floating), ..Ends::default() };
        deleted += conntrack.delete(&Filter { original: came, ..v4() })?;
        // What the guest began is answered to the floating address.
        let (answered, from) = (came, Ends { source: host(*fixed), ..Ends::default() });
        deleted += conntrack.delete(&Filter { original: from, reply: answered, ..v4() })?;
    }
    for forwarding in forwardings(old).filter(|old| !forwardings(new).any(|new| new == *old)) {
        deleted += delete_forwarded(conntrack, forwarding)?;
    }
    Ok(deleted)
}

fn delete_forwarded(conntrack: &mut Conntrack, forwarding: &PortForwarding) -> Result<usize, Error> {
    let came = Ends { destination: host(forwarding.floating), ..Ends::default() };
    let filter = Filter { protocol: Some(forwarding.protocol.0), original: came, ..v4() };
    let within = |range: PortRange, port: u16| (range.first()..=range.last()).contains(&port);
    // A range may have thousands of ports, and few connections.
    let entries = conntrack.list(&filter)?;
    let ports = entries.iter().filter_map(|entry| entry.original.destination_port);
    let ports: BTreeSet<u16> = ports.filter(|port| within(forwarding.external, *port)).collect();
    let mut deleted = 0;
    for port in ports {
        let original = Ends { destination_port: Some(port), ..came };
        deleted += conntrack.delete(&Filter { original, ..filter.clone() })?;
    }
    Ok(deleted)
}

fn host(address: Ipv4Addr) -> Option<IpNetwork> {
    Some(IpNetwork::from(IpAddr::V4(address)))
}

fn v4() -> Filter {
    Filter { family: Some(Family::Ipv4), ..Filter::default() }
}
