//! Bodies of several instances as pieces with filled sets, against the rules that they were made of.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::layout::native::analysis::{analyse, with_value};
use crate::layout::native::field::Field;
use crate::layout::native::folding::tests::{Packet, host, outcome, packet, plain, target};
use crate::name::ChainName;
use crate::rule::matches::{Limit, RateUnit};
use crate::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId};
use crate::rule::{ChainRef, InterfaceMatch, MarkMask, Masked, Match, Not, Protocol, Target};

fn taken(rule: &Rule, family: Family) -> Option<Taken> {
    Taken::of(rule, &analyse(rule, family).action, family)
}

/// Puts a hole's constant back. A MAC comes last of the matches.
fn filled(taken: &Taken, family: Family) -> Rule {
    let mut rule = Rule::clone(&taken.template.rule);
    match (&taken.template.kind, &taken.hole) {
        (Kind::Match(fields), Hole::Match(key)) => {
            for (field, value) in key.parts(fields, family) {
                match field {
                    Field::Source(_) => rule.source = Some(Not::is(address(value))),
                    Field::Destination(_) => rule.destination = Some(Not::is(address(value))),
                    Field::Mac => rule.matches.push(Match::Mac(Not::is(value.try_into().unwrap()))),
                    other => panic!("{other:?} was taken out"),
                }
            }
        }
        (Kind::Store, Hole::Store(value)) => rule.target = with_value(rule.target.as_ref().unwrap(), value),
        (Kind::Jump, Hole::Chain(to)) => rule.target = Some(Target::Jump(ChainRef::Named(to.clone()))),
        (Kind::Goto, Hole::Chain(to)) => rule.target = Some(Target::Goto(ChainRef::Named(to.clone()))),
        other => panic!("a hole of another kind: {other:?}"),
    }
    rule
}

fn address(bytes: &[u8]) -> Masked {
    Masked::host(match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).unwrap().into(),
        _ => <[u8; 16]>::try_from(bytes).unwrap().into(),
    })
}

/// A rule of which parts belong to the instance.
#[derive(Debug, Clone)]
struct Shape {
    source: bool,
    destination: bool,
    mac: bool,
    port: Option<u16>,
    target: Option<Target>,
    /// Whether the target has the instance's value or chain.
    own_target: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let own = prop::bool::weighted(0.3);
    (any::<[bool; 3]>(), prop::option::of(1..4u16), target(), own).prop_map(
        |([source, destination, mac], port, target, own_target)| Shape {
            source,
            destination,
            mac,
            port,
            target,
            own_target,
        },
    )
}

/// The shape as an instance has it, with constants that meet those of other instances now and then.
fn rule(shape: &Shape, family: Family, instance: u8, vary: u8) -> Rule {
    let n = 1 + instance * 3 + vary % 3;
    let mut rule = Rule { target: shape.target.clone(), ..Rule::new().tcp() };
    if let Some(port) = shape.port {
        rule = rule.dport(port);
    }
    if shape.source {
        rule = rule.source(host(family, n));
    }
    if shape.destination {
        rule = rule.destination(host(family, n / 2));
    }
    if shape.mac {
        rule.matches.push(Match::Mac(Not::is([2, 0, 0, 0, 0, n % 3])));
    }
    if shape.own_target {
        let chain = || ChainRef::Named(ChainName::new(&format!("s{n}")).unwrap());
        rule.target = match rule.target {
            Some(Target::Mark(_)) => Some(Target::Mark(MarkMask::exact(n.into()))),
            Some(Target::Jump(_)) => Some(Target::Jump(chain())),
            Some(Target::Goto(_)) => Some(Target::Goto(chain())),
            other => other,
        };
    }
    rule
}

const INSTANCES: u8 = 3;

/// The bodies of three instances: the same shapes, some of them twice or left out.
fn bodies(family: Family) -> impl Strategy<Value = Vec<Vec<Rule>>> {
    let times = || prop::collection::vec((0..3usize, any::<[u8; 2]>()), INSTANCES as usize);
    prop::collection::vec((shape(), times()), 1..10).prop_map(move |shapes| {
        let body = |instance: u8| {
            let rules = shapes.iter().flat_map(move |(shape, times)| {
                let (times, vary) = times[instance as usize];
                vary.into_iter().take(times).map(move |vary| rule(shape, family, instance, vary))
            });
            rules.collect()
        };
        (0..INSTANCES).map(body).collect()
    })
}

/// Sets and maps that all instances share, as the kernel would have them.
#[derive(Default)]
struct Sets {
    members: HashSet<(Template, u32, u8, Key)>,
    values: HashMap<(Template, u32, u8), Hole>,
}

impl Sets {
    fn fill(&mut self, instance: u8, pieces: &[Piece]) {
        for piece in pieces {
            let (template, occurrence, hole) = match piece {
                Piece::Family { template, keys, occurrence, .. } => {
                    for key in keys {
                        let element = (template.clone(), *occurrence, instance, key.clone());
                        assert!(self.members.insert(element), "an element comes twice");
                    }
                    continue;
                }
                Piece::FamilyStore { template, value, occurrence, .. } => {
                    (template, *occurrence, Hole::Store(value.clone()))
                }
                Piece::FamilyChain { template, to, occurrence, .. } => (template, *occurrence, Hole::Chain(to.clone())),
                Piece::Concrete(_) | Piece::Folded { .. } => continue,
            };
            let before = self.values.insert((template.clone(), occurrence, instance), hole);
            assert_eq!(before, None, "a map has one value for a key");
        }
    }

    fn run(&self, instance: u8, body: &[Rule], pieces: &[Piece], packet: &Packet, family: Family) -> Vec<Target> {
        outcome(pieces.iter().filter_map(|piece| match piece {
            Piece::Concrete(at) => packet.matches(&body[*at]).then(|| body[*at].target.clone()),
            Piece::Folded { rule, fields, ranges, .. } => {
                (packet.matches(rule) && packet.is_in(fields, ranges, family)).then(|| rule.target.clone())
            }
            Piece::Family { template, occurrence, .. } => {
                let Kind::Match(fields) = &template.kind else { panic!("no fields in {template:?}") };
                let values: Vec<_> = fields.iter().map(|field| (field, packet.value(field))).collect();
                let key = Key::build(family, values.iter().map(|(field, value)| (*field, value.as_slice()))).1;
                let member = self.members.contains(&(template.clone(), *occurrence, instance, key));
                (packet.matches(&template.rule) && member).then(|| template.rule.target.clone())
            }
            Piece::FamilyStore { template, occurrence, .. } | Piece::FamilyChain { template, occurrence, .. } => {
                let hole = self.values.get(&(template.clone(), *occurrence, instance))?.clone();
                let whole = filled(&Taken { template: template.clone(), hole }, family);
                packet.matches(&template.rule).then_some(whole.target)
            }
        }))
    }
}

fn cases() -> impl Strategy<Value = (Family, Vec<Vec<Rule>>, Vec<bool>, Vec<Packet>)> {
    select(&Family::BOTH).prop_flat_map(|family| {
        let packets = prop::collection::vec(packet(family), 32);
        (Just(family), bodies(family), prop::collection::vec(any::<bool>(), 16), packets)
    })
}

/// A choice of hot templates, the same for the same template.
fn is_hot(template: &Template, choice: &[bool], seen: &mut Vec<Template>) -> bool {
    let at = seen.iter().position(|t| t == template).unwrap_or_else(|| {
        seen.push(template.clone());
        seen.len() - 1
    });
    choice[at % choice.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_instance_keeps_its_own_rules((family, bodies, choice, packets) in cases()) {
        let (mut sets, mut seen, mut compiled) = (Sets::default(), Vec::new(), Vec::new());
        for (instance, body) in (0..).zip(&bodies) {
            let apart: Vec<_> = body.iter().map(|rule| taken(rule, family)).collect();
            let lines: Vec<_> = body
                .iter()
                .zip(&apart)
                .map(|(rule, taken)| {
                    Line { rule, hot: taken.as_ref().filter(|t| is_hot(&t.template, &choice, &mut seen)) }
                })
                .collect();
            let pieces = compile_body(&lines, family, Passes::all());
            sets.fill(instance, &pieces);
            compiled.push(pieces);
        }
        for (instance, (body, pieces)) in (0..).zip(bodies.iter().zip(&compiled)) {
            for packet in &packets {
                prop_assert_eq!(sets.run(instance, body, pieces, packet, family), plain(body, packet));
            }
        }
    }

    #[test]
    fn pieces_cover_the_body_in_order((family, bodies, choice, _) in cases()) {
        let mut seen = Vec::new();
        for body in &bodies {
            let apart: Vec<_> = body.iter().map(|rule| taken(rule, family)).collect();
            let lines: Vec<_> = body
                .iter()
                .zip(&apart)
                .map(|(rule, taken)| {
                    Line { rule, hot: taken.as_ref().filter(|t| is_hot(&t.template, &choice, &mut seen)) }
                })
                .collect();
            let mut next = 0;
            for piece in compile_body(&lines, family, Passes::all()) {
                let covers = match piece {
                    Piece::Concrete(at) => at..at + 1,
                    Piece::FamilyStore { rule, .. } | Piece::FamilyChain { rule, .. } => rule..rule + 1,
                    Piece::Folded { rules, .. } | Piece::Family { rules, .. } => rules,
                };
                prop_assert_eq!(covers.start, next);
                next = covers.end;
            }
            prop_assert_eq!(next, body.len());
        }
    }

    #[test]
    fn template_and_hole_are_the_rule((family, bodies, ..) in cases()) {
        for rule in bodies.iter().flatten() {
            if let Some(taken) = taken(rule, family) {
                prop_assert_eq!(&filled(&taken, family), rule);
            }
        }
    }
}

fn pair(n: u8) -> Rule {
    Rule::new().source(host(Family::Ipv4, n)).matching(Match::Mac(Not::is([0xfa, 0x16, 0x3e, 0x11, 0x11, n]))).ret()
}

fn pieces(rules: &[Rule], passes: Passes) -> Vec<Piece> {
    let apart: Vec<_> = rules.iter().map(|rule| taken(rule, Family::Ipv4)).collect();
    let lines: Vec<_> = rules.iter().zip(&apart).map(|(rule, taken)| Line { rule, hot: taken.as_ref() }).collect();
    compile_body(&lines, Family::Ipv4, passes)
}

#[test]
fn allowed_pairs_of_a_port_are_one_piece() {
    let rules = [pair(100), pair(12), Rule::new().discard()];
    let made = pieces(&rules, Passes::all());
    let [Piece::Family { rules, template, keys, occurrence: 0 }, Piece::Concrete(2)] = &made[..] else {
        panic!("{made:?}")
    };
    assert_eq!((rules, keys.len()), (&(0..2), 2));
    assert_eq!(template.rule.as_ref(), &Rule::new().ret());
    assert_eq!(template.kind, Kind::Match(Fields::new([Field::Source(32), Field::Mac])));
}

#[test]
fn rules_that_differ_in_which_fields_they_ask_have_different_templates() {
    let (a, b) =
        (Rule::new().source(host(Family::Ipv4, 1)).ret(), Rule::new().destination(host(Family::Ipv4, 1)).ret());
    let template = |rule| taken(rule, Family::Ipv4).unwrap().template;
    assert_eq!(template(&a).rule, template(&b).rule);
    assert_ne!(template(&a), template(&b));
}

#[test]
fn a_value_that_comes_again_is_another_occurrence_when_it_counts() {
    let mark = |n| Rule::new().source(host(Family::Ipv4, n)).target(Target::Mark(MarkMask { value: 1, mask: 1 }));
    let made = pieces(&[mark(1), mark(2), mark(1)], Passes::all());
    let shape: Vec<_> = made
        .iter()
        .map(|piece| match piece {
            Piece::Family { rules, occurrence, .. } => (rules.clone(), *occurrence),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shape, [(0..2, 0), (2..3, 1)]);
}

#[test]
fn zones_and_chains_come_from_maps() {
    let zone = CtZone { direction: CtZoneDirection::Both, id: CtZoneId::Number(4097) };
    let rules = [
        Rule::new().target(Target::Ct(Box::new(Ct { zone: Some(zone), ..Ct::default() }))),
        Rule::new().jump(ChainRef::new("s1").unwrap()),
        Rule::new().goto(ChainRef::new("s1").unwrap()),
    ];
    let made = pieces(&rules, Passes::all());
    assert!(matches!(&made[0], Piece::FamilyStore { value, .. } if **value == 4097u16.to_ne_bytes()), "{made:?}");
    assert!(matches!(&made[1], Piece::FamilyChain { template, .. } if template.kind == Kind::Jump), "{made:?}");
    assert!(matches!(&made[2], Piece::FamilyChain { template, .. } if template.kind == Kind::Goto), "{made:?}");
}

#[test]
fn passes_that_are_off_change_nothing() {
    let rules: Vec<_> = (0..30).map(pair).collect();
    let plain: Vec<_> = (0..30).map(Piece::Concrete).collect();
    assert_eq!(pieces(&rules, Passes::empty()), plain);
    assert!(matches!(&pieces(&rules, Passes::FAMILIES)[..], [Piece::Family { .. }]));
    assert!(matches!(&pieces(&rules, Passes::FOLDING)[..], [Piece::Folded { .. }]));
}

#[test]
fn limits_are_not_shared_and_keys_must_fit() {
    let limit = Match::Limit(Limit { rate: 1, unit: RateUnit::Second, burst: 5 });
    assert_eq!(taken(&pair(1).matching(limit), Family::Ipv4), None);
    let template = taken(&pair(1).destination(host(Family::Ipv4, 2)), Family::Ipv4).unwrap().template;
    let both = Fields::new([Field::Input, Field::Output]);
    assert!(template.fits(&both, Family::Ipv4));
    let rule = Rule::new()
        .source(host(Family::Ipv6, 1))
        .destination(host(Family::Ipv6, 2))
        .matching(Match::Mac(Not::is([2; 6])))
        .protocol(Protocol::UDP)
        .input(InterfaceMatch::new("eth0").unwrap());
    assert!(!taken(&rule.ret(), Family::Ipv6).unwrap().template.fits(&both, Family::Ipv6));
}
