//! What an application has to change: the model's changes, or everything.
//!
//! Owns: the steps from the compiler's delta to a plan, and the reading that the first one needs.
//! Never: sends anything.
//!
//! Invariant: a plan of a process that has not applied anything yet names the generation that it was made from.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use super::super::leftovers::Current;
use super::adopt;
use super::compare::{Programs, jump_target};
use super::handles::Handles;
use super::ipsets::AskedIpsets;
use super::plan::{Planner, Unplanned};
use super::read::Found;
use super::source::Source;
use super::standing::{Pending, Standing};
use super::table::Claim;
use super::{Attempt, Leftovers, Memory, Planned, Report};
use crate::compile::{Ipsets, Program};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::layout;
use crate::layout::native::{Delta, Item, TableDelta};
use crate::name::ChainName;
use crate::nft::TableFlags;
use crate::ruleset::{Fallback, NativeChange};
use crate::wrap::{Model, TableId};

impl<S: Source> Memory<S> {
    /// What the model's changes lead to.
    pub(super) fn plan_changes<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
        report: &mut Report,
    ) -> Result<Planned, Attempt> {
        let reading = Instant::now();
        let (leftovers, guard) = self.changes_beside(model, kernel)?;
        report.read += reading.elapsed();
        let kernel = RefCell::new(kernel);
        let ipsets = AskedIpsets::new(&kernel);
        let compiling = Instant::now();
        let delta = self.source.update(model, &ipsets);
        if let Some(error) = ipsets.failure() {
            return Err(error.into());
        }
        if matches!(delta, Err(Error::Layout(layout::native::Error::Turned { .. }))) {
            return Err(Attempt::Stale);
        }
        let delta = delta?;
        report.compile += compiling.elapsed();
        report.fallbacks = unfolded(&delta).collect();
        let Some(state) = &self.state else { return Err(Attempt::Stale) };
        let planning = Instant::now();
        let (changes, pending) = self.plan(model, &kernel, &ipsets, &state.standing, delta, Vec::new())?;
        report.plan += planning.elapsed();
        Ok(Planned { changes, pending, leftovers, adopted: None, guard })
    }

    /// Reads what stands, and finds what it lacks.
    pub(super) fn plan_everything<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
        report: &mut Report,
    ) -> Result<Planned, Attempt> {
        let flags = self.flags;
        let mut remade = HashSet::new();
        loop {
            let reading = Instant::now();
            let (mut found, claims) = self.read(kernel, flags, &mut remade)?;
            let leftovers = self.leftovers(model, kernel, found.generation)?;
            report.read += reading.elapsed();

            let compiling = Instant::now();
            let kernel = RefCell::new(&mut *kernel);
            let ipsets = AskedIpsets::new(&kernel);
            let group = self.group();
            let in_place = |id: &TableId| !remade.contains(id);
            let seeds: Vec<_> = found.tables.iter().filter(|(id, _)| in_place(id)).collect();
            let seeds: Vec<_> = seeds.into_iter().map(|(id, table)| (*id, adopt::seeds(&group, table))).collect();
            self.source.reset();
            seeds.into_iter().for_each(|(id, seeds)| self.source.seed(id, seeds));
            let delta = self.source.update(model, &ipsets);
            if let Some(error) = ipsets.failure() {
                return Err(error.into());
            }
            let delta = delta?;
            report.fallbacks = self.standing_fallbacks().into_iter().chain(unfolded(&delta)).collect();
            report.compile += compiling.elapsed();

            let reading = Instant::now();
            self.read_needed(&mut **kernel.borrow_mut(), &delta, &mut found, &remade)?;
            report.read += reading.elapsed();

            let planning = Instant::now();
            match self.subtract(delta, &found, &remade, &ipsets) {
                Ok((delta, standing)) => {
                    let first = self.first(&found, &claims, &remade, &delta, flags);
                    let (changes, mut pending) = self.plan(model, &kernel, &ipsets, &standing, delta, first)?;
                    pending.gone.extend(gone(&changes));
                    report.plan += planning.elapsed();
                    let (adopted, guard) = (Some(standing), Some(found.generation));
                    return Ok(Planned { changes, pending, leftovers, adopted, guard });
                }
                Err(id) => {
                    if self.shared || !remade.insert(id) {
                        let name = self.source.table_name(id);
                        return Err(Error::ForeignTable { table: id, name }.into());
                    }
                }
            }
        }
    }

    /// What the component has elsewhere, in the generation that was read.
    pub(super) fn leftovers<K: Kernel + ?Sized>(
        &self,
        model: &Model,
        kernel: &mut K,
        generation: u32,
    ) -> Result<Leftovers, Attempt> {
        let name = |table| self.source.table_name(table);
        let beside = model.only(|id| self.beside.contains_key(&id));
        let current = Current { name: &name, beside: &beside };
        Leftovers::find(kernel, self.component.as_ref(), Some(&current), generation)
    }

    /// What changed in tables that stand with those of iptables, and the generation in which they were read; nothing of
    /// them is remembered.
    fn changes_beside<K: Kernel + ?Sized>(
        &self,
        model: &Model,
        kernel: &mut K,
    ) -> Result<(Leftovers, Option<u32>), Attempt> {
        let guard = self.state.as_ref().and_then(|state| state.guard);
        if self.beside.is_empty() || !model.dirty().any(|(id, _)| self.beside.contains_key(&id)) {
            return Ok((Leftovers::default(), guard));
        }
        let generation = match guard {
            Some(generation) => generation,
            None => kernel.generation()?,
        };
        Ok((self.leftovers(model, kernel, generation)?, Some(generation)))
    }

    /// Takes what stands away from what is wanted; an error names a table that cannot be changed in place.
    pub(super) fn subtract(
        &self,
        mut delta: Delta,
        found: &Found,
        remade: &HashSet<TableId>,
        ipsets: &dyn Ipsets,
    ) -> Result<(Delta, Standing), TableId> {
        let group = self.group();
        let mut programs = Programs { source: &self.source, ipsets, program: Program::default() };
        let mut standing = Standing::default();
        for (id, table) in &found.tables {
            if remade.contains(id) {
                continue;
            }
            let at = match delta.tables.iter().position(|delta| delta.id == *id) {
                Some(at) => at,
                None => {
                    delta.tables.push(TableDelta::unchanged(*id));
                    delta.tables.len() - 1
                }
            };
            let Some(wanted) = delta.tables.get_mut(at) else { continue };
            let unwanted = !wanted.new && wanted.chains.is_empty() && wanted.sets.is_empty();
            let reduced = adopt::reduce(&group, wanted, table, &mut programs).map_err(|_| *id)?;
            standing.tables.insert(*id, reduced);
            if unwanted && !table.others {
                // It goes as a whole, and so does its delta.
                delta.tables.retain(|delta| delta.id != *id);
            }
        }
        Ok((delta, standing))
    }

    /// The changes to tables as such: those that are taken over, made anew or no longer wanted.
    pub(super) fn first(
        &self,
        found: &Found,
        claims: &[(TableId, Claim)],
        remade: &HashSet<TableId>,
        delta: &Delta,
        flags: TableFlags,
    ) -> Vec<NativeChange> {
        let mut changes = Vec::new();
        for (id, claim) in claims {
            let name = self.source.table_name(*id);
            let wanted = delta.tables.iter().any(|delta| delta.id == *id);
            let others = found.tables.get(id).is_some_and(|table| table.others);
            if remade.contains(id) || !(wanted || others) {
                changes.push(NativeChange::DeleteTable { table: *id, name });
            } else if *claim == Claim::TakeOver {
                changes.push(NativeChange::AddTable { table: *id, name, flags, userdata: None });
            }
        }
        changes
    }

    /// The changes that bring what stands to what the delta says.
    pub(super) fn plan<K: Kernel + ?Sized>(
        &self,
        model: &Model,
        kernel: &RefCell<&mut K>,
        ipsets: &dyn Ipsets,
        standing: &Standing,
        delta: Delta,
        first: Vec<NativeChange>,
    ) -> Result<(Vec<NativeChange>, Pending), Attempt> {
        let flags = self.flags;
        let name = |table| self.source.table_name(table);
        let group = self.group();
        let new_table = |id| {
            let table = group.new_table(id, flags);
            NativeChange::AddTable { table: id, name: table.name, flags, userdata: table.userdata }
        };
        let target = |table, item: &Item| {
            let mut program = Program::default();
            self.source.program(table, item, ipsets, &mut program).ok()?;
            jump_target(&program)
        };
        let is_claim = |change: &NativeChange| matches!(change, NativeChange::AddTable { userdata: None, .. });
        let (claims, first) = first.into_iter().partition(is_claim);
        let mut dump = |family, table: &_, chain: Option<&_>| kernel.borrow_mut().rules(family, table, chain);
        let mut planner = Planner {
            model,
            standing,
            shared: self.shared,
            handles: Handles::new(&mut dump, &name),
            target: &target,
            new_table: &new_table,
            claims,
            changes: first,
            pending: Pending::default(),
            made: Vec::new(),
        };
        planner.delta(delta).map_err(|unplanned| match unplanned {
            Unplanned::Stale => Attempt::Stale,
            Unplanned::Kernel(error) => error.into(),
        })?;
        Ok((planner.changes, planner.pending))
    }
}

/// What could not be folded.
fn unfolded(delta: &Delta) -> impl Iterator<Item = Fallback> + '_ {
    delta.tables.iter().flat_map(|table| {
        let fallback = |(chain, rules): &(ChainName, usize)| Fallback::Unfolded {
            table: table.id,
            chain: chain.clone(),
            rules: *rules,
        };
        table.unfolded.iter().map(fallback)
    })
}

/// The tables that changes delete for good.
fn gone(changes: &[NativeChange]) -> Vec<TableId> {
    let made = |id| changes.iter().any(|c| matches!(c, NativeChange::AddTable { table, .. } if *table == id));
    let deleted = changes.iter().filter_map(|c| match c {
        NativeChange::DeleteTable { table, .. } => Some(*table),
        _ => None,
    });
    deleted.filter(|id| !made(*id)).collect()
}
