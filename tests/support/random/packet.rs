//! Random packets, most of which are what some rule of a model asks for.
//!
//! A packet follows a way through the chains of the model: at each rule on that way its fields are set to what the rule
//! wants. What no rule decides is drawn from the same few values that rules are made of.

use std::net::IpAddr;

use nftwrap::kernel::machine::{Connection, CtState, Device, Owner, Packet, Ports, Routes, Tracking, Transport, Tuple};
use nftwrap::name::InterfaceName;
use nftwrap::rule::matches::{CtDirection, CtStates};
use nftwrap::rule::{Family, InterfaceMatch, Masked, Match, Protocol, Rule, Target};
use nftwrap::wrap::{Hook, Model};

use super::Random;
use super::model::rules_of;
use super::rule::{host, interface_name, mac, port};

/// A packet at a hook.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    pub(crate) hook: Hook,
    pub(crate) packet: Packet,
}

const HOOKS: [Hook; 5] = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];

/// A packet of a family, aimed at rules of the model.
pub(crate) fn shot(random: &mut Random, model: &Model, family: Family) -> Shot {
    let mut packet = any(random, family);
    let tables: Vec<_> = model.tables().filter(|table| table.id().family == family).collect();
    let hook = *random.pick(&HOOKS);
    let mut hook = hook;
    if !tables.is_empty() && !random.one_in(8) {
        let table = *random.pick(&tables);
        let builtin = random.pick(table.kind().builtins());
        hook = builtin.hook;
        let mut chain = builtin.name.to_owned();
        for _ in 0..8 {
            let rules = rules_of(table, &chain);
            if rules.is_empty() {
                break;
            }
            let rule = random.pick(&rules);
            aim(random, &mut packet, rule);
            match &rule.target {
                Some(Target::Jump(to) | Target::Goto(to)) => to.name().as_str().clone_into(&mut chain),
                _ => break,
            }
        }
    }
    // What a packet at that hook cannot have. Nothing is tracked yet in PREROUTING and OUTPUT, but for what comes over the
    // loopback device.
    if matches!(hook, Hook::Prerouting | Hook::Output) && !(random.one_in(8) && packet.tracking != Tracking::Untracked)
    {
        packet.tracking = Tracking::None;
    }
    match hook {
        Hook::Prerouting | Hook::Input => packet.output = None,
        Hook::Output | Hook::Postrouting => {
            packet.input = None;
            packet.mac = None;
        }
        Hook::Forward => {}
    }
    if hook != Hook::Output && hook != Hook::Postrouting {
        packet.owner = None;
        // No packet comes in without a device.
        packet.input = packet.input.or_else(|| Some(Device::ethernet(interface_name(random.below(12)))));
    }
    if random.one_in(6) {
        let mut other = any(random, family);
        match random.below(5) {
            0 => packet.source = other.source,
            1 => packet.destination = other.destination,
            2 => packet.mark = other.mark,
            3 => packet.connection = std::mem::take(&mut other.connection),
            _ => packet.transport = other.transport,
        }
        packet.fragment = 0;
    }
    Shot { hook, packet }
}

/// A packet of the few values that rules are made of.
fn any(random: &mut Random, family: Family) -> Packet {
    let address = |random: &mut Random| host(family, random.below(30));
    let (source, destination) = (address(random), address(random));
    let transport = transport(random);
    let mut packet = Packet::new(source, destination, transport);
    if matches!(packet.transport, Transport::Other(_)) && family == Family::Ipv4 && random.one_in(2) {
        // Only where no rule asks for a transport header: the kernel reads ports in a fragment's data there.
        packet.fragment = 5;
    }
    packet.data = random.below(60) as u16;
    packet.hops = 63 + random.below(3) as u8;
    packet.tos = *random.pick(&[0, 0x10, 0x28, 0xff]);
    let device = |random: &mut Random| Some(Device::ethernet(interface_name(random.below(14))));
    packet.input = device(random);
    packet.output = device(random);
    packet.mac = Some(mac(random.below(8)));
    if random.one_in(8) {
        let loopback = Device { name: InterfaceName::new("lo").unwrap(), kind: 772 };
        packet.input = Some(loopback);
    }
    if random.one_in(6) {
        packet.bridge = Some((Some(interface_name(random.below(12))), Some(interface_name(random.below(12)))));
    }
    packet.kind = random.below(3) as u8;
    packet.mark = random.below(6) as u32;
    packet.owner = (!random.one_in(3)).then(|| Owner { uid: random.below(4) as u32, ..Owner::default() });
    let routes = Routes { back: random.one_in(2), back_by_input: random.one_in(2), ..Routes::default() };
    packet.routes = Routes { destination: *random.pick(&[1, 2, 5]), ..routes };
    packet.connection = match tracking(random, &packet) {
        Tracking::Connection(connection) => Some(connection),
        _ => None,
    };
    packet.tracking = tracking(random, &packet);
    packet
}

fn transport(random: &mut Random) -> Transport {
    let ports = Ports { source: port(random.below(40)) + random.below(3) as u16, destination: port(random.below(40)) };
    match random.below(8) {
        0..3 => {
            let options = random.pick(&[vec![], vec![2, 4, 5, 0xb4], vec![1, 1, 8, 2], vec![3, 3, 7, 1]]).clone();
            Transport::Tcp { ports, flags: *random.pick(&[0x02, 0x10, 0x12, 0x18, 0x04]), options }
        }
        3..6 => Transport::Ports(Protocol::UDP, ports),
        6 => Transport::Icmp { kind: *random.pick(&[8, 0, 3, 128]), code: random.below(4) as u8 },
        _ => Transport::Other(Protocol(47)),
    }
}

fn tracking(random: &mut Random, packet: &Packet) -> Tracking {
    match random.below(8) {
        0 => return Tracking::None,
        1 => return Tracking::Untracked,
        _ => {}
    }
    let ports = packet.ports().unwrap_or(Ports { source: 0, destination: 0 });
    let original = Tuple {
        source: packet.source,
        destination: packet.destination,
        source_port: ports.source,
        destination_port: ports.destination,
    };
    let reply = Tuple {
        source: packet.destination,
        destination: packet.source,
        source_port: ports.destination,
        destination_port: ports.source,
    };
    let answer = random.one_in(3);
    Tracking::Connection(Box::new(Connection {
        state: *random.pick(&[CtState::New, CtState::Established, CtState::Established, CtState::Related]),
        direction: if answer { CtDirection::Reply } else { CtDirection::Original },
        status: random.below(64) as u32,
        mark: random.below(5) as u32,
        original,
        reply,
        protocol: packet.protocol(),
        expires: random.below(150_000) as u32,
    }))
}

/// Makes a packet what the rule asks for, as far as that is not negated.
fn aim(random: &mut Random, packet: &mut Packet, rule: &Rule) {
    let family = packet.family();
    let wanted = |asked: Option<nftwrap::rule::Not<Masked>>| asked.filter(|asked| !asked.negated).map(|a| a.value);
    if let Some(value) = wanted(rule.source) {
        packet.source = within(random, value);
    }
    if let Some(value) = wanted(rule.destination) {
        packet.destination = within(random, value);
    }
    for (asked, device) in [(&rule.input, &mut packet.input), (&rule.output, &mut packet.output)] {
        match asked.as_ref().filter(|asked| !asked.negated).map(|asked| &asked.value) {
            Some(InterfaceMatch::Name(name)) => *device = Some(Device::ethernet(name.clone())),
            Some(InterfaceMatch::Prefix(prefix)) => {
                let name = format!("{prefix}{}", random.below(3));
                *device = Some(Device::ethernet(InterfaceName::new(&name).unwrap()));
            }
            _ => {}
        }
    }
    if let Some(protocol) = rule.protocol.filter(|p| !p.negated && p.value != packet.protocol()) {
        let ports = Ports { source: port(random.below(40)), destination: port(random.below(40)) };
        packet.fragment = 0;
        packet.transport = match protocol.value {
            Protocol::TCP => Transport::Tcp { ports, flags: 2, options: Vec::new() },
            Protocol::ICMP | Protocol::ICMPV6 => Transport::Icmp { kind: 8, code: 0 },
            Protocol::UDP => Transport::Ports(Protocol::UDP, ports),
            other => Transport::Other(other),
        };
    }
    for m in &rule.matches {
        aim_match(random, packet, m);
    }
    debug_assert_eq!(packet.family(), family);
}

fn aim_match(random: &mut Random, packet: &mut Packet, m: &Match) {
    let mut set_ports = |source: Option<u16>, destination: Option<u16>| {
        if let Transport::Tcp { ports, .. } | Transport::Ports(_, ports) = &mut packet.transport {
            ports.source = source.unwrap_or(ports.source);
            ports.destination = destination.unwrap_or(ports.destination);
        }
    };
    let end = |random: &mut Random, asked: Option<nftwrap::rule::Not<nftwrap::rule::PortRange>>| {
        asked.map(|asked| if random.one_in(2) { asked.value.first() } else { asked.value.last() })
    };
    match m {
        Match::Tcp(m) => {
            let (source, destination) = (end(random, m.sport), end(random, m.dport));
            set_ports(source, destination);
            if let (Some(asked), Transport::Tcp { flags, .. }) = (m.flags, &mut packet.transport) {
                *flags = asked.value.set;
            }
        }
        Match::Udp(m) => {
            let (source, destination) = (end(random, m.sport), end(random, m.dport));
            set_ports(source, destination);
        }
        Match::Multiport(m) => {
            let range = random.pick(&m.ports);
            let one = Some(if random.one_in(2) { range.first() } else { range.last() });
            if random.one_in(2) { set_ports(one, None) } else { set_ports(None, one) }
        }
        Match::Icmp(asked) | Match::Icmp6(asked) => {
            if let Transport::Icmp { kind, code } = &mut packet.transport {
                (*kind, *code) = (asked.value.kind, asked.value.codes.0);
            }
        }
        Match::Mac(asked) if !asked.negated => packet.mac = Some(asked.value),
        Match::Mark(asked) if !asked.negated => packet.mark = asked.value.value,
        Match::Iprange(m) => {
            if let Some(asked) = m.source {
                packet.source = asked.value.0;
            }
        }
        Match::Owner(m) => packet.owner = m.uid.map(|uid| Owner { uid: uid.value.1, ..Owner::default() }),
        Match::State(asked) => {
            let wanted = if asked.negated { asked.value.complement() } else { asked.value };
            let tracked = [
                (CtStates::NEW, CtState::New),
                (CtStates::ESTABLISHED, CtState::Established),
                (CtStates::RELATED, CtState::Related),
            ];
            if let (Some(connection), Some((_, state))) =
                (&mut packet.connection, tracked.into_iter().find(|(bit, _)| wanted.contains(*bit)))
            {
                connection.state = state;
            }
            match (&mut packet.tracking, tracked.into_iter().find(|(bit, _)| wanted.contains(*bit))) {
                (Tracking::Connection(connection), Some((_, state))) => connection.state = state,
                (tracking, None) if wanted.contains(CtStates::INVALID) => *tracking = Tracking::None,
                _ => {}
            }
        }
        _ => {}
    }
}

/// An address in a prefix, or just outside of it.
fn within(random: &mut Random, masked: Masked) -> IpAddr {
    let drawn = u128::from(random.next() % 8);
    let free = |bits: u128| bits & drawn;
    let outside = random.one_in(10);
    let address: IpAddr = match masked {
        Masked::V4 { addr, mask } => {
            let bits = u32::from(addr) | free(u128::from(!u32::from(mask))) as u32;
            std::net::Ipv4Addr::from(if outside { bits ^ 1 } else { bits }).into()
        }
        Masked::V6 { addr, mask } => {
            let bits = u128::from(addr) | free(!u128::from(mask));
            std::net::Ipv6Addr::from(if outside { bits ^ 1 } else { bits }).into()
        }
    };
    address
}
