//! The rules of a port's own chains, in their order.
//!
//! Owns: the order, which is policy: what an unaddressed host needs, then the source check, then what every host needs, then
//! the groups' rules, then packets of no connection, then the end.
//! Never: asks what groups there are; their rules are given.
//!
//! RETURN means allowed: the packet goes on in `sg-chain`, where another port of this host may still have to allow it.
//!
//! Where the truth is: neutron 9.3 and 9.4, with the defects D24, D28, D29 and D30 behind the order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::super::group::Direction;
use super::Unaddressed;
use super::names::{ChainOf, Chains};
use super::port::Port;
use crate::name::{ChainName, Comment, MacAddress};
use crate::rule::matches::{CtStates, IcmpType};
use crate::rule::{ChainRef, Family, Match, Not, Rule};

pub(super) const FALLBACK: &str = "$sg-fallback";
pub(super) const SG_CHAIN: &str = "$sg-chain";

pub(super) const TO_SG_CHAIN: &str = "Direct traffic from the VM interface to the security group chain.";
pub(super) const INPUT: &str = "Direct incoming traffic from VM to the security group chain.";
pub(super) const TO_PORT: &str = "Jump to the VM specific chain.";
pub(super) const TRUSTED: &str = "Accept all packets when port is trusted.";
pub(super) const NO_SECURITY: &str = "Accept all packets when port security is disabled.";
pub(super) const DEFAULT_DROP: &str = "Default drop rule for unmatched traffic.";
const KNOWN: &str = "Direct packets associated with a known session to the RETURN chain.";
const INVALID: &str = "Drop packets that appear related to an existing connection (e.g. TCP ACK/FIN) but do not have an \
                       entry in conntrack.";
const UNMATCHED: &str = "Send unmatched traffic to the fallback chain.";
const DHCP_CLIENT: &str = "Allow DHCP client traffic.";
const DHCP_SPOOFING: &str = "Prevent DHCP Spoofing by VM.";
const ICMPV6: &str = "Allow IPv6 ICMP traffic.";
const ADVERTISEMENTS: &str = "Drop IPv6 Router Advts from VM Instance.";
const PAIR: &str = "Allow traffic from defined IP/MAC pairs.";
const NO_PAIR: &str = "Drop traffic without an IP/MAC allow rule.";

/// Whether rules have comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Notes(pub(super) bool);

impl Notes {
    pub(super) fn on(self, rule: Rule, text: &str) -> Rule {
        match Comment::new(text) {
            Ok(comment) if self.0 => rule.comment(comment),
            // A text that does not fit is left out: it changes nothing.
            Ok(_) | Err(_) => rule,
        }
    }
}

pub(super) fn own(chain: &str) -> ChainRef {
    ChainRef::Wrapped(ChainName::from_kernel(chain.trim_start_matches('$')))
}

fn state(states: CtStates) -> Rule {
    Rule::new().state(states)
}

fn udp(from: u16, to: u16) -> Rule {
    udp_after(Rule::new(), from, to)
}

fn udp_after(rule: Rule, from: u16, to: u16) -> Rule {
    rule.udp().sport(from).dport(to)
}

fn icmpv6(rule: Rule, kind: u8) -> Rule {
    rule.icmpv6().matching(Match::Icmp6(Not::is(IcmpType::new(kind))))
}

fn known(notes: Notes) -> Rule {
    notes.on(state(CtStates::RELATED | CtStates::ESTABLISHED), KNOWN).ret()
}

/// The last rules of every list.
pub(super) fn closing(notes: Notes) -> Vec<Rule> {
    vec![notes.on(state(CtStates::INVALID), INVALID).discard(), notes.on(Rule::new(), UNMATCHED).jump(own(FALLBACK))]
}

/// The chain of what comes to a port; `rules` are the closing ones, too.
pub(super) fn ingress(family: Family, notes: Notes, rules: Vec<Rule>) -> Vec<Arc<Rule>> {
    // What finds routers and neighbours.
    let needed = [130, 135, 136].into_iter().filter(|_| family == Family::Ipv6);
    let mut chain: Vec<_> = needed.map(|kind| icmpv6(Rule::new(), kind).ret()).collect();
    chain.push(known(notes));
    chain.extend(rules);
    chain.into_iter().map(Arc::new).collect()
}

/// The chain of what a port sends; `rules` are the closing ones, too.
pub(super) fn egress(family: Family, notes: Notes, chains: &Chains, rules: Vec<Rule>) -> Vec<Arc<Rule>> {
    let mut chain = match family {
        Family::Ipv4 => {
            let from = Rule::new().source(IpAddr::from(Ipv4Addr::UNSPECIFIED));
            let rule = from.destination(IpAddr::from(Ipv4Addr::BROADCAST));
            vec![notes.on(udp_after(rule, 68, 67), DHCP_CLIENT).ret()]
        }
        Family::Ipv6 => [131, 135, 143].into_iter().map(|kind| unaddressed(kind, notes)).collect(),
    };
    chain.push(Rule::new().jump(chains.reference(ChainOf::AntiSpoof)));
    chain.extend(match family {
        Family::Ipv4 => vec![notes.on(udp(68, 67), DHCP_CLIENT).ret(), notes.on(udp(67, 68), DHCP_SPOOFING).discard()],
        Family::Ipv6 => vec![
            notes.on(icmpv6(Rule::new(), 134), ADVERTISEMENTS).discard(),
            notes.on(Rule::new().icmpv6(), ICMPV6).ret(),
            notes.on(udp(546, 547), DHCP_CLIENT).ret(),
            notes.on(udp(547, 546), DHCP_SPOOFING).discard(),
        ],
    });
    chain.push(known(notes));
    chain.extend(rules);
    chain.into_iter().map(Arc::new).collect()
}

/// What a host without an address sends to all routers and neighbours.
fn unaddressed(kind: u8, notes: Notes) -> Rule {
    let multicast = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0);
    let rule = Rule::new().source(IpAddr::from(Ipv6Addr::UNSPECIFIED));
    let rule = match IpNetwork::new(multicast.into(), 16) {
        Ok(network) => rule.destination(network),
        Err(_) => rule.destination(IpAddr::from(multicast)),
    };
    notes.on(icmpv6(rule, kind), ICMPV6).ret()
}

/// The chain that sources are checked in: nothing passes that is in no pair.
pub(super) fn anti_spoof(port: &Port, family: Family, notes: Notes, without: Unaddressed) -> Vec<Arc<Rule>> {
    let from = |mac: MacAddress| Match::Mac(Not::is(mac.octets()));
    let pairs = port.pairs(family).into_iter().map(|(mac, address)| Rule::new().source(address).matching(from(mac)));
    let bare =
        (port.fixed_ips.is_empty() && without == Unaddressed::ByMac).then(|| Rule::new().matching(from(port.mac)));
    let allowed = pairs.chain(bare).map(|rule| notes.on(rule, PAIR).ret());
    let end = notes.on(Rule::new(), NO_PAIR).discard();
    allowed.chain([end]).map(Arc::new).collect()
}

/// The rules of the provider, then those of groups, each once.
pub(super) fn user_rules(port: &Port, direction: Direction, family: Family, groups: Vec<Rule>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let fixed = port.fixed.iter().filter(|rule| rule.direction == direction).filter_map(|rule| rule.rule(family));
    for rule in fixed {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    let count = rules.len();
    for rule in groups {
        if !rules.iter().take(count).any(|fixed| *fixed == rule) {
            rules.push(rule);
        }
    }
    rules
}
