//! From what the compiler says to what is sent.
//!
//! Owns: the order of operations in a table, and which rules of a changed chain stay.
//! Never: passes over what did not change: the work is that of the [`Delta`].
//!
//! Invariant: within a table, what is looked up or jumped to comes first, what is no longer used goes last: base chains,
//! the take-over, sets, chains, the elements of new sets, rules, elements that go, elements that come, chains that go,
//! sets that go. No rule refers to another table.
//!
//! The kernel takes no new base chain in a table that the same transaction takes over, and no take-over after a new policy
//! (`nf_tables_addchain`, `nft_table_pending_update`), which is why base chains come before it and all else after it.

use std::collections::HashSet;
use std::num::NonZeroU64;

use super::handles::Handles;
use super::standing::{Pending, Standing, StandingChain, StandingRule, StandingTable, comment};
use super::steps::{self, From};
use crate::layout::native::{ChainDelta, ChainHead, Delta, Fate, Item, SetDelta, TableDelta};
use crate::name::ChainName;
use crate::nft::Element;
use crate::nft::userdata::Userdata;
use crate::ruleset::chain_diff::Role;
use crate::ruleset::{Mark, NativeChange};
use crate::wrap::{Model, Place, TableId};

/// Why there is no plan.
pub(super) enum Unplanned {
    /// The chains are not as we left them.
    Stale,
    /// The kernel could not be asked.
    Kernel(crate::kernel::Error),
}

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub(super) model: &'a Model,
    pub(super) standing: &'a Standing,
    /// Whether others use our tables.
    pub(super) shared: bool,
    pub(super) handles: Handles<'a>,
    /// The chain that a rule jumps or goes to.
    pub(super) target: &'a dyn Fn(TableId, &Item) -> Option<ChainName>,
    /// The change that makes a table.
    pub(super) new_table: &'a dyn Fn(TableId) -> NativeChange,
    /// Tables to take over.
    pub(super) claims: Vec<NativeChange>,
    pub(super) changes: Vec<NativeChange>,
    pub(super) pending: Pending,
    /// Chains that all components share and that this plan makes.
    pub(super) made: Vec<(TableId, ChainName)>,
}

impl Planner<'_> {
    /// Plans all tables of a delta.
    pub(super) fn delta(&mut self, delta: Delta) -> Result<(), Unplanned> {
        delta.tables.into_iter().try_for_each(|table| self.table(table))?;
        self.changes.append(&mut self.claims);
        Ok(())
    }

    fn table(&mut self, delta: TableDelta) -> Result<(), Unplanned> {
        let table = delta.id;
        if self.now(table).is_none() && (delta.new || !delta.chains.is_empty() || !delta.sets.is_empty()) {
            self.changes.push((self.new_table)(table));
            self.pending.emptied.push(table);
        }
        let mut later = Later::default();
        let mut filled = Vec::new();
        let is_new_base = |chain: &ChainDelta| matches!(&chain.fate, Fate::New(head) if head.base.is_some());
        let (bases, chains): (Vec<_>, Vec<_>) = delta.chains.into_iter().partition(is_new_base);
        for chain in bases {
            filled.extend(self.chain(table, chain, &mut later)?);
        }
        self.changes.extend(self.claims.extract_if(.., |claim| claim.table() == table));
        for set in delta.sets {
            self.set(table, set, &mut later);
        }
        for chain in chains {
            filled.extend(self.chain(table, chain, &mut later)?);
        }
        self.changes.append(&mut later.first_elements);
        for (chain, now, items) in filled {
            self.rules(table, chain, now, &items)?;
        }
        self.changes.append(&mut later.removed);
        self.changes.append(&mut later.added);
        if later.chains.len() > 1 {
            // They may jump to each other.
            let flushes = later.chains.iter().map(|chain| NativeChange::FlushChain { table, chain: chain.clone() });
            self.changes.extend(flushes);
        }
        self.changes.extend(later.chains.into_iter().map(|chain| NativeChange::DeleteChain { table, chain }));
        self.changes.append(&mut later.sets);
        Ok(())
    }

    fn set(&mut self, table: TableId, delta: SetDelta, later: &mut Later) {
        let SetDelta { name, fate, removed, added } = delta;
        let elements = |elements| NativeChange::AddElements { table, set: name.clone(), elements };
        match fate {
            Fate::New(set) => {
                self.changes.push(NativeChange::AddSet { table, set });
                if !added.is_empty() {
                    later.first_elements.push(elements(added));
                }
            }
            Fate::Kept => {
                // Those that come anew go when they come; the others may have to stay for longer. Ranges all go at once:
                // the kernel takes an end only right behind its start.
                let ranges = removed.iter().any(Element::is_interval_end);
                let anew: HashSet<Key<'_>> = match removed.is_empty() || ranges {
                    true => HashSet::new(),
                    false => added.iter().map(key).collect(),
                };
                let (replaced, gone): (Vec<_>, Vec<_>) =
                    removed.into_iter().partition(|e| ranges || anew.contains(&key(e)));
                for elements in [replaced, gone].into_iter().filter(|elements| !elements.is_empty()) {
                    later.removed.push(NativeChange::DeleteElements { table, set: name.clone(), elements });
                }
                if !added.is_empty() {
                    later.added.push(NativeChange::AddElements { table, set: name, elements: added });
                }
            }
            Fate::Gone => {
                // The kernel lets go of the chains that a map's elements lead to when the map goes, which is after the
                // chains: what is said to be removed is removed before.
                if !removed.is_empty() {
                    let set = name.clone();
                    later.removed.push(NativeChange::DeleteElements { table, set, elements: removed });
                }
                later.sets.push(NativeChange::DeleteSet { table, set: name });
            }
        }
    }

    /// Plans the making, policy or end of a chain; returns the rules that it is to have, if they change.
    fn chain(
        &mut self,
        table: TableId,
        delta: ChainDelta,
        later: &mut Later,
    ) -> Result<Option<(ChainName, StandingChain, Vec<Item>)>, Unplanned> {
        let ChainDelta { name, fate, policy, rules } = delta;
        if let (Fate::Kept, Some(policy)) = (&fate, policy) {
            self.changes.push(NativeChange::SetPolicy { table, chain: name.clone(), policy });
        }
        let now = self.now(table).and_then(|t| t.chains.get(&name));
        match (fate, now) {
            (Fate::Gone, Some(now)) if now.shared => Ok(Some((name, now.clone(), Vec::new()))),
            (Fate::Gone, _) => {
                self.pending.chains.push((table, name.clone(), None));
                later.chains.push(name);
                Ok(None)
            }
            (Fate::New(head), None) => {
                let chain = StandingChain {
                    rules: Vec::new(),
                    comment: comment(&head.userdata),
                    shared: self.shared && !is_own(&head),
                };
                if chain.shared {
                    self.made.push((table, name.clone()));
                }
                self.changes.push(NativeChange::AddChain { table, chain: name.clone(), head: Box::new(head) });
                Ok(Some((name, chain, rules.unwrap_or_default())))
            }
            // A chain that other components have made, too.
            (Fate::New(_), Some(now)) => Ok(Some((name, now.clone(), rules.unwrap_or_default()))),
            (Fate::Kept, now) => match (rules, now) {
                (None, _) => Ok(None),
                (Some(rules), Some(now)) => Ok(Some((name, now.clone(), rules))),
                // The compiler and we disagree: everything is read again.
                (Some(_), None) => Err(Unplanned::Stale),
            },
        }
    }

    /// Plans the rules of a chain.
    fn rules(
        &mut self,
        table: TableId,
        chain: ChainName,
        mut now: StandingChain,
        wanted: &[Item],
    ) -> Result<(), Unplanned> {
        let places = if now.shared { self.places(table, &chain, wanted.len()) } else { Vec::new() };
        let place = |at: usize| places.get(at).copied().unwrap_or_default();
        let steps = steps::find(&now, wanted, place);
        if steps.named().any(|at| now.rules.get(at).is_some_and(|rule| rule.handle.is_none())) {
            self.handles.read(table, &chain, &mut now.rules)?;
        }
        let handle = |at: usize| now.rules.get(at).and_then(|rule| rule.handle);
        if steps.flush {
            self.changes.push(NativeChange::FlushChain { table, chain: chain.clone() });
        } else {
            let deleted = steps.deleted.iter().filter_map(|at| handle(*at));
            let chain = &chain;
            let deleted = deleted.map(|handle| NativeChange::DeleteRule { table, chain: chain.clone(), handle });
            self.changes.extend(deleted);
        }
        let mut numbers = Vec::with_capacity(steps.inserted.len());
        for (number, before) in &steps.inserted {
            let Some(item) = wanted.get(*number) else { continue };
            numbers.push((*number, self.changes.len()));
            let mark = now.shared.then(|| Box::new((self.mark(table, item), place(*number))));
            self.changes.push(NativeChange::AddRule {
                table,
                chain: chain.clone(),
                before: before.and_then(handle),
                item: *item,
                number: u32::try_from(number + 1).unwrap_or(u32::MAX),
                mark,
                listing: None,
            });
        }
        let slot = self.pending.chains.len();
        let mut rules = Vec::with_capacity(steps.result.len());
        for from in &steps.result {
            match from {
                From::Standing(at, number) => {
                    let Some(rule) = now.rules.get(*at) else { continue };
                    let item = number.and_then(|number| wanted.get(number).copied());
                    rules.push(steps::adopted(*rule, item, number.map(place).unwrap_or_default()));
                }
                From::New(number) => {
                    let change = numbers.binary_search_by_key(number, |n| n.0).ok().and_then(|at| numbers.get(at));
                    if let (Some((_, change)), Some(item)) = (change, wanted.get(*number)) {
                        self.pending.added.push((small(*change), small(slot), small(rules.len())));
                        let role = match now.shared.then(|| self.mark(table, item)) {
                            Some(Mark::Common) => Role::Common(place(*number)),
                            _ => Role::Ours(place(*number)),
                        };
                        rules.push(StandingRule { role, ..StandingRule::ours(*item) });
                    }
                }
            }
        }
        self.pending.chains.push((table, chain, Some(StandingChain { rules, ..now })));
        Ok(())
    }

    /// What stands in a table, unless it is made anew.
    fn now(&self, table: TableId) -> Option<&StandingTable> {
        let stands = !self.pending.emptied.contains(&table);
        self.standing.tables.get(&table).filter(|_| stands)
    }

    /// Where the rules of a shared chain belong. They are compiled one by one, so that their places are the model's.
    fn places(&self, table: TableId, chain: &ChainName, wanted: usize) -> Vec<Place> {
        let chain = self.model.table(table.family, table.kind).and_then(|t| t.chain(chain));
        let places: Vec<Place> = chain.into_iter().flat_map(|c| c.rules()).map(|entry| entry.place()).collect();
        if places.len() == wanted { places } else { Vec::new() }
    }

    /// The mark of a rule in a shared chain: the jump to a chain that all components share belongs to all of them.
    fn mark(&self, table: TableId, item: &Item) -> Mark {
        let Some(component) = self.model.component() else { return Mark::Common };
        let target = (self.target)(table, item);
        let leads_to_all = target.is_some_and(|target| {
            let made = self.pending.chains.iter().find(|(at, name, _)| *at == table && *name == target);
            let made = made.and_then(|(_, _, chain)| chain.as_ref());
            let stands = || self.now(table).and_then(|t| t.chains.get(&target));
            let new = || self.made.contains(&(table, target.clone()));
            made.or_else(stands).map_or_else(new, |chain| chain.shared)
        });
        if leads_to_all { Mark::Common } else { Mark::Component(component.clone()) }
    }
}

/// What the kernel tells elements apart by.
type Key<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, u32);

fn key(element: &Element) -> Key<'_> {
    (element.key.as_deref(), element.key_end.as_deref(), element.flags.bits())
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Whether a chain is one component's own, by the mark in its user data.
pub(super) fn is_own(head: &ChainHead) -> bool {
    let owner = Userdata::decode(&head.userdata).ok().and_then(|userdata| userdata.owner);
    owner.is_some_and(|owner| owner.component.is_some())
}

/// Changes that wait until the rules are written.
#[derive(Default)]
struct Later {
    first_elements: Vec<NativeChange>,
    removed: Vec<NativeChange>,
    added: Vec<NativeChange>,
    chains: Vec<ChainName>,
    sets: Vec<NativeChange>,
}

/// A handle as the kernel gives it.
pub(super) fn handle(number: Option<u64>) -> Option<NonZeroU64> {
    number.and_then(NonZeroU64::new)
}
