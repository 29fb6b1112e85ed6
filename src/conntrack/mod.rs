//! Entries of connection tracking, listed and deleted over ctnetlink.
//!
//! Owns: which entries there are, and that those which a [`Filter`] takes go.
//! Never: makes or changes an entry; deletes one that the filter does not take.
//!
//! A change of translation rules is for new connections only: an old one goes on as its entry says. To end it, the entry
//! is deleted, here after the rules that would make it again.
//!
//! Invariant: a delete request always names one entry, by its tuple, zone and number. Without a tuple the kernel would
//! empty the whole table, and with the tuple alone delete a connection that was made meanwhile.
//!
//! Where the truth is: `ctnetlink_dump_table`, `ctnetlink_del_conntrack`, `net/netfilter/nf_conntrack_netlink.c`;
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h` (Linux v6.12).
//! How it is tested: decoding here; `tests/conntrack.rs` with connections between namespaces, beside the `conntrack` tool.

mod entry;
mod error;
mod filter;

pub use entry::{Direction, Entry, Icmp, Tuple};
pub use error::{Error, Operation};
pub use filter::{Ends, Filter, Mark};

use filter::AnyOf;

pub use crate::netlink::family::Family;

use std::net::IpAddr;

use crate::netlink::header::{DeleteFlags, FamilyHeader, GetFlags};
use crate::netlink::message::{self, MessageError};
use crate::netlink::namespace::Namespace;
use crate::netlink::request::{self, RequestError};
use crate::netlink::socket::Socket;
use crate::netlink::transport::Transport;

const NFNL_SUBSYS_CTNETLINK: u8 = 1;
const IPCTNL_MSG_CT_GET: u8 = 1;
const IPCTNL_MSG_CT_DELETE: u8 = 2;
const AF_UNSPEC: u8 = 0;

/// Connection tracking of one network namespace.
#[derive(Debug)]
pub struct Conntrack<T = Socket> {
    transport: T,
    seq: u32,
}

impl Conntrack<Socket> {
    /// That of a namespace. The caller's stays what it is.
    ///
    /// # Errors
    /// [`Error`] when no socket can be opened there.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        let socket = Socket::open_in(namespace).map_err(|error| Error::new(Operation::Open, error.into()))?;
        Ok(Self::over(socket))
    }
}

impl<T> Conntrack<T> {
    /// The same by another way to the kernel.
    pub fn over(transport: T) -> Self {
        Self { transport, seq: 0 }
    }
}

impl<T: Transport> Conntrack<T> {
    /// The entries that the filter takes, in the kernel's order. One that is made or goes meanwhile may be there or not.
    ///
    /// # Errors
    /// [`Error`] with the kernel's errno.
    pub fn list(&mut self, filter: &Filter) -> Result<Vec<Entry>, Error> {
        self.dump(filter, |entry| filter.takes(entry)).map_err(|error| Error::new(Operation::List, error))
    }

    /// Deletes the entries that the filter takes. Returns how many that were; one that has gone by itself is not counted.
    ///
    /// # Errors
    /// [`Error`] with the kernel's errno and the first entry that could not be deleted; the others are deleted.
    pub fn delete(&mut self, filter: &Filter) -> Result<usize, Error> {
        let entries = self.list(filter)?;
        self.delete_entries(entries)
    }

    /// Deletes the entries that any of the filters takes, after one look at the table. Returns how many that were.
    ///
    /// # Errors
    /// As [`delete`](Conntrack::delete).
    pub fn delete_any(&mut self, filters: &[Filter]) -> Result<usize, Error> {
        // A family that all are of is all that has to be looked at.
        let family = filters.first().and_then(|first| first.family);
        let family = family.filter(|_| filters.iter().all(|filter| filter.family == family));
        let of_family = Filter { family, ..Filter::default() };
        let any = AnyOf::new(filters);
        let entries = self.dump(&of_family, |entry| any.take(entry));
        self.delete_entries(entries.map_err(|error| Error::new(Operation::List, error))?)
    }

    fn delete_entries(&mut self, entries: Vec<Entry>) -> Result<usize, Error> {
        let (mut deleted, mut failed) = (0, None);
        for entry in entries {
            match self.delete_entry(&entry) {
                Ok(true) => deleted += 1,
                Ok(false) => {}
                Err(error) => {
                    failed.get_or_insert(Error::new(Operation::Delete(Box::new(entry)), error));
                }
            }
        }
        failed.map_or(Ok(deleted), Err)
    }

    /// Ends all connections that were made to the address, also under another that is translated to it: deletes every
    /// entry whose answers come from it. Returns how many there were.
    ///
    /// # Errors
    /// As [`delete`](Conntrack::delete).
    pub fn clean(&mut self, fixed: IpAddr) -> Result<usize, Error> {
        self.delete(&Filter::answers_from(fixed))
    }

    fn dump(&mut self, of: &Filter, takes: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, RequestError> {
        let family = of.family.map_or(AF_UNSPEC, Family::number);
        let flags = GetFlags::REQUEST | GetFlags::DUMP;
        let question = self.message(IPCTNL_MSG_CT_GET, flags.bits(), family, |_| {})?;
        // A host has more entries than a filter takes; those that it does not take only leave a hole.
        let entries = request::dump(&mut self.transport, &question, |message| {
            let (header, attributes) = message.family()?;
            let entry = Entry::decode(header.family, attributes)?;
            Ok(entry.filter(&takes).map(Box::new))
        })?;
        Ok(entries.into_iter().flatten().map(|entry| *entry).collect())
    }

    /// Returns whether it was still there.
    fn delete_entry(&mut self, entry: &Entry) -> Result<bool, RequestError> {
        let flags = DeleteFlags::REQUEST | DeleteFlags::ACK;
        let family = entry.family().number();
        let order = self.message(IPCTNL_MSG_CT_DELETE, flags.bits(), family, |w| entry.encode_key(w))?;
        match request::order(&mut self.transport, &order) {
            Ok(()) => Ok(true),
            // Gone, or another connection has its place.
            Err(RequestError::Refused(ack)) if ack.errno == libc::ENOENT => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn message(
        &mut self,
        kind: u8,
        flags: u16,
        family: u8,
        fill: impl FnOnce(&mut crate::netlink::attr::Writer<'_>),
    ) -> Result<Vec<u8>, MessageError> {
        self.seq = self.seq.wrapping_add(1);
        let (mut bytes, kind) = (Vec::new(), u16::from_be_bytes([NFNL_SUBSYS_CTNETLINK, kind]));
        message::append(&mut bytes, kind, flags, self.seq, FamilyHeader::new(family), fill)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
