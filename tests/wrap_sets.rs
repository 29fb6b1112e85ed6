//! Sets of a table: who may be a member, who may refer to them, and what a reader of their differences knows.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;
use nftwrap::name::IpsetName;
use nftwrap::rule::matches::{Set, SetDirection};
use nftwrap::rule::{Family, Match, Rule};
use nftwrap::wrap::{Model, ModelError, SetKind, Table, TableKind};
use proptest::prelude::*;

fn name(text: &str) -> IpsetName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn in_set(set: &str) -> Rule {
    let set = Set::new(name(set), SetDirection::Source);
    Rule::new().matching(Match::Set(Box::new(set))).accept()
}

fn table(model: &mut Model) -> &mut Table {
    model.table_mut(Family::Ipv4, TableKind::Filter).unwrap()
}

#[test]
fn members_are_of_the_family_and_of_the_kind() {
    let mut model = Model::whole();
    let table = table(&mut model);
    let (hosts, nets) = (name("hosts"), name("nets"));
    assert_eq!(table.add_set(&hosts, SetKind::Addresses), Ok(true));
    assert_eq!(table.add_set(&nets, SetKind::Prefixes), Ok(true));
    assert_eq!(table.add_set(&nets, SetKind::Prefixes), Ok(false));
    assert!(matches!(table.add_set(&nets, SetKind::Addresses), Err(ModelError::SetKind { .. })));

    assert_eq!(table.add_member(&nets, net("10.0.0.7/24")), Ok(true));
    assert_eq!(table.add_member(&nets, net("10.0.0.9/24")), Ok(false), "host bits do not count");
    assert!(table.set(&nets).unwrap().contains(net("10.0.0.0/24")));
    assert!(matches!(table.add_member(&hosts, net("10.0.0.0/24")), Err(ModelError::NoHost { .. })));
    assert!(matches!(table.add_member(&hosts, net("0.0.0.0/32")), Err(ModelError::NoHost { .. })));
    assert!(matches!(table.add_member(&hosts, net("::1/128")), Err(ModelError::MemberFamily { .. })));
    assert!(matches!(table.add_member(&name("none"), net("10.0.0.1")), Err(ModelError::UnknownSet { .. })));
    assert!(matches!(table.remove_member(&name("none"), net("10.0.0.1")), Err(ModelError::UnknownSet { .. })));

    let mixed = [net("10.0.0.1"), net("::1")];
    assert!(matches!(table.replace_members(&hosts, mixed), Err(ModelError::MemberFamily { .. })));
    assert!(table.set(&hosts).unwrap().is_empty(), "an error changes nothing");
}

#[test]
fn a_set_goes_after_the_last_rule_that_refers_to_it() {
    let mut model = Model::whole();
    let table = table(&mut model);
    let set = name("NIPv4abc");
    table.add_set(&set, SetKind::Prefixes).unwrap();
    table.add_rule("INPUT", in_set("NIPv4abc")).unwrap();
    table.push_rules("FORWARD", [in_set("NIPv4abc"), in_set("NIPv4abc"), in_set("other")]).unwrap();
    let error = table.remove_set(&set).unwrap_err();
    assert!(error.to_string().ends_with(": chain `INPUT` still refers to set `NIPv4abc`"), "{error}");
    table.empty_chain("INPUT").unwrap();
    assert!(table.remove_set(&set).is_err() && table.is_set_referenced(&set));
    table.empty_chain("FORWARD").unwrap();
    assert!(!table.is_set_referenced(&set));
    assert_eq!(table.remove_set(&set), Ok(true));
    assert_eq!(table.remove_set(&set), Ok(false));
}

#[test]
fn sets_make_a_model_dirty_until_it_is_applied() {
    let mut model = Model::whole();
    let set = name("s");
    table(&mut model).add_set(&set, SetKind::Addresses).unwrap();
    model.mark_applied();
    assert!(!model.is_dirty());
    table(&mut model).add_member(&set, net("10.0.0.1")).unwrap();
    assert!(model.is_dirty());
    assert_eq!(model.dirty().count(), 0, "no chain changed");
    assert_eq!(table(&mut model).dirty_sets().collect::<Vec<_>>(), [&set]);
    model.mark_applied();
    assert_eq!(table(&mut model).add_member(&set, net("10.0.0.1")), Ok(false));
    assert_eq!(table(&mut model).replace_members(&set, [net("10.0.0.1")]), Ok(false));
    assert!(!model.is_dirty());
    table(&mut model).remove_set(&set).unwrap();
    assert_eq!(table(&mut model).dirty_sets().collect::<Vec<_>>(), [&set]);
    model.mark_applied();
    assert!(!model.is_dirty());
}

#[test]
fn rules_that_named_another_programs_set_are_looked_at_again() {
    let mut model = Model::whole();
    table(&mut model).push_rules("INPUT", (0..100).map(|_| in_set("s"))).unwrap();
    table(&mut model).push_rule("FORWARD", in_set("t")).unwrap();
    model.mark_applied();
    table(&mut model).add_set(&name("s"), SetKind::Addresses).unwrap();
    assert_eq!(model.dirty().map(|(_, chain)| chain.as_str()).collect::<Vec<_>>(), ["INPUT"]);
    assert!(table(&mut model).chain("INPUT").unwrap().edits().is_none(), "all of them mean something else");
}

#[derive(Debug, Clone)]
enum Op {
    AddSet(u8),
    RemoveSet(u8),
    Add(u8, u8),
    Remove(u8, u8),
    Replace(u8, BTreeSet<u8>),
    Applied,
}

fn op() -> impl Strategy<Value = Op> {
    let set = || 0..3u8;
    prop_oneof![
        2 => set().prop_map(Op::AddSet),
        1 => set().prop_map(Op::RemoveSet),
        8 => (set(), 0..20u8).prop_map(|(s, m)| Op::Add(s, m)),
        6 => (set(), 0..20u8).prop_map(|(s, m)| Op::Remove(s, m)),
        2 => (set(), prop::collection::btree_set(0..20u8, 0..10)).prop_map(|(s, m)| Op::Replace(s, m)),
        3 => Just(Op::Applied),
    ]
}

fn member(number: u8) -> IpNetwork {
    net(&format!("10.0.0.{}", number + 1))
}

/// What a reader does that keeps a copy: new sets as a whole, others by their differences.
fn read(copy: &mut BTreeMap<IpsetName, BTreeSet<IpNetwork>>, table: &Table) {
    for name in table.dirty_sets() {
        let Some(set) = table.set(name) else {
            copy.remove(name);
            continue;
        };
        match set.edits() {
            None => drop(copy.insert(name.clone(), set.members().collect())),
            Some(edits) => {
                let members = copy.get_mut(name).expect("it is not new");
                edits.removed().for_each(|member| assert!(members.remove(&member)));
                edits.added().for_each(|member| assert!(members.insert(member)));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_reader_of_differences_knows_every_member(ops in prop::collection::vec(op(), 1..80)) {
        let mut model = Model::whole();
        table(&mut model);
        model.mark_applied();
        let mut wanted: BTreeMap<IpsetName, BTreeSet<IpNetwork>> = BTreeMap::new();
        let mut copy = BTreeMap::new();
        for op in ops {
            let of = |set: u8| name(&format!("s{set}"));
            match op {
                Op::AddSet(set) => {
                    let new = table(&mut model).add_set(&of(set), SetKind::Addresses).unwrap();
                    prop_assert_eq!(new, !wanted.contains_key(&of(set)));
                    wanted.entry(of(set)).or_default();
                }
                Op::RemoveSet(set) => {
                    let gone = table(&mut model).remove_set(&of(set)).unwrap();
                    prop_assert_eq!(gone, wanted.remove(&of(set)).is_some());
                }
                Op::Add(set, number) => {
                    let added = table(&mut model).add_member(&of(set), member(number)).ok();
                    prop_assert_eq!(added, wanted.get_mut(&of(set)).map(|members| members.insert(member(number))));
                }
                Op::Remove(set, number) => {
                    let removed = table(&mut model).remove_member(&of(set), member(number)).ok();
                    prop_assert_eq!(removed, wanted.get_mut(&of(set)).map(|members| members.remove(&member(number))));
                }
                Op::Replace(set, numbers) => {
                    let members: BTreeSet<_> = numbers.into_iter().map(member).collect();
                    let changed = table(&mut model).replace_members(&of(set), members.iter().copied()).ok();
                    prop_assert_eq!(changed, wanted.get(&of(set)).map(|before| *before != members));
                    wanted.get_mut(&of(set)).map(|before| *before = members).unwrap_or_default();
                }
                Op::Applied => {
                    read(&mut copy, table(&mut model));
                    model.mark_applied();
                    prop_assert_eq!(&copy, &wanted);
                }
            }
        }
        let held: BTreeMap<_, BTreeSet<_>> =
            table(&mut model).sets().map(|set| (set.name().clone(), set.members().collect())).collect();
        prop_assert_eq!(held, wanted);
    }
}
