//! What an update changes in the kernel, as values.
//!
//! Owns: [`Delta`]: chains, rules, sets and elements that come, change and go.
//! Never: holds a handle; whoever commits it knows what stands.
//!
//! Invariant: a delta is in the order of its model: the same update gives the same delta.

use crate::name::{ChainName, SetName};
use crate::nft::{BaseChain, Element, Policy, Set};
use crate::wrap::TableId;

use super::item::Item;

/// What an update changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// By family and kind, as in [`TableKind::ALL`](crate::wrap::TableKind::ALL).
    pub tables: Vec<TableDelta>,
}

impl Delta {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| !table.new && table.chains.is_empty() && table.sets.is_empty())
    }
}

/// What changes in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDelta {
    /// Which one.
    pub id: TableId,
    /// Whether the update before this one had no such table.
    pub new: bool,
    /// Chains that come, change or go.
    pub chains: Vec<ChainDelta>,
    /// Sets that come, change or go.
    pub sets: Vec<SetDelta>,
    /// Chains of the model that are compiled with more rules than they need because there are as many sets as there may
    /// be ([`Limits::sets`](crate::layout::Limits::sets)), and how many rules sets would stand for.
    pub unfolded: Vec<(ChainName, usize)>,
}

impl TableDelta {
    /// Nothing changes in that table.
    #[must_use]
    pub fn unchanged(id: TableId) -> Self {
        Self { id, new: false, chains: Vec::new(), sets: Vec::new(), unfolded: Vec::new() }
    }
}

/// Whether a thing comes, stays or goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate<T> {
    /// It comes.
    New(T),
    /// It was there and stays.
    Kept,
    /// It goes.
    Gone,
}

/// What changes of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainDelta {
    /// The kernel chain.
    pub name: ChainName,
    /// Whether it comes or goes.
    pub fate: Fate<ChainHead>,
    /// The new policy of a base chain that is there.
    pub policy: Option<Policy>,
    /// All its rules from now on; `None`: as they are.
    pub rules: Option<Vec<Item>>,
}

/// A chain to make.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainHead {
    /// Hook, type, priority and policy of a base chain.
    pub base: Option<BaseChain>,
    /// `NFTA_CHAIN_USERDATA`.
    pub userdata: Box<[u8]>,
}

/// What changes of a set or map.
#[derive(Debug, Clone, PartialEq)]
pub struct SetDelta {
    /// Its name.
    pub name: SetName,
    /// Whether it comes or goes. The declaration's table is the one it is made in; `Set::id` is for the sender to give.
    pub fate: Fate<Box<Set>>,
    /// Elements to delete, before any is added: an element whose data changes is in both lists.
    pub removed: Vec<Element>,
    /// Elements to add.
    pub added: Vec<Element>,
}
