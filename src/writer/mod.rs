//! Layer 10: changes of many threads, merged by one writer into few transactions.
//!
//! Owns: a [`Manager`] on a thread of its own, what each key wants ([`Unit`]), the queue of changes, and whose fault it is
//! when a transaction is refused.
//! Never: knows what a unit is for; waits for anybody while it holds a lock; applies a part of a change.
//!
//! ```text
//! threads ─submit─> queue ─all that waits, at most Pace::at_most old─> model ─one transaction─> kernel
//!                                                                        └─> each ticket its own outcome
//! ```
//!
//! A change says what a key wants from now on, not how to get there, so a later change of a key simply takes the place of
//! an earlier one. While a transaction is under way the queue fills, and all of it goes into the next: the busier the
//! host, the fewer transactions.
//!
//! Invariant: changes take effect in the order in which they were submitted.
//! Invariant: a change that is refused leaves no trace, and stops no other: the changes of a transaction that is refused
//! are taken back and tried again by halves, until the one at fault is alone.
//! Invariant: what a ticket says is true. When nobody knows whether a change is in effect, the kernel is brought back to what
//! was; when that fails as well, the ticket says so ([`WriteError::InDoubt`]), and the next transaction begins with reading.
//!
//! | file | has |
//! |---|---|
//! | `unit`, `install` | what a key wants; units in a model, and the way back |
//! | `queue`, `ticket` | what was submitted; its outcome |
//! | `commit` | the writer's thread |
//! | `debtor`, `debts` | what was refused and is tried again, ever more rarely, for the drivers |
//!
//! How it is tested: unit tests on the fake kernel, with failures on command; the drivers' tests on the real one.

mod commit;
pub(crate) mod debtor;
mod debts;
mod error;
mod install;
mod queue;
#[cfg(test)]
mod tests;
mod ticket;
mod unit;

use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ipnetwork::IpNetwork;

pub use self::debtor::Owed;
pub use self::error::WriteError;
use self::install::Installed;
use self::queue::Queue;
pub use self::queue::{Hold, Pace};
use self::ticket::Outcome;
pub use self::ticket::Ticket;
pub use self::unit::Unit;
use crate::apply::Report;
use crate::kernel::{Kernel, Live};
use crate::manager::Manager;
use crate::name::IpsetName;
use crate::wrap::TableId;

/// What a unit is found by.
pub trait Key: Clone + Eq + Hash + Display + Send + 'static {}

impl<T: Clone + Eq + Hash + Display + Send + 'static> Key for T {}

/// One change of what is to stand.
#[derive(Debug, Clone)]
pub enum Change<U> {
    /// The key wants this, and nothing of what it wanted before.
    Put(U, Arc<Unit>),
    /// The key wants nothing any more.
    Remove(U),
    /// Members come and go in a set of this key's unit; work and messages follow their number, not the set's.
    Members {
        /// Whose set.
        key: U,
        /// The table of the set.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// Those that come.
        add: Vec<IpNetwork>,
        /// Those that go.
        remove: Vec<IpNetwork>,
    },
    /// Exactly these are the members of a set of this key's unit. Work follows the set's size, messages the differences.
    AllMembers {
        /// Whose set.
        key: U,
        /// The table of the set.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// All of them.
        members: Vec<IpNetwork>,
    },
}

impl<U> Change<U> {
    /// Whose part of the model it changes.
    pub fn key(&self) -> &U {
        match self {
            Self::Put(key, _) | Self::Remove(key) | Self::Members { key, .. } | Self::AllMembers { key, .. } => key,
        }
    }

    /// The same change for a key that another one stands for.
    pub fn map_key<V>(self, map: impl FnOnce(U) -> V) -> Change<V> {
        match self {
            Self::Put(key, unit) => Change::Put(map(key), unit),
            Self::Remove(key) => Change::Remove(map(key)),
            Self::Members { key, table, set, add, remove } => {
                Change::Members { key: map(key), table, set, add, remove }
            }
            Self::AllMembers { key, table, set, members } => Change::AllMembers { key: map(key), table, set, members },
        }
    }
}

/// Changes that are done together or not at all.
pub struct Submission<U> {
    changes: Vec<Change<U>>,
    after: Option<After>,
    /// It was refused before, or needs what was, and is kept out of the transactions of others.
    doubtful: bool,
}

type After = Box<dyn FnOnce(&Result<Arc<Report>, WriteError>) + Send>;

impl<U> Submission<U> {
    /// These, in this order.
    pub fn new(changes: impl IntoIterator<Item = Change<U>>) -> Self {
        Self { changes: changes.into_iter().collect(), after: None, doubtful: false }
    }

    /// Calls this on the writer's thread, once the outcome is known and before anybody who waits hears of it. It must not
    /// wait for the writer.
    #[must_use]
    pub fn after(self, then: impl FnOnce(&Result<Arc<Report>, WriteError>) + Send + 'static) -> Self {
        Self { after: Some(Box::new(then)), ..self }
    }
}

/// The writer. All methods can be called from several threads; when it is dropped, what was submitted is still done.
#[derive(Debug)]
pub struct Writer<U: Key, K = Live> {
    queue: Arc<Queue<U, K>>,
    thread: Option<JoinHandle<Option<Manager<K>>>>,
}

impl<U: Key, K: Kernel + Send + 'static> Writer<U, K> {
    /// Starts the writer. What the manager's model has already stays there beside the units.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(manager: Manager<K>, pace: Pace) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(pace));
        let writing = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("nftwrap-writer".to_owned()).spawn(move || {
            let mut core = Core { manager, installed: Installed::default() };
            // A panic of a visitor or of `after` must not leave others waiting for ever.
            let run = std::panic::AssertUnwindSafe(|| core.run(&writing));
            let outcome = std::panic::catch_unwind(run);
            writing.close_and_refuse();
            outcome.is_ok().then_some(core.manager)
        })?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Wants these changes. The ticket can be waited for, or dropped.
    pub fn submit(&self, submission: Submission<U>) -> Ticket {
        self.queue.submit(submission)
    }

    /// Wants one change.
    pub fn change(&self, change: Change<U>) -> Ticket {
        self.submit(Submission::new([change]))
    }

    /// Commits nothing as long as the hold lives; holds can be nested. Changes are taken, and done together afterwards.
    pub fn hold(&self) -> Hold<U, K> {
        Queue::hold(&self.queue)
    }

    /// Lets the manager be looked at, or its model be changed beside the units, between two transactions. What was submitted
    /// before may not be in it yet.
    ///
    /// # Errors
    /// [`WriteError::Stopped`].
    pub fn visit<R: Send + 'static>(
        &self,
        visit: impl FnOnce(&mut Manager<K>) -> R + Send + 'static,
    ) -> Result<R, WriteError> {
        self.queue.visit(visit)
    }

    /// Finishes what was submitted and gives the manager back; `None` when the writer's thread had panicked.
    pub fn stop(mut self) -> Option<Manager<K>> {
        self.queue.close();
        self.thread.take().and_then(|thread| thread.join().ok()).flatten()
    }
}

impl<U: Key, K> Drop for Writer<U, K> {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// What only the writer's thread has.
struct Core<U, K> {
    manager: Manager<K>,
    installed: Installed<U>,
}

/// A submission with those who wait for it.
struct Pending<U> {
    changes: Vec<Change<U>>,
    after: Option<After>,
    doubtful: bool,
    outcome: Arc<Outcome>,
}

impl<U> Pending<U> {
    fn finish(mut self, result: Result<Arc<Report>, WriteError>) {
        if let Some(after) = self.after.take() {
            after(&result);
        }
        self.outcome.set(result);
    }
}

impl<U> Drop for Pending<U> {
    /// A panic drops what it finds on its way; who waits for that must hear of it.
    fn drop(&mut self) {
        self.outcome.set_if_unknown(Err(WriteError::Stopped));
    }
}

/// The default bound of a queue that waits for quiet.
const AT_MOST: Duration = Duration::from_millis(100);
