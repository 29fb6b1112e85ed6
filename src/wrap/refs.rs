//! Who refers to a chain or carries a tag, so that removing it touches only those rules.
//!
//! Owns: a counted set of (chain, rule hash) pairs.
//! Never: holds positions: those move, a rule's hash does not.
//!
//! Invariant: a pair is in the set as often as a live rule with that hash in that chain has the reference.

use std::collections::HashMap;

use super::slots::Mix;

/// A chain's number in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ChainId(pub(super) u32);

impl ChainId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A counted set of referring rules. Most chains are referred to by one rule, which needs no allocation.
#[derive(Debug, Clone, Default)]
#[allow(clippy::box_collection, reason = "every chain has one of these, few have many")]
pub(super) enum Refs {
    #[default]
    None,
    One(ChainId, u32),
    Many(Box<HashMap<u64, u32, Mix>>),
}

impl Refs {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn add(&mut self, chain: ChainId, hash: u32) {
        match self {
            Self::None => *self = Self::One(chain, hash),
            Self::One(first, first_hash) => {
                let mut many = HashMap::with_hasher(Mix::default());
                many.insert(key(*first, *first_hash), 1);
                *many.entry(key(chain, hash)).or_insert(0) += 1;
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => *many.entry(key(chain, hash)).or_insert(0) += 1,
        }
    }

    pub(super) fn remove(&mut self, chain: ChainId, hash: u32) {
        match self {
            Self::None => {}
            Self::One(..) => *self = Self::None,
            Self::Many(many) => {
                if let Some(count) = many.get_mut(&key(chain, hash)) {
                    *count -= 1;
                    if *count == 0 {
                        many.remove(&key(chain, hash));
                    }
                }
                if many.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    /// The referring chains and rule hashes, each pair once, in the order of chain numbers.
    pub(super) fn pairs(&self) -> Vec<(ChainId, u32)> {
        match self {
            Self::None => Vec::new(),
            Self::One(chain, hash) => vec![(*chain, *hash)],
            Self::Many(many) => {
                let mut keys: Vec<u64> = many.keys().copied().collect();
                keys.sort_unstable();
                keys.into_iter().map(|key| (ChainId((key >> 32) as u32), key as u32)).collect()
            }
        }
    }
}

fn key(chain: ChainId, hash: u32) -> u64 {
    u64::from(chain.0) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shrinks_to_nothing() {
        let mut refs = Refs::default();
        for (chain, hash) in [(1, 7), (1, 7), (0, 9)] {
            refs.add(ChainId(chain), hash);
        }
        assert_eq!(refs.pairs(), [(ChainId(0), 9), (ChainId(1), 7)]);
        refs.remove(ChainId(1), 7);
        refs.remove(ChainId(0), 9);
        assert_eq!(refs.pairs(), [(ChainId(1), 7)]);
        refs.remove(ChainId(1), 7);
        assert!(refs.is_empty());
    }
}
