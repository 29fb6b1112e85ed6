//! Which templates are worth a family.
//!
//! Owns: [`Heat`]: for each template at a place the rules that have it, and how often each is used.
//! Never: knows a template or a rule; the caller numbers both. A template that is met under different keys has a number for
//! each, as each has sets of its own.
//!
//! A template is hot when at least [`FAMILY_MIN`] different rules have it, and most of them are used once. Rules that many
//! bodies use as they are (one address of a gateway) are better shared with their bodies than looked up by each.
//!
//! Invariant: whether a template is hot depends on the counts alone, not on how they came about.
//!
//! How it is tested: random changes, told now and then, against counts from scratch.

use std::collections::BTreeSet;

use foldhash::HashMap;

/// The fewest different rules that make a family.
pub(crate) const FAMILY_MIN: u32 = 8;

/// How often templates are used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heat {
    /// How often each rule of a template is used.
    uses: HashMap<(u64, u32), u32>,
    counts: HashMap<u64, Count>,
    /// The templates that are hot and were not when last asked, or the other way round.
    turned: BTreeSet<u64>,
}

/// What there is of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    /// Different rules.
    distinct: u32,
    /// Uses of them all.
    uses: u32,
}

impl Count {
    fn is_hot(self) -> bool {
        self.distinct >= FAMILY_MIN && self.uses < self.distinct.saturating_mul(2)
    }
}

impl Heat {
    /// Whether the template is worth a family.
    pub(crate) fn is_hot(&self, template: u64) -> bool {
        self.counts.get(&template).is_some_and(|count| count.is_hot())
    }

    /// One more body uses this rule of the template.
    pub(crate) fn add(&mut self, template: u64, rule: u32) {
        let uses = self.uses.entry((template, rule)).or_default();
        let count = self.counts.entry(template).or_default();
        let was = count.is_hot();
        count.distinct += u32::from(*uses == 0);
        count.uses += 1;
        *uses += 1;
        if count.is_hot() != was {
            self.turn(template);
        }
    }

    /// One body less uses this rule of the template. Without effect when none does.
    pub(crate) fn remove(&mut self, template: u64, rule: u32) {
        let (Some(uses), Some(count)) = (self.uses.get_mut(&(template, rule)), self.counts.get_mut(&template)) else {
            return;
        };
        let was = count.is_hot();
        *uses -= 1;
        count.uses -= 1;
        if *uses == 0 {
            self.uses.remove(&(template, rule));
            count.distinct -= 1;
        }
        let now = count.is_hot();
        if count.distinct == 0 {
            self.counts.remove(&template);
        }
        if now != was {
            self.turn(template);
        }
    }

    /// The templates that became hot or cold since the last time, ascending: bodies with them are compiled again. What
    /// came and went again is not among them.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.turned)
    }

    /// It became hot, or cold.
    fn turn(&mut self, template: u64) {
        if !self.turned.remove(&template) {
            self.turned.insert(template);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether the uses, one entry each, make a template hot: from scratch.
    fn hot(uses: &[(u64, u32)], template: u64) -> bool {
        let mut rules: Vec<u32> = uses.iter().filter(|(t, _)| *t == template).map(|(_, rule)| *rule).collect();
        let all = rules.len();
        rules.sort_unstable();
        rules.dedup();
        rules.len() >= 8 && all < 2 * rules.len()
    }

    proptest! {
        #[test]
        fn heat_is_a_function_of_the_counts(
            steps in prop::collection::vec(
                (prop::collection::vec((prop::bool::weighted(0.7), 0..3u64, 0..14u32), 0..40), any::<bool>()),
                1..8,
            ),
        ) {
            let (mut heat, mut uses, mut told) = (Heat::default(), Vec::new(), Vec::new());
            for (changes, tell) in steps {
                for (add, template, rule) in changes {
                    if add {
                        heat.add(template, rule);
                        uses.push((template, rule));
                    } else {
                        heat.remove(template, rule);
                        if let Some(at) = uses.iter().position(|u| *u == (template, rule)) {
                            uses.swap_remove(at);
                        }
                    }
                }
                if tell {
                    let changed: BTreeSet<u64> = (0..3).filter(|&t| hot(&uses, t) != hot(&told, t)).collect();
                    prop_assert_eq!(heat.take_changed(), changed);
                    told = uses.clone();
                }
                prop_assert!((0..3).all(|t| heat.is_hot(t) == hot(&uses, t)));
            }
            for (template, rule) in uses {
                heat.remove(template, rule);
            }
            prop_assert!(heat.uses.is_empty() && heat.counts.is_empty());
        }
    }
}
