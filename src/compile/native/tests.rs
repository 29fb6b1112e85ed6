//! That native programs read back as rules that compile to the same programs, and what the forms are.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{Fallback, compile, fallbacks, lift};
use crate::compile::arbitrary::{self, TwoSets};
use crate::compile::{NoIpsets, Program, stock};
use crate::name::Comment;
use crate::nft::expr::{Expr, Payload, PayloadBase};
use crate::nft::listing;
use crate::rule::matches::{
    Conntrack, CtStates, CtStatus, IcmpType, Limit, Multiport, MultiportSide, Owner, RateUnit, Tcp,
};
use crate::rule::{Family, InterfaceMatch, MarkMask, Masked, Match, Not, PortRange, Protocol, Rule, Target};

fn compiled(rule: &Rule, family: Family) -> Program {
    let mut program = Program::default();
    compile(rule, family, None, &TwoSets, &mut program).unwrap();
    program
}

fn listed(rule: &Rule, family: Family) -> String {
    listing::rule(&compiled(rule, family).expressions).to_string()
}

/// The rule that is read back may be written otherwise, but it is the same program, and reads back as itself.
fn holds(rule: &Rule, family: Family) -> Result<(), TestCaseError> {
    let program = compiled(rule, family);
    let lifted = lift(&program, family, &TwoSets).unwrap();
    let again = compiled(&lifted, family);
    prop_assert_eq!(&program, &again, "{:?}", lifted);
    prop_assert_eq!(lift(&again, family, &TwoSets).unwrap(), lifted);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_compiled_reads_back_v4(rule in arbitrary::rule(Family::Ipv4)) {
        holds(&rule, Family::Ipv4)?;
    }

    #[test]
    fn what_was_compiled_reads_back_v6(rule in arbitrary::rule(Family::Ipv6)) {
        holds(&rule, Family::Ipv6)?;
    }

    #[test]
    fn both_encodings_take_the_same_rules(rule in arbitrary::rule(Family::Ipv4)) {
        let mut program = Program::default();
        for family in Family::BOTH {
            let native = compile(&rule, family, None, &TwoSets, &mut program).is_ok();
            prop_assert_eq!(native, stock::compile(&rule, family, None, &TwoSets, &mut program).is_ok(), "{}", family);
        }
    }

    #[test]
    fn programs_are_in_the_form_of_a_dump(rule in arbitrary::rule(Family::Ipv6)) {
        for expr in compiled(&rule, Family::Ipv6).expressions {
            prop_assert_eq!(expr.clone().normalized(), expr);
        }
    }
}

/// A match or target either has no xt extension in its program, or says why.
#[test]
fn every_part_is_native_or_says_why_not() {
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for family in Family::BOTH {
        let strategy = arbitrary::rule(family);
        for _ in 0..1500 {
            let rule = strategy.new_tree(&mut runner).unwrap().current();
            let extensions = compiled(&rule, family).expressions.into_iter();
            let extensions = extensions.filter(|e| matches!(e, Expr::Match(_) | Expr::Target(_))).count();
            let reported = fallbacks(&rule, family, &TwoSets).unwrap();
            assert_eq!(reported.len(), extensions, "{rule:?}");
            seen.extend(reported.iter().map(|f| f.part));
        }
    }
    let documented = [
        "CHECKSUM",
        "CONNMARK",
        "CT",
        "DNAT",
        "TCPMSS",
        "addrtype",
        "comment",
        "conntrack",
        "multiport",
        "owner",
        "physdev",
        "rpfilter",
        "set",
        "state",
        "tcp",
    ];
    for part in &seen {
        assert!(documented.contains(part), "{part} falls back and is not documented to");
    }
    for part in ["CHECKSUM", "CT", "TCPMSS", "addrtype", "owner", "physdev", "set"] {
        assert!(seen.contains(part), "{part}");
    }
}

fn ports(list: &[(u16, u16)]) -> Vec<PortRange> {
    list.iter().map(|&(first, last)| PortRange::new(first, last).unwrap()).collect()
}

fn multiport(side: MultiportSide, negated: bool, list: &[(u16, u16)]) -> Rule {
    Rule::new().tcp().matching(Match::Multiport(Multiport { side, negated, ports: ports(list) }))
}

/// Rules in the normal form of the encoding, which must read back as themselves.
#[test]
fn rules_in_normal_form_read_back_as_themselves() {
    let addr = |text: &str| Masked::from(text.parse::<ipnetwork::IpNetwork>().unwrap());
    let new = CtStates::NEW;
    for rule in [
        Rule::new(),
        Rule::new().source(Not::not(addr("10.0.0.0/9"))).destination(addr("10.1.0.0/16")).accept(),
        Rule::new().source(Not::not(addr("0.0.0.0/0"))).discard(),
        Rule::new().source(Not::not(Masked::v4([10, 0, 3, 0].into(), [255, 0, 255, 0].into()))).ret(),
        Rule::new().input(Not::not(InterfaceMatch::Any)).accept(),
        Rule::new().input(Not::not(InterfaceMatch::new("eth+").unwrap())).output(InterfaceMatch::new("lo").unwrap()),
        Rule { fragment: Some(Not::not(())), ..Rule::new() },
        Rule::new().protocol(Not::not(Protocol::TCP)),
        Rule::new().tcp().sport(1).dport(2).accept(),
        Rule::new().tcp().sport(PortRange::new(0, 9).unwrap()).dport(Not::not(PortRange::single(2))),
        Rule::new().tcp().matching(Match::Tcp(Tcp::default())),
        Rule::new().tcp().matching(Match::Tcp(Tcp { option: Some(Not::not(8)), ..Tcp::default() })),
        Rule::new().icmp().matching(Match::Icmp(Not::is(IcmpType::ANY))),
        Rule::new().icmp().matching(Match::Icmp(Not::not(IcmpType { kind: 3, codes: (1, 4) }))),
        multiport(MultiportSide::Destination, false, &[(22, 22), (80, 90)]),
        multiport(MultiportSide::Source, true, &[(0, 21), (22, 22), (60000, 65535)]),
        multiport(MultiportSide::Either, false, &[(22, 22), (80, 90)]),
        multiport(MultiportSide::Either, false, &[(0, 22)]),
        Rule::new().state(new | CtStates::UNTRACKED).comment(Comment::new("hello there").unwrap()).accept(),
        Rule::new().state(Not::not(new)),
        Rule::new().mark(Not::not(MarkMask { value: 5, mask: 0xff })),
        Rule::new().matching(Match::Limit(Limit { rate: 3, unit: RateUnit::Minute, burst: 5 })),
    ] {
        let program = compiled(&rule, Family::Ipv4);
        assert_eq!(lift(&program, Family::Ipv4, &TwoSets).unwrap(), rule);
    }
}

/// Ports that are read as `-m multiport`, as others stand before them, and a missing option that belongs to them.
#[test]
fn an_option_after_the_ports_of_two_matches_reads_back() {
    let option = Some(Not::not(27));
    for (sport, dport) in [
        (Some(Not::not(PortRange::single(58901))), Some(Not::is(PortRange::single(0)))),
        (Some(Not::not(PortRange::single(58901))), None),
        (None, Some(Not::is(PortRange::new(3, 9).unwrap()))),
    ] {
        let rule = multiport(MultiportSide::Either, true, &[(0, 0)]);
        holds(&rule.matching(Match::Tcp(Tcp { sport, dport, option, flags: None })), Family::Ipv4).unwrap();
    }
}

#[test]
fn a_packet_without_a_connection_is_only_asked_its_state() {
    let conntrack = |state| {
        let status = Some(Not::is(CtStatus::ASSURED));
        Rule::new().matching(Match::Conntrack(Box::new(Conntrack {
            state: Some(state),
            status,
            ..Conntrack::default()
        })))
    };
    let reported =
        |rule: &Rule| fallbacks(rule, Family::Ipv4, &NoIpsets).unwrap().iter().map(|f| f.part).collect::<Vec<_>>();
    assert!(reported(&conntrack(Not::is(CtStates::ESTABLISHED))).is_empty());
    assert!(reported(&conntrack(Not::not(CtStates::INVALID | CtStates::UNTRACKED))).is_empty());
    assert_eq!(reported(&conntrack(Not::is(CtStates::INVALID))), ["conntrack"]);
    assert_eq!(reported(&conntrack(Not::not(CtStates::NEW))), ["conntrack"]);
    assert_eq!(reported(&Rule::new().state(Not::not(CtStates::SNAT))), ["state"]);
}

#[test]
fn an_inverted_owner_stays_with_xt() {
    let owner = |uid| Rule::new().matching(Match::Owner(Owner { uid: Some(uid), ..Owner::default() }));
    assert_eq!(fallbacks(&owner(Not::is((0, 0))), Family::Ipv4, &NoIpsets).unwrap(), []);
    assert_eq!(fallbacks(&owner(Not::not((0, 0))), Family::Ipv4, &NoIpsets).unwrap()[0].part, "owner");
}

#[test]
fn extensions_say_where_the_kernel_takes_them() {
    let rule = Rule::new().target(Target::Checksum);
    let [Fallback { part, tables, .. }] = fallbacks(&rule, Family::Ipv4, &NoIpsets).unwrap()[..] else { panic!() };
    assert_eq!((part, tables), ("CHECKSUM", ["mangle"].as_slice()));
    assert!(compiled(&rule, Family::Ipv4).compat.is_some());
}

#[test]
fn forms_are_those_of_nft() {
    let ssh = Rule::new().tcp().dport(22).state(CtStates::NEW).accept();
    assert_eq!(
        listed(&ssh, Family::Ipv4).lines().map(str::trim).collect::<Vec<_>>(),
        [
            "[ meta load l4proto => reg 1 ]",
            "[ cmp eq reg 1 0x00000006 ]",
            "[ payload load 3b @ transport header + 0 => reg 1 ]",
            "[ payload load 2b @ transport header + 2 => reg 1 ]",
            "[ cmp eq reg 1 0x00001600 ]",
            "[ ct load state => reg 1 ]",
            "[ bitwise reg 1 = ( reg 1 & 0x00000008 ) ^ 0x00000000 ]",
            "[ cmp neq reg 1 0x00000000 ]",
            "[ immediate reg 0 accept ]",
        ]
    );
    let later = Rule::new()
        .matching(Match::Conntrack(Box::new(Conntrack { expire: Some(Not::is((10, 20))), ..Conntrack::default() })));
    assert_eq!(
        listed(&later, Family::Ipv6).lines().map(str::trim).collect::<Vec<_>>(),
        [
            "[ ct load expiration => reg 1 ]",
            "[ byteorder reg 1 = hton(reg 1, 4, 4) ]",
            "[ range eq reg 1 0x10270000 0x07520000 ]",
        ]
    );
}

/// The kernel reads ports in a later fragment's data, unless a load that is not of its fast path comes first.
#[test]
fn what_a_fragment_lacks_is_asked_once_before_the_first_port() {
    let loads = |rule: &Rule| {
        let program = compiled(rule, Family::Ipv4);
        let transport = program.expressions.iter().filter_map(|expr| match expr {
            Expr::Payload(Payload::Load { base: PayloadBase::Transport, offset, len, .. }) => Some((*offset, *len)),
            _ => None,
        });
        transport.collect::<Vec<_>>()
    };
    let ports = Rule::new().tcp().sport(1).dport(Not::not(PortRange::new(2, 3).unwrap()));
    assert_eq!(loads(&ports), [(0, 3), (0, 2), (2, 2)]);
    assert_eq!(loads(&Rule { fragment: Some(Not::not(())), ..ports }), [(0, 2), (2, 2)]);
    assert_eq!(loads(&Rule::new().tcp().matching(Match::Tcp(Tcp::default()))), [(0, 3)]);
    assert_eq!(loads(&Rule::new().icmp().matching(Match::Icmp(Not::is(IcmpType::new(8))))), [(0, 3), (0, 1)]);
}
