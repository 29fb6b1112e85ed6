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

use std::collections::BTreeMap;

use foldhash::HashMap;

/// The fewest different rules that make a family.
pub(crate) const FAMILY_MIN: u32 = 8;

/// How often templates are used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heat {
    /// How often each rule of a template is used.
    uses: HashMap<(u64, u32), u32>,
    counts: HashMap<u64, Count>,
    /// The templates that were touched since [`take_changed`](Self::take_changed), and whether they were hot before.
    touched: BTreeMap<u64, bool>,
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
        self.touch(template);
        let uses = self.uses.entry((template, rule)).or_default();
        let count = self.counts.entry(template).or_default();
        count.distinct += u32::from(*uses == 0);
        count.uses += 1;
        *uses += 1;
    }

    /// One body less uses this rule of the template. Without effect when none does.
    pub(crate) fn remove(&mut self, template: u64, rule: u32) {
        let (Some(&uses), Some(&count)) = (self.uses.get(&(template, rule)), self.counts.get(&template)) else {
            return;
        };
        self.touch(template);
        if uses > 1 {
            self.uses.insert((template, rule), uses - 1);
        } else {
            self.uses.remove(&(template, rule));
        }
        let distinct = count.distinct - u32::from(uses == 1);
        if distinct == 0 {
            self.counts.remove(&template);
        } else {
            self.counts.insert(template, Count { distinct, uses: count.uses - 1 });
        }
    }

    /// The templates that became hot or cold since the last time, ascending: bodies with them are compiled again. What
    /// came and went again is not among them.
    pub(crate) fn take_changed(&mut self) -> Vec<u64> {
        let touched = std::mem::take(&mut self.touched);
        let changed = touched.into_iter().filter(|&(template, was)| self.is_hot(template) != was);
        changed.map(|(template, _)| template).collect()
    }

    fn touch(&mut self, template: u64) {
        let hot = self.is_hot(template);
        self.touched.entry(template).or_insert(hot);
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
                    let changed: Vec<u64> = (0..3).filter(|&t| hot(&uses, t) != hot(&told, t)).collect();
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
