//! The rules of a chain: ordered, found by hash, changed in constant time.
//!
//! Owns: the order of the three places, their serials, holes left by removals, and index and journal of long chains.
//! Never: knows chains, jumps or tags.
//!
//! A chain of a hundred rules is searched faster than an index is kept, and most chains are instances with ten rules:
//! so the index appears with the [`INDEXED`]th rule, and with it the [`journal`](super::journal). Removing leaves a hole;
//! when holes outnumber rules the list is compacted, which costs each removal a constant in the long run.
//!
//! Invariant: a [`SlotId`] is good until the next [`Slots::compact`]; ids ascend in chain order.
//! Invariant: serials ascend within a place, holes included: rules are only added at a place's end. So a rule is found
//! by its serial without an index.

use std::collections::hash_map::Entry as Bucket;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::addresses::{self, Addresses};
use super::entry::{Entry, Place, RuleKey};
use super::journal::{Edits, Journal};
use super::mix::Mix;
use crate::rule::Rule;

/// Rules from which on an index is kept.
const INDEXED: usize = 64;
/// Holes that are not worth a compaction.
const FEW_HOLES: usize = 8;
/// Capacity that small chains grow by, so that ten thousand of them do not double their way to unused memory.
const SMALL_STEP: usize = 4;

/// A rule's slot: its place in the two top bits, its index there below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotId(u32);

impl SlotId {
    fn new(place: Place, index: usize) -> Self {
        Self(((place as u32) << 30) | (u32::try_from(index).unwrap_or(u32::MAX) & (u32::MAX >> 2)))
    }

    fn place(self) -> Place {
        match self.0 >> 30 {
            0 => Place::Top,
            1 => Place::Normal,
            _ => Place::Bottom,
        }
    }

    fn index(self) -> usize {
        (self.0 & (u32::MAX >> 2)) as usize
    }
}

/// The slots with one hash: nearly always one.
#[derive(Debug, Clone)]
#[allow(clippy::box_collection, reason = "duplicates are rare, and the index has one of these for each rule")]
enum Same {
    One(SlotId),
    Many(Box<BTreeSet<SlotId>>),
}

/// A rule, or the serial of one that is gone.
#[derive(Debug, Clone)]
enum Slot {
    Rule(Entry),
    Hole(u32),
}

impl Slot {
    fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Rule(entry) => Some(entry),
            Self::Hole(_) => None,
        }
    }

    fn serial(&self) -> u32 {
        match self {
            Self::Rule(entry) => entry.serial(),
            Self::Hole(serial) => *serial,
        }
    }
}

/// The rules of one chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    normal: Vec<Slot>,
    ends: Option<Box<Ends>>,
    live: u32,
    next_serial: u32,
    index: Option<Box<Index>>,
}

/// Rules at the top and the bottom: few chains have any.
#[derive(Debug, Clone, Default)]
struct Ends {
    top: Vec<Slot>,
    bottom: Vec<Slot>,
}

/// What long chains have.
#[derive(Debug, Clone, Default)]
struct Index {
    by_hash: HashMap<u32, Same, Mix>,
    /// What changed; `None` when it is not known.
    journal: Option<Journal>,
    /// Rules by address, as soon as somebody asks.
    addresses: Option<Addresses>,
}

impl Slots {
    /// The first rule gets that serial.
    pub(super) fn begin_at(&mut self, serial: u32) {
        self.next_serial = serial;
    }

    /// The serial of the next rule.
    pub(super) fn next_serial(&self) -> u32 {
        self.next_serial
    }

    /// How many rules there are.
    pub(super) fn len(&self) -> usize {
        self.live as usize
    }

    /// The rules in chain order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.parts().into_iter().flat_map(|(_, part)| part.iter().filter_map(Slot::entry))
    }

    fn parts(&self) -> [(Place, &[Slot]); 3] {
        let (top, bottom) = self.ends.as_ref().map_or((&[][..], &[][..]), |ends| (&ends.top, &ends.bottom));
        [(Place::Top, top), (Place::Normal, &self.normal), (Place::Bottom, bottom)]
    }

    fn part(&self, place: Place) -> &[Slot] {
        match (place, &self.ends) {
            (Place::Normal, _) => &self.normal,
            (_, None) => &[],
            (Place::Top, Some(ends)) => &ends.top,
            (Place::Bottom, Some(ends)) => &ends.bottom,
        }
    }

    fn part_mut(&mut self, place: Place) -> &mut Vec<Slot> {
        match place {
            Place::Normal => &mut self.normal,
            Place::Top => &mut self.ends.get_or_insert_default().top,
            Place::Bottom => &mut self.ends.get_or_insert_default().bottom,
        }
    }

    /// All rules with their slots, in chain order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (SlotId, &Entry)> {
        self.parts().into_iter().flat_map(|(place, part)| {
            let slots = part.iter().enumerate();
            slots.filter_map(move |(i, slot)| slot.entry().map(|entry| (SlotId::new(place, i), entry)))
        })
    }

    /// The rule in the slot.
    pub(super) fn entry(&self, id: SlotId) -> Option<&Entry> {
        self.part(id.place()).get(id.index())?.entry()
    }

    /// The rule with that key.
    pub(super) fn keyed(&self, key: RuleKey) -> Option<&Entry> {
        let part = self.part(key.place);
        part.get(part.binary_search_by_key(&key.serial, Slot::serial).ok()?)?.entry()
    }

    /// The rules with that serial or a later one, in chain order.
    pub(super) fn since(&self, serial: u32) -> impl Iterator<Item = &Entry> {
        self.parts().into_iter().flat_map(move |(_, part)| {
            let later = part.get(part.partition_point(|slot| slot.serial() < serial)..).unwrap_or_default();
            later.iter().filter_map(Slot::entry)
        })
    }

    /// Makes room for rules in the order of adding, and no more than they take unless the chain is long.
    pub(super) fn expect(&mut self, rules: usize) {
        match self.normal.len() + rules < INDEXED {
            true => self.normal.reserve_exact(rules),
            false => self.normal.reserve(rules),
        }
    }

    /// Adds a rule as the last one of its place.
    pub(super) fn push(&mut self, mut entry: Entry) {
        if self.next_serial == u32::MAX {
            self.renumber();
        }
        entry.set_serial(self.next_serial);
        self.next_serial += 1;
        let (place, hash) = (entry.place(), entry.hash());
        let part = self.part_mut(place);
        if part.len() == part.capacity() && part.len() < 4 * SMALL_STEP {
            part.reserve_exact(SMALL_STEP);
        }
        let id = SlotId::new(place, part.len());
        part.push(Slot::Rule(entry));
        self.live += 1;
        if let Some(index) = &mut self.index {
            note(&mut index.by_hash, hash, id);
        } else if self.len() >= INDEXED {
            self.reindex(None);
        }
    }

    /// The first rule in chain order with that hash which `is` takes.
    pub(super) fn find(&self, hash: u32, is: impl Fn(&Entry) -> bool) -> Option<SlotId> {
        self.with_hash(hash).into_iter().find(|&id| self.entry(id).is_some_and(&is))
    }

    /// The slots of all rules with that hash, in chain order.
    pub(super) fn with_hash(&self, hash: u32) -> Vec<SlotId> {
        match &self.index {
            None => self.slots().filter(|(_, entry)| entry.hash() == hash).map(|(id, _)| id).collect(),
            Some(index) => match index.by_hash.get(&hash) {
                None => Vec::new(),
                Some(Same::One(id)) => vec![*id],
                Some(Same::Many(ids)) => ids.iter().copied().collect(),
            },
        }
    }

    /// The rules about an address, in chain order.
    pub(super) fn about(&mut self, address: IpAddr) -> Vec<Entry> {
        let Some(mut known) = self.index.as_mut().map(|index| index.addresses.take().unwrap_or_default()) else {
            return self.iter().filter(|entry| addresses::is_about(entry, address)).cloned().collect();
        };
        let found = known.find(self, address).iter().filter_map(|key| self.keyed(*key)).cloned().collect();
        if let Some(index) = &mut self.index {
            index.addresses = Some(known);
        }
        found
    }

    /// How many rules were looked at to find those about addresses.
    #[cfg(test)]
    pub(super) fn looked_at(&self) -> Option<usize> {
        self.index.as_ref()?.addresses.as_ref().map(|addresses| addresses.looked_at)
    }

    /// Takes a rule out and leaves a hole.
    pub(super) fn remove(&mut self, id: SlotId) -> Option<Entry> {
        let slot = self.part_mut(id.place()).get_mut(id.index())?;
        let hole = Slot::Hole(slot.serial());
        let Slot::Rule(entry) = std::mem::replace(slot, hole) else { return None };
        self.live -= 1;
        if let Some(index) = &mut self.index {
            forget(&mut index.by_hash, entry.hash(), id);
        }
        Some(entry)
    }

    /// Notes that a rule was removed, unless nobody will ask.
    pub(super) fn record(&mut self, key: RuleKey, rule: Arc<Rule>) {
        let live = self.len();
        let Some(index) = &mut self.index else { return };
        if index.journal.as_mut().is_some_and(|journal| !journal.record(key, rule, live)) {
            index.journal = None;
        }
    }

    /// Makes a reader look at all rules: some of them mean something else now.
    pub(super) fn forget_edits(&mut self) {
        if let Some(index) = &mut self.index {
            index.journal = None;
        }
    }

    /// What changed since the last [`settle`](Slots::settle), if that is known.
    pub(super) fn edits(&self) -> Option<Edits<'_>> {
        let journal = self.index.as_ref()?.journal.as_ref()?;
        Some(Edits { slots: self, journal })
    }

    /// Closes the holes when there are many; slot ids are void then.
    pub(super) fn compact(&mut self) {
        let slots: usize = self.parts().iter().map(|(_, part)| part.len()).sum();
        let holes = slots - self.len();
        if holes <= FEW_HOLES || holes <= self.len() {
            return;
        }
        self.close_holes();
        let journal = self.index.take().and_then(|index| index.journal);
        if self.len() >= INDEXED {
            self.reindex(journal);
        }
    }

    fn close_holes(&mut self) {
        for place in [Place::Top, Place::Normal, Place::Bottom] {
            if !self.part(place).is_empty() {
                let part = self.part_mut(place);
                part.retain(|slot| slot.entry().is_some());
                part.shrink_to(part.len() + SMALL_STEP);
            }
        }
    }

    /// Starts the serials anew. What was known by them is not known any more.
    fn renumber(&mut self) {
        self.close_holes();
        self.next_serial = 0;
        for place in [Place::Top, Place::Normal, Place::Bottom] {
            let mut next = self.next_serial;
            if !self.part(place).is_empty() {
                for slot in self.part_mut(place) {
                    if let Slot::Rule(entry) = slot {
                        entry.set_serial(next);
                        next += 1;
                    }
                }
            }
            self.next_serial = next;
        }
        if self.index.take().is_some() {
            self.reindex(None);
        }
    }

    /// Gives back what a chain that came to rest does not need, and begins to note what changes. Long chains keep their
    /// room: they change again soon, and moving them each time would cost more than the change.
    pub(super) fn settle(&mut self) {
        match &mut self.index {
            None => self.normal.shrink_to_fit(),
            Some(index) => index.journal = Some(Journal::new(self.next_serial)),
        }
    }

    /// Takes all rules out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Entry> + use<> {
        let empty = Self { next_serial: self.next_serial, ..Self::default() };
        let Self { normal, ends, .. } = std::mem::replace(self, empty);
        let Ends { top, bottom } = ends.map(|ends| *ends).unwrap_or_default();
        top.into_iter().chain(normal).chain(bottom).filter_map(|slot| match slot {
            Slot::Rule(entry) => Some(entry),
            Slot::Hole(_) => None,
        })
    }

    fn reindex(&mut self, journal: Option<Journal>) {
        let mut by_hash = HashMap::with_capacity_and_hasher(self.len(), Mix::default());
        for (id, entry) in self.slots() {
            note(&mut by_hash, entry.hash(), id);
        }
        self.index = Some(Box::new(Index { by_hash, journal, addresses: None }));
    }
}

fn note(index: &mut HashMap<u32, Same, Mix>, hash: u32, id: SlotId) {
    match index.entry(hash) {
        Bucket::Vacant(vacant) => {
            vacant.insert(Same::One(id));
        }
        Bucket::Occupied(mut occupied) => match occupied.get_mut() {
            Same::Many(ids) => {
                ids.insert(id);
            }
            Same::One(first) => {
                let both = [*first, id].into();
                occupied.insert(Same::Many(Box::new(both)));
            }
        },
    }
}

fn forget(index: &mut HashMap<u32, Same, Mix>, hash: u32, id: SlotId) {
    if let Some(Same::Many(ids)) = index.get_mut(&hash) {
        ids.remove(&id);
        if !ids.is_empty() {
            return;
        }
    }
    index.remove(&hash);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrap::Addition;

    fn entry(mark: u32) -> Entry {
        Entry::new(Addition::from(Rule::new().accept()), mark)
    }

    #[test]
    fn a_hole_takes_no_more_than_a_rule() {
        assert_eq!(size_of::<Slot>(), 24);
    }

    #[test]
    fn serials_that_run_out_start_anew_and_in_order() {
        let mut slots = Slots { next_serial: u32::MAX - 80, ..Slots::default() };
        (0..80).for_each(|mark| slots.push(entry(mark)));
        slots.settle();
        let first = slots.slots().next().map(|(id, _)| id).unwrap();
        slots.remove(first);
        assert!(slots.edits().is_some());
        (80..100).for_each(|mark| slots.push(entry(mark)));
        assert!(slots.edits().is_none(), "keys of before mean nothing now");
        let entries: Vec<_> = slots.iter().map(|e| (e.serial(), e.hash())).collect();
        assert_eq!(entries, (0..99).map(|n| (n, n + 1)).collect::<Vec<_>>());
        assert!(slots.iter().all(|e| slots.keyed(e.key()) == Some(e)));
        assert_eq!(slots.find(99, |_| true).and_then(|id| slots.entry(id)).unwrap().serial(), 98);
    }
}
