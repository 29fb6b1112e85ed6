//! A set of ours as the rules that look it up are read with it.
//!
//! Owns: [`KnownSet`]: the elements in the order of their keys, ranges put together again, and what an element says apart
//! from the key that leads to its chain.
//! Never: looks at a rule.

use std::collections::BTreeMap;

use super::super::field::{Field, Fields, Key};
use super::super::tlv::SetTag;
use super::super::tlv::Tags;
use crate::name::{ChainName, SetName};
use crate::nft::expr::Verdict;
use crate::nft::{self, Element, ElementData, ElementFlags, SetFlags};
use crate::rule::Family;

/// First and last values of an element's own fields, its data, and the chain it names.
pub(super) type Own<'e> = (Box<[u8]>, Option<Box<[u8]>>, &'e [u8], Option<ChainName>);

/// A set of ours.
#[derive(Debug)]
pub(super) struct KnownSet<'a> {
    pub(super) name: &'a SetName,
    pub(super) tag: SetTag,
    /// All fields of a key: those of the context and the others.
    fields: Fields,
    interval: bool,
    /// Sorted by key, the end of a range before the start of the next.
    pub(super) elements: Vec<&'a Element>,
    /// Places of the elements by the key of the chain they are for, in a set of a family.
    pub(super) by_context: BTreeMap<Box<[u8]>, Vec<usize>>,
}

impl<'a> KnownSet<'a> {
    pub(super) fn new(set: &'a nft::Set, elements: &'a [Element], family: Family) -> Option<Self> {
        let tag = Tags::of(set.userdata.as_deref()).set?;
        let fields = tag.context.join(&tag.fields);
        let mut sorted: Vec<&Element> = elements.iter().collect();
        let end = |element: &Element| element.flags.contains(ElementFlags::INTERVAL_END);
        sorted.sort_by(|a, b| (&a.key, !end(a)).cmp(&(&b.key, !end(b))));
        let interval = set.flags.contains(SetFlags::INTERVAL);
        let mut known = Self { name: &set.name, tag, fields, interval, elements: sorted, by_context: BTreeMap::new() };
        if !known.tag.context.is_empty() {
            for (at, element) in known.elements.iter().enumerate() {
                let key = element.key.as_deref().unwrap_or_default();
                if let Some(context) = known.part(key, &known.tag.context, family) {
                    known.by_context.entry(context).or_default().push(at);
                }
            }
        }
        Some(known)
    }

    /// The values of a key that has all fields.
    pub(super) fn values<'k>(&self, key: &'k [u8], family: Family) -> Option<Vec<(Field, &'k [u8])>> {
        (key.len() == self.fields.key_len(family)).then_some(())?;
        self.fields
            .places(family)
            .map(|(field, place)| Some((field, key.get(place..place + field.len(family))?)))
            .collect()
    }

    /// The part of a key that some of the fields make.
    pub(super) fn part(&self, key: &[u8], fields: &Fields, family: Family) -> Option<Box<[u8]>> {
        let values = self.values(key, family)?;
        let (_, part) = Key::build(family, values.into_iter().filter(|(field, _)| fields.iter().any(|f| f == *field)));
        Some(part.bytes().into())
    }

    /// The verdict for the number that an element of another map has.
    pub(super) fn verdict(&self, element: &Element) -> Option<&Verdict> {
        let Some(ElementData::Value(number)) = &element.data else { return None };
        // The number is the last word; `codegen` says what the one before it is for.
        let number = number.last_chunk::<4>()?.as_slice();
        let found = self.elements.binary_search_by(|e| e.key.as_deref().cmp(&Some(number))).ok()?;
        match &self.elements.get(found)?.data {
            Some(ElementData::Verdict(verdict)) => Some(verdict),
            _ => None,
        }
    }

    /// Those of these places at which a value or a range starts.
    pub(super) fn starts(&self, places: impl IntoIterator<Item = usize>) -> impl Iterator<Item = (usize, &'a Element)> {
        let at = |at: usize| Some((at, *self.elements.get(at)?));
        let starts = |(_, element): &(usize, &Element)| !element.flags.contains(ElementFlags::INTERVAL_END);
        places.into_iter().filter_map(at).filter(starts)
    }

    /// What an element says apart from the key that leads to the chain.
    pub(super) fn own<'e>(&self, element: &'e Element, family: Family) -> Option<Own<'e>> {
        let value = match &element.data {
            Some(ElementData::Value(value)) => &**value,
            _ => &[],
        };
        let part = |key: &[u8]| self.part(key, &self.tag.fields, family);
        let last = element.key_end.as_deref().map(part);
        Some((part(element.key.as_deref()?)?, last.flatten(), value, Tags::of(element.userdata.as_deref()).name))
    }

    /// The last key of the range that starts at this place; the key itself where there are no ranges.
    pub(super) fn last(&self, at: usize) -> Option<Vec<u8>> {
        let element = self.elements.get(at)?;
        if let Some(end) = &element.key_end {
            return Some(end.to_vec());
        }
        let key = element.key.as_deref()?;
        if !self.interval {
            return Some(key.to_vec());
        }
        match self.elements.get(at + 1) {
            Some(next) => before(next.key.as_deref()?),
            None => Some(vec![u8::MAX; key.len()]),
        }
    }
}

/// The key before this one.
fn before(key: &[u8]) -> Option<Vec<u8>> {
    let mut key = key.to_vec();
    for byte in key.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            return Some(key);
        }
    }
    None
}
