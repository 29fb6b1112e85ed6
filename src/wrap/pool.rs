//! Equal rules are one value in memory.
//!
//! Owns: one [`Arc`] for each distinct rule of a table.
//! Never: is asked whether a rule is in a chain.
//!
//! On a host with ten thousand instances nine rules of ten are the same few; sharing them is what keeps the model below a
//! hundred bytes a rule.
//!
//! Invariant: a rule that nobody holds but the pool goes, at the latest when the pool has doubled; with it goes the memory
//! of its address, which another rule may have next.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::mix::Mix;
use crate::rule::Rule;

/// Below this size the pool is not swept.
const SMALL: usize = 64;

/// Places in the memory of repeated rules. A host repeats a few rules of each security group, of which it has hundreds.
const RECENT: usize = 1024;

/// The distinct rules, by their identity hash. Rules that differ in a comment only have the same one: the first gets
/// the place, the others stay on their own.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    rules: HashMap<u64, Arc<Rule>, Mix>,
    sweep_at: usize,
    /// Addresses and identities of rules that came more than once: each is of a rule that the pool holds.
    recent: Vec<(usize, u64)>,
}

impl Pool {
    /// The rule, or the equal one that is there already.
    pub(super) fn share(&mut self, identity: u64, rule: Arc<Rule>) -> Arc<Rule> {
        if self.rules.len() >= self.sweep_at.max(SMALL) {
            self.rules.retain(|_, rule| Arc::strong_count(rule) > 1);
            self.sweep_at = 2 * self.rules.len();
            self.recent.clear();
        }
        match self.rules.entry(identity) {
            Entry::Vacant(vacant) => vacant.insert(rule).clone(),
            Entry::Occupied(pooled) => {
                let pooled = pooled.into_mut();
                if *pooled != rule {
                    return rule;
                }
                if Arc::ptr_eq(pooled, &rule) {
                    // Text that is one value comes again as the same allocation.
                    let address = Arc::as_ptr(&rule).addr();
                    self.recent.resize(RECENT, (0, 0));
                    if let Some(place) = self.recent.get_mut(place(address)) {
                        *place = (address, identity);
                    }
                }
                pooled.clone()
            }
        }
    }

    /// The identity of a rule that is the pool's own, if it came more than once of late. Saves hashing all of it.
    pub(super) fn recall(&self, rule: &Arc<Rule>) -> Option<u64> {
        let address = Arc::as_ptr(rule).addr();
        self.recent.get(place(address)).filter(|(same, _)| *same == address).map(|(_, identity)| *identity)
    }

    /// Whether an entry about to go is the last holder of a rule beside the pool.
    pub(super) fn is_last(rule: &Arc<Rule>) -> bool {
        Arc::strong_count(rule) == 2
    }

    /// Forgets the rule if it is the pool's.
    pub(super) fn forget(&mut self, identity: u64, rule: &Arc<Rule>) {
        if self.rules.get(&identity).is_some_and(|pooled| Arc::ptr_eq(pooled, rule)) {
            self.rules.remove(&identity);
            let address = Arc::as_ptr(rule).addr();
            if let Some(recent) = self.recent.get_mut(place(address)).filter(|(same, _)| *same == address) {
                *recent = (0, 0);
            }
        }
    }
}

/// Where an address is remembered; its low bits are those of the allocator.
fn place(address: usize) -> usize {
    (address >> 4) % RECENT
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
    fn a_repeated_rule_is_recalled_while_the_pool_has_it() {
        let mut pool = Pool::default();
        let rule = pool.share(7, Arc::new(Rule::new().accept()));
        assert_eq!(pool.recall(&rule), None);
        drop(pool.share(7, rule.clone()));
        assert_eq!(pool.recall(&rule), Some(7));
        assert_eq!(pool.recall(&Arc::new(Rule::new().accept())), None);
        pool.forget(7, &rule);
        assert_eq!(pool.recall(&rule), None);
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
