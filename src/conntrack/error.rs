//! What can go wrong between us and connection tracking.

use std::fmt;

use thiserror::Error as ThisError;

use super::Entry;
use crate::netlink::request::RequestError;

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Opening a socket.
    Open,
    /// Listing entries.
    List,
    /// Deleting this entry.
    Delete(Box<Entry>),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("cannot reach connection tracking"),
            Self::List => f.write_str("cannot list connections"),
            Self::Delete(entry) => write!(f, "cannot delete the connection {entry}"),
        }
    }
}

/// Why an operation on connection tracking failed.
#[derive(Debug, ThisError)]
#[error("{operation}: {source}")]
pub struct Error {
    /// What was tried.
    pub operation: Operation,
    /// What came back.
    pub source: RequestError,
}

impl Error {
    pub(super) fn new(operation: Operation, source: RequestError) -> Self {
        Self { operation, source }
    }

    /// The kernel's error number, if it is one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.source.errno()
    }

    /// Whether the right to do that is missing: `CAP_NET_ADMIN` in the namespace's user namespace is needed.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self.errno(), Some(libc::EPERM | libc::EACCES))
    }

    /// Whether the kernel has no ctnetlink, and so no connections to speak of.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        // What `nfnetlink_rcv_msg` says about a subsystem that is not there.
        self.operation == Operation::List && matches!(self.errno(), Some(libc::EINVAL | libc::EOPNOTSUPP))
    }
}
