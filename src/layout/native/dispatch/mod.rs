//! Which rules of a table become lookups.
//!
//! Owns: for each dispatcher its rules, how they stand in runs, and what changed of that. [`Index`] has what is of more
//! than one chain, [`Dispatcher`] all that is of one.
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
mod dispatcher;
mod order;
mod pending;
mod rebuild;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use self::dispatcher::Dispatcher;
use self::pending::Past;
use self::stored::GroupId;
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

/// A run. It keeps its number while it lives, and no other run of that chain gets it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RunId {
    /// Its chain.
    pub(super) chain: ChainIx,
    number: GroupId,
}

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
/// Invariant: every chain of which something changed is in `changed`, and no chain is two of dispatcher, candidate and
/// left.
#[derive(Debug, Clone)]
pub(super) struct Index {
    family: Family,
    dispatchers: HashMap<ChainIx, Dispatcher>,
    /// Bodies: they would be dispatchers if no dispatch reached them.
    candidates: HashSet<ChainIx>,
    /// Chains of which something is not taken yet.
    changed: BTreeSet<ChainIx>,
    /// How chains were that ceased to be dispatchers, if that is not taken yet.
    left: HashMap<ChainIx, Past>,
    /// The greatest number that a group had of a chain that ceased to be a dispatcher: if it becomes one again, its groups
    /// begin there, as somebody could still mean the old ones.
    last_group: u32,
}

impl Index {
    /// Without any chain.
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            dispatchers: HashMap::default(),
            candidates: HashSet::default(),
            changed: BTreeSet::new(),
            left: HashMap::default(),
            last_group: 0,
        }
    }

    /// All rules of a chain, in order: for one that is no dispatcher, or of which is not known what changed. Nothing is
    /// kept of a chain that is none. `reached` is whether a dispatch reaches it.
    pub(super) fn load<'a>(
        &mut self,
        chain: ChainIx,
        reached: bool,
        rules: impl Iterator<Item = (RuleKey, Entry<'a>)>,
    ) {
        let rules: Vec<(RuleKey, Entry<'a>)> = rules.collect();
        let (candidate, verdicts) =
            weigh(rules.iter().filter_map(|(_, entry)| Some((entry.signature?, entry.verdict_only))));
        if !candidate || (reached && verdicts) {
            self.forget(chain);
            if candidate {
                self.candidates.insert(chain);
            }
            return;
        }
        self.changed.insert(chain);
        match self.dispatchers.get_mut(&chain) {
            Some(dispatcher) => {
                dispatcher.set_reached(reached);
                dispatcher.replace(&rules);
            }
            None => {
                self.candidates.remove(&chain);
                let past = self.left.remove(&chain).unwrap_or_default();
                let dispatcher = Dispatcher::new(chain, self.family, reached, past, self.last_group, &rules);
                self.dispatchers.insert(chain, dispatcher);
            }
        }
    }

    /// The chain is not there any more, or not as a dispatcher.
    pub(super) fn forget(&mut self, chain: ChainIx) {
        self.candidates.remove(&chain);
        if let Some(past) = self.leave(chain) {
            self.left.insert(chain, past);
            self.changed.insert(chain);
        }
    }

    /// Lets go of a dispatcher; returns how it was, if anybody knows of it.
    fn leave(&mut self, chain: ChainIx) -> Option<Past> {
        let dispatcher = self.dispatchers.remove(&chain)?;
        self.last_group = self.last_group.max(dispatcher.last_group());
        dispatcher.into_past()
    }

    /// Whether a dispatch reaches the chain. Returns true when it is no dispatcher and is to be [loaded](Self::load),
    /// because it may be one now.
    pub(super) fn set_reached(&mut self, chain: ChainIx, reached: bool) -> bool {
        match self.dispatchers.get_mut(&chain) {
            Some(dispatcher) => {
                dispatcher.set_reached(reached);
                self.changed.insert(chain);
                false
            }
            None => !reached && self.candidates.contains(&chain),
        }
    }

    /// A new rule of a dispatcher.
    pub(super) fn insert(&mut self, chain: ChainIx, rule: RuleKey, entry: Entry<'_>) {
        self.change(chain, |dispatcher| dispatcher.insert(rule, entry));
    }

    /// A rule of a dispatcher is gone.
    pub(super) fn remove(&mut self, chain: ChainIx, rule: RuleKey) {
        self.change(chain, |dispatcher| dispatcher.remove(rule));
    }

    /// A rule of a dispatcher does something else: it jumps to a chain that changed.
    pub(super) fn update(&mut self, chain: ChainIx, rule: RuleKey, action: u64, effects: Effects) {
        self.change(chain, |dispatcher| dispatcher.update(rule, action, effects));
    }

    fn change(&mut self, chain: ChainIx, change: impl FnOnce(&mut Dispatcher)) {
        if let Some(dispatcher) = self.dispatchers.get_mut(&chain) {
            change(dispatcher);
            self.changed.insert(chain);
        }
    }

    /// Brings everything up to date, and says what changed since the last time.
    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        while let Some(chain) = self.changed.pop_first() {
            let past = match self.dispatchers.get_mut(&chain) {
                Some(dispatcher) if dispatcher.dispatches() => {
                    dispatcher.settle();
                    dispatcher.take_past().compare(chain, Some(dispatcher), &mut changes);
                    continue;
                }
                Some(dispatcher) => {
                    if dispatcher.is_candidate() {
                        self.candidates.insert(chain);
                    }
                    self.leave(chain)
                }
                None => self.left.remove(&chain),
            };
            if let Some(past) = past {
                past.compare(chain, None, &mut changes);
            }
        }
        changes
    }

    /// Whether the chain is a dispatcher, as of the last [`take_changes`](Self::take_changes) or
    /// [`load`](Self::load). Of dispatchers the index has the rules: it is told which come, go and change, by
    /// [`insert`](Self::insert), [`remove`](Self::remove) and [`update`](Self::update).
    pub(super) fn is_dispatcher(&self, chain: ChainIx) -> bool {
        self.dispatchers.contains_key(&chain)
    }

    /// What a dispatcher is made of, in order.
    pub(super) fn pieces(&self, chain: ChainIx) -> impl Iterator<Item = Piece> {
        self.dispatchers.get(&chain).into_iter().flat_map(Dispatcher::pieces)
    }

    /// A run, if it lives.
    pub(super) fn run(&self, run: RunId) -> Option<Run> {
        self.dispatchers.get(&run.chain)?.run(run)
    }

    /// The elements of a run, in the order of their rules.
    pub(super) fn elements(&self, run: RunId) -> impl Iterator<Item = (&Key, RuleKey)> {
        self.dispatchers.get(&run.chain).into_iter().flat_map(move |dispatcher| dispatcher.elements(run))
    }

    /// How a rule of a dispatcher stands, with its action, as of the last [`take_changes`](Self::take_changes).
    pub(super) fn standing(&self, chain: ChainIx, rule: RuleKey) -> Option<(Standing, u64)> {
        self.dispatchers.get(&chain)?.standing(rule)
    }
}

/// Whether a chain may be a dispatcher whose rules have these signatures.
pub(super) fn may_dispatch(signatures: impl Iterator<Item = SignatureId>) -> bool {
    weigh(signatures.map(|signature| (signature, false))).0
}

/// Whether rules make a dispatcher, by the signature of each and whether it has nothing but a verdict; and whether those
/// of active signatures have nothing but verdicts.
fn weigh(rules: impl Iterator<Item = (SignatureId, bool)>) -> (bool, bool) {
    let mut signatures: Vec<(SignatureId, bool)> = rules.collect();
    signatures.sort_unstable();
    let active = signatures.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() >= DISPATCH_MIN);
    active.fold((false, true), |(_, verdicts), same| (true, verdicts && same.iter().all(|(_, only)| *only)))
}
