//! A chain of a table.
//!
//! Owns: the chain's kernel name, kind, policy and rules.
//! Never: follows jumps; the table does.
//!
//! Invariant: the name is the kernel's and is checked; `INPUT` and the like have a kind of their own.

use super::builtin::Builtin;
use super::entry::{Entry, RuleKey};
use super::journal::Edits;
use super::refs::Refs;
use super::slots::Slots;
use crate::name::ChainName;
use crate::nft::Policy;
use crate::nft::expr::Counter;

/// What a chain is to the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Built in: a base chain in the kernel. The component has rules in it, the rest is not its own.
    Builtin(&'static Builtin),
    /// The component's own.
    Wrapped,
    /// Unwrapped: made by whoever comes first, shared by name (`nova-filter-top`); the component has rules in it. In a
    /// model without a component, a chain like any other.
    Shared,
    /// Not made by the component, which only has rules in it or jumps to it.
    Foreign,
}

/// A chain and the component's rules in it.
#[derive(Debug, Clone)]
pub struct Chain {
    pub(super) name: ChainName,
    pub(super) kind: ChainKind,
    pub(super) slots: Slots,
    /// The rules that jump here.
    pub(super) refs: Refs,
    /// Place in the order of chains.
    pub(super) serial: u64,
    pub(super) base: Option<Box<Base>>,
    /// Its place among the table's changed chains, if it is one.
    pub(super) dirty: Option<u32>,
}

/// What a caller sets on a built-in chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) policy: Policy,
    pub(super) counters: Option<Counter>,
}

impl Chain {
    pub(super) fn new(name: ChainName, kind: ChainKind, serial: u64) -> Self {
        Self { name, kind, slots: Slots::default(), refs: Refs::None, serial, base: None, dirty: None }
    }

    /// The kernel's name.
    #[must_use]
    pub fn name(&self) -> &ChainName {
        &self.name
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ChainKind {
        self.kind
    }

    /// The rules in their order: top, normal, bottom.
    pub fn rules(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.slots.iter()
    }

    /// The rules in their order, with their keys.
    pub fn keyed_rules(&self) -> impl DoubleEndedIterator<Item = (RuleKey, &Entry)> {
        self.rules().map(|entry| (entry.key(), entry))
    }

    /// The rule with that key, in logarithmic time.
    #[must_use]
    pub fn rule(&self, key: RuleKey) -> Option<&Entry> {
        self.slots.keyed(key)
    }

    /// Which rules came and went since the last [`mark_applied`](super::Model::mark_applied). `None` when that is not
    /// known and all rules are to be looked at: a chain that is short or new, or that changed by more than half.
    #[must_use]
    pub fn edits(&self) -> Option<Edits<'_>> {
        self.slots.edits()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The policy to set; `None` leaves it as it is.
    #[must_use]
    pub fn policy(&self) -> Option<Policy> {
        self.base.as_ref().map(|base| base.policy)
    }

    /// The counters that the policy starts with.
    #[must_use]
    pub fn policy_counters(&self) -> Option<Counter> {
        self.base.as_ref().and_then(|base| base.counters)
    }

    /// Whether it changed since the last [`mark_applied`](super::Model::mark_applied).
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty.is_some()
    }

    /// Whether the model says anything about it: a foreign chain without rules is just a name that somebody jumps to.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self.kind, ChainKind::Foreign) || !self.is_empty()
    }
}
