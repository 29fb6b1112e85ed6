//! Lookups in sets and maps.
//!
//! Owns: which element a key has, in sets of single keys, of ranges, and of concatenated ranges.
//!
//! Invariant: elements are indexed once, when the tables are read: a lookup costs what it costs in the kernel.
//!
//! Where the truth is: `nft_set_hash.c`, `nft_set_rbtree.c`, `nft_set_pipapo.c`, `nft_set_catchall_lookup`
//! (Linux v6.12).

use std::collections::{BTreeMap, HashMap};

use super::outcome::Error;
use crate::nft::expr::Expr;
use crate::nft::{Element, ElementData, ElementFlags, Set, SetData, SetFlags};

/// What a key has in a set.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// What the map has for it; `None` in a set.
    pub(super) data: Option<ElementData>,
}

/// A set or map with its elements.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) key_len: usize,
    /// Bytes that a map gives; `None` for sets and verdict maps.
    pub(super) data_len: Option<usize>,
    keys: Keys,
    catch_all: Option<Found>,
    /// What of it the machine has no meaning for.
    opaque: Option<&'static str>,
}

#[derive(Debug)]
enum Keys {
    /// Single keys.
    Single(HashMap<Box<[u8]>, Found>),
    /// By the first key of a range, or the first key after one (`None`).
    Ranges(BTreeMap<Box<[u8]>, Option<Found>>),
    /// Lengths of the fields, and the ranges of all fields.
    Concatenated(Vec<usize>, Vec<Span>),
}

/// A range of concatenated keys: each field lies between its ends.
#[derive(Debug)]
struct Span {
    first: Box<[u8]>,
    last: Box<[u8]>,
    found: Found,
}

impl Index {
    pub(super) fn new(set: &Set, elements: Vec<Element>) -> Self {
        let lengths: Vec<usize> = set.fields.iter().map(|len| *len as usize).collect();
        let mut keys = match (set.flags.contains(SetFlags::INTERVAL), lengths.len() > 1) {
            (false, _) => Keys::Single(HashMap::with_capacity(elements.len())),
            (true, false) => Keys::Ranges(BTreeMap::new()),
            (true, true) => Keys::Concatenated(lengths, Vec::with_capacity(elements.len())),
        };
        let (mut catch_all, mut opaque) = (None, None);
        if set.object_kind.is_some() {
            opaque = Some("a map to objects");
        }
        for element in elements {
            let Element { key, key_end, data, object, flags, expressions, .. } = element;
            if object.is_some() || expressions.iter().any(|e| !matches!(e, Expr::Counter(_))) {
                opaque = Some("an element with an object or an expression other than a counter");
            }
            let found = Found { data };
            let Some(key) = key else {
                if flags.contains(ElementFlags::CATCHALL) {
                    catch_all = Some(found);
                }
                continue;
            };
            match &mut keys {
                Keys::Single(map) => drop(map.insert(key, found)),
                Keys::Concatenated(_, list) => {
                    let last = key_end.unwrap_or_else(|| key.clone());
                    list.push(Span { first: key, last, found });
                }
                Keys::Ranges(map) if flags.contains(ElementFlags::INTERVAL_END) => {
                    // Where one range follows another at once, there is an end and a start: the start counts.
                    map.entry(key).or_insert(None);
                }
                Keys::Ranges(map) => drop(map.insert(key, Some(found))),
            }
        }
        let data_len = match set.data {
            Some(SetData::Value { len, .. }) => Some(len as usize),
            Some(SetData::Verdict) | None => None,
        };
        Self { key_len: set.key_len as usize, data_len, keys, catch_all, opaque }
    }

    /// The element that a key has.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<&Found>, Error> {
        if let Some(why) = self.opaque {
            return Err(Error::unknown("lookup", why));
        }
        let found = match &self.keys {
            Keys::Single(map) => map.get(key),
            Keys::Ranges(map) => {
                let upto = (std::ops::Bound::Unbounded, std::ops::Bound::Included(key));
                map.range::<[u8], _>(upto).next_back().and_then(|(_, found)| found.as_ref())
            }
            Keys::Concatenated(lengths, list) => {
                list.iter().find(|span| inside(key, &span.first, &span.last, lengths)).map(|span| &span.found)
            }
        };
        Ok(found.or(self.catch_all.as_ref()))
    }
}

/// Whether every field of a key is within its range. A field takes whole words of the key.
fn inside(key: &[u8], first: &[u8], last: &[u8], lengths: &[usize]) -> bool {
    let mut at = 0;
    lengths.iter().all(|&len| {
        let field = at..at + len;
        at += len.next_multiple_of(4);
        match (key.get(field.clone()), first.get(field.clone()), last.get(field)) {
            (Some(key), Some(first), Some(last)) => (first..=last).contains(&key),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{SetName, TableName};
    use crate::nft::Family;

    fn set(flags: SetFlags, key_len: u32, fields: &[u32]) -> Set {
        let (table, name) = (TableName::new("t").unwrap(), SetName::new("s").unwrap());
        Set { flags, fields: fields.to_vec(), ..Set::new(Family::Ip, table, name, key_len) }
    }

    fn has(index: &Index, key: &[u8]) -> bool {
        index.find(key).unwrap().is_some()
    }

    #[test]
    fn a_range_ends_before_its_end_and_where_the_next_one_starts() {
        let elements = vec![
            Element::interval_end(&[0, 0]),
            Element::new(&[0, 10]),
            Element::interval_end(&[0, 20]),
            Element::new(&[0, 20]),
            Element::interval_end(&[0, 25]),
            Element::new(&[0xff, 0]),
        ];
        let index = Index::new(&set(SetFlags::INTERVAL, 2, &[]), elements);
        let inside: Vec<u16> = (0..30).filter(|n: &u16| has(&index, &n.to_be_bytes())).collect();
        assert_eq!(inside, (10..25).collect::<Vec<_>>());
        assert!(has(&index, &[0xff, 0xff]) && !has(&index, &[0xfe, 0xff]));
    }

    #[test]
    fn each_field_of_a_concatenation_has_a_range_of_its_own() {
        let element =
            Element { key_end: Some([0, 20, 0, 0, 9, 0, 0, 0].into()), ..Element::new(&[0, 10, 0, 0, 7, 0, 0, 0]) };
        let index = Index::new(&set(SetFlags::INTERVAL | SetFlags::CONCAT, 8, &[2, 1]), vec![element]);
        assert!(has(&index, &[0, 20, 0, 0, 7, 0, 0, 0]) && has(&index, &[0, 10, 0, 0, 9, 0, 0, 0]));
        assert!(!has(&index, &[0, 21, 0, 0, 7, 0, 0, 0]) && !has(&index, &[0, 15, 0, 0, 10, 0, 0, 0]));
    }

    #[test]
    fn a_catch_all_is_for_the_keys_that_have_no_element() {
        let mut catch_all = Element { flags: ElementFlags::CATCHALL, ..Element::default() };
        catch_all.data = Some(ElementData::Value([2].into()));
        let one = Element { data: Some(ElementData::Value([1].into())), ..Element::new(&[7]) };
        let index = Index::new(&set(SetFlags::MAP, 1, &[]), vec![one, catch_all]);
        let data = |key: u8| index.find(&[key]).unwrap().unwrap().data.clone().unwrap();
        assert_eq!([data(7), data(8)], [ElementData::Value([1].into()), ElementData::Value([2].into())]);
    }
}
