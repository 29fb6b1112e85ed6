//! One chain whose rules become lookups.
//!
//! Owns: [`Dispatcher`]: the rules of the chain and everything that is made of them, how it begins, how it is asked.
//! Never: knows another chain.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use foldhash::HashMap;
use foldhash::fast::RandomState;

use super::pending::{Before, Past};
use super::stored::{Count, GroupId, Groups, Stored};
use super::{ChainIx, Entry, Piece, Run, RunId, SignatureId, Standing};
use crate::layout::native::analysis::Effects;
use crate::layout::native::field::{Fields, Key};
use crate::rule::Family;
use crate::wrap::RuleKey;

/// A dispatcher.
///
/// Invariant: what is about single rules and their signatures (up to `more`) is up to date after every call; everything
/// else is while the dispatcher is not stale.
#[derive(Debug, Clone)]
pub(super) struct Dispatcher {
    pub(super) chain: ChainIx,
    pub(super) family: Family,
    /// Whether a dispatch reaches the chain.
    pub(super) reached: bool,
    /// Every list of fields that a key was ever of: few, and never forgotten.
    pub(super) fields: Vec<Fields>,
    pub(super) rules: BTreeMap<RuleKey, Stored>,
    /// Rules with a signature by the hash of that and of their key: where a key stands again. Half a hash will do, as those
    /// who look something up by it compare the key as well.
    pub(super) twins: BTreeSet<(u32, RuleKey)>,
    hasher: RandomState,
    /// How many rules have each signature.
    pub(super) counts: HashMap<SignatureId, Count>,
    /// The active signatures.
    pub(super) active: BTreeSet<SignatureId>,
    /// Rules of active signatures that have more than verdicts.
    pub(super) more: u32,
    /// Whether groups are not those of the rules, and are to be made anew.
    pub(super) stale: bool,
    /// Keyed rules with side effects.
    pub(super) side: u32,
    /// Keyed rules that can do something else than drop.
    pub(super) not_drop: u32,
    /// How many keyed rules do the same, where there are several active signatures.
    pub(super) actions: BTreeMap<u64, u32>,
    /// Whether it is cut where the signature changes.
    pub(super) apart: bool,
    /// The plain rules, each with a keyed one after it that it does not commute with.
    pub(super) plain: BTreeMap<RuleKey, Option<RuleKey>>,
    /// The plain rules that have one.
    pub(super) barriers: BTreeSet<RuleKey>,
    pub(super) groups: Groups,
    /// The groups by layer and first rule.
    pub(super) starts: BTreeMap<(SignatureId, u32, RuleKey), GroupId>,
    /// What it is made of; a run stands where its first rule does.
    pub(super) pieces: BTreeMap<RuleKey, Option<GroupId>>,
    /// How it was when its changes were last taken.
    pub(super) past: Past,
}

impl Dispatcher {
    /// A dispatcher of these rules, which are in order. `past` is how it was before; its groups get numbers after
    /// `last_group`.
    pub(super) fn new(
        chain: ChainIx,
        family: Family,
        reached: bool,
        past: Past,
        last_group: u32,
        rules: &[(RuleKey, Entry<'_>)],
    ) -> Self {
        let mut new = Self {
            chain,
            family,
            reached,
            fields: Vec::new(),
            rules: BTreeMap::new(),
            twins: BTreeSet::new(),
            hasher: RandomState::default(),
            counts: HashMap::default(),
            active: BTreeSet::new(),
            more: 0,
            stale: true,
            side: 0,
            not_drop: 0,
            actions: BTreeMap::new(),
            apart: false,
            plain: BTreeMap::new(),
            barriers: BTreeSet::new(),
            groups: Groups::after(last_group),
            starts: BTreeMap::new(),
            pieces: BTreeMap::new(),
            past,
        };
        new.past.come(rules.iter().map(|(rule, _)| *rule));
        // A tree that is made of a whole list has full nodes; one that grows at its end has nodes half full.
        let stored: Vec<(RuleKey, Stored)> = rules.iter().map(|(rule, entry)| (*rule, new.store(*entry))).collect();
        let mut twins = Vec::with_capacity(stored.len());
        for (rule, stored) in &stored {
            if let Some((signature, fields, key)) = stored.keyed() {
                twins.push((new.hash(signature, key), *rule));
                new.count(signature, fields, !stored.verdict_only, true);
            }
        }
        twins.sort_unstable();
        new.twins = twins.into_iter().collect();
        new.rules = stored.into_iter().collect();
        new
    }

    /// Makes these the rules; they are in order.
    pub(super) fn replace(&mut self, rules: &[(RuleKey, Entry<'_>)]) {
        let is_there = |rule: &RuleKey| rules.binary_search_by_key(rule, |(rule, _)| *rule).is_ok();
        let gone: Vec<RuleKey> = self.rules.keys().filter(|rule| !is_there(rule)).copied().collect();
        gone.into_iter().for_each(|rule| self.remove(rule));
        rules.iter().for_each(|(rule, entry)| self.insert(*rule, *entry));
    }

    /// How it was, and nothing else of it. `None`: it was none.
    pub(super) fn into_past(mut self) -> Option<Past> {
        if !self.past.held {
            return None;
        }
        for (number, _) in self.groups.iter().filter(|(_, group)| group.run) {
            self.past.run(number, true);
        }
        for (rule, stored) in &self.rules {
            self.past.touch(*rule, || Some(Before::of(stored, &self.groups)));
        }
        self.past.pieces = true;
        Some(self.past)
    }

    /// Whether it is to stay a dispatcher.
    pub(super) fn dispatches(&self) -> bool {
        self.is_candidate() && (self.more > 0 || !self.reached)
    }

    /// Whether it would be one if no dispatch reached it.
    pub(super) fn is_candidate(&self) -> bool {
        !self.active.is_empty()
    }

    pub(super) fn set_reached(&mut self, reached: bool) {
        self.reached = reached;
    }

    /// The last number that one of its groups got.
    pub(super) fn last_group(&self) -> u32 {
        self.groups.last()
    }

    /// What it is made of, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece> {
        self.pieces.iter().map(|(rule, run)| run.map_or(Piece::Rule(*rule), |run| Piece::Run(self.run_id(run))))
    }

    /// A run, if it lives.
    pub(super) fn run(&self, run: RunId) -> Option<Run> {
        let group = self.groups.run(run.number)?;
        Some(Run { signature: group.signature, len: group.len as usize })
    }

    /// The elements of a run, in the order of their rules.
    pub(super) fn elements(&self, run: RunId) -> impl Iterator<Item = (&Key, RuleKey)> {
        self.members(run.number).filter_map(|(rule, stored)| stored.key.as_ref().map(|(_, key)| (key, rule)))
    }

    /// How a rule stands, with its action.
    pub(super) fn standing(&self, rule: RuleKey) -> Option<(Standing, u64)> {
        self.rules.get(&rule).map(|stored| self.standing_of(stored))
    }

    /// The same of what is kept of a rule.
    pub(super) fn standing_of(&self, stored: &Stored) -> (Standing, u64) {
        let run = stored.group.filter(|group| self.groups.run(*group).is_some());
        (run.map_or(Standing::Plain, |run| Standing::Run(self.run_id(run))), stored.action)
    }

    /// A group as others know it.
    pub(super) fn run_id(&self, number: GroupId) -> RunId {
        RunId { chain: self.chain, number }
    }

    /// The rules of a group, in order.
    pub(super) fn members(&self, number: GroupId) -> impl Iterator<Item = (RuleKey, &Stored)> {
        let group = self.groups.get(number);
        let rules = group.into_iter().flat_map(|group| self.rules.range(group.first..));
        rules
            .filter(move |(_, stored)| stored.group == Some(number))
            .take(group.map_or(0, |group| group.len as usize))
            .map(|(rule, stored)| (*rule, stored))
    }

    /// The hash of a key of a signature, by which twins are found.
    pub(super) fn hash(&self, signature: SignatureId, key: &Key) -> u32 {
        (self.hasher.hash_one((signature, key.bytes())) >> 32) as u32
    }

    /// What is kept of a rule.
    pub(super) fn store(&mut self, entry: Entry<'_>) -> Stored {
        let Entry { signature, key, action, effects, verdict_only } = entry;
        let key = key.map(|(fields, key)| (self.number_fields(fields), key.clone()));
        // A signature without a key would be a run without a lookup.
        let signature = signature.filter(|_| key.is_some());
        Stored { key, action, signature, group: None, effects, verdict_only }
    }

    /// The number of these fields.
    fn number_fields(&mut self, fields: &Fields) -> u16 {
        let at = self.fields.iter().position(|known| known == fields);
        let at = at.unwrap_or_else(|| {
            self.fields.push(fields.clone());
            self.fields.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Counts what a keyed rule does in, or out.
    pub(super) fn count_effects(&mut self, effects: Effects, more: bool) {
        let step = |n: &mut u32, by: bool| *n = n.wrapping_add_signed(i32::from(by) * if more { 1 } else { -1 });
        step(&mut self.side, effects.contains(Effects::SIDE));
        step(&mut self.not_drop, !Effects::DROP.contains(effects));
    }

    /// Whether it is to be cut where the signature changes.
    pub(super) fn is_apart(&self) -> bool {
        let commute = self.side == 0 && (self.not_drop == 0 || self.actions.len() <= 1);
        self.active.len() > 1 && !commute
    }

    /// Remembers how a rule stood before the first change.
    pub(super) fn touch(&mut self, rule: RuleKey) {
        self.past.touch(rule, || Some(Before::of(self.rules.get(&rule)?, &self.groups)));
    }

    /// How it was, which it is now.
    pub(super) fn take_past(&mut self) -> Past {
        std::mem::replace(&mut self.past, Past::as_it_is())
    }
}
