//! The rules of a chain: ordered, found by hash, changed in constant time.
//!
//! Owns: the order of the three places, holes left by removals, and an index for long chains.
//! Never: knows chains, jumps or tags.
//!
//! A chain of a hundred rules is searched faster than an index is kept, and most chains are instances with ten rules:
//! so the index appears with the [`INDEXED`]th rule. Removing leaves a hole; when holes outnumber rules the list is
//! compacted, which costs each removal a constant in the long run.
//!
//! Invariant: a [`SlotId`] is good until the next [`Slots::compact`]; ids ascend in chain order.

use std::collections::hash_map::Entry as Bucket;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::entry::{Entry, Place};

/// Rules from which on an index is kept.
const INDEXED: usize = 64;
/// Holes that are not worth a compaction.
const FEW_HOLES: usize = 8;
/// Capacity that small chains grow by, so that ten thousand of them do not double their way to unused memory.
const SMALL_STEP: usize = 4;

/// Hashes keys that are hashes or dense numbers already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mixer(u64);

/// Builds [`Mixer`]s.
pub(super) type Mix = BuildHasherDefault<Mixer>;

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(u64::from(b)));
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        // Fibonacci hashing; the fold brings the well-mixed high bits down to where the table looks.
        let n = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = n ^ (n >> 32);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

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

/// The rules of one chain.
#[derive(Debug, Clone, Default)]
#[allow(clippy::box_collection, reason = "there are ten thousand chains, few of them with an index")]
pub(super) struct Slots {
    normal: Vec<Option<Entry>>,
    ends: Option<Box<Ends>>,
    live: u32,
    index: Option<Box<HashMap<u32, Same, Mix>>>,
}

/// Rules at the top and the bottom: few chains have any.
#[derive(Debug, Clone, Default)]
struct Ends {
    top: Vec<Option<Entry>>,
    bottom: Vec<Option<Entry>>,
}

impl Slots {
    /// How many rules there are.
    pub(super) fn len(&self) -> usize {
        self.live as usize
    }

    /// The rules in chain order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.parts().into_iter().flat_map(|(_, part)| part.iter().flatten())
    }

    fn parts(&self) -> [(Place, &[Option<Entry>]); 3] {
        let (top, bottom) = self.ends.as_ref().map_or((&[][..], &[][..]), |ends| (&ends.top, &ends.bottom));
        [(Place::Top, top), (Place::Normal, &self.normal), (Place::Bottom, bottom)]
    }

    fn part_mut(&mut self, place: Place) -> &mut Vec<Option<Entry>> {
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
            slots.filter_map(move |(i, slot)| slot.as_ref().map(|entry| (SlotId::new(place, i), entry)))
        })
    }

    /// The rule in the slot.
    pub(super) fn entry(&self, id: SlotId) -> Option<&Entry> {
        let (_, part) = self.parts().into_iter().find(|(place, _)| *place == id.place())?;
        part.get(id.index())?.as_ref()
    }

    /// Adds a rule as the last one of its place.
    pub(super) fn push(&mut self, entry: Entry) {
        let (place, hash) = (entry.place(), entry.hash);
        let part = self.part_mut(place);
        if part.len() == part.capacity() && part.len() < 4 * SMALL_STEP {
            part.reserve_exact(SMALL_STEP);
        }
        let id = SlotId::new(place, part.len());
        part.push(Some(entry));
        self.live += 1;
        if let Some(index) = &mut self.index {
            note(index, hash, id);
        } else if self.len() >= INDEXED {
            self.reindex();
        }
    }

    /// The first rule in chain order with that hash which `is` takes.
    pub(super) fn find(&self, hash: u32, is: impl Fn(&Entry) -> bool) -> Option<SlotId> {
        self.with_hash(hash).into_iter().find(|&id| self.entry(id).is_some_and(&is))
    }

    /// The slots of all rules with that hash, in chain order.
    pub(super) fn with_hash(&self, hash: u32) -> Vec<SlotId> {
        match &self.index {
            None => self.slots().filter(|(_, entry)| entry.hash == hash).map(|(id, _)| id).collect(),
            Some(index) => match index.get(&hash) {
                None => Vec::new(),
                Some(Same::One(id)) => vec![*id],
                Some(Same::Many(ids)) => ids.iter().copied().collect(),
            },
        }
    }

    /// Takes a rule out and leaves a hole.
    pub(super) fn remove(&mut self, id: SlotId) -> Option<Entry> {
        let entry = self.part_mut(id.place()).get_mut(id.index())?.take()?;
        self.live -= 1;
        if let Some(index) = &mut self.index {
            forget(index, entry.hash, id);
        }
        Some(entry)
    }

    /// Closes the holes when there are many; slot ids are void then.
    pub(super) fn compact(&mut self) {
        let slots: usize = self.parts().iter().map(|(_, part)| part.len()).sum();
        let holes = slots - self.len();
        if holes <= FEW_HOLES || holes <= self.len() {
            return;
        }
        for place in [Place::Top, Place::Normal, Place::Bottom] {
            let part = self.part_mut(place);
            part.retain(Option::is_some);
            part.shrink_to(part.len() + SMALL_STEP);
        }
        self.index = None;
        if self.len() >= INDEXED {
            self.reindex();
        }
    }

    /// Gives back what a chain that came to rest does not need. Long chains keep it: they change again soon, and moving
    /// them each time would cost more than the change.
    pub(super) fn settle(&mut self) {
        if self.index.is_none() {
            self.normal.shrink_to_fit();
        }
    }

    /// Takes all rules out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Entry> + use<> {
        let Self { normal, ends, .. } = std::mem::take(self);
        let Ends { top, bottom } = ends.map(|ends| *ends).unwrap_or_default();
        top.into_iter().chain(normal).chain(bottom).flatten()
    }

    fn reindex(&mut self) {
        let mut index = HashMap::with_capacity_and_hasher(self.len(), Mix::default());
        for (id, entry) in self.slots() {
            note(&mut index, entry.hash, id);
        }
        self.index = Some(Box::new(index));
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
