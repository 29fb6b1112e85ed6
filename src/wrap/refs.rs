//! Who refers to a chain or carries a tag, so that removing it touches only those rules.
//!
//! Owns: a counted set of (chain, rule hash) pairs.
//! Never: holds positions: those move, a rule's hash does not.
//!
//! Ten thousand instances refer to one fallback chain, and whoever asks who they are wants all of them. So pairs are only
//! noted as they come and go, eight bytes each, and are brought together when they are asked for or when every second one
//! is gone, which costs each removal a constant in the long run.
//!
//! Invariant: a pair is in the set as often as a live rule with that hash in that chain has the reference.

/// Removals that are not worth a clean-up.
const FEW_REMOVED: usize = 16;

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
pub(super) enum Refs {
    #[default]
    None,
    One(ChainId, u32),
    Many(Box<Many>),
}

/// Pairs, each as one number.
#[derive(Debug, Clone, Default)]
pub(super) struct Many {
    added: Vec<u64>,
    /// Of the added ones.
    removed: Vec<u64>,
}

impl Many {
    /// The pairs that are there, in order, each as often as it is.
    fn live(&self) -> Vec<u64> {
        let (mut live, mut removed) = (self.added.clone(), self.removed.clone());
        // Sorted the last time but for what came since, which a merging sort takes as it is.
        live.sort();
        removed.sort();
        let mut removed = removed.into_iter().peekable();
        live.retain(|key| {
            while removed.next_if(|gone| gone < key).is_some() {}
            removed.next_if_eq(key).is_none()
        });
        live
    }
}

impl Refs {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn add(&mut self, chain: ChainId, hash: u32) {
        match self {
            Self::None => *self = Self::One(chain, hash),
            Self::One(first, first_hash) => {
                let added = vec![key(*first, *first_hash), key(chain, hash)];
                *self = Self::Many(Box::new(Many { added, removed: Vec::new() }));
            }
            Self::Many(many) => many.added.push(key(chain, hash)),
        }
    }

    pub(super) fn remove(&mut self, chain: ChainId, hash: u32) {
        match self {
            Self::None => {}
            Self::One(..) => *self = Self::None,
            Self::Many(many) => {
                many.removed.push(key(chain, hash));
                if many.removed.len() >= many.added.len() {
                    *self = Self::None;
                } else if many.removed.len() > FEW_REMOVED.max(many.added.len() / 2) {
                    **many = Many { added: many.live(), removed: Vec::new() };
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
                let mut keys = many.live();
                keys.dedup();
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

    #[test]
    fn what_is_gone_is_cleaned_up_and_the_rest_stays() {
        let mut refs = Refs::default();
        (0..100).for_each(|chain| refs.add(ChainId(chain), chain % 7));
        (0..90).rev().for_each(|chain| refs.remove(ChainId(chain), chain % 7));
        refs.add(ChainId(3), 3);
        let Refs::Many(many) = &refs else { panic!("eleven are left") };
        assert!(many.added.len() < 2 * 11 + FEW_REMOVED);
        let chains: Vec<_> = refs.pairs().into_iter().map(|(chain, _)| chain.0).collect();
        assert_eq!(chains, [3].into_iter().chain(90..100).collect::<Vec<_>>());
    }
}
