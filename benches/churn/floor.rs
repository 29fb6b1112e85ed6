//! The floor: the kernel's own time for the very bytes that nftwrap sends, in a namespace of the same kind.

use std::thread;
use std::time::Duration;

use nftwrap::netlink::namespace::Namespace;
use nftwrap::netlink::socket::Socket;

use crate::ours::pause;
use crate::report::{Sample, Session};
use crate::support::failure::Failure;
use crate::support::replay::send;
use crate::{Candidate, Scenario};

/// The batches of each application of a session, in order.
///
/// They hold generations and handles, which the kernel gives out in the same order in every new namespace; so the whole
/// list is played from its start.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) batches: Vec<Vec<Vec<u8>>>,
    /// Pairs of each job.
    pub(crate) pairs: Vec<usize>,
}

impl Candidate for Recording {
    fn name(&self) -> &str {
        &self.name
    }

    fn session(&mut self, scenario: &Scenario<'_>) -> Result<Session, Failure> {
        let mut socket = Socket::open_in(&Namespace::fresh()?)?;
        let mut batches = self.batches.iter();
        let mut next = || {
            let mut total = Duration::ZERO;
            for batch in batches.next().into_iter().flatten() {
                total += send(&mut socket, batch)?;
            }
            Ok::<_, Failure>(Sample { total, edit: None })
        };
        let mut session = Session::new(scenario.jobs);
        session.load = vec![next()?];
        thread::sleep(scenario.settle());
        for ((job, pairs), samples) in scenario.jobs.iter().zip(&self.pairs).zip(&mut session.jobs) {
            for _ in 0..*pairs {
                thread::sleep(pause(job.edits.len()));
                samples.there.push(next()?);
                thread::sleep(pause(job.undo.len()));
                samples.back.push(next()?);
            }
        }
        Ok(session)
    }
}
