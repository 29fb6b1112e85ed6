//! What the kernel may lack after changes that were refused.
//!
//! Owns: the keys of refused changes, until they are submitted again.
//! Never: decides what they want: that is what is wanted when they are submitted.

use std::collections::BTreeSet;

use super::Key;
use crate::conntrack::Filter;
use crate::writer::Change;

#[derive(Debug, Default)]
pub(super) struct Stale {
    pub(super) keys: BTreeSet<Key>,
    /// The connections that were to go afterwards.
    pub(super) filters: Vec<Filter>,
}

impl Stale {
    pub(super) fn of(changes: &[Change<Key>]) -> Self {
        Self { keys: changes.iter().map(|change| change.key().clone()).collect(), filters: Vec::new() }
    }

    pub(super) fn join(&mut self, other: Self, filters: Vec<Filter>) {
        self.keys.extend(other.keys);
        self.filters.extend(filters);
    }
}
