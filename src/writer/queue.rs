//! What was submitted and not done yet.
//!
//! Owns: the order of submissions, when the next transaction begins, holds, the end.
//! Never: holds its lock while anything else is done.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::error::WriteError;
use super::ticket::{Outcome, Ticket};
use super::{AT_MOST, Pending, Submission};
use crate::manager::Manager;

/// When a transaction begins: as soon as no change came for `quiet`, and no change waits longer than `at_most`. By
/// default at once; what comes during a transaction is merged into the next in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long to wait for another change after one.
    pub quiet: Duration,
    /// How long a change waits at most before its transaction begins, if no other is under way.
    pub at_most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { quiet: Duration::ZERO, at_most: AT_MOST }
    }
}

impl Pace {
    /// How long the transaction does not begin whose first and last changes came then. It may be longer than any clock goes.
    fn left(self, first: Instant, last: Instant, now: Instant) -> Duration {
        let quiet = self.quiet.saturating_sub(now.saturating_duration_since(last));
        quiet.min(self.at_most.saturating_sub(now.saturating_duration_since(first)))
    }
}

type Visit<K> = Box<dyn FnOnce(&mut Manager<K>) + Send>;

struct State<U, K> {
    pending: Vec<Pending<U>>,
    visits: VecDeque<Visit<K>>,
    /// When the first and the last of what is pending came.
    since: Option<(Instant, Instant)>,
    holds: usize,
    closed: bool,
}

/// What the writer does next.
pub(super) enum Next<U, K> {
    Visit(Visit<K>),
    Commit(Vec<Pending<U>>),
    End,
}

pub(super) struct Queue<U, K> {
    pace: Pace,
    state: Mutex<State<U, K>>,
    wake: Condvar,
}

impl<U, K> fmt::Debug for Queue<U, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl<U, K> Queue<U, K> {
    pub(super) fn new(pace: Pace) -> Self {
        let state = State { pending: Vec::new(), visits: VecDeque::new(), since: None, holds: 0, closed: false };
        Self { pace, state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State<U, K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn submit(&self, submission: Submission<U>) -> Ticket {
        let outcome = Arc::new(Outcome::default());
        let ticket = Ticket(Arc::clone(&outcome));
        let Submission { changes, after, doubtful } = submission;
        let pending = Pending { changes, after, doubtful, outcome };
        let mut state = self.lock();
        if state.closed {
            drop(state);
            pending.finish(Err(WriteError::Stopped));
            return ticket;
        }
        state.pending.push(pending);
        let now = Instant::now();
        state.since = Some((state.since.map_or(now, |(first, _)| first), now));
        drop(state);
        self.wake.notify_one();
        ticket
    }

    pub(super) fn visit<R: Send + 'static>(
        &self,
        visit: impl FnOnce(&mut Manager<K>) -> R + Send + 'static,
    ) -> Result<R, WriteError> {
        let (sender, receiver) = mpsc::channel();
        let mut state = self.lock();
        if state.closed {
            return Err(WriteError::Stopped);
        }
        state.visits.push_back(Box::new(move |manager| {
            // Nobody listens when the visitor's thread is gone.
            let _ = sender.send(visit(manager));
        }));
        drop(state);
        self.wake.notify_one();
        receiver.recv().map_err(|_| WriteError::Stopped)
    }

    pub(super) fn hold(this: &Arc<Self>) -> Hold<U, K> {
        this.lock().holds += 1;
        Hold(Arc::clone(this))
    }

    /// Takes nothing more; what is there is done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Takes nothing more, and refuses what is there.
    pub(super) fn close_and_refuse(&self) {
        let mut state = self.lock();
        state.closed = true;
        let pending = std::mem::take(&mut state.pending);
        // Who waits for a visit hears that its channel is gone, and who waits for a change hears it from its end.
        let visits = std::mem::take(&mut state.visits);
        drop(state);
        drop((visits, pending));
    }

    /// Waits for something to do. A writer that ends does what is there in spite of holds.
    pub(super) fn next(&self) -> Next<U, K> {
        let mut state = self.lock();
        loop {
            if let Some(visit) = state.visits.pop_front() {
                return Next::Visit(visit);
            }
            let now = Instant::now();
            let left = state.since.map(|(first, last)| self.pace.left(first, last, now));
            match left {
                Some(left) if state.closed || (state.holds == 0 && left.is_zero()) => {
                    state.since = None;
                    return Next::Commit(std::mem::take(&mut state.pending));
                }
                Some(left) if state.holds == 0 => {
                    state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
                None if state.closed => return Next::End,
                _ => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Nothing is committed as long as it lives.
#[must_use = "the hold ends when it is dropped"]
pub struct Hold<U, K>(Arc<Queue<U, K>>);

impl<U, K> fmt::Debug for Hold<U, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

impl<U, K> Drop for Hold<U, K> {
    fn drop(&mut self) {
        self.0.lock().holds -= 1;
        self.0.wake.notify_one();
    }
}
