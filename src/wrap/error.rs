//! What a caller of the model can get wrong.
//!
//! Owns: the error of every operation and of the check before an apply.
//! Never: knows the kernel's answers; an error here means that nothing was sent.

use std::fmt;

use ipnetwork::IpNetwork;
use thiserror::Error;

use super::builtin::TableId;
use super::set::SetKind;
use crate::name::{ChainName, IpsetName, NameError};
use crate::rule::Family;

/// A rule's place, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct At {
    /// The table.
    pub table: TableId,
    /// The chain.
    pub chain: ChainName,
    /// The rule's number in the chain among ours, from 1.
    pub rule: usize,
    /// The line of the text it came from, if it came from text.
    pub line: Option<u32>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, chain {}, rule {}", self.table, self.chain, self.rule)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// Why the model refuses an operation, or cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The word is no chain name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The name that the kernel would get is too long.
    #[error("chain name `{name}` is {len} bytes long, {max} is the most here", len = name.as_str().len())]
    ChainNameTooLong {
        /// The whole name, wrap name and hyphen included.
        name: ChainName,
        /// The longest that is taken.
        max: usize,
    },
    /// The name is a target's, so that `-j NAME` would not mean the chain.
    #[error("chain name `{name}` is the name of a target")]
    TargetName {
        /// The name.
        name: ChainName,
    },
    /// A wrapped chain is named in a model without a component.
    #[error("`${name}` is a wrapped chain, but no wrap name is given")]
    NoComponent {
        /// The chain's logical name.
        name: String,
    },
    /// Two different chains would have one kernel name.
    #[error("{table}: chain `{name}` is there already, {with}")]
    Collision {
        /// The table.
        table: TableId,
        /// The kernel name of both.
        name: ChainName,
        /// What the existing one is.
        with: &'static str,
    },
    /// There is no such chain; wrapped chains must be added before rules.
    #[error("{table}: there is no chain `{chain}`")]
    UnknownChain {
        /// The table.
        table: TableId,
        /// The kernel name that was looked for.
        chain: String,
    },
    /// Built-in chains cannot be removed.
    #[error("{table}: chain `{chain}` is built in")]
    BuiltinChain {
        /// The table.
        table: TableId,
        /// The chain.
        chain: ChainName,
    },
    /// Only built-in chains have a policy.
    #[error("{table}: chain `{chain}` is not built in and has no policy")]
    NoPolicy {
        /// The table.
        table: TableId,
        /// The chain.
        chain: String,
    },
    /// The rule belongs to the other family.
    #[error("{table}: the rule's {part} is {family} only")]
    WrongFamily {
        /// The table.
        table: TableId,
        /// What binds the rule.
        part: &'static str,
        /// The family it is bound to.
        family: Family,
    },
    /// The rule cannot match in any family.
    #[error("the rule's {first} is IPv4 only and its {second} is IPv6 only")]
    MixedFamilies {
        /// What binds it to IPv4.
        first: &'static str,
        /// What binds it to IPv6.
        second: &'static str,
    },
    /// The model was built without IPv6.
    #[error("IPv6 is switched off")]
    Ipv6Off,
    /// There is no such set; it must be added before its members.
    #[error("{table}: there is no set `{set}`")]
    UnknownSet {
        /// The table.
        table: TableId,
        /// The name that was looked for.
        set: IpsetName,
    },
    /// The set is there with the other kind.
    #[error("{table}: set `{set}` is there already, of {kind}")]
    SetKind {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// What it has as members.
        kind: SetKind,
    },
    /// The member belongs to the other family.
    #[error("{table}: {member} cannot be in set `{set}`, which is of the other family")]
    MemberFamily {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// The member.
        member: IpNetwork,
    },
    /// A set of addresses has hosts only, and not the unspecified address.
    #[error("{table}: {member} cannot be in set `{set}`, which has hosts only")]
    NoHost {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// The member.
        member: IpNetwork,
    },
    /// Sets of two tables have one name, and stand where names are for all tables.
    #[error("{table}: set `{set}` is one of {other}, too; an ipset has its name for all tables")]
    SetTwice {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// The other table.
        other: TableId,
    },
    /// A rule refers to the set that was to be removed.
    #[error("{table}: chain `{chain}` still refers to set `{set}`")]
    SetInUse {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// A chain with such a rule.
        chain: ChainName,
    },
    /// A rule jumps to a chain that is neither in the model nor in the kernel.
    #[error("{at}: jumps to chain `{target}`, which is not there")]
    UnknownTarget {
        /// The rule.
        at: At,
        /// The chain it jumps to.
        target: ChainName,
    },
    /// A rule jumps to a built-in chain.
    #[error("{at}: jumps to `{target}`, which is built in")]
    BuiltinTarget {
        /// The rule.
        at: At,
        /// The chain it jumps to.
        target: ChainName,
    },
    /// A rule closes a circle of jumps.
    #[error("{at}: closes a loop of jumps: {}", Arrows(chains))]
    Loop {
        /// The rule.
        at: At,
        /// The chains on the circle; the first is the one that the rule jumps to, the last is the rule's own.
        chains: Vec<ChainName>,
    },
    /// A rule jumps deeper than the kernel follows.
    #[error("{at}: jumps to `{target}` at depth {depth}, {max} is the most", max = super::check::MAX_DEPTH)]
    TooDeep {
        /// The rule.
        at: At,
        /// The chain it jumps to.
        target: ChainName,
        /// Jumps on the longest way from a built-in chain.
        depth: usize,
    },
}

impl ModelError {
    /// The rule that is at fault, when it is one.
    #[must_use]
    pub fn at(&self) -> Option<&At> {
        match self {
            Self::UnknownTarget { at, .. }
            | Self::BuiltinTarget { at, .. }
            | Self::Loop { at, .. }
            | Self::TooDeep { at, .. } => Some(at),
            _ => None,
        }
    }
}

/// Chains of a loop, back to the first.
struct Arrows<'a>(&'a [ChainName]);

impl fmt::Display for Arrows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chain in self.0 {
            write!(f, "{chain} -> ")?;
        }
        self.0.first().map_or(Ok(()), |first| write!(f, "{first}"))
    }
}
