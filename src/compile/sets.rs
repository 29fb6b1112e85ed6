//! Anonymous sets: lists of values and ranges that belong to one rule.
//!
//! Owns: how values and ranges become elements (ends of ranges, merged where they overlap), and back.
//! Never: names a set that outlives its rule; that is the native layout's business.
//!
//! Invariant: elements are sorted and never overlap, so the same list always gives the same bytes and the kernel takes
//! them in any set backend.
//!
//! Where the truth is: `net/netfilter/nft_set_rbtree.c` (interval sets; an anonymous one must leave out the end of a
//! range that another one follows at once) and `nft_set_pipapo.c` (concatenations with ranges), Linux v6.12.

use std::sync::Arc;

use crate::name::{NameError, SetName, TableName};
use crate::nft::expr::{Data, SetRef};
use crate::nft::{Element, ElementFlags, Elements, Family, Set, SetFlags};

/// nft's numbers for the types of set keys (`enum datatypes` of its `datatype.h`). The kernel only keeps them.
pub(crate) mod key {
    /// `TYPE_INET_SERVICE`: a port.
    pub(crate) const INET_SERVICE: u32 = 13;
    /// `TYPE_FIB_ADDR`: the type of an address.
    pub(crate) const FIB_ADDR: u32 = 38;

    /// The number of a concatenation (`concat_subtype_add`).
    pub(crate) const fn pair(first: u32, second: u32) -> u32 {
        first << 6 | second
    }
}

/// A set that lives and dies with one rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AnonymousSet {
    /// `NFTA_SET_ID`: unique in the program; whoever sends it makes it unique in the batch, in
    /// [`SetRef::id`](crate::nft::expr::SetRef::id) as well.
    pub id: u32,
    /// `NFTA_SET_KEY_TYPE`: nft's number for the type of the key; only `nft` reads it.
    pub key_type: u32,
    /// `NFTA_SET_KEY_LEN`, bytes.
    pub key_len: u32,
    /// `NFT_SET_INTERVAL`: the elements are ranges.
    pub interval: bool,
    /// `NFTA_SET_DESC_CONCAT`: lengths in bytes of the fields of a concatenated key, each of which takes a multiple of
    /// four bytes of the key. Empty for a key that is one value.
    pub fields: Vec<u32>,
    /// The elements in the order they are sent.
    pub elements: Vec<SetElement>,
}

/// An element of an [`AnonymousSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetElement {
    /// `NFTA_SET_ELEM_KEY`: the value, or the first of a range.
    pub key: Data,
    /// `NFTA_SET_ELEM_KEY_END`: the last of a range, in sets with [`fields`](AnonymousSet::fields).
    pub key_end: Option<Data>,
    /// `NFT_SET_ELEM_INTERVAL_END`: the first key after a range, in interval sets without fields.
    pub interval_end: bool,
}

impl AnonymousSet {
    /// What a set is called until the kernel numbers it.
    pub const TEMPLATE: &str = "__set%d";

    /// A set of 16-bit values in network order, single ones or ranges. Overlapping ranges are merged.
    #[must_use]
    pub(crate) fn of_u16(id: u32, key_type: u32, ranges: &[(u16, u16)]) -> Self {
        let ranges = merged(ranges);
        let interval = ranges.iter().any(|(first, last)| first != last);
        let mut elements = Vec::with_capacity(ranges.len() * 2);
        for (i, &(first, last)) in ranges.iter().enumerate() {
            elements.push(SetElement { key: first.to_be_bytes().into(), key_end: None, interval_end: false });
            let next = ranges.get(i + 1).map(|r| r.0);
            match last.checked_add(1) {
                Some(end) if interval && next != Some(end) => {
                    elements.push(SetElement { key: end.to_be_bytes().into(), key_end: None, interval_end: true });
                }
                _ => {}
            }
        }
        Self { id, key_type, key_len: 2, interval, fields: Vec::new(), elements }
    }

    /// The ranges of a set of 16-bit values, the inverse of [`of_u16`](AnonymousSet::of_u16) for whatever order the
    /// kernel lists the elements in.
    #[must_use]
    pub(crate) fn to_u16(&self) -> Option<Vec<(u16, u16)>> {
        if self.key_len != 2 || !self.fields.is_empty() {
            return None;
        }
        let mut ends = Vec::with_capacity(self.elements.len());
        for e in &self.elements {
            ends.push((u16::from_be_bytes(e.key.as_bytes().try_into().ok()?), !e.interval_end));
        }
        ends.sort_unstable();
        let mut ranges = Vec::with_capacity(ends.len());
        for (i, &(first, starts)) in ends.iter().enumerate() {
            if starts {
                let last = match (self.interval, ends.get(i + 1)) {
                    (true, Some(&(next, _))) => next.checked_sub(1)?,
                    (true, None) => u16::MAX,
                    (false, _) => first,
                };
                ranges.push((first, last));
            }
        }
        Some(ranges)
    }

    /// A set of 32-bit values in host order.
    #[must_use]
    pub(crate) fn of_u32(id: u32, key_type: u32, values: impl IntoIterator<Item = u32>) -> Self {
        let element = |v: u32| SetElement { key: v.to_ne_bytes().into(), key_end: None, interval_end: false };
        let mut elements: Vec<_> = values.into_iter().map(element).collect();
        elements.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        Self { id, key_type, key_len: 4, interval: false, fields: Vec::new(), elements }
    }

    /// The values of a set of 32-bit values, sorted.
    #[must_use]
    pub(crate) fn to_u32(&self) -> Option<Vec<u32>> {
        if self.key_len != 4 || self.interval || !self.fields.is_empty() {
            return None;
        }
        let mut values = Vec::with_capacity(self.elements.len());
        for e in &self.elements {
            values.push(u32::from_ne_bytes(e.key.as_bytes().try_into().ok()?));
        }
        values.sort_unstable();
        Some(values)
    }

    /// Pairs of 16-bit values of which one or the other is in the ranges.
    #[must_use]
    pub(crate) fn either_u16(id: u32, key_type: u32, ranges: &[(u16, u16)]) -> Self {
        let all = (0, u16::MAX);
        let pair = |a: (u16, u16), b: (u16, u16)| SetElement {
            key: words(a.0, b.0),
            key_end: Some(words(a.1, b.1)),
            interval_end: false,
        };
        let ranges = merged(ranges);
        let mut elements: Vec<_> =
            ranges.iter().map(|&r| pair(all, r)).chain(ranges.iter().map(|&r| pair(r, all))).collect();
        elements.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        Self { id, key_type: key::pair(key_type, key_type), key_len: 8, interval: true, fields: vec![2, 2], elements }
    }

    /// The ranges of which [`either_u16`](AnonymousSet::either_u16) made the set.
    #[must_use]
    pub(crate) fn to_either_u16(&self) -> Option<Vec<(u16, u16)>> {
        let split = |d: Data| match *d.as_bytes() {
            [a, b, 0, 0, c, d, 0, 0] => Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
            _ => None,
        };
        let (mut sources, mut destinations) = (Vec::new(), Vec::new());
        for e in &self.elements {
            let (first, last) = (split(e.key)?, split(e.key_end?)?);
            match (first.0, last.0, first.1, last.1) {
                (0, u16::MAX, from, to) => destinations.push((from, to)),
                (from, to, 0, u16::MAX) => sources.push((from, to)),
                _ => return None,
            }
        }
        sources.sort_unstable();
        destinations.sort_unstable();
        (self.fields == [2, 2] && sources == destinations).then_some(sources)
    }

    /// The set and its elements as they go into a batch, under an id that is unique there.
    ///
    /// # Errors
    /// None that can happen; the template is a name.
    pub fn declare(&self, family: Family, table: &TableName, id: u32) -> Result<(Set, Elements), NameError> {
        let name = SetName::new(Self::TEMPLATE)?;
        let mut flags = SetFlags::ANONYMOUS | SetFlags::CONSTANT;
        flags.set(SetFlags::INTERVAL, self.interval);
        flags.set(SetFlags::CONCAT, !self.fields.is_empty());
        let set = Set {
            id: Some(id),
            flags,
            key_kind: self.key_type,
            size: u32::try_from(self.elements.len()).ok(),
            fields: self.fields.clone(),
            ..Set::new(family, table.clone(), name.clone(), self.key_len)
        };
        let elements = self.elements.iter().map(|e| Element {
            key_end: e.key_end.map(|end| end.as_bytes().into()),
            flags: if e.interval_end { ElementFlags::INTERVAL_END } else { ElementFlags::empty() },
            ..Element::new(e.key.as_bytes())
        });
        let elements =
            Elements { family, table: table.clone(), set: name, set_id: Some(id), elements: elements.collect() };
        Ok((set, elements))
    }

    /// The set of a dump; `None` when it is none of the kind that [`declare`](AnonymousSet::declare) makes. The end of
    /// all keys, which other programs add as the first element of interval sets, is left out.
    #[must_use]
    pub fn read(id: u32, set: &Set, elements: &[Element]) -> Option<Self> {
        let known = SetFlags::ANONYMOUS | SetFlags::CONSTANT | SetFlags::INTERVAL | SetFlags::CONCAT;
        let plain = set.data.is_none() && set.object_kind.is_none() && set.expressions.is_empty();
        (plain && known.contains(set.flags) && set.flags.contains(SetFlags::ANONYMOUS)).then_some(())?;
        let mut read = Vec::with_capacity(elements.len());
        for e in elements {
            let interval_end = e.flags.contains(ElementFlags::INTERVAL_END);
            let key = Data::new(e.key.as_deref()?)?;
            if interval_end && key.as_bytes().iter().all(|&b| b == 0) {
                continue;
            }
            let key_end = match e.key_end.as_deref() {
                Some(end) => Some(Data::new(end)?),
                None => None,
            };
            read.push(SetElement { key, key_end, interval_end });
        }
        // An end sorts before the start that follows it at once.
        read.sort_by(|a, b| (a.key.as_bytes(), !a.interval_end).cmp(&(b.key.as_bytes(), !b.interval_end)));
        let interval = set.flags.contains(SetFlags::INTERVAL);
        let (key_type, key_len) = (set.key_kind, set.key_len);
        Some(Self { id, key_type, key_len, interval, fields: set.fields.clone(), elements: read })
    }

    /// How an expression of the same batch names it.
    #[must_use]
    pub(crate) fn reference(&self) -> SetRef {
        SetRef { name: Arc::from(Self::TEMPLATE), id: self.id }
    }
}

/// Two 16-bit values in network order, each in a word of its own.
fn words(first: u16, second: u16) -> Data {
    let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
    [a, b, 0, 0, c, d, 0, 0].into()
}

/// Sorted, overlapping ranges joined. Ranges that only touch stay apart, as they were given.
pub(crate) fn merged(ranges: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut out: Vec<(u16, u16)> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match out.last_mut() {
            Some(previous) if first <= previous.1 => previous.1 = previous.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(ranges: &[(u16, u16)]) -> Vec<(u16, u16)> {
        AnonymousSet::of_u16(0, key::INET_SERVICE, ranges).to_u16().unwrap()
    }

    #[test]
    fn ranges_come_back_sorted_and_joined_where_they_overlap() {
        assert_eq!(round(&[(80, 80), (22, 22)]), [(22, 22), (80, 80)]);
        assert_eq!(round(&[(1, 9), (5, 20), (22, 22)]), [(1, 20), (22, 22)]);
        assert_eq!(round(&[(22, 23), (24, 25), (0, 3), (60000, 65535)]), [(0, 3), (22, 23), (24, 25), (60000, 65535)]);
    }

    #[test]
    fn a_range_that_follows_at_once_ends_the_one_before() {
        let set = AnonymousSet::of_u16(0, key::INET_SERVICE, &[(22, 23), (24, 25)]);
        let ends: Vec<_> = set.elements.iter().map(|e| (e.key.as_bytes().to_vec(), e.interval_end)).collect();
        assert_eq!(ends, [(vec![0, 22], false), (vec![0, 24], false), (vec![0, 26], true)]);
    }

    #[test]
    fn single_values_need_no_ranges() {
        let set = AnonymousSet::of_u16(0, key::INET_SERVICE, &[(22, 22), (23, 23)]);
        assert!(!set.interval);
        assert_eq!(set.elements.len(), 2);
    }

    #[test]
    fn either_of_a_pair_comes_back() {
        let set = AnonymousSet::either_u16(0, key::INET_SERVICE, &[(80, 90), (22, 22)]);
        assert_eq!(set.to_either_u16().unwrap(), [(22, 22), (80, 90)]);
        assert_eq!(set.key_type, 13 << 6 | 13);
    }
}
