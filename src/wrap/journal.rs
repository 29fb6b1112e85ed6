//! What changed in a long chain since the last application.
//!
//! Owns: the removed rules; the added ones are those whose serial was given since.
//! Never: notes more than half a chain: from there on it is cheaper to look at all of it.
//!
//! A reader that keeps something for each rule of a chain of ten thousand would otherwise compare ten thousand rules to
//! find the one that changed.
//!
//! Invariant: a rule that was added and removed since is in neither list.
//!
//! How it is tested: `tests/wrap_edits.rs` keeps copies of chains up to date by their edits alone.

use std::sync::Arc;

use super::entry::{Entry, RuleKey};
use super::slots::Slots;
use crate::rule::Rule;

/// Removals since the last application.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    /// The first serial that was given since.
    since: u32,
    removed: Vec<(RuleKey, Arc<Rule>)>,
}

impl Journal {
    /// Nothing changed; the next rule gets that serial.
    pub(super) fn new(since: u32) -> Self {
        Self { since, removed: Vec::new() }
    }

    /// Notes a removal. Returns false when there are more of them than rules that are left.
    pub(super) fn record(&mut self, key: RuleKey, rule: Arc<Rule>, left: usize) -> bool {
        if key.serial < self.since {
            self.removed.push((key, rule));
        }
        self.removed.len() <= left
    }
}

/// Which rules of a chain came and went since [`mark_applied`](super::Model::mark_applied).
#[derive(Debug, Clone, Copy)]
pub struct Edits<'a> {
    pub(super) slots: &'a Slots,
    pub(super) journal: &'a Journal,
}

impl<'a> Edits<'a> {
    /// Those that went, in the order of removing, with the keys that they had.
    #[must_use]
    pub fn removed(&self) -> &'a [(RuleKey, Arc<Rule>)] {
        &self.journal.removed
    }

    /// Those that came, in the order of the chain.
    pub fn added(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        self.slots.since(self.journal.since)
    }
}
