//! Random rules for the property tests of both encodings.
//!
//! Every rule is in canonical form: what changes nothing is absent, and limits are in the unit that iptables prints, so
//! that reading back what was compiled must give the rule itself. The text front-end has its own generator, which makes
//! what text can say: no test outside of this crate sees this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::Ipsets;
use crate::name::{ChainName, Comment, InterfaceName, IpsetName};
use crate::rule::matches::{
    AddrTypes, Addrtype, AddrtypeLimit, Conntrack, CtDirection, CtStates, CtStatus, Dccp, IcmpType, Iprange, Limit,
    Multiport, MultiportSide, Owner, Physdev, Pkttype, RateUnit, Rpfilter, Sctp, Set, SetCounter, SetCounterOp,
    SetDirection, Tcp, TcpFlags, Tos, Ttl, TtlOp, Udp,
};
use crate::rule::targets::{
    Connmark, ConnmarkOp, Ct, CtEvents, CtZone, CtZoneDirection, CtZoneId, Log, LogFlags, Nat, NatOptions, Nflog,
    PortNat, Reject, Tcpmss,
};
use crate::rule::{ChainRef, Family, InterfaceMatch, MarkMask, Masked, Match, Not, PortRange, Protocol, Rule, Target};

/// Two ipsets, `alpha` with number 3 and `beta` with number 4.
pub(crate) struct TwoSets;

impl Ipsets for TwoSets {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        match name.as_str() {
            "alpha" => Some(3),
            "beta" => Some(4),
            _ => None,
        }
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        let name = match index {
            3 => "alpha",
            4 => "beta",
            _ => return None,
        };
        IpsetName::new(name).ok()
    }
}

/// A rule that can stand in a table of this family.
pub(crate) fn rule(family: Family) -> impl Strategy<Value = Rule> {
    protocol(family).prop_flat_map(move |protocol| {
        let icmp = protocol.is_some_and(|p| !p.negated);
        let number = protocol.filter(|_| icmp).map(|p| p.value);
        let base = (
            option::of(masked(family)),
            option::of(masked(family)),
            option::of(interface()),
            option::of(interface()),
            option::of(not(Just(()))),
        );
        (base, matches(family, number), option::of(target(family, number))).prop_map(
            move |((source, destination, input, output, fragment), matches, target)| Rule {
                source: source.filter(|s| s.negated || !s.value.is_any()),
                destination: destination.filter(|d| d.negated || !d.value.is_any()),
                input: input.filter(|i| i.negated || i.value != InterfaceMatch::Any),
                output: output.filter(|o| o.negated || o.value != InterfaceMatch::Any),
                protocol,
                fragment: fragment.filter(|_| family == Family::Ipv4),
                matches,
                target,
            },
        )
    })
}

fn not<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Not<T>> {
    (any::<bool>(), value).prop_map(|(negated, value)| Not { negated, value })
}

fn protocol(family: Family) -> impl Strategy<Value = Option<Not<Protocol>>> {
    let icmp = match family {
        Family::Ipv4 => Protocol::ICMP,
        Family::Ipv6 => Protocol::ICMPV6,
    };
    let known = [Protocol::TCP, Protocol::TCP, Protocol::UDP, icmp, Protocol::SCTP, Protocol::DCCP, Protocol(47)];
    option::weighted(0.85, (prop::bool::weighted(0.1), select(known.to_vec())))
        .prop_map(|p| p.map(|(negated, value)| Not { negated, value }))
}

pub(crate) fn masked(family: Family) -> BoxedStrategy<Not<Masked>> {
    let len = match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    // Prefixes mostly, any mask now and then.
    let mask = prop_oneof![
        4 => (0..=len).prop_map(move |n: u32| u128::MAX.checked_shl(len - n).unwrap_or(0)),
        1 => any::<u128>(),
    ];
    let value = (any::<u128>(), mask).prop_map(move |(addr, mask)| masked_of(family, addr, mask));
    not(value).boxed()
}

#[allow(clippy::cast_possible_truncation, reason = "the low 32 bits are what is wanted")]
fn masked_of(family: Family, addr: u128, mask: u128) -> Masked {
    match family {
        Family::Ipv4 => Masked::v4(Ipv4Addr::from(addr as u32), Ipv4Addr::from(mask as u32)),
        Family::Ipv6 => Masked::v6(Ipv6Addr::from(addr), Ipv6Addr::from(mask)),
    }
}

fn address(family: Family) -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(move |addr| match masked_of(family, addr, u128::MAX) {
        Masked::V4 { addr, .. } => IpAddr::V4(addr),
        Masked::V6 { addr, .. } => IpAddr::V6(addr),
    })
}

fn addresses(family: Family) -> impl Strategy<Value = (IpAddr, IpAddr)> {
    (address(family), address(family)).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

fn interface() -> impl Strategy<Value = Not<InterfaceMatch>> {
    let name = "[a-z][a-z0-9.-]{0,14}".prop_map(|n| InterfaceMatch::Name(InterfaceName::new(&n).unwrap()));
    let prefix = "[a-z][a-z0-9.-]{0,13}".prop_map(|n| InterfaceMatch::Prefix(InterfaceName::new(&n).unwrap()));
    not(prop_oneof![4 => name, 2 => prefix, 1 => Just(InterfaceMatch::Any)])
}

fn range() -> impl Strategy<Value = PortRange> {
    let port = prop_oneof![4 => any::<u16>(), 1 => Just(0), 1 => Just(u16::MAX)];
    prop_oneof![
        port.clone().prop_map(PortRange::single),
        (port.clone(), port).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap()),
    ]
}

/// Ports that ask for something.
fn ports() -> impl Strategy<Value = Option<Not<PortRange>>> {
    option::of(not(range())).prop_map(|p| p.filter(|p| *p != Not::is(PortRange::ALL)))
}

fn mark() -> impl Strategy<Value = MarkMask> {
    let mask = prop_oneof![2 => Just(u32::MAX), 1 => any::<u32>()];
    (any::<u32>(), mask).prop_map(|(value, mask)| MarkMask { value, mask })
}

fn counter() -> impl Strategy<Value = Option<SetCounter>> {
    let op = select(vec![SetCounterOp::Eq, SetCounterOp::Ne, SetCounterOp::Lt, SetCounterOp::Gt]);
    option::of((op, any::<u64>()).prop_map(|(op, value)| SetCounter { op, value }))
}

fn ttl() -> impl Strategy<Value = Ttl> {
    let op = select(vec![TtlOp::Eq, TtlOp::Ne, TtlOp::Lt, TtlOp::Gt]);
    (op, any::<u8>()).prop_map(|(op, value)| Ttl { op, value })
}

fn icmp() -> impl Strategy<Value = Not<IcmpType>> {
    not((any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, a, b)| IcmpType { kind, codes: (a.min(b), a.max(b)) }))
}

fn conntrack(family: Family) -> impl Strategy<Value = Conntrack> {
    let state = option::of(not((1..0x1ff_u16).prop_map(CtStates::from_bits_truncate)));
    let state = state.prop_map(|s| s.filter(|s| !s.value.is_empty()));
    let direction = option::of(select(vec![CtDirection::Original, CtDirection::Reply]));
    let protocol = option::of(not((1..=255_u8).prop_map(Protocol)));
    let addresses = prop::array::uniform4(option::of(masked(family)));
    let ports = prop::array::uniform4(option::of(not(range())));
    let status = option::of(not((0..16_u16).prop_map(CtStatus::from_bits_retain)));
    let expire = option::of(not((any::<u32>(), any::<u32>())));
    (state, direction, protocol, addresses, ports, status, expire).prop_map(
        |(state, direction, protocol, addresses, ports, status, expire)| {
            let [original_source, original_destination, reply_source, reply_destination] = addresses;
            let [original_source_port, original_destination_port, reply_source_port, reply_destination_port] = ports;
            Conntrack {
                state,
                protocol,
                original_source,
                original_destination,
                reply_source,
                reply_destination,
                original_source_port,
                original_destination_port,
                reply_source_port,
                reply_destination_port,
                status,
                expire,
                direction,
            }
        },
    )
}

/// One match, of those that `protocol` allows. TCP and UDP are not among them: there is one of these at most.
fn any_match(family: Family, protocol: Option<Protocol>) -> BoxedStrategy<Match> {
    let types = || option::of(not((1..0x1000_u16).prop_map(AddrTypes::from_bits_retain)));
    let limit = option::of(select(vec![AddrtypeLimit::In, AddrtypeLimit::Out]));
    let addrtype = (types(), types(), limit);
    let comment = prop_oneof!["[ -~]{0,40}", "[ -~]{200,255}"].prop_map(|c| Comment::new(&c).unwrap());
    let rates = [(1, RateUnit::Second), (10_000, RateUnit::Second), (7, RateUnit::Day), (90, RateUnit::Minute)];
    let set = (
        not(select(vec!["alpha", "beta"]).prop_map(|n| IpsetName::new(n).unwrap())),
        prop::collection::vec(select(vec![SetDirection::Source, SetDirection::Destination]), 1..=6),
        any::<[bool; 3]>(),
        counter(),
        counter(),
    );
    let mut all: Vec<BoxedStrategy<Match>> = vec![
        addrtype
            .prop_map(|(source, destination, limit)| Addrtype { source, destination, limit })
            .prop_map(Match::Addrtype)
            .boxed(),
        comment.prop_map(Match::Comment).boxed(),
        not(mark()).prop_map(Match::Connmark).boxed(),
        conntrack(family).prop_map(|c| Match::Conntrack(Box::new(c))).boxed(),
        not(0..64_u8).prop_map(Match::Dscp).boxed(),
        (option::of(not(addresses(family))), option::of(not(addresses(family))))
            .prop_map(|(source, destination)| Match::Iprange(Box::new(Iprange { source, destination })))
            .boxed(),
        not((any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b)))).prop_map(Match::Length).boxed(),
        (select(rates.to_vec()), 1..10_000_u32)
            .prop_map(|((rate, unit), burst)| Match::Limit(Limit { rate, unit, burst }))
            .boxed(),
        not(any::<[u8; 6]>()).prop_map(Match::Mac).boxed(),
        not(mark()).prop_map(Match::Mark).boxed(),
        owner().prop_map(Match::Owner).boxed(),
        physdev().prop_map(|p| Match::Physdev(Box::new(p))).boxed(),
        not(select(vec![Pkttype::Unicast, Pkttype::Broadcast, Pkttype::Multicast])).prop_map(Match::Pkttype).boxed(),
        (0..16_u8).prop_map(|f| Match::Rpfilter(Rpfilter::from_bits_retain(f))).boxed(),
        set.prop_map(|(name, directions, [return_nomatch, keep_counters, keep_subcounters], packets, bytes)| {
            Match::Set(Box::new(Set {
                name,
                directions,
                return_nomatch,
                keep_counters,
                keep_subcounters,
                packets,
                bytes,
            }))
        })
        .boxed(),
        not((1..0x80_u16).prop_map(|s| CtStates::from_bits_truncate(s) | CtStates::NEW)).prop_map(Match::State).boxed(),
        not((any::<u8>(), any::<u8>()).prop_map(|(value, mask)| Tos { value, mask })).prop_map(Match::Tos).boxed(),
    ];
    all.push(match family {
        Family::Ipv4 => ttl().prop_map(Match::Ttl).boxed(),
        Family::Ipv6 => ttl().prop_map(Match::Hl).boxed(),
    });
    match protocol {
        Some(Protocol::ICMP) => all.push(icmp().prop_map(Match::Icmp).boxed()),
        Some(Protocol::ICMPV6) => all.push(icmp().prop_map(Match::Icmp6).boxed()),
        Some(Protocol::SCTP) => {
            let all_ports = || option::of(not(range()));
            all.push((all_ports(), all_ports()).prop_map(|(sport, dport)| Match::Sctp(Sctp { sport, dport })).boxed());
        }
        Some(Protocol::DCCP) => {
            let all_ports = || option::of(not(range()));
            all.push((all_ports(), all_ports()).prop_map(|(sport, dport)| Match::Dccp(Dccp { sport, dport })).boxed());
        }
        _ => {}
    }
    if matches!(protocol, Some(Protocol::TCP | Protocol::UDP | Protocol::SCTP | Protocol::DCCP)) {
        all.push(multiport().prop_map(Match::Multiport).boxed());
    }
    proptest::strategy::Union::new(all).boxed()
}

fn multiport() -> impl Strategy<Value = Multiport> {
    let side = select(vec![MultiportSide::Source, MultiportSide::Destination, MultiportSide::Either]);
    (side, any::<bool>(), prop::collection::vec(range(), 1..=7)).prop_map(|(side, negated, ports)| Multiport {
        side,
        negated,
        ports,
    })
}

fn owner() -> impl Strategy<Value = Owner> {
    let ids = || option::of(not((any::<u32>(), any::<u32>()).prop_map(|(a, b)| (a.min(b), a.max(b)))));
    (option::of(not(Just(()))), ids(), ids(), any::<bool>()).prop_map(|(socket_exists, uid, gid, groups)| {
        let supplementary_groups = groups && gid.is_some();
        Owner { socket_exists, uid, gid, supplementary_groups }
    })
}

fn physdev() -> impl Strategy<Value = Physdev> {
    let flag = || option::of(not(Just(())));
    (option::of(interface()), option::of(interface()), flag(), flag(), flag())
        .prop_map(|(input, output, is_in, is_out, is_bridged)| Physdev { input, output, is_in, is_out, is_bridged })
}

fn matches(family: Family, protocol: Option<Protocol>) -> BoxedStrategy<Vec<Match>> {
    let others = prop::collection::vec(any_match(family, protocol), 0..4);
    let ported = match protocol {
        Some(Protocol::TCP) => {
            let flags = (any::<u8>(), any::<u8>()).prop_map(|(mask, set)| TcpFlags { mask, set: set & mask });
            let flags = option::of(not(flags)).prop_map(|f| f.filter(|f| f.negated || f.value.mask != 0));
            let tcp = (ports(), ports(), flags, option::weighted(0.2, not(1..=255_u8)));
            tcp.prop_map(|(sport, dport, flags, option)| Some(Match::Tcp(Tcp { sport, dport, flags, option }))).boxed()
        }
        Some(Protocol::UDP) => {
            (ports(), ports()).prop_map(|(sport, dport)| Some(Match::Udp(Udp { sport, dport }))).boxed()
        }
        _ => Just(None).boxed(),
    };
    (others, option::weighted(0.7, ported))
        .prop_map(|(mut matches, ported)| {
            matches.extend(ported.flatten());
            let by = matches.len() / 2;
            matches.rotate_right(by);
            matches
        })
        .boxed()
}

fn text(max: usize) -> impl Strategy<Value = Arc<str>> {
    prop::collection::vec(prop::char::range('!', '~'), 1..=max).prop_map(|c| c.into_iter().collect::<String>().into())
}

fn nat(family: Family) -> impl Strategy<Value = Nat> {
    (option::of(addresses(family)), option::of(range()), any::<[bool; 3]>()).prop_map(|(addresses, ports, flags)| {
        let bits = flags.into_iter().zip(2..).map(|(set, bit)| u32::from(set) << bit).sum();
        Nat { addresses, ports, base_port: None, options: NatOptions::from_bits_retain(bits) }
    })
}

fn target(family: Family, protocol: Option<Protocol>) -> BoxedStrategy<Target> {
    let chain = || "[A-Za-z0-9_-]{1,27}".prop_map(|n| ChainRef::Named(ChainName::new(&format!("c{n}")).unwrap()));
    let masks = || (any::<u32>(), any::<u32>());
    let connmark = prop_oneof![
        mark().prop_map(ConnmarkOp::Set),
        masks().prop_map(|(nfmask, ctmask)| ConnmarkOp::Save { nfmask, ctmask }),
        masks().prop_map(|(nfmask, ctmask)| ConnmarkOp::Restore { nfmask, ctmask }),
    ];
    let port_nat = || nat(family).prop_map(|n| PortNat { ports: n.ports, options: n.options });
    let dnat = (nat(family), option::of(any::<u16>())).prop_map(|(nat, base)| {
        let base_port = base.filter(|_| nat.ports.is_some_and(|p| !p.is_single()));
        Target::Dnat(Box::new(Nat { base_port, ..nat }))
    });
    let log = (0..8_u8, text(29), any::<bool>(), select(vec![0, 1, 2, 4, 8, 0x20, 0x2f])).prop_map(
        |(level, prefix, plain, flags)| {
            let prefix = if plain { "".into() } else { prefix };
            Target::Log(Log { level, prefix, flags: LogFlags::from_bits_retain(flags) })
        },
    );
    let nflog = (any::<u16>(), option::of(text(127)), option::of(any::<u32>()), option::of(1..=u16::MAX))
        .prop_map(|(group, prefix, size, threshold)| Target::Nflog(Nflog { group, prefix, size, threshold }));
    let rejects = match family {
        Family::Ipv4 => vec![Reject::PortUnreachable, Reject::NetUnreachable, Reject::AdminProhibited],
        Family::Ipv6 => vec![Reject::PortUnreachable, Reject::NoRoute, Reject::RejectRoute],
    };
    let mut all = vec![
        select(vec![Target::Accept, Target::Drop, Target::Return, Target::Checksum, Target::Notrack]).boxed(),
        chain().prop_map(Target::Jump).boxed(),
        chain().prop_map(Target::Goto).boxed(),
        any::<u32>().prop_map(Target::Classify).boxed(),
        (connmark, -32..=32_i8).prop_map(|(op, shift)| Target::Connmark(Connmark { op, shift })).boxed(),
        ct().prop_map(|ct| Target::Ct(Box::new(ct))).boxed(),
        dnat.boxed(),
        log.boxed(),
        mark().prop_map(Target::Mark).boxed(),
        port_nat().prop_map(Target::Masquerade).boxed(),
        nflog.boxed(),
        port_nat().prop_map(Target::Redirect).boxed(),
        select(rejects).prop_map(Target::Reject).boxed(),
        nat(family).prop_map(|n| Target::Snat(Box::new(n))).boxed(),
    ];
    if protocol == Some(Protocol::TCP) {
        all.push(Just(Target::Reject(Reject::TcpReset)).boxed());
        all.push((0..u16::MAX).prop_map(|m| Target::Tcpmss(Tcpmss::Set(m))).boxed());
        all.push(Just(Target::Tcpmss(Tcpmss::ClampToPmtu)).boxed());
    }
    proptest::strategy::Union::new(all).boxed()
}

fn ct() -> impl Strategy<Value = Ct> {
    let direction = select(vec![CtZoneDirection::Both, CtZoneDirection::Original, CtZoneDirection::Reply]);
    let id = prop_oneof![(1..=u16::MAX).prop_map(CtZoneId::Number), Just(CtZoneId::Mark)];
    let zone = option::of((direction, id).prop_map(|(direction, id)| CtZone { direction, id }));
    let events = option::of((1..1024_u32).prop_map(CtEvents::from_bits_retain));
    (any::<bool>(), option::of(text(15)), option::of(text(31)), events, any::<bool>(), zone).prop_map(
        |(notrack, helper, timeout, events, expect_new, zone)| Ct {
            notrack,
            helper,
            timeout,
            events,
            expect_new,
            zone,
        },
    )
}
