//! All that is known of the kernel's tables, and what a plan will make of it.
//!
//! Owns: [`Observed`], the answer to whose a chain is, and [`Pending`], the state that will stand once a plan is
//! committed.
//! Never: asks the kernel; whoever reads it fills this.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::ops::Range;

use super::{Change, Mark, ObservedChain, ObservedTable, Owner, Plan};
use crate::compile::Ipsets;
use crate::name::{ChainName, IpsetName, WrapName};
use crate::nft::expr::Counter;
use crate::wrap::{Model, TableId};

/// What stands in the kernel, of one generation.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) generation: u32,
    /// Whether a model was brought to the kernel since it was read: from then on only changes of the model matter.
    pub(crate) adopted: bool,
    pub(crate) tables: HashMap<TableId, ObservedTable>,
    /// What the rules of some chains have counted, by their place: read when a rule moves, and of no use later.
    pub(crate) counters: HashMap<(TableId, ChainName), Vec<Counter>>,
}

impl Observed {
    pub(crate) fn table(&self, at: TableId) -> Option<&ObservedTable> {
        self.tables.get(&at)
    }

    /// All chains of all tables, in no order.
    pub(crate) fn chains(&self) -> impl Iterator<Item = (TableId, &ChainName, &ObservedChain)> {
        self.tables.iter().flat_map(|(at, table)| table.chains.iter().map(|(name, chain)| (*at, name, chain)))
    }

    /// Whether a chain that stands is ours and no longer wanted.
    pub(crate) fn is_going(&self, model: &Model, at: TableId, name: &ChainName) -> bool {
        let table = model.table(at.family, at.kind);
        if table.is_some_and(|t| t.has_chain(name)) {
            return false;
        }
        let owner = || self.tables.get(&at)?.chains.get(name)?.owner.as_ref();
        match model.component() {
            None => table.is_some(),
            Some(component) => match owner() {
                Some(Mark::Component(owner)) => owner == component,
                Some(Mark::Common) => false,
                None => self.is_adopted(component, at, name),
            },
        }
    }

    /// Whether a chain without a mark is one that we have taken over: it has a name of ours, and each of its rules carries
    /// our mark.
    fn is_adopted(&self, component: &WrapName, at: TableId, name: &ChainName) -> bool {
        let named = name.as_str().strip_prefix(component.as_str()).is_some_and(|rest| rest.starts_with('-'));
        let chain = self.tables.get(&at).and_then(|t| t.chains.get(name));
        let rules = chain.and_then(|c| c.rules.read()).unwrap_or_default();
        named && !rules.is_empty() && rules.iter().all(|rule| matches!(rule.owner, Owner::Us(_)))
    }

    /// Takes over what a committed plan has made.
    pub(crate) fn install(&mut self, pending: Pending) {
        for at in pending.tables {
            self.tables.entry(at).or_default().exists = true;
        }
        for (at, name, chain) in pending.chains {
            let table = self.tables.entry(at).or_default();
            match chain {
                Some(chain) => table.chains.insert(name, chain),
                None => table.chains.remove(&name),
            };
        }
    }
}

/// What will stand in the kernel once the plan is committed.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) tables: Vec<TableId>,
    /// Chains as they will be; `None` for one that is gone.
    pub(crate) chains: Vec<(TableId, ChainName, Option<ObservedChain>)>,
}

impl Pending {
    /// Notes the handles that the kernel gave to new rules: pairs of a change's index and a handle, in order.
    pub(crate) fn learn(&mut self, plan: &Plan, handles: impl IntoIterator<Item = (usize, u64)>) {
        let added = handles.into_iter().filter_map(|(index, handle)| match plan.changes.get(index)? {
            Change::AddRule { table, chain, at, .. } => Some(((*table, chain), *at as usize, NonZeroU64::new(handle)?)),
            _ => None,
        });
        let mut learnt = Vec::new();
        // A plan changes chain by chain.
        let mut chains: HashMap<(TableId, &ChainName), Range<usize>> = HashMap::new();
        let mut last = None;
        for (chain, at, handle) in added {
            if last != Some(chain) {
                chains.insert(chain, learnt.len()..learnt.len());
                last = Some(chain);
            }
            learnt.push((at, handle));
            if let Some(range) = chains.get_mut(&chain) {
                range.end = learnt.len();
            }
        }
        for (table, name, chain) in &mut self.chains {
            let handles = chains.get(&(*table, &*name)).and_then(|range| learnt.get(range.clone()));
            if let (Some(handles), Some(chain)) = (handles, chain) {
                chain.rules.learn(handles);
            }
        }
    }
}

/// The numbers of the ipsets that the model's rules name.
#[derive(Debug, Default)]
pub(crate) struct KnownIpsets(pub(crate) HashMap<IpsetName, u16>);

impl Ipsets for KnownIpsets {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.get(name).copied()
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.iter().find(|(_, i)| **i == index).map(|(name, _)| name.clone())
    }
}
