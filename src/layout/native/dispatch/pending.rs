//! What changed and was not taken yet.
//!
//! Owns: how rules and runs of a chain were before their first change, and what that comes to.
//! Never: is asked how things are; the dispatcher is.
//!
//! Invariant: nothing is remembered of a chain that was no dispatcher: all that it has now is new.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry as Bucket;

use foldhash::HashMap;

use super::dispatcher::Dispatcher;
use super::stored::{GroupId, Groups, Stored};
use super::{ChainIx, Changes, ElementChange, Elements, RuleChange, RunChange, RunId, Standing};
use crate::layout::native::field::Key;
use crate::wrap::RuleKey;

/// The rules that the keys of a run led to and lead to.
type Keys = BTreeMap<Key, (Option<RuleKey>, Option<RuleKey>)>;

/// How a rule was.
#[derive(Debug, Clone)]
pub(super) struct Before {
    run: Option<GroupId>,
    action: u64,
    key: Option<Key>,
}

impl Before {
    /// How it is.
    pub(super) fn of(rule: &Stored, groups: &Groups) -> Self {
        let run = rule.group.filter(|group| groups.run(*group).is_some());
        Self { run, action: rule.action, key: rule.key.as_ref().map(|(_, key)| key.clone()) }
    }
}

/// How a chain was before it changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// Whether it was a dispatcher.
    pub(super) held: bool,
    /// How rules were that were touched; `None`: not there.
    rules: HashMap<RuleKey, Option<Before>>,
    /// Whether groups were runs.
    runs: BTreeMap<GroupId, bool>,
    /// Whether pieces changed.
    pub(super) pieces: bool,
}

impl Past {
    /// Of a dispatcher of which nothing changed yet.
    pub(super) fn as_it_is() -> Self {
        Self { held: true, ..Self::default() }
    }

    /// A rule is about to change.
    pub(super) fn touch(&mut self, rule: RuleKey, before: impl FnOnce() -> Option<Before>) {
        if self.held
            && let Bucket::Vacant(vacant) = self.rules.entry(rule)
        {
            vacant.insert(before());
        }
    }

    /// These rules come, to a chain that had ceased to be a dispatcher.
    pub(super) fn come(&mut self, rules: impl Iterator<Item = RuleKey>) {
        if self.held {
            rules.for_each(|rule| self.touch(rule, || None));
        }
    }

    /// A group becomes a run or ceases to be one; `was` is what it is until then.
    pub(super) fn run(&mut self, group: GroupId, was: bool) {
        if self.held {
            self.runs.entry(group).or_insert(was);
        }
    }

    /// What the changes came to. `now` is the dispatcher that the chain is.
    pub(super) fn compare(self, chain: ChainIx, now: Option<&Dispatcher>, changes: &mut Changes) {
        if self.held != now.is_some() {
            changes.chains.push((chain, now.is_some()));
        }
        match now {
            Some(now) if !self.held => come(now, changes),
            _ => self.compare_held(chain, now, changes),
        }
    }

    /// The same of a chain that was a dispatcher.
    fn compare_held(self, chain: ChainIx, now: Option<&Dispatcher>, changes: &mut Changes) {
        if self.pieces && now.is_some() {
            changes.pieces.push(chain);
        }
        let is_run = |group: GroupId| now.is_some_and(|now| now.groups.run(group).is_some());
        // Of runs that were there before and still are it is said what became of their elements.
        let kept = |group: GroupId| self.runs.get(&group).is_none_or(|was| *was) && is_run(group);
        let mut elements: BTreeMap<GroupId, Keys> = BTreeMap::new();
        let mut rules = Vec::new();
        for (rule, before) in self.rules {
            let after = now.and_then(|now| Some(Before::of(now.rules.get(&rule)?, &now.groups)));
            let standing = |side: &Option<Before>| {
                let Before { run, action, .. } = side.as_ref()?;
                Some((run.map_or(Standing::Plain, |number| Standing::Run(RunId { chain, number })), *action))
            };
            let change = RuleChange { chain, rule, before: standing(&before), after: standing(&after) };
            let key = |side: Option<Before>| side.and_then(|side| Some((side.run, side.key?)));
            let (before, after) = (key(before), key(after));
            let same_key = before.as_ref().map(|(_, key)| key) == after.as_ref().map(|(_, key)| key);
            if change.before == change.after && same_key {
                continue;
            }
            rules.push(change);
            if let Some((Some(run), key)) = before
                && kept(run)
            {
                elements.entry(run).or_default().entry(key).or_default().0 = Some(rule);
            }
            if let Some((Some(run), key)) = after
                && kept(run)
            {
                elements.entry(run).or_default().entry(key).or_default().1 = Some(rule);
            }
        }
        rules.sort_unstable_by_key(|change| change.rule);
        changes.rules.append(&mut rules);

        let mut runs: BTreeMap<GroupId, Elements> = BTreeMap::new();
        for (run, was) in self.runs {
            match (was, is_run(run)) {
                (false, true) => drop(runs.insert(run, Elements::New)),
                (true, false) => drop(runs.insert(run, Elements::Gone)),
                // It was none for a while, or was one for a while.
                (true, true) | (false, false) => {}
            }
        }
        for (run, keys) in elements {
            let change = |(key, (before, after))| ElementChange { key, before, after };
            runs.insert(run, Elements::Changed(keys.into_iter().map(change).collect()));
        }
        let run_change = |(number, change)| RunChange { run: RunId { chain, number }, change };
        changes.runs.extend(runs.into_iter().map(run_change));
    }
}

/// All that a new dispatcher has.
fn come(now: &Dispatcher, changes: &mut Changes) {
    let chain = now.chain;
    changes.pieces.push(chain);
    let runs = now.groups.iter().filter(|(_, group)| group.run);
    changes.runs.extend(runs.map(|(number, _)| RunChange { run: now.run_id(number), change: Elements::New }));
    let rules = now.rules.iter();
    changes.rules.extend(rules.map(|(rule, stored)| {
        let after = Some(now.standing_of(stored));
        RuleChange { chain, rule: *rule, before: None, after }
    }));
}
