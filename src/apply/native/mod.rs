//! The native layout, applied: what the compiler says becomes one transaction, or a few ([`phases`]).
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
//! answer that is lost, or a failure of a transaction that others went before, the first two are forgotten. The error tells
//! which it was ([`Error::is_in_doubt`]).
//!
//! How it is tested: scripts in place of the compiler here; `tests/native` with models, on the fake and on the kernel.

mod adopt;
mod blame;
mod compare;
mod compiled;
mod encode;
mod handles;
mod ipsets;
mod observe;
mod phases;
mod plan;
mod planning;
mod read;
mod removal;
mod send;
mod source;
mod standing;
mod steps;
mod table;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

pub(crate) use compiled::Compiled;
pub(in crate::apply) use read::owner;
pub(in crate::apply) use removal::{refusal_of, write_removal};
pub(crate) use source::Source;

use self::encode::Encoder;
use self::ipsets::AskedIpsets;
use self::standing::{Pending, Standing};
use self::table::{Group, OWNED};
use super::events;
use super::leftovers::Leftovers;
use super::{Attempt, Mode, Plan, Report, next_generation, repeat};
use crate::compile::native::fallbacks;
use crate::compile::{CompileError, Ipsets};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::name::{IpsetName, WrapName};
use crate::nft::TableFlags;
use crate::rule::Rule;
use crate::ruleset::{Fallback, NativeChange};
use crate::transaction::Batch;
use crate::wrap::{Model, TableId};

/// What is known between two applications.
#[derive(Debug)]
pub(crate) struct Memory<S> {
    source: S,
    component: Option<WrapName>,
    shared: bool,
    /// The flags of our tables.
    flags: TableFlags,
    /// Whether the kernel was asked if it has them. To ask costs as much as a small host's load (an aborted batch waits for
    /// all processors), so it is only asked when it refuses something, or when nothing is to be sent.
    asked: bool,
    state: Option<State>,
    /// Tables that stand with those of iptables, and the part that the kernel takes only there.
    beside: BTreeMap<TableId, Bound>,
    buffer: Vec<u8>,
}

/// An extension that the kernel ties to a table of iptables, and why no native expression does.
type Bound = (&'static str, &'static str);

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
    /// What goes from elsewhere.
    leftovers: Leftovers,
    /// What was read, of a process that has not applied anything yet.
    adopted: Option<Standing>,
    guard: Option<u32>,
}

impl<S: Source> Memory<S> {
    /// Nothing is known yet.
    pub(crate) fn new(source: S, component: Option<WrapName>, shared: bool) -> Self {
        let flags = if shared { TableFlags::empty() } else { OWNED };
        let beside = BTreeMap::new();
        Self { source, component, shared, flags, asked: shared, state: None, beside, buffer: Vec::new() }
    }

    /// The group's tables, as the component sees them.
    fn group(&self) -> Group<'_> {
        Group { source: &self.source, component: self.component.as_ref(), shared: self.shared }
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
        let mut report = Report::new("native");
        let settled = self.state.is_some() && !model.is_dirty();
        if mode == Mode::Commit && (model.is_deferred() || settled) {
            report.deferred = model.is_deferred();
            report.generation = self.state.as_ref().and_then(|state| state.guard).unwrap_or(0);
            return Ok((Plan::default(), report));
        }
        if self.beside.keys().any(|id| is_dirty(model, *id) && !is_bound(model, *id)) {
            // A table that can stand in the group again moves there now, and not with whatever comes later.
            self.forget();
        }
        if self.state.is_none() {
            // What is to stand beside is found anew whenever everything is.
            self.beside.clear();
            self.source.leave_out(BTreeSet::new());
        }
        repeat(start, report, |report| {
            let outcome = self.attempt(model, kernel, mode, report);
            if matches!(outcome, Err(Attempt::Stale)) {
                self.forget();
            }
            outcome
        })
    }

    fn attempt<K: Kernel + ?Sized>(
        &mut self,
        model: &mut Model,
        kernel: &mut K,
        mode: Mode,
        report: &mut Report,
    ) -> Result<Plan, Attempt> {
        if mode == Mode::Plan {
            self.ask_flags(kernel)?;
        }
        let mut outcome = self.transact(model, kernel, mode, report);
        while let Err(Attempt::Failed(error)) = &outcome
            && (self.leave_out(error) || self.lacks_flags(error, kernel)?)
        {
            *report = Report { attempts: report.attempts, has_begun: report.has_begun, ..Report::new("native") };
            outcome = self.transact(model, kernel, mode, report);
        }
        if outcome.is_ok() && mode == Mode::Commit {
            self.source.commit();
        } else if self.source.knows_nothing() {
            // It has lost its place, and goes on from what is read next.
            self.forget();
        }
        outcome
    }

    /// When the rule at fault needs a table of iptables, its table is to stand there as a whole, as no chain leads to another
    /// table. Without a component we could not tell our rules there from others.
    fn leave_out(&mut self, error: &Error) -> bool {
        let Error::Compile { location, source: CompileError::OtherTable { part, reason, tables }, .. } = error else {
            return false;
        };
        let fits = self.component.is_some() && tables.contains(&location.table.kind.name());
        if !fits || self.beside.insert(location.table, (part, reason)).is_some() {
            return false;
        }
        self.source.leave_out(self.beside.keys().copied().collect());
        self.forget();
        true
    }

    /// One attempt, as far as the kernel: the compiler does not hear of its end.
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
        let Planned { mut changes, pending, leftovers, adopted, guard } = planned;
        report.reset_counts();
        leftovers.count(report);
        report.count_native(&changes);
        report.generation = guard.unwrap_or(0);
        let kernel = RefCell::new(kernel);
        if mode == Mode::Plan || (changes.is_empty() && leftovers.is_empty()) {
            let (ipsets, mut batch) = (AskedIpsets::new(&kernel), Batch::begin(None));
            let mut encoder = Encoder::new(&self.source, &ipsets, &mut batch);
            changes.iter_mut().for_each(|change| encoder.listing(change.table(), change));
            report.fallbacks.extend(encoder.fallbacks());
            if mode == Mode::Commit {
                events::applied(adopted.as_ref().map(|standing| standing.tables.len()), &changes, report);
                self.settle(adopted, pending, guard, false, model);
            }
            return Ok(plan_of(changes, leftovers, report));
        }

        let mut planned = Planned { changes, pending, leftovers, adopted, guard };
        self.send(&mut planned, model, &kernel, mode, report)?;
        let Planned { changes, pending, leftovers, adopted, guard } = planned;
        if mode == Mode::Commit {
            events::applied(adopted.as_ref().map(|standing| standing.tables.len()), &changes, report);
            // A remnant was not sent, or nobody knows; it is found when all is read.
            let finished = report.remnants.is_empty();
            report.generation = self.settle(adopted, pending, guard, finished, model);
            if !finished {
                self.forget();
            }
        }
        Ok(plan_of(changes, leftovers, report))
    }

    /// What is done in another form as long as this process lives.
    fn standing_fallbacks(&self) -> Vec<Fallback> {
        let beside = self.beside.iter();
        let beside = beside.map(|(table, (part, reason))| Fallback::Table { table: *table, part, reason });
        self.lacks().into_iter().chain(beside).collect()
    }

    /// What the kernel lacks for the flags that our tables should have.
    fn lacks(&self) -> Option<Fallback> {
        (!self.shared && self.flags != OWNED).then_some(Fallback::Feature {
            missing: "tables whose owner they outlive (flags owner and persist, Linux 6.9)",
            instead: "the tables are plain, and others can change them",
        })
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
        let owned = self.flags == OWNED;
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
}

fn is_dirty(model: &Model, id: TableId) -> bool {
    model.dirty().any(|(dirty, _)| dirty == id)
}

/// Whether a rule of the table needs a table of iptables. Such tables are read as a whole with each change, so that to look at
/// their rules costs nothing beside.
fn is_bound(model: &Model, id: TableId) -> bool {
    let bound = |rule: &Rule| {
        let parts = fallbacks(rule, id.family, &AnySet).unwrap_or_default();
        parts.iter().any(|part| part.tables.contains(&id.kind.name()))
    };
    let table = model.table(id.family, id.kind);
    table.is_some_and(|table| table.chains().any(|chain| chain.rules().any(|entry| bound(entry.rule()))))
}

/// Sets that are all there: whether a part of a rule is bound does not depend on them.
struct AnySet;

impl Ipsets for AnySet {
    fn index(&self, _: &IpsetName) -> Option<u16> {
        Some(0)
    }

    fn name(&self, _: u16) -> Option<IpsetName> {
        None
    }
}

/// All changes as a plan.
fn plan_of(mut changes: Vec<NativeChange>, leftovers: Leftovers, report: &Report) -> Plan {
    let (iptables, groups) = leftovers.into_changes();
    changes.extend(groups);
    iptables.with_native(changes, report.fallbacks.clone())
}
