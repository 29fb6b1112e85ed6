//! Which rules may change places, and where chains are cut.
//!
//! Owns: when two rules commute; the search for a keyed rule that makes a plain one a barrier; neighbours.
//! Never: changes anything.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::SignatureId;
use super::dispatcher::Dispatcher;
use super::stored::Stored;
use crate::layout::native::analysis::{Effects, commute};
use crate::layout::native::field::{Fields, Key, overlaps};
use crate::wrap::RuleKey;

/// A rule and what is kept of it.
pub(super) type Neighbour<'a> = (RuleKey, &'a Stored);

impl Dispatcher {
    /// Whether two rules may change places.
    pub(super) fn commute(&self, a: &Stored, b: &Stored) -> bool {
        commute(a.effects, b.effects, a.action == b.action) || self.disjoint(a, b)
    }

    /// Whether no packet has both keys.
    fn disjoint(&self, a: &Stored, b: &Stored) -> bool {
        let (Some(a), Some(b)) = (&a.key, &b.key) else { return false };
        if a.0 == b.0 {
            return a.1 != b.1;
        }
        match (self.whole_key(a), self.whole_key(b)) {
            (Some(a), Some(b)) => !overlaps(a, b, self.family),
            _ => false,
        }
    }

    fn whole_key<'a>(&'a self, (fields, key): &'a (u16, Key)) -> Option<(&'a Fields, &'a Key)> {
        Some((self.fields.get(usize::from(*fields))?, key))
    }

    /// Whether a rule is keyed.
    pub(super) fn is_keyed(&self, stored: &Stored) -> bool {
        stored.signature.is_some_and(|signature| self.active.contains(&signature))
    }

    /// A keyed rule after the plain one that does not commute with it. `keyed` are the keyed rules after it, in order;
    /// they are not looked at when there is a shorter way to tell.
    pub(super) fn witness<'a>(
        &self,
        rule: RuleKey,
        plain: &Stored,
        mut keyed: impl Iterator<Item = (RuleKey, &'a Stored)>,
    ) -> Option<RuleKey> {
        if self.side == 0 && self.not_drop == 0 && Effects::DROP.contains(plain.effects) {
            return None;
        }
        if let Some((fields, _)) = plain.key
            && self
                .active
                .iter()
                .all(|signature| self.counts.get(signature).is_some_and(|count| count.fields == fields))
        {
            // Keys of the same fields overlap only when they are equal.
            let twins = self.active.iter().flat_map(|signature| self.same_keys(*signature, plain));
            let conflicting = |twin: &RuleKey| {
                let stored = self.rules.get(twin);
                stored.is_some_and(|stored| !self.commute(plain, stored))
            };
            return twins.filter(|twin| *twin > rule).find(conflicting);
        }
        keyed.find(|(_, stored)| !self.commute(plain, stored)).map(|(rule, _)| rule)
    }

    /// The rules after one that are in groups.
    pub(super) fn grouped_after(&self, rule: RuleKey) -> impl Iterator<Item = (RuleKey, &Stored)> {
        after(&self.rules, rule).filter(|(_, stored)| stored.group.is_some())
    }

    /// The rules of a signature that have the key of `like`, in order.
    pub(super) fn same_keys(&self, signature: SignatureId, like: &Stored) -> impl Iterator<Item = RuleKey> {
        let hash = like.key.as_ref().map(|(_, key)| self.hash(signature, key));
        let twins = hash.into_iter().flat_map(|hash| self.twins.range((hash, RuleKey::MIN)..=(hash, RuleKey::MAX)));
        let same = move |rule: &RuleKey| {
            let stored = self.rules.get(rule);
            stored.is_some_and(|stored| stored.signature == Some(signature) && stored.key == like.key)
        };
        twins.map(|(_, rule)| *rule).filter(same)
    }

    /// The barriers around a rule.
    pub(super) fn cuts(&self, rule: RuleKey) -> (Option<RuleKey>, Option<RuleKey>) {
        let lower = self.barriers.range(..rule).next_back();
        let upper = self.barriers.range((Bound::Excluded(rule), Bound::Unbounded)).next();
        (lower.copied(), upper.copied())
    }

    /// The nearest grouped rules on both sides, up to the next barriers.
    pub(super) fn neighbours(&self, rule: RuleKey) -> (Option<Neighbour<'_>>, Option<Neighbour<'_>>) {
        let (lower, upper) = self.cuts(rule);
        let within =
            |(other, _): &(RuleKey, &Stored)| lower.is_none_or(|c| c < *other) && upper.is_none_or(|c| *other < c);
        let grouped = |(_, stored): &(RuleKey, &Stored)| stored.group.is_some();
        let previous = before(&self.rules, rule).rev().take_while(within).find(grouped);
        (previous, after(&self.rules, rule).take_while(within).find(grouped))
    }

    /// Whether a barrier at this rule is between rules that belong together without it.
    pub(super) fn divides(&self, rule: RuleKey) -> bool {
        matches!(self.neighbours(rule), (Some(_), Some(_)))
    }
}

/// What is there for the rules before one.
pub(super) fn before<V>(map: &BTreeMap<RuleKey, V>, rule: RuleKey) -> impl DoubleEndedIterator<Item = (RuleKey, &V)> {
    map.range(..rule).map(|(rule, value)| (*rule, value))
}

/// What is there for the rules after one.
pub(super) fn after<V>(map: &BTreeMap<RuleKey, V>, rule: RuleKey) -> impl DoubleEndedIterator<Item = (RuleKey, &V)> {
    map.range((Bound::Excluded(rule), Bound::Unbounded)).map(|(rule, value)| (*rule, value))
}
