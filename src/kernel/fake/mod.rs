//! A kernel in memory, for tests of everything above this layer.
//!
//! Owns: the tables, chains, rules, sets, elements and objects of a namespace, and its ipsets; transactions that are all or nothing; the
//! kernel's errors, message by message, with the attribute that each points at; generations, handles, owners.
//! Never: sees a packet; checks what concerns one expression alone (the bytes of an xt extension, whether a register
//! was loaded), or whether ranges overlap; knows devices, flow tables, offload and chains bound to one rule.
//!
//! Invariant: what it refuses the kernel refuses, with the same errno, and a dump after what it takes is the kernel's,
//! handles aside. `tests/kernel.rs` runs the same scenarios and the same random batches on both.
//! Invariant: several [`Fake`]s can stand on one namespace ([`Fake::connect`]), as sockets do; nothing of a transaction is
//! seen before its commit.
//!
//! Where the truth is: `net/netfilter/nf_tables_api.c` and `nfnetlink.c` (Linux v6.12). Functions here name the kernel's.

mod chain;
mod dump;
mod element;
mod expression;
mod ipset;
mod listing;
mod object;
mod request;
mod rule;
mod run;
mod set;
mod state;
mod table;
mod validate;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::ipset::Ipsets;
use self::run::Answer;
use self::state::{State, Table};
use super::{CommitError, Committed, Errno, Error, Kernel, Rejection};
use crate::name::{ChainName, IpsetName, SetName, TableName};
use crate::nft::uapi::{NFT_TABLE_F_OWNER, NFT_TABLE_F_PERSIST};
use crate::nft::{self, Family};
use crate::transaction::Sealed;

/// How often an interrupted dump is begun again before [`Error::Interrupted`].
const DUMP_ATTEMPTS: u32 = 10;

/// Runs before a commit, when the batch is sealed and not yet with the kernel.
type Hook = Box<dyn FnMut(&mut Fake) + Send>;

/// A socket to a fake kernel.
pub struct Fake {
    port: u32,
    namespace: Arc<Mutex<Namespace>>,
    before_commit: Option<Hook>,
    failures: Option<(u32, Errno)>,
    /// How many answers get lost, and whether what they are about is done.
    lost: (u32, bool),
    refuse_ipset: Option<(IpsetName, Errno)>,
    interruptions: u32,
}

struct Namespace {
    state: State,
    generation: u32,
    next_port: u32,
    ipsets: Ipsets,
    stats: Stats,
}

/// How often a fake kernel was asked what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Batches that reached the kernel, good or bad.
    pub batches: u32,
    /// Batches that changed something.
    pub commits: u32,
    /// Dumps.
    pub dumps: u32,
    /// Orders to change an ipset.
    pub ipset_orders: u32,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// An empty namespace.
    #[must_use]
    pub fn new() -> Self {
        let namespace = Namespace {
            state: State::default(),
            generation: 1,
            next_port: 1,
            ipsets: Ipsets::default(),
            stats: Stats::default(),
        };
        Self::on(Arc::new(Mutex::new(namespace)))
    }

    /// Another socket to the same namespace.
    #[must_use]
    pub fn connect(&self) -> Self {
        Self::on(Arc::clone(&self.namespace))
    }

    fn on(namespace: Arc<Mutex<Namespace>>) -> Self {
        let port = {
            let mut inner = lock(&namespace);
            inner.next_port += 1;
            inner.next_port
        };
        Self {
            port,
            namespace,
            before_commit: None,
            failures: None,
            lost: (0, false),
            refuse_ipset: None,
            interruptions: 0,
        }
    }

    /// Runs `hook` before each commit of this socket: a race as an ordinary test. It gets this socket, and its own
    /// commits do not run it again.
    pub fn before_commit(&mut self, hook: impl FnMut(&mut Fake) + Send + 'static) {
        self.before_commit = Some(Box::new(hook));
    }

    /// Lets the next `times` commits of this socket fail, without any effect. [`Errno::RESTART`] is a stale generation,
    /// [`Errno::PERM`] a missing right; anything else is said of the first operation.
    pub fn fail_next(&mut self, times: u32, errno: Errno) {
        self.failures = (times > 0).then_some((times, errno));
    }

    /// Lets the answers to the next `times` commits of this socket get lost: [`CommitError::NoAnswer`]. `done` says whether
    /// these commits take effect.
    pub fn lose_answers(&mut self, times: u32, done: bool) {
        self.lost = (times, done);
    }

    /// Lets the next order of this socket about that ipset fail, without any effect.
    pub fn refuse_ipset(&mut self, set: &IpsetName, errno: Errno) {
        self.refuse_ipset = Some((set.clone(), errno));
    }

    /// Lets the next `times` dumps of this socket be interrupted by a change. A dump is begun again a bounded number of
    /// times.
    pub fn interrupt_dumps(&mut self, times: u32) {
        self.interruptions = times;
    }

    /// Lets the namespace's kernel be one that does not know these flags of tables: before Linux 6.9 `PERSIST`, before
    /// 5.12 `OWNER`.
    pub fn without_table_flags(&mut self, flags: nft::TableFlags) {
        lock(&self.namespace).state.unknown_flags = flags.bits();
    }

    /// Adds an ipset to the namespace and returns its index.
    pub fn add_ipset(&mut self, name: &IpsetName) -> u16 {
        lock(&self.namespace).ipsets.add(name)
    }

    /// What the namespace was asked so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        lock(&self.namespace).stats
    }

    /// The netlink port, by which the kernel knows the owner of a table.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port
    }

    fn dump<T>(&mut self, read: impl FnOnce(&State) -> T) -> Result<T, Error> {
        let interrupted = self.interruptions.min(DUMP_ATTEMPTS);
        self.interruptions -= interrupted;
        let mut inner = lock(&self.namespace);
        inner.stats.dumps += 1 + interrupted;
        if interrupted == DUMP_ATTEMPTS {
            return Err(Error::Interrupted { attempts: DUMP_ATTEMPTS });
        }
        Ok(read(&inner.state))
    }

    fn run(&mut self, batch: &Sealed, commit: bool) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        if commit && let Some(mut hook) = self.before_commit.take() {
            hook(self);
            self.before_commit.get_or_insert(hook);
        }
        let mut inner = lock(&self.namespace);
        inner.stats.batches += 1;
        let stale = CommitError::Stale { expected: batch.generation().unwrap_or(0) };
        if let Some((times, errno)) = self.failures.take_if(|(times, _)| *times == 1).or(self.failures) {
            self.failures = self.failures.map(|_| (times - 1, errno));
            return Err(match errno {
                Errno::RESTART => stale,
                Errno::PERM => CommitError::NotPermitted,
                errno => {
                    let seq = batch.first_seq().wrapping_add(1);
                    CommitError::Refused(vec![Rejection { seq, errno, offset: None, text: None }])
                }
            });
        }
        let lost = commit && self.lost.0 > 0;
        if lost {
            self.lost.0 -= 1;
            if !self.lost.1 {
                return Err(CommitError::NoAnswer);
            }
        }
        let Namespace { state, generation, stats, .. } = &mut *inner;
        let answer = if commit {
            run::batch(state, *generation, batch.bytes(), self.port)
        } else {
            run::check(state, *generation, batch.bytes_for_check(), self.port)
        };
        match answer {
            Answer::Good { changed, echoed } => {
                if changed {
                    stats.commits += 1;
                    // Generation 0 means "any" in a batch, so no ruleset has it.
                    *generation = generation.checked_add(1).unwrap_or(1);
                }
                if lost { Err(CommitError::NoAnswer) } else { Ok(Committed { echoed, ..Committed::default() }) }
            }
            Answer::Stale => Err(stale),
            Answer::Refused(rejections) => Err(CommitError::Refused(rejections)),
            Answer::Silent => Err(CommitError::NoAnswer),
        }
    }
}

fn lock(namespace: &Mutex<Namespace>) -> MutexGuard<'_, Namespace> {
    // A test that fails while it holds the lock has left nothing half done: changes happen on a copy.
    namespace.lock().unwrap_or_else(PoisonError::into_inner)
}

fn table<'s>(state: &'s State, family: Family, name: &TableName) -> Option<&'s Table> {
    state.tables.iter().find(|table| table.family == family && *table.name == *name.as_str())
}

impl Kernel for Fake {
    fn generation(&mut self) -> Result<u32, Error> {
        Ok(lock(&self.namespace).generation)
    }

    fn tables(&mut self, family: Family) -> Result<Vec<nft::Table>, Error> {
        self.dump(|state| state.tables.iter().filter(|t| t.family == family).map(Table::dump).collect())
    }

    fn chains(&mut self, family: Family) -> Result<Vec<nft::Chain>, Error> {
        self.dump(|state| {
            let chains = state.tables.iter().filter(|t| t.family == family).map(Table::dump_chains);
            chains.flatten().collect()
        })
    }

    fn chain(&mut self, family: Family, name: &TableName, chain: &ChainName) -> Result<Option<nft::Chain>, Error> {
        self.dump(|state| {
            let table = table(state, family, name)?;
            let found = table.chain_named(chain.as_str()).ok().and_then(|handle| table.chains.get(&handle));
            found.map(|chain| table.dump_chain(chain))
        })
    }

    fn rules(&mut self, family: Family, name: &TableName, chain: Option<&ChainName>) -> Result<Vec<nft::Rule>, Error> {
        self.dump(|state| {
            let Some(table) = table(state, family, name) else { return Vec::new() };
            let meant = |c: &&state::Chain| chain.is_none_or(|chain| *c.name == *chain.as_str());
            let rules = table.chains.values().filter(meant).map(|chain| table.dump_rules(chain));
            rules.flatten().collect()
        })
    }

    fn sets(&mut self, family: Family, name: &TableName) -> Result<Vec<nft::Set>, Error> {
        self.dump(|state| table(state, family, name).map(Table::dump_sets).unwrap_or_default())
    }

    fn elements(&mut self, family: Family, name: &TableName, set: &SetName) -> Result<Vec<nft::Element>, Error> {
        self.dump(|state| {
            let Some(table) = table(state, family, name) else { return Vec::new() };
            let found = table.set(set.as_str(), None).ok().and_then(|handle| table.sets.get(&handle));
            found.map(|set| table.dump_elements(set)).unwrap_or_default()
        })
    }

    fn objects(&mut self, family: Family, name: &TableName) -> Result<Vec<nft::Object>, Error> {
        self.dump(|state| table(state, family, name).map(Table::dump_objects).unwrap_or_default())
    }

    fn ipset_index(&mut self, name: &IpsetName) -> Result<Option<u16>, Error> {
        Ok(lock(&self.namespace).ipsets.index(name))
    }

    fn ipset_name(&mut self, index: u16) -> Result<Option<IpsetName>, Error> {
        Ok(lock(&self.namespace).ipsets.name(index).cloned())
    }

    fn ipset(&mut self, name: &IpsetName) -> Result<Option<crate::ipset::Content>, crate::ipset::Error> {
        Ok(lock(&self.namespace).ipsets.content(name))
    }

    fn change_ipset(&mut self, order: &crate::ipset::Order) -> Result<(), crate::ipset::Error> {
        let mut inner = lock(&self.namespace);
        let Namespace { state, ipsets, stats, .. } = &mut *inner;
        stats.ipset_orders += 1;
        if let Some((set, errno)) = self.refuse_ipset.take_if(|(set, _)| set == order.set()) {
            return Err(crate::ipset::Error::refused(order.operation(), &set, errno.0));
        }
        ipsets.run(order, state)
    }

    fn commit(&mut self, batch: &Sealed) -> Result<Committed, CommitError> {
        self.run(batch, true)
    }

    fn check(&mut self, batch: &Sealed) -> Result<Committed, CommitError> {
        self.run(batch, false)
    }
}

/// A socket that goes away takes the tables with it that it owns; those that persist lose their owner
/// (`nft_rcv_nl_event`).
impl Drop for Fake {
    fn drop(&mut self) {
        let mut inner = lock(&self.namespace);
        let port = self.port;
        let owned = |table: &Table| table.flags & NFT_TABLE_F_OWNER != 0 && table.owner == port;
        inner.state.tables.retain(|table| !owned(table) || table.flags & NFT_TABLE_F_PERSIST != 0);
        for table in inner.state.tables.iter_mut().filter(|table| owned(table)) {
            table.flags &= !NFT_TABLE_F_OWNER;
            table.owner = 0;
        }
    }
}

/// The ruleset as a listing.
impl fmt::Display for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = lock(&self.namespace);
        inner.state.tables.iter().try_for_each(|table| listing::table(table, f))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").field("port", &self.port).finish_non_exhaustive()
    }
}
