//! The writer's thread: queue to transactions.
//!
//! Owns: the loop, and the search for the submission at fault.

use std::sync::Arc;

use super::queue::{Next, Queue};
use super::{Core, Key, Pending, WriteError};
use crate::apply::Report;
use crate::error::Error;
use crate::kernel::{CommitError, Kernel};

impl<U: Key, K: Kernel> Core<U, K> {
    /// Works until the queue is closed and empty.
    pub(super) fn run(&mut self, queue: &Queue<U, K>) {
        loop {
            match queue.next() {
                Next::Visit(visit) => visit(&mut self.manager),
                Next::Commit(pending) => runs(pending).into_iter().for_each(|run| self.commit(run)),
                Next::End => return,
            }
        }
    }

    /// Brings these to the kernel: all in one transaction, if it takes them.
    fn commit(&mut self, mut pending: Vec<Pending<U>>) {
        match self.attempt(&pending) {
            Ok((report, failures)) => finish(pending, failures, &report),
            Err(error) if pending.len() > 1 && is_of_one(&error) => {
                // The one at fault is in one half, and found in a number of transactions that grows with the logarithm.
                let later = pending.split_off(pending.len() / 2);
                self.commit(pending);
                self.commit(later);
            }
            Err(error) => {
                for pending in pending {
                    pending.finish(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction. Submissions that do not fit the model are left out of it; when it fails, all are taken back.
    #[allow(clippy::type_complexity, reason = "one caller takes it apart at once")]
    fn attempt(&mut self, pending: &[Pending<U>]) -> Result<(Arc<Report>, Vec<Option<WriteError>>), WriteError> {
        let mut undo = Vec::new();
        let mut failures = Vec::with_capacity(pending.len());
        for submission in pending {
            let begin = undo.len();
            let mut changes = submission.changes.iter();
            let failure =
                changes.find_map(|change| self.installed.change(self.manager.model_mut(), change, &mut undo).err());
            if failure.is_some() {
                self.installed.take_back(self.manager.model_mut(), undo.split_off(begin));
            }
            failures.push(failure);
        }
        let error = match self.manager.apply() {
            Ok(report) => return Ok((Arc::new(report), failures)),
            Err(error) => Arc::new(error),
        };
        self.installed.take_back(self.manager.model_mut(), undo);
        // What may be in effect is brought back to what was.
        match error.is_in_doubt() && self.manager.apply().is_err() {
            true => Err(WriteError::InDoubt(error)),
            false => Err(WriteError::Apply(error)),
        }
    }
}

/// Submissions that may share a transaction, in the order in which they came.
fn runs<U>(pending: Vec<Pending<U>>) -> Vec<Vec<Pending<U>>> {
    let mut runs: Vec<Vec<Pending<U>>> = Vec::new();
    for submission in pending {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last.doubtful == submission.doubtful) => run.push(submission),
            _ => runs.push(vec![submission]),
        }
    }
    runs
}

/// Whether another transaction, without the change at fault, can succeed.
fn is_of_one(error: &WriteError) -> bool {
    match error {
        // All together they are too much for one datagram, where each alone may not be.
        WriteError::Apply(error) if matches!(**error, Error::Commit(CommitError::TooLarge { .. })) => true,
        WriteError::Apply(error) => !matches!(**error, Error::Commit(_) | Error::Kernel(_) | Error::Stale { .. }),
        WriteError::InDoubt(_) => false,
        _ => true,
    }
}

fn finish<U>(pending: Vec<Pending<U>>, failures: Vec<Option<WriteError>>, report: &Arc<Report>) {
    for (pending, failure) in pending.into_iter().zip(failures) {
        pending.finish(failure.map_or_else(|| Ok(Arc::clone(report)), Err));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is too much together may not be by halves; what the kernel did not say is no fault of one.
    #[test]
    fn too_much_together_is_tried_by_halves() {
        let of = |error| is_of_one(&WriteError::Apply(Arc::new(Error::Commit(error))));
        assert!(of(CommitError::TooLarge { size: 300_000, limit: 200_000 }));
        assert!(!of(CommitError::NotPermitted) && !of(CommitError::NoAnswer));
    }
}
