//! Equal rules are one value in memory.
//!
//! Owns: one [`Arc`] for each distinct rule of a table.
//! Never: is asked whether a rule is in a chain.
//!
//! On a host with ten thousand instances nine rules of ten are the same few; sharing them is what keeps the model below a
//! hundred bytes a rule.
//!
//! Invariant: a rule that nobody holds but the pool goes, at the latest when the pool has doubled.

use std::collections::HashMap;
use std::sync::Arc;

use super::slots::Mix;
use crate::rule::Rule;

/// Below this size the pool is not swept.
const SMALL: usize = 64;

/// The distinct rules, by their identity hash. Rules that differ in a comment only have the same one: the first gets
/// the place, the others stay on their own.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    rules: HashMap<u64, Arc<Rule>, Mix>,
    sweep_at: usize,
}

impl Pool {
    /// The rule, or the equal one that is there already.
    pub(super) fn share(&mut self, identity: u64, rule: Arc<Rule>) -> Arc<Rule> {
        if self.rules.len() >= self.sweep_at.max(SMALL) {
            self.rules.retain(|_, rule| Arc::strong_count(rule) > 1);
            self.sweep_at = 2 * self.rules.len();
        }
        let pooled = self.rules.entry(identity).or_insert_with(|| rule.clone());
        if *pooled == rule { pooled.clone() } else { rule }
    }

    /// Whether an entry about to go is the last holder of a rule beside the pool.
    pub(super) fn is_last(rule: &Arc<Rule>) -> bool {
        Arc::strong_count(rule) == 2
    }

    /// Forgets the rule if it is the pool's.
    pub(super) fn forget(&mut self, identity: u64, rule: &Arc<Rule>) {
        if self.rules.get(&identity).is_some_and(|pooled| Arc::ptr_eq(pooled, rule)) {
            self.rules.remove(&identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rules_are_shared_and_colliding_ones_are_not() {
        let mut pool = Pool::default();
        let first = pool.share(1, Arc::new(Rule::new().accept()));
        assert!(Arc::ptr_eq(&first, &pool.share(1, Arc::new(Rule::new().accept()))));
        assert_eq!(*pool.share(1, Arc::new(Rule::new().discard())), Rule::new().discard());
    }

    #[test]
    fn rules_of_nobody_are_swept() {
        let mut pool = Pool::default();
        for identity in 0..10_000 {
            drop(pool.share(identity, Arc::new(Rule::new())));
        }
        assert!(pool.rules.len() <= SMALL);
    }
}
