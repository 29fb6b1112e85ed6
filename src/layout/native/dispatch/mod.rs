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
//! How it is tested: random changes and rollbacks beside the definition above, written down as such.

use super::analysis::Effects;
use super::field::{Fields, Key};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its signature, if it can be in a run. Rules of one signature have keys of the same fields.
    pub(super) signature: Option<SignatureId>,
    /// Its key, if it has one; it does with a signature.
    pub(super) key: Option<(Fields, Key)>,
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
#[derive(Debug, Clone, Default)]
pub(super) struct Index {}

impl Index {
    /// Without any chain.
    pub(super) fn new(family: crate::rule::Family) -> Self {
        let _ = family;
        Self {}
    }

    /// From here on changes can be taken back. Changes that were not taken are forgotten.
    pub(super) fn begin(&mut self) {}

    /// Keeps what was done since [`begin`](Self::begin).
    pub(super) fn commit(&mut self) {}

    /// Takes back what was done since [`begin`](Self::begin).
    pub(super) fn rollback(&mut self) {}

    /// All rules of a chain: for one that is not [held](Self::is_held), or of which is not known what changed. The index
    /// keeps them only when the chain is a dispatcher.
    pub(super) fn load(&mut self, chain: ChainIx, reached: bool, rules: &[(RuleKey, Entry)]) {
        let _ = (chain, reached, rules);
    }

    /// The chain is not there any more.
    pub(super) fn forget(&mut self, chain: ChainIx) {
        let _ = chain;
    }

    /// Whether the index has the rules of the chain, and takes [`insert`](Self::insert), [`remove`](Self::remove) and
    /// [`update`](Self::update): a dispatcher as of the last [`take_changes`](Self::take_changes). All others are to be
    /// [loaded](Self::load) when they changed.
    pub(super) fn is_held(&self, chain: ChainIx) -> bool {
        let _ = chain;
        false
    }

    /// A new rule of a chain that is held.
    pub(super) fn insert(&mut self, chain: ChainIx, rule: RuleKey, entry: Entry) {
        let _ = (chain, rule, entry);
    }

    /// A rule of a chain that is held is gone.
    pub(super) fn remove(&mut self, chain: ChainIx, rule: RuleKey) {
        let _ = (chain, rule);
    }

    /// A rule of a chain that is held does something else: it jumps to a chain that changed.
    pub(super) fn update(&mut self, chain: ChainIx, rule: RuleKey, action: u64, effects: Effects) {
        let _ = (chain, rule, action, effects);
    }

    /// Whether a dispatch reaches the chain. Returns true when it is not held and is to be [loaded](Self::load), because
    /// it may be a dispatcher now.
    pub(super) fn set_reached(&mut self, chain: ChainIx, reached: bool) -> bool {
        let _ = (chain, reached);
        false
    }

    /// Whether the chain is a dispatcher.
    pub(super) fn is_dispatcher(&self, chain: ChainIx) -> bool {
        let _ = chain;
        false
    }

    /// What a dispatcher is made of, in order.
    pub(super) fn pieces(&self, chain: ChainIx) -> impl Iterator<Item = Piece> {
        let _ = chain;
        std::iter::empty()
    }

    /// A run, if it lives.
    pub(super) fn run(&self, run: RunId) -> Option<Run> {
        let _ = run;
        None
    }

    /// The elements of a run, in the order of their rules.
    pub(super) fn elements(&self, run: RunId) -> impl Iterator<Item = (&Key, RuleKey)> {
        let _ = run;
        std::iter::empty()
    }

    /// What changed since the last time.
    pub(super) fn take_changes(&mut self) -> Changes {
        Changes::default()
    }
}
