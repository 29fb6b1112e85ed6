//! Random rules in the form in which rules are kept: what text can say. `src/compile/arbitrary.rs` of the core, which only
//! the core's unit tests can see, makes what an encoding can hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nftwrap::name::{Comment, InterfaceName, IpsetName};
use nftwrap::rule::matches::{
    AddrTypes, Addrtype, AddrtypeLimit, Conntrack, CtDirection, CtStates, CtStatus, Dccp, IcmpType, Iprange, Limit,
    Multiport, MultiportSide, Owner, Physdev, Pkttype, RateUnit, Rpfilter, Sctp, Set, SetCounter, SetCounterOp,
    SetDirection, Tcp, TcpFlags, Tos, Ttl, TtlOp, Udp,
};
use nftwrap::rule::targets::{
    Connmark, ConnmarkOp, Ct, CtEvents, CtZone, CtZoneDirection, CtZoneId, Log, LogFlags, Nat, NatOptions, Nflog,
    PortNat, Reject, Tcpmss,
};
use nftwrap::rule::{
    ChainRef, Family, InterfaceMatch, MarkMask, Masked, Match, Not, PortRange, Protocol, Rule, Target,
};
use proptest::option::of;
use proptest::prelude::*;

/// A family and a rule of it.
pub(crate) fn rule() -> impl Strategy<Value = (Family, Rule)> {
    (prop::sample::select(&Family::BOTH[..]), prop::sample::select(&[0u8, 1, 6, 17, 33, 58, 132, 136, 47][..]))
        .prop_flat_map(|(family, protocol)| (Just(family), whole(family, Protocol(protocol))))
}

fn whole(family: Family, protocol: Protocol) -> impl Strategy<Value = Rule> {
    let address = move || of(not(masked(family)));
    let interface = || of(not(interface()));
    let matches = prop::collection::vec(any_match(family, protocol), 0..4);
    let fragment = if family == Family::Ipv4 { of(not(Just(()))).boxed() } else { Just(None).boxed() };
    let parts = (address(), address(), interface(), interface(), fragment, matches, of(target(family, protocol)));
    parts.prop_map(move |(source, destination, input, output, fragment, mut matches, target)| {
        // TCP and UDP have one match a rule.
        let mut seen = false;
        matches.retain(|m| !matches!(m, Match::Tcp(_) | Match::Udp(_)) || !std::mem::replace(&mut seen, true));
        let mut rule = Rule::new().protocol(Not::is(protocol));
        rule.source = source.filter(|s| s.negated || !s.value.is_any());
        rule.destination = destination.filter(|d| d.negated || !d.value.is_any());
        rule.input = input.filter(|i| i.negated || i.value != InterfaceMatch::Any);
        rule.output = output.filter(|o| o.negated || o.value != InterfaceMatch::Any);
        Rule { fragment, matches, target, ..rule }
    })
}

fn not<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Not<T>> {
    (any::<bool>(), value).prop_map(|(negated, value)| Not { negated, value })
}

fn address(family: Family) -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(move |bits| match family {
        Family::Ipv4 => Ipv4Addr::from(bits as u32).into(),
        // Short ones too, whose text is special.
        Family::Ipv6 => Ipv6Addr::from(bits >> (bits % 100)).into(),
    })
}

fn masked(family: Family) -> impl Strategy<Value = Masked> {
    (address(family), any::<u128>(), 0..=128u32, any::<bool>()).prop_map(|(address, odd, len, prefix)| match address {
        IpAddr::V4(addr) => {
            let mask = if prefix { u32::MAX.checked_shl(32 - len / 4).unwrap_or(0) } else { odd as u32 };
            Masked::v4(addr, mask.into())
        }
        IpAddr::V6(addr) => {
            let mask = if prefix { u128::MAX.checked_shl(128 - len).unwrap_or(0) } else { odd };
            Masked::v6(addr, mask.into())
        }
    })
}

fn interface() -> impl Strategy<Value = InterfaceMatch> {
    let name = |text: String| InterfaceName::new(&text).unwrap();
    prop_oneof![
        "[a-z][a-z0-9.@:-]{0,14}".prop_map(move |text| InterfaceMatch::Name(name(text))),
        "[a-z][a-z0-9.@:-]{0,12}".prop_map(move |text| InterfaceMatch::Prefix(name(text))),
        Just(InterfaceMatch::Any),
    ]
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop_oneof![
        any::<u16>().prop_map(PortRange::single),
        (any::<u16>(), any::<u16>()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap()),
        Just(PortRange::ALL),
    ]
}

fn pair<T: Arbitrary + Ord>() -> impl Strategy<Value = (T, T)> {
    (any::<T>(), any::<T>()).prop_map(|(a, b)| if a <= b { (a, b) } else { (b, a) })
}

fn mark() -> impl Strategy<Value = MarkMask> {
    prop_oneof![
        any::<u32>().prop_map(MarkMask::exact),
        (any::<u32>(), any::<u32>()).prop_map(|(value, mask)| MarkMask { value, mask }),
    ]
}

fn text(longest: usize) -> impl Strategy<Value = String> {
    ".{1,40}".prop_map(move |text| {
        let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
        while text.len() > longest {
            text.pop();
        }
        if text.is_empty() { "a \"b\" \\ 'c'".to_owned() } else { text }
    })
}

/// What full ranges of TCP and UDP are kept as.
fn useful(ports: Option<Not<PortRange>>) -> Option<Not<PortRange>> {
    ports.filter(|p| p.negated || p.value != PortRange::ALL)
}

fn any_match(family: Family, protocol: Protocol) -> BoxedStrategy<Match> {
    let both = move || (of(not(ports())), of(not(ports())));
    let icmp = || {
        let one = (any::<u8>(), of(any::<u8>()));
        not(one.prop_map(|(kind, code)| code.map_or(IcmpType::new(kind), |code| IcmpType::with_code(kind, code))))
    };
    let of_protocol = match (protocol, family) {
        (Protocol::TCP, _) => {
            let flags = (0..64u8, 0..64u8).prop_map(|(mask, set)| TcpFlags { mask: mask | 1, set });
            let parts = (both(), of(not(flags)), of(not(1..=255u8)));
            parts
                .prop_map(|((sport, dport), flags, option)| {
                    Match::Tcp(Tcp { sport: useful(sport), dport: useful(dport), flags, option })
                })
                .boxed()
        }
        (Protocol::UDP, _) => both().prop_map(|(s, d)| Match::Udp(Udp { sport: useful(s), dport: useful(d) })).boxed(),
        (Protocol::SCTP, _) => both().prop_map(|(sport, dport)| Match::Sctp(Sctp { sport, dport })).boxed(),
        (Protocol::DCCP, _) => both().prop_map(|(sport, dport)| Match::Dccp(Dccp { sport, dport })).boxed(),
        (Protocol::ICMP, Family::Ipv4) => icmp().prop_map(Match::Icmp).boxed(),
        (Protocol::ICMPV6, Family::Ipv6) => icmp().prop_map(Match::Icmp6).boxed(),
        _ => Just(Match::Rpfilter(Rpfilter::empty())).boxed(),
    };
    let multiport = match protocol {
        Protocol::TCP | Protocol::UDP | Protocol::SCTP | Protocol::DCCP | Protocol::UDPLITE => {
            let sides = [MultiportSide::Source, MultiportSide::Destination, MultiportSide::Either];
            let parts = (prop::sample::select(sides.to_vec()), any::<bool>(), prop::collection::vec(ports(), 1..=7));
            parts.prop_map(|(side, negated, ports)| Match::Multiport(Multiport { side, negated, ports })).boxed()
        }
        _ => Just(Match::Rpfilter(Rpfilter::all())).boxed(),
    };
    prop_oneof![4 => of_protocol, 2 => multiport, 8 => simple(family), 3 => large(family)].boxed()
}

fn simple(family: Family) -> BoxedStrategy<Match> {
    let ttl = (prop::sample::select(vec![TtlOp::Eq, TtlOp::Ne, TtlOp::Lt, TtlOp::Gt]), any::<u8>());
    let ttl = ttl.prop_map(move |(op, value)| match family {
        Family::Ipv4 => Match::Ttl(Ttl { op, value }),
        Family::Ipv6 => Match::Hl(Ttl { op, value }),
    });
    let limit = (1..60u32, prop::sample::select(vec![RateUnit::Day, RateUnit::Hour]), 1..=10_000u32);
    let states = (1..=0x1ffu16).prop_map(CtStates::from_bits_truncate).prop_filter("none", |s| !s.is_empty());
    let states = states.prop_map(|s| s - (CtStates::SNAT | CtStates::DNAT)).prop_filter("none", |s| !s.is_empty());
    let kinds = vec![Pkttype::Unicast, Pkttype::Broadcast, Pkttype::Multicast];
    prop_oneof![
        text(255).prop_map(|text| Match::Comment(Comment::new(&text).unwrap())),
        not(mark()).prop_map(Match::Mark),
        not(mark()).prop_map(Match::Connmark),
        not(0..=63u8).prop_map(Match::Dscp),
        ttl,
        not(pair()).prop_map(Match::Length),
        limit.prop_map(|(rate, unit, burst)| Match::Limit(Limit { rate: rate % 20 + 1, unit, burst })),
        not(any::<[u8; 6]>()).prop_map(Match::Mac),
        not(prop::sample::select(kinds)).prop_map(Match::Pkttype),
        any::<u8>().prop_map(|bits| Match::Rpfilter(Rpfilter::from_bits_truncate(bits))),
        not(states).prop_map(Match::State),
        not((any::<u8>(), any::<u8>()).prop_map(|(value, mask)| Tos { value, mask })).prop_map(Match::Tos),
    ]
    .boxed()
}

fn large(family: Family) -> BoxedStrategy<Match> {
    let types = || not((1..=0xfffu16).prop_map(AddrTypes::from_bits_truncate));
    let addrtype = (types(), of(types()), of(prop::sample::select(vec![AddrtypeLimit::In, AddrtypeLimit::Out])));
    let addrtype = addrtype.prop_map(|(source, destination, limit)| {
        Match::Addrtype(Addrtype { source: Some(source), destination, limit })
    });
    let range = move || of(not((address(family), address(family))));
    let iprange = (not((address(family), address(family))), range())
        .prop_map(|(s, destination)| Match::Iprange(Box::new(Iprange { source: Some(s), destination })));
    let ids = || not(pair::<u32>().prop_map(|(a, b)| (a.min(u32::MAX - 1), b.min(u32::MAX - 1))));
    let owner = (of(not(Just(()))), of(ids()), ids(), any::<bool>());
    let owner = owner.prop_map(|(socket_exists, uid, gid, supplementary_groups)| {
        Match::Owner(Owner { socket_exists, uid, gid: Some(gid), supplementary_groups })
    });
    let flag = || of(not(Just(())));
    let physdev = (of(not(interface())), of(not(interface())), flag(), flag(), not(Just(())));
    let physdev = physdev.prop_map(|(input, output, is_in, is_out, bridged)| {
        Match::Physdev(Box::new(Physdev { input, output, is_in, is_out, is_bridged: Some(bridged) }))
    });
    let op = prop::sample::select(vec![SetCounterOp::Eq, SetCounterOp::Ne, SetCounterOp::Lt, SetCounterOp::Gt]);
    let counter = move || of((op.clone(), any::<u64>()).prop_map(|(op, value)| SetCounter { op, value }));
    let directions = prop::sample::select(vec![SetDirection::Source, SetDirection::Destination]);
    let directions = prop::collection::vec(directions, 1..=6);
    let name = not("[A-Za-z][A-Za-z0-9_-]{0,30}".prop_map(|text| IpsetName::new(&text).unwrap()));
    let set = (name, directions, any::<[bool; 3]>(), counter(), counter());
    let set = set.prop_map(|(name, directions, [return_nomatch, keep_counters, keep_subcounters], packets, bytes)| {
        let flags = (return_nomatch, keep_counters, keep_subcounters);
        let (return_nomatch, keep_counters, keep_subcounters) = flags;
        Match::Set(Box::new(Set { name, directions, return_nomatch, keep_counters, keep_subcounters, packets, bytes }))
    });
    prop_oneof![addrtype, iprange, owner, physdev, set, conntrack(family)].boxed()
}

fn conntrack(family: Family) -> BoxedStrategy<Match> {
    let raw = move || {
        of(not((address(family), 0..=128u32).prop_map(|(address, len)| match address {
            IpAddr::V4(addr) => Masked::V4 { addr, mask: u32::MAX.checked_shl(32 - len / 4).unwrap_or(0).into() },
            IpAddr::V6(addr) => Masked::V6 { addr, mask: u128::MAX.checked_shl(128 - len).unwrap_or(0).into() },
        })))
    };
    let ports = || of(not(ports()));
    let states = (1..=0x1ffu16).prop_map(CtStates::from_bits_truncate).prop_filter("none", |s| !s.is_empty());
    let status = any::<u16>().prop_map(CtStatus::from_bits_truncate);
    let direction = of(prop::sample::select(vec![CtDirection::Original, CtDirection::Reply]));
    let rest = (of(not(status)), of(not(pair())), direction);
    let protocol = of(not((1..=255u8).prop_map(Protocol)));
    (not(states), protocol, [raw(), raw(), raw(), raw()], [ports(), ports(), ports(), ports()], rest)
        .prop_map(|(state, protocol, [os, od, rs, rd], [osp, odp, rsp, rdp], (status, expire, direction))| {
            Match::Conntrack(Box::new(Conntrack {
                state: Some(state),
                protocol,
                original_source: os,
                original_destination: od,
                reply_source: rs,
                reply_destination: rd,
                original_source_port: osp,
                original_destination_port: odp,
                reply_source_port: rsp,
                reply_destination_port: rdp,
                status,
                expire,
                direction,
            }))
        })
        .boxed()
}

fn target(family: Family, protocol: Protocol) -> BoxedStrategy<Target> {
    let with_ports = matches!(
        protocol,
        Protocol::TCP | Protocol::UDP | Protocol::SCTP | Protocol::DCCP | Protocol::ICMP | Protocol::ICMPV6
    );
    let chain = || "\\$?[a-z][a-z0-9_.-]{0,27}".prop_map(|name| ChainRef::new(&name).unwrap());
    let answers = match family {
        Family::Ipv4 => vec![Reject::PortUnreachable, Reject::NetUnreachable, Reject::AdminProhibited],
        Family::Ipv6 => vec![Reject::PortUnreachable, Reject::NoRoute, Reject::RejectRoute],
    };
    let op = prop_oneof![
        mark().prop_map(ConnmarkOp::Set),
        (any::<u32>(), any::<u32>()).prop_map(|(nfmask, ctmask)| ConnmarkOp::Save { nfmask, ctmask }),
        (any::<u32>(), any::<u32>()).prop_map(|(nfmask, ctmask)| ConnmarkOp::Restore { nfmask, ctmask }),
    ];
    let log = (0..=7u8, prop_oneof![Just(String::new()), text(29)], any::<u8>());
    let log = log.prop_map(|(level, prefix, flags)| {
        Target::Log(Log { level, prefix: prefix.into(), flags: LogFlags::from_bits_truncate(flags) })
    });
    let nflog = (any::<u16>(), of(text(127)), of(any::<u32>()), of(1..=u16::MAX));
    let nflog = nflog.prop_map(|(group, prefix, size, threshold)| {
        Target::Nflog(Nflog { group, prefix: prefix.map(Into::into), size, threshold })
    });
    let port = move || if with_ports { of(ports()).boxed() } else { Just(None).boxed() };
    let nat = move |options: NatOptions| {
        let addresses = (address(family), address(family));
        (addresses, port(), any::<u32>()).prop_map(move |(addresses, ports, bits)| Nat {
            addresses: Some(addresses),
            ports,
            base_port: None,
            options: NatOptions::from_bits_truncate(bits) & options,
        })
    };
    let port_nat = move |options: NatOptions| {
        (port(), any::<u32>())
            .prop_map(move |(ports, bits)| PortNat { ports, options: NatOptions::from_bits_truncate(bits) & options })
    };
    let dnat = nat(NatOptions::RANDOM | NatOptions::PERSISTENT).prop_flat_map(|nat| {
        let shifted = nat.ports.is_some_and(|p| !p.is_single());
        let base = if shifted { of(any::<u16>()).boxed() } else { Just(None).boxed() };
        base.prop_map(move |base_port| Target::Dnat(Box::new(Nat { base_port, ..nat.clone() })))
    });
    let tcpmss = match protocol {
        Protocol::TCP => any::<u16>().prop_map(|size| Target::Tcpmss(Tcpmss::Set(size))).boxed(),
        _ => Just(Target::Checksum).boxed(),
    };
    prop_oneof![
        prop::sample::select(vec![Target::Accept, Target::Drop, Target::Return, Target::Checksum, Target::Notrack]),
        chain().prop_map(Target::Jump),
        chain().prop_map(Target::Goto),
        any::<u32>().prop_map(Target::Classify),
        (op, -32..=32i8).prop_map(|(op, shift)| Target::Connmark(Connmark { op, shift })),
        ct(),
        dnat,
        log,
        mark().prop_map(Target::Mark),
        port_nat(NatOptions::RANDOM | NatOptions::RANDOM_FULLY).prop_map(Target::Masquerade),
        nflog,
        port_nat(NatOptions::RANDOM).prop_map(Target::Redirect),
        prop::sample::select(answers).prop_map(Target::Reject),
        nat(NatOptions::all()).prop_map(|nat| Target::Snat(Box::new(nat))),
        tcpmss,
    ]
    .boxed()
}

fn ct() -> impl Strategy<Value = Target> {
    let directions = vec![CtZoneDirection::Both, CtZoneDirection::Original, CtZoneDirection::Reply];
    let id = prop_oneof![Just(CtZoneId::Mark), any::<u16>().prop_map(CtZoneId::Number)];
    let zone = (prop::sample::select(directions), id).prop_map(|(direction, id)| CtZone { direction, id });
    let events = (1..=0x3ffu32).prop_map(CtEvents::from_bits_truncate);
    let names = (of("[a-z][a-z0-9-]{0,14}"), of("[a-z][a-z0-9-]{0,30}"));
    (any::<bool>(), names, of(events), any::<bool>(), of(zone)).prop_map(
        |(notrack, (helper, timeout), events, expect_new, zone)| {
            let (helper, timeout) = (helper.map(Into::into), timeout.map(Into::into));
            Target::Ct(Box::new(Ct { notrack, helper, timeout, events, expect_new, zone }))
        },
    )
}
