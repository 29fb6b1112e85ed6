//! The native layout, applied: what the compiler says becomes one transaction.
//!
//! Owns: the order of the steps, what is remembered between two applications, and the bounded retry.
//! Never: passes over what did not change: from the second application on the work is that of the compiler's delta.
//!
//! # The first application of a process
//!
//! It reads our tables ([`read`]), finds out whose they are ([`table`]), tells the compiler the numbers that are in
//! use and takes what stands away from the compiler's first delta ([`adopt`]). What is left is the difference, whatever an earlier run
//! has left. The transaction carries the generation that was read.
//!
//! # Afterwards
//!
//! Tables that we own need no guard: nobody else can change them. Those that others can change are guarded by their
//! generation; when it has moved, everything is forgotten and read anew.
//!
//! Invariant: compiler, memory and kernel change together: after a failure all three are as they were, and after an
//! answer that is lost the first two are forgotten.
//!
//! How it is tested: scripts in place of the compiler here; `tests/native` with models, on the fake and on the kernel.

mod adopt;
mod compare;
mod encode;
mod handles;
mod ipsets;
mod plan;
mod read;
mod source;
mod standing;
mod steps;
mod table;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

pub(crate) use source::Source;

use self::compare::Programs;
use self::encode::Encoder;
use self::handles::Handles;
use self::ipsets::AskedIpsets;
use self::plan::{Planner, Unplanned};
use self::read::Found;
use self::standing::{Pending, Standing};
use self::table::{Claim, Group, OWNED};
use super::{ATTEMPTS, Attempt, KEPT_BUFFER, Mode, Plan, Report, next_generation, pause};
use crate::compile::Program;
use crate::error::Error;
use crate::kernel::{CommitError, Errno, Kernel, probe};
use crate::layout::native::{Delta, Item, TableDelta};
use crate::name::{ChainName, WrapName};
use crate::nft::TableFlags;
use crate::nft::expr::{Expr, Immediate, Operand, Verdict};
use crate::ruleset::NativeChange;
use crate::transaction::Batch;
use crate::wrap::{Model, TableId};

/// Up to so many new rules are sent back with their handles.
const ECHOED: usize = 64;

/// How often reading starts again when the generation moves.
const READS: u32 = 8;

/// What is known between two applications.
#[derive(Debug)]
pub(crate) struct Memory<S> {
    source: S,
    component: Option<WrapName>,
    shared: bool,
    /// The flags of our tables, once the kernel was asked what it can.
    flags: Option<TableFlags>,
    state: Option<State>,
    buffer: Vec<u8>,
}

/// What stands.
#[derive(Debug)]
struct State {
    standing: Standing,
    /// The generation that a batch has to name; `None` where nobody else can change the tables.
    guard: Option<u32>,
}

/// What a plan leads to.
struct Planned {
    changes: Vec<NativeChange>,
    pending: Pending,
    /// What was read, of a process that has not applied anything yet.
    adopted: Option<Standing>,
    guard: Option<u32>,
}

impl<S: Source> Memory<S> {
    /// Nothing is known yet.
    pub(crate) fn new(source: S, component: Option<WrapName>, shared: bool) -> Self {
        Self { source, component, shared, flags: None, state: None, buffer: Vec::new() }
    }

    /// Forgets what is known of the kernel, so that the next application reads it anew.
    pub(crate) fn forget(&mut self) {
        self.state = None;
    }

    /// Brings the model to the kernel.
    pub(crate) fn apply<K: Kernel + ?Sized>(
        &mut self,
        model: &mut Model,
        kernel: &mut K,
        mode: Mode,
    ) -> Result<(Plan, Report), Error> {
        let start = Instant::now();
        let mut report = Report::default();
        let settled = self.state.is_some() && !model.is_dirty();
        if mode == Mode::Commit && (model.is_deferred() || settled) {
            report.deferred = model.is_deferred();
            report.generation = self.state.as_ref().and_then(|state| state.guard).unwrap_or(0);
            return Ok((Plan::default(), report));
        }
        for attempt in 1..=ATTEMPTS {
            report.attempts = attempt;
            match self.attempt(model, kernel, mode, &mut report) {
                Ok(plan) => {
                    report.total = start.elapsed();
                    return Ok((plan, report));
                }
                Err(Attempt::Stale) => {
                    self.forget();
                    std::thread::sleep(pause(attempt));
                }
                Err(Attempt::Failed(error)) => return Err(*error),
            }
        }
        Err(Error::Stale { attempts: ATTEMPTS })
    }

    fn attempt<K: Kernel + ?Sized>(
        &mut self,
        model: &mut Model,
        kernel: &mut K,
        mode: Mode,
        report: &mut Report,
    ) -> Result<Plan, Attempt> {
        let outcome = self.transact(model, kernel, mode, report);
        match &outcome {
            Ok(_) if mode == Mode::Commit => self.source.commit(),
            _ if mode == Mode::Remove => {}
            _ => self.source.rollback(),
        }
        outcome
    }

    /// One attempt, with the compiler's update left open.
    fn transact<K: Kernel + ?Sized>(
        &mut self,
        model: &mut Model,
        kernel: &mut K,
        mode: Mode,
        report: &mut Report,
    ) -> Result<Plan, Attempt> {
        let planned = match (mode, self.state.is_some()) {
            (Mode::Remove, _) => self.plan_removal(model, kernel, report)?,
            (_, true) => self.plan_changes(model, kernel, report)?,
            (_, false) => self.plan_everything(model, kernel, report)?,
        };
        let Planned { mut changes, mut pending, adopted, guard } = planned;
        report.count_native(&changes);
        report.generation = guard.unwrap_or(0);
        let known = adopted.is_none() && self.state.is_some();
        let kernel = RefCell::new(kernel);
        let ipsets = AskedIpsets::new(&kernel);
        if mode == Mode::Plan || changes.is_empty() {
            let mut batch = Batch::begin(None);
            let mut encoder = Encoder::new(&self.source, &ipsets, &mut batch);
            changes.iter_mut().for_each(|change| encoder.listing(change.table(), change));
            if mode == Mode::Commit {
                self.settle(adopted, pending, guard, false, model);
            }
            return Ok(Plan::of_native(changes));
        }

        let encoding = Instant::now();
        let mut batch = Batch::begin_in(std::mem::take(&mut self.buffer), guard);
        if pending.added.len() <= ECHOED {
            batch.ask_for_handles();
        }
        let written = Encoder::new(&self.source, &ipsets, &mut batch).write(&mut changes);
        if let Some(error) = ipsets.failure() {
            return Err(error.into());
        }
        written?;
        let sealed = batch.seal().map_err(|error| encode::unsealed(&changes, error))?;
        report.encode += encoding.elapsed();
        report.messages = sealed.messages();
        report.bytes = sealed.bytes().len();
        let outcome = match mode {
            Mode::Check => kernel.borrow_mut().check(&sealed),
            _ => kernel.borrow_mut().commit(&sealed),
        };
        let committed = match outcome {
            Ok(committed) => committed,
            Err(CommitError::Stale { .. }) => return Err(Attempt::Stale),
            Err(CommitError::Refused(rejections)) => {
                // Without a guard nothing else tells that the tables are not as we remember them.
                let moved = [Errno::NOENT, Errno::EXIST, Errno::BUSY, Errno::PERM];
                if known && guard.is_none() && rejections.iter().any(|r| moved.contains(&r.errno)) {
                    return Err(Attempt::Stale);
                }
                let standing = adopted.as_ref().or(self.state.as_ref().map(|state| &state.standing));
                let refusals = rejections.iter().filter_map(|rejection| {
                    // A commit that fails as a whole is reported against the first message.
                    let origin = sealed.origin(rejection.seq).unwrap_or_default();
                    let change = changes.get(origin.0 as usize)?;
                    let named = |table, chain: &ChainName| named(standing, &pending, table, chain);
                    Some(encode::refusal(change, &self.source, named, &sealed, rejection))
                });
                return Err(Error::Refused(refusals.collect()).into());
            }
            Err(other) => {
                // Whether it is in effect is not known.
                self.forget();
                return Err(Error::Commit(other).into());
            }
        };
        report.kernel += committed.elapsed;
        let origin = |seq| Some(sealed.origin(seq)?.0);
        pending.learn(committed.handles.iter().filter_map(|(seq, handle)| Some((origin(*seq)?, *handle))));
        if mode == Mode::Commit {
            report.generation = self.settle(adopted, pending, guard, true, model);
        }
        let buffer = sealed.into_bytes();
        if buffer.capacity() <= KEPT_BUFFER {
            self.buffer = buffer;
        }
        Ok(Plan::of_native(changes))
    }

    /// Remembers what stands now. Returns the generation.
    fn settle(
        &mut self,
        adopted: Option<Standing>,
        pending: Pending,
        guard: Option<u32>,
        sent: bool,
        model: &mut Model,
    ) -> u32 {
        let generation = guard.map_or(0, |guard| if sent { next_generation(guard) } else { guard });
        let owned = self.flags == Some(OWNED);
        let guard = Some(generation).filter(|_| !owned);
        match (adopted, &mut self.state) {
            (None, Some(state)) => {
                state.standing.install(pending);
                state.guard = guard;
            }
            (adopted, state) => {
                let mut standing = adopted.unwrap_or_default();
                standing.install(pending);
                *state = Some(State { standing, guard });
            }
        }
        model.mark_applied();
        generation
    }

    /// What the model's changes lead to.
    fn plan_changes<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
        report: &mut Report,
    ) -> Result<Planned, Attempt> {
        let kernel = RefCell::new(kernel);
        let ipsets = AskedIpsets::new(&kernel);
        let compiling = Instant::now();
        let delta = self.source.update(model, &ipsets);
        if let Some(error) = ipsets.failure() {
            return Err(error.into());
        }
        let delta = delta?;
        report.compile += compiling.elapsed();
        let Some(state) = &self.state else { return Err(Attempt::Stale) };
        let planning = Instant::now();
        let (changes, pending) = self.plan(model, &kernel, &ipsets, &state.standing, delta, Vec::new())?;
        report.plan += planning.elapsed();
        Ok(Planned { changes, pending, adopted: None, guard: state.guard })
    }

    /// Reads what stands, and finds what it lacks.
    fn plan_everything<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
        report: &mut Report,
    ) -> Result<Planned, Attempt> {
        let flags = self.learn_flags(kernel)?;
        let mut remade = HashSet::new();
        loop {
            let reading = Instant::now();
            let (found, claims) = self.read(kernel, flags, &mut remade)?;
            report.read += reading.elapsed();

            let compiling = Instant::now();
            let kernel = RefCell::new(&mut *kernel);
            let ipsets = AskedIpsets::new(&kernel);
            let name = |table| self.source.table_name(table);
            let group = Group { name: &name, component: self.component.as_ref(), shared: self.shared };
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
            report.compile += compiling.elapsed();

            let planning = Instant::now();
            match self.subtract(delta, &found, &remade, &ipsets) {
                Ok((delta, standing)) => {
                    let first = self.first(&found, &claims, &remade, &delta, flags);
                    let (changes, mut pending) = self.plan(model, &kernel, &ipsets, &standing, delta, first)?;
                    pending.gone.extend(gone(&changes));
                    report.plan += planning.elapsed();
                    return Ok(Planned { changes, pending, adopted: Some(standing), guard: Some(found.generation) });
                }
                Err(id) => {
                    self.source.rollback();
                    if self.shared || !remade.insert(id) {
                        let name = self.source.table_name(id);
                        return Err(Error::ForeignTable { table: id, name }.into());
                    }
                }
            }
        }
    }

    /// What stands and what has to be done with each table, of one generation. `remade` is what cannot be changed in
    /// place.
    fn read<K: Kernel + ?Sized>(
        &self,
        kernel: &mut K,
        flags: TableFlags,
        remade: &mut HashSet<TableId>,
    ) -> Result<(Found, Vec<(TableId, Claim)>), Error> {
        let name = |table| self.source.table_name(table);
        let group = Group { name: &name, component: self.component.as_ref(), shared: self.shared };
        for _ in 0..READS {
            let mut found = read::find(kernel, &group)?;
            let mut claims = Vec::new();
            for (id, entry) in &mut found.tables {
                let claim = table::claim(kernel, &group, *id, entry, flags)?;
                claims.push((*id, claim));
                if claim == Claim::Remake {
                    remade.insert(*id);
                }
                // Nobody but us can have changed a table that we own; any other is looked at rule by rule.
                let owned = claim == Claim::Stands && flags == OWNED;
                if !owned && !remade.contains(id) {
                    read::rules(kernel, id.family, entry)?;
                }
            }
            if kernel.generation()? == found.generation {
                return Ok((found, claims));
            }
        }
        Err(Error::Stale { attempts: READS })
    }

    /// Takes what stands away from what is wanted; an error names a table that cannot be changed in place.
    fn subtract(
        &self,
        mut delta: Delta,
        found: &Found,
        remade: &HashSet<TableId>,
        ipsets: &dyn crate::compile::Ipsets,
    ) -> Result<(Delta, Standing), TableId> {
        let name = |table| self.source.table_name(table);
        let group = Group { name: &name, component: self.component.as_ref(), shared: self.shared };
        let mut programs = Programs { source: &self.source, ipsets, program: Program::default() };
        let mut standing = Standing::default();
        for (id, table) in &found.tables {
            if remade.contains(id) {
                continue;
            }
            let at = match delta.tables.iter().position(|delta| delta.id == *id) {
                Some(at) => at,
                None => {
                    delta.tables.push(TableDelta { id: *id, new: false, chains: Vec::new(), sets: Vec::new() });
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

    /// The changes that come before all others: tables that are taken over, made anew or no longer wanted.
    fn first(
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
    fn plan<K: Kernel + ?Sized>(
        &self,
        model: &Model,
        kernel: &RefCell<&mut K>,
        ipsets: &dyn crate::compile::Ipsets,
        standing: &Standing,
        delta: Delta,
        first: Vec<NativeChange>,
    ) -> Result<(Vec<NativeChange>, Pending), Attempt> {
        let flags = self.flags.unwrap_or_default();
        let name = |table| self.source.table_name(table);
        let group = Group { name: &name, component: self.component.as_ref(), shared: self.shared };
        let new_table = |id| {
            let table = group.new_table(id, flags);
            NativeChange::AddTable { table: id, name: table.name, flags, userdata: table.userdata }
        };
        let target = |table, item: &Item| {
            let mut program = Program::default();
            self.source.program(table, item, ipsets, &mut program).ok()?;
            jump_target(&program)
        };
        let mut dump = |family, table: &_, chain: Option<&_>| kernel.borrow_mut().rules(family, table, chain);
        let mut planner = Planner {
            model,
            standing,
            shared: self.shared,
            handles: Handles::new(&mut dump, &name),
            target: &target,
            new_table: &new_table,
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

    /// What removes everything of ours.
    fn plan_removal<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
        report: &mut Report,
    ) -> Result<Planned, Attempt> {
        let reading = Instant::now();
        let flags = self.learn_flags(kernel)?;
        let (found, claims) = self.read(kernel, flags, &mut HashSet::new())?;
        report.read += reading.elapsed();
        let kernel = RefCell::new(kernel);
        let ipsets = AskedIpsets::new(&kernel);
        let nothing = HashSet::new();
        let (delta, standing) = self
            .subtract(Delta::default(), &found, &nothing, &ipsets)
            .map_err(|id| Error::ForeignTable { table: id, name: self.source.table_name(id) })?;
        let claims: Vec<_> = claims.into_iter().map(|(id, _)| (id, Claim::Stands)).collect();
        let first = self.first(&found, &claims, &nothing, &delta, flags);
        let (changes, pending) = self.plan(model, &kernel, &ipsets, &standing, delta, first)?;
        Ok(Planned { changes, pending, adopted: Some(standing), guard: Some(found.generation) })
    }

    /// The flags that our tables are to have.
    fn learn_flags<K: Kernel + ?Sized>(&mut self, kernel: &mut K) -> Result<TableFlags, Error> {
        if let Some(flags) = self.flags {
            return Ok(flags);
        }
        let owned = !self.shared && {
            let features = probe::features(kernel).map_err(Error::Commit)?;
            features.table_owner && features.table_persist
        };
        Ok(*self.flags.insert(if owned { OWNED } else { TableFlags::empty() }))
    }
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

fn jump_target(program: &Program) -> Option<ChainName> {
    program.expressions.iter().find_map(|expr| match expr {
        Expr::Immediate(Immediate { data: Operand::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)), .. }) => {
            Some(chain.clone())
        }
        _ => None,
    })
}

/// The wrapped chain that a kernel chain was made for.
fn named(standing: Option<&Standing>, pending: &Pending, table: TableId, chain: &ChainName) -> ChainName {
    let new = pending.chains.iter().find(|(at, name, _)| *at == table && name == chain);
    let new = new.and_then(|(_, _, chain)| chain.as_ref());
    let now = || standing?.tables.get(&table)?.chains.get(chain);
    let comment = new.or_else(now).and_then(|chain| chain.comment.as_ref());
    comment.and_then(|comment| ChainName::new(comment.as_str()).ok()).unwrap_or_else(|| chain.clone())
}
