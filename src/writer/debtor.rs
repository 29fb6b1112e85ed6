//! A writer that comes back to what was refused.
//!
//! Owns: the writer, what is owed, and with which submission that goes again.
//! Never: makes up what a key is to have: the driver says so each time ([`Wanted`]), as it is wanted then.
//!
//! ```text
//! operation ─> the units it needs that are owed ─> its changes ─> what is due by now
//!              each by itself                                     each by itself
//! ```
//!
//! What was refused once is doubtful: the writer keeps it out of the transactions of others, so that a change that is refused
//! for good costs them nothing but the time of its own attempts, which get rarer.
//!
//! A change that says only what comes and goes is no use for a key that misses an earlier one. As long as a key is owed,
//! all that it is to have goes instead.
//!
//! Invariant: a key is owed from the refusal of a change of it until a later submission that says all of it is in effect.
//! Outcomes are told in the order of submissions, so that submission has all that was refused before.
//! Invariant: submissions of one caller come in the order of its states, when it submits with its state locked.
//!
//! How it is tested: here on the fake kernel, with a clock that the tests set; the drivers test what they say.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::debts::Debts;
use super::{Change, Key, Submission, Ticket, WriteError, Writer};
use crate::kernel::{Kernel, Live};

/// A change that had no effect and is tried again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Owed {
    /// What was to change: an instance, a port, the members of a group.
    pub what: String,
    /// Why it did not, the last time.
    pub why: WriteError,
    /// How often it was refused.
    pub times: u32,
    /// How long until an operation takes it along again; nothing when the next one does, or it is under way.
    pub due_in: Duration,
}

/// Shows what it is and why: `port c0ffee01: IPv4 filter: ... (refused 3 times)`.
impl fmt::Display for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        write!(f, "{}: {} (refused {times})", self.what, self.why)
    }
}

/// Who knows what keys are to have.
pub(crate) trait Wanted<U> {
    /// All that the key is to have, whatever was submitted before: a [`Change::Put`] with all members of its sets, or a
    /// [`Change::Remove`]. Nothing when that cannot be said now.
    fn whole(&mut self, key: &U) -> Vec<Change<U>>;

    /// The keys without which this one cannot stand, in the order in which they have to come.
    fn needs(&self, key: &U) -> Vec<U>;
}

/// A writer that comes back to what was refused. `W` is what waits for changes, and is handed over when they are in effect.
///
/// Keys are in the order in which they have to come; they go in the reverse order.
pub(crate) struct Debtor<U: Key, W, K = Live> {
    writer: Writer<U, K>,
    debts: Arc<Mutex<Debts<U, W>>>,
    hand_over: Arc<dyn Fn(Vec<W>) + Send + Sync>,
    clock: Clock,
}

type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

impl<U: Key, W, K> fmt::Debug for Debtor<U, W, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debtor").finish_non_exhaustive()
    }
}

/// Nothing panics while the lock is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<U, W, K> Debtor<U, W, K>
where
    U: Key + Ord,
    W: Clone + Eq + Hash + Send + 'static,
    K: Kernel + Send + 'static,
{
    /// Hands over on the writer's thread, which must not be made to wait.
    pub(crate) fn new(writer: Writer<U, K>, hand_over: impl Fn(Vec<W>) + Send + Sync + 'static) -> Self {
        Self::with_clock(writer, hand_over, Arc::new(Instant::now))
    }

    fn with_clock(writer: Writer<U, K>, hand_over: impl Fn(Vec<W>) + Send + Sync + 'static, clock: Clock) -> Self {
        Self { writer, debts: Arc::default(), hand_over: Arc::new(hand_over), clock }
    }

    /// The same, handing over to somebody else.
    pub(crate) fn handing_over(self, hand_over: impl Fn(Vec<W>) + Send + Sync + 'static) -> Self {
        Self { hand_over: Arc::new(hand_over), ..self }
    }

    /// The writer. What is submitted to it directly is not owed when it is refused.
    pub(crate) fn writer(&self) -> &Writer<U, K> {
        &self.writer
    }

    /// The same, without anybody who comes back.
    pub(crate) fn into_writer(self) -> Writer<U, K> {
        self.writer
    }

    /// Submits changes, done together or not at all, before them what they need of that which is owed, and after them what is
    /// due. What waits is handed over when they are in effect.
    pub(crate) fn submit(&self, changes: Vec<Change<U>>, waiting: Vec<W>, wanted: &mut impl Wanted<U>) -> Ticket {
        let ticket = self.submit_piece(changes, waiting, wanted);
        self.pay_due(wanted);
        ticket
    }

    /// The same of a piece of an operation, which [`pay_due`](Self::pay_due) ends.
    pub(crate) fn submit_piece(&self, changes: Vec<Change<U>>, waiting: Vec<W>, wanted: &mut impl Wanted<U>) -> Ticket {
        if lock(&self.debts).is_empty() {
            return self.send(changes, waiting, false);
        }
        let putting = changes.iter().filter(|change| !matches!(change, Change::Remove(_)));
        let needs: Vec<_> = putting.flat_map(|change| wanted.needs(change.key())).collect();
        let own: HashSet<&U> = changes.iter().map(Change::key).collect();
        let (mut needed, mut doubtful) = (Vec::new(), false);
        for key in needs.into_iter().filter(|key| !own.contains(key)) {
            doubtful |= lock(&self.debts).owes(&key);
            if lock(&self.debts).take(&key) {
                needed.push(key);
            }
        }
        self.pay(needed, wanted);
        let (changes, replaced) = self.with_whole(changes, wanted);
        self.send(changes, waiting, doubtful || replaced)
    }

    /// Submits what is due by now.
    pub(crate) fn pay_due(&self, wanted: &mut impl Wanted<U>) {
        let due = lock(&self.debts).take_due((self.clock)());
        self.pay(due, wanted);
    }

    /// Submits all that is owed and not under way, due or not.
    pub(crate) fn retry(&self, wanted: &mut impl Wanted<U>) -> Vec<(U, Ticket)> {
        let all = lock(&self.debts).take_all();
        let tickets = self.pay(all, wanted);
        // What an application has left is tried with the next one, which nothing else may bring about.
        drop(self.writer.submit(Submission::new([])));
        tickets
    }

    /// What is owed.
    pub(crate) fn owed(&self) -> Vec<Owed> {
        let now = (self.clock)();
        let debts = lock(&self.debts);
        let owed = debts.iter().map(|(key, debt)| Owed {
            what: key.to_string(),
            why: debt.why.clone(),
            times: debt.times,
            due_in: debt.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now)),
        });
        owed.collect()
    }

    /// Puts all that an owed key is to have in the place of its changes. Tells whether there was one.
    fn with_whole(&self, changes: Vec<Change<U>>, wanted: &mut impl Wanted<U>) -> (Vec<Change<U>>, bool) {
        let owed: HashSet<U> = {
            let debts = lock(&self.debts);
            changes.iter().map(Change::key).filter(|key| debts.owes(key)).cloned().collect()
        };
        let (mut all, mut done) = (Vec::with_capacity(changes.len()), HashSet::new());
        for change in changes {
            match owed.get(change.key()) {
                None => all.push(change),
                Some(key) if done.insert(key) => {
                    let whole = wanted.whole(key);
                    // What cannot be said whole is said as it came.
                    all.extend(if whole.is_empty() { vec![change] } else { whole });
                }
                Some(_) => {}
            }
        }
        (all, !owed.is_empty())
    }

    /// Submits keys that are taken, each by itself, so that what is refused again stops nothing else: what is to stand in the
    /// order of keys, then in reverse order what is to go. What they need of that which is owed goes along, due or not, as they
    /// would be refused without it.
    fn pay(&self, mut keys: Vec<U>, wanted: &mut impl Wanted<U>) -> Vec<(U, Ticket)> {
        let mut at = 0;
        while let Some(key) = keys.get(at) {
            let needs = wanted.needs(key);
            let mut debts = lock(&self.debts);
            keys.extend(needs.into_iter().filter(|key| debts.take(key)));
            at += 1;
        }
        keys.sort();
        let (mut coming, mut going) = (Vec::new(), Vec::new());
        for key in keys {
            let changes = wanted.whole(&key);
            match changes.as_slice() {
                [] => lock(&self.debts).put_off(&key, (self.clock)()),
                [Change::Remove(_)] => going.push((key, changes)),
                _ => coming.push((key, changes)),
            }
        }
        let all = coming.into_iter().chain(going.into_iter().rev());
        all.map(|(key, changes)| (key, self.send(changes, Vec::new(), true))).collect()
    }

    fn send(&self, changes: Vec<Change<U>>, waiting: Vec<W>, doubtful: bool) -> Ticket {
        let keys: BTreeSet<U> = changes.iter().map(|change| change.key().clone()).collect();
        let whole = whole(&changes);
        let (debts, hand_over, clock) = (Arc::clone(&self.debts), Arc::clone(&self.hand_over), Arc::clone(&self.clock));
        let submission = Submission { doubtful, ..Submission::new(changes) };
        self.writer.submit(submission.after(move |outcome| match outcome {
            Ok(_) => {
                let mut done = waiting;
                let mut debts = lock(&debts);
                if !debts.is_empty() {
                    whole.iter().for_each(|key| done.extend(debts.settle(key)));
                }
                drop(debts);
                hand_over(done);
            }
            Err(why) => lock(&debts).refuse(keys, why, waiting, clock()),
        }))
    }
}

/// The keys of which these changes say all: they go, or they have no sets or exactly these members.
fn whole<U: Key + Ord>(changes: &[Change<U>]) -> BTreeSet<U> {
    let mut sets_left: BTreeMap<&U, HashSet<_>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Remove(key) => drop(sets_left.insert(key, HashSet::new())),
            Change::Put(key, unit) => {
                sets_left.insert(key, unit.sets.iter().map(|set| (set.table, &set.name)).collect());
            }
            Change::AllMembers { key, table, set, .. } => {
                if let Some(left) = sets_left.get_mut(key) {
                    left.remove(&(*table, set));
                }
            }
            Change::Members { .. } => {}
        }
    }
    sets_left.into_iter().filter(|(_, left)| left.is_empty()).map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Errno, Fake};
    use crate::layout::Layout;
    use crate::manager::Manager;
    use crate::name::IpsetName;
    use crate::rule::{ChainRef, Family, Rule};
    use crate::wrap::{Model, Profile, SetKind, TableId, TableKind};
    use crate::writer::{Pace, Unit};

    const FILTER: TableId = TableId::new(Family::Ipv4, TableKind::Filter);

    /// A group, which owners lead to, or an owner.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    enum Part {
        Group(u32),
        Owner(u32),
    }
    use Part::{Group, Owner};

    impl fmt::Display for Part {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{self:?}")
        }
    }

    fn friends() -> IpsetName {
        "friends".parse().unwrap()
    }

    /// What is wanted: groups with their members, and owners with the group that they lead to.
    #[derive(Debug, Clone, Default)]
    struct World {
        groups: BTreeMap<u32, Vec<&'static str>>,
        owners: BTreeMap<u32, u32>,
    }

    impl World {
        fn unit(&self, key: Part) -> Change<Part> {
            let mut unit = Unit::new();
            match key {
                Group(group) if self.groups.contains_key(&group) => {
                    unit.chain(FILTER, format!("$group-{group}"), vec![Arc::new(Rule::new().discard())]);
                    unit.set(FILTER, friends(), SetKind::Addresses);
                }
                Owner(owner) if self.owners.contains_key(&owner) => {
                    let group = ChainRef::new(&format!("$group-{}", self.owners[&owner])).unwrap();
                    unit.chain(FILTER, format!("$inst-{owner}"), vec![Arc::new(Rule::new().goto(group))]);
                }
                gone => return Change::Remove(gone),
            }
            Change::Put(key, Arc::new(unit))
        }
    }

    fn members(group: u32, add: &[&str], remove: &[&str]) -> Change<Part> {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Change::Members { key: Group(group), table: FILTER, set: friends(), add: parse(add), remove: parse(remove) }
    }

    impl Wanted<Part> for World {
        fn whole(&mut self, key: &Part) -> Vec<Change<Part>> {
            let mut all = vec![self.unit(*key)];
            if let Group(group) = key
                && let Some(members) = self.groups.get(group)
            {
                let members = members.iter().map(|text| text.parse().unwrap()).collect();
                all.push(Change::AllMembers { key: *key, table: FILTER, set: friends(), members });
            }
            all
        }

        fn needs(&self, key: &Part) -> Vec<Part> {
            match key {
                Group(_) => Vec::new(),
                Owner(owner) => self.owners.get(owner).map(|group| Group(*group)).into_iter().collect(),
            }
        }
    }

    struct Bench {
        debtor: Debtor<Part, &'static str, Fake>,
        kernel: Fake,
        now: Arc<Mutex<Instant>>,
        handed: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Bench {
        fn new() -> Self {
            let model = Model::builder().component("agent".parse().unwrap()).profile(Profile::Nova).build().unwrap();
            let kernel = Fake::new();
            let manager = Manager::with_kernel_and_layout(model, kernel.connect(), Layout::native());
            let (now, handed) = (Arc::new(Mutex::new(Instant::now())), Arc::default());
            let clock = {
                let now = Arc::clone(&now);
                move || *lock(&now)
            };
            let hand_over = {
                let handed = Arc::clone(&handed);
                move |more| lock::<Vec<_>>(&handed).extend(more)
            };
            let writer = Writer::start(manager, Pace::default()).unwrap();
            Self { debtor: Debtor::with_clock(writer, hand_over, Arc::new(clock)), kernel, now, handed }
        }

        fn later(&self, seconds: u64) {
            *lock(&self.now) += Duration::from_secs(seconds);
        }

        fn fail(&self, times: u32) {
            let fail = move |manager: &mut Manager<Fake>| manager.kernel_mut().fail_next(times, Errno::NOMEM);
            self.debtor.writer().visit(fail).unwrap();
        }

        /// Puts a unit and waits for its outcome, and that of all that went with it.
        fn put(&self, world: &World, key: Part) -> bool {
            self.submit(world, vec![world.unit(key)], Vec::new())
        }

        fn submit(&self, world: &World, changes: Vec<Change<Part>>, waiting: Vec<&'static str>) -> bool {
            let outcome = self.debtor.submit(changes, waiting, &mut world.clone()).wait();
            self.flush();
            outcome.is_ok()
        }

        fn flush(&self) {
            let _ = self.debtor.writer().submit(Submission::new([])).wait();
        }

        fn retry(&self, world: &World) {
            self.debtor.retry(&mut world.clone());
            self.flush();
        }

        fn owed(&self) -> Vec<String> {
            self.debtor.owed().into_iter().map(|owed| format!("{} {}", owed.what, owed.times)).collect()
        }

        fn stands(&self, chain: &str) -> bool {
            self.debtor
                .writer()
                .visit({
                    let chain = chain.to_owned();
                    move |manager| manager.model().table(Family::Ipv4, TableKind::Filter).unwrap().has_chain(&*chain)
                })
                .unwrap()
        }

        fn members(&self) -> Vec<String> {
            let look = |manager: &mut Manager<Fake>| {
                let table = manager.model().table(Family::Ipv4, TableKind::Filter).unwrap();
                let set = table.set(&friends())?;
                Some(set.members().map(|member| member.ip().to_string()).collect())
            };
            self.debtor.writer().visit(look).unwrap().unwrap_or_default()
        }
    }

    /// Owners 1 to 9 want a group that is there, and owner 13 one that nobody knows.
    fn world() -> World {
        let mut world = World { groups: BTreeMap::from([(0, Vec::new())]), ..World::default() };
        world.owners = (1..10).map(|owner| (owner, 0)).chain([(13, 99)]).collect();
        world
    }

    /// The fault that this module is for: what is refused for good was tried again with every change.
    #[test]
    fn what_is_refused_for_good_costs_others_little() {
        let (bench, world) = (Bench::new(), world());
        assert!(bench.put(&world, Group(0)));
        assert!(!bench.put(&world, Owner(13)));
        let refused = || bench.debtor.owed()[0].times;
        for owner in 1..10 {
            assert!(bench.put(&world, Owner(owner)));
        }
        assert_eq!(refused(), 1, "it is not due");
        let mut asked = 0;
        for second in 0..600 {
            bench.later(1);
            assert!(bench.put(&world, Owner(1 + second % 9)));
            asked += 1;
        }
        assert_eq!((asked, refused()), (600, 10), "after 0, 1, 3, 7, 15, 31, 63, 127, 255 and 511 seconds");
    }

    /// It would be refused without, and wait twice as long for it.
    #[test]
    fn what_is_due_brings_what_it_needs() {
        let (bench, world) = (Bench::new(), world());
        for _ in 0..5 {
            bench.fail(1);
            assert!(!bench.put(&world, Group(0)));
        }
        // Both together, and the group alone.
        bench.fail(2);
        assert!(!bench.put(&world, Owner(1)));
        assert_eq!(bench.owed(), ["Group(0) 6", "Owner(1) 1"]);
        bench.later(1);
        assert!(bench.put(&world, Owner(50)), "another's, which wants nothing");
        assert_eq!(bench.owed(), [""; 0]);
        assert!(bench.stands("$inst-1"));
    }

    #[test]
    fn what_is_doubtful_is_in_no_transaction_of_others() {
        let (bench, world) = (Bench::new(), world());
        bench.put(&world, Group(0));
        bench.fail(1);
        assert!(!bench.put(&world, Owner(1)));
        bench.later(1);
        let hold = bench.debtor.writer().hold();
        let submit = |owner| bench.debtor.submit(vec![world.unit(Owner(owner))], Vec::new(), &mut world.clone());
        let tickets: Vec<_> = (2..10).map(submit).collect();
        let before = bench.kernel.stats();
        drop(hold);
        let reports: Vec<_> = tickets.iter().map(|ticket| ticket.wait().unwrap()).collect();
        bench.flush();
        // One is before what is due by then, the others are after it.
        assert!(reports[1..].iter().all(|report| Arc::ptr_eq(report, &reports[1])));
        assert!(!Arc::ptr_eq(&reports[0], &reports[1]));
        assert_eq!(bench.kernel.stats().batches - before.batches, 3);
        assert!(bench.stands("$inst-1") && bench.owed().is_empty());
    }

    #[test]
    fn a_change_of_its_owner_and_a_retry_do_not_wait() {
        let (bench, world) = (Bench::new(), world());
        bench.put(&world, Group(0));
        bench.fail(1);
        assert!(!bench.put(&world, Owner(1)));
        assert!(bench.put(&world, Owner(1)));
        assert_eq!(bench.owed(), <[&str; 0]>::default());
        bench.fail(1);
        assert!(!bench.put(&world, Owner(2)));
        assert_eq!(bench.owed(), ["Owner(2) 1"]);
        bench.retry(&world);
        assert_eq!(bench.owed(), <[&str; 0]>::default());
        assert!(bench.stands("$inst-2"));
    }

    #[test]
    fn a_removal_that_is_refused_is_owed() {
        let (bench, mut world) = (Bench::new(), world());
        bench.put(&world, Group(0));
        bench.put(&world, Owner(1));
        // More often than the layout has other ways to try.
        bench.fail(9);
        (world.owners, world.groups) = (BTreeMap::new(), BTreeMap::new());
        assert!(!bench.put(&world, Owner(1)));
        assert!(!bench.put(&world, Group(0)));
        assert!(bench.stands("$inst-1") && bench.stands("$group-0"));
        bench.fail(0);
        bench.retry(&world);
        assert!(!bench.stands("$inst-1") && !bench.stands("$group-0"), "what leads to another goes before it");
        assert_eq!(bench.owed(), <[&str; 0]>::default());
    }

    #[test]
    fn what_an_owner_needs_comes_with_it() {
        let (bench, world) = (Bench::new(), world());
        bench.fail(1);
        assert!(!bench.put(&world, Group(0)));
        assert!(bench.put(&world, Owner(1)), "though the group is not due");
        assert_eq!(bench.owed(), <[&str; 0]>::default());
    }

    /// A later change of members that succeeds does not make good for one that was refused.
    #[test]
    fn members_that_were_refused_are_not_forgotten() {
        let (bench, mut world) = (Bench::new(), world());
        bench.put(&world, Group(0));
        let mut change = |now: &[&'static str], add: &[&str]| {
            world.groups.insert(0, now.to_vec());
            bench.submit(&world, vec![members(0, add, &[])], Vec::new())
        };
        bench.fail(1);
        assert!(!change(&["10.0.0.1"], &["10.0.0.1"]));
        assert!(change(&["10.0.0.1", "10.0.0.2"], &["10.0.0.2"]));
        assert_eq!(bench.members(), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(bench.owed(), <[&str; 0]>::default());
        // The second is submitted before the first one's outcome is known, which nothing can come of.
        let hold = bench.debtor.writer().hold();
        world.groups.insert(0, vec!["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        let failing = vec![members(0, &["10.0.0.3"], &[]), Change::Remove(Group(0)), world.unit(Owner(13))];
        let first = bench.debtor.submit(failing, Vec::new(), &mut world.clone());
        world.groups.insert(0, vec!["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
        let second = bench.debtor.submit(vec![members(0, &["10.0.0.4"], &[])], Vec::new(), &mut world.clone());
        drop(hold);
        assert!(first.wait().is_err() && second.wait().is_ok());
        assert_eq!(bench.members(), ["10.0.0.1", "10.0.0.2", "10.0.0.4"]);
        bench.retry(&world);
        assert_eq!(bench.members(), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    }

    #[test]
    fn what_waits_is_handed_over_after_the_change() {
        let (bench, world) = (Bench::new(), world());
        let handed = || std::mem::take(&mut *lock(&bench.handed));
        bench.submit(&world, vec![world.unit(Group(0))], vec!["group"]);
        assert_eq!(handed(), ["group"]);
        bench.fail(1);
        bench.submit(&world, vec![world.unit(Owner(1))], vec!["first"]);
        assert_eq!(handed(), <[&str; 0]>::default());
        bench.submit(&world, vec![world.unit(Owner(2))], vec!["second"]);
        assert_eq!(handed(), ["second"]);
        bench.later(1);
        bench.submit(&world, vec![world.unit(Owner(3))], vec!["third"]);
        assert_eq!(handed(), ["third", "first"]);
    }

    /// Whatever is refused when: in the end all is as it is wanted, and nothing is owed.
    #[test]
    fn all_converges() {
        for seed in 0..40_u64 {
            let (bench, mut world) = (Bench::new(), World::default());
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = |below: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            world.groups.insert(0, Vec::new());
            for _ in 0..30 {
                if next(3) == 0 {
                    bench.fail(1 + next(6) as u32);
                }
                bench.later(next(3));
                match next(4) {
                    0 => {
                        let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
                        let member = all[next(3) as usize];
                        let now = world.groups.entry(0).or_default();
                        let had = now.contains(&member);
                        now.retain(|other| *other != member);
                        let change = if had { members(0, &[], &[member]) } else { members(0, &[member], &[]) };
                        if !had {
                            now.push(member);
                        }
                        bench.submit(&world, vec![change], Vec::new());
                    }
                    1 => {
                        bench.put(&world, Group(0));
                    }
                    _ => {
                        let owner = 1 + next(4) as u32;
                        if world.owners.remove(&owner).is_none() {
                            world.owners.insert(owner, 0);
                        }
                        bench.put(&world, Owner(owner));
                    }
                }
            }
            bench.fail(0);
            bench.retry(&world);
            assert_eq!(bench.owed(), <[&str; 0]>::default(), "seed {seed}");
            let mut members: Vec<_> = world.groups[&0].clone();
            members.sort_unstable();
            assert_eq!(bench.members(), members, "seed {seed}");
            for owner in 1..5 {
                assert_eq!(bench.stands(&format!("$inst-{owner}")), world.owners.contains_key(&owner), "seed {seed}");
            }
        }
    }
}
