//! Whether a packet is what a rule asks for, by the eval functions of iptables' own extensions.
//!
//! Owns: the meaning of everything before a rule's target.
//! Never: looks at a packet's bytes: it asks the typed values, so that it cannot share a mistake about offsets with the
//! programs that it is compared to.
//!
//! Where the truth is: `ip_packet_match` (`net/ipv4/netfilter/ip_tables.c`), `xt_*.c`, `ip6_tables.c` (Linux v6.12).

mod conntrack;
mod physdev;

use std::net::IpAddr;

use super::interface;
use super::outcome::{Error, Way};
use super::packet::{Packet, Transport};
use crate::rule::matches::{
    Addrtype, IcmpType, Iprange, Multiport, MultiportSide, Owner, Pkttype, Rpfilter, Set, SetDirection, Tcp, Ttl, TtlOp,
};
use crate::rule::{Family, Masked, Match, Not, PortRange, Rule};
use crate::wrap::{AddressSet, Table};

/// Whether a rule of a table matches.
pub(super) fn rule(rule: &Rule, table: &Table, packet: &Packet, way: &Way) -> Result<bool, Error> {
    let basic = rule.source.is_none_or(|asked| masked(&asked, packet.source))
        && rule.destination.is_none_or(|asked| masked(&asked, packet.destination))
        && rule.input.as_ref().is_none_or(|asked| interface::holds(asked, name(packet.input.as_ref())))
        && rule.output.as_ref().is_none_or(|asked| interface::holds(asked, name(packet.output.as_ref())))
        && rule.protocol.is_none_or(|asked| (asked.value == packet.protocol()) != asked.negated)
        && rule.fragment.is_none_or(|asked| (packet.fragment != 0) != asked.negated);
    if !basic {
        return Ok(false);
    }
    for m in &rule.matches {
        let holds = match m {
            Match::Set(set) => match table.set(&set.name.value) {
                Some(own) => member(set, own, packet)?,
                None => one(m, packet, way)?,
            },
            m => one(m, packet, way)?,
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn name(device: Option<&super::packet::Device>) -> Option<&crate::name::InterfaceName> {
    device.map(|device| &device.name)
}

/// Whether one match holds.
pub(super) fn one(m: &Match, packet: &Packet, way: &Way) -> Result<bool, Error> {
    Ok(match m {
        Match::Comment(_) | Match::Limit(_) => true,
        Match::Addrtype(m) => addrtype(m, packet)?,
        Match::Connmark(asked) => {
            way.tracking.mark().is_some_and(|mark| (mark & asked.value.mask == asked.value.value) != asked.negated)
        }
        Match::Conntrack(m) => conntrack::holds(m, &way.tracking),
        Match::Dccp(m) => ports(m.sport, m.dport, packet),
        Match::Sctp(m) => ports(m.sport, m.dport, packet),
        Match::Udp(m) => ports(m.sport, m.dport, packet),
        Match::Tcp(m) => tcp(m, packet),
        Match::Dscp(asked) => (packet.tos >> 2 == asked.value) != asked.negated,
        Match::Tos(asked) => (packet.tos & asked.value.mask == asked.value.value) != asked.negated,
        Match::Hl(m) | Match::Ttl(m) => hops(*m, packet.hops),
        Match::Icmp(asked) => icmp(*asked, packet, asked.value.kind == IcmpType::ANY.kind),
        // Only IPv4 has a type for all.
        Match::Icmp6(asked) => icmp(*asked, packet, false),
        Match::Iprange(m) => iprange(m, packet),
        Match::Length(asked) => {
            let len = packet.wire().network.len();
            (usize::from(asked.value.0)..=usize::from(asked.value.1)).contains(&len) != asked.negated
        }
        Match::Mac(asked) => match (&packet.input, packet.mac) {
            (Some(device), Some(mac)) if device.kind == super::Device::ETHERNET => {
                (mac == asked.value) != asked.negated
            }
            _ => false,
        },
        Match::Mark(asked) => (way.mark & asked.value.mask == asked.value.value) != asked.negated,
        Match::Multiport(m) => multiport(m, packet),
        Match::Owner(m) => owner(m, packet),
        Match::Physdev(m) => physdev::holds(m, packet),
        Match::Pkttype(asked) => {
            let number = match asked.value {
                Pkttype::Unicast => 0,
                Pkttype::Broadcast => 1,
                Pkttype::Multicast => 2,
            };
            (packet.kind == number) != asked.negated
        }
        Match::Rpfilter(m) => rpfilter(*m, packet)?,
        Match::Set(m) => set(m, packet)?,
        Match::State(states) => conntrack::state(*states, &way.tracking),
    })
}

/// Whether an address is in a prefix, or whatever else the mask makes.
pub(super) fn masked(asked: &Not<Masked>, address: IpAddr) -> bool {
    let inside = match (asked.value, address) {
        (Masked::V4 { addr, mask }, IpAddr::V4(address)) => address & mask == addr & mask,
        (Masked::V6 { addr, mask }, IpAddr::V6(address)) => address & mask == addr & mask,
        _ => return false,
    };
    inside != asked.negated
}

fn within(asked: Option<Not<PortRange>>, port: u16) -> bool {
    asked.is_none_or(|asked| (asked.value.first()..=asked.value.last()).contains(&port) != asked.negated)
}

/// Later fragments have no ports, and a match that asks for them does not hold.
fn ports(sport: Option<Not<PortRange>>, dport: Option<Not<PortRange>>, packet: &Packet) -> bool {
    packet.fragment == 0
        && packet.ports().is_some_and(|ports| within(sport, ports.source) && within(dport, ports.destination))
}

fn tcp(m: &Tcp, packet: &Packet) -> bool {
    let Transport::Tcp { flags, options, .. } = &packet.transport else { return false };
    let flags = m.flags.is_none_or(|asked| (flags & asked.value.mask == asked.value.set) != asked.negated);
    let option = m.option.is_none_or(|asked| has_option(options, asked.value) != asked.negated);
    ports(m.sport, m.dport, packet) && flags && option
}

/// `tcp_find_option` (`xt_tcpudp.c`). The header is padded to whole words with the end-of-list option.
fn has_option(options: &[u8], wanted: u8) -> bool {
    let padded = options.len().next_multiple_of(4).min(40);
    let at = |i: usize| options.get(i).copied().unwrap_or(0);
    let mut i = 0;
    while i < padded {
        match at(i) {
            kind if kind == wanted => return true,
            0 | 1 => i += 1,
            _ => i += usize::from(at(i + 1)).max(1),
        }
    }
    false
}

fn hops(m: Ttl, hops: u8) -> bool {
    match m.op {
        TtlOp::Eq => hops == m.value,
        TtlOp::Ne => hops != m.value,
        TtlOp::Lt => hops < m.value,
        TtlOp::Gt => hops > m.value,
    }
}

fn icmp(asked: Not<IcmpType>, packet: &Packet, any: bool) -> bool {
    let Transport::Icmp { kind, code } = packet.transport else { return false };
    let IcmpType { kind: wanted, codes: (first, last) } = asked.value;
    let same = any || (kind == wanted && (first..=last).contains(&code));
    packet.fragment == 0 && same != asked.negated
}

fn iprange(m: &Iprange, packet: &Packet) -> bool {
    let inside = |asked: Option<Not<(IpAddr, IpAddr)>>, address| {
        asked.is_none_or(|Not { negated, value: (first, last) }| (first..=last).contains(&address) != negated)
    };
    inside(m.source, packet.source) && inside(m.destination, packet.destination)
}

fn multiport(m: &Multiport, packet: &Packet) -> bool {
    let Some(ports) = packet.ports().filter(|_| packet.fragment == 0) else { return false };
    let listed = |port| m.ports.iter().any(|range| (range.first()..=range.last()).contains(&port));
    let hit = match m.side {
        MultiportSide::Source => listed(ports.source),
        MultiportSide::Destination => listed(ports.destination),
        MultiportSide::Either => listed(ports.source) || listed(ports.destination),
    };
    hit != m.negated
}

/// `owner_mt`: without a socket, what is inverted holds and what is not does not.
fn owner(m: &Owner, packet: &Packet) -> bool {
    let Some(owner) = &packet.owner else {
        let inverted = |asked: Option<bool>| asked.is_none_or(|negated| negated);
        return inverted(m.socket_exists.map(|a| a.negated))
            && inverted(m.uid.map(|a| a.negated))
            && inverted(m.gid.map(|a| a.negated));
    };
    let within = |(first, last): (u32, u32), id: u32| (first..=last).contains(&id);
    let gid = |range| {
        within(range, owner.gid) || (m.supplementary_groups && owner.groups.iter().any(|group| within(range, *group)))
    };
    !m.socket_exists.is_some_and(|asked| asked.negated)
        && m.uid.is_none_or(|asked| within(asked.value, owner.uid) != asked.negated)
        && m.gid.is_none_or(|asked| gid(asked.value) != asked.negated)
}

fn addrtype(m: &Addrtype, packet: &Packet) -> Result<bool, Error> {
    if packet.family() == Family::Ipv6 {
        return Err(Error::unknown("addrtype", "address types of IPv6 are not known here"));
    }
    if m.limit.is_some() {
        return Err(Error::unknown("addrtype", "address types of one interface are not known here"));
    }
    let of = |asked: Option<Not<crate::rule::matches::AddrTypes>>, kind: u8| {
        let bit = 1u16.checked_shl(kind.into()).unwrap_or(0);
        asked.is_none_or(|asked| (asked.value.bits() & bit != 0) != asked.negated)
    };
    Ok(of(m.source, packet.routes.source) && of(m.destination, packet.routes.destination))
}

fn rpfilter(m: Rpfilter, packet: &Packet) -> Result<bool, Error> {
    if m.contains(Rpfilter::ACCEPT_LOCAL) {
        return Err(Error::unknown("rpfilter", "ways back to local addresses are not known here"));
    }
    let back = if m.contains(Rpfilter::LOOSE) { packet.routes.back } else { packet.routes.back_by_input };
    Ok(back != m.contains(Rpfilter::INVERT))
}

/// Whether an address of the packet is in a set of the model.
fn member(m: &Set, set: &AddressSet, packet: &Packet) -> Result<bool, Error> {
    let &[direction] = m.directions.as_slice() else {
        return Err(Error::unknown("set", "a set of addresses has one direction"));
    };
    if m.packets.is_some() || m.bytes.is_some() || m.return_nomatch {
        return Err(Error::unknown("set", "members of a set of the model have no counters"));
    }
    let address = match direction {
        SetDirection::Source => packet.source,
        SetDirection::Destination => packet.destination,
    };
    Ok(set.members().any(|member| member.contains(address)) != m.name.negated)
}

fn set(m: &Set, packet: &Packet) -> Result<bool, Error> {
    if m.packets.is_some() || m.bytes.is_some() || m.return_nomatch {
        return Err(Error::unknown("set", "counters and exceptions of set elements are not known here"));
    }
    Ok(packet.ipsets.contains(&m.name.value) != m.name.negated)
}
