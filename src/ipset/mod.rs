//! Ipsets: made, filled, listed and destroyed over nfnetlink.
//!
//! Owns: sets of the types `hash:ip` and `hash:net`, and their members.
//! Never: decides which members there should be, or touches a set that it was not told to.
//!
//! A set belongs to its namespace and not to a table: it is there before the rule that looks into it, and goes after it.
//! There is no transaction over several orders, so each is one that may be given again: a member that is there is no
//! error when it is added, and one that is gone none when it is deleted.
//!
//! Invariant: an order always names its set. Without a name the kernel destroys, or empties, every set there is.
//! Invariant: the kernel has no place for a prefix of length zero; see [`halves`].
//!
//! Where the truth is: `include/uapi/linux/netfilter/ipset/ip_set.h`, `net/netfilter/ipset/ip_set_core.c`,
//! `ip_set_hash_net.c` (Linux v6.12).
//! How it is tested: messages here, `tests/ipset.rs` beside the `ipset` tool.

mod error;
mod message;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

pub use error::{Error, Operation, Reason};

use crate::name::IpsetName;
use crate::netlink::namespace::Namespace;
use crate::netlink::request::{self, RequestError};
use crate::netlink::socket::Socket;
use crate::netlink::transport::Transport;

/// The size that a set has if none is given, `IPSET_DEFAULT_MAXELEM`.
pub const DEFAULT_MAXELEM: u32 = 65536;

/// Members in one message. The kernel sends a refused one back as a whole, which has to fit a receive buffer.
pub const MEMBERS_PER_MESSAGE: usize = 1024;

/// What a set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `hash:ip`: hosts.
    Ip,
    /// `hash:net`: prefixes.
    Net,
}

impl Kind {
    /// The kernel's name of the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "hash:ip",
            Self::Net => "hash:net",
        }
    }

    /// The last revision before bucket sizes, which nothing here sets; since Linux 3.18.
    const fn revision(self) -> u8 {
        match self {
            Self::Ip => 4,
            Self::Net => 6,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The family of a set's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `inet`.
    Ipv4,
    /// `inet6`.
    Ipv6,
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }

    /// The family of a number, if sets of addresses have it.
    const fn of(number: u8) -> Option<Self> {
        match number {
            2 => Some(Self::Ipv4),
            10 => Some(Self::Ipv6),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "inet",
            Self::Ipv6 => "inet6",
        })
    }
}

/// What a set is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form {
    /// What it holds.
    pub kind: Kind,
    /// Of which family.
    pub family: Family,
    /// How many members it takes.
    pub maxelem: u32,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} family {} maxelem {}", self.kind, self.family, self.maxelem)
    }
}

/// A set that stands, of whatever type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// The name of its type.
    pub type_name: String,
    /// Of which family; `None` for a type that has none.
    pub family: Option<Family>,
    /// How many members it takes.
    pub maxelem: Option<u32>,
    /// Its members, in the kernel's order, as far as they are addresses or prefixes.
    pub members: Vec<IpNetwork>,
    /// Members that keep others out (`nomatch`).
    pub exceptions: Vec<IpNetwork>,
}

impl Content {
    /// Whether it is of that kind and family.
    #[must_use]
    pub fn is(&self, kind: Kind, family: Family) -> bool {
        self.type_name == kind.name() && self.family == Some(family)
    }
}

/// One order to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Make a set.
    Create(IpsetName, Form),
    /// Put members in.
    Add(IpsetName, Vec<IpNetwork>),
    /// Take members out.
    Delete(IpsetName, Vec<IpNetwork>),
    /// Let two sets change their names, and so their places in rules.
    Swap(IpsetName, IpsetName),
    /// Destroy a set that no rule refers to; one that is not there is destroyed already.
    Destroy(IpsetName),
}

impl Order {
    /// The set that it is about.
    #[must_use]
    pub fn set(&self) -> &IpsetName {
        match self {
            Self::Create(set, _)
            | Self::Add(set, _)
            | Self::Delete(set, _)
            | Self::Swap(set, _)
            | Self::Destroy(set) => set,
        }
    }

    /// How many messages it takes.
    #[must_use]
    pub fn messages(&self) -> usize {
        match self {
            Self::Add(_, members) | Self::Delete(_, members) => members.len().div_ceil(MEMBERS_PER_MESSAGE),
            _ => 1,
        }
    }

    /// What it does.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::Create(..) => Operation::Create,
            Self::Add(..) => Operation::Add,
            Self::Delete(..) => Operation::Delete,
            Self::Swap(..) => Operation::Swap,
            Self::Destroy(_) => Operation::Destroy,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(set, form) => write!(f, "create {set} {form}"),
            Self::Add(set, members) => list(f, "add", set, members),
            Self::Delete(set, members) => list(f, "del", set, members),
            Self::Swap(set, other) => write!(f, "swap {set} {other}"),
            Self::Destroy(set) => write!(f, "destroy {set}"),
        }
    }
}

/// Members as lines of `ipset restore`.
fn list(f: &mut fmt::Formatter<'_>, verb: &str, set: &IpsetName, members: &[IpNetwork]) -> fmt::Result {
    for (number, member) in members.iter().enumerate() {
        let end = if number == 0 { "" } else { "\n" };
        write!(f, "{end}{verb} {set} {member}")?;
    }
    Ok(())
}

/// The prefixes that stand for one in a set: itself, or the two halves of everything.
#[must_use]
pub fn halves(prefix: IpNetwork) -> Vec<IpNetwork> {
    if prefix.prefix() > 0 {
        return vec![prefix];
    }
    let halves: [IpAddr; 2] = match prefix {
        IpNetwork::V4(_) => [Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(128, 0, 0, 0).into()],
        IpNetwork::V6(_) => [Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0).into()],
    };
    halves.into_iter().filter_map(|half| IpNetwork::new(half, 1).ok()).collect()
}

/// The ipsets of one network namespace.
#[derive(Debug)]
pub struct Client<T = Socket> {
    transport: T,
    seq: u32,
}

impl Client<Socket> {
    /// Those of a namespace. The caller's stays what it is.
    ///
    /// # Errors
    /// Those of [`Socket::open_in`].
    pub fn open_in(namespace: &Namespace) -> std::io::Result<Self> {
        Ok(Self::over(Socket::open_in(namespace)?))
    }
}

impl<T> Client<T> {
    /// The same by another way to the kernel.
    pub fn over(transport: T) -> Self {
        Self { transport, seq: 0 }
    }
}

impl<T: Transport> Client<T> {
    /// The set of that name with its members; `None` when there is none.
    ///
    /// # Errors
    /// [`Error`] with the kernel's errno.
    pub fn list(&mut self, name: &IpsetName) -> Result<Option<Content>, Error> {
        let failed = |error| Error::new(Operation::List, name, error);
        let question = message::list(name, self.next()).map_err(|error| failed(error.into()))?;
        let parts = match request::dump(&mut self.transport, &question, message::decode) {
            Ok(parts) => parts,
            // Without the module there is no set either.
            Err(error) if matches!(error.errno(), Some(libc::ENOENT)) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut parts = parts.into_iter();
        let Some(mut content) = parts.next() else { return Ok(None) };
        for part in parts {
            content.members.extend(part.members);
            content.exceptions.extend(part.exceptions);
        }
        Ok(Some(content))
    }

    /// Carries out an order, many members in few messages.
    ///
    /// # Errors
    /// [`Error`] with the kernel's errno, and the first member that it did not take.
    pub fn run(&mut self, order: &Order) -> Result<(), Error> {
        match order {
            Order::Add(set, members) | Order::Delete(set, members) => {
                members.chunks(MEMBERS_PER_MESSAGE).try_for_each(|some| self.members(order.operation(), set, some))
            }
            _ => {
                let bytes = message::order(order, self.next());
                let run = bytes.map_err(RequestError::from).and_then(|bytes| self.send(&bytes));
                match run {
                    // Kernels differ in whether that is an error.
                    Err(error) if error.errno() == Some(libc::ENOENT) && matches!(order, Order::Destroy(_)) => Ok(()),
                    run => run.map_err(|error| Error::new(order.operation(), order.set(), error)),
                }
            }
        }
    }

    fn members(&mut self, operation: Operation, set: &IpsetName, members: &[IpNetwork]) -> Result<(), Error> {
        let Err(error) = self.exchange(operation, set, members) else { return Ok(()) };
        if members.len() < 2 || !matches!(error, RequestError::Refused(_)) {
            return Err(Error::new(operation, set, error).about(members.first().copied()));
        }
        // One of them is to blame; the others may be given again.
        for member in members {
            let alone = std::slice::from_ref(member);
            let run = self.exchange(operation, set, alone);
            run.map_err(|error| Error::new(operation, set, error).about(Some(*member)))?;
        }
        Ok(())
    }

    fn exchange(&mut self, operation: Operation, set: &IpsetName, members: &[IpNetwork]) -> Result<(), RequestError> {
        let bytes = message::members(operation == Operation::Add, set, members, self.next())?;
        self.send(&bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), RequestError> {
        request::order(&mut self.transport, bytes)
    }

    fn next(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }
}

#[cfg(test)]
mod tests;
