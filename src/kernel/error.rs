//! What can go wrong between us and the kernel.

use std::io;

use thiserror::Error;

use super::Errno;
use crate::netlink::message::MessageError;

/// Why a dump or question was not answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No right to talk to nf_tables: `CAP_NET_ADMIN` in the namespace's user namespace is needed.
    #[error("not permitted: nf_tables needs CAP_NET_ADMIN")]
    NotPermitted,
    /// The kernel refused the question.
    #[error("the kernel refused {what}: {errno}{}", text.as_ref().map(|t| format!(" ({t})")).unwrap_or_default())]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The kernel's error.
        errno: Errno,
        /// The kernel's own words, if it had any.
        text: Option<String>,
    },
    /// The ruleset changed during the dump, time and again.
    #[error("the ruleset changed during each of {attempts} dumps")]
    Interrupted {
        /// How many dumps were begun.
        attempts: u32,
    },
    /// The answer is not what nf_tables is known to send.
    #[error("the kernel's answer cannot be read: {0}")]
    Malformed(#[from] MessageError),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// Whether the right to talk to nf_tables is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::NotPermitted)
            || matches!(self, Self::Refused { errno, .. } if *errno == Errno::PERM || *errno == Errno::ACCES)
    }

    /// Whether the kernel lacks what was asked for.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        matches!(self, Self::Refused { errno, .. } if *errno == Errno::OPNOTSUPP)
    }
}

/// One error message of the kernel about a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Sequence number of the message it is about. A commit that fails as a whole is reported against the first message.
    pub seq: u32,
    /// The error.
    pub errno: Errno,
    /// Offset of the attribute that is to blame, from the start of its message's header.
    pub offset: Option<u32>,
    /// The kernel's own words.
    pub text: Option<String>,
}

/// Why a transaction was not committed. Nothing of it is in effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The kernel does not take one or more operations. It goes on after an error, so these are all of them.
    #[error("the kernel refused {} of the operations, first: {}", .0.len(), first(.0))]
    Refused(Vec<Rejection>),
    /// The ruleset is no longer that of the generation the batch was computed from.
    #[error("the ruleset changed since generation {expected}")]
    Stale {
        /// The generation that the batch names.
        expected: u32,
    },
    /// The batch does not fit the socket's send buffer.
    #[error(
        "the transaction has {size} bytes and the send buffer takes at most {limit}; \
         raise net.core.wmem_max, or run with CAP_NET_ADMIN in the initial user namespace"
    )]
    TooLarge {
        /// Size of the batch in bytes.
        size: usize,
        /// The most that the socket takes, in bytes.
        limit: usize,
    },
    /// No right to change nf_tables.
    #[error("not permitted: nf_tables needs CAP_NET_ADMIN")]
    NotPermitted,
    /// The kernel took the batch and said nothing about it, or its answer was lost. Only a dump can tell what is in effect.
    #[error("the kernel did not answer the transaction")]
    NoAnswer,
    /// The kernel's answer cannot be read.
    #[error("the kernel's answer cannot be read: {0}")]
    Malformed(#[from] MessageError),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn first(rejections: &[Rejection]) -> String {
    rejections.first().map_or_else(String::new, |r| match &r.text {
        Some(text) => format!("message {}: {} ({text})", r.seq, r.errno),
        None => format!("message {}: {}", r.seq, r.errno),
    })
}

impl CommitError {
    /// Whether some rejection has this error.
    #[must_use]
    pub fn has(&self, errno: Errno) -> bool {
        self.rejections().iter().any(|r| r.errno == errno)
    }

    /// All rejections; none when the batch failed for another reason.
    #[must_use]
    pub fn rejections(&self) -> &[Rejection] {
        match self {
            Self::Refused(rejections) => rejections,
            _ => &[],
        }
    }

    /// Whether a table, chain, set or rule that the batch names is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.has(Errno::NOENT)
    }

    /// Whether something the batch creates exists already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.has(Errno::EXIST)
    }

    /// Whether the ruleset moved since the batch was computed: read back, compute again, commit again.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. })
    }

    /// Whether nobody knows if the batch is in effect: it was sent, and no answer to it was read.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::NoAnswer | Self::Malformed(_) | Self::Io(_))
    }

    /// Whether something the batch deletes is still in use.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.has(Errno::BUSY)
    }

    /// Whether the right to change nf_tables, or a table that another socket owns, is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::NotPermitted) || self.has(Errno::PERM)
    }

    /// Whether this kernel lacks something the batch uses.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        self.has(Errno::OPNOTSUPP)
    }
}
