//! What an instance is in the tables: its chains, the jumps to them, the rules that it shares with others.
//!
//! Owns: these rules and their order. Each step of nova's has a function of its own here.
//! Never: compares text, or says what changed: a unit is whole.
//!
//! ```text
//! filter-top ─> local ─ -d ADDRESS ─> inst-7: invalid ✗, established ✓, provider, DHCP ✓, same network ✓,
//!                                             routers (IPv6) ✓, security groups ✓, sg-fallback ✗
//! ```
//!
//! How it is tested: `tests/virt_firewall` beside nova's dumps, and with packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnetwork::{IpNetwork, Ipv6Network};

use super::instance::{Instance, InstanceId, chain_name};
use super::options::Options;
use super::provider::ProviderRule;
use crate::name::NameError;
use crate::rule::matches::{CtStates, IcmpType};
use crate::rule::{ChainRef, Family, Masked, Match, Not, PortRange, Rule};
use crate::virt_firewall::group::Direction;
use crate::virt_firewall::groups::Groups;
use crate::virt_firewall::service::Dialect;
use crate::wrap::{Place, TableId, TableKind};
use crate::writer::Unit;

pub(super) const FALLBACK: &str = "$sg-fallback";
pub(super) const PROVIDER: &str = "$provider";
const LOCAL: &str = "$local";
/// `ff02::1:2`, all DHCP relay agents and servers.
const DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

pub(super) fn filter(family: Family) -> TableId {
    TableId::new(family, TableKind::Filter)
}

/// All of an instance.
pub(super) fn instance_unit(
    options: &Options,
    instance: &Instance,
    groups: &Groups<InstanceId>,
) -> Result<Unit, NameError> {
    let mut unit = Unit::new();
    let (name, chain): (Arc<str>, _) = (chain_name(&instance.id).into(), instance.chain()?);
    for family in Family::BOTH {
        // A family that is not filtered by rules is closed.
        let rules = if options.filters(family) {
            instance_rules(options, instance, groups, family)?
        } else {
            fallback(Direction::Ingress, family)
        };
        unit.chain(filter(family), Arc::clone(&name), rules.into_iter().map(Arc::new).collect());
        for address in addresses(options, instance, family) {
            unit.rule(filter(family), LOCAL, Place::Normal, Rule::new().destination(address).jump(chain.clone()));
        }
        if options.filters(family) && instance.subnets(family).any(|subnet| subnet.dhcp_server.is_some()) {
            for hook in ["$INPUT", "$FORWARD"] {
                unit.rule(filter(family), hook, Place::Normal, dhcp_request(family));
            }
        }
    }
    Ok(unit)
}

/// Where its jumps lead from.
pub(super) fn addresses(options: &Options, instance: &Instance, family: Family) -> Vec<IpAddr> {
    let mut addresses: Vec<_> = instance.subnets(family).flat_map(|subnet| subnet.addresses.iter().copied()).collect();
    if options.link_local && family == Family::Ipv6 {
        addresses.extend(instance.interfaces.iter().map(|interface| IpAddr::V6(interface.link_local())));
    }
    addresses
}

/// Its chain, in the order of nova.
fn instance_rules(
    options: &Options,
    instance: &Instance,
    groups: &Groups<InstanceId>,
    family: Family,
) -> Result<Vec<Rule>, NameError> {
    let mut rules = basic_rules();
    if options.provider {
        rules.push(Rule::new().jump(ChainRef::new(PROVIDER)?));
    }
    rules.extend(dhcp_rules(instance, family));
    if options.same_network {
        rules.extend(instance.subnets(family).map(|subnet| Rule::new().source(subnet.cidr).accept()));
    }
    if family == Family::Ipv6 {
        rules.extend(router_rules(instance));
        if options.link_local {
            rules.extend(neighbour_rules());
        }
    }
    rules.extend(groups.rules(&instance.groups, Direction::Ingress, family));
    Ok(rules)
}

fn basic_rules() -> Vec<Rule> {
    let invalid = Rule::new().state(Not::is(CtStates::INVALID)).discard();
    let known = Rule::new().state(Not::is(CtStates::ESTABLISHED | CtStates::RELATED)).accept();
    vec![invalid, known]
}

/// Answers of its DHCP servers.
fn dhcp_rules(instance: &Instance, family: Family) -> impl Iterator<Item = Rule> {
    let (from, to) = match family {
        Family::Ipv4 => (67, 68),
        Family::Ipv6 => (547, 546),
    };
    instance.subnets(family).filter_map(|subnet| subnet.dhcp_server).map(move |server| {
        Rule::new().source(server).udp().sport(PortRange::single(from)).dport(PortRange::single(to)).accept()
    })
}

/// Advertisements of its routers, and their questions for neighbours.
fn router_rules(instance: &Instance) -> impl Iterator<Item = Rule> {
    let gateways = instance.subnets(Family::Ipv6).filter_map(|subnet| subnet.gateway);
    gateways.map(|gateway| Rule::new().source(gateway).icmpv6().accept())
}

/// Questions and answers about hardware addresses, which for IPv4 are no IP packets.
fn neighbour_rules() -> impl Iterator<Item = Rule> {
    [NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT]
        .into_iter()
        .map(|kind| Rule::new().icmpv6().matching(Match::Icmp6(Not::is(IcmpType::new(kind)))).accept())
}

/// What an instance sends before it has an address.
fn dhcp_request(family: Family) -> Rule {
    let rule = match family {
        Family::Ipv4 => Rule::new()
            .source(Masked::host(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
            .destination(IpAddr::V4(Ipv4Addr::BROADCAST)),
        Family::Ipv6 => {
            let rule = Rule::new().destination(IpAddr::V6(DHCP_SERVERS));
            Ipv6Network::new(LINK_LOCAL, 10).map(IpNetwork::V6).into_iter().fold(rule, Rule::source)
        }
    };
    let (from, to) = match family {
        Family::Ipv4 => (68, 67),
        Family::Ipv6 => (546, 547),
    };
    rule.udp().sport(PortRange::single(from)).dport(PortRange::single(to)).accept()
}

/// The end of every instance's chain.
pub(super) fn fallback(_: Direction, _: Family) -> Vec<Rule> {
    // The name fits; if it did not, this would still be the end.
    let rule = ChainRef::new(FALLBACK).map_or_else(|_| Rule::new().discard(), |chain| Rule::new().jump(chain));
    vec![rule]
}

/// What the provider forbids to all instances.
pub(super) fn provider_unit(options: &Options, rules: &[ProviderRule]) -> Unit {
    let mut unit = Unit::new();
    for family in Family::BOTH.into_iter().filter(|family| options.filters(*family)) {
        let own = rules.iter().filter(|rule| rule.is_of(family));
        let rules = own.map(|rule| Arc::new(rule.rule(family, Dialect::Nova))).collect();
        unit.chain(filter(family), PROVIDER, rules);
    }
    unit
}
