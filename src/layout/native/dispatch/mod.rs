//! Which rules of a table become lookups.
//!
//! Owns: for each dispatcher its rules, how they stand in runs, and what changed of that.
//! Never: knows a rule's text, a set, a name, or the rules of any other chain.
//!
//! # What a dispatcher is in the kernel
//!
//! Rules with one *signature* ask for the same fields and do the same kind of thing; the caller numbers signatures. A
//! signature is *active* in a chain when [`DISPATCH_MIN`] of its rules have it. The chain is a *dispatcher* when it has
//! an active signature; but a chain that is *reached* by a dispatch itself and whose rules of active signatures have
//! nothing but verdicts stays a body, because bodies are shared.
//!
//! The rules of active signatures are *keyed* here, all others *plain*. Two rules *commute* when their keys cannot be of
//! one packet, or when neither has a side effect and they do the same, or can only drop.
//!
//! - A plain rule is a *barrier* when a keyed one after it does not commute with it. Chains are cut at barriers.
//! - Where there are several active signatures and not all keyed rules commute whatever their keys, chains are also cut
//!   wherever the signature changes.
//! - Between two cuts the n-th rule of each key of one signature are a *group*: they have disjoint keys, so their order
//!   is of no matter.
//! - A group of [`DISPATCH_MIN`] rules is a *run*: one lookup, where its first rule stands. Rules of smaller groups
//!   stand as they are.
//!
//! All of this is a function of the list of rules: whatever came and went before, the same list gives the same runs
//! (but for their numbers, which stay with the larger part when a run is cut or joined).
//!
//! How it is tested: random changes beside the definition above, written down as such.

mod change;
mod order;
mod pending;
mod rebuild;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use foldhash::HashMap;

use self::pending::Pending;
use self::stored::{Count, Groups, Head, Stored};
use super::analysis::Effects;
use super::field::{Fields, Key};
use crate::rule::Family;
use crate::wrap::RuleKey;

/// Rules from which on a lookup is better than asking one after the other.
pub(super) const DISPATCH_MIN: usize = 8;

/// A chain, as the caller numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ChainIx(pub(super) u32);

/// A signature, as the caller numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SignatureId(pub(super) u32);

/// A run. It keeps its number while it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RunId(pub(super) u32);

/// What the index wants to know of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Its signature, if it can be in a run. Rules of one signature have keys of the same fields.
    pub(super) signature: Option<SignatureId>,
    /// Its key, if it has one; it does with a signature.
    pub(super) key: Option<(&'a Fields, &'a Key)>,
    /// What it does: equal numbers do the same.
    pub(super) action: u64,
    /// What can become of a packet in it.
    pub(super) effects: Effects,
    /// Whether it accepts, drops or returns and does nothing else.
    pub(super) verdict_only: bool,
}

/// How a rule stands in its dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    /// As a rule.
    Plain,
    /// As an element of a run.
    Run(RunId),
}

/// What a dispatcher is made of, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    /// A rule as it is.
    Rule(RuleKey),
    /// The lookup of a run.
    Run(RunId),
}

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Its chain.
    pub(super) chain: ChainIx,
    /// The signature of its rules.
    pub(super) signature: SignatureId,
    /// How many rules it has.
    pub(super) len: usize,
}

/// What changed since the last [`take_changes`](Index::take_changes), net: what came and went again is not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Chains that became dispatchers (true) or ceased to be, ascending.
    pub(super) chains: Vec<(ChainIx, bool)>,
    /// Dispatchers whose pieces are others or in another order, new dispatchers included, ascending.
    pub(super) pieces: Vec<ChainIx>,
    /// Runs that came, changed or went, ascending.
    pub(super) runs: Vec<RunChange>,
    /// Rules of dispatchers that came, went, stand otherwise or do something else, in their order. The rules of a chain
    /// that ceased to be a dispatcher went.
    pub(super) rules: Vec<RuleChange>,
}

/// What changed of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunChange {
    /// Which.
    pub(super) run: RunId,
    /// How.
    pub(super) change: Elements,
}

/// What changed of a run's elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elements {
    /// The run is new: [`Index::elements`] has them all.
    New,
    /// The run is gone, and all of them with it.
    Gone,
    /// These changed, ascending by key.
    Changed(Vec<ElementChange>),
}

/// What changed for a key of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ElementChange {
    /// The key.
    pub(super) key: Key,
    /// The rule that it led to.
    pub(super) before: Option<RuleKey>,
    /// The rule that it leads to; the same as before when that does something else now.
    pub(super) after: Option<RuleKey>,
}

/// How a rule of a dispatcher stood and stands, with its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleChange {
    /// Its chain.
    pub(super) chain: ChainIx,
    /// Which.
    pub(super) rule: RuleKey,
    /// Before; `None`: it was not there.
    pub(super) before: Option<(Standing, u64)>,
    /// Now; `None`: it is not there.
    pub(super) after: Option<(Standing, u64)>,
}

/// The dispatchers of a table.
///
/// It follows the model, whatever the kernel says to it: after any number of changes
/// [`take_changes`](Self::take_changes) brings everything up to date and says what they came to.
///
/// Invariant: [`rules`](Self::rules), [`twins`](Self::twins), [`counts`](Self::counts) and [`active`](Self::active) are up
/// to date after every call; everything else is for chains that are not stale.
#[derive(Debug, Clone)]
pub(super) struct Index {
    family: Family,
    /// Every list of fields that a key was ever of: few, and never forgotten.
    fields: Vec<Fields>,
    /// Chains that are dispatchers, or would be if no dispatch reached them.
    heads: HashMap<ChainIx, Head>,
    /// The rules of dispatchers.
    rules: BTreeMap<(ChainIx, RuleKey), Stored>,
    /// Rules with a signature by the hash of their key: where a key stands again.
    twins: BTreeSet<(ChainIx, SignatureId, u32, RuleKey)>,
    /// How many rules of a dispatcher have a signature.
    counts: HashMap<(ChainIx, SignatureId), Count>,
    /// The active signatures of a dispatcher.
    active: BTreeSet<(ChainIx, SignatureId)>,
    /// How many keyed rules of a dispatcher do the same, where there are several active signatures.
    actions: BTreeMap<(ChainIx, u64), u32>,
    /// The plain rules, each with a keyed one after it that it does not commute with.
    plain: BTreeMap<(ChainIx, RuleKey), Option<RuleKey>>,
    /// The plain rules that have one.
    barriers: BTreeSet<(ChainIx, RuleKey)>,
    groups: Groups,
    /// The groups by layer and first rule.
    starts: BTreeMap<(ChainIx, SignatureId, u32, RuleKey), u32>,
    /// What dispatchers are made of; a run stands where its first rule does.
    pieces: BTreeMap<(ChainIx, RuleKey), Option<RunId>>,
    /// What is not taken yet.
    pending: Pending,
}

impl Index {
    /// Without any chain.
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            fields: Vec::new(),
            heads: HashMap::default(),
            rules: BTreeMap::new(),
            twins: BTreeSet::new(),
            counts: HashMap::default(),
            active: BTreeSet::new(),
            actions: BTreeMap::new(),
            plain: BTreeMap::new(),
            barriers: BTreeSet::new(),
            groups: Groups::default(),
            starts: BTreeMap::new(),
            pieces: BTreeMap::new(),
            pending: Pending::default(),
        }
    }

    /// All rules of a chain, in order: for one that is no dispatcher, or of which is not known what changed. Nothing is
    /// kept of a chain that is none. `reached` is whether a dispatch reaches it.
    pub(super) fn load<'a>(
        &mut self,
        chain: ChainIx,
        reached: bool,
        rules: impl Iterator<Item = (RuleKey, Entry<'a>)> + Clone,
    ) {
        let (candidate, verdicts) = weigh(rules.clone().map(|(_, entry)| entry));
        if !candidate || (reached && verdicts) {
            self.forget(chain);
            if candidate {
                self.heads.insert(chain, Head { reached, ..Head::default() });
            }
            return;
        }
        let held = self.is_dispatcher(chain);
        if !held {
            self.pending.chain(chain, false);
            self.heads.insert(chain, Head { held: true, stale: true, ..Head::default() });
        }
        self.set_reached(chain, reached);
        if held {
            let mut known = whole(&self.rules, chain).map(|(rule, _)| rule).peekable();
            let mut gone: Vec<RuleKey> = Vec::new();
            for (rule, _) in rules.clone() {
                while let Some(before) = known.next_if(|known| *known < rule) {
                    gone.push(before);
                }
                known.next_if_eq(&rule);
            }
            gone.extend(known);
            gone.into_iter().for_each(|rule| self.remove(chain, rule));
        }
        for (rule, entry) in rules {
            if !held || !self.rules.get(&(chain, rule)).is_some_and(|stored| self.is_same(stored, entry)) {
                self.insert(chain, rule, entry);
            }
        }
    }

    /// The chain is not there any more, or not as a dispatcher.
    pub(super) fn forget(&mut self, chain: ChainIx) {
        if self.is_dispatcher(chain) {
            self.drop_rules(chain);
        }
        self.heads.remove(&chain);
    }

    /// Whether a dispatch reaches the chain. Returns true when it is no dispatcher and is to be [loaded](Self::load),
    /// because it may be one now.
    pub(super) fn set_reached(&mut self, chain: ChainIx, reached: bool) -> bool {
        let Some(&head) = self.heads.get(&chain) else { return false };
        if head.reached != reached {
            self.pending.chain(chain, head.held);
            self.heads.insert(chain, Head { reached, ..head });
        }
        !head.held && !reached
    }

    /// Whether the chain is a dispatcher, as of the last [`take_changes`](Self::take_changes) or
    /// [`load`](Self::load). Of dispatchers the index has the rules: it is told which come, go and change, by
    /// [`insert`](Self::insert), [`remove`](Self::remove) and [`update`](Self::update).
    pub(super) fn is_dispatcher(&self, chain: ChainIx) -> bool {
        self.heads.get(&chain).is_some_and(|head| head.held)
    }

    /// What a dispatcher is made of, in order.
    pub(super) fn pieces(&self, chain: ChainIx) -> impl Iterator<Item = Piece> {
        whole(&self.pieces, chain).map(|(rule, run)| run.map_or(Piece::Rule(rule), Piece::Run))
    }

    /// A run, if it lives.
    pub(super) fn run(&self, run: RunId) -> Option<Run> {
        let group = self.groups.get(run.0).filter(|group| group.run)?;
        Some(Run { chain: group.chain, signature: group.signature, len: group.len as usize })
    }

    /// The elements of a run, in the order of their rules.
    pub(super) fn elements(&self, run: RunId) -> impl Iterator<Item = (&Key, RuleKey)> {
        self.members(run.0).filter_map(|(rule, stored)| stored.key.as_ref().map(|(_, key)| (key, rule)))
    }

    /// How a rule of a dispatcher stands, with its action.
    pub(super) fn standing(&self, chain: ChainIx, rule: RuleKey) -> Option<(Standing, u64)> {
        let stored = self.rules.get(&(chain, rule))?;
        let run = stored.group.filter(|&group| self.groups.get(group).is_some_and(|group| group.run));
        Some((run.map_or(Standing::Plain, |run| Standing::Run(RunId(run))), stored.action))
    }

    /// The rules of a group, in order.
    fn members(&self, number: u32) -> impl Iterator<Item = (RuleKey, &Stored)> {
        let group = self.groups.get(number);
        let (len, range) =
            group.map_or((0, None), |g| (g.len as usize, Some((g.chain, g.first)..=(g.chain, RuleKey::MAX))));
        let rules = range.into_iter().flat_map(|range| self.rules.range(range));
        rules
            .filter(move |(_, stored)| stored.group == Some(number))
            .take(len)
            .map(|((_, rule), stored)| (*rule, stored))
    }
}

/// Whether rules make a dispatcher, and whether those of active signatures have nothing but verdicts.
fn weigh<'a>(rules: impl Iterator<Item = Entry<'a>>) -> (bool, bool) {
    let mut signatures: Vec<(SignatureId, bool)> =
        rules.filter_map(|entry| Some((entry.signature?, entry.verdict_only))).collect();
    signatures.sort_unstable();
    let active = signatures.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() >= DISPATCH_MIN);
    active.fold((false, true), |(_, verdicts), same| (true, verdicts && same.iter().all(|(_, only)| *only)))
}

/// What is there for the rules of a chain, in order.
fn whole<V>(map: &BTreeMap<(ChainIx, RuleKey), V>, chain: ChainIx) -> impl DoubleEndedIterator<Item = (RuleKey, &V)> {
    map.range((chain, RuleKey::MIN)..=(chain, RuleKey::MAX)).map(|((_, rule), value)| (*rule, value))
}

/// What is there for the rules before one.
fn before<V>(
    map: &BTreeMap<(ChainIx, RuleKey), V>,
    chain: ChainIx,
    rule: RuleKey,
) -> impl DoubleEndedIterator<Item = (RuleKey, &V)> {
    map.range((chain, RuleKey::MIN)..(chain, rule)).map(|((_, rule), value)| (*rule, value))
}

/// What is there for the rules after one.
fn after<V>(
    map: &BTreeMap<(ChainIx, RuleKey), V>,
    chain: ChainIx,
    rule: RuleKey,
) -> impl DoubleEndedIterator<Item = (RuleKey, &V)> {
    let range = (Bound::Excluded((chain, rule)), Bound::Included((chain, RuleKey::MAX)));
    map.range(range).map(|((_, rule), value)| (*rule, value))
}
