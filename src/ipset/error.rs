//! What can go wrong between us and ipsets.

use std::fmt;

use ipnetwork::IpNetwork;
use thiserror::Error as ThisError;

use crate::name::IpsetName;
use crate::netlink::ack::Ack;
use crate::netlink::request::RequestError;

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reading a set.
    List,
    /// Making one.
    Create,
    /// Adding members.
    Add,
    /// Deleting members.
    Delete,
    /// Exchanging two sets.
    Swap,
    /// Destroying one.
    Destroy,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Add => "add to",
            Self::Delete => "delete from",
            Self::Swap => "swap",
            Self::Destroy => "destroy",
        })
    }
}

/// Errors that only ipsets have, `enum ipset_errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The kernel has no such type of sets.
    FindType,
    /// There are as many sets as the kernel takes.
    MaxSets,
    /// Something refers to the set.
    Busy,
    /// The sets to be swapped are of different types.
    TypeMismatch,
    /// The member is there already, or not there.
    Exist,
    /// The set is full.
    Full,
    /// Members cannot be like that.
    Element,
}

impl Reason {
    /// Its number.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::FindType => 4098,
            Self::MaxSets => 4099,
            Self::Busy => 4100,
            Self::TypeMismatch => 4102,
            Self::Exist => 4103,
            Self::Full => 4352,
            Self::Element => 4353,
        }
    }

    const ALL: [Self; 7] =
        [Self::FindType, Self::MaxSets, Self::Busy, Self::TypeMismatch, Self::Exist, Self::Full, Self::Element];

    const fn text(self) -> &'static str {
        match self {
            Self::FindType => "the kernel has no such type of sets",
            Self::MaxSets => "the kernel takes no more sets",
            Self::Busy => "it is in use",
            Self::TypeMismatch => "the sets are of different types",
            Self::Exist => "it is there already, or not there",
            Self::Full => "the set is full",
            Self::Element => "a set cannot have such a member",
        }
    }
}

/// Why an operation on an ipset failed.
#[derive(Debug, ThisError)]
#[error("cannot {operation} ipset {set}{}: {}", member.map(|m| format!(" ({m})")).unwrap_or_default(), self.text())]
pub struct Error {
    /// What was tried.
    pub operation: Operation,
    /// On which set.
    pub set: IpsetName,
    /// The member that the kernel did not take.
    pub member: Option<IpNetwork>,
    /// What came back.
    pub source: RequestError,
}

impl Error {
    pub(super) fn new(operation: Operation, set: &IpsetName, source: RequestError) -> Self {
        Self { operation, set: set.clone(), member: None, source }
    }

    /// The error that a kernel answers with this number.
    #[must_use]
    pub fn refused(operation: Operation, set: &IpsetName, errno: i32) -> Self {
        Self::new(operation, set, RequestError::Refused(Ack { errno, ..Ack::default() }))
    }

    /// There was no way to the kernel.
    #[must_use]
    pub fn unreachable(operation: Operation, set: &IpsetName, error: std::io::Error) -> Self {
        Self::new(operation, set, error.into())
    }

    /// The same about a member.
    #[must_use]
    pub fn about(self, member: Option<IpNetwork>) -> Self {
        Self { member, ..self }
    }

    /// The kernel's error number, if it is one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.source.errno()
    }

    /// What the number means, if it is one that only ipsets have.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| Some(reason.errno()) == self.errno())
    }

    /// Whether something still refers to the set.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.reason() == Some(Reason::Busy)
    }

    /// Whether there is no such set.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(libc::ENOENT)
    }

    /// Whether the right to do that is missing: `CAP_NET_ADMIN` in the namespace's user namespace is needed.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self.errno(), Some(libc::EPERM | libc::EACCES))
    }

    /// Whether the kernel lacks ipsets, or this type of them.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        self.reason() == Some(Reason::FindType) || matches!(self.errno(), Some(libc::EINVAL | libc::EOPNOTSUPP))
    }

    fn text(&self) -> String {
        self.reason().map_or_else(|| self.source.to_string(), |reason| reason.text().to_owned())
    }
}
