//! What has to change, as typed values.
//!
//! Owns: [`Change`] and [`Plan`].
//! Never: finds a difference, sends anything.
//!
//! Invariant: a plan lists tables and chains that are made first, then rules chain by chain (deletions before
//! additions), then chains that go: emptied first, because they may refer to each other.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use super::{Fallback, Identity, Location, Mark, NativeChange};
use crate::ipset::Order;
use crate::name::ChainName;
use crate::nft::BaseChain;
use crate::nft::expr::Counter;
use crate::rule::Rule;
use crate::wrap::{Place, TableId};

/// One change to the kernel. Kept at 64 bytes: a first load has one for each rule.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// Make a table.
    AddTable(TableId),
    /// Make a chain.
    AddChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
        /// Hook, type and priority of a base chain.
        base: Option<Box<BaseChain>>,
        /// Packets and bytes that its policy starts from.
        counters: Option<Box<Counter>>,
        /// The mark in its user data.
        mark: Option<Mark>,
    },
    /// Set the policy of a base chain.
    SetPolicy {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
        /// Its hook, type and priority, and the new policy.
        base: Box<BaseChain>,
        /// Packets and bytes that the policy starts from; `None`: it goes on from what it has counted.
        counters: Option<Box<Counter>>,
    },
    /// Delete a rule.
    DeleteRule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// Its handle.
        handle: NonZeroU64,
        /// What it is.
        identity: Identity,
    },
    /// Add a rule.
    AddRule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// The handle of the rule that will follow it; `None`: the end of the chain.
        before: Option<NonZeroU64>,
        /// The rule.
        rule: Arc<Rule>,
        /// Packets and bytes to start from, unless they are zero.
        counters: Option<Box<Counter>>,
        /// The mark in its user data, with its place.
        mark: Option<Box<(Mark, Place)>>,
        /// Its place among the wanted rules of the chain, from 1.
        number: u32,
        /// Its place among all rules that will stand in the chain, from 0.
        at: u32,
        /// The line of the file that it came from.
        line: Option<NonZeroU32>,
    },
    /// Delete all rules of a chain that is going.
    FlushChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
    },
    /// Delete a chain.
    DeleteChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
    },
}

impl Change {
    /// The table it is about.
    #[must_use]
    pub fn table(&self) -> TableId {
        match self {
            Self::AddTable(table)
            | Self::AddChain { table, .. }
            | Self::SetPolicy { table, .. }
            | Self::DeleteRule { table, .. }
            | Self::AddRule { table, .. }
            | Self::FlushChain { table, .. }
            | Self::DeleteChain { table, .. } => *table,
        }
    }

    /// The chain it is about.
    #[must_use]
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::AddTable(_) => None,
            Self::AddChain { chain, .. }
            | Self::SetPolicy { chain, .. }
            | Self::DeleteRule { chain, .. }
            | Self::AddRule { chain, .. }
            | Self::FlushChain { chain, .. }
            | Self::DeleteChain { chain, .. } => Some(chain),
        }
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn location(&self) -> Location {
        let (rule, line) = match self {
            Self::AddRule { number, line, .. } => (usize::try_from(*number).ok(), line.map(NonZeroU32::get)),
            _ => (None, None),
        };
        Location { table: self.table(), chain: self.chain().cloned(), rule, line }
    }
}

/// What an application would change.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) native: Vec<NativeChange>,
    pub(super) fallbacks: Vec<Fallback>,
    pub(super) ipsets: Vec<Order>,
}

impl Plan {
    /// The same with changes to the tables of the native layout.
    pub(crate) fn with_native(self, native: Vec<NativeChange>, fallbacks: Vec<Fallback>) -> Self {
        Self { native, fallbacks, ..self }
    }

    /// The same with changes to ipsets.
    pub(crate) fn with_ipsets(self, ipsets: Vec<Order>) -> Self {
        Self { ipsets, ..self }
    }

    /// The changes to ipsets: what comes and joins before the transaction, then what leaves and goes after it.
    #[must_use]
    pub fn ipsets(&self) -> &[Order] {
        &self.ipsets
    }

    /// The changes to the tables of iptables, in the order they are sent.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes to the tables of the native layout, in the order they are sent, before the others.
    #[must_use]
    pub fn native(&self) -> &[NativeChange] {
        &self.native
    }

    /// What the native layout does in another form than its first.
    #[must_use]
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// How many changes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len() + self.native.len() + self.ipsets.len()
    }

    /// Whether the kernel is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.native.is_empty() && self.ipsets.is_empty()
    }
}

const _: () = assert!(size_of::<Change>() <= 64);
