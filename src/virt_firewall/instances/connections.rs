//! Connections to instances that nothing allows any more.
//!
//! Owns: which entries a rule, a member or an address had let in.
//! Never: takes a connection that an instance opened, unless the instance goes: no rule of a group had allowed it. Never takes one
//! of another zone than that of connections without one, where instances' are.
//!
//! An entry is known by where its answers come from, the instance: what came by a floating address has another destination.
//! One that another rule still allows is tracked again with its next packet.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::conntrack::{self, Ends, Filter};
use crate::rule::Family;
use crate::virt_firewall::connections::{MANY, protocol};
use crate::virt_firewall::group::{GroupRule, Remote};
use crate::virt_firewall::service::Service;

fn to(local: IpAddr) -> Filter {
    let reply = Ends { source: Some(local.into()), ..Ends::default() };
    Filter { family: Some(conntrack::Family::of(local)), zone: Some(0), reply, ..Filter::default() }
}

/// What a rule had let in to the addresses.
pub(super) fn of_rule(addresses: &[IpAddr], rule: &GroupRule) -> Vec<Filter> {
    let own = addresses.iter().filter(|local| rule.is_of(Family::of(**local)));
    let filter = |local: &IpAddr| {
        let mut filter = to(*local);
        filter.protocol = protocol(rule.service, Family::of(*local)).map(|protocol| protocol.0);
        if let Remote::Prefix(prefix) = rule.remote {
            filter.original.source = Some(prefix);
        }
        if let Service::Ports { destination: Some(ports), .. } = rule.service
            && ports.is_single()
        {
            filter.reply.source_port = Some(ports.first());
        }
        filter
    };
    own.map(filter).collect()
}

/// What members of a group had opened to the addresses; of many members, what anybody had.
pub(super) fn of_members(addresses: &[IpAddr], members: &[IpNetwork]) -> Vec<Filter> {
    if members.len() > MANY {
        let any_leaves = |local: &&IpAddr| members.iter().any(|member| local.is_ipv4() == member.is_ipv4());
        return addresses.iter().filter(any_leaves).map(|local| to(*local)).collect();
    }
    let pairs = addresses.iter().flat_map(|local| members.iter().map(move |member| (local, member)));
    let pairs = pairs.filter(|(local, member)| local.is_ipv4() == member.is_ipv4());
    pairs
        .map(|(local, member)| {
            let original = Ends { source: Some(*member), ..Ends::default() };
            Filter { original, ..to(*local) }
        })
        .collect()
}

/// All connections of addresses, which may be another instance's next.
pub(super) fn of_addresses(addresses: &[IpAddr]) -> Vec<Filter> {
    let from = |local: &IpAddr| {
        let original = Ends { source: Some((*local).into()), ..Ends::default() };
        Filter { original, reply: Ends::default(), ..to(*local) }
    };
    addresses.iter().flat_map(|local| [to(*local), from(local)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tenant who empties a large group makes no filter for each of its members and each of its users.
    #[test]
    fn many_members_are_one_filter_an_address() {
        let addresses: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let members =
            |count: u8| -> Vec<IpNetwork> { (0..count).map(|n| IpAddr::from([10, 1, 0, n]).into()).collect() };
        assert_eq!(of_members(&addresses, &members(3)).len(), 3);
        assert_eq!(of_members(&addresses, &members(200)), [to(addresses[0])]);
        assert_eq!(of_members(&addresses, &[]), []);
    }
}
