//! What the native layout does in another form than its first.
//!
//! Owns: [`Fallback`], and how it reads.
//! Never: decides that something cannot be done.
//!
//! Invariant: a fallback changes what an application costs, never what becomes of a packet.

use std::fmt;

use crate::name::ChainName;
use crate::wrap::TableId;

/// Something that was done in another form, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// New rules have a part that no native expression means exactly: the xt extension does it.
    Extension {
        /// The match or target, by its iptables name.
        part: &'static str,
        /// Why no native expression does.
        reason: &'static str,
        /// How many new rules have it.
        rules: usize,
    },
    /// A table stands with those of iptables as a whole: the kernel takes an extension there only.
    Table {
        /// The table.
        table: TableId,
        /// The match or target, by its iptables name.
        part: &'static str,
        /// Why no native expression does.
        reason: &'static str,
    },
    /// Rules stand as they are written, because the table has as many constant sets as it may have.
    Unfolded {
        /// Their table.
        table: TableId,
        /// Their chain.
        chain: ChainName,
        /// How many rules sets would stand for.
        rules: usize,
    },
    /// The kernel lacks a feature.
    Feature {
        /// The feature, with the version that brought it.
        missing: &'static str,
        /// What is done instead.
        instead: &'static str,
    },
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension { part, reason, rules } => {
                write!(f, "xt extension {part} in {rules} rule{}: {reason}", if *rules == 1 { "" } else { "s" })
            }
            Self::Table { table, part, reason } => write!(f, "table {table} stands with iptables for {part}: {reason}"),
            Self::Unfolded { table, chain, rules } => {
                write!(f, "{rules} rules of {table} {chain} are not folded: the table has as many sets as it may have")
            }
            Self::Feature { missing, instead } => write!(f, "the kernel has no {missing}: {instead}"),
        }
    }
}
