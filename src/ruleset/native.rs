//! What has to change in the tables of the native layout, as typed values.
//!
//! Owns: [`NativeChange`], one operation of a transaction, and how it reads.
//! Never: finds a difference, sends anything.
//!
//! Invariant: changes are listed in the order in which they are sent: what is looked up comes before what looks it up,
//! what is no longer used goes last.

use std::fmt;
use std::num::NonZeroU64;

use crate::compile::native::Fallback;
use crate::layout::native::{ChainHead, Item};
use crate::name::{ChainName, SetName, TableName};
use crate::nft::{BaseChain, Element, Family, Policy, Set, TableFlags};
use crate::wrap::{Place, TableId};

use super::Mark;

/// One change to a table of the native layout.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NativeChange {
    /// Delete a table with all that is in it; what is wanted of it is made anew in the same transaction.
    DeleteTable {
        /// Which one.
        table: TableId,
        /// Its name.
        name: TableName,
    },
    /// Make a table, or take over one whose owner is gone.
    AddTable {
        /// Which one.
        table: TableId,
        /// Its name.
        name: TableName,
        /// Its flags.
        flags: TableFlags,
        /// Its user data, for a table that is new; `None`: it stands, and we become its owner.
        userdata: Option<Box<[u8]>>,
    },
    /// Make a set or map.
    AddSet {
        /// Its table.
        table: TableId,
        /// The set.
        set: Box<Set>,
    },
    /// Make a chain.
    AddChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
        /// What it is.
        head: Box<ChainHead>,
    },
    /// Set the policy of a base chain.
    SetPolicy {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
        /// The new policy.
        policy: Policy,
    },
    /// Delete all rules of a chain.
    FlushChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
    },
    /// Delete a rule.
    DeleteRule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// Its handle.
        handle: NonZeroU64,
    },
    /// Add a rule.
    AddRule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// The handle of the rule that will follow it; `None`: the end of the chain.
        before: Option<NonZeroU64>,
        /// What it is made of.
        item: Item,
        /// Its number among our rules of the chain, from 1.
        number: u32,
        /// The mark in its user data with its place, in a chain that other components use, too.
        mark: Option<Box<(Mark, Place)>>,
        /// Its expressions as a listing shows them, and what of it needs an xt extension; only in a plan that was asked
        /// for, not on the way to a commit.
        listing: Option<Box<(Box<str>, Vec<Fallback>)>>,
    },
    /// Delete elements.
    DeleteElements {
        /// Its table.
        table: TableId,
        /// The set.
        set: SetName,
        /// The elements.
        elements: Vec<Element>,
    },
    /// Add elements.
    AddElements {
        /// Its table.
        table: TableId,
        /// The set.
        set: SetName,
        /// The elements.
        elements: Vec<Element>,
    },
    /// Delete a chain.
    DeleteChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
    },
    /// Delete a set.
    DeleteSet {
        /// Its table.
        table: TableId,
        /// Its name.
        set: SetName,
    },
}

impl NativeChange {
    /// The table it is about.
    #[must_use]
    pub fn table(&self) -> TableId {
        match self {
            Self::DeleteTable { table, .. }
            | Self::AddTable { table, .. }
            | Self::AddSet { table, .. }
            | Self::AddChain { table, .. }
            | Self::SetPolicy { table, .. }
            | Self::FlushChain { table, .. }
            | Self::DeleteRule { table, .. }
            | Self::AddRule { table, .. }
            | Self::DeleteElements { table, .. }
            | Self::AddElements { table, .. }
            | Self::DeleteChain { table, .. }
            | Self::DeleteSet { table, .. } => *table,
        }
    }

    /// The kernel chain it is about.
    #[must_use]
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::AddChain { chain, .. }
            | Self::SetPolicy { chain, .. }
            | Self::FlushChain { chain, .. }
            | Self::DeleteRule { chain, .. }
            | Self::AddRule { chain, .. }
            | Self::DeleteChain { chain, .. } => Some(chain),
            _ => None,
        }
    }

    /// The set or map it is about.
    #[must_use]
    pub fn set(&self) -> Option<&SetName> {
        match self {
            Self::AddSet { set, .. } => Some(&set.name),
            Self::DeleteElements { set, .. } | Self::AddElements { set, .. } | Self::DeleteSet { set, .. } => Some(set),
            _ => None,
        }
    }
}

impl fmt::Display for NativeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.table();
        let family = Family::from(at.family);
        match self {
            Self::DeleteTable { name, .. } => write!(f, "delete table {family} {name}"),
            Self::AddTable { name, userdata: None, .. } => write!(f, "take over table {family} {name}"),
            Self::AddTable { name, flags, .. } if flags.contains(TableFlags::OWNER) => {
                write!(f, "add table {family} {name} flags owner, persist")
            }
            Self::AddTable { name, .. } => write!(f, "add table {family} {name}"),
            Self::AddSet { set, .. } => {
                write!(f, "add {} {at} {}", if set.data.is_some() { "map" } else { "set" }, set.name)
            }
            Self::AddChain { chain, head, .. } => {
                write!(f, "add chain {at} {chain}")?;
                head.base.as_ref().map_or(Ok(()), |base| write!(f, " {}", hook(base)))
            }
            Self::SetPolicy { chain, policy, .. } => write!(f, "set policy of {at} {chain}: {}", word(*policy)),
            Self::FlushChain { chain, .. } => write!(f, "flush chain {at} {chain}"),
            Self::DeleteRule { chain, handle, .. } => write!(f, "delete rule {at} {chain} handle {handle}"),
            Self::AddRule { chain, before, number, listing, .. } => {
                write!(f, "add rule {at} {chain} {number}")?;
                before.map_or(Ok(()), |handle| write!(f, " before handle {handle}"))?;
                let Some((listing, fallbacks)) = listing.as_deref() else { return Ok(()) };
                write!(f, ": {listing}")?;
                fallbacks.iter().try_for_each(|fallback| write!(f, " (xt {}: {})", fallback.part, fallback.reason))
            }
            Self::DeleteElements { set, elements, .. } => {
                write!(f, "delete {} of {at} {set}", count(elements.len(), "element"))
            }
            Self::AddElements { set, elements, .. } => {
                write!(f, "add {} to {at} {set}", count(elements.len(), "element"))
            }
            Self::DeleteChain { chain, .. } => write!(f, "delete chain {at} {chain}"),
            Self::DeleteSet { set, .. } => write!(f, "delete set {at} {set}"),
        }
    }
}

fn hook(base: &BaseChain) -> String {
    let policy = base.policy.map(|policy| format!(" policy {}", word(policy)));
    format!("type {} hook {} priority {}{}", base.kind, base.hook, base.priority, policy.unwrap_or_default())
}

fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "accept",
        Policy::Drop => "drop",
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
