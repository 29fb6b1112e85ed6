//! The outcomes of an operation that is submitted in several pieces.
//!
//! Owns: the pieces' tickets, what each was about, and the error that names those that had no effect.
//! Never: waits unless it is asked to.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::apply::Report;
use crate::writer::{Ticket, WriteError};

/// The outcomes of an operation's changes, now or later. One piece that is refused keeps no other from its effect.
#[derive(Debug, Default)]
#[must_use = "changes are done whether or not somebody waits, but only the tickets tell of a failure"]
pub struct Tickets(Vec<(String, Ticket)>);

impl Tickets {
    /// Waits for all of them. Each transaction has one report, however many of the changes were in it. Who waits within the
    /// own deferral waits for ever.
    ///
    /// # Errors
    /// [`Refused`] names those that had no effect.
    pub fn wait(self) -> Result<Vec<Arc<Report>>, Refused> {
        let (mut reports, mut refused): (Vec<Arc<Report>>, _) = (Vec::new(), Vec::new());
        for (what, ticket) in self.0 {
            match ticket.wait() {
                // Pieces of one transaction stand together.
                Ok(report) if reports.last().is_some_and(|last| Arc::ptr_eq(last, &report)) => {}
                Ok(report) => reports.push(report),
                Err(why) => refused.push(Refusal { what, why }),
            }
        }
        if refused.is_empty() { Ok(reports) } else { Err(Refused(refused)) }
    }
}

impl FromIterator<(String, Ticket)> for Tickets {
    fn from_iter<I: IntoIterator<Item = (String, Ticket)>>(tickets: I) -> Self {
        Self(tickets.into_iter().collect())
    }
}

impl Extend<(String, Ticket)> for Tickets {
    fn extend<I: IntoIterator<Item = (String, Ticket)>>(&mut self, tickets: I) {
        self.0.extend(tickets);
    }
}

impl IntoIterator for Tickets {
    type Item = (String, Ticket);
    type IntoIter = std::vec::IntoIter<(String, Ticket)>;

    /// Each with what it is about.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Changes that had no effect. They stay wanted, and are tried again, ever more rarely.
#[derive(Debug, Clone, Error)]
#[error("{}", List(.0))]
pub struct Refused(pub Vec<Refusal>);

/// A change that had no effect.
#[derive(Debug, Clone, Error)]
#[error("{what}: {why}")]
pub struct Refusal {
    /// What was to change.
    pub what: String,
    /// Why it did not.
    pub why: WriteError,
}

struct List<'a>(&'a [Refusal]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, refusal) in self.0.iter().enumerate() {
            write!(f, "{}{refusal}", if number == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
