//! The outcome of a submission, for whoever waits.
//!
//! Owns: one result that is set once and can be waited for by many.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::WriteError;
use crate::apply::Report;

type Written = Result<Arc<Report>, WriteError>;

#[derive(Debug, Default)]
pub(super) struct Outcome {
    result: Mutex<Option<Written>>,
    known: Condvar,
}

impl Outcome {
    pub(super) fn set(&self, result: Written) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.known.notify_all();
    }

    /// The same, unless there is a result.
    pub(super) fn set_if_unknown(&self, result: Written) {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(result);
        self.known.notify_all();
    }
}

/// A submission's outcome, now or later. Dropping it changes nothing.
#[derive(Debug, Clone)]
#[must_use = "changes are done whether or not somebody waits, but only the ticket tells of a failure"]
pub struct Ticket(pub(super) Arc<Outcome>);

impl Ticket {
    /// Waits until the changes are in effect. The report is that of the transaction, which others' changes may be in too;
    /// nothing was sent if they were in effect already.
    ///
    /// # Errors
    /// [`WriteError`]: none of the submission's changes is in effect, but for [`WriteError::InDoubt`].
    pub fn wait(&self) -> Result<Arc<Report>, WriteError> {
        let mut result = self.0.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*result {
                Some(result) => return result.clone(),
                None => result = self.0.known.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Waits no longer than this; `None` when the outcome is not known then.
    #[must_use]
    pub fn wait_for(&self, at_most: Duration) -> Option<Result<Arc<Report>, WriteError>> {
        // A time that no clock reaches is no bound.
        let end = Instant::now().checked_add(at_most);
        let mut result = self.0.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            match &*result {
                Some(result) => return Some(result.clone()),
                None if left.is_zero() => return None,
                None => {
                    result = self.0.known.wait_timeout(result, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}
