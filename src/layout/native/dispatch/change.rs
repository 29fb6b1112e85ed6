//! Rules that come, go and change, one at a time.
//!
//! Owns: the change of a dispatcher's groups by one rule, with work for that rule and the plain ones before it.
//! Never: looks at all rules of a chain. What would take that (a run is cut, a signature becomes active) marks the chain
//! as stale; [`rebuild`](super::rebuild) sees to it once, when the changes are taken.

use super::dispatcher::Dispatcher;
use super::order::{after, before};
use super::stored::{Count, Group, GroupId, Stored};
use super::{DISPATCH_MIN, Entry, SignatureId};
use crate::layout::native::analysis::Effects;
use crate::wrap::RuleKey;

impl Dispatcher {
    /// A new rule of a dispatcher.
    pub(super) fn insert(&mut self, rule: RuleKey, entry: Entry<'_>) {
        let stored = self.store(entry);
        if let Some(known) = self.rules.get(&rule) {
            if (&known.key, known.signature, known.verdict_only) == (&stored.key, stored.signature, stored.verdict_only)
            {
                return self.update(rule, entry.action, entry.effects);
            }
            self.remove(rule);
        }
        self.touch(rule);
        let keyed = stored.keyed().map(|(signature, fields, key)| (signature, fields, self.hash(signature, key)));
        self.rules.insert(rule, stored);
        if let Some((signature, fields, hash)) = keyed {
            self.twins.insert((hash, rule));
            self.count(signature, fields, !entry.verdict_only, true);
        }
        let keyed = keyed.filter(|(signature, ..)| self.active.contains(signature));
        let done = !self.stale
            && match keyed {
                Some((signature, ..)) => self.place(rule, signature),
                None => self.stand(rule),
            };
        if !done {
            self.stale = true;
        }
    }

    /// A rule of a dispatcher is gone.
    pub(super) fn remove(&mut self, rule: RuleKey) {
        let Some(stored) = self.rules.get(&rule).cloned() else { return };
        self.touch(rule);
        if !self.stale {
            let done = match stored.group {
                Some(group) => self.leave(rule, group),
                None => self.fall(rule),
            };
            if !done {
                self.stale = true;
            }
        }
        self.rules.remove(&rule);
        if let Some((signature, fields, key)) = stored.keyed() {
            self.twins.remove(&(self.hash(signature, key), rule));
            self.count(signature, fields, !stored.verdict_only, false);
        }
        if stored.group.is_some() && !self.stale {
            let done = self.tally(Some((stored.action, stored.effects)), None) && self.look_again(rule);
            if !done {
                self.stale = true;
            }
        }
    }

    /// A rule of a dispatcher does something else: it jumps to a chain that changed.
    pub(super) fn update(&mut self, rule: RuleKey, action: u64, effects: Effects) {
        let Some(stored) = self.rules.get(&rule) else { return };
        let (then, grouped) = ((stored.action, stored.effects), stored.group.is_some());
        if then == (action, effects) {
            return;
        }
        self.touch(rule);
        if let Some(stored) = self.rules.get_mut(&rule) {
            (stored.action, stored.effects) = (action, effects);
        }
        if self.stale {
            return;
        }
        let done = if grouped {
            self.tally(Some(then), Some((action, effects))) && self.look_again(rule) && self.hinder(rule)
        } else {
            self.judge(rule)
        };
        if !done {
            self.stale = true;
        }
    }

    /// Counts a rule of a signature in, or out.
    pub(super) fn count(&mut self, signature: SignatureId, fields: u16, more: bool, comes: bool) {
        let count = self.counts.entry(signature).or_insert(Count { all: 0, more: 0, fields });
        let then = *count;
        let step = if comes { 1 } else { -1 };
        count.all = count.all.wrapping_add_signed(step);
        count.more = count.more.wrapping_add_signed(if more { step } else { 0 });
        let now = *count;
        if now.all == 0 {
            self.counts.remove(&signature);
        }
        match (then.is_active(), now.is_active()) {
            (false, false) => {}
            (true, true) if !more => {}
            (true, true) => self.more = self.more.wrapping_add_signed(step),
            (false, true) => {
                self.active.insert(signature);
                self.more += now.more;
                self.stale = true;
            }
            (true, false) => {
                self.active.remove(&signature);
                self.more = self.more.wrapping_sub(then.more);
                self.stale = true;
            }
        }
    }

    /// Counts what a keyed rule did and does. Returns false when the chain is to be cut otherwise now.
    fn tally(&mut self, gone: Option<(u64, Effects)>, come: Option<(u64, Effects)>) -> bool {
        for (what, comes) in [(gone, false), (come, true)] {
            let Some((action, effects)) = what else { continue };
            self.count_effects(effects, comes);
            if self.active.len() > 1 {
                let same = self.actions.get(&action).copied().unwrap_or(0);
                match (comes, same) {
                    (true, _) => drop(self.actions.insert(action, same + 1)),
                    (false, 0 | 1) => drop(self.actions.remove(&action)),
                    (false, _) => drop(self.actions.insert(action, same - 1)),
                }
            }
        }
        self.is_apart() == self.apart
    }

    /// Finds a place for a plain rule. Returns false when that cuts a group.
    fn stand(&mut self, rule: RuleKey) -> bool {
        self.plain.insert(rule, None);
        self.pieces.insert(rule, None);
        self.past.pieces = true;
        self.judge(rule)
    }

    /// Takes a plain rule out of its place. Returns false when that joins groups.
    fn fall(&mut self, rule: RuleKey) -> bool {
        self.pieces.remove(&rule);
        self.past.pieces = true;
        let barrier = self.plain.remove(&rule).flatten().is_some();
        !barrier || self.open(rule)
    }

    /// Finds out whether a plain rule is a barrier. Returns false when that matters to a group.
    fn judge(&mut self, rule: RuleKey) -> bool {
        let Some(stored) = self.rules.get(&rule) else { return false };
        let known = self.plain.get(&rule).copied().flatten();
        let holds = |witness: &RuleKey| {
            self.rules.get(witness).is_some_and(|keyed| keyed.group.is_some() && !self.commute(stored, keyed))
        };
        let witness = known.filter(holds).or_else(|| self.witness(rule, stored, self.grouped_after(rule)));
        if witness != known {
            self.plain.insert(rule, witness);
        }
        match (known, witness) {
            (None, Some(_)) => self.close(rule),
            (Some(_), None) => self.open(rule),
            _ => true,
        }
    }

    /// A plain rule becomes a barrier. Returns false when that cuts a group.
    fn close(&mut self, rule: RuleKey) -> bool {
        let divides = self.divides(rule);
        self.barriers.insert(rule);
        !divides
    }

    /// A plain rule is no barrier any more. Returns false when that joins groups.
    fn open(&mut self, rule: RuleKey) -> bool {
        self.barriers.remove(&rule);
        !self.divides(rule)
    }

    /// A keyed rule may make barriers of plain ones before it. Returns false when that cuts a group.
    fn hinder(&mut self, rule: RuleKey) -> bool {
        let Some(keyed) = self.rules.get(&rule) else { return false };
        let free = before(&self.plain, rule).filter(|(_, witness)| witness.is_none());
        let hindered = |plain: &RuleKey| self.rules.get(plain).is_some_and(|p| !self.commute(p, keyed));
        let hindered: Vec<RuleKey> = free.map(|(plain, _)| plain).filter(hindered).collect();
        hindered.into_iter().all(|plain| {
            self.plain.insert(plain, Some(rule));
            self.close(plain)
        })
    }

    /// Judges those plain rules anew that a keyed one made barriers. Returns false when that joins groups.
    fn look_again(&mut self, rule: RuleKey) -> bool {
        let made = before(&self.plain, rule).filter(|(_, witness)| **witness == Some(rule));
        let made: Vec<RuleKey> = made.map(|(plain, _)| plain).collect();
        made.into_iter().all(|plain| self.judge(plain))
    }

    /// Finds a group for a keyed rule. Returns false when other rules' groups change by that.
    fn place(&mut self, rule: RuleKey, signature: SignatureId) -> bool {
        let Some(stored) = self.rules.get(&rule) else { return false };
        let what = (stored.action, stored.effects);
        if !self.tally(None, Some(what)) || !self.hinder(rule) {
            return false;
        }
        if self.apart {
            return self.place_apart(rule, signature);
        }
        let (lower, upper) = self.cuts(rule);
        let (earlier, later) = self.twins_around(rule, signature, (lower, upper));
        later.iter().rev().for_each(|twin| self.detach(*twin));
        for (layer, rule) in (earlier..).zip([rule].into_iter().chain(later)) {
            self.join(rule, signature, layer, (lower, upper));
        }
        true
    }

    /// How many rules with the same key there are before this one, and which after it, between the cuts.
    fn twins_around(
        &self,
        rule: RuleKey,
        signature: SignatureId,
        (lower, upper): (Option<RuleKey>, Option<RuleKey>),
    ) -> (u32, Vec<RuleKey>) {
        let Some(stored) = self.rules.get(&rule) else { return (0, Vec::new()) };
        let twins = self.same_keys(signature, stored).filter(|twin| *twin != rule);
        let twins = twins.filter(|twin| lower.is_none_or(|c| c < *twin) && upper.is_none_or(|c| *twin < c));
        let (mut earlier, mut later) = (0, Vec::new());
        twins.for_each(|twin| if twin < rule { earlier += 1 } else { later.push(twin) });
        (earlier, later)
    }

    /// The same where every change of the signature is a cut.
    fn place_apart(&mut self, rule: RuleKey, signature: SignatureId) -> bool {
        let Some(stored) = self.rules.get(&rule) else { return false };
        if self.same_keys(signature, stored).any(|twin| twin != rule) {
            return false;
        }
        let (previous, next) = self.neighbours(rule);
        let same = |(_, other): &(RuleKey, &Stored)| other.signature == Some(signature);
        let beside = previous.filter(same).or(next.filter(same)).and_then(|(_, stored)| stored.group);
        let between = |(a, b): ((_, &Stored), (_, &Stored))| a.1.signature == b.1.signature;
        match beside {
            Some(group) if self.groups.get(group).is_none_or(|group| group.layer > 0) => return false,
            Some(group) => self.add(rule, group),
            None if previous.zip(next).is_some_and(between) => return false,
            None => self.found(rule, signature, 0),
        }
        true
    }

    /// Takes a keyed rule out of its group. Returns false when other rules' groups change by that.
    fn leave(&mut self, rule: RuleKey, group: GroupId) -> bool {
        let Some(&Group { signature, layer, len, .. }) = self.groups.get(group) else { return false };
        let (lower, upper) = self.cuts(rule);
        if self.apart {
            let (earlier, later) = self.twins_around(rule, signature, (None, None));
            let joined = || match self.neighbours(rule) {
                (Some((_, a)), Some((_, b))) => a.signature == b.signature,
                _ => false,
            };
            if earlier > 0 || !later.is_empty() || (len == 1 && joined()) {
                return false;
            }
            self.detach(rule);
            return true;
        }
        let (_, later) = self.twins_around(rule, signature, (lower, upper));
        later.iter().rev().for_each(|twin| self.detach(*twin));
        self.detach(rule);
        for (layer, twin) in (layer..).zip(later) {
            self.join(twin, signature, layer, (lower, upper));
        }
        true
    }

    /// Puts a rule into the group of its layer between the cuts.
    fn join(
        &mut self,
        rule: RuleKey,
        signature: SignatureId,
        layer: u32,
        (lower, upper): (Option<RuleKey>, Option<RuleKey>),
    ) {
        let at = |cut| (signature, layer, cut);
        let range = at(lower.unwrap_or(RuleKey::MIN))..=at(upper.unwrap_or(RuleKey::MAX));
        let there = self.starts.range(range).next().map(|(_, group)| *group);
        match there {
            Some(group) => self.add(rule, group),
            None => self.found(rule, signature, layer),
        }
    }

    /// A group of one rule.
    fn found(&mut self, rule: RuleKey, signature: SignatureId, layer: u32) {
        let group = self.groups.insert(Group { signature, layer, first: rule, len: 1, run: false });
        self.starts.insert((signature, layer, rule), group);
        self.assign(rule, Some(group));
        self.pieces.insert(rule, None);
        self.past.pieces = true;
    }

    fn add(&mut self, rule: RuleKey, number: GroupId) {
        self.assign(rule, Some(number));
        let Some(group) = self.groups.get_mut(number) else { return };
        group.len += 1;
        let group = *group;
        if rule < group.first {
            self.set_first(number, rule);
        }
        if group.run {
            return;
        }
        self.pieces.insert(rule, None);
        self.past.pieces = true;
        if group.len as usize >= DISPATCH_MIN {
            self.set_run(number, true);
        }
    }

    /// Takes a rule out of its group.
    fn detach(&mut self, rule: RuleKey) {
        self.touch(rule);
        let number = self.assign(rule, None);
        let Some((number, &group)) = number.and_then(|number| Some((number, self.groups.get(number)?))) else {
            return;
        };
        if !group.run {
            self.pieces.remove(&rule);
            self.past.pieces = true;
        }
        if group.len == 1 {
            self.groups.remove(number);
            self.starts.remove(&(group.signature, group.layer, rule));
            return;
        }
        if let Some(group) = self.groups.get_mut(number) {
            group.len -= 1;
        }
        if rule == group.first {
            let next = after(&self.rules, rule).find(|(_, stored)| stored.group == Some(number));
            if let Some((next, _)) = next {
                self.set_first(number, next);
            }
        }
        if group.run && group.len as usize <= DISPATCH_MIN {
            self.set_run(number, false);
        }
    }

    /// Writes down which group a rule is in; returns the one before.
    fn assign(&mut self, rule: RuleKey, group: Option<GroupId>) -> Option<GroupId> {
        let stored = self.rules.get_mut(&rule)?;
        std::mem::replace(&mut stored.group, group)
    }

    /// Another rule is the first of the group.
    fn set_first(&mut self, number: GroupId, first: RuleKey) {
        let Some(group) = self.groups.get_mut(number) else { return };
        let then = std::mem::replace(&mut group.first, first);
        let Group { signature, layer, run, .. } = *group;
        self.starts.remove(&(signature, layer, then));
        self.starts.insert((signature, layer, first), number);
        if run {
            self.pieces.remove(&then);
            self.pieces.insert(first, Some(number));
            self.past.pieces = true;
        }
    }

    /// The group becomes a run, or is none any more.
    fn set_run(&mut self, number: GroupId, run: bool) {
        let Some(first) = self.groups.get(number).map(|group| group.first) else { return };
        let members: Vec<RuleKey> = self.members(number).map(|(rule, _)| rule).collect();
        for &rule in &members {
            self.touch(rule);
            if run {
                self.pieces.remove(&rule);
            } else {
                self.pieces.insert(rule, None);
            }
        }
        if run {
            self.pieces.insert(first, Some(number));
        }
        self.past.run(number, !run);
        self.past.pieces = true;
        if let Some(group) = self.groups.get_mut(number) {
            group.run = run;
        }
    }
}
