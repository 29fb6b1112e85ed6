//! The one public error: what was tried, on which object, and why it did not happen.
//!
//! Owns: [`Error`], and the predicates that callers decide on.
//! Never: prints, logs, or turns a refusal into text only; every part stays readable by code.

use std::fmt;
use std::sync::Arc;

use thiserror::Error as ThisError;

use crate::compile::CompileError;
use crate::ipset;
use crate::kernel::{self, Errno};
use crate::layout;
use crate::name::{ChainName, IpsetName, NameError, SetName, TableName, WrapName};
use crate::rule::Rule;
pub use crate::ruleset::Location;
use crate::wrap::{ModelError, TableId};

/// What the kernel was asked to do when it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Make a table.
    AddTable,
    /// Make a chain, or set its policy.
    AddChain,
    /// Add a rule.
    AddRule,
    /// Delete a rule.
    DeleteRule,
    /// Empty a chain.
    FlushChain,
    /// Delete a chain.
    DeleteChain,
    /// Delete a table.
    DeleteTable,
    /// Make a set or map.
    AddSet,
    /// Delete a set or map.
    DeleteSet,
    /// Add elements.
    AddElements,
    /// Delete elements.
    DeleteElements,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddTable => "add table",
            Self::AddChain => "add chain",
            Self::AddRule => "add rule",
            Self::DeleteRule => "delete rule",
            Self::FlushChain => "flush chain",
            Self::DeleteChain => "delete chain",
            Self::DeleteTable => "delete table",
            Self::AddSet => "add set",
            Self::DeleteSet => "delete set",
            Self::AddElements => "add elements",
            Self::DeleteElements => "delete elements",
        })
    }
}

/// One operation that the kernel refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What was tried.
    pub operation: Operation,
    /// On what.
    pub location: Location,
    /// The set or map, when it was about one or its elements.
    pub set: Option<SetName>,
    /// The rule, when it was about one.
    pub rule: Option<Arc<Rule>>,
    /// The kernel's error.
    pub errno: Errno,
    /// The kernel's own explanation (extended acknowledgement).
    pub text: Option<String>,
    /// The expression that the kernel points at, as the readable listing shows it.
    pub expression: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.operation, self.location)?;
        if let Some(set) = &self.set {
            write!(f, ", set {set}")?;
        }
        write!(f, ": {}", self.errno)?;
        if let Some(text) = &self.text {
            write!(f, " ({text})")?;
        }
        if let Some(expression) = &self.expression {
            write!(f, " at {expression}")?;
        }
        Ok(())
    }
}

/// Why a change did not happen. The model is unchanged, and so is the kernel, unless [`is_in_doubt`](Error::is_in_doubt).
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A word cannot be a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The model does not hold together: a jump to a chain that is not there, a loop, a jump graph that is too deep.
    #[error("{}", list(.0))]
    Model(Vec<ModelError>),
    /// A rule has no form in the layout.
    #[error("{location}: {source}")]
    Compile {
        /// Where the rule is.
        location: Location,
        /// The rule.
        rule: Arc<Rule>,
        /// What is wrong with it.
        source: CompileError,
    },
    /// A name has no place in the native layout.
    #[error(transparent)]
    Layout(layout::native::Error),
    /// A chain of ours is to go, and a rule of another program still jumps to it.
    #[error("chain {chain} of {} cannot be deleted: {by} refers to it; remove that first", location.table)]
    StillReferenced {
        /// Where the chain is.
        location: Location,
        /// The chain.
        chain: ChainName,
        /// The rule that refers to it.
        by: String,
    },
    /// A chain that is to hold our rules is another component's own.
    #[error("{location} belongs to the component {owner}; a shared chain is the place for rules of several components")]
    OwnedByAnother {
        /// Where the chain is.
        location: Location,
        /// Whose it is.
        owner: WrapName,
    },
    /// A chain of a built-in name stands in the kernel with another type, hook or priority.
    #[error("{location} is not the chain that iptables makes: {found}; the table belongs to another program")]
    Incompatible {
        /// Where the chain is.
        location: Location,
        /// What it is.
        found: String,
    },
    /// A table that is to be ours alone belongs to a process that lives.
    #[error(
        "table {name} ({table}) is owned by the process of netlink port {port}; \
         stop that one first, or give the group another name"
    )]
    TableOwned {
        /// Which table.
        table: TableId,
        /// Its name.
        name: TableName,
        /// The owner's netlink port, which most often is its process id.
        port: u32,
    },
    /// A table of our name stands, and somebody else made it.
    #[error("table {name} ({table}) is not of this component; delete it, or give the group another name")]
    ForeignTable {
        /// Which table.
        table: TableId,
        /// Its name.
        name: TableName,
    },
    /// The kernel refused the transaction.
    #[error("the kernel refused the transaction: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// Other programs changed the tables each time between our reading and our commit.
    #[error("the tables changed under us {attempts} times in a row; try again when the other writer is quiet")]
    Stale {
        /// How often it was tried.
        attempts: u32,
    },
    /// The kernel could not be reached or asked.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// The batch could not be sent.
    #[error(transparent)]
    Commit(kernel::CommitError),
    /// A part of the change is in effect: of several transactions ([`native_layout`](crate::manual::native_layout)) the kernel
    /// has taken some, and not all. The next application reads what stands, and goes on from there.
    #[error("a part of the change is in effect, and the rest is not: {0}")]
    Partly(Box<Error>),
    /// An ipset could not be read or changed. What was changed of it is taken back.
    #[error(transparent)]
    Ipset(#[from] ipset::Error),
    /// An ipset of our name stands, and is of another type.
    #[error("ipset {set} is there as {found}, and {wanted} is wanted; destroy it, or give the set another name")]
    IpsetType {
        /// The set.
        set: IpsetName,
        /// What it should be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// A message cannot be encoded.
    #[error("{location}: {source}")]
    Encode {
        /// What it was about.
        location: Location,
        /// What does not fit.
        source: crate::transaction::SealError,
    },
}

impl From<layout::native::Error> for Error {
    fn from(error: layout::native::Error) -> Self {
        match error {
            layout::native::Error::Model(errors) => Self::Model(errors),
            layout::native::Error::Rule { table, chain, line, rule, source } => {
                let location = Location { table, chain: Some(chain), rule: None, line };
                Self::Compile { location, rule, source }
            }
            other => Self::Layout(other),
        }
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    fn errno(&self, wanted: &[Errno]) -> bool {
        match self {
            Self::Refused(refusals) => refusals.iter().any(|r| wanted.contains(&r.errno)),
            Self::Partly(error) => error.errno(wanted),
            _ => false,
        }
    }

    /// Whether the change, or a part of it, may be in effect nevertheless: the kernel's answer was lost, or came amid several
    /// transactions. What is known of the kernel is forgotten; the next application reads what stands, and ends it.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Partly(_)) || matches!(self, Self::Commit(error) if error.is_in_doubt())
    }

    /// Something that was referred to is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.errno(&[Errno::NOENT])
    }

    /// Something that was to be made is there already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.errno(&[Errno::EXIST])
    }

    /// Something that was to go is still in use.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::StillReferenced { .. })
            || matches!(self, Self::Ipset(error) if error.is_busy())
            || self.errno(&[Errno::BUSY])
    }

    /// Other writers were faster.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. })
    }

    /// The privilege `CAP_NET_ADMIN` is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::Commit(error) => matches!(error, kernel::CommitError::NotPermitted),
            Self::Kernel(error) => error.is_not_permitted(),
            Self::Ipset(error) => error.is_not_permitted(),
            Self::TableOwned { .. } => true,
            _ => self.errno(&[Errno::PERM]),
        }
    }

    /// This kernel lacks something that the rules need.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        matches!(self, Self::Ipset(error) if error.is_not_supported())
            || self.errno(&[Errno::OPNOTSUPP, Errno::AFNOSUPPORT])
    }
}
