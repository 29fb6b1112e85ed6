//! The groups of a chain, made anew.
//!
//! Owns: what is to be done when a change is not that of one group: a run is cut or joined, a signature becomes active,
//! a chain is loaded.
//! Never: forgets which run was which: each new group takes the number of the old one that it has most rules of.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};

use super::dispatcher::Dispatcher;
use super::order::after;
use super::stored::{Group, GroupId};
use super::{DISPATCH_MIN, SignatureId};
use crate::layout::native::field::Key;
use crate::wrap::RuleKey;

/// A rule on its way from one group to another.
struct Row {
    rule: RuleKey,
    old: Option<GroupId>,
    /// The place of its new group among the new ones, if it is keyed.
    new: Option<usize>,
}

impl Dispatcher {
    /// Makes groups, barriers and pieces of the rules as they are, if they are stale.
    pub(super) fn settle(&mut self) {
        if !self.stale {
            return;
        }
        self.recount();
        self.plain = self.judge_all();
        self.barriers = self.plain.iter().filter(|(_, witness)| witness.is_some()).map(|(rule, _)| *rule).collect();
        let (rows, groups) = self.regroup();
        let numbers = self.number(&rows, &groups);
        let pieces = self.apply(&rows, &groups, &numbers);
        if self.pieces != pieces {
            self.pieces = pieces;
            self.past.pieces = true;
        }
        self.stale = false;
    }

    /// Counts what the keyed rules do.
    fn recount(&mut self) {
        let keyed = self.rules.values().filter(|stored| self.is_keyed(stored));
        let done: Vec<_> = keyed.map(|stored| (stored.action, stored.effects)).collect();
        (self.side, self.not_drop) = (0, 0);
        self.actions.clear();
        let several = self.active.len() > 1;
        for (action, effects) in done {
            self.count_effects(effects, true);
            if several {
                *self.actions.entry(action).or_default() += 1;
            }
        }
        self.apart = self.is_apart();
    }

    /// The plain rules, each with a keyed one that makes it a barrier.
    fn judge_all(&self) -> BTreeMap<RuleKey, Option<RuleKey>> {
        let plain = self.rules.iter().filter(|(_, stored)| !self.is_keyed(stored));
        let judged = plain.map(|(&rule, stored)| {
            let holds = |witness: &RuleKey| {
                let keyed = self.rules.get(witness).filter(|keyed| self.is_keyed(keyed));
                *witness > rule && keyed.is_some_and(|keyed| !self.commute(stored, keyed))
            };
            let known = self.plain.get(&rule).copied().flatten().filter(holds);
            let later = after(&self.rules, rule).filter(|(_, stored)| self.is_keyed(stored));
            (rule, known.or_else(|| self.witness(rule, stored, later)))
        });
        judged.collect()
    }

    /// Which rules belong together.
    fn regroup(&self) -> (Vec<Row>, Vec<Group>) {
        let (mut rows, mut groups): (Vec<Row>, Vec<Group>) = (Vec::with_capacity(self.rules.len()), Vec::new());
        let again = self.standing_again();
        let mut layers: HashMap<(SignatureId, &Key), u32> = HashMap::default();
        let mut open: HashMap<(SignatureId, u32), usize> = HashMap::default();
        let mut last = None;
        for (&rule, stored) in &self.rules {
            let keyed = stored.keyed().filter(|_| self.is_keyed(stored));
            let cut = match keyed {
                Some((signature, ..)) => self.apart && last.replace(signature) != Some(signature),
                None => self.barriers.contains(&rule),
            };
            if cut {
                layers.clear();
                open.clear();
            }
            let new = keyed.map(|(signature, _, key)| {
                let layer = match again.contains(&rule) {
                    true => {
                        let next = layers.entry((signature, key)).or_default();
                        std::mem::replace(next, *next + 1)
                    }
                    false => 0,
                };
                let new = *open.entry((signature, layer)).or_insert(groups.len());
                match groups.get_mut(new) {
                    Some(group) => group.len += 1,
                    None => groups.push(Group { signature, layer, first: rule, len: 1, run: false }),
                }
                new
            });
            rows.push(Row { rule, old: stored.group, new });
        }
        groups.iter_mut().for_each(|group| group.run = group.len as usize >= DISPATCH_MIN);
        (rows, groups)
    }

    /// The rules whose keys may stand again: few, so that layers are to be told for few.
    fn standing_again(&self) -> HashSet<RuleKey> {
        let mut again = HashSet::default();
        for (a, b) in self.twins.iter().zip(self.twins.iter().skip(1)).filter(|(a, b)| a.0 == b.0) {
            again.extend([a.1, b.1]);
        }
        again
    }

    /// The number of each new group: that of the old one that it has most rules of, if no other has more of it.
    fn number(&mut self, rows: &[Row], groups: &[Group]) -> Vec<GroupId> {
        let mut shared: HashMap<(GroupId, usize), usize> = HashMap::default();
        for row in rows {
            if let Some(both) = row.old.zip(row.new) {
                *shared.entry(both).or_default() += 1;
            }
        }
        let mut shared: Vec<_> = shared.into_iter().map(|((old, new), count)| (count, new, old)).collect();
        shared.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        let mut given: HashMap<usize, GroupId> = HashMap::default();
        let mut taken: BTreeSet<GroupId> = BTreeSet::new();
        for (_, new, old) in shared {
            if !given.contains_key(&new) && taken.insert(old) {
                given.insert(new, old);
            }
        }
        let gone: Vec<_> = self.groups.iter().map(|(old, _)| old).filter(|old| !taken.contains(old)).collect();
        // How the rules stood is remembered before anything is changed; new groups have numbers that nobody has.
        let numbers: Vec<GroupId> = groups
            .iter()
            .enumerate()
            .map(|(at, group)| {
                given.get(&at).copied().unwrap_or_else(|| self.groups.insert(Group { run: false, ..*group }))
            })
            .collect();
        if self.past.held {
            for row in rows {
                let then = row.old.filter(|old| self.groups.run(*old).is_some());
                let now = row.new.filter(|new| groups.get(*new).is_some_and(|group| group.run));
                if then != now.and_then(|new| numbers.get(new).copied()) {
                    self.touch(row.rule);
                }
            }
        }
        for old in gone {
            if self.groups.run(old).is_some() {
                self.past.run(old, true);
            }
            self.groups.remove(old);
        }
        numbers
    }

    /// Writes groups and their numbers down; returns the pieces that this makes.
    fn apply(&mut self, rows: &[Row], groups: &[Group], numbers: &[GroupId]) -> BTreeMap<RuleKey, Option<GroupId>> {
        for (group, &number) in groups.iter().zip(numbers) {
            let Some(then) = self.groups.get_mut(number) else { continue };
            let was = std::mem::replace(then, *group).run;
            if was != group.run {
                self.past.run(number, was);
            }
        }
        let start = |(group, number): (&Group, &GroupId)| ((group.signature, group.layer, group.first), *number);
        self.starts = groups.iter().zip(numbers).map(start).collect();
        let mut pieces = Vec::new();
        // There is a row for every rule, in their order.
        for ((rule, stored), row) in self.rules.iter_mut().zip(rows) {
            let group = row.new.and_then(|new| groups.get(new).zip(numbers.get(new).copied()));
            stored.group = group.map(|(_, number)| number);
            match group {
                Some((group, number)) if group.run && group.first == *rule => pieces.push((*rule, Some(number))),
                Some((group, _)) if group.run => {}
                _ => pieces.push((*rule, None)),
            }
        }
        pieces.into_iter().collect()
    }
}
