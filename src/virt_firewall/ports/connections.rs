//! Connections of ports that nothing allows any more.
//!
//! Owns: which entries a removed rule, port or member had.
//! Never: takes an entry of another zone: of a port without a zone nothing is deleted, as its addresses may be another
//! tenant's, too.
//!
//! Invariant: entries are deleted after the rules are in effect, or a packet in between would bring them back.

use ipnetwork::IpNetwork;

pub use super::super::connections::Connections;
pub(super) use super::super::connections::{Cleaner, Handle};
use super::super::connections::{MANY, protocol};
use super::super::group::{Direction, GroupRule, Remote};
use super::port::{Port, is_of};
use crate::conntrack::{self, Ends, Filter};
use crate::rule::Family;

/// Connections of an address of a port in its zone, to it or from it.
fn of_address(zone: u16, direction: Direction, local: IpNetwork) -> Filter {
    let family = conntrack::Family::of(local.ip());
    let original = match direction {
        Direction::Ingress => Ends { destination: Some(local), ..Ends::default() },
        Direction::Egress => Ends { source: Some(local), ..Ends::default() },
    };
    Filter { family: Some(family), zone: Some(zone), original, ..Filter::default() }
}

fn with(mut filter: Filter, direction: Direction, remote: IpNetwork) -> Filter {
    match direction {
        Direction::Ingress => filter.original.source = Some(remote),
        Direction::Egress => filter.original.destination = Some(remote),
    }
    filter
}

const BOTH: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// All connections of a port.
pub(super) fn of_port(zone: u16, port: &Port, families: &[Family]) -> Vec<Filter> {
    let addresses = families.iter().flat_map(|&family| port.addresses(family));
    of_addresses(zone, addresses)
}

/// All connections of addresses of a port.
pub(super) fn of_addresses(zone: u16, addresses: impl Iterator<Item = IpNetwork>) -> Vec<Filter> {
    addresses.flat_map(|local| BOTH.map(|direction| of_address(zone, direction, local))).collect()
}

/// What a rule had allowed: of its protocol, with its prefix. Connections with members of a group are not told apart: those
/// that another rule allows are tracked again with their next packet.
pub(super) fn of_rule(zone: u16, port: &Port, rule: &GroupRule, families: &[Family]) -> Vec<Filter> {
    let mut filters = Vec::new();
    for &family in families.iter().filter(|&&family| rule.is_of(family)) {
        for local in port.addresses(family) {
            let mut filter = of_address(zone, rule.direction, local);
            filter.protocol = protocol(rule.service, family).map(|protocol| protocol.0);
            if let Remote::Prefix(prefix) = rule.remote {
                filter = with(filter, rule.direction, prefix);
            }
            filters.push(filter);
        }
    }
    filters
}

/// Connections of a port with members that left a group which its rules name.
pub(super) fn of_members(zone: u16, port: &Port, members: &[IpNetwork], families: &[Family]) -> Vec<Filter> {
    let mut filters = Vec::new();
    for &family in families {
        for local in port.addresses(family) {
            if members.len() > MANY {
                if members.iter().any(|member| is_of(*member, family)) {
                    filters.extend(BOTH.map(|direction| of_address(zone, direction, local)));
                }
                continue;
            }
            for &member in members.iter().filter(|member| is_of(**member, family)) {
                filters.extend(BOTH.map(|direction| with(of_address(zone, direction, local), direction, member)));
            }
        }
    }
    filters
}
