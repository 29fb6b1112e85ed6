//! Which rules may change places, and where chains are cut.
//!
//! Owns: when two rules commute; the search for a keyed rule that makes a plain one a barrier; neighbours.
//! Never: changes anything.

use std::ops::Bound;

use super::stored::Stored;
use super::{ChainIx, DISPATCH_MIN, Index, SignatureId, after, before};
use crate::layout::native::analysis::{Effects, commute};
use crate::layout::native::field::{Fields, Key, overlaps};
use crate::wrap::RuleKey;

/// A rule and what is kept of it.
pub(super) type Neighbour<'a> = (RuleKey, &'a Stored);

impl Index {
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
    pub(super) fn is_keyed(&self, chain: ChainIx, stored: &Stored) -> bool {
        let count = stored.signature.and_then(|signature| self.counts.get(&(chain, signature)));
        count.is_some_and(|count| count.all as usize >= DISPATCH_MIN)
    }

    /// A keyed rule after the plain one that does not commute with it. `keyed` are the keyed rules after it, in order;
    /// they are not looked at when there is a shorter way to tell.
    pub(super) fn witness<'a>(
        &self,
        chain: ChainIx,
        rule: RuleKey,
        plain: &Stored,
        mut keyed: impl Iterator<Item = (RuleKey, &'a Stored)>,
    ) -> Option<RuleKey> {
        let head = self.heads.get(&chain)?;
        if head.side == 0 && head.not_drop == 0 && Effects::DROP.contains(plain.effects) {
            return None;
        }
        if let Some((fields, _)) = plain.key
            && self.signatures(chain).all(|signature| self.fields_of(chain, signature) == Some(fields))
        {
            // Keys of the same fields overlap only when they are equal.
            let twins = self.signatures(chain).flat_map(|signature| self.same_keys(chain, signature, plain));
            let conflicting = |twin: &RuleKey| {
                let stored = self.rules.get(&(chain, *twin));
                stored.is_some_and(|stored| !self.commute(plain, stored))
            };
            return twins.filter(|twin| *twin > rule).find(conflicting);
        }
        keyed.find(|(_, stored)| !self.commute(plain, stored)).map(|(rule, _)| rule)
    }

    /// The rules after one that are in groups.
    pub(super) fn grouped_after(&self, chain: ChainIx, rule: RuleKey) -> impl Iterator<Item = (RuleKey, &Stored)> {
        after(&self.rules, chain, rule).filter(|(_, stored)| stored.group.is_some())
    }

    /// The active signatures of a chain.
    pub(super) fn signatures(&self, chain: ChainIx) -> impl Iterator<Item = SignatureId> {
        let (min, max) = (SignatureId(0), SignatureId(u32::MAX));
        self.active.range((chain, min)..=(chain, max)).map(|(_, signature)| *signature)
    }

    /// The number of the fields that rules of a signature have.
    fn fields_of(&self, chain: ChainIx, signature: SignatureId) -> Option<u16> {
        let range = (chain, signature, 0, RuleKey::MIN)..=(chain, signature, u32::MAX, RuleKey::MAX);
        let (_, _, _, rule) = self.twins.range(range).next()?;
        self.rules.get(&(chain, *rule))?.key.as_ref().map(|(fields, _)| *fields)
    }

    /// The rules of a signature that have the key of `like`, in order.
    pub(super) fn same_keys(
        &self,
        chain: ChainIx,
        signature: SignatureId,
        like: &Stored,
    ) -> impl Iterator<Item = RuleKey> {
        let hash = like.hash();
        let range = (chain, signature, hash, RuleKey::MIN)..=(chain, signature, hash, RuleKey::MAX);
        let same = move |rule: &RuleKey| self.rules.get(&(chain, *rule)).is_some_and(|stored| stored.key == like.key);
        self.twins.range(range).map(|(_, _, _, rule)| *rule).filter(same)
    }

    /// The barriers around a rule.
    pub(super) fn cuts(&self, chain: ChainIx, rule: RuleKey) -> (Option<RuleKey>, Option<RuleKey>) {
        let lower = self.barriers.range((chain, RuleKey::MIN)..(chain, rule)).next_back();
        let upper = (Bound::Excluded((chain, rule)), Bound::Included((chain, RuleKey::MAX)));
        let upper = self.barriers.range(upper).next();
        (lower.map(|(_, barrier)| *barrier), upper.map(|(_, barrier)| *barrier))
    }

    /// The nearest grouped rules on both sides, up to the next barriers.
    pub(super) fn neighbours(&self, chain: ChainIx, rule: RuleKey) -> (Option<Neighbour<'_>>, Option<Neighbour<'_>>) {
        let (lower, upper) = self.cuts(chain, rule);
        let within =
            |(other, _): &(RuleKey, &Stored)| lower.is_none_or(|c| c < *other) && upper.is_none_or(|c| *other < c);
        let grouped = |(_, stored): &(RuleKey, &Stored)| stored.group.is_some();
        let previous = before(&self.rules, chain, rule).rev().take_while(within).find(grouped);
        (previous, after(&self.rules, chain, rule).take_while(within).find(grouped))
    }

    /// Whether a barrier at this rule is between rules that belong together without it.
    pub(super) fn divides(&self, chain: ChainIx, rule: RuleKey) -> bool {
        matches!(self.neighbours(chain, rule), (Some(_), Some(_)))
    }
}
