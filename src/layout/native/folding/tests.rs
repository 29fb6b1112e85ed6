//! Folded lists against the lists that they were made of, by an evaluator that knows no sets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::layout::native::field::{Field, address_bytes, name_bytes};
use crate::name::{Comment, InterfaceName};
use crate::rule::matches::{Limit, Multiport, MultiportSide, RateUnit, Tcp, Udp};
use crate::rule::{ChainRef, InterfaceMatch, MarkMask, Masked, Match, Not, PortRange, Protocol};

/// A packet as far as these tests look at it.
#[derive(Debug, Clone)]
pub(in crate::layout::native) struct Packet {
    pub(in crate::layout::native) input: &'static str,
    pub(in crate::layout::native) source: IpAddr,
    pub(in crate::layout::native) destination: IpAddr,
    pub(in crate::layout::native) mac: [u8; 6],
    pub(in crate::layout::native) protocol: Protocol,
    pub(in crate::layout::native) ports: (u16, u16),
}

impl Packet {
    /// Whether it matches everything that the rule asks.
    pub(in crate::layout::native) fn matches(&self, rule: &Rule) -> bool {
        let address = |asked: Option<Not<Masked>>, address: IpAddr| {
            asked.is_none_or(|asked| {
                let same = match (asked.value, address) {
                    (Masked::V4 { addr, mask }, IpAddr::V4(a)) => a & mask == addr,
                    (Masked::V6 { addr, mask }, IpAddr::V6(a)) => a & mask == addr,
                    _ => false,
                };
                same != asked.negated
            })
        };
        let input = rule.input.as_ref().is_none_or(|asked| match &asked.value {
            InterfaceMatch::Name(name) => (name.as_str() == self.input) != asked.negated,
            other => panic!("no such interface here: {other}"),
        });
        input
            && address(rule.source, self.source)
            && address(rule.destination, self.destination)
            && rule.protocol.is_none_or(|p| (p.value == self.protocol) != p.negated)
            && rule.matches.iter().all(|m| self.matches_one(m))
    }

    fn matches_one(&self, m: &Match) -> bool {
        let within = |asked: &Option<Not<PortRange>>, port: u16| {
            asked.is_none_or(|asked| (asked.value.first() <= port && port <= asked.value.last()) != asked.negated)
        };
        match m {
            Match::Comment(_) | Match::Limit(_) => true,
            Match::Mac(asked) => (asked.value == self.mac) != asked.negated,
            Match::Tcp(Tcp { sport, dport, flags: None, option: None }) => {
                self.protocol == Protocol::TCP && within(sport, self.ports.0) && within(dport, self.ports.1)
            }
            Match::Udp(Udp { sport, dport }) => {
                self.protocol == Protocol::UDP && within(sport, self.ports.0) && within(dport, self.ports.1)
            }
            Match::Multiport(Multiport { side, negated, ports }) => {
                let any = |port| ports.iter().any(|p| p.first() <= port && port <= p.last());
                let hit = match side {
                    MultiportSide::Source => any(self.ports.0),
                    MultiportSide::Destination => any(self.ports.1),
                    MultiportSide::Either => any(self.ports.0) || any(self.ports.1),
                };
                hit != *negated
            }
            other => panic!("no such match here: {other:?}"),
        }
    }

    /// What a register has of it.
    pub(in crate::layout::native) fn value(&self, field: Field) -> Vec<u8> {
        let address = |address| {
            let (bytes, len) = address_bytes(address);
            bytes[..len].to_vec()
        };
        match field {
            Field::Input => name_bytes(&InterfaceName::new(self.input).unwrap()).to_vec(),
            Field::Output => vec![0; 16],
            Field::Source(_) => address(self.source),
            Field::Destination(_) => address(self.destination),
            Field::Mac => self.mac.to_vec(),
            Field::SourcePort => self.ports.0.to_be_bytes().to_vec(),
            Field::DestinationPort => self.ports.1.to_be_bytes().to_vec(),
        }
    }

    /// Whether a set with these ranges holds it.
    pub(in crate::layout::native) fn is_in(&self, fields: &Fields, ranges: &[(Key, Key)], family: Family) -> bool {
        ranges.iter().any(|(first, last)| {
            fields.iter().all(|field| {
                let value = self.value(field);
                let end = |key: &Key| key.value(fields, field, family).unwrap().to_vec();
                end(first) <= value && value <= end(last)
            })
        })
    }
}

/// What becomes of a packet in a list: what is done on the way, and what ends it. Takes what each part of the list does
/// when it matches.
pub(in crate::layout::native) fn outcome(steps: impl IntoIterator<Item = Option<Target>>) -> Vec<Target> {
    let mut done = Vec::new();
    for target in steps {
        let Some(target) = target else { continue };
        // Of the targets of these lists; said here again, so that a wrong `Once` shows.
        let ends = matches!(target, Target::Accept | Target::Drop | Target::Return | Target::Goto(_));
        done.push(target);
        if ends {
            break;
        }
    }
    done
}

pub(in crate::layout::native) fn plain(rules: &[Rule], packet: &Packet) -> Vec<Target> {
    outcome(rules.iter().filter(|rule| packet.matches(rule)).map(|rule| rule.target.clone()))
}

fn folded(rules: &[Rule], parts: &[Folded], packet: &Packet, family: Family) -> Vec<Target> {
    outcome(parts.iter().filter_map(|part| match part {
        Folded::One(at) => packet.matches(&rules[*at]).then(|| rules[*at].target.clone()),
        Folded::Set { rule, fields, ranges, .. } => {
            (packet.matches(rule) && packet.is_in(fields, ranges, family)).then(|| rule.target.clone())
        }
    }))
}

pub(in crate::layout::native) fn host(family: Family, n: u8) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::new(10, 0, 0, n).into(),
        Family::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()).into(),
    }
}

fn prefix(family: Family, n: u8, host_bits: u8) -> Masked {
    match host(family, n) {
        IpAddr::V4(addr) => Masked::v4(addr, Ipv4Addr::from(u32::MAX << host_bits)),
        IpAddr::V6(addr) => Masked::v6(addr, Ipv6Addr::from(u128::MAX << host_bits)),
    }
}

pub(in crate::layout::native) fn target() -> impl Strategy<Value = Option<Target>> {
    let chain = |name: &str| ChainRef::new(name).unwrap();
    select(vec![
        None,
        Some(Target::Accept),
        Some(Target::Drop),
        Some(Target::Return),
        Some(Target::Mark(MarkMask::exact(1))),
        Some(Target::Mark(MarkMask::exact(2))),
        Some(Target::Jump(chain("a"))),
        Some(Target::Goto(chain("b"))),
    ])
}

/// What a rule of the lists may differ in.
#[derive(Debug, Clone)]
enum Change {
    Input(bool, &'static str),
    Source(bool, u8, u8),
    Destination(u8, u8),
    Mac(bool, u8),
    Port(bool, u16, u16),
    Ports(MultiportSide, bool, Vec<(u16, u16)>),
    SourcePort(u16),
    Limit,
    Comment(bool),
    Target(Option<Target>),
    Udp,
}

fn change(kind: u8) -> BoxedStrategy<Change> {
    let range = || (0..24u16, 0..4u16).prop_map(|(first, more)| (first, first + more));
    let rare = || prop::bool::weighted(0.03);
    match kind {
        0 => (rare(), select(vec!["eth0", "eth1", "tap7"])).prop_map(|(not, name)| Change::Input(not, name)).boxed(),
        1 => (rare(), 0..64u8, select(vec![0u8, 0, 0, 1, 3]))
            .prop_map(|(not, n, bits)| Change::Source(not, n, bits))
            .boxed(),
        2 => (0..64u8, select(vec![0u8, 0, 0, 0, 2])).prop_map(|(n, bits)| Change::Destination(n, bits)).boxed(),
        3 => (rare(), 0..3u8).prop_map(|(not, n)| Change::Mac(not, n)).boxed(),
        4 => (rare(), range()).prop_map(|(not, (first, last))| Change::Port(not, first, last)).boxed(),
        5 => {
            let side = select(vec![MultiportSide::Destination, MultiportSide::Destination, MultiportSide::Either]);
            (side, rare(), prop::collection::vec(range(), 1..4))
                .prop_map(|(side, not, ports)| Change::Ports(side, not, ports))
                .boxed()
        }
        6 => (0..24u16).prop_map(|port| Change::Port(false, port, port)).boxed(),
        7 => (0..24u16).prop_map(Change::SourcePort).boxed(),
        8 => any::<bool>().prop_map(Change::Comment).boxed(),
        9 => target().prop_map(Change::Target).boxed(),
        10 => Just(Change::Udp).boxed(),
        _ => Just(Change::Limit).boxed(),
    }
}

fn changed(mut rule: Rule, change: &Change, family: Family) -> Rule {
    let not = |negated| move |value| Not { negated, value };
    match change {
        Change::Input(negated, name) => {
            let value = InterfaceMatch::Name(InterfaceName::new(name).unwrap());
            rule.input = Some(Not { negated: *negated, value });
        }
        Change::Source(negated, n, bits) => rule.source = Some(not(*negated)(prefix(family, *n, *bits))),
        Change::Destination(n, bits) => rule.destination = Some(Not::is(prefix(family, *n, *bits))),
        Change::Mac(negated, n) => {
            rule.matches.retain(|m| !matches!(m, Match::Mac(_)));
            rule.matches.push(Match::Mac(Not { negated: *negated, value: [2, 0, 0, 0, 0, *n] }));
        }
        Change::Port(negated, first, last) => {
            rule = rule.dport(Not { negated: *negated, value: PortRange::new(*first, *last).unwrap() });
        }
        Change::Ports(side, negated, ports) => {
            rule.matches.retain(|m| !matches!(m, Match::Multiport(_) | Match::Tcp(_)));
            let ports = ports.iter().map(|p| PortRange::new(p.0, p.1).unwrap()).collect();
            rule.matches.push(Match::Multiport(Multiport { side: *side, negated: *negated, ports }));
        }
        Change::SourcePort(port) => rule = rule.sport(*port),
        Change::Limit => rule.matches.push(Match::Limit(Limit { rate: 1, unit: RateUnit::Second, burst: 5 })),
        Change::Comment(a) => {
            rule.matches.retain(|m| !matches!(m, Match::Comment(_)));
            rule.matches.push(Match::Comment(Comment::new(if *a { "a" } else { "b" }).unwrap()));
        }
        Change::Target(target) => rule.target = target.clone(),
        Change::Udp => {
            rule.matches.retain(|m| !matches!(m, Match::Tcp(_)));
            rule.protocol = Some(Not::is(Protocol::UDP));
        }
    }
    rule
}

/// Runs of rules that mostly differ in one or two fields, with something else in between now and then.
fn list(family: Family) -> impl Strategy<Value = Vec<Rule>> {
    let run =
        (target(), prop::collection::vec((0..9u8).prop_flat_map(change), 0..3), prop::collection::vec(0..8u8, 1..=2))
            .prop_flat_map(move |(target, base, kinds)| {
                let base = base.iter().fold(Rule { target, ..Rule::new().tcp() }, |rule, c| changed(rule, c, family));
                let one: Vec<_> = kinds.into_iter().map(change).collect();
                let odd = prop::option::weighted(0.03, (0..12u8).prop_flat_map(change));
                prop::collection::vec((one, odd), 1..40).prop_map(move |rules| {
                    let rule = |(some, odd): (Vec<Change>, Option<Change>)| {
                        some.iter().chain(&odd).fold(base.clone(), |rule, c| changed(rule, c, family))
                    };
                    rules.into_iter().map(rule).collect::<Vec<_>>()
                })
            });
    prop::collection::vec(run, 1..4).prop_map(|runs| runs.concat())
}

pub(in crate::layout::native) fn packet(family: Family) -> impl Strategy<Value = Packet> {
    let protocol = select(vec![Protocol::TCP, Protocol::TCP, Protocol::TCP, Protocol::UDP]);
    (select(vec!["eth0", "eth1", "tap7"]), 0..64u8, 0..64u8, 0..3u8, protocol, (0..28u16, 0..28u16)).prop_map(
        move |(input, source, destination, mac, protocol, ports)| Packet {
            input,
            source: host(family, source),
            destination: host(family, destination),
            mac: [2, 0, 0, 0, 0, mac],
            protocol,
            ports,
        },
    )
}

fn family() -> impl Strategy<Value = Family> {
    select(&Family::BOTH)
}

fn fold_all(rules: &[Rule], family: Family) -> Vec<Folded> {
    fold(&rules.iter().collect::<Vec<_>>(), family)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_folded_list_does_what_the_list_does(
        (family, rules, packets) in family().prop_flat_map(|f| (Just(f), list(f), prop::collection::vec(packet(f), 64)))
    ) {
        let parts = fold_all(&rules, family);
        for packet in &packets {
            prop_assert_eq!(folded(&rules, &parts, packet, family), plain(&rules, packet));
        }
    }

    #[test]
    fn parts_cover_the_list_in_order_and_elements_do_not_overlap(
        (family, rules) in family().prop_flat_map(|f| (Just(f), list(f)))
    ) {
        let mut next = 0;
        for part in fold_all(&rules, family) {
            let (covers, elements) = match &part {
                Folded::One(at) => (*at..at + 1, None),
                Folded::Set { rules, fields, ranges, .. } => (rules.clone(), Some((fields, ranges))),
            };
            prop_assert_eq!(covers.start, next);
            next = covers.end;
            let Some((fields, ranges)) = elements else { continue };
            prop_assert!(!ranges.is_empty() && fields.fit(family));
            for (at, a) in ranges.iter().enumerate() {
                prop_assert!(fields.iter().all(|f| a.0.value(fields, f, family) <= a.1.value(fields, f, family)));
                for b in ranges.iter().skip(at + 1) {
                    let meets = |f| {
                        let end = |key: &Key| key.value(fields, f, family).unwrap().to_vec();
                        end(&a.0) <= end(&b.1) && end(&b.0) <= end(&a.1)
                    };
                    prop_assert!(!fields.iter().all(meets), "{:?} and {:?}", a, b);
                }
            }
        }
        prop_assert_eq!(next, rules.len());
    }
}

fn sources(of: impl IntoIterator<Item = (u8, u8)>, target: &Target) -> Vec<Rule> {
    let rule = |(n, bits)| Rule::new().source(prefix(Family::Ipv4, n, bits)).target(target.clone());
    of.into_iter().map(rule).collect()
}

fn bytes(parts: &[Folded]) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let set = |part: &Folded| match part {
        Folded::One(_) => None,
        Folded::Set { ranges, .. } => {
            Some(ranges.iter().map(|(a, b)| (a.bytes().to_vec(), b.bytes().to_vec())).collect())
        }
    };
    parts.iter().filter_map(set).collect()
}

#[test]
fn addresses_become_a_hash_and_ranges_a_tree_of_joined_ones() {
    let hosts = sources((0..6).map(|n| (n * 3, 0)), &Target::Accept);
    let parts = fold_all(&hosts, Family::Ipv4);
    let [Folded::Set { rules, rule, fields, ranges }] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!((rules, rule.as_ref()), (&(0..6), &Rule::new().accept()));
    assert_eq!(fields, &Fields::new([Field::Source(32)]));
    assert!(ranges.len() == 6 && ranges.iter().all(|(first, last)| first == last));
    // Twenty prefixes, each two addresses, of which pairs touch.
    let nets = sources((0..20).map(|n| (n * 4 + if n % 2 == 0 { 2 } else { 0 }, 1)), &Target::Drop);
    let ends = bytes(&fold_all(&nets, Family::Ipv4));
    assert_eq!(ends[0].len(), 10);
    assert_eq!(ends[0][0], (vec![10, 0, 0, 2], vec![10, 0, 0, 5]));
}

#[test]
fn a_target_that_goes_on_needs_disjoint_values() {
    let again = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (1, 0), (8, 0), (9, 0)];
    let mark = Target::Mark(MarkMask::exact(7));
    let parts = fold_all(&sources(again, &mark), Family::Ipv4);
    assert!(matches!(&parts[0], Folded::Set { rules, .. } if *rules == (0..6)), "{parts:?}");
    assert_eq!(parts[1..], [6, 7, 8].map(Folded::One));
    let whole = fold_all(&sources(again, &Target::Accept), Family::Ipv4);
    assert!(matches!(&whole[..], [Folded::Set { rules, .. }] if *rules == (0..9)), "{whole:?}");
}

#[test]
fn two_fields_become_pairs_when_one_does_not_do() {
    let rule = |n: u8, port: u16| Rule::new().source(host(Family::Ipv4, n)).tcp().dport(port).accept();
    let rules: Vec<_> = (0..4).flat_map(|n| [22, 80].map(|port| rule(n, port))).collect();
    let parts = fold_all(&rules, Family::Ipv4);
    let [Folded::Set { rule, fields, ranges, .. }] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!(rule.as_ref(), &Rule::new().tcp().accept());
    assert_eq!(fields, &Fields::new([Field::Source(32), Field::DestinationPort]));
    assert_eq!(ranges[0].0.bytes(), [10, 0, 0, 0, 0, 22, 0, 0]);
    assert_eq!(ranges.len(), 8);
}

#[test]
fn lists_of_ports_and_ports_are_the_same_field() {
    let list = |ports: &[u16]| {
        let ports = ports.iter().map(|&p| PortRange::single(p)).collect();
        let list = Multiport { side: MultiportSide::Destination, negated: false, ports };
        Rule::new().tcp().matching(Match::Multiport(list)).accept()
    };
    let one = |port: u16| Rule::new().tcp().dport(port).accept();
    let rules = [one(22), list(&[80, 443]), one(25), list(&[8080, 22]), one(53), one(110)];
    let parts = fold_all(&rules, Family::Ipv4);
    let [Folded::Set { rule, ranges, .. }] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!((rule.as_ref(), ranges.len()), (&Rule::new().tcp().accept(), 7));
}

#[test]
fn limits_and_negations_stay_as_they_are() {
    let limit = Match::Limit(Limit { rate: 1, unit: RateUnit::Second, burst: 5 });
    let rules: Vec<_> =
        sources((0..30).map(|n| (n, 0)), &Target::Accept).into_iter().map(|r| r.matching(limit.clone())).collect();
    assert!(fold_all(&rules, Family::Ipv4).iter().all(|part| matches!(part, Folded::One(_))));
    let not = |n| Rule::new().source(Not::not(prefix(Family::Ipv4, n, 0))).accept();
    let rules: Vec<_> = (0..30).map(not).collect();
    assert!(fold_all(&rules, Family::Ipv4).iter().all(|part| matches!(part, Folded::One(_))));
}
