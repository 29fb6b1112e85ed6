//! Connections that nothing allows any more, deleted beside the callers.
//!
//! Owns: which of the things that a rule allows are one protocol of connections, and the thread that deletes entries.
//! Never: knows which entries a port or an instance had: [`ports`](super::ports) and [`instances`](super::instances) do; makes anybody
//! wait who does not ask for it.
//!
//! Invariant: what waits is one look at the kernel's table, however many rules it is for, each filter once.

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

fn run(receiver: &Receiver<Message>, connections: &mut dyn Connections, failures: &Mutex<Vec<conntrack::Error>>) {
    while let Ok(first) = receiver.recv() {
        let (mut filters, mut waiting) = (Vec::new(), Vec::new());
        // What came meanwhile is done in one go.
        for message in std::iter::once(first).chain(receiver.try_iter()) {
            match message {
                Message::Delete(more) => filters.extend(more),
                Message::Wait(done) => waiting.push(done),
            }
        }
        let mut seen = HashSet::new();
        filters.retain(|filter| seen.insert(filter.clone()));
        if !filters.is_empty()
            && let Err(error) = connections.delete(&filters)
        {
            log::warn!("{error}");
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

/// The protocol of its connections; `None` is every one.
pub(super) fn protocol(service: Service, family: Family) -> Option<Protocol> {
    match service {
        Service::Any => None,
        Service::Protocol(protocol) => Some(protocol).filter(|protocol| *protocol != Protocol::ALL),
        Service::Ports { protocol, .. } => Some(protocol.protocol()),
        Service::Icmp { .. } => Some(if family == Family::Ipv4 { Protocol::ICMP } else { Protocol::ICMPV6 }),
    }
}
