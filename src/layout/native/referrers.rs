//! The rules that lead to a chain.
//!
//! Owns: [`Referrers`].
//!
//! One or two rules lead to most chains, and ten thousand to a few: a list for the former is a tenth of the memory of a
//! tree.
//!
//! Invariant: a list is ascending, and no longer than [`FEW`].

use std::collections::BTreeSet;

use super::dispatch::ChainIx;
use crate::wrap::RuleKey;

/// The most rules of a list.
const FEW: usize = 16;

/// A rule by its chain and its place there.
type At = (ChainIx, RuleKey);

/// The rules that lead to a chain, ascending.
#[derive(Debug)]
pub(super) enum Referrers {
    Few(Vec<At>),
    Many(BTreeSet<At>),
}

impl Default for Referrers {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Referrers {
    pub(super) fn insert(&mut self, at: At) {
        match self {
            Self::Few(list) => {
                let Err(place) = list.binary_search(&at) else { return };
                if list.len() < FEW {
                    list.reserve_exact(usize::from(list.len() < 2));
                    list.insert(place, at);
                    return;
                }
                let mut all: BTreeSet<At> = std::mem::take(list).into_iter().collect();
                all.insert(at);
                *self = Self::Many(all);
            }
            Self::Many(all) => drop(all.insert(at)),
        }
    }

    pub(super) fn remove(&mut self, at: At) {
        match self {
            Self::Few(list) => {
                if let Ok(place) = list.binary_search(&at) {
                    list.remove(place);
                }
            }
            Self::Many(all) => {
                all.remove(&at);
                // Not at the first one less, or a rule that comes and goes would turn it each time.
                if all.len() <= FEW / 2 {
                    *self = Self::Few(std::mem::take(all).into_iter().collect());
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &At> {
        let (list, all) = match self {
            Self::Few(list) => (list.as_slice(), None),
            Self::Many(all) => (&[][..], Some(all)),
        };
        list.iter().chain(all.into_iter().flatten())
    }

    pub(super) fn first(&self) -> Option<At> {
        match self {
            Self::Few(list) => list.first().copied(),
            Self::Many(all) => all.first().copied(),
        }
    }

    pub(super) fn last(&self) -> Option<At> {
        match self {
            Self::Few(list) => list.last().copied(),
            Self::Many(all) => all.last().copied(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(all) => all.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_a_set(steps in prop::collection::vec((prop::bool::weighted(0.6), 0..60_u32), 0..200)) {
            let (mut referrers, mut all) = (Referrers::default(), BTreeSet::new());
            for (come, chain) in steps {
                let at = (ChainIx(chain), RuleKey::MIN);
                if come {
                    referrers.insert(at);
                    all.insert(at);
                } else {
                    referrers.remove(at);
                    all.remove(&at);
                }
                prop_assert!(referrers.iter().eq(&all));
                prop_assert_eq!(referrers.len(), all.len());
                prop_assert_eq!((referrers.first(), referrers.last()), (all.first().copied(), all.last().copied()));
            }
        }
    }
}
