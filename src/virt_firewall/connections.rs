//! Connections that nothing allows any more, deleted beside the callers.
//!
//! Owns: which of the things that a rule allows are one protocol of connections, and the thread that deletes entries.
//! Never: knows which entries a port or an instance had: [`ports`](super::ports) and [`instances`](super::instances) do; makes anybody
//! wait who does not ask for it.
//!
//! Invariant: what waits is one look at the kernel's table, however many rules it is for, each filter once.
//! Invariant: what could not be deleted is tried again, at once and then with what comes next: nobody asks for it a second time.

use std::collections::HashSet;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::service::Service;
use crate::conntrack::{self, Conntrack, Filter};
use crate::netlink::transport::Transport;
use crate::rule::{Family, Protocol};

/// Where connections are deleted.
pub trait Connections: Send {
    /// Deletes every connection that one of the filters takes. Returns how many there were.
    ///
    /// # Errors
    /// [`conntrack::Error`]; as many as could be are deleted.
    fn delete(&mut self, filters: &[Filter]) -> Result<usize, conntrack::Error>;
}

impl<T: Transport + Send> Connections for Conntrack<T> {
    fn delete(&mut self, filters: &[Filter]) -> Result<usize, conntrack::Error> {
        self.delete_any(filters)
    }
}

enum Message {
    Delete(Vec<Filter>),
    Wait(Sender<()>),
}

/// The thread that deletes. When it is dropped, what was asked for is still done.
pub(super) struct Cleaner {
    sender: Option<Sender<Message>>,
    failures: Arc<Mutex<Vec<conntrack::Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cleaner")
    }
}

/// The errors that are kept for whoever asks.
const FAILURES: usize = 64;

impl Cleaner {
    pub(super) fn start(mut connections: Box<dyn Connections>) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let failures = Arc::new(Mutex::new(Vec::new()));
        let failed = Arc::clone(&failures);
        let work = move || run(&receiver, &mut *connections, &failed);
        let thread = std::thread::Builder::new().name("nftwrap-conntrack".to_owned()).spawn(work)?;
        Ok(Self { sender: Some(sender), failures, thread: Some(thread) })
    }

    /// For whoever asks for deletions from another thread.
    pub(super) fn handle(&self) -> Handle {
        Handle(self.sender.clone())
    }

    /// Waits until what was asked for is done.
    pub(super) fn wait(&self) {
        let (done, receiver) = channel();
        if let Some(sender) = &self.sender
            && sender.send(Message::Wait(done)).is_ok()
        {
            // The thread is gone when nobody answers.
            let _ = receiver.recv();
        }
    }

    pub(super) fn failures(&self) -> Vec<conntrack::Error> {
        std::mem::take(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Asks for deletions.
#[derive(Clone)]
pub(super) struct Handle(Option<Sender<Message>>);

impl Handle {
    /// Asks for nobody.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn delete(&self, filters: Vec<Filter>) {
        if let Some(sender) = self.0.as_ref().filter(|_| !filters.is_empty()) {
            // After the end nothing is deleted any more.
            let _ = sender.send(Message::Delete(filters));
        }
    }
}

/// How often a deletion is tried before it waits for the next.
const ATTEMPTS: usize = 3;

/// As many filters wait for another attempt; of more, the oldest are given up.
const KEPT: usize = 100_000;

fn run(receiver: &Receiver<Message>, connections: &mut dyn Connections, failures: &Mutex<Vec<conntrack::Error>>) {
    let mut kept: Vec<Filter> = Vec::new();
    while let Ok(first) = receiver.recv() {
        let (mut filters, mut waiting) = (std::mem::take(&mut kept), Vec::new());
        // What came meanwhile is done in one go.
        for message in std::iter::once(first).chain(receiver.try_iter()) {
            match message {
                Message::Delete(more) => filters.extend(more),
                Message::Wait(done) => waiting.push(done),
            }
        }
        let mut seen = HashSet::new();
        filters.retain(|filter| seen.insert(filter.clone()));
        if let Err(error) = delete(connections, &filters) {
            kept = filters.split_off(filters.len().saturating_sub(KEPT));
            log::warn!("{error}; what is to be deleted is tried again with the next, {} given up", filters.len());
            let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.truncate(FAILURES - 1);
            failures.push(error);
        }
        for done in waiting {
            // Who waited may be gone.
            let _ = done.send(());
        }
    }
}

fn delete(connections: &mut dyn Connections, filters: &[Filter]) -> Result<(), conntrack::Error> {
    let mut attempt = 1;
    while !filters.is_empty() {
        match connections.delete(filters) {
            Ok(_) => break,
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
    Ok(())
}

/// So many members of a group leave at once and are told apart. There is a filter for each with each address that may have
/// connections with it: of more, all connections of the address are ended, and tracked anew if they are allowed.
pub(super) const MANY: usize = 32;

/// The protocol of its connections; `None` is every one.
pub(super) fn protocol(service: Service, family: Family) -> Option<Protocol> {
    match service {
        Service::Any => None,
        Service::Protocol(protocol) => Some(protocol).filter(|protocol| *protocol != Protocol::ALL),
        Service::Ports { protocol, .. } => Some(protocol.protocol()),
        Service::Icmp { .. } => Some(if family == Family::Ipv4 { Protocol::ICMP } else { Protocol::ICMPV6 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails so often, then notes what it is to delete.
    struct Failing(usize, Arc<Mutex<Vec<Vec<Filter>>>>);

    impl Connections for Failing {
        fn delete(&mut self, filters: &[Filter]) -> Result<usize, conntrack::Error> {
            if self.0 > 0 {
                self.0 -= 1;
                let source = crate::netlink::request::RequestError::Interrupted { attempts: 1 };
                return Err(conntrack::Error { operation: conntrack::Operation::List, source });
            }
            self.1.lock().unwrap().push(filters.to_vec());
            Ok(filters.len())
        }
    }

    fn filter(zone: u16) -> Filter {
        Filter { zone: Some(zone), ..Filter::default() }
    }

    #[test]
    fn what_fails_for_a_moment_is_deleted_all_the_same() {
        let deleted = Arc::default();
        let cleaner = Cleaner::start(Box::new(Failing(ATTEMPTS - 1, Arc::clone(&deleted)))).unwrap();
        cleaner.handle().delete(vec![filter(1)]);
        cleaner.wait();
        assert_eq!(*deleted.lock().unwrap(), [[filter(1)]]);
        assert!(cleaner.failures().is_empty());
    }

    #[test]
    fn what_fails_for_longer_goes_with_the_next() {
        let deleted = Arc::default();
        let cleaner = Cleaner::start(Box::new(Failing(ATTEMPTS, Arc::clone(&deleted)))).unwrap();
        cleaner.handle().delete(vec![filter(1)]);
        cleaner.wait();
        assert_eq!((deleted.lock().unwrap().len(), cleaner.failures().len()), (0, 1));
        cleaner.handle().delete(vec![filter(2)]);
        cleaner.wait();
        assert_eq!(*deleted.lock().unwrap(), [[filter(1), filter(2)]]);
        assert!(cleaner.failures().is_empty());
    }
}
