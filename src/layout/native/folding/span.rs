//! Values of one field from a first to a last, as numbers.
//!
//! Owns: [`Span`], joining spans, and telling whether spans meet.
//! Never: knows what the numbers stand for; [`axis`](super::axis) does.
//!
//! Invariant: a span ascends. What [`joined`] returns is sorted and no two of it meet, which is what an interval set of
//! the kernel asks for (`nft_rbtree_insert`: `-EEXIST` or `-ENOTEMPTY` for elements that overlap, Linux v6.12).

use std::collections::BTreeMap;

/// Values from a first to a last, both included. Shorter fields than 16 bytes stand in the low bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) first: u128,
    pub(super) last: u128,
}

impl Span {
    pub(super) fn one(value: u128) -> Self {
        Self { first: value, last: value }
    }

    pub(super) fn is_one(self) -> bool {
        self.first == self.last
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    pub(super) fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// The same values in as few spans as the set's form allows. Single values stay apart when nothing else is there: a
/// hash takes each as it is. Among ranges, neighbours become one.
pub(super) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    if spans.iter().all(|span| span.is_one()) {
        spans.dedup();
        return spans;
    }
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(before) if span.first <= before.last.saturating_add(1) => before.last = before.last.max(span.last),
            _ => out.push(span),
        }
    }
    out
}

/// Spans of which no two meet, and whether another one would.
#[derive(Debug, Default)]
pub(super) struct Disjoint(BTreeMap<u128, u128>);

impl Disjoint {
    /// Takes all of them, or none when one meets what is there. Spans of one call may meet each other.
    pub(super) fn insert(&mut self, spans: &[Span]) -> bool {
        let free = |span: &Span| {
            let before = self.0.range(..=span.last).next_back();
            before.is_none_or(|(_, &last)| last < span.first)
        };
        let all = spans.iter().all(free);
        if all {
            self.0.extend(joined(spans.to_vec()).into_iter().map(|span| (span.first, span.last)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(of: &[(u128, u128)]) -> Vec<Span> {
        of.iter().map(|&(first, last)| Span { first, last }).collect()
    }

    #[test]
    fn single_values_stay_apart_and_ranges_are_joined() {
        assert_eq!(joined(spans(&[(3, 3), (2, 2), (3, 3)])), spans(&[(2, 2), (3, 3)]));
        assert_eq!(joined(spans(&[(4, 9), (3, 3), (6, 12), (14, 14)])), spans(&[(3, 12), (14, 14)]));
        assert_eq!(joined(spans(&[(0, u128::MAX), (5, 5)])), spans(&[(0, u128::MAX)]));
    }

    #[test]
    fn what_meets_is_refused_whole() {
        let mut set = Disjoint::default();
        assert!(set.insert(&spans(&[(10, 20), (15, 30)])));
        assert!(!set.insert(&spans(&[(1, 2), (30, 31)])));
        assert!(set.insert(&spans(&[(1, 2), (31, 31)])));
        assert!(!set.insert(&spans(&[(0, 100)])));
    }
}
