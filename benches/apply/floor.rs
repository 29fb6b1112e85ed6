//! The floor: the kernel's own time for the very bytes that nftwrap sends, in a namespace of the same kind.

use nftwrap::netlink::namespace::Namespace;
use nftwrap::netlink::socket::Socket;

use crate::nova::Nova;
use crate::report::Round;
use crate::support::replay::send;
use crate::{Candidate, Failure, pause};

/// The batches of a load, then of each change, in the order they were committed.
///
/// They hold generations and handles, which the kernel gives out in the same order in every new namespace; so the whole
/// list is played from its start.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) load: Vec<u8>,
    pub(crate) changes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Candidate for Recording {
    fn name(&self) -> &'static str {
        "floor: kernel, the same bytes"
    }

    fn round(&mut self, _: Nova, _: &str, pairs: usize) -> Result<Round, Failure> {
        let mut socket = Socket::open_in(&Namespace::fresh()?)?;
        let mut round = Round { load: send(&mut socket, &self.load)?, ..Round::default() };
        for (add, remove) in self.changes.iter().take(pairs) {
            pause();
            round.add.push(send(&mut socket, add)?);
            pause();
            round.remove.push(send(&mut socket, remove)?);
        }
        Ok(round)
    }
}
