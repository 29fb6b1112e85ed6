//! That what is compiled reads back as the rule it was, and what cannot be compiled says why.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{compile, counter, lift, normalize};
use crate::compile::arbitrary::{self, TwoSets};
use crate::compile::{CompileError, NoIpsets, Program};
use crate::name::{ChainName, Comment, IpsetName};
use crate::nft::expr::{Cmp, CmpOp, Counter, Expr, Meta, MetaKey, Register};
use crate::rule::matches::{IcmpType, Multiport, MultiportSide, Set, SetDirection, Tcp};
use crate::rule::targets::{Log, LogFlags, Nat, Reject};
use crate::rule::{ChainRef, Family, Masked, Match, Not, PortRange, Protocol, Rule, Target};

fn compiled(rule: &Rule, family: Family) -> Result<Program, CompileError> {
    let mut program = Program::default();
    compile(rule, family, None, &TwoSets, &mut program)?;
    Ok(program)
}

fn read_back(rule: &Rule, family: Family) -> Rule {
    let program = compiled(rule, family).unwrap();
    lift(&program.expressions, program.comment.as_ref(), family, &TwoSets).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_compiled_reads_back_v4(rule in arbitrary::rule(Family::Ipv4)) {
        prop_assert_eq!(read_back(&rule, Family::Ipv4), rule);
    }

    #[test]
    fn what_was_compiled_reads_back_v6(rule in arbitrary::rule(Family::Ipv6)) {
        prop_assert_eq!(read_back(&rule, Family::Ipv6), rule);
    }

    #[test]
    fn a_program_is_used_again_without_a_trace(
        first in arbitrary::rule(Family::Ipv4),
        second in arbitrary::rule(Family::Ipv4),
    ) {
        let mut program = compiled(&first, Family::Ipv4).unwrap();
        compile(&second, Family::Ipv4, None, &TwoSets, &mut program).unwrap();
        prop_assert_eq!(program, compiled(&second, Family::Ipv4).unwrap());
    }
}

/// The word that a variant's debug form starts with.
fn variant(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").split(['(', ' ']).next().unwrap().to_owned()
}

/// The random rules above are worth as much as the variants they reach. This list is checked against `rule`'s sources,
/// so that a new match or target without a strategy fails here.
#[test]
fn every_match_and_target_is_drawn() {
    let mut drawn = (BTreeSet::new(), BTreeSet::new());
    let mut runner = TestRunner::deterministic();
    for family in Family::BOTH {
        let strategy = arbitrary::rule(family);
        for _ in 0..1500 {
            let rule = strategy.new_tree(&mut runner).unwrap().current();
            drawn.0.extend(rule.matches.iter().map(variant));
            drawn.1.extend(rule.target.iter().map(variant));
        }
    }
    let declared = |source: &str, name: &str| -> BTreeSet<String> {
        let body = source.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
        let words = body.lines().map(str::trim).filter(|l| l.starts_with(char::is_uppercase));
        words.map(|l| l.split(['(', ',']).next().unwrap().to_owned()).collect()
    };
    assert_eq!(drawn.0, declared(include_str!("../../rule/matches/mod.rs"), "Match"));
    assert_eq!(drawn.1, declared(include_str!("../../rule/targets/mod.rs"), "Target"));
}

#[test]
fn a_last_comment_goes_to_user_data_and_others_stay_in_place() {
    let comment = |text: &str| Match::Comment(Comment::new(text).unwrap());
    let last = Rule::new().tcp().dport(22).matching(comment("ssh")).accept();
    assert_eq!(compiled(&last, Family::Ipv4).unwrap().comment.unwrap().as_str(), "ssh");

    let first = Rule::new().tcp().matching(comment("ssh")).dport(22).accept();
    let program = compiled(&first, Family::Ipv4).unwrap();
    assert_eq!(program.comment, None);
    assert!(program.expressions.iter().any(|e| matches!(e, Expr::Match(m) if &*m.name == "comment")));

    let long = Rule::new().matching(comment(&"c".repeat(255))).accept();
    assert_eq!(compiled(&long, Family::Ipv4).unwrap().comment, None);
    for rule in [last, first, long] {
        assert_eq!(read_back(&rule, Family::Ipv4), rule);
    }
}

#[test]
fn the_normal_form_has_neither_counters_nor_the_place_of_comments() {
    let rule = Rule::new().tcp().dport(22).comment(Comment::new("ssh").unwrap()).accept();
    let other = Rule::new().tcp().comment(Comment::new("ssh").unwrap()).dport(22).accept();
    let normal = |rule: &Rule, counts| {
        let mut program = Program::default();
        compile(rule, Family::Ipv4, counts, &NoIpsets, &mut program).unwrap();
        normalize(&program.expressions, program.comment.as_ref(), Family::Ipv4)
    };
    let counts = Some(Counter { packets: 3, bytes: 180 });
    assert_eq!(normal(&rule, counts), normal(&other, None));
    assert_ne!(normal(&rule, None), normal(&Rule::new().tcp().dport(22).accept(), None));
}

#[test]
fn counters_are_kept_before_the_target() {
    let mut program = Program::default();
    let counts = Counter { packets: 7, bytes: 900 };
    compile(&Rule::new().accept(), Family::Ipv4, Some(counts), &NoIpsets, &mut program).unwrap();
    assert!(matches!(program.expressions[..], [Expr::Counter(c), Expr::Immediate(_)] if c == counts));
    assert_eq!(counter(&program.expressions), Some(counts));
}

fn family_error(rule: &Rule, family: Family) -> &'static str {
    match compiled(rule, family) {
        Err(CompileError::Family { field, family: of }) if of == family => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_belongs_to_the_other_family_is_named() {
    let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
    let icmp = Not::is(IcmpType::new(8));
    let nat = |addr| Box::new(Nat { addresses: Some((addr, addr)), ..Nat::default() });
    let with = |target| Rule::new().target(target);
    assert_eq!(family_error(&Rule::new().source(Masked::host(v4)), Family::Ipv6), "-s");
    assert_eq!(family_error(&Rule::new().destination(Masked::host(v6)), Family::Ipv4), "-d");
    assert_eq!(family_error(&Rule { fragment: Some(Not::is(())), ..Rule::new() }, Family::Ipv6), "-f");
    assert_eq!(family_error(&Rule::new().icmp().matching(Match::Icmp(icmp)), Family::Ipv6), "-m icmp");
    assert_eq!(family_error(&Rule::new().icmpv6().matching(Match::Icmp6(icmp)), Family::Ipv4), "-m icmp6");
    assert_eq!(family_error(&with(Target::Reject(Reject::NetProhibited)), Family::Ipv6), "--reject-with");
    assert_eq!(family_error(&with(Target::Reject(Reject::NoRoute)), Family::Ipv4), "--reject-with");
    assert_eq!(family_error(&with(Target::Dnat(nat(v4))), Family::Ipv6), "--to-destination");
    assert_eq!(family_error(&with(Target::Snat(nat(v6))), Family::Ipv4), "--to-source");
}

#[test]
fn what_does_not_fit_is_named() {
    let error = |rule: Rule| compiled(&rule, Family::Ipv4).unwrap_err().to_string();
    let multiport = Multiport {
        side: MultiportSide::Destination,
        negated: false,
        ports: (1..=8).map(|p| PortRange::new(p, p + 100).unwrap()).collect(),
    };
    let log = Log { level: 4, prefix: "p".repeat(30).into(), flags: LogFlags::empty() };
    let set = |name: &str, directions| {
        let name = Not::is(IpsetName::new(name).unwrap());
        let (packets, bytes) = (None, None);
        let flags = (false, false, false);
        let (return_nomatch, keep_counters, keep_subcounters) = flags;
        Match::Set(Box::new(Set { name, directions, return_nomatch, keep_counters, keep_subcounters, packets, bytes }))
    };
    let named = |logical: &str| ChainRef::Wrapped(ChainName::new(logical).unwrap());
    let many = Rule { matches: vec![Match::Mark(Not::is(crate::rule::MarkMask::exact(1))); 64], ..Rule::new() };
    for (rule, message) in [
        (
            Rule::new().tcp().matching(Match::Multiport(multiport.clone())),
            "ports of -m multiport: 16 given, 15 is the most",
        ),
        (Rule::new().matching(Match::Multiport(multiport)), "-m multiport: needs -p tcp, udp, udplite, sctp or dccp"),
        (Rule::new().target(Target::Log(log)), "--log-prefix is 30 bytes long, 29 is the most"),
        (Rule::new().udp().matching(Match::Tcp(Tcp::default())), "-m tcp: needs -p tcp"),
        (Rule::new().protocol(Not::not(Protocol::TCP)).matching(Match::Tcp(Tcp::default())), "-m tcp: needs -p tcp"),
        (Rule::new().target(Target::Reject(Reject::TcpReset)), "--reject-with tcp-reset: needs -p tcp"),
        (Rule::new().matching(set("nowhere", vec![SetDirection::Source])), "Set nowhere doesn't exist."),
        (
            Rule::new().matching(set("alpha", vec![SetDirection::Source; 7])),
            "directions of --match-set: 7 given, 6 is the most",
        ),
        (Rule::new().jump(named("local")), "chain `$local` is a wrapped chain outside of a wrapped table"),
        (many, "expressions of a rule: 129 given, 128 is the most"),
    ] {
        assert_eq!(error(rule), message);
    }
}

#[test]
fn what_no_rule_of_iptables_has_is_named() {
    let load = |key| Expr::Meta(Meta::Load { key, dreg: Register::R1 });
    let eq = |bytes: [u8; 4]| Expr::Cmp(Cmp { sreg: Register::R1, op: CmpOp::Eq, data: bytes.into() });
    let accept = || {
        let program = compiled(&Rule::new().accept(), Family::Ipv4).unwrap();
        program.expressions.last().unwrap().clone()
    };
    for (expressions, error) in [
        (vec![Expr::Notrack(crate::nft::expr::Notrack)], "expression 0 (notrack): no iptables rule has it"),
        (vec![load(MetaKey::CPU), eq([1; 4])], "expression 0 (meta): no iptables match looks at this"),
        (vec![load(MetaKey::MARK)], "expression 0 (meta): what it loads is not compared with a constant"),
        (
            vec![Expr::Counter(Counter::default()), accept(), Expr::Counter(Counter::default())],
            "expression 2 (counter): nothing can follow a verdict or target",
        ),
    ] {
        assert_eq!(lift(&expressions, None, Family::Ipv4, &NoIpsets).unwrap_err().to_string(), error);
    }
}

#[test]
fn infos_of_a_wrong_size_are_refused() {
    let mut runner = TestRunner::deterministic();
    let strategy = arbitrary::rule(Family::Ipv4);
    for _ in 0..300 {
        let rule = strategy.new_tree(&mut runner).unwrap().current();
        for expr in compiled(&rule, Family::Ipv4).unwrap().expressions {
            let short = match expr {
                Expr::Match(m) => Expr::Match(crate::nft::expr::Match { info: m.info[1..].into(), ..m }),
                Expr::Target(t) => Expr::Target(crate::nft::expr::Target { info: t.info[1..].into(), ..t }),
                _ => continue,
            };
            let error = lift(&[short], None, Family::Ipv4, &TwoSets).unwrap_err();
            assert_eq!(error.reason, "its struct has another size");
        }
    }
}
