//! Keys whose change was refused, and when each is tried again.
//!
//! Owns: which keys are owed to the kernel, why, how often they were refused, when they are due, and what waits for them.
//! Never: submits anything; looks at a clock, the time is told.
//!
//! A change that is refused may be refused for good. Tried again with every other change it would make each of them slow, so
//! a key waits longer each time, from [`FIRST`] to [`MOST`].
//!
//! Invariant: a key leaves only when all that it is to have is in effect.
//! Invariant: what waits does so for owed keys only, and is handed out once, with the last of them.
//!
//! How it is tested: unit tests here, with times that are told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::WriteError;

/// How long a key waits that was refused once. Each further time doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// How long a key waits at most.
const MOST: Duration = Duration::from_secs(256);

/// What is owed.
#[derive(Debug)]
pub(super) struct Debts<U, W> {
    owed: BTreeMap<U, Debt>,
    /// The keys that are not under way, by the time at which they are due.
    schedule: BTreeSet<(Instant, U)>,
    waiting: Waiting<U, W>,
}

/// What is to be done when all keys of a set are as they are to be.
#[derive(Debug)]
struct Waiting<U, W> {
    groups: HashMap<u64, Group<U, W>>,
    /// The groups that wait for a key, so that work follows what is settled.
    of: BTreeMap<U, Vec<u64>>,
    /// The groups none of whose keys is settled: what waits for the same joins them.
    whole: BTreeMap<BTreeSet<U>, u64>,
    last: u64,
}

#[derive(Debug)]
struct Group<U, W> {
    keys: BTreeSet<U>,
    /// Who tries the same in vain a thousand times waits for one thing.
    waiting: HashSet<W>,
}

impl<U, W> Default for Waiting<U, W> {
    fn default() -> Self {
        Self { groups: HashMap::new(), of: BTreeMap::new(), whole: BTreeMap::new(), last: 0 }
    }
}

impl<U: Clone + Ord, W: Eq + Hash> Waiting<U, W> {
    fn add(&mut self, keys: BTreeSet<U>, waiting: Vec<W>) {
        if waiting.is_empty() || keys.is_empty() {
            return;
        }
        let number = self.whole.get(&keys).copied().unwrap_or_else(|| {
            self.last += 1;
            for key in &keys {
                self.of.entry(key.clone()).or_default().push(self.last);
            }
            self.whole.insert(keys.clone(), self.last);
            self.groups.insert(self.last, Group { keys, waiting: HashSet::new() });
            self.last
        });
        if let Some(group) = self.groups.get_mut(&number) {
            group.waiting.extend(waiting);
        }
    }

    /// The key is as it is to be. Returns what waits for nothing else.
    fn settle(&mut self, key: &U) -> Vec<W> {
        let mut done = Vec::new();
        for number in self.of.remove(key).unwrap_or_default() {
            let Some(group) = self.groups.get_mut(&number) else { continue };
            self.whole.remove(&group.keys);
            group.keys.remove(key);
            if group.keys.is_empty() {
                done.extend(self.groups.remove(&number).into_iter().flat_map(|group| group.waiting));
            }
        }
        done
    }
}

/// Why a key is owed.
#[derive(Debug, Clone)]
pub(super) struct Debt {
    pub(super) why: WriteError,
    pub(super) times: u32,
    /// `None` while it is submitted.
    pub(super) due: Option<Instant>,
}

impl<U, W> Default for Debts<U, W> {
    fn default() -> Self {
        Self { owed: BTreeMap::new(), schedule: BTreeSet::new(), waiting: Waiting::default() }
    }
}

impl<U: Clone + Ord, W: Clone + Eq + Hash> Debts<U, W> {
    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    pub(super) fn owes(&self, key: &U) -> bool {
        self.owed.contains_key(key)
    }

    /// A change of these keys was refused, and this waits for it.
    pub(super) fn refuse(&mut self, keys: BTreeSet<U>, why: &WriteError, waiting: Vec<W>, now: Instant) {
        for key in &keys {
            let times = self.owed.get(key).map_or(0, |debt| debt.times).saturating_add(1);
            self.insert(key, why.clone(), times, now);
        }
        self.waiting.add(keys, waiting);
    }

    /// What the key is to have cannot be said now; it is owed as before.
    pub(super) fn put_off(&mut self, key: &U, now: Instant) {
        if let Some(Debt { why, times, .. }) = self.owed.get(key).cloned() {
            self.insert(key, why, times, now);
        }
    }

    fn insert(&mut self, key: &U, why: WriteError, times: u32, now: Instant) {
        // A time that no clock reaches is as good as none: the key is tried when that is asked for.
        let due = now.checked_add(pause(times)).unwrap_or(now);
        let debt = Debt { why, times, due: Some(due) };
        if let Some(Debt { due: Some(before), .. }) = self.owed.insert(key.clone(), debt) {
            self.schedule.remove(&(before, key.clone()));
        }
        self.schedule.insert((due, key.clone()));
    }

    /// All that the key is to have is in effect. Returns what waited for it and for nothing else.
    pub(super) fn settle(&mut self, key: &U) -> Vec<W> {
        let Some(debt) = self.owed.remove(key) else { return Vec::new() };
        if let Some(due) = debt.due {
            self.schedule.remove(&(due, key.clone()));
        }
        self.waiting.settle(key)
    }

    /// The keys that are due, which are under way from now on.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<U> {
        let mut keys = Vec::new();
        while self.schedule.first().is_some_and(|(due, _)| *due <= now) {
            keys.extend(self.schedule.pop_first().map(|(_, key)| key));
        }
        self.start(keys)
    }

    /// All keys that are not under way, due or not; they are from now on.
    pub(super) fn take_all(&mut self) -> Vec<U> {
        let keys = std::mem::take(&mut self.schedule).into_iter().map(|(_, key)| key).collect();
        self.start(keys)
    }

    /// Whether the key is owed and not under way; it is from now on.
    pub(super) fn take(&mut self, key: &U) -> bool {
        let due = self.owed.get_mut(key).and_then(|debt| debt.due.take());
        due.is_some_and(|due| self.schedule.remove(&(due, key.clone())))
    }

    fn start(&mut self, mut keys: Vec<U>) -> Vec<U> {
        for key in &keys {
            if let Some(debt) = self.owed.get_mut(key) {
                debt.due = None;
            }
        }
        keys.sort();
        keys
    }

    /// Everything that is owed, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&U, &Debt)> {
        self.owed.iter()
    }
}

/// How long a key waits that was refused so often.
fn pause(times: u32) -> Duration {
    let doubled = times.saturating_sub(1).min(16);
    (FIRST * (1 << doubled)).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = Debts<u32, &'static str>;

    fn refuse(debts: &mut Numbers, keys: &[u32], waiting: &[&'static str], now: Instant) {
        debts.refuse(keys.iter().copied().collect(), &WriteError::Stopped, waiting.to_vec(), now);
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_key_waits_twice_as_long_each_time_and_not_for_ever() {
        let (mut debts, mut now) = (Numbers::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..40 {
            refuse(&mut debts, &[1], &[], now);
            let due = debts.iter().next().unwrap().1.due.unwrap();
            assert_eq!(debts.take_due(due - Duration::from_nanos(1)), []);
            assert_eq!(debts.take_due(due), [1]);
            assert_eq!(debts.take_due(due + MOST), [], "it is under way");
            pauses.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(pauses[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
        assert_eq!(pauses[39], 256);
        assert_eq!(debts.iter().next().unwrap().1.times, 40);
    }

    #[test]
    fn a_key_that_succeeds_is_owed_no_more_and_begins_anew() {
        let (mut debts, now) = (Numbers::default(), Instant::now());
        for _ in 0..5 {
            refuse(&mut debts, &[1, 2], &[], now);
        }
        debts.settle(&1);
        assert_eq!(debts.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2]);
        assert_eq!(debts.take_due(now + MOST), [2], "nothing is left of the other in the schedule");
        refuse(&mut debts, &[1], &[], now);
        assert_eq!(debts.take_due(now + SECOND), [1]);
    }

    #[test]
    fn whoever_asks_gets_all_that_is_not_under_way() {
        let (mut debts, now) = (Numbers::default(), Instant::now());
        refuse(&mut debts, &[3, 1, 2], &[], now);
        assert!(debts.take(&2));
        assert!(!debts.take(&2));
        assert!(!debts.take(&4));
        assert_eq!(debts.take_all(), [1, 3]);
        assert_eq!(debts.take_all(), []);
        debts.put_off(&3, now);
        assert_eq!(debts.take_due(now + 2 * SECOND), [3]);
        assert!([1, 2, 3].iter().all(|key| debts.owes(key)), "until they succeed");
    }

    #[test]
    fn what_waits_comes_once_with_the_last_of_its_keys() {
        let (mut debts, now) = (Numbers::default(), Instant::now());
        refuse(&mut debts, &[1, 2], &["both"], now);
        refuse(&mut debts, &[1, 2], &["both", "again"], now);
        refuse(&mut debts, &[2], &["second"], now);
        assert_eq!(debts.settle(&1), <[&str; 0]>::default());
        assert_eq!(debts.settle(&3), <[&str; 0]>::default());
        let mut done = debts.settle(&2);
        done.sort_unstable();
        assert_eq!(done, ["again", "both", "second"]);
        let Waiting { groups, of, whole, .. } = &debts.waiting;
        assert!(groups.is_empty() && of.is_empty() && whole.is_empty());
        assert!(debts.is_empty() && debts.schedule.is_empty());
    }
}
