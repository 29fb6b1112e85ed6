//! What we know to stand in our tables between two applications.
//!
//! Owns: the rules of each kernel chain, by item and handle, and what they will be once a plan is committed.
//! Never: holds elements: the compiler says which come and go, and the kernel has the rest.
//!
//! Invariant: only a transaction that the kernel has acknowledged changes it ([`Standing::install`]).

use std::collections::HashMap;
use std::num::NonZeroU64;

use crate::layout::native::Item;
use crate::name::{ChainName, Comment};
use crate::nft::userdata::Userdata;
use crate::ruleset::chain_diff::Role;
use crate::wrap::{Place, TableId};

/// All tables of ours that stand.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) tables: HashMap<TableId, StandingTable>,
}

/// The chains of a table, those of other components left out.
#[derive(Debug, Default)]
pub(super) struct StandingTable {
    pub(super) chains: HashMap<ChainName, StandingChain>,
}

/// A kernel chain.
#[derive(Debug, Clone, Default)]
pub(super) struct StandingChain {
    pub(super) rules: Vec<StandingRule>,
    /// The comment in its user data: for a body, the wrapped chain that it was first made for.
    pub(super) comment: Option<Comment>,
    /// Whether other components may have rules in it.
    pub(super) shared: bool,
}

/// A kernel rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct StandingRule {
    /// What it is made of; `None` for one that is none of ours, or no longer wanted.
    pub(super) item: Option<Item>,
    /// Its handle, once it was read or the kernel has told it.
    pub(super) handle: Option<NonZeroU64>,
    /// Whose it is.
    pub(super) role: Role,
}

impl StandingRule {
    /// A rule of ours in a chain of ours.
    pub(super) fn ours(item: Item) -> Self {
        Self { item: Some(item), handle: None, role: Role::Ours(Place::Normal) }
    }
}

/// The comment in the user data of a chain.
pub(super) fn comment(userdata: &[u8]) -> Option<Comment> {
    Userdata::decode(userdata).ok()?.comment
}

/// What will stand once a plan is committed.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Tables that are made or made anew: nothing of what stood in them does.
    pub(super) emptied: Vec<TableId>,
    /// Tables that go.
    pub(super) gone: Vec<TableId>,
    /// Chains as they will be; `None` for one that goes.
    pub(super) chains: Vec<(TableId, ChainName, Option<StandingChain>)>,
    /// New rules: the number of the change, the chain in `chains`, and the place in it.
    pub(super) added: Vec<(u32, u32, u32)>,
}

impl Pending {
    /// Notes the handles that the kernel gave to new rules, by the number of the change.
    pub(super) fn learn(&mut self, handles: impl IntoIterator<Item = (u32, u64)>) {
        self.added.sort_unstable();
        for (change, handle) in handles {
            let Ok(at) = self.added.binary_search_by_key(&change, |added| added.0) else { continue };
            let Some(&(_, chain, place)) = self.added.get(at) else { continue };
            let chain = self.chains.get_mut(chain as usize).and_then(|(_, _, chain)| chain.as_mut());
            if let Some(rule) = chain.and_then(|chain| chain.rules.get_mut(place as usize)) {
                rule.handle = NonZeroU64::new(handle);
            }
        }
    }
}

impl Standing {
    /// Takes over what a committed plan has made.
    pub(super) fn install(&mut self, pending: Pending) {
        for at in pending.emptied {
            self.tables.insert(at, StandingTable::default());
        }
        for (at, name, chain) in pending.chains {
            let table = self.tables.entry(at).or_default();
            match chain {
                Some(chain) => table.chains.insert(name, chain),
                None => table.chains.remove(&name),
            };
        }
        for at in pending.gone {
            self.tables.remove(&at);
        }
    }
}
