//! The groups of a chain, made anew.
//!
//! Owns: what is to be done when a change is not that of one group: a run is cut or joined, a signature becomes active,
//! a chain is loaded.
//! Never: forgets which run was which: each new group takes the number of the old one that it has most rules of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use foldhash::HashMap;

use super::stored::{Group, Stored};
use super::{ChainIx, DISPATCH_MIN, Index, RunId, SignatureId, whole};
use crate::layout::native::field::Key;
use crate::wrap::RuleKey;

/// A rule on its way from one group to another.
struct Row {
    rule: RuleKey,
    old: Option<u32>,
    /// The place of its new group among the new ones, if it is keyed.
    new: Option<usize>,
}

impl Index {
    /// Makes groups, barriers and pieces of the rules as they are.
    pub(super) fn rebuild(&mut self, chain: ChainIx) {
        self.recount(chain);
        let plain = self.judge_all(chain);
        let barriers = plain.iter().filter(|(_, witness)| witness.is_some()).map(|(rule, _)| *rule).collect();
        let (rows, groups) = self.regroup(chain, &barriers);
        let numbers = self.number(chain, &rows, &groups);

        let pieces = self.apply(chain, &rows, &groups, &numbers);
        let at = |rule| (chain, rule);
        let plain = plain.into_iter().map(|(rule, witness)| (at(rule), witness)).collect();
        let barriers = barriers.into_iter().map(at).collect();
        self.replace_order(chain, plain, barriers, pieces);
        self.change_head(chain, |head| head.stale = false);
    }

    /// Counts what the keyed rules do.
    fn recount(&mut self, chain: ChainIx) {
        let Some(&then) = self.heads.get(&chain) else { return };
        let mut head = super::Head { keyed: 0, side: 0, not_drop: 0, actions: 0, ..then };
        let mut actions: Vec<u64> = Vec::new();
        for (_, stored) in whole(&self.rules, chain).filter(|(_, stored)| self.is_keyed(chain, stored)) {
            head.count(stored.effects, true);
            if head.active > 1 {
                actions.push(stored.action);
            }
        }
        actions.sort_unstable();
        let distinct = actions.chunk_by(|a, b| a == b);
        let wanted: Vec<_> = distinct
            .filter_map(|same| Some(((chain, *same.first()?), u32::try_from(same.len()).unwrap_or(u32::MAX))))
            .collect();
        head.actions = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        head.apart = head.is_apart();
        self.heads.insert(chain, head);
        self.replace_actions(chain, wanted);
    }

    /// The plain rules, each with a keyed one that makes it a barrier.
    fn judge_all(&self, chain: ChainIx) -> Vec<(RuleKey, Option<RuleKey>)> {
        let rows: Vec<(RuleKey, &Stored, bool)> =
            whole(&self.rules, chain).map(|(rule, stored)| (rule, stored, self.is_keyed(chain, stored))).collect();
        let mut judged = Vec::new();
        for (at, (rule, stored, _)) in rows.iter().enumerate().filter(|(_, (.., keyed))| !keyed) {
            let holds = |witness: &RuleKey| {
                let keyed = self.rules.get(&(chain, *witness)).filter(|keyed| self.is_keyed(chain, keyed));
                witness > rule && keyed.is_some_and(|keyed| !self.commute(stored, keyed))
            };
            let known = self.plain.get(&(chain, *rule)).copied().flatten().filter(holds);
            let later = rows.iter().skip(at + 1).filter(|(.., keyed)| *keyed).map(|(rule, stored, _)| (*rule, *stored));
            judged.push((*rule, known.or_else(|| self.witness(chain, *rule, stored, later))));
        }
        judged
    }

    /// Which rules belong together.
    fn regroup(&self, chain: ChainIx, barriers: &BTreeSet<RuleKey>) -> (Vec<Row>, Vec<Group>) {
        let apart = self.heads.get(&chain).is_some_and(|head| head.apart);
        let (mut rows, mut groups): (Vec<Row>, Vec<Group>) = (Vec::new(), Vec::new());
        let mut layers: HashMap<(SignatureId, &Key), u32> = HashMap::default();
        let mut open: HashMap<(SignatureId, u32), usize> = HashMap::default();
        let mut last = None;
        for (rule, stored) in whole(&self.rules, chain) {
            let keyed = stored.signature.filter(|_| self.is_keyed(chain, stored));
            let Some((signature, (_, key))) = keyed.zip(stored.key.as_ref()) else {
                if barriers.contains(&rule) {
                    layers.clear();
                    open.clear();
                }
                rows.push(Row { rule, old: stored.group, new: None });
                continue;
            };
            if apart && last.replace(signature) != Some(signature) {
                layers.clear();
                open.clear();
            }
            let layer = layers.entry((signature, key)).or_default();
            let new = *open.entry((signature, *layer)).or_insert(groups.len());
            match groups.get_mut(new) {
                Some(group) => group.len += 1,
                None => groups.push(Group { chain, signature, layer: *layer, first: rule, len: 1, run: false }),
            }
            *layer += 1;
            rows.push(Row { rule, old: stored.group, new: Some(new) });
        }
        groups.iter_mut().for_each(|group| group.run = group.len as usize >= DISPATCH_MIN);
        (rows, groups)
    }

    /// The number of each new group: that of the old one that it has most rules of, if no other has more of it.
    fn number(&mut self, chain: ChainIx, rows: &[Row], groups: &[Group]) -> Vec<u32> {
        let mut shared: HashMap<(u32, usize), usize> = HashMap::default();
        for row in rows {
            if let Some(both) = row.old.zip(row.new) {
                *shared.entry(both).or_default() += 1;
            }
        }
        let mut shared: Vec<_> = shared.into_iter().map(|((old, new), count)| (count, new, old)).collect();
        shared.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        let mut given: HashMap<usize, u32> = HashMap::default();
        let mut taken: BTreeSet<u32> = BTreeSet::new();
        for (_, new, old) in shared {
            if !given.contains_key(&new) && taken.insert(old) {
                given.insert(new, old);
            }
        }
        // How the rules stood is remembered before anything is changed; new groups have numbers that nobody has.
        let numbers: Vec<u32> = groups
            .iter()
            .enumerate()
            .map(|(at, group)| given.get(&at).copied().unwrap_or_else(|| self.groups.insert(*group)))
            .collect();
        for row in rows {
            let then = row.old.filter(|old| self.groups.get(*old).is_some_and(|group| group.run));
            let now = row.new.filter(|new| groups.get(*new).is_some_and(|group| group.run));
            if then != now.and_then(|new| numbers.get(new).copied()) {
                self.touch(chain, row.rule);
            }
        }
        let gone: Vec<_> = self.groups_of(chain).into_iter().filter(|(old, _)| !taken.contains(old)).collect();
        for (old, group) in gone {
            if group.run {
                self.pending.run(old, true);
            }
            self.groups.remove(old);
        }
        numbers
    }

    /// Writes groups and their numbers down; returns the pieces that this makes.
    fn apply(
        &mut self,
        chain: ChainIx,
        rows: &[Row],
        groups: &[Group],
        numbers: &[u32],
    ) -> Vec<((ChainIx, RuleKey), Option<RunId>)> {
        let mut pieces = Vec::new();
        let known: HashMap<u32, Group> = self.groups_of(chain).into_iter().collect();
        let mut starts = Vec::new();
        for (group, &number) in groups.iter().zip(numbers) {
            let was = known.get(&number).is_some_and(|then| then.run);
            if was != group.run {
                self.pending.run(number, was);
            }
            if self.groups.get(number) != Some(group) {
                self.change_group(number, |then| *then = *group);
            }
            starts.push(((chain, group.signature, group.layer, group.first), number));
        }
        starts.sort_unstable();
        let (min, max) = (SignatureId(0), SignatureId(u32::MAX));
        replace(&mut self.starts, (chain, min, 0, RuleKey::MIN)..=(chain, max, u32::MAX, RuleKey::MAX), starts);
        for row in rows {
            let group = row.new.and_then(|new| groups.get(new).zip(numbers.get(new).copied()));
            let number = group.map(|(_, number)| number);
            if row.old != number {
                self.assign(chain, row.rule, number);
            }
            match group {
                Some((group, number)) if group.run && group.first == row.rule => {
                    pieces.push(((chain, row.rule), Some(RunId(number))));
                }
                Some((group, _)) if group.run => {}
                _ => pieces.push(((chain, row.rule), None)),
            }
        }
        pieces
    }

    /// The groups of a chain.
    pub(super) fn groups_of(&self, chain: ChainIx) -> Vec<(u32, Group)> {
        let (min, max) = (SignatureId(0), SignatureId(u32::MAX));
        let starts = self.starts.range((chain, min, 0, RuleKey::MIN)..=(chain, max, u32::MAX, RuleKey::MAX));
        starts.filter_map(|(_, &number)| Some((number, *self.groups.get(number)?))).collect()
    }

    /// Sets what stands in a chain, and in what order.
    pub(super) fn replace_order(
        &mut self,
        chain: ChainIx,
        plain: Vec<((ChainIx, RuleKey), Option<RuleKey>)>,
        barriers: BTreeSet<(ChainIx, RuleKey)>,
        pieces: Vec<((ChainIx, RuleKey), Option<RunId>)>,
    ) {
        let all = || (chain, RuleKey::MIN)..=(chain, RuleKey::MAX);
        replace(&mut self.plain, all(), plain);
        let gone: Vec<_> = self.barriers.range(all()).filter(|barrier| !barriers.contains(barrier)).copied().collect();
        for barrier in gone {
            self.barriers.remove(&barrier);
        }
        self.barriers.extend(barriers);
        if replace(&mut self.pieces, all(), pieces) {
            self.pending.pieces(chain);
        }
    }

    /// Sets how many keyed rules of a chain do what.
    pub(super) fn replace_actions(&mut self, chain: ChainIx, wanted: Vec<((ChainIx, u64), u32)>) {
        replace(&mut self.actions, (chain, 0)..=(chain, u64::MAX), wanted);
    }
}

/// Makes a part of a map these, which are in order. Returns whether it was anything else.
fn replace<K: Ord + Clone, V: PartialEq>(
    map: &mut BTreeMap<K, V>,
    part: RangeInclusive<K>,
    wanted: Vec<(K, V)>,
) -> bool {
    let is_wanted = |key: &K| wanted.binary_search_by(|(other, _)| other.cmp(key)).is_ok();
    let gone: Vec<K> = map.range(part).map(|(key, _)| key).filter(|key| !is_wanted(key)).cloned().collect();
    let mut changed = !gone.is_empty();
    for key in gone {
        map.remove(&key);
    }
    for (key, value) in wanted {
        if map.get(&key) != Some(&value) {
            map.insert(key, value);
            changed = true;
        }
    }
    changed
}
