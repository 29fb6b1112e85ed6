//! What changed and was not taken yet.
//!
//! Owns: how rules, runs and chains were before their first change, and what that comes to.
//! Never: is asked how things are; the index is.

use std::collections::hash_map::Entry as Bucket;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::stored::Head;
use super::{ChainIx, Changes, ElementChange, Elements, Index, RuleChange, RunChange, RunId, Standing, whole};
use crate::layout::native::field::Key;
use crate::wrap::RuleKey;

/// How a rule stood, what it did, and its key.
type Before = (Standing, u64, Option<Key>);

/// The rules that the keys of a run led to and lead to.
type Keys = BTreeMap<Key, (Option<RuleKey>, Option<RuleKey>)>;

/// How things were before they changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    rules: HashMap<(ChainIx, RuleKey), Option<Before>>,
    /// Whether the chain was a dispatcher.
    chains: BTreeMap<ChainIx, bool>,
    /// Whether the group was a run.
    runs: BTreeMap<u32, bool>,
    /// Chains whose pieces changed.
    pieces: BTreeSet<ChainIx>,
}

impl Pending {
    pub(super) fn is_touched(&self, chain: ChainIx, rule: RuleKey) -> bool {
        self.rules.contains_key(&(chain, rule))
    }

    pub(super) fn touch(&mut self, chain: ChainIx, rule: RuleKey, before: Option<Before>, held: bool) {
        if let Bucket::Vacant(vacant) = self.rules.entry((chain, rule)) {
            vacant.insert(before);
        }
        self.chain(chain, held);
    }

    pub(super) fn chain(&mut self, chain: ChainIx, held: bool) {
        self.chains.entry(chain).or_insert(held);
    }

    pub(super) fn run(&mut self, group: u32, was: bool) {
        self.runs.entry(group).or_insert(was);
    }

    pub(super) fn pieces(&mut self, chain: ChainIx) {
        self.pieces.insert(chain);
    }
}

impl Index {
    /// Brings everything up to date, and says what changed since the last time.
    pub(in crate::layout::native) fn take_changes(&mut self) -> Changes {
        let chains: Vec<ChainIx> = self.pending.chains.keys().copied().collect();
        for chain in chains {
            match self.heads.get(&chain).copied() {
                Some(head) if head.held && !head.dispatches() => {
                    self.drop_rules(chain);
                    if head.active > 0 {
                        self.heads.insert(chain, Head { reached: head.reached, ..Head::default() });
                    } else {
                        self.heads.remove(&chain);
                    }
                }
                Some(head) if head.stale => self.rebuild(chain),
                _ => {}
            }
        }
        let Pending { rules, chains, runs, pieces } = std::mem::take(&mut self.pending);
        let (rules, mut elements) = self.compare(rules, &runs);
        let mut changes = Changes { rules, ..Changes::default() };
        for (chain, was) in chains {
            if was != self.is_dispatcher(chain) {
                changes.chains.push((chain, !was));
            }
        }
        changes.pieces = pieces.into_iter().filter(|chain| self.is_dispatcher(*chain)).collect();
        for (group, was) in runs {
            let run = RunId(group);
            match (was, self.run(run).is_some()) {
                (false, true) => changes.runs.push(RunChange { run, change: Elements::New }),
                (true, false) => changes.runs.push(RunChange { run, change: Elements::Gone }),
                (false, false) => {}
                // It was none for a while.
                (true, true) => {
                    elements.entry(run).or_default();
                }
            }
        }
        for (run, keys) in elements {
            let change = |(key, (before, after))| ElementChange { key, before, after };
            let keys: Vec<ElementChange> = keys.into_iter().map(change).collect();
            if !keys.is_empty() {
                changes.runs.push(RunChange { run, change: Elements::Changed(keys) });
            }
        }
        changes.runs.sort_unstable_by_key(|change| change.run);
        changes
    }

    /// What became of the rules, and of the elements of runs that were there before and still are.
    fn compare(
        &self,
        rules: HashMap<(ChainIx, RuleKey), Option<Before>>,
        runs: &BTreeMap<u32, bool>,
    ) -> (Vec<RuleChange>, BTreeMap<RunId, Keys>) {
        let mut changes = Vec::new();
        let mut elements: BTreeMap<RunId, Keys> = BTreeMap::new();
        let kept = |run: RunId| runs.get(&run.0).is_none_or(|was| *was) && self.run(run).is_some();
        for ((chain, rule), before) in rules {
            let key_now = || self.rules.get(&(chain, rule)).and_then(|stored| stored.key.as_ref()).map(|(_, key)| key);
            let after = self.standing(chain, rule);
            let (before, key_then) = match before {
                Some((standing, action, key)) => (Some((standing, action)), key),
                None => (None, None),
            };
            if before == after && key_then.as_ref() == key_now() {
                continue;
            }
            changes.push(RuleChange { chain, rule, before, after });
            if let (Some((Standing::Run(run), _)), Some(key)) = (before, key_then)
                && kept(run)
            {
                elements.entry(run).or_default().entry(key).or_default().0 = Some(rule);
            }
            if let (Some((Standing::Run(run), _)), Some(key)) = (after, key_now())
                && kept(run)
            {
                elements.entry(run).or_default().entry(key.clone()).or_default().1 = Some(rule);
            }
        }
        changes.sort_unstable_by_key(|change| (change.chain, change.rule));
        (changes, elements)
    }

    /// Lets go of all rules of a chain.
    pub(super) fn drop_rules(&mut self, chain: ChainIx) {
        let rules: Vec<RuleKey> = whole(&self.rules, chain).map(|(rule, _)| rule).collect();
        rules.iter().for_each(|rule| self.touch(chain, *rule));
        self.pending.chain(chain, true);
        for (number, group) in self.groups_of(chain) {
            if group.run {
                self.pending.run(number, true);
            }
            self.groups.remove(number);
            self.starts.remove(&(chain, group.signature, group.layer, group.first));
        }
        for rule in rules {
            let Some(stored) = self.rules.remove(&(chain, rule)) else { continue };
            if let Some(signature) = stored.signature {
                self.twins.remove(&(chain, signature, stored.hash(), rule));
                self.counts.remove(&(chain, signature));
                self.active.remove(&(chain, signature));
            }
        }
        self.replace_order(chain, Vec::new(), BTreeSet::new(), Vec::new());
        self.replace_actions(chain, Vec::new());
    }
}
