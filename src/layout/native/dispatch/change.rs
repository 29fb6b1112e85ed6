//! Rules that come, go and change, one at a time.
//!
//! Owns: the change of a dispatcher's groups by one rule, with work for that rule and the plain ones before it.
//! Never: looks at all rules of a chain. What would take that (a run is cut, a signature becomes active) marks the chain
//! as stale; [`rebuild`](super::rebuild) sees to it once, when the changes are taken.

use super::stored::{Group, Stored};
use super::{ChainIx, DISPATCH_MIN, Entry, Index, RunId, SignatureId, after, before};
use crate::layout::native::analysis::Effects;
use crate::wrap::RuleKey;

impl Index {
    /// A new rule of a dispatcher.
    pub(in crate::layout::native) fn insert(&mut self, chain: ChainIx, rule: RuleKey, entry: Entry<'_>) {
        if !self.is_dispatcher(chain) {
            return;
        }
        let stored = self.store(entry);
        if let Some(known) = self.rules.get(&(chain, rule)) {
            if (&known.key, known.signature, known.verdict_only) == (&stored.key, stored.signature, stored.verdict_only)
            {
                return self.update(chain, rule, entry.action, entry.effects);
            }
            self.remove(chain, rule);
        }
        self.touch(chain, rule);
        let twin = stored.signature.map(|signature| (signature, stored.hash()));
        self.rules.insert((chain, rule), stored);
        if let Some((signature, hash)) = twin {
            self.twins.insert((chain, signature, hash, rule));
            self.count(chain, signature, !entry.verdict_only, true);
        }
        let keyed = twin.filter(|(signature, _)| self.active.contains(&(chain, *signature)));
        let done = !self.is_stale(chain)
            && match keyed {
                Some((signature, _)) => self.place(chain, rule, signature),
                None => self.stand(chain, rule),
            };
        if !done {
            self.make_stale(chain);
        }
    }

    /// A rule of a dispatcher is gone.
    pub(in crate::layout::native) fn remove(&mut self, chain: ChainIx, rule: RuleKey) {
        let Some(stored) = self.rules.get(&(chain, rule)).cloned() else { return };
        self.touch(chain, rule);
        if !self.is_stale(chain) {
            let done = match stored.group {
                Some(group) => self.leave(chain, rule, group),
                None => self.fall(chain, rule),
            };
            if !done {
                self.make_stale(chain);
            }
        }
        self.rules.remove(&(chain, rule));
        if let Some(signature) = stored.signature {
            self.twins.remove(&(chain, signature, stored.hash(), rule));
            self.count(chain, signature, !stored.verdict_only, false);
        }
        if stored.group.is_some() && !self.is_stale(chain) {
            let done = self.tally(chain, Some((stored.action, stored.effects)), None) && self.look_again(chain, rule);
            if !done {
                self.make_stale(chain);
            }
        }
    }

    /// A rule of a dispatcher does something else: it jumps to a chain that changed.
    pub(in crate::layout::native) fn update(&mut self, chain: ChainIx, rule: RuleKey, action: u64, effects: Effects) {
        let Some(stored) = self.rules.get(&(chain, rule)) else { return };
        let (then, grouped) = ((stored.action, stored.effects), stored.group.is_some());
        if then == (action, effects) {
            return;
        }
        self.touch(chain, rule);
        if let Some(stored) = self.rules.get_mut(&(chain, rule)) {
            (stored.action, stored.effects) = (action, effects);
        }
        if self.is_stale(chain) {
            return;
        }
        let done = if grouped {
            self.tally(chain, Some(then), Some((action, effects)))
                && self.look_again(chain, rule)
                && self.hinder(chain, rule)
        } else {
            self.judge(chain, rule)
        };
        if !done {
            self.make_stale(chain);
        }
    }

    pub(super) fn is_stale(&self, chain: ChainIx) -> bool {
        self.heads.get(&chain).is_none_or(|head| head.stale)
    }

    fn make_stale(&mut self, chain: ChainIx) {
        if !self.is_stale(chain) {
            self.change_head(chain, |head| head.stale = true);
        }
    }

    /// Counts a rule of a signature in, or out.
    fn count(&mut self, chain: ChainIx, signature: SignatureId, more: bool, comes: bool) {
        let then = self.counts.get(&(chain, signature)).copied().unwrap_or_default();
        let mut now = then;
        let step = if comes { 1 } else { -1 };
        now.all = now.all.wrapping_add_signed(step);
        now.more = now.more.wrapping_add_signed(if more { step } else { 0 });
        if now.all == 0 {
            self.counts.remove(&(chain, signature));
        } else {
            self.counts.insert((chain, signature), now);
        }
        let is_active = |all: u32| all as usize >= DISPATCH_MIN;
        match (is_active(then.all), is_active(now.all)) {
            (false, false) => {}
            (true, true) if !more => {}
            (true, true) => {
                self.change_head(chain, |head| head.more = head.more.wrapping_add_signed(step));
            }
            (false, true) => {
                self.active.insert((chain, signature));
                self.change_head(chain, |head| (head.active, head.more) = (head.active + 1, head.more + now.more));
                self.make_stale(chain);
            }
            (true, false) => {
                self.active.remove(&(chain, signature));
                self.change_head(chain, |head| {
                    (head.active, head.more) = (head.active.wrapping_sub(1), head.more.wrapping_sub(then.more));
                });
                self.make_stale(chain);
            }
        }
    }

    /// Counts what a keyed rule did and does. Returns false when the chain is to be cut otherwise now.
    fn tally(&mut self, chain: ChainIx, gone: Option<(u64, Effects)>, come: Option<(u64, Effects)>) -> bool {
        let Some(&then) = self.heads.get(&chain) else { return false };
        let mut head = then;
        for (what, comes) in [(gone, false), (come, true)] {
            let Some((action, effects)) = what else { continue };
            head.count(effects, comes);
            if head.active > 1 {
                let same = self.actions.get(&(chain, action)).copied().unwrap_or(0);
                match (comes, same) {
                    (true, _) => {
                        self.actions.insert((chain, action), same + 1);
                        head.actions += u32::from(same == 0);
                    }
                    (false, 0 | 1) => {
                        self.actions.remove(&(chain, action));
                        head.actions = head.actions.wrapping_sub(same);
                    }
                    (false, _) => {
                        self.actions.insert((chain, action), same - 1);
                    }
                }
            }
        }
        if head != then {
            self.heads.insert(chain, head);
        }
        head.is_apart() == head.apart
    }

    /// Finds a place for a plain rule. Returns false when that cuts a group.
    fn stand(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        self.plain.insert((chain, rule), None);
        self.pieces.insert((chain, rule), None);
        self.pending.pieces(chain);
        self.judge(chain, rule)
    }

    /// Takes a plain rule out of its place. Returns false when that joins groups.
    fn fall(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        self.pieces.remove(&(chain, rule));
        self.pending.pieces(chain);
        let barrier = self.plain.remove(&(chain, rule)).flatten().is_some();
        !barrier || self.open(chain, rule)
    }

    /// Finds out whether a plain rule is a barrier. Returns false when that matters to a group.
    fn judge(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        let Some(stored) = self.rules.get(&(chain, rule)) else { return false };
        let known = self.plain.get(&(chain, rule)).copied().flatten();
        let holds = |witness: &RuleKey| {
            self.rules
                .get(&(chain, *witness))
                .is_some_and(|keyed| keyed.group.is_some() && !self.commute(stored, keyed))
        };
        let witness =
            known.filter(holds).or_else(|| self.witness(chain, rule, stored, self.grouped_after(chain, rule)));
        if witness != known {
            self.plain.insert((chain, rule), witness);
        }
        match (known, witness) {
            (None, Some(_)) => self.close(chain, rule),
            (Some(_), None) => self.open(chain, rule),
            _ => true,
        }
    }

    /// A plain rule becomes a barrier. Returns false when that cuts a group.
    fn close(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        let divides = self.divides(chain, rule);
        self.barriers.insert((chain, rule));
        !divides
    }

    /// A plain rule is no barrier any more. Returns false when that joins groups.
    fn open(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        self.barriers.remove(&(chain, rule));
        !self.divides(chain, rule)
    }

    /// A keyed rule may make barriers of plain ones before it. Returns false when that cuts a group.
    fn hinder(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        let Some(keyed) = self.rules.get(&(chain, rule)) else { return false };
        let free = before(&self.plain, chain, rule).filter(|(_, witness)| witness.is_none());
        let hindered = |plain: &RuleKey| self.rules.get(&(chain, *plain)).is_some_and(|p| !self.commute(p, keyed));
        let hindered: Vec<RuleKey> = free.map(|(plain, _)| plain).filter(hindered).collect();
        hindered.into_iter().all(|plain| {
            self.plain.insert((chain, plain), Some(rule));
            self.close(chain, plain)
        })
    }

    /// Judges those plain rules anew that a keyed one made barriers. Returns false when that joins groups.
    fn look_again(&mut self, chain: ChainIx, rule: RuleKey) -> bool {
        let made = before(&self.plain, chain, rule).filter(|(_, witness)| **witness == Some(rule));
        let made: Vec<RuleKey> = made.map(|(plain, _)| plain).collect();
        made.into_iter().all(|plain| self.judge(chain, plain))
    }

    /// Finds a group for a keyed rule. Returns false when other rules' groups change by that.
    fn place(&mut self, chain: ChainIx, rule: RuleKey, signature: SignatureId) -> bool {
        let Some(stored) = self.rules.get(&(chain, rule)) else { return false };
        let what = (stored.action, stored.effects);
        if !self.tally(chain, None, Some(what)) || !self.hinder(chain, rule) {
            return false;
        }
        if self.heads.get(&chain).is_some_and(|head| head.apart) {
            return self.place_apart(chain, rule, signature);
        }
        let (lower, upper) = self.cuts(chain, rule);
        let (earlier, later) = self.twins_around(chain, rule, signature, (lower, upper));
        later.iter().rev().for_each(|twin| self.detach(chain, *twin));
        for (layer, rule) in (earlier..).zip([rule].into_iter().chain(later)) {
            self.join(chain, rule, signature, layer, (lower, upper));
        }
        true
    }

    /// How many rules with the same key there are before this one, and which after it, between the cuts.
    fn twins_around(
        &self,
        chain: ChainIx,
        rule: RuleKey,
        signature: SignatureId,
        (lower, upper): (Option<RuleKey>, Option<RuleKey>),
    ) -> (u32, Vec<RuleKey>) {
        let Some(stored) = self.rules.get(&(chain, rule)) else { return (0, Vec::new()) };
        let twins = self.same_keys(chain, signature, stored).filter(|twin| *twin != rule);
        let twins = twins.filter(|twin| lower.is_none_or(|c| c < *twin) && upper.is_none_or(|c| *twin < c));
        let (mut earlier, mut later) = (0, Vec::new());
        twins.for_each(|twin| if twin < rule { earlier += 1 } else { later.push(twin) });
        (earlier, later)
    }

    /// The same where every change of the signature is a cut.
    fn place_apart(&mut self, chain: ChainIx, rule: RuleKey, signature: SignatureId) -> bool {
        let Some(stored) = self.rules.get(&(chain, rule)) else { return false };
        if self.same_keys(chain, signature, stored).any(|twin| twin != rule) {
            return false;
        }
        let (previous, next) = self.neighbours(chain, rule);
        let same = |(_, other): &(RuleKey, &Stored)| other.signature == Some(signature);
        let beside = previous.filter(same).or(next.filter(same)).and_then(|(_, stored)| stored.group);
        let between = |(a, b): ((_, &Stored), (_, &Stored))| a.1.signature == b.1.signature;
        match beside {
            Some(group) if self.groups.get(group).is_none_or(|group| group.layer > 0) => return false,
            Some(group) => self.add(chain, rule, group),
            None if previous.zip(next).is_some_and(between) => return false,
            None => self.found(chain, rule, signature, 0),
        }
        true
    }

    /// Takes a keyed rule out of its group. Returns false when other rules' groups change by that.
    fn leave(&mut self, chain: ChainIx, rule: RuleKey, group: u32) -> bool {
        let Some(&Group { signature, layer, len, .. }) = self.groups.get(group) else { return false };
        let (lower, upper) = self.cuts(chain, rule);
        if self.heads.get(&chain).is_some_and(|head| head.apart) {
            let (earlier, later) = self.twins_around(chain, rule, signature, (None, None));
            let joined = || match self.neighbours(chain, rule) {
                (Some((_, a)), Some((_, b))) => a.signature == b.signature,
                _ => false,
            };
            if earlier > 0 || !later.is_empty() || (len == 1 && joined()) {
                return false;
            }
            self.detach(chain, rule);
            return true;
        }
        let (_, later) = self.twins_around(chain, rule, signature, (lower, upper));
        later.iter().rev().for_each(|twin| self.detach(chain, *twin));
        self.detach(chain, rule);
        for (layer, twin) in (layer..).zip(later) {
            self.join(chain, twin, signature, layer, (lower, upper));
        }
        true
    }

    /// Puts a rule into the group of its layer between the cuts.
    fn join(
        &mut self,
        chain: ChainIx,
        rule: RuleKey,
        signature: SignatureId,
        layer: u32,
        (lower, upper): (Option<RuleKey>, Option<RuleKey>),
    ) {
        let at = |cut| (chain, signature, layer, cut);
        let range = at(lower.unwrap_or(RuleKey::MIN))..=at(upper.unwrap_or(RuleKey::MAX));
        let there = self.starts.range(range).next().map(|(_, group)| *group);
        match there {
            Some(group) => self.add(chain, rule, group),
            None => self.found(chain, rule, signature, layer),
        }
    }

    /// A group of one rule.
    fn found(&mut self, chain: ChainIx, rule: RuleKey, signature: SignatureId, layer: u32) {
        let group = self.groups.insert(Group { chain, signature, layer, first: rule, len: 1, run: false });
        self.starts.insert((chain, signature, layer, rule), group);
        self.assign(chain, rule, Some(group));
        self.pieces.insert((chain, rule), None);
        self.pending.pieces(chain);
    }

    fn add(&mut self, chain: ChainIx, rule: RuleKey, number: u32) {
        self.assign(chain, rule, Some(number));
        let Some(group) = self.groups.get_mut(number) else { return };
        group.len += 1;
        let group = *group;
        if rule < group.first {
            self.set_first(number, rule);
        }
        if group.run {
            return;
        }
        self.pieces.insert((chain, rule), None);
        self.pending.pieces(chain);
        if group.len as usize >= DISPATCH_MIN {
            self.set_run(number, true);
        }
    }

    /// Takes a rule out of its group.
    fn detach(&mut self, chain: ChainIx, rule: RuleKey) {
        self.touch(chain, rule);
        let number = self.assign(chain, rule, None);
        let Some((number, &group)) = number.and_then(|number| Some((number, self.groups.get(number)?))) else {
            return;
        };
        if !group.run {
            self.pieces.remove(&(chain, rule));
            self.pending.pieces(chain);
        }
        if group.len == 1 {
            self.groups.remove(number);
            self.starts.remove(&(chain, group.signature, group.layer, rule));
            return;
        }
        self.change_group(number, |group| group.len -= 1);
        if rule == group.first {
            let next = after(&self.rules, chain, rule).find(|(_, stored)| stored.group == Some(number));
            if let Some((next, _)) = next {
                self.set_first(number, next);
            }
        }
        if group.run && group.len as usize <= DISPATCH_MIN {
            self.set_run(number, false);
        }
    }

    /// Another rule is the first of the group.
    fn set_first(&mut self, number: u32, first: RuleKey) {
        let Some(&Group { chain, signature, layer, first: then, run, .. }) = self.groups.get(number) else { return };
        self.change_group(number, |group| group.first = first);
        self.starts.remove(&(chain, signature, layer, then));
        self.starts.insert((chain, signature, layer, first), number);
        if run {
            self.pieces.remove(&(chain, then));
            self.pieces.insert((chain, first), Some(RunId(number)));
            self.pending.pieces(chain);
        }
    }

    /// The group becomes a run, or is none any more.
    fn set_run(&mut self, number: u32, run: bool) {
        let Some(&Group { chain, first, .. }) = self.groups.get(number) else { return };
        let members: Vec<RuleKey> = self.members(number).map(|(rule, _)| rule).collect();
        for &rule in &members {
            self.touch(chain, rule);
            if run {
                self.pieces.remove(&(chain, rule));
            } else {
                self.pieces.insert((chain, rule), None);
            }
        }
        if run {
            self.pieces.insert((chain, first), Some(RunId(number)));
        }
        self.pending.run(number, !run);
        self.pending.pieces(chain);
        self.change_group(number, |group| group.run = run);
    }

    /// Remembers how a rule stood before the first change.
    pub(super) fn touch(&mut self, chain: ChainIx, rule: RuleKey) {
        if self.pending.is_touched(chain, rule) {
            return;
        }
        let key = self.rules.get(&(chain, rule)).and_then(|stored| stored.key.as_ref()).map(|(_, key)| key.clone());
        let before = self.standing(chain, rule).map(|(standing, action)| (standing, action, key));
        let held = self.is_dispatcher(chain);
        self.pending.touch(chain, rule, before, held);
    }
}
