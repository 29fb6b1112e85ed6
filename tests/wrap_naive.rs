//! Random operations on a table beside a model that is nothing but two lists and scans them all.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

use std::collections::BTreeSet;

use nftwrap::name::{ChainName, Comment, WrapName};
use nftwrap::rule::{ChainRef, Family, MarkMask, Match, Rule};
use nftwrap::wrap::{Addition, ChainKey, ChainKind, Model, Place, Table, TableKind};
use proptest::prelude::*;

/// Chains of the test: wrapped, shared, foreign and built in.
const CHAINS: [&str; 7] = ["$a", "$ab", "$abc", "s", "t", "INPUT", "OUTPUT"];
const TAGS: [Option<&str>; 4] = [None, None, Some("x"), Some("y")];

#[derive(Debug, Clone)]
struct Row {
    chain: usize,
    rule: Rule,
    place: Place,
    tag: Option<&'static str>,
}

#[derive(Debug, Clone)]
enum Op {
    AddChain(usize),
    Add(Row),
    Push(Row),
    Remove(Row),
    RemoveChain(usize),
    Empty(usize),
    Clear(&'static str),
    RemoveMarks(u32),
    Replace(usize, Vec<Row>),
    Applied,
}

/// The same in the simplest way.
#[derive(Debug, Default)]
struct Naive {
    /// Every chain that anything is known about, in order; whether it was added.
    chains: Vec<(String, bool)>,
    rows: Vec<(String, Row)>,
    dirty: BTreeSet<String>,
}

fn kernel(name: &str) -> String {
    name.strip_prefix('$').map_or(name.to_owned(), |logical| format!("w-{logical}"))
}

fn resolved(rule: &Rule) -> Rule {
    let mut rule = rule.clone();
    if let Some(target) = rule.chain_ref().cloned() {
        let name = match &target {
            ChainRef::Wrapped(name) => kernel(&format!("${name}")),
            ChainRef::Named(name) => name.to_string(),
        };
        rule = rule.jump(ChainRef::Named(ChainName::new(&name).unwrap()));
    }
    rule
}

fn bare(rule: &Rule) -> Rule {
    let mut rule = rule.clone();
    rule.matches.retain(|m| !matches!(m, Match::Comment(_)));
    rule
}

fn builtin(name: &str) -> Option<usize> {
    ["INPUT", "OUTPUT"].iter().position(|b| *b == name)
}

impl Naive {
    fn know(&mut self, name: &str) {
        if !self.chains.iter().any(|(known, _)| known == name) {
            self.chains.push((name.to_owned(), false));
        }
    }

    /// Drops what nothing is known about any more.
    fn forget(&mut self) {
        let Self { chains, rows, .. } = self;
        chains.retain(|(name, added)| {
            *added
                || builtin(name).is_some()
                || rows
                    .iter()
                    .any(|(c, row)| c == name || row.rule.chain_ref().is_some_and(|t| t.name().as_str() == name))
        });
    }

    fn added(&self, name: &str) -> bool {
        self.chains.iter().any(|(known, added)| known == name && *added)
    }

    fn retain(&mut self, keep: impl Fn(&str, &Row) -> bool) -> usize {
        let before = self.rows.len();
        let dirty = &mut self.dirty;
        self.rows.retain(|(chain, row)| {
            let keep = keep(chain, row);
            if !keep {
                dirty.insert(chain.clone());
            }
            keep
        });
        before - self.rows.len()
    }

    fn push(&mut self, name: &str, row: &Row) {
        let row = Row { rule: resolved(&row.rule), ..row.clone() };
        self.know(name);
        if let Some(target) = row.rule.chain_ref() {
            self.know(target.name().as_str());
        }
        self.rows.push((name.to_owned(), row));
        self.dirty.insert(name.to_owned());
    }

    fn rules(&self, name: &str) -> Vec<&Row> {
        let mut rules: Vec<_> = self.rows.iter().filter(|(c, _)| c == name).map(|(_, row)| row).collect();
        rules.sort_by_key(|row| row.place);
        rules
    }

    /// What the operation returns, as a number, or `None` for an error.
    fn run(&mut self, op: &Op) -> Option<usize> {
        let result = match op {
            Op::AddChain(chain) => {
                let name = kernel(CHAINS[*chain]);
                if self.added(&name) || (builtin(&name).is_some() && self.chains.iter().any(|(c, _)| *c == name)) {
                    Some(0)
                } else if builtin(&name).is_some() {
                    self.know(&name);
                    self.dirty.insert(name);
                    Some(0)
                } else {
                    self.chains.retain(|(c, _)| *c != name);
                    self.chains.push((name.clone(), true));
                    self.dirty.insert(name);
                    Some(1)
                }
            }
            Op::Add(row) | Op::Push(row) if CHAINS[row.chain].starts_with('$') && !self.has(row.chain) => None,
            Op::Add(row) => {
                let name = kernel(CHAINS[row.chain]);
                let rule = resolved(&row.rule);
                let there = self.rules(&name).iter().any(|r| (&r.rule, r.place, r.tag) == (&rule, row.place, row.tag));
                if !there {
                    self.push(&name, row);
                }
                Some(usize::from(!there))
            }
            Op::Push(row) => {
                self.push(&kernel(CHAINS[row.chain]), row);
                Some(0)
            }
            Op::Remove(row) => {
                let (name, rule) = (kernel(CHAINS[row.chain]), resolved(&row.rule));
                let at = |same: &dyn Fn(&Rule) -> bool| {
                    self.rows.iter().position(|(c, r)| *c == name && r.place == row.place && same(&r.rule))
                };
                let exact = at(&|r| *r == rule);
                let found = exact.or_else(|| at(&|r| rule.comment_text().is_none() && bare(r) == bare(&rule)));
                if let Some(at) = found {
                    self.rows.remove(at);
                    self.dirty.insert(name);
                }
                Some(usize::from(found.is_some()))
            }
            Op::RemoveChain(chain) if builtin(CHAINS[*chain]).is_some() => None,
            Op::RemoveChain(chain) => {
                let name = kernel(CHAINS[*chain]);
                let there = self.added(&name);
                if there {
                    self.dirty.insert(name.clone());
                    self.retain(|c, r| c != name && r.rule.chain_ref().is_none_or(|t| t.name().as_str() != name));
                    self.chains.retain(|(c, _)| *c != name);
                }
                Some(usize::from(there))
            }
            Op::Empty(chain) => {
                let name = kernel(CHAINS[*chain]);
                Some(self.retain(|c, _| c != name))
            }
            Op::Clear(tag) => Some(self.retain(|_, r| r.tag != Some(tag))),
            Op::RemoveMarks(mark) => Some(self.retain(|_, r| !has_mark(&r.rule, *mark))),
            Op::Replace(chain, _) if CHAINS[*chain].starts_with('$') && !self.has(*chain) => None,
            Op::Replace(chain, rows) => {
                let name = kernel(CHAINS[*chain]);
                let mut rows = rows.clone();
                rows.sort_by_key(|row| row.place);
                let wanted: Vec<_> = rows.iter().map(|r| (resolved(&r.rule), r.place, r.tag)).collect();
                let is: Vec<_> = self.rules(&name).iter().map(|r| (r.rule.clone(), r.place, r.tag)).collect();
                if !rows.is_empty() {
                    self.know(&name);
                }
                if wanted != is {
                    self.retain(|c, _| c != name);
                    self.forget_but(&name);
                    rows.iter().for_each(|row| self.push(&name, row));
                }
                Some(usize::from(wanted != is))
            }
            Op::Applied => {
                self.dirty.clear();
                Some(0)
            }
        };
        self.forget();
        result
    }

    /// As [`Naive::forget`], with a chain that is in work.
    fn forget_but(&mut self, name: &str) {
        let held = Row { chain: 0, rule: Rule::new(), place: Place::Normal, tag: None };
        self.rows.push((name.to_owned(), held));
        self.forget();
        self.rows.pop();
    }

    fn has(&self, chain: usize) -> bool {
        self.added(&kernel(CHAINS[chain]))
    }

    /// Chains and their rules in the order of the real one.
    fn listing(&self) -> Vec<(String, Vec<Row>)> {
        let mut chains: Vec<_> = self.chains.iter().map(|(name, added)| (name.clone(), *added)).collect();
        chains.sort_by_key(|(name, _)| builtin(name).unwrap_or(usize::MAX));
        let rules = |name: &str| self.rules(name).into_iter().cloned().collect::<Vec<_>>();
        let known = |name: &str, added: bool| added || builtin(name).is_some() || !self.rules(name).is_empty();
        chains.into_iter().filter(|(name, added)| known(name, *added)).map(|(n, _)| (n.clone(), rules(&n))).collect()
    }
}

fn has_mark(rule: &Rule, mark: u32) -> bool {
    rule.matches.iter().any(|m| matches!(m, Match::Mark(m) if m.value.value == mark))
}

fn addition(row: &Row) -> Addition {
    let addition = Addition::new(row.rule.clone()).place(row.place);
    match row.tag {
        Some(tag) => addition.tagged(tag),
        None => addition,
    }
}

/// The same on the real one.
fn run(model: &mut Model, op: &Op) -> Option<usize> {
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    let key = |chain: usize| ChainKey::from(CHAINS[chain]);
    match op {
        Op::AddChain(chain) => table.add_chain(key(*chain)).ok().map(usize::from),
        Op::Add(row) => table.add_rule(key(row.chain), addition(row)).ok().map(usize::from),
        Op::Push(row) => table.push_rule(key(row.chain), addition(row)).ok().map(|()| 0),
        Op::Remove(row) => table.remove_rule(key(row.chain), &row.rule, row.place).ok().map(usize::from),
        Op::RemoveChain(chain) => table.remove_chain(key(*chain)).ok().map(usize::from),
        Op::Empty(chain) => table.empty_chain(key(*chain)).ok(),
        Op::Clear(tag) => Some(table.clear_by_tag(tag)),
        Op::RemoveMarks(mark) => Some(table.remove_rules_where(|_, e| has_mark(e.rule(), *mark))),
        Op::Replace(chain, rows) => table.replace_chain(key(*chain), rows.iter().map(addition)).ok().map(usize::from),
        Op::Applied => {
            model.mark_applied();
            Some(0)
        }
    }
}

/// A rule as both show it.
type Shown = (Rule, Place, Option<String>);

fn listing(table: &Table) -> Vec<(String, Vec<Shown>)> {
    let rules = |chain: &nftwrap::wrap::Chain| {
        chain.rules().map(|e| ((**e.rule()).clone(), e.place(), e.tag().map(str::to_owned))).collect()
    };
    table.chains().map(|chain| (chain.name().to_string(), rules(chain))).collect()
}

fn rule(marks: u32) -> impl Strategy<Value = Rule> {
    (0..marks, prop::option::weighted(0.4, 0..5_usize), 0..4_u8).prop_map(|(mark, target, comment)| {
        let mut rule = Rule::new().mark(MarkMask::exact(mark));
        if comment < 2 {
            rule = rule.comment(Comment::new(["a", "b"][comment as usize]).unwrap());
        }
        match target {
            Some(target) => rule.jump(ChainRef::new(CHAINS[target]).unwrap()),
            None => rule.accept(),
        }
    })
}

fn row(marks: u32) -> impl Strategy<Value = Row> {
    let place = prop_oneof![1 => Just(Place::Top), 6 => Just(Place::Normal), 1 => Just(Place::Bottom)];
    (0..CHAINS.len(), rule(marks), place, 0..TAGS.len()).prop_map(|(chain, rule, place, tag)| Row {
        chain,
        rule,
        place,
        tag: TAGS[tag],
    })
}

fn op(marks: u32) -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..CHAINS.len()).prop_map(Op::AddChain),
        40 => row(marks).prop_map(Op::Add),
        10 => row(marks).prop_map(Op::Push),
        20 => row(marks).prop_map(Op::Remove),
        2 => (0..CHAINS.len()).prop_map(Op::RemoveChain),
        1 => (0..CHAINS.len()).prop_map(Op::Empty),
        1 => prop_oneof![Just("x"), Just("y"), Just("z")].prop_map(Op::Clear),
        1 => (0..marks).prop_map(Op::RemoveMarks),
        2 => (0..CHAINS.len(), prop::collection::vec(row(marks), 0..5)).prop_map(|(chain, rows)| Op::Replace(chain, rows)),
        3 => Just(Op::Applied),
    ]
}

fn same(ops: &[Op]) -> Result<(), TestCaseError> {
    let mut model = Model::builder().component(WrapName::new("w").unwrap()).build().unwrap();
    let mut naive = Naive::default();
    for op in ops {
        prop_assert_eq!(run(&mut model, op), naive.run(op), "{:?}", op);
        let Some(table) = model.table(Family::Ipv4, TableKind::Filter) else { continue };
        let expected: Vec<_> = naive
            .listing()
            .into_iter()
            .map(|(name, rows)| {
                let rules = rows.into_iter().map(|r| (r.rule, r.place, r.tag.map(str::to_owned)));
                (name, rules.collect::<Vec<_>>())
            })
            .collect();
        prop_assert_eq!(listing(table), expected, "{:?}", op);
        let dirty: Vec<_> = table.dirty().map(ToString::to_string).collect();
        prop_assert_eq!(dirty, naive.dirty.iter().cloned().collect::<Vec<_>>(), "{:?}", op);
        for chain in table.chains() {
            prop_assert_eq!(chain.len(), chain.rules().count());
            let added = naive.added(chain.name().as_str());
            prop_assert_eq!(added, matches!(chain.kind(), ChainKind::Wrapped | ChainKind::Shared));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Few different rules: duplicates, tags and comments meet.
    #[test]
    fn few_rules(ops in prop::collection::vec(op(4), 1..120)) {
        same(&ops)?;
    }

    /// Long chains: the index and the closing of holes are at work.
    #[test]
    fn many_rules(
        fill in prop::collection::vec(row(200), 100..400),
        ops in prop::collection::vec(op(200), 1..200),
    ) {
        let to_input = |row: Row| Op::Push(Row { chain: 5, ..row });
        let removals = fill.iter().step_by(2).cloned().map(|row| Op::Remove(Row { chain: 5, ..row }));
        let ops: Vec<_> = fill.iter().cloned().map(to_input).chain(ops).chain(removals.collect::<Vec<_>>()).collect();
        // The naive one is quadratic; looking at the end is enough here, errors do not heal.
        let mut model = Model::builder().component(WrapName::new("w").unwrap()).build().unwrap();
        let mut naive = Naive::default();
        for op in &ops {
            prop_assert_eq!(run(&mut model, op), naive.run(op), "{:?}", op);
        }
        let table = model.table(Family::Ipv4, TableKind::Filter).unwrap();
        let count = |(name, rows): (String, Vec<Row>)| (name, rows.into_iter().map(|r| r.rule).collect::<Vec<_>>());
        let expected: Vec<_> = naive.listing().into_iter().map(count).collect();
        let real: Vec<_> = listing(table).into_iter().map(|(n, r)| (n, r.into_iter().map(|r| r.0).collect())).collect();
        prop_assert_eq!(real, expected);
    }
}
