//! Which templates are worth a family.
//!
//! Owns: [`Heat`]: for each template at a place the rules that have it, and how often chains have any of them.
//! Never: knows a template, a rule or a place; the caller numbers them. A template at two places is two, as each has sets
//! of its own.
//!
//! Chains have lists of rules, and many the same: what is counted for each chain is its list, and the uses of each template;
//! the rules of a list are looked at when the first chain of a place has it.
//!
//! A template is hot when at least [`FAMILY_MIN`] different rules have it, and most of them are used once. Rules that many
//! bodies use as they are (one address of a gateway) are better shared with their bodies than looked up by each.
//!
//! Invariant: whether a template is hot depends on the counts alone, not on how they came about.
//!
//! How it is tested: random changes, told now and then, against counts from scratch.

use std::collections::BTreeSet;

use foldhash::HashMap;

use crate::layout::native::item::RuleId;
use crate::layout::native::lists::ListId;
use crate::layout::native::rules::TemplateId;

/// The fewest different rules that make a family.
pub(in crate::layout::native) const FAMILY_MIN: usize = 8;

/// How often templates are used.
#[derive(Debug, Clone, Default)]
pub(in crate::layout::native) struct Heat {
    /// How many chains at a place have a list.
    lists: HashMap<(PlaceId, ListId), u32>,
    /// How often each rule of a template stands in different lists.
    listed: HashMap<(PlaceId, TemplateId, RuleId), u32>,
    counts: HashMap<(PlaceId, TemplateId), Count>,
    /// The templates that are hot and were not when last asked, or the other way round.
    turned: BTreeSet<(PlaceId, TemplateId)>,
}

/// A place, as the caller has numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::layout::native) struct PlaceId(pub(crate) u32);

/// What there is of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    /// Different rules.
    distinct: usize,
    /// How often chains have any of them.
    uses: usize,
}

impl Count {
    fn is_hot(self) -> bool {
        self.distinct >= FAMILY_MIN && self.uses < self.distinct.saturating_mul(2)
    }
}

impl Heat {
    /// Whether the template is worth a family.
    pub(in crate::layout::native) fn is_hot(&self, place: PlaceId, template: TemplateId) -> bool {
        self.counts.get(&(place, template)).is_some_and(|count| count.is_hot())
    }

    /// One more chain at the place has this list, of these templates, ascending, with their rules.
    pub(in crate::layout::native) fn add(&mut self, place: PlaceId, list: ListId, templates: &[(TemplateId, RuleId)]) {
        let chains = self.lists.entry((place, list)).or_default();
        *chains += 1;
        let first = *chains == 1;
        for of_one in templates.chunk_by(|a, b| a.0 == b.0) {
            let Some((template, _)) = of_one.first() else { continue };
            let count = self.counts.entry((place, *template)).or_default();
            let was = count.is_hot();
            count.uses += of_one.len();
            for (_, rule) in of_one.iter().filter(|_| first) {
                let listed = self.listed.entry((place, *template, *rule)).or_default();
                count.distinct += usize::from(*listed == 0);
                *listed += 1;
            }
            let now = count.is_hot();
            self.turn((place, *template), was, now);
        }
    }

    /// One chain less does. Without effect when none has it.
    pub(in crate::layout::native) fn remove(
        &mut self,
        place: PlaceId,
        list: ListId,
        templates: &[(TemplateId, RuleId)],
    ) {
        let Some(chains) = self.lists.get_mut(&(place, list)) else { return };
        *chains -= 1;
        let last = *chains == 0;
        if last {
            self.lists.remove(&(place, list));
        }
        for of_one in templates.chunk_by(|a, b| a.0 == b.0) {
            let Some((template, _)) = of_one.first() else { continue };
            let Some(count) = self.counts.get_mut(&(place, *template)) else { continue };
            let was = count.is_hot();
            count.uses = count.uses.saturating_sub(of_one.len());
            for (_, rule) in of_one.iter().filter(|_| last) {
                let Some(listed) = self.listed.get_mut(&(place, *template, *rule)) else { continue };
                *listed -= 1;
                if *listed == 0 {
                    self.listed.remove(&(place, *template, *rule));
                    count.distinct -= 1;
                }
            }
            let now = count.is_hot();
            if count.distinct == 0 {
                self.counts.remove(&(place, *template));
            }
            self.turn((place, *template), was, now);
        }
    }

    /// The templates that became hot or cold since the last time, ascending: bodies with them are compiled again. What
    /// came and went again is not among them.
    pub(in crate::layout::native) fn take_changed(&mut self) -> BTreeSet<(PlaceId, TemplateId)> {
        std::mem::take(&mut self.turned)
    }

    /// It was hot, or cold, and is.
    fn turn(&mut self, at: (PlaceId, TemplateId), was: bool, now: bool) {
        if was != now && !self.turned.remove(&at) {
            self.turned.insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A list: templates and rules, ascending.
    type Templates = Vec<(TemplateId, RuleId)>;

    /// The lists that stand somewhere, each with its number and place, as often as chains have it.
    type Standing = Vec<(PlaceId, usize)>;

    /// Whether a template is hot, from scratch.
    fn hot(lists: &[Templates], standing: &Standing, place: PlaceId, template: TemplateId) -> bool {
        let here = standing.iter().filter(|(at, _)| *at == place).filter_map(|(_, list)| lists.get(*list));
        let mut rules: Vec<_> = here.flatten().filter(|(t, _)| *t == template).map(|(_, rule)| *rule).collect();
        let all = rules.len();
        rules.sort_unstable();
        rules.dedup();
        rules.len() >= 8 && all < 2 * rules.len()
    }

    fn groups() -> impl Iterator<Item = (PlaceId, TemplateId)> {
        (0..2).flat_map(|place| (0..3).map(move |template| (PlaceId(place), TemplateId(template))))
    }

    fn list() -> impl Strategy<Value = Templates> {
        prop::collection::vec((0..3_u32, 0..14_u32), 0..6).prop_map(|rows| {
            let mut rows: Templates = rows.into_iter().map(|(t, rule)| (TemplateId(t), RuleId(rule))).collect();
            rows.sort_unstable();
            rows
        })
    }

    proptest! {
        #[test]
        fn heat_is_a_function_of_what_stands(
            lists in prop::collection::vec(list(), 12),
            steps in prop::collection::vec(
                (prop::collection::vec((prop::bool::weighted(0.7), 0..2u32, 0..12usize), 0..30), any::<bool>()),
                1..8,
            ),
        ) {
            let (mut heat, mut standing, mut told) = (Heat::default(), Standing::new(), Standing::new());
            for (changes, tell) in steps {
                for (add, place, list) in changes {
                    let (place, id, templates) = (PlaceId(place), ListId(list as u64), &lists[list]);
                    if add {
                        heat.add(place, id, templates);
                        standing.push((place, list));
                    } else {
                        heat.remove(place, id, templates);
                        if let Some(at) = standing.iter().position(|chain| *chain == (place, list)) {
                            standing.swap_remove(at);
                        }
                    }
                }
                let is_hot = |standing: &Standing, (place, t)| hot(&lists, standing, place, t);
                if tell {
                    let turned = groups().filter(|at| is_hot(&standing, *at) != is_hot(&told, *at));
                    let turned: BTreeSet<_> = turned.collect();
                    prop_assert_eq!(heat.take_changed(), turned);
                    told = standing.clone();
                }
                prop_assert!(groups().all(|at| heat.is_hot(at.0, at.1) == is_hot(&standing, at)));
            }
            for (place, list) in standing {
                heat.remove(place, ListId(list as u64), &lists[list]);
            }
            prop_assert!(heat.lists.is_empty() && heat.listed.is_empty() && heat.counts.is_empty());
        }
    }
}
