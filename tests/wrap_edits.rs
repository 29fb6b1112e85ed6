//! A reader that is told nothing but edits knows every rule of a chain.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use nftwrap::rule::{Family, MarkMask, Masked, Rule};
use nftwrap::wrap::{Addition, Chain, Model, Place, RuleKey, Table, TableKind};
use proptest::prelude::*;

const CHAINS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Op {
    Add(usize, u32, Place),
    /// So many rules of one chain, whichever they are.
    Fill(usize, u32, u32),
    /// The rules at every so many places.
    Remove(usize, usize, usize),
    /// The same few rules again and again.
    Repeat(usize, u32),
    Replace(usize, Vec<u32>),
    Empty(usize),
    RemoveChain(usize),
    Applied,
}

fn rule(number: u32) -> Rule {
    Rule::new().source(Masked::host(std::net::Ipv4Addr::from(number).into())).accept()
}

fn op() -> impl Strategy<Value = Op> {
    let chain = || 0..CHAINS.len();
    let place = prop::sample::select(vec![Place::Top, Place::Normal, Place::Normal, Place::Bottom]);
    prop_oneof![
        8 => (chain(), 0..400u32, place).prop_map(|(c, n, p)| Op::Add(c, n, p)),
        2 => (chain(), 0..400u32, 1..150u32).prop_map(|(c, n, by)| Op::Fill(c, n, by)),
        6 => (chain(), 0..200usize, 1..200usize).prop_map(|(c, at, step)| Op::Remove(c, at, step)),
        2 => (chain(), 0..8u32).prop_map(|(c, n)| Op::Repeat(c, n)),
        1 => (chain(), prop::collection::vec(0..400u32, 0..100)).prop_map(|(c, rules)| Op::Replace(c, rules)),
        1 => chain().prop_map(Op::Empty),
        1 => chain().prop_map(Op::RemoveChain),
        6 => Just(Op::Applied),
    ]
}

fn run(table: &mut Table, op: &Op) {
    match op {
        Op::Add(chain, number, place) => {
            table.add_rule(CHAINS[*chain], Addition::new(rule(*number)).place(*place)).unwrap();
        }
        Op::Fill(chain, number, by) => {
            table.push_rules(CHAINS[*chain], (*number..number + by).map(rule)).unwrap();
        }
        Op::Remove(chain, at, step) => {
            let Some(found) = table.chain(CHAINS[*chain]) else { return };
            let gone: Vec<(Arc<Rule>, Place)> =
                found.rules().skip(*at).step_by(*step).map(|e| (e.rule().clone(), e.place())).collect();
            for (rule, place) in gone {
                assert!(table.remove_rule(CHAINS[*chain], &rule, place).unwrap());
            }
        }
        Op::Repeat(chain, number) => {
            let rule = Rule::new().mark(MarkMask { value: *number, mask: u32::MAX }).accept();
            (0..10).for_each(|_| table.push_rule(CHAINS[*chain], rule.clone()).unwrap());
        }
        Op::Replace(chain, rules) => {
            table.replace_chain(CHAINS[*chain], rules.iter().map(|number| rule(*number))).unwrap();
        }
        Op::Empty(chain) => {
            table.empty_chain(CHAINS[*chain]).unwrap();
        }
        Op::RemoveChain(chain) => {
            table.remove_chain(CHAINS[*chain]).unwrap();
        }
        Op::Applied => {}
    }
}

/// What a reader keeps of a chain.
type Copy = BTreeMap<RuleKey, Arc<Rule>>;

fn all(chain: &Chain) -> Copy {
    let copy: Copy = chain.keyed_rules().map(|(key, entry)| (key, entry.rule().clone())).collect();
    assert!(copy.values().eq(chain.rules().map(|entry| entry.rule())), "keys are in the order of the rules");
    assert!(copy.iter().all(|(key, rule)| chain.rule(*key).is_some_and(|entry| entry.rule() == rule)));
    copy
}

proptest! {
    #[test]
    fn edits_lead_from_what_was_to_what_is(ops in prop::collection::vec(op(), 1..60)) {
        let mut model = Model::whole();
        let mut copies = [Copy::new(), Copy::new()];
        let mut history: [Copy; 2] = Default::default();
        for op in ops {
            let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
            run(table, &op);
            for (name, history) in CHAINS.iter().zip(&mut history) {
                for (key, rule) in table.chain(*name).map(all).unwrap_or_default() {
                    let known = history.entry(key).or_insert_with(|| rule.clone());
                    prop_assert_eq!(&*known, &rule, "{:?} meant another rule", key);
                }
            }
            if !matches!(op, Op::Applied) {
                continue;
            }
            for (name, copy) in CHAINS.iter().zip(&mut copies) {
                let Some(chain) = table.chain(*name) else {
                    copy.clear();
                    continue;
                };
                if let Some(edits) = chain.edits() {
                    for (key, rule) in edits.removed() {
                        prop_assert_eq!(copy.remove(key), Some(rule.clone()));
                    }
                    for entry in edits.added() {
                        prop_assert!(copy.insert(entry.key(), entry.rule().clone()).is_none());
                    }
                } else {
                    *copy = all(chain);
                }
                prop_assert_eq!(&*copy, &all(chain));
            }
            model.mark_applied();
        }
    }
}

#[test]
fn a_long_chain_says_what_changed() {
    let mut model = Model::whole();
    let filter = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    filter.push_rules("a", (0..1000).map(rule)).unwrap();
    assert!(filter.chain("a").unwrap().edits().is_none(), "a new chain is to be read");
    model.mark_applied();

    let filter = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    // Many changes and a compaction, but few each time.
    for n in 0..900 {
        filter.remove_rule("a", &rule(n), Place::Normal).unwrap();
        filter.push_rule("a", rule(2000 + n)).unwrap();
        filter.remove_rule("a", &rule(2000 + n), Place::Normal).unwrap();
        if n % 100 == 99 {
            let edits = filter.chain("a").unwrap().edits();
            let removed = edits.map(|edits| edits.removed().len());
            assert_eq!(removed, (n < 500).then_some(n as usize + 1));
            assert_eq!(edits.map_or(0, |edits| edits.added().count()), 0);
        }
    }
    model.mark_applied();
    let filter = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    filter.push_rule("a", rule(7)).unwrap();
    let edits = filter.chain("a").unwrap().edits().unwrap();
    assert_eq!((edits.removed().len(), edits.added().count()), (0, 1));
}
