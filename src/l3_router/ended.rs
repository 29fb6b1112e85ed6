//! Connections that end with the translation that made them.
//!
//! Owns: which translations a router's rules make, and which connections go with one.
//! Never: takes one of an address that stays translated in the same way.
//!
//! A connection goes on by what was translated once, whatever the rules say later. So the entries of an address or port
//! that is not a guest's any more are deleted, after the rules that would make them again. What was translated is taken from the
//! rules that stood, this process's or those that an earlier one left: what went while no agent ran ends as well.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::rules::ChainRules;
use crate::conntrack::{Conntrack, Ends, Error, Family, Filter};
use crate::rule::matches::{Dccp, Sctp, Tcp, Udp};
use crate::rule::targets::Nat;
use crate::rule::{Masked, Match, Not, PortRange, Protocol, Rule, Target};
use crate::wrap::TableKind;

/// An outside address, or ports of one, that lead to a guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Translation {
    floating: Ipv4Addr,
    /// All of the address is the guest's when there is none.
    service: Option<(Protocol, Option<PortRange>)>,
    to: Nat,
}

impl Translation {
    /// What a rule translates, if it does that to a destination.
    pub(super) fn of(rule: &Rule) -> Option<Self> {
        let Some(Target::Dnat(to)) = &rule.target else { return None };
        let floating = match rule.destination {
            Some(Not { negated: false, value: Masked::V4 { addr, mask: Ipv4Addr::BROADCAST } }) => addr,
            _ => return None,
        };
        let service = match rule.protocol {
            Some(Not { negated: false, value }) => Some((value, rule.matches.iter().find_map(port))),
            _ => None,
        };
        Some(Self { floating, service, to: (**to).clone() })
    }

    /// What a router's rules translate.
    pub(super) fn all(rules: &[ChainRules]) -> HashSet<Self> {
        let nat = rules.iter().filter(|chain| chain.table == TableKind::Nat);
        nat.flat_map(|chain| &chain.rules).filter_map(Self::of).collect()
    }

    /// Deletes its connections. Returns how many there were.
    fn end(&self, conntrack: &mut Conntrack) -> Result<usize, Error> {
        match self.service {
            None => self.end_address(conntrack),
            Some((protocol, ports)) => self.end_ports(conntrack, protocol, ports.unwrap_or(PortRange::ALL)),
        }
    }

    fn end_address(&self, conntrack: &mut Conntrack) -> Result<usize, Error> {
        let came = Ends { destination: host(self.floating), ..Ends::default() };
        let mut deleted = conntrack.delete(&Filter { original: came, ..v4() })?;
        if let Some((IpAddr::V4(fixed), _)) = self.to.addresses {
            // What the guest began is answered to the floating address.
            let (answered, from) = (came, Ends { source: host(fixed), ..Ends::default() });
            deleted += conntrack.delete(&Filter { original: from, reply: answered, ..v4() })?;
        }
        Ok(deleted)
    }

    fn end_ports(&self, conntrack: &mut Conntrack, protocol: Protocol, external: PortRange) -> Result<usize, Error> {
        let came = Ends { destination: host(self.floating), ..Ends::default() };
        let filter = Filter { protocol: Some(protocol.0), original: came, ..v4() };
        // A range may have thousands of ports, and few connections.
        let entries = conntrack.list(&filter)?;
        let ports = entries.iter().filter_map(|entry| entry.original.destination_port);
        let ports: BTreeSet<u16> = ports.filter(|port| (external.first()..=external.last()).contains(port)).collect();
        let mut deleted = 0;
        for port in ports {
            let original = Ends { destination_port: Some(port), ..came };
            deleted += conntrack.delete(&Filter { original, ..filter.clone() })?;
        }
        Ok(deleted)
    }
}

/// What came of [`delete`].
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// How many connections there were.
    pub(super) deleted: usize,
    /// What has connections still, as they could not be deleted, with the first reason.
    pub(super) failed: HashSet<Translation>,
    pub(super) error: Option<Error>,
}

/// Deletes the connections of what was translated and is not any more. One that cannot be ended keeps no other from it.
pub(super) fn delete(conntrack: &mut Conntrack, old: &HashSet<Translation>, new: &HashSet<Translation>) -> Ended {
    let mut ended = Ended::default();
    for gone in old.difference(new) {
        match gone.end(conntrack) {
            Ok(deleted) => ended.deleted += deleted,
            Err(error) => {
                ended.failed.insert(gone.clone());
                ended.error.get_or_insert(error);
            }
        }
    }
    ended
}

/// The destination's ports that a match asks for.
fn port(one: &Match) -> Option<PortRange> {
    match one {
        Match::Tcp(Tcp { dport, .. })
        | Match::Udp(Udp { dport, .. })
        | Match::Sctp(Sctp { dport, .. })
        | Match::Dccp(Dccp { dport, .. }) => dport.filter(|dport| !dport.negated).map(|dport| dport.value),
        _ => None,
    }
}

fn host(address: Ipv4Addr) -> Option<IpNetwork> {
    Some(IpNetwork::from(IpAddr::V4(address)))
}

fn v4() -> Filter {
    Filter { family: Some(Family::Ipv4), ..Filter::default() }
}
