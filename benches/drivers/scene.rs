//! What the host has: instances of 20 rules in 50 security groups.
//!
//! All use group 0, with ten rules, one of which names the group's own members; each uses one of the other groups, with ten
//! rules of its own.

use std::net::{IpAddr, Ipv4Addr};

use nftwrap::name::NameError;
use nftwrap::rule::{Family, PortRange};
use nftwrap::virt_firewall::{Direction, GroupId, GroupRule, PortProtocol, Remote, RuleId, SecurityGroup, Service};

pub(crate) const GROUPS: u32 = 50;
const RULES: u16 = 10;

pub(crate) fn group_id(number: u32) -> Result<GroupId, NameError> {
    GroupId::new(&format!("5f7f4c1e-9a3b-4c8d-8e21-{number:012}"))
}

/// The groups of an instance.
pub(crate) fn groups_of(instance: u32) -> Result<Vec<GroupId>, NameError> {
    Ok(vec![group_id(0)?, group_id(1 + instance % (GROUPS - 1))?])
}

pub(crate) fn groups() -> Result<Vec<SecurityGroup>, NameError> {
    (0..GROUPS).map(|number| group(number, false)).collect()
}

/// A group, with a rule more or without.
pub(crate) fn group(number: u32, more: bool) -> Result<SecurityGroup, NameError> {
    let own = |rule: u16| (20_000 + number * 100) as u16 + rule;
    let mut rules = Vec::new();
    for rule in 0..RULES - 1 + u16::from(more) {
        let destination = Some(PortRange::single(own(rule)));
        let service = Service::Ports { protocol: PortProtocol::Tcp, source: None, destination };
        rules.push(ingress(rule, service, Remote::Any)?);
    }
    let last = match number {
        0 => ingress(99, Service::Any, Remote::Group(group_id(0)?))?,
        _ => ingress(99, Service::Icmp { kind: Some(8), code: None }, Remote::Any)?,
    };
    rules.push(last);
    Ok(SecurityGroup::new(group_id(number)?, rules))
}

fn ingress(number: u16, service: Service, remote: Remote) -> Result<GroupRule, NameError> {
    let id = RuleId::new(&format!("rule-{number}"))?;
    Ok(GroupRule { id, direction: Direction::Ingress, family: Some(Family::Ipv4), service, remote })
}

/// The address of an instance of this host.
pub(crate) fn address(instance: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + 256 + instance).into()
}

/// The address of an instance elsewhere.
pub(crate) fn elsewhere(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a80_0000 + number).into()
}

/// The hardware address of an instance.
pub(crate) fn mac(instance: u32) -> [u8; 6] {
    let [_, a, b, c] = instance.to_be_bytes();
    [0xfa, 0x16, 0x3e, a, b, c]
}
