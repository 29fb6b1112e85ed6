//! The compiler as a whole, by what it says has to change.

use super::*;
use crate::compile::NoIpsets;
use crate::layout::{Native, Passes};
use crate::name::WrapName;
use crate::rule::{ChainRef, PortRange, Rule};
use crate::wrap::{Model, Place, Profile};

fn host() -> Model {
    let component = WrapName::new("nova-compute").unwrap();
    Model::builder().component(component).profile(Profile::Nova).ipv6(false).eager(true).build().unwrap()
}

fn compiler(native: &Native) -> Compiler {
    Compiler::new(native, Some(&WrapName::new("nova-compute").unwrap()))
}

/// An instance of one of several kinds, reached by its address.
fn boot(model: &mut Model, number: u32, kind: u16) {
    let chain = format!("inst-{number}");
    model.filter().v4().chain(&chain).unwrap().replace(rules(kind)).unwrap();
    model.filter().v4().chain("local").unwrap().append(way_in(number)).unwrap();
}

fn rules(kind: u16) -> [Rule; 2] {
    [Rule::new().tcp().dport(PortRange::single(1000 + kind)).accept(), Rule::new().discard()]
}

fn way_in(number: u32) -> Rule {
    let address = std::net::IpAddr::from((0x0a00_0000 + number).to_be_bytes());
    Rule::new().destination(address).jump(ChainRef::new(&format!("$inst-{number}")).unwrap())
}

/// Compiles, and notes that it was sent.
fn update(compiler: &mut Compiler, model: &mut Model) -> Delta {
    let delta = compiler.update(model, &NoIpsets).unwrap();
    compiler.commit();
    model.mark_applied();
    delta
}

fn chains(delta: &Delta) -> Vec<&ChainDelta> {
    delta.tables.iter().flat_map(|table| &table.chains).collect()
}

fn bodies(delta: &Delta) -> usize {
    chains(delta).iter().filter(|chain| chain.name.as_str().contains('/') && chain.fate != Fate::Gone).count()
}

#[test]
fn chains_that_say_the_same_are_one_kernel_chain() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..20).for_each(|n| boot(&mut model, n, u16::try_from(n % 2).unwrap()));
    let delta = update(&mut compiler, &mut model);
    let of_instance = |head: &ChainHead| head.userdata.windows(5).any(|word| word == b"inst-");
    let made = chains(&delta).into_iter().filter(|chain| matches!(&chain.fate, Fate::New(head) if of_instance(head)));
    assert_eq!(made.count(), 2);
}

#[test]
fn chains_with_a_limit_have_a_budget_each() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    for n in 0..3 {
        boot(&mut model, n, 0);
        let limit = crate::rule::matches::Limit { rate: 5, unit: crate::rule::matches::RateUnit::Second, burst: 5 };
        let limited = Rule::new().matching(crate::rule::Match::Limit(limit)).accept();
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().append(limited).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    assert_eq!(chains(&delta).iter().filter(|chain| chain.name.as_str().contains("-inst-")).count(), 3);
}

#[test]
fn without_sharing_every_chain_is_its_own() {
    let native = Native { passes: Passes::empty(), ..Native::default() };
    let (mut model, mut compiler) = (host(), compiler(&native));
    (0..5).for_each(|n| boot(&mut model, n, 0));
    let delta = update(&mut compiler, &mut model);
    assert_eq!(bodies(&delta), 0);
    assert_eq!(chains(&delta).iter().filter(|chain| chain.name.as_str().contains("-inst-")).count(), 5);
}

#[test]
fn nothing_to_do_is_an_empty_delta() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    boot(&mut model, 1, 0);
    assert!(!update(&mut compiler, &mut model).is_empty());
    assert!(update(&mut compiler, &mut model).is_empty());
}

#[test]
fn a_body_that_changes_for_all_its_chains_keeps_its_number() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..20).for_each(|n| boot(&mut model, n, 0));
    update(&mut compiler, &mut model);
    for n in 0..20 {
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().replace(rules(7)).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    let changed = chains(&delta);
    assert_eq!(changed.len(), 1, "{delta:?}");
    assert_eq!(changed[0].fate, Fate::Kept);
    assert!(
        delta.tables.iter().flat_map(|table| &table.sets).all(|set| set.added.len() == 1),
        "only the hash in the directory: {delta:?}"
    );
}

#[test]
fn one_chain_of_a_body_that_changes_leaves_the_others_alone() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..20).for_each(|n| boot(&mut model, n, 0));
    update(&mut compiler, &mut model);
    model.filter().v4().chain("inst-3").unwrap().replace(rules(9)).unwrap();
    let delta = update(&mut compiler, &mut model);
    let new = chains(&delta).into_iter().filter(|chain| matches!(chain.fate, Fate::New(_))).count();
    assert_eq!(new, 1);
    assert!(chains(&delta).iter().all(|chain| chain.fate != Fate::Gone));
}

#[test]
fn everything_that_came_goes_again() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    update(&mut compiler, &mut model);
    (0..20).for_each(|n| boot(&mut model, n, u16::try_from(n).unwrap()));
    let came = update(&mut compiler, &mut model);
    for n in 0..20 {
        let table = model.table_mut(crate::rule::Family::Ipv4, crate::wrap::TableKind::Filter).unwrap();
        assert!(table.remove_chain(&format!("$inst-{n}")).unwrap());
    }
    let went = update(&mut compiler, &mut model);
    let gone = chains(&went).iter().filter(|chain| chain.fate == Fate::Gone).count();
    let new = chains(&came).iter().filter(|chain| matches!(chain.fate, Fate::New(_))).count();
    assert_eq!(gone, new);
}

#[test]
fn an_instance_of_a_known_kind_is_one_element() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..100).for_each(|n| boot(&mut model, n, u16::try_from(n % 3).unwrap()));
    update(&mut compiler, &mut model);
    boot(&mut model, 100, 1);
    let delta = update(&mut compiler, &mut model);
    assert_eq!(elements(&delta), (0, 1), "{delta:?}");
    assert_eq!(chains(&delta), Vec::<&ChainDelta>::new());
    let table = model.table_mut(crate::rule::Family::Ipv4, crate::wrap::TableKind::Filter).unwrap();
    assert!(table.remove_chain("$inst-50").unwrap());
    let delta = update(&mut compiler, &mut model);
    assert_eq!((elements(&delta), chains(&delta).len()), ((1, 0), 0), "{delta:?}");
}

#[test]
fn an_instance_that_changes_is_led_to_another_body() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..100).for_each(|n| boot(&mut model, n, u16::try_from(n % 3).unwrap()));
    update(&mut compiler, &mut model);
    model.filter().v4().chain("inst-6").unwrap().replace(rules(1)).unwrap();
    let delta = update(&mut compiler, &mut model);
    assert_eq!((elements(&delta), chains(&delta).len()), ((1, 1), 0), "{delta:?}");
}

/// How many elements go and come.
fn elements(delta: &Delta) -> (usize, usize) {
    let sets = delta.tables.iter().flat_map(|table| &table.sets);
    sets.fold((0, 0), |(removed, added), set| (removed + set.removed.len(), added + set.added.len()))
}

#[test]
fn a_jump_to_nowhere_is_named_and_nothing_is_kept() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    model.filter().v4().chain("local").unwrap().append(way_in(5)).unwrap();
    let error = compiler.update(&model, &NoIpsets).unwrap_err();
    assert!(error.to_string().contains("inst-5"), "{error}");
    boot(&mut model, 5, 0);
    assert!(!update(&mut compiler, &mut model).is_empty());
}

#[test]
fn a_restart_gives_the_same_numbers_to_the_same_contents() {
    let (mut model, mut first) = (host(), compiler(&Native::default()));
    (0..6).rev().for_each(|n| boot(&mut model, n, u16::try_from(n).unwrap()));
    let before = update(&mut first, &mut model);
    let hashes = directory(&before);
    let mut second = compiler(&Native::default());
    let bodies: Vec<_> = hashes.iter().filter(|(_, number, _)| *number > 0).map(|(_, n, hash)| (*hash, *n)).collect();
    let next_body = 1 + bodies.iter().map(|(_, number)| *number).max().unwrap();
    let id = crate::wrap::TableId::new(crate::rule::Family::Ipv4, crate::wrap::TableKind::Filter);
    second.seed(id, Seeds { bodies, next_body, next_set: 100, ..Seeds::default() });
    let after = second.update(&model, &NoIpsets).unwrap();
    assert_eq!(directory(&after), hashes);
}

/// Name, number and hash of every kernel chain in the first table's directory.
fn directory(delta: &Delta) -> Vec<(Box<[u8]>, u32, ContentHash)> {
    let filter = delta.tables.iter().find(|table| table.id.kind == crate::wrap::TableKind::Filter).unwrap();
    let sets = &filter.sets;
    let set = sets.iter().find(|set| set.name.as_str().ends_with("/chains")).unwrap();
    let entries = set.added.iter().filter_map(|element| {
        let tags = tlv::Tags::decode(element.userdata.as_deref()?).unwrap();
        let Some(crate::nft::ElementData::Value(number)) = &element.data else { return None };
        Some((element.key.clone()?, u32::from_ne_bytes((**number).try_into().unwrap()), tags.hash?))
    });
    entries.collect()
}

/// A change that goes through everything: bodies, runs, actions, the directory.
fn upheaval(model: &mut Model) {
    for n in 0..12 {
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().replace(rules(7)).unwrap();
    }
    model.filter().v4().chain("inst-13").unwrap().replace(rules(8)).unwrap();
    boot(model, 50, 9);
    for n in 14..20 {
        model.filter().v4().remove_chain(&format!("inst-{n}")).unwrap();
    }
}

#[test]
fn a_refused_update_is_sent_with_the_next() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..20).for_each(|n| boot(&mut model, n, u16::try_from(n % 3).unwrap()));
    update(&mut compiler, &mut model);
    upheaval(&mut model);
    let refused = compiler.update(&model, &NoIpsets).unwrap();
    assert!(!refused.is_empty());
    assert_eq!(compiler.update(&model, &NoIpsets).unwrap(), refused);
    boot(&mut model, 60, 9);
    let more = compiler.update(&model, &NoIpsets).unwrap();
    assert_ne!(more, refused);
    assert_eq!(update(&mut compiler, &mut model), more);
    assert!(update(&mut compiler, &mut model).is_empty());
}

#[test]
fn a_refused_update_that_is_taken_back_is_nothing() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..20).for_each(|n| boot(&mut model, n, u16::try_from(n % 3).unwrap()));
    update(&mut compiler, &mut model);
    let before = model.clone();
    upheaval(&mut model);
    assert!(!compiler.update(&model, &NoIpsets).unwrap().is_empty());
    let mut model = before;
    let delta = compiler.update(&model, &NoIpsets).unwrap();
    assert!(delta.is_empty(), "{delta:?}");
    compiler.commit();
    boot(&mut model, 50, 0);
    assert_eq!(chains(&update(&mut compiler, &mut model)).len(), 0);
}

#[test]
fn a_loop_is_refused_and_can_be_opened_again() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    (0..20).for_each(|n| boot(&mut model, n, 0));
    update(&mut compiler, &mut model);
    let jump = |n| Rule::new().jump(ChainRef::new(&format!("$inst-{n}")).unwrap());
    model.filter().v4().chain("inst-1").unwrap().append(jump(2)).unwrap();
    model.filter().v4().chain("inst-2").unwrap().append(jump(1)).unwrap();
    assert!(matches!(compiler.update(&model, &NoIpsets), Err(Error::Model(errors)) if !errors.is_empty()));
    model.filter().v4().chain("inst-2").unwrap().remove(&jump(1), Place::Normal).unwrap();
    let delta = update(&mut compiler, &mut model);
    assert_eq!(bodies(&delta), 1, "{delta:?}");
}

#[test]
fn a_loop_can_be_opened_again_whatever_leads_to_it() {
    for name in ["a", "zz"] {
        let (mut model, mut compiler) = (host(), compiler(&Native::default()));
        (0..3).for_each(|n| boot(&mut model, n, 0));
        let jump = |n| Rule::new().jump(ChainRef::new(&format!("$inst-{n}")).unwrap());
        model.filter().v4().chain(name).unwrap().append(jump(1)).unwrap();
        model
            .filter()
            .v4()
            .chain("FORWARD")
            .unwrap()
            .append(Rule::new().jump(ChainRef::new(&format!("${name}")).unwrap()))
            .unwrap();
        update(&mut compiler, &mut model);
        model.filter().v4().chain("inst-1").unwrap().append(jump(2)).unwrap();
        model.filter().v4().chain("inst-2").unwrap().append(jump(1)).unwrap();
        assert!(matches!(compiler.update(&model, &NoIpsets), Err(Error::Model(errors)) if !errors.is_empty()));
        model.filter().v4().chain("inst-2").unwrap().remove(&jump(1), Place::Normal).unwrap();
        assert!(!update(&mut compiler, &mut model).is_empty());
    }
}

#[test]
fn rules_for_a_chain_of_another_program_are_refused() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    let table = model.table_mut(crate::rule::Family::Ipv4, crate::wrap::TableKind::Filter).unwrap();
    table.add_rule("DOCKER-USER", Rule::new().discard()).unwrap();
    let error = compiler.update(&model, &NoIpsets).unwrap_err();
    assert!(error.to_string().contains("DOCKER-USER"), "{error}");
}

mod passes;
