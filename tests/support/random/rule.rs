//! Random rules, of few values, so that they meet each other and the packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nftwrap::name::{Comment, InterfaceName};
use nftwrap::rule::matches::{
    AddrTypes, Addrtype, Conntrack, CtDirection, CtStates, CtStatus, IcmpType, Iprange, Limit, Multiport,
    MultiportSide, Owner, Physdev, Pkttype, RateUnit, Tcp, TcpFlags, Tos, Ttl, TtlOp, Udp,
};
use nftwrap::rule::targets::{
    Connmark, ConnmarkOp, Ct, CtZone, CtZoneDirection, CtZoneId, Log, LogFlags, Nat, NatOptions, Nflog, PortNat, Reject,
};
use nftwrap::rule::{
    ChainRef, Family, InterfaceMatch, MarkMask, Masked, Match, Not, PortRange, Protocol, Rule, Target,
};
use nftwrap::wrap::{ChainKind, Table, TableKind};

use super::model;
use super::model::{Generator, Rules, Spot, interfaces};

const DSCP: Tos = Tos { value: 0x28, mask: 0xfc };

impl Generator {
    /// A rule with anything in it.
    pub(crate) fn rule(&mut self, table: &Table, spot: Spot, chain: &str) -> Rule {
        let mut rule = Rule::new();
        for _ in 0..self.random.below(4) {
            rule = self.condition(rule, spot, chain);
        }
        rule.target = self.target(table, spot, chain, rule.protocol);
        if self.random.one_in(6) {
            let text = format!("rule {}", self.random.below(4));
            rule = rule.comment(Comment::new(&text).unwrap());
        }
        rule
    }

    /// Adds one condition.
    pub(super) fn condition(&mut self, rule: Rule, spot: Spot, chain: &str) -> Rule {
        let (may_in, may_out) = interfaces(spot, chain);
        let negated = self.random.one_in(5);
        match self.random.below(14) {
            0 => Rule { source: Some(self.masked(spot.family)), ..rule },
            1 => Rule { destination: Some(self.masked(spot.family)), ..rule },
            2 if may_in => Rule { input: Some(Not { negated, value: self.interface() }), ..rule },
            3 if may_out => Rule { output: Some(Not { negated, value: self.interface() }), ..rule },
            4 if rule.protocol.is_none() => {
                let range = self.port_range();
                match self.random.below(6) {
                    0 => rule.tcp().dport(Not { negated, value: range }),
                    1 => rule.udp().dport(Not { negated, value: range }),
                    2 => rule.udp().sport(self.port_range()).dport(range),
                    3 => rule.protocol(Not { negated, value: Protocol::UDP }),
                    4 => {
                        let flags = *self.random.pick(&[TcpFlags::SYN, TcpFlags { mask: 0x12, set: 0x12 }]);
                        let flags = Some(Not { negated, value: flags });
                        rule.tcp().matching(Match::Tcp(Tcp { flags, ..Tcp::default() }))
                    }
                    _ => rule.udp().matching(Match::Udp(Udp::default())),
                }
            }
            5 if rule.protocol.is_none() => {
                let kinds = [IcmpType::new(8), IcmpType::new(0), IcmpType::with_code(3, 3), IcmpType::new(128)];
                let value = *self.random.pick(&kinds);
                match spot.family {
                    Family::Ipv4 => rule.icmp().matching(Match::Icmp(Not { negated, value })),
                    Family::Ipv6 => rule.icmpv6().matching(Match::Icmp6(Not { negated, value })),
                }
            }
            6 if rule.protocol.is_none() => {
                let side =
                    *self.random.pick(&[MultiportSide::Source, MultiportSide::Destination, MultiportSide::Either]);
                let ports = (0..self.random.between(1, 5)).map(|_| self.port_range()).collect();
                let rule = if self.random.one_in(2) { rule.tcp() } else { rule.udp() };
                rule.matching(Match::Multiport(Multiport { side, negated, ports }))
            }
            7 if spot.kind != TableKind::Raw => {
                let states = [CtStates::NEW, CtStates::ESTABLISHED, CtStates::RELATED, CtStates::INVALID];
                let value = *self.random.pick(&states) | *self.random.pick(&states);
                rule.matching(Match::State(Not { negated, value }))
            }
            8 => {
                let mask = *self.random.pick(&[u32::MAX, 0xffff, 0xff]);
                let value = self.random.below(6) as u32;
                rule.mark(Not { negated, value: MarkMask { value, mask } })
            }
            9 if spot.incoming && may_in => {
                rule.matching(Match::Mac(Not { negated, value: mac(self.random.below(6)) }))
            }
            10 if self.rules == Rules::All => self.unusual(rule, spot, negated),
            11 => {
                let (a, b) = (self.random.below(20), self.random.below(20));
                let value = (host(spot.family, a.min(b)), host(spot.family, a.max(b)));
                let range = Iprange { source: Some(Not { negated, value }), destination: None };
                rule.matching(Match::Iprange(Box::new(range)))
            }
            12 if !spot.incoming => {
                let uid = Some(Not { negated, value: (0, self.random.below(3) as u32) });
                rule.matching(Match::Owner(Owner { uid, ..Owner::default() }))
            }
            _ => rule.matching(Match::Length(Not { negated, value: (28, 28 + self.random.below(60) as u16) })),
        }
    }

    /// A match that few hosts use.
    fn unusual(&mut self, mut rule: Rule, spot: Spot, negated: bool) -> Rule {
        let value = MarkMask { value: self.random.below(4) as u32, mask: 0xff };
        let m = match self.random.below(9) {
            0 if spot.kind != TableKind::Raw => Match::Connmark(Not { negated, value }),
            1 if spot.kind != TableKind::Raw => {
                let mut m = Conntrack::default();
                match self.random.below(5) {
                    0 => m.direction = Some(CtDirection::Reply),
                    1 => m.status = Some(Not { negated, value: CtStatus::ASSURED }),
                    2 => m.original_source = Some(self.masked(spot.family)),
                    3 => m.reply_destination_port = Some(Not { negated, value: self.port_range() }),
                    _ => m.expire = Some(Not { negated, value: (10, 100) }),
                }
                if self.random.one_in(2) {
                    let states = [CtStates::NEW, CtStates::ESTABLISHED, CtStates::INVALID, CtStates::SNAT];
                    m.state = Some(Not { negated: self.random.one_in(4), value: *self.random.pick(&states) });
                }
                Match::Conntrack(Box::new(m))
            }
            2 => Match::Tos(Not { negated, value: *self.random.pick(&[Tos { value: 0x10, mask: 0x3f }, DSCP]) }),
            3 => {
                let op = *self.random.pick(&[TtlOp::Eq, TtlOp::Ne, TtlOp::Lt, TtlOp::Gt]);
                let ttl = Ttl { op, value: 64 };
                if spot.family == Family::Ipv4 { Match::Ttl(ttl) } else { Match::Hl(ttl) }
            }
            4 => Match::Pkttype(Not { negated, value: *self.random.pick(&[Pkttype::Unicast, Pkttype::Multicast]) }),
            5 => Match::Limit(Limit { rate: 10, unit: RateUnit::Second, burst: 5 }),
            6 if spot.family == Family::Ipv4 => {
                let types = *self.random.pick(&[AddrTypes::LOCAL, AddrTypes::UNICAST | AddrTypes::LOCAL]);
                let destination = Some(Not { negated, value: types });
                Match::Addrtype(Addrtype { destination, ..Addrtype::default() })
            }
            7 => {
                let input = Some(Not { negated, value: self.interface() });
                Match::Physdev(Box::new(Physdev { input, ..Physdev::default() }))
            }
            8 if rule.protocol.is_none() => {
                rule = rule.tcp();
                let option = Some(Not { negated, value: *self.random.pick(&[2, 3, 8, 1]) });
                Match::Tcp(Tcp { option, ..Tcp::default() })
            }
            _ if spot.family == Family::Ipv4 && rule.fragment.is_none() && rule.protocol.is_none() => {
                rule.fragment = Some(Not { negated, value: () });
                return rule;
            }
            _ => return rule,
        };
        rule.matching(m)
    }

    fn interface(&mut self) -> InterfaceMatch {
        match self.random.below(6) {
            0 => InterfaceMatch::new("tap+").unwrap(),
            1 => InterfaceMatch::new("tap1+").unwrap(),
            2 => InterfaceMatch::new("eth0").unwrap(),
            _ => interface(self.random.below(12)),
        }
    }

    fn port_range(&mut self) -> PortRange {
        let first = port(self.random.below(30));
        match self.random.below(8) {
            0 => PortRange::ALL,
            1 => PortRange::new(0, first).unwrap(),
            2..4 => PortRange::new(first, first + self.random.below(30) as u16).unwrap(),
            _ => PortRange::single(first),
        }
    }

    /// Addresses and prefixes that lie in each other.
    pub(crate) fn masked(&mut self, family: Family) -> Not<Masked> {
        let negated = self.random.one_in(7);
        let n = self.random.below(24);
        let value = match self.random.below(4) {
            0 => prefix(family, n, 0),
            1 => prefix(family, n, self.random.below(8)),
            2 => prefix(family, n, *self.random.pick(&[8, 16])),
            _ => prefix(family, n, 0),
        };
        Not { negated, value }
    }

    /// Chains on the way down from here.
    pub(super) fn chains(&mut self, table: &Table, spot: Spot) -> Vec<ChainRef> {
        table
            .chains()
            .filter(|chain| matches!(chain.kind(), ChainKind::Wrapped | ChainKind::Shared))
            .filter(|chain| {
                let place = model::spot(table, chain.name().as_str());
                place.incoming == spot.incoming && place.level > spot.level
            })
            .map(|chain| ChainRef::Named(chain.name().clone()))
            .collect()
    }

    /// A target that may stand there; `None` for a rule that does nothing.
    pub(super) fn target(
        &mut self,
        table: &Table,
        spot: Spot,
        chain: &str,
        protocol: Option<Not<Protocol>>,
    ) -> Option<Target> {
        let chains = self.chains(table, spot);
        if !chains.is_empty() && self.random.one_in(2) {
            let chain = self.random.pick(&chains).clone();
            return Some(self.leads(chain));
        }
        if self.random.one_in(2) {
            let plain = [Target::Accept, Target::Drop, Target::Return];
            // A packet is not to be dropped in nat.
            let plain = if spot.kind == TableKind::Nat { &[Target::Accept, Target::Return][..] } else { &plain };
            return Some(self.random.pick(plain).clone());
        }
        let n = self.random.below(5) as u32;
        let mask = *self.random.pick(&[u32::MAX, 0xff, 0xf0]);
        match (spot.kind, self.random.below(5)) {
            (_, 0) if self.random.one_in(2) => None,
            (_, 0) if self.rules == Rules::All => Some(match self.random.below(2) {
                0 => Target::Nflog(Nflog { group: n as u16, ..Nflog::default() }),
                _ => Target::Log(Log { level: 4, prefix: format!("log {n} ").into(), flags: LogFlags::empty() }),
            }),
            (TableKind::Filter, 1) => Some(Target::Reject(match (spot.family, self.random.below(3)) {
                (_, 0) => Reject::PortUnreachable,
                (_, 1) if protocol == Some(Not::is(Protocol::TCP)) => Reject::TcpReset,
                (Family::Ipv4, _) => Reject::AdminProhibited,
                (Family::Ipv6, _) => Reject::AdmProhibited6,
            })),
            (TableKind::Raw, 1..4) => {
                let directions = [CtZoneDirection::Both, CtZoneDirection::Both, CtZoneDirection::Original];
                Some(Target::Ct(Box::new(zone(n as u16 + 1, *self.random.pick(&directions)))))
            }
            (TableKind::Mangle, 1) if self.rules == Rules::All => Some(Target::Classify(n)),
            (TableKind::Mangle, 2) if self.rules == Rules::All => {
                let op = match self.random.below(3) {
                    0 => ConnmarkOp::Set(MarkMask { value: n, mask }),
                    1 => ConnmarkOp::Save { nfmask: mask, ctmask: u32::MAX },
                    _ => ConnmarkOp::Restore { nfmask: mask, ctmask: mask },
                };
                Some(Target::Connmark(Connmark { op, shift: 0 }))
            }
            (TableKind::Mangle, _) => Some(Target::Mark(MarkMask { value: n, mask })),
            (TableKind::Nat, 1..4) if self.rules == Rules::All => Some(self.nat(spot, chain, protocol)),
            _ => Some(Target::Return),
        }
    }

    fn nat(&mut self, spot: Spot, chain: &str, protocol: Option<Not<Protocol>>) -> Target {
        let with_ports = [Not::is(Protocol::TCP), Not::is(Protocol::UDP)].map(Some).contains(&protocol);
        let ports = Some(PortRange::new(8000, 8010).unwrap()).filter(|_| with_ports && self.random.one_in(2));
        let address = host(spot.family, self.random.below(9));
        let options = NatOptions::empty();
        let to = Box::new(Nat { addresses: Some((address, address)), ports, base_port: None, options });
        match (chain, self.random.below(2)) {
            ("PREROUTING" | "OUTPUT", 0) => Target::Dnat(to),
            ("PREROUTING" | "OUTPUT", _) => Target::Redirect(PortNat { ports, options }),
            ("POSTROUTING", 1) => Target::Masquerade(PortNat { ports, options }),
            ("INPUT" | "POSTROUTING", _) => Target::Snat(to),
            _ => Target::Return,
        }
    }
}

pub(super) fn zone(id: u16, direction: CtZoneDirection) -> Ct {
    Ct { zone: Some(CtZone { direction, id: CtZoneId::Number(id) }), ..Ct::default() }
}

/// The address of an instance. All lie in one prefix: 198.18.0.0/16 or 2001:db8:0:1::/112.
pub(crate) fn host(family: Family, n: usize) -> IpAddr {
    let n = u32::try_from(n).unwrap();
    match family {
        Family::Ipv4 => Ipv4Addr::from(0xc612_0000 + n).into(),
        Family::Ipv6 => Ipv6Addr::from(0x2001_0db8_0000_0001_0000_0000_0000_0000 + u128::from(n)).into(),
    }
}

/// The prefix around an address that leaves so many bits free.
pub(crate) fn prefix(family: Family, n: usize, free: usize) -> Masked {
    match host(family, n) {
        IpAddr::V4(v4) => Masked::v4(v4, Ipv4Addr::from(u32::MAX << free)),
        IpAddr::V6(v6) => Masked::v6(v6, Ipv6Addr::from(u128::MAX << free)),
    }
}

pub(crate) fn interface_name(n: usize) -> InterfaceName {
    InterfaceName::new(&format!("tap{n}")).unwrap()
}

pub(super) fn interface(n: usize) -> InterfaceMatch {
    InterfaceMatch::Name(interface_name(n))
}

pub(crate) fn mac(n: usize) -> [u8; 6] {
    [0xfa, 0x16, 0x3e, 0, 0, n as u8]
}

pub(crate) fn port(n: usize) -> u16 {
    5000 + 3 * n as u16
}
