//! Rules taken apart and put together again, and what every target does.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::compile::arbitrary;
use crate::name::Comment;
use crate::rule::matches::{Limit, RateUnit};
use crate::rule::targets::{CtZoneDirection, NatOptions, Reject};
use crate::rule::{ChainRef, PortRange};

/// What the options of a rule ask, each as a text; equal lists mean equal rules.
fn asked(rule: &Rule) -> Vec<String> {
    let matches = rule.matches.iter().filter(|m| !matches!(m, Match::Comment(_)));
    let mut asked: Vec<String> = matches.map(|m| format!("{m:?}")).collect();
    asked.push(format!("{:?} {:?}", rule.protocol, rule.fragment));
    asked.extend(rule.source.map(|a| format!("source {a:?}")));
    asked.extend(rule.destination.map(|a| format!("destination {a:?}")));
    asked.extend(rule.input.as_ref().map(|i| format!("input {i:?}")));
    asked.extend(rule.output.as_ref().map(|i| format!("output {i:?}")));
    asked.sort();
    asked
}

/// A key as the options that it was made of.
fn put_back(rest: &Rule, fields: &Fields, key: &Key, family: Family) -> Rule {
    let mut rule = rest.clone();
    for (field, value) in key.parts(fields, family) {
        let name = || {
            let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
            InterfaceMatch::new(std::str::from_utf8(&value[..end]).unwrap()).unwrap()
        };
        let network = |prefix: u8| -> Masked {
            let address: std::net::IpAddr = match value.len() {
                4 => <[u8; 4]>::try_from(value).unwrap().into(),
                _ => <[u8; 16]>::try_from(value).unwrap().into(),
            };
            ipnetwork::IpNetwork::new(address, prefix).unwrap().into()
        };
        rule = match field {
            Field::Input => rule.input(name()),
            Field::Output => rule.output(name()),
            Field::Source(prefix) => rule.source(network(prefix)),
            Field::Destination(prefix) => rule.destination(network(prefix)),
            Field::Mac => rule.matching(Match::Mac(Not::is(value.try_into().unwrap()))),
            Field::SourcePort | Field::DestinationPort => panic!("{field:?} is never analysed"),
        };
    }
    rule
}

fn target_of(action: &Action) -> Option<Target> {
    match action {
        Action::Verdict(Verdict::Accept) => Some(Target::Accept),
        Action::Verdict(Verdict::Drop) => Some(Target::Drop),
        Action::Verdict(Verdict::Return) => Some(Target::Return),
        Action::Jump(chain) => Some(Target::Jump(ChainRef::Named(chain.clone()))),
        Action::Goto(chain) => Some(Target::Goto(ChainRef::Named(chain.clone()))),
        Action::Store { store, value } => with_value(store, value),
        Action::Other(target) => target.clone(),
    }
}

fn any_rule() -> impl Strategy<Value = (Family, Rule)> {
    select(&Family::BOTH).prop_flat_map(|family| (Just(family), arbitrary::rule(family)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_say_what_the_rule_says((family, rule) in any_rule()) {
        let Parts { key, rest, action } = analyse(&rule, family);
        prop_assert_eq!(target_of(&action), rule.target.clone());
        prop_assert_eq!(rest.target.as_ref(), None);
        let whole = match &key {
            Some((fields, key)) => put_back(&rest, fields, key, family),
            None => (*rest).clone(),
        };
        prop_assert_eq!(asked(&whole), asked(&rule));
        prop_assert!(key.is_none_or(|(fields, _)| fields.fit(family)));
    }

    #[test]
    fn rules_that_differ_in_the_value_share_the_rest((family, rule) in any_rule(), value in any::<u32>()) {
        let zone = |id| {
            let zone = Some(CtZone { direction: CtZoneDirection::Both, id: CtZoneId::Number(id) });
            Target::Ct(Box::new(Ct { zone, ..Ct::default() }))
        };
        let low = u16::try_from(value >> 16).unwrap();
        for (one, other) in [
            (Target::Mark(MarkMask::exact(1)), Target::Mark(MarkMask::exact(value))),
            (Target::Classify(1), Target::Classify(value)),
            (zone(1), zone(low)),
        ] {
            let [one, other] = [one, other].map(|t| analyse(&rule.clone().target(t), family).action);
            let (Action::Store { store: a, .. }, Action::Store { store: b, .. }) = (one, other) else { panic!() };
            prop_assert_eq!(a, b);
        }
    }
}

#[test]
fn only_one_value_is_a_key() {
    let of = |rule: Rule| analyse(&rule, Family::Ipv4).key.map(|(fields, _)| fields);
    let net = |text: &str| Masked::from(text.parse::<ipnetwork::IpNetwork>().unwrap());
    let name = |text: &str| InterfaceMatch::new(text).unwrap();
    assert_eq!(of(Rule::new().source(Not::not(net("10.0.0.1/32")))), None);
    assert_eq!(of(Rule::new().source(Masked::v4([10, 0, 3, 0].into(), [255, 0, 255, 0].into()))), None);
    assert_eq!(of(Rule::new().input(name("tap+"))), None);
    assert_eq!(of(Rule::new().matching(Match::Mac(Not::not([0; 6])))), None);
    let mac = Rule::new().matching(Match::Mac(Not::is([1; 6]))).matching(Match::Mac(Not::is([2; 6])));
    let parts = analyse(&mac.destination(net("10.0.0.0/9")).output(name("tap1")), Family::Ipv4);
    assert_eq!(parts.rest.matches, [Match::Mac(Not::is([2; 6]))]);
    assert_eq!(parts.key.unwrap().0, Fields::new([Field::Output, Field::Destination(9), Field::Mac]));
}

#[test]
fn what_has_a_memory_stands_alone() {
    let limit = Match::Limit(Limit { rate: 3, unit: RateUnit::Minute, burst: 5 });
    let rule = Rule::new().input(InterfaceMatch::new("tap1").unwrap()).matching(limit).accept();
    let parts = analyse(&rule, Family::Ipv4);
    assert!(parts.key.is_none() && is_unique(&rule));
    assert_eq!(effects(&parts.rest, &parts.action), Effects::ACCEPT | Effects::SIDE);
}

#[test]
fn every_target_has_its_effects() {
    let chain = ChainRef::new("c").unwrap();
    let log = crate::rule::targets::Log { level: 4, prefix: "".into(), flags: crate::rule::targets::LogFlags::empty() };
    for (target, expected) in [
        (None, Effects::empty()),
        (Some(Target::Accept), Effects::ACCEPT),
        (Some(Target::Drop), Effects::DROP),
        (Some(Target::Return), Effects::RETURN),
        (Some(Target::Jump(chain.clone())), Effects::empty()),
        (Some(Target::Goto(chain)), Effects::RETURN),
        (Some(Target::Reject(Reject::PortUnreachable)), Effects::OTHER),
        (Some(Target::Snat(Box::default())), Effects::OTHER),
        (Some(Target::Mark(MarkMask::exact(1))), Effects::SIDE),
        (Some(Target::Mark(MarkMask { value: 1, mask: 1 })), Effects::SIDE),
        (Some(Target::Notrack), Effects::SIDE),
        (Some(Target::Checksum), Effects::SIDE),
        (Some(Target::Log(log)), Effects::SIDE),
    ] {
        let parts = analyse(&Rule { target: target.clone(), ..Rule::new() }, Family::Ipv4);
        assert_eq!(effects(&parts.rest, &parts.action), expected, "{target:?}");
    }
    assert!(commute(Effects::DROP, Effects::DROP, false) && commute(Effects::ACCEPT, Effects::ACCEPT, true));
    assert!(!commute(Effects::DROP, Effects::ACCEPT, false) && !commute(Effects::SIDE, Effects::SIDE, true));
}

#[test]
fn an_address_is_stored_only_alone() {
    let nat = Nat { addresses: Some(([10, 0, 0, 1].into(), [10, 0, 0, 1].into())), ..Nat::default() };
    let stored = |nat: Nat| {
        let rule = Rule::new().comment(Comment::new("to the port").unwrap()).target(Target::Dnat(Box::new(nat)));
        matches!(analyse(&rule, Family::Ipv4).action, Action::Store { .. })
    };
    assert!(stored(nat.clone()));
    assert!(stored(Nat { options: NatOptions::PERSISTENT, ..nat.clone() }));
    assert!(!stored(Nat { ports: Some(PortRange::single(80)), ..nat.clone() }));
    assert!(!stored(Nat { addresses: Some(([10, 0, 0, 1].into(), [10, 0, 0, 2].into())), ..nat }));
}
