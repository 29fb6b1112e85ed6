//! Collections that can take back what was done to them since a moment.
//!
//! Owns: [`Map`], [`Sorted`], [`Slab`]: what the compiler knows is in these, so that an update that the kernel refused is
//! undone whole.
//! Never: knows what is stored.
//!
//! Every change notes what was there before; taking back goes through the notes from the last to the first. A
//! collection that was empty when the transaction began needs no notes: it becomes empty again. So a first load pays
//! nothing, and a change pays for itself.
//!
//! Invariant: after `rollback` a collection is what it was at `begin`, the numbers that it would give next included.
//! Transactions do not nest: a `begin` within one goes on with it.
//!
//! How it is tested: random operations beside the collections of the standard library, which are copied at `begin`.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::RangeBounds;

/// Notes that are kept room for between transactions.
const KEPT: usize = 1024;

/// What was there before each change of a transaction.
#[derive(Debug, Clone)]
struct Log<T> {
    mode: Mode,
    notes: Vec<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No transaction.
    Off,
    /// It began with nothing.
    FromEmpty,
    /// Every change is noted.
    On,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { mode: Mode::Off, notes: Vec::new() }
    }
}

impl<T> Log<T> {
    fn begin(&mut self, empty: bool) {
        if self.mode == Mode::Off {
            self.mode = if empty { Mode::FromEmpty } else { Mode::On };
        }
    }

    fn is_on(&self) -> bool {
        self.mode == Mode::On
    }

    fn end(&mut self) {
        self.mode = Mode::Off;
        self.notes.clear();
        self.notes.shrink_to(KEPT);
    }
}

/// A hash map.
#[derive(Debug, Clone)]
pub(crate) struct Map<K, V, S = RandomState> {
    now: HashMap<K, V, S>,
    log: Log<(K, Option<V>)>,
}

impl<K, V, S: Default> Default for Map<K, V, S> {
    fn default() -> Self {
        Self { now: HashMap::default(), log: Log::default() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone, S: BuildHasher> Map<K, V, S> {
    /// From here on changes can be taken back.
    pub(crate) fn begin(&mut self) {
        self.log.begin(self.now.is_empty());
    }

    /// Keeps the changes since [`begin`](Self::begin).
    pub(crate) fn commit(&mut self) {
        self.log.end();
    }

    /// Takes back the changes since [`begin`](Self::begin).
    pub(crate) fn rollback(&mut self) {
        if self.log.mode == Mode::FromEmpty {
            self.now.clear();
        }
        while let Some((key, before)) = self.log.notes.pop() {
            match before {
                Some(value) => self.now.insert(key, value),
                None => self.now.remove(&key),
            };
        }
        self.log.end();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.now.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    /// The value of a key.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.now.get(key)
    }

    /// Sets the value of a key; returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if !self.log.is_on() {
            return self.now.insert(key, value);
        }
        let before = self.now.insert(key.clone(), value);
        self.log.notes.push((key, before.clone()));
        before
    }

    /// Removes a key; returns its value.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (key, value) = self.now.remove_entry(key)?;
        if self.log.is_on() {
            self.log.notes.push((key, Some(value.clone())));
        }
        Some(value)
    }

    /// Changes the value of a key in place; `None` when there is none.
    pub(crate) fn modify<R>(&mut self, key: &K, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let value = self.now.get_mut(key)?;
        if self.log.is_on() {
            self.log.notes.push((key.clone(), Some(value.clone())));
        }
        Some(change(value))
    }
}

/// A map in the order of its keys.
#[derive(Debug, Clone)]
pub(crate) struct Sorted<K, V> {
    now: BTreeMap<K, V>,
    log: Log<(K, Option<V>)>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { now: BTreeMap::new(), log: Log::default() }
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    /// From here on changes can be taken back.
    pub(crate) fn begin(&mut self) {
        self.log.begin(self.now.is_empty());
    }

    /// Keeps the changes since [`begin`](Self::begin).
    pub(crate) fn commit(&mut self) {
        self.log.end();
    }

    /// Takes back the changes since [`begin`](Self::begin).
    pub(crate) fn rollback(&mut self) {
        if self.log.mode == Mode::FromEmpty {
            self.now.clear();
        }
        while let Some((key, before)) = self.log.notes.pop() {
            match before {
                Some(value) => self.now.insert(key, value),
                None => self.now.remove(&key),
            };
        }
        self.log.end();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.now.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    /// The value of a key.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.now.get(key)
    }

    /// All in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.now.iter()
    }

    /// Those of a range, in order. The start must not be after the end.
    pub(crate) fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> impl DoubleEndedIterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.now.range(range)
    }

    /// Sets the value of a key; returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if !self.log.is_on() {
            return self.now.insert(key, value);
        }
        let before = self.now.insert(key.clone(), value);
        self.log.notes.push((key, before.clone()));
        before
    }

    /// Removes a key; returns its value.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (key, value) = self.now.remove_entry(key)?;
        if self.log.is_on() {
            self.log.notes.push((key, Some(value.clone())));
        }
        Some(value)
    }

    /// Changes the value of a key in place; `None` when there is none.
    pub(crate) fn modify<R>(&mut self, key: &K, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let value = self.now.get_mut(key)?;
        if self.log.is_on() {
            self.log.notes.push((key.clone(), Some(value.clone())));
        }
        Some(change(value))
    }
}

/// Numbered values. A value keeps its number; a freed number is given again only after the transaction that freed it,
/// so that within one update a number means one thing.
#[derive(Debug, Clone)]
pub(crate) struct Slab<V> {
    now: Vec<Option<V>>,
    live: usize,
    /// Numbers to give, the last first.
    free: Vec<u32>,
    /// Numbers that this transaction freed.
    freed: Vec<u32>,
    log: Log<Note<V>>,
}

/// A change of a [`Slab`].
#[derive(Debug, Clone)]
enum Note<V> {
    /// This number, new at the end.
    Pushed,
    /// This number, from the free ones.
    Taken(u32),
    /// This value was removed.
    Removed(u32, V),
    /// This value was changed.
    Modified(u32, V),
}

impl<V> Default for Slab<V> {
    fn default() -> Self {
        Self { now: Vec::new(), live: 0, free: Vec::new(), freed: Vec::new(), log: Log::default() }
    }
}

impl<V: Clone> Slab<V> {
    /// From here on changes can be taken back.
    pub(crate) fn begin(&mut self) {
        self.log.begin(self.now.is_empty());
    }

    /// Keeps the changes since [`begin`](Self::begin).
    pub(crate) fn commit(&mut self) {
        self.log.end();
        if self.live == 0 {
            *self = Self::default();
        } else {
            self.free.append(&mut self.freed);
        }
    }

    /// Takes back the changes since [`begin`](Self::begin).
    pub(crate) fn rollback(&mut self) {
        if self.log.mode == Mode::FromEmpty {
            *self = Self::default();
        }
        while let Some(note) = self.log.notes.pop() {
            match note {
                Note::Pushed => {
                    self.now.pop();
                    self.live -= 1;
                }
                Note::Taken(number) => {
                    self.put(number, None);
                    self.free.push(number);
                    self.live -= 1;
                }
                Note::Removed(number, value) => {
                    self.put(number, Some(value));
                    self.freed.pop();
                    self.live += 1;
                }
                Note::Modified(number, value) => self.put(number, Some(value)),
            }
        }
        self.log.end();
    }

    fn put(&mut self, number: u32, value: Option<V>) {
        if let Some(slot) = self.now.get_mut(number as usize) {
            *slot = value;
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The value of a number.
    pub(crate) fn get(&self, number: u32) -> Option<&V> {
        self.now.get(number as usize)?.as_ref()
    }

    /// All in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &V)> {
        (0..).zip(&self.now).filter_map(|(number, slot)| slot.as_ref().map(|value| (number, value)))
    }

    /// Adds a value; returns its number.
    pub(crate) fn insert(&mut self, value: V) -> u32 {
        self.live += 1;
        if let Some(number) = self.free.pop() {
            self.put(number, Some(value));
            if self.log.is_on() {
                self.log.notes.push(Note::Taken(number));
            }
            return number;
        }
        self.now.push(Some(value));
        if self.log.is_on() {
            self.log.notes.push(Note::Pushed);
        }
        u32::try_from(self.now.len() - 1).unwrap_or(u32::MAX)
    }

    /// Removes a value.
    pub(crate) fn remove(&mut self, number: u32) -> Option<V> {
        let value = self.now.get_mut(number as usize)?.take()?;
        self.live -= 1;
        if self.log.is_on() {
            self.log.notes.push(Note::Removed(number, value.clone()));
        }
        let freed = if self.log.mode == Mode::Off { &mut self.free } else { &mut self.freed };
        freed.push(number);
        Some(value)
    }

    /// Changes a value in place; `None` when there is none.
    pub(crate) fn modify<R>(&mut self, number: u32, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let value = self.now.get_mut(number as usize)?.as_mut()?;
        if self.log.is_on() {
            self.log.notes.push(Note::Modified(number, value.clone()));
        }
        Some(change(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Op {
        Insert(u8, u32),
        Remove(u8),
        Modify(u8, u32),
        Begin,
        Commit,
        Rollback,
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let key = || 0u8..12;
        let op = prop_oneof![
            4 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Insert(k, v)),
            3 => key().prop_map(Op::Remove),
            2 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Modify(k, v)),
            1 => Just(Op::Begin),
            1 => Just(Op::Commit),
            1 => Just(Op::Rollback),
        ];
        proptest::collection::vec(op, 0..120)
    }

    proptest! {
        #[test]
        fn maps_go_back_to_what_they_were(ops in ops()) {
            let (mut map, mut sorted) = (Map::<u8, u32>::default(), Sorted::<u8, u32>::default());
            let (mut model, mut saved) = (BTreeMap::new(), None);
            for op in ops {
                match op {
                    Op::Insert(k, v) => {
                        let before = model.insert(k, v);
                        prop_assert_eq!(map.insert(k, v), before);
                        prop_assert_eq!(sorted.insert(k, v), before);
                    }
                    Op::Remove(k) => {
                        let before = model.remove(&k);
                        prop_assert_eq!(map.remove(&k), before);
                        prop_assert_eq!(sorted.remove(&k), before);
                    }
                    Op::Modify(k, v) => {
                        let done = model.get_mut(&k).map(|value| *value ^= v);
                        prop_assert_eq!(map.modify(&k, |value| *value ^= v), done);
                        prop_assert_eq!(sorted.modify(&k, |value| *value ^= v), done);
                    }
                    Op::Begin => {
                        saved.get_or_insert(model.clone());
                        map.begin();
                        sorted.begin();
                    }
                    Op::Commit => {
                        saved = None;
                        map.commit();
                        sorted.commit();
                    }
                    Op::Rollback => {
                        model = saved.take().unwrap_or(model);
                        map.rollback();
                        sorted.rollback();
                    }
                }
                prop_assert!(sorted.iter().eq(&model) && (sorted.len(), sorted.is_empty()) == (model.len(), model.is_empty()));
                prop_assert!(sorted.range(3..7).eq(model.range(3..7)) && sorted.get(&5) == model.get(&5));
                prop_assert!((0..12).all(|k| map.get(&k) == model.get(&k)));
                prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
            }
        }

        #[test]
        fn numbers_are_kept_and_go_back(ops in ops()) {
            let mut slab = Slab::<u32>::default();
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            let mut saved: Option<(BTreeMap<u32, u32>, Slab<u32>)> = None;
            let mut gone: Vec<u32> = Vec::new();
            for op in ops {
                let pick = |k: u8| model.keys().copied().nth(usize::from(k));
                match op {
                    Op::Insert(_, v) => {
                        let number = slab.insert(v);
                        prop_assert!(!gone.contains(&number), "{number} was freed in this transaction");
                        prop_assert_eq!(model.insert(number, v), None);
                    }
                    Op::Remove(k) => if let Some(number) = pick(k) {
                        prop_assert_eq!(slab.remove(number), model.remove(&number));
                        if saved.is_some() {
                            gone.push(number);
                        }
                    },
                    Op::Modify(k, v) => if let Some(number) = pick(k) {
                        slab.modify(number, |value| *value ^= v);
                        model.entry(number).and_modify(|value| *value ^= v);
                    },
                    Op::Begin => {
                        saved.get_or_insert((model.clone(), slab.clone()));
                        slab.begin();
                    }
                    Op::Commit => {
                        saved = None;
                        gone.clear();
                        slab.commit();
                    }
                    Op::Rollback => {
                        slab.rollback();
                        gone.clear();
                        if let Some((model_then, slab_then)) = saved.take() {
                            model = model_then;
                            prop_assert_eq!(&slab.free, &slab_then.free);
                            prop_assert_eq!(slab.now.len(), slab_then.now.len());
                        }
                    }
                }
                prop_assert!(slab.iter().eq(model.iter().map(|(&number, value)| (number, value))));
                prop_assert_eq!((slab.len(), slab.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(model.iter().all(|(&number, value)| slab.get(number) == Some(value)));
            }
        }
    }

    #[test]
    fn a_first_load_takes_no_notes() {
        let mut map = Sorted::<u32, u32>::default();
        map.begin();
        for n in 0..100 {
            map.insert(n, n);
        }
        assert!(map.log.notes.is_empty());
        map.commit();
        map.begin();
        map.insert(0, 1);
        assert_eq!(map.log.notes.len(), 1);
    }
}
