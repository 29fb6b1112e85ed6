//! The difference of one chain: which rules stay, which go, and where the new ones are put.
//!
//! Invariant: what is kept is the longest run of wanted rules that already stand in the wanted order, so the number of
//! steps is the least that leaves the order right; cost is O(n log n) whatever the rules are, because rules are paired
//! by value and never compared line by line (neutron's text diff is cubic in its worst case).
//!
//! Invariant: a new rule is placed relative to a rule that stays, by handle, or at the end: positions by number
//! would depend on what other programs do in a shared chain.

use std::collections::HashMap;
use std::hash::Hash;

use crate::wrap::Place;

/// A rule that stands in the chain.
#[derive(Debug, Clone, Copy)]
pub struct Standing<K> {
    /// Its value, if it may be one of the wanted rules; `None` for a rule that is neither ours nor equal to ours.
    pub key: Option<K>,
    /// Whose it is.
    pub role: Role,
    /// It is ours by what it says and does not carry our mark: it is written anew, with its counters.
    pub unmarked: bool,
}

/// Whose rule it is, in a chain that several components share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ours: it stays if it is wanted and goes if not.
    Ours(Place),
    /// Common to all components of a profile, such as the jump to `nova-filter-top`: it stays even when it is not
    /// wanted, and counts as ours when it is.
    Common(Place),
    /// Another component's.
    Theirs(Place),
    /// A rule of another program. It never moves; if it equals a wanted rule it is taken for that one.
    Foreign,
}

/// A rule that should stand in the chain.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<K> {
    /// Its value.
    pub key: K,
    /// Where it belongs.
    pub place: Place,
}

/// One step from what stands to what is wanted. Deletions come before insertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Delete the standing rule of this index.
    Delete(usize),
    /// Put the wanted rule of this index in front of a standing rule, or at the end.
    Insert {
        /// Index of the wanted rule.
        wanted: usize,
        /// Index of the standing rule that comes right after it; `None`: the end of the chain.
        before: Option<usize>,
        /// Index of the equal standing rule that is deleted for it, whose counters it takes over.
        moved_from: Option<usize>,
    },
}

/// What [`diff`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// For each wanted rule the standing rule that is it, if it stays.
    pub kept: Vec<Option<usize>>,
}

/// How far down a chain a rule belongs: top, normal, foreign, bottom.
fn rank(role: Role) -> u8 {
    match role {
        Role::Ours(place) | Role::Common(place) | Role::Theirs(place) => place_rank(place),
        Role::Foreign => 2,
    }
}

fn place_rank(place: Place) -> u8 {
    match place {
        Place::Top => 0,
        Place::Normal => 1,
        Place::Bottom => 3,
    }
}

/// Finds the steps that bring a chain from what stands to what is wanted.
///
/// In a chain of ours every standing rule is [`Role::Ours`] and the order is the wanted one. In a shared chain our rules
/// keep their order among themselves and stand: top rules before everything but other top rules, normal ones before
/// every foreign rule, bottom ones after everything but other bottom rules. `wanted` lists top rules first, bottom
/// rules last.
pub fn diff<K: Copy + Eq + Hash>(standing: &[Standing<K>], wanted: &[Wanted<K>]) -> Difference {
    let pairs = pair(standing, wanted);
    let kept = keep(standing, wanted, &pairs);
    let mut stays: Vec<bool> = standing.iter().map(|rule| !matches!(rule.role, Role::Ours(_))).collect();
    let mut ranks: Vec<u8> = standing.iter().map(|rule| rank(rule.role)).collect();
    for ((want, pair), keep) in wanted.iter().zip(&pairs).zip(&kept) {
        if let Some(at) = *pair {
            // A rule that is ours but stands in the wrong place is deleted there and added here.
            set(&mut stays, at, keep.is_some());
            set(&mut ranks, at, place_rank(want.place));
        }
    }
    let mut steps: Vec<Step> =
        stays.iter().enumerate().filter(|(_, stay)| !**stay).map(|(i, _)| Step::Delete(i)).collect();

    // Walk backwards so that each new rule knows the rule that comes after it.
    let mut inserts = Vec::new();
    let mut anchors = Anchors::new(&ranks, &stays);
    for (index, ((want, pair), keep)) in wanted.iter().zip(&pairs).zip(&kept).enumerate().rev() {
        match *keep {
            Some(at) => anchors.pass(want.place, at),
            None => inserts.push(Step::Insert { wanted: index, before: anchors.before(want.place), moved_from: *pair }),
        }
    }
    steps.extend(inserts.into_iter().rev());
    Difference { steps, kept }
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

/// For each wanted rule the standing rule of equal value: the n-th of a value with the n-th.
fn pair<K: Copy + Eq + Hash>(standing: &[Standing<K>], wanted: &[Wanted<K>]) -> Vec<Option<usize>> {
    let mut places: HashMap<K, std::collections::VecDeque<usize>> = HashMap::new();
    // Rules that carry our mark are taken before foreign ones of the same value.
    for foreign in [false, true] {
        for (index, rule) in standing.iter().enumerate() {
            if let Some(key) = rule.key
                && (rule.role == Role::Foreign) == foreign
                && !matches!(rule.role, Role::Theirs(_))
            {
                places.entry(key).or_default().push_back(index);
            }
        }
    }
    wanted.iter().map(|w| places.get_mut(&w.key)?.pop_front()).collect()
}

/// Keeps the longest increasing run of pairs among those whose place in a shared chain is right: for each wanted rule the
/// standing one that is it and stays.
fn keep<K>(standing: &[Standing<K>], wanted: &[Wanted<K>], pairs: &[Option<usize>]) -> Vec<Option<usize>> {
    let candidates: Vec<(usize, usize)> = pairs
        .iter()
        .zip(well_placed(standing, wanted, pairs))
        .enumerate()
        .filter_map(|(w, (pair, placed))| pair.filter(|_| placed).map(|s| (w, s)))
        .collect();
    let mut kept = vec![None; wanted.len()];
    for at in longest_increasing(&candidates.iter().map(|(_, s)| *s).collect::<Vec<_>>()) {
        if let Some(&(w, s)) = candidates.get(at) {
            set(&mut kept, w, Some(s));
        }
    }
    kept
}

/// Whether a wanted rule that stands already is on the right side of the rules that are not ours.
fn well_placed<K>(standing: &[Standing<K>], wanted: &[Wanted<K>], pairs: &[Option<usize>]) -> Vec<bool> {
    let mut ours = vec![false; standing.len()];
    for at in pairs.iter().flatten() {
        set(&mut ours, *at, true);
    }
    // The first rule of a higher rank, and the last of a lower one, that is not ours: the walls we must stay within.
    let not_ours = || {
        standing
            .iter()
            .enumerate()
            .filter(|(i, rule)| !matches!(rule.role, Role::Ours(_)) && !ours.get(*i).copied().unwrap_or(false))
    };
    let ceiling = |limit: u8| not_ours().find(|(_, r)| rank(r.role) > limit).map_or(usize::MAX, |(i, _)| i);
    let floor = not_ours().filter(|(_, r)| rank(r.role) < 3).map(|(i, _)| i).max();
    let (top, normal) = (ceiling(0), ceiling(1));
    wanted
        .iter()
        .zip(pairs)
        .map(|(want, pair)| {
            // The mark says where the rule belongs, so a rule that changes its place is written anew.
            let marked_so = |at: &usize| match standing.get(*at) {
                Some(Standing { unmarked: true, .. }) => false,
                Some(Standing { role: Role::Ours(place) | Role::Common(place), .. }) => *place == want.place,
                _ => true,
            };
            pair.filter(marked_so).is_some_and(|at| match want.place {
                Place::Top => at < top,
                Place::Normal => at < normal,
                Place::Bottom => floor.is_none_or(|floor| at > floor),
            })
        })
        .collect()
}

/// Where the next rule to be inserted goes, for each place.
struct Anchors {
    /// Before the first rule that is neither a top rule nor deleted.
    top: Option<usize>,
    /// Before the first foreign or bottom rule that stays.
    normal: Option<usize>,
    bottom: Option<usize>,
}

impl Anchors {
    fn new(ranks: &[u8], stays: &[bool]) -> Self {
        let first = |limit: u8| ranks.iter().zip(stays).position(|(rank, stay)| *stay && *rank > limit);
        Self { top: first(0), normal: first(1), bottom: None }
    }

    /// A wanted rule that stays is the anchor of those of its place that come before it.
    fn pass(&mut self, place: Place, at: usize) {
        match place {
            Place::Top => self.top = Some(at),
            Place::Normal => self.normal = Some(at),
            Place::Bottom => self.bottom = Some(at),
        }
    }

    fn before(&self, place: Place) -> Option<usize> {
        match place {
            Place::Top => self.top,
            Place::Normal => self.normal,
            Place::Bottom => self.bottom,
        }
    }
}

/// Indices of the longest strictly increasing subsequence (patience sorting, O(n log n)).
fn longest_increasing(values: &[usize]) -> Vec<usize> {
    let mut tails: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let pile = tails.partition_point(|&t| values.get(t).is_some_and(|v| v < value));
        previous.push(pile.checked_sub(1).and_then(|p| tails.get(p).copied()));
        match tails.get_mut(pile) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut run = Vec::with_capacity(tails.len());
    let mut next = tails.last().copied();
    while let Some(at) = next {
        run.push(at);
        next = previous.get(at).copied().flatten();
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn standing(rules: &[(char, Role)]) -> Vec<Standing<char>> {
        rules.iter().map(|&(key, role)| Standing { key: Some(key), role, unmarked: false }).collect()
    }

    fn ours(text: &str) -> Vec<Standing<char>> {
        standing(&text.chars().map(|c| (c, Role::Ours(Place::Normal))).collect::<Vec<_>>())
    }

    fn wanted(rules: &[(char, Place)]) -> Vec<Wanted<char>> {
        rules.iter().map(|&(key, place)| Wanted { key, place }).collect()
    }

    fn normal(text: &str) -> Vec<Wanted<char>> {
        wanted(&text.chars().map(|c| (c, Place::Normal)).collect::<Vec<_>>())
    }

    /// Carries the steps out as the kernel would.
    fn carry_out(standing: &[Standing<char>], wanted: &[Wanted<char>], steps: &[Step]) -> String {
        let mut chain: Vec<(Option<usize>, char)> =
            standing.iter().enumerate().map(|(i, s)| (Some(i), s.key.unwrap())).collect();
        for step in steps {
            match *step {
                Step::Delete(i) => chain.retain(|(at, _)| *at != Some(i)),
                Step::Insert { wanted: w, before: Some(i), .. } => {
                    let at = chain.iter().position(|(at, _)| *at == Some(i)).expect("the anchor stays");
                    chain.insert(at, (None, wanted[w].key));
                }
                Step::Insert { wanted: w, before: None, .. } => chain.push((None, wanted[w].key)),
            }
        }
        chain.into_iter().map(|(_, c)| c).collect()
    }

    fn after(standing: &[Standing<char>], wanted: &[Wanted<char>]) -> (String, usize) {
        let steps = diff(standing, wanted).steps;
        (carry_out(standing, wanted, &steps), steps.len())
    }

    #[test]
    fn an_unchanged_chain_needs_no_step() {
        assert_eq!(after(&ours("abcb"), &normal("abcb")), ("abcb".into(), 0));
    }

    #[test]
    fn one_change_is_one_or_two_steps() {
        assert_eq!(after(&ours("abcd"), &normal("abxcd")), ("abxcd".into(), 1));
        assert_eq!(after(&ours("abcd"), &normal("abd")), ("abd".into(), 1));
        assert_eq!(after(&ours("abcd"), &normal("dabc")), ("dabc".into(), 2));
    }

    #[test]
    fn foreign_rules_stay_where_they_are_and_ours_come_first() {
        let now = standing(&[('x', Role::Foreign), ('y', Role::Foreign)]);
        let want = wanted(&[('t', Place::Top), ('n', Place::Normal), ('b', Place::Bottom)]);
        assert_eq!(after(&now, &want).0, "tnxyb");
        // The second application finds everything in place.
        let now = standing(&[
            ('t', Role::Common(Place::Top)),
            ('n', Role::Ours(Place::Normal)),
            ('x', Role::Foreign),
            ('y', Role::Foreign),
            ('b', Role::Common(Place::Bottom)),
        ]);
        assert_eq!(after(&now, &want), ("tnxyb".into(), 0));
    }

    #[test]
    fn a_second_component_lines_up_behind_the_first_and_both_settle() {
        let now = standing(&[
            ('t', Role::Common(Place::Top)),
            ('a', Role::Theirs(Place::Normal)),
            ('x', Role::Foreign),
            ('b', Role::Common(Place::Bottom)),
        ]);
        let want = wanted(&[('t', Place::Top), ('n', Place::Normal), ('b', Place::Bottom)]);
        assert_eq!(after(&now, &want), ("tanxb".into(), 1));
        // The first component looks again: nothing of its own has to move.
        let now = standing(&[
            ('t', Role::Common(Place::Top)),
            ('a', Role::Ours(Place::Normal)),
            ('n', Role::Theirs(Place::Normal)),
            ('x', Role::Foreign),
            ('b', Role::Common(Place::Bottom)),
        ]);
        let want = wanted(&[('t', Place::Top), ('a', Place::Normal), ('b', Place::Bottom)]);
        assert_eq!(after(&now, &want), ("tanxb".into(), 0));
    }

    #[test]
    fn a_foreign_rule_put_in_front_makes_ours_move_and_not_itself() {
        let now = standing(&[
            ('x', Role::Foreign),
            ('a', Role::Ours(Place::Normal)),
            ('b', Role::Common(Place::Bottom)),
            ('y', Role::Foreign),
        ]);
        let want = wanted(&[('a', Place::Normal), ('b', Place::Bottom)]);
        let found = diff(&now, &want);
        assert_eq!(carry_out(&now, &want, &found.steps), "axyb");
        assert!(found.steps.contains(&Step::Insert { wanted: 0, before: Some(0), moved_from: Some(1) }));
    }

    #[test]
    fn an_equal_foreign_rule_is_adopted_and_a_common_one_survives_us() {
        let now = standing(&[('a', Role::Foreign), ('t', Role::Common(Place::Top))]);
        assert_eq!(after(&now, &normal("a")), ("at".into(), 0));
        assert_eq!(after(&now, &[]), ("at".into(), 0));
    }

    proptest! {
        #[test]
        fn a_chain_of_ours_ends_as_wanted(now in "[a-e]{0,12}", want in "[a-e]{0,12}") {
            let (now, want_rules) = (ours(&now), normal(&want));
            let found = diff(&now, &want_rules);
            prop_assert_eq!(carry_out(&now, &want_rules, &found.steps), want);
        }

        #[test]
        fn a_shared_chain_settles_in_one_round(
            now in prop::collection::vec((prop::char::range('a', 'e'), 0..6_u8), 0..10),
            tops in 0..3_usize, normals in 0..3_usize, bottoms in 0..2_usize,
        ) {
            let role = |n| match n {
                0 => Role::Ours(Place::Top),
                1 => Role::Ours(Place::Normal),
                2 => Role::Common(Place::Top),
                3 => Role::Theirs(Place::Normal),
                4 => Role::Foreign,
                _ => Role::Ours(Place::Bottom),
            };
            let now = standing(&now.iter().map(|&(c, n)| (c, role(n))).collect::<Vec<_>>());
            let mut want = Vec::new();
            let mut keys = "abcdefg".chars();
            for (count, place) in [(tops, Place::Top), (normals, Place::Normal), (bottoms, Place::Bottom)] {
                for _ in 0..count {
                    want.push((keys.next().unwrap(), place));
                }
            }
            let want = wanted(&want);
            let found = diff(&now, &want);
            let end = carry_out(&now, &want, &found.steps);
            // Every rule that is not ours and not adopted keeps its place among its like.
            let foreign: String = now.iter().filter(|s| matches!(s.role, Role::Theirs(_))).map(|s| s.key.unwrap()).collect();
            let mut rest = end.chars();
            prop_assert!(foreign.chars().all(|f| rest.any(|c| c == f)));
            // Our rules stand in the wanted order.
            let mut rest = end.chars();
            prop_assert!(want.iter().all(|w| rest.any(|c| c == w.key)), "{} in {end}", want.iter().map(|w| w.key).collect::<String>());
        }
    }
}
