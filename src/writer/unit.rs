//! What one key wants to stand, whole: an instance, a port, a list of groups.
//!
//! Owns: the value, and nothing else. It says what is to stand, never what is to change.

use std::sync::Arc;

use crate::name::IpsetName;
use crate::rule::Rule;
use crate::wrap::{Place, SetKind, TableId};

/// Chains, rules and sets that come and go together.
///
/// Invariant: a chain or a set belongs to one unit; a rule in a chain that is nobody's own may be wanted by several units
/// and stands as long as one of them wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    pub(super) sets: Vec<OwnSet>,
    pub(super) chains: Vec<OwnChain>,
    pub(super) rules: Vec<SharedRule>,
}

/// A chain with all its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnChain {
    pub(super) table: TableId,
    pub(super) name: Arc<str>,
    pub(super) rules: Vec<Arc<Rule>>,
}

/// A set. Its members are changed by themselves, as there may be far more of them than of anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnSet {
    pub(super) table: TableId,
    pub(super) name: IpsetName,
    pub(super) kind: SetKind,
}

/// A rule in a chain that others have rules in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SharedRule {
    pub(super) table: TableId,
    pub(super) chain: Arc<str>,
    pub(super) place: Place,
    pub(super) rule: Arc<Rule>,
}

impl Unit {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has this chain, `$name` for a wrapped one, with these rules in this order.
    pub fn chain(&mut self, table: TableId, name: impl Into<Arc<str>>, rules: Vec<Arc<Rule>>) -> &mut Self {
        self.chains.push(OwnChain { table, name: name.into(), rules });
        self
    }

    /// Has this rule in a chain that others have rules in; twice is once. A unit's first rules are in the order given, those
    /// that come later stand behind them, and where those of another unit stand among them is not said: none may depend on
    /// it but by [`Place`].
    pub fn rule(&mut self, table: TableId, chain: impl Into<Arc<str>>, place: Place, rule: Rule) -> &mut Self {
        let rule = SharedRule { table, chain: chain.into(), place, rule: Arc::new(rule) };
        // Counted twice, it would stay when one of two goes.
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
        self
    }

    /// Has this set, empty at first; [`Change::Members`](super::Change::Members) fills it.
    pub fn set(&mut self, table: TableId, name: IpsetName, kind: SetKind) -> &mut Self {
        self.sets.push(OwnSet { table, name, kind });
        self
    }
}
