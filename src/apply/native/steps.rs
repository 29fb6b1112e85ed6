//! The steps from the rules that stand in a kernel chain to those that are wanted.
//!
//! Owns: which rules stay, and before which the new ones go.
//! Never: knows a handle; it counts places.
//!
//! A chain of ours is compared between its ends that did not change; one that other components use, too, as a whole,
//! because places in it depend on their rules.
//!
//! Invariant: carried out in order, the steps leave our rules in the wanted order and everybody else's as they were.

use super::standing::{StandingChain, StandingRule};
use crate::layout::native::Item;
use crate::ruleset::chain_diff::{self, Role, Step, Wanted};
use crate::wrap::Place;

/// What becomes of a chain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// Nothing of it stays: its rules are deleted at once.
    pub(super) flush: bool,
    /// Places of standing rules that go.
    pub(super) deleted: Vec<usize>,
    /// Numbers of wanted rules that come, each with the place of the standing rule that it goes before.
    pub(super) inserted: Vec<(usize, Option<usize>)>,
    /// For each rule that stands afterwards where it comes from.
    pub(super) result: Vec<From>,
}

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// It stood at this place, and is the wanted rule of this number, if it is one of ours.
    Standing(usize, Option<usize>),
    /// It is the wanted rule of this number.
    New(usize),
}

impl Steps {
    /// The places of the standing rules whose handles the steps need.
    pub(super) fn named(&self) -> impl Iterator<Item = usize> {
        let deleted = if self.flush { &[][..] } else { &self.deleted };
        deleted.iter().copied().chain(self.inserted.iter().filter_map(|(_, before)| *before))
    }
}

/// Finds the steps. `place` says where in a shared chain a wanted rule belongs.
pub(super) fn find(now: &StandingChain, wanted: &[Item], place: impl Fn(usize) -> Place) -> Steps {
    let rules = now.rules.as_slice();
    let (head, tail) = if now.shared { (0, 0) } else { same_ends(rules, wanted) };
    let changed = rules.get(head..rules.len() - tail).unwrap_or_default();
    let standing: Vec<_> =
        changed.iter().map(|rule| chain_diff::Standing { key: rule.item, role: rule.role, unmarked: false }).collect();
    let wanted_changed = wanted.get(head..wanted.len() - tail).unwrap_or_default();
    let keyed: Vec<_> = wanted_changed
        .iter()
        .enumerate()
        .map(|(at, item)| Wanted { key: *item, place: if now.shared { place(at) } else { Place::Normal } })
        .collect();
    let difference = chain_diff::diff(&standing, &keyed);
    let after = (tail > 0).then(|| rules.len() - tail);
    let mut steps = Steps::default();
    for step in difference.steps {
        match step {
            Step::Delete(at) => steps.deleted.push(head + at),
            Step::Insert { wanted, before, .. } => {
                steps.inserted.push((head + wanted, before.map(|before| head + before).or(after)));
            }
        }
    }
    // One message instead of one a rule, and no handle is needed.
    steps.flush = steps.deleted.len() > 1 && steps.deleted.len() == rules.len();
    let mut kept_as: Vec<Option<usize>> = vec![None; rules.len()];
    let middle = difference.kept.iter().enumerate().filter_map(|(at, kept)| Some((head + at, head + (*kept)?)));
    let ends = (0..head).map(|at| (at, at)).chain((1..=tail).map(|at| (wanted.len() - at, rules.len() - at)));
    for (wanted, at) in middle.chain(ends) {
        if let Some(slot) = kept_as.get_mut(at) {
            *slot = Some(wanted);
        }
    }
    steps.result = result(&steps, &kept_as);
    steps
}

/// How many rules at the start and at the end are the same.
fn same_ends(rules: &[StandingRule], wanted: &[Item]) -> (usize, usize) {
    let same = |(rule, item): &(&StandingRule, &Item)| rule.item == Some(**item);
    let head = rules.iter().zip(wanted).take_while(same).count();
    let rest = rules.len().min(wanted.len()) - head;
    let tail = rules.iter().rev().zip(wanted.iter().rev()).take(rest).take_while(same).count();
    (head, tail)
}

/// The chain once the steps are done.
fn result(steps: &Steps, kept_as: &[Option<usize>]) -> Vec<From> {
    let mut deleted = steps.deleted.iter().copied().peekable();
    // By the rule that they go before: a stable sort keeps the order of those that go before the same.
    let mut inserted = steps.inserted.clone();
    inserted.sort_by_key(|(_, before)| before.unwrap_or(usize::MAX));
    let mut inserted = inserted.into_iter().peekable();
    let mut all = Vec::with_capacity(kept_as.len() + steps.inserted.len());
    for (at, kept) in kept_as.iter().enumerate() {
        while let Some((wanted, _)) = inserted.next_if(|(_, before)| *before == Some(at)) {
            all.push(From::New(wanted));
        }
        if deleted.next_if_eq(&at).is_none() {
            all.push(From::Standing(at, *kept));
        }
    }
    all.extend(inserted.map(|(wanted, _)| From::New(wanted)));
    all
}

/// The rule that a rule of a shared chain becomes: ours once it is wanted.
pub(super) fn adopted(rule: StandingRule, item: Option<Item>, place: Place) -> StandingRule {
    let role = match rule.role {
        Role::Foreign if item.is_some() => Role::Ours(place),
        role => role,
    };
    StandingRule { item: item.or(rule.item), role, ..rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::native::{Form, RuleId};
    use proptest::prelude::*;

    fn item(number: u8) -> Item {
        Item { rule: RuleId(number.into()), form: Form::Plain }
    }

    fn chain(numbers: &[u8]) -> StandingChain {
        StandingChain { rules: numbers.iter().map(|n| StandingRule::ours(item(*n))).collect(), ..Default::default() }
    }

    fn items(numbers: &[u8]) -> Vec<Item> {
        numbers.iter().map(|n| item(*n)).collect()
    }

    fn steps(now: &[u8], want: &[u8]) -> Steps {
        find(&chain(now), &items(want), |_| Place::Normal)
    }

    #[test]
    fn what_did_not_change_needs_no_step_and_one_rule_needs_one() {
        let none = steps(&[1, 2, 3], &[1, 2, 3]);
        assert!(none.deleted.is_empty() && none.inserted.is_empty());
        assert_eq!(steps(&[1, 2, 3], &[1, 2, 9, 3]).inserted, [(2, Some(2))]);
        assert_eq!(steps(&[1, 2, 3], &[1, 2, 3, 9]).inserted, [(3, None)]);
        assert_eq!(steps(&[1, 2, 3], &[1, 3]).deleted, [1]);
    }

    #[test]
    fn a_chain_of_which_nothing_stays_is_flushed_and_needs_no_handle() {
        let steps = steps(&[1, 2, 3], &[7, 8]);
        assert!(steps.flush);
        assert_eq!(steps.named().count(), 0);
    }

    #[test]
    fn rules_of_others_stay_in_a_shared_chain() {
        let mut now = chain(&[1, 2]);
        now.shared = true;
        now.rules.insert(1, StandingRule { item: None, handle: None, role: Role::Theirs(Place::Normal) });
        let steps = find(&now, &items(&[2]), |_| Place::Normal);
        assert_eq!(steps.deleted, [0]);
        assert_eq!(steps.result, [From::Standing(1, None), From::Standing(2, Some(0))]);
    }

    proptest! {
        #[test]
        fn the_result_is_what_is_wanted(
            now in prop::collection::vec(0..6_u8, 0..12),
            want in prop::collection::vec(0..6_u8, 0..12),
        ) {
            let (standing, wanted) = (chain(&now), items(&want));
            let steps = find(&standing, &wanted, |_| Place::Normal);
            let end: Vec<Item> = steps.result.iter().map(|from| match from {
                From::Standing(at, kept) => {
                    assert_eq!(kept.map(|kept| wanted[kept]), standing.rules[*at].item);
                    standing.rules[*at].item.unwrap()
                }
                From::New(number) => wanted[*number],
            }).collect();
            prop_assert_eq!(&end, &wanted);
            // Carried out as the kernel would, the same comes out.
            let mut list: Vec<(Option<usize>, Item)> =
                standing.rules.iter().enumerate().map(|(at, rule)| (Some(at), rule.item.unwrap())).collect();
            list.retain(|(at, _)| !steps.deleted.contains(&at.unwrap()));
            for (number, before) in &steps.inserted {
                let at = before.map_or(list.len(), |before| list.iter().position(|(at, _)| *at == Some(before)).unwrap());
                list.insert(at, (None, wanted[*number]));
            }
            prop_assert_eq!(list.into_iter().map(|(_, item)| item).collect::<Vec<_>>(), wanted);
        }
    }
}
