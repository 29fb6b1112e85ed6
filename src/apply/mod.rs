//! Layer 8: the one loop that brings a model to the kernel: read, diff, seal, commit; again when stale.
//!
//! Owns: the order of these steps, the bounded retry, and what is remembered between two applications.
//! Never: patches a batch that is built; keeps a memory of the kernel that the kernel has not acknowledged.
//!
//! Invariant: a failed application changes neither the kernel nor the memory, and can be tried again. Where that is not
//! certain ([`Error::is_in_doubt`]) the memory is forgotten.
//! Invariant: what comes after a commit cannot fail the application: what stays is in the report ([`Remnant`]), and is tried
//! again.
//! Invariant: an application that finds nothing to change sends nothing.
//!
//! # What is ours
//!
//! A model without a component states tables as a whole: everything in them is ours. A model of a component owns the
//! chains whose user data carries its name, chains without a mark that have a wanted name, and rules in shared chains
//! that carry its name ([`manual::ownership`](crate::manual::ownership)). Names are compared whole. A rule of another program is ours only when it equals a rule that we want in that
//! very chain; then it is adopted as it stands.
//!
//! # What is remembered
//!
//! After a commit the state is known without reading it: the generation that the batch was guarded by plus one, and our
//! own rules. Their handles follow from a few that the kernel sends back. When the generation has moved, everything that concerns us is read again
//! ([`manual::generations`](crate::manual::generations)).

mod encode;
mod events;
pub(crate) mod ipsets;
mod leftovers;
pub(crate) mod native;
mod read;
mod report;

use std::time::{Duration, Instant};

pub use crate::ruleset::{Change, Fallback, Identity, Mark, NativeChange, Plan};
pub use report::{Remnant, Report};

use self::ipsets::{Ipsets, Steps};
use self::leftovers::Leftovers;
use crate::error::Error;
use crate::ipset;
use crate::kernel::{self, CommitError, Kernel};
use crate::ruleset::{self, Extent, Observed, Pending, PlanError};
use crate::wrap::Model;

/// How often an application starts again because other programs changed the tables meanwhile.
const ATTEMPTS: u32 = 8;

/// The largest batch buffer that is kept, in bytes: a load of 110,000 rules needs 38 MB, and the next change some hundred.
const KEPT_BUFFER: usize = 1 << 20;

/// Up to so many chains are read one by one, beyond that the whole table. A chain is read in a tenth of a millisecond, and
/// a rule of a whole table in a hundredth: a table of so many chains has thousands of rules, and may have a hundred thousand.
const SINGLE_READS: usize = 512;

/// How often reading starts again when the generation moves.
const READS: u32 = 8;

/// What is known of the kernel between two applications.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    observed: Option<Observed>,
    ipsets: Ipsets,
    /// The batch buffer, used again unless it is big.
    buffer: Vec<u8>,
}

/// What is done with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Commit it.
    Commit,
    /// Let the kernel validate it, then drop it.
    Check,
    /// Only compute it.
    Plan,
    /// Commit it, and remove shared chains that nobody uses any more.
    Remove,
}

impl Mode {
    fn commits(self) -> bool {
        matches!(self, Self::Commit | Self::Remove)
    }
}

impl Memory {
    /// Forgets what is known of the kernel, so that the next application reads it anew.
    pub(crate) fn forget(&mut self) {
        self.observed = None;
        self.ipsets.distrust();
    }

    /// Brings the model to the kernel.
    pub(crate) fn apply<K: Kernel + ?Sized>(
        &mut self,
        model: &mut Model,
        kernel: &mut K,
        mode: Mode,
    ) -> Result<(Plan, Report), Error> {
        let start = Instant::now();
        let mut report = Report::new("iptables");
        let settled =
            self.observed.as_ref().is_some_and(|o| o.adopted) && !model.is_dirty() && !self.ipsets.has_remnants();
        if mode == Mode::Commit && (model.is_deferred() || settled) {
            report.deferred = model.is_deferred();
            report.generation = self.observed.as_ref().map_or(0, |o| o.generation);
            return Ok((Plan::default(), report));
        }
        let outcome = repeat(start, report, |report| {
            let outcome = self.attempt(model, kernel, mode, report);
            if matches!(outcome, Err(Attempt::Stale)) {
                self.forget();
            }
            outcome
        });
        if !self.ipsets.undo(kernel) {
            self.forget();
        }
        outcome
    }

    fn attempt<K: Kernel + ?Sized>(
        &mut self,
        model: &mut Model,
        kernel: &mut K,
        mode: Mode,
        report: &mut Report,
    ) -> Result<Plan, Attempt> {
        let reading = Instant::now();
        let observed = match &mut self.observed {
            Some(observed) => observed,
            none => none.insert(read::observe(kernel, model)?),
        };
        // What an earlier run left is found by looking at everything once.
        let extent = match mode {
            Mode::Remove => Extent::Removal,
            _ if observed.adopted => Extent::Changes,
            _ => Extent::Everything,
        };
        ruleset::check_model(model, observed, extent)?;
        let mut ipsets = read::ipsets(kernel, model, extent)?;
        let steps = self.ipsets.plan(kernel, model, extent)?;
        steps.expect(&mut ipsets);
        report.read += reading.elapsed();

        let planning = Instant::now();
        observed.counters.clear();
        let (plan, mut pending) = match ruleset::plan(model, observed, &ipsets, extent) {
            // Only now it is known which of the rules that we sent must be named by handle.
            Err(PlanError::Incomplete(chains)) => {
                read::handles(kernel, chains, observed)?;
                ruleset::plan(model, observed, &ipsets, extent)?
            }
            planned => planned?,
        };
        read::check_references(kernel, model, observed, &plan)?;
        report.plan += planning.elapsed();
        let mut leftovers = match extent {
            Extent::Changes => Leftovers::default(),
            _ => Leftovers::find(kernel, model.component(), None, observed.generation)?,
        };
        report.reset_counts();
        report.count(&plan);
        leftovers.count(report);
        steps.count(report);
        report.generation = observed.generation;
        if mode == Mode::Plan {
            return Ok(plan_of(plan, leftovers, steps));
        }
        if plan.is_empty() && leftovers.is_empty() {
            if mode.commits() {
                self.ipsets.prepare(kernel, &steps, mode, &mut ipsets, report)?;
                self.ipsets.finish(kernel, &steps, false, report)?;
                self.install(pending, model);
            }
            return Ok(plan_of(plan, leftovers, steps));
        }
        self.ipsets.prepare(kernel, &steps, mode, &mut ipsets, report)?;

        let buffer = std::mem::take(&mut self.buffer);
        let sealed = encode::batch(&plan, &mut leftovers, &ipsets, observed.generation, buffer, report)?;
        report.transactions = usize::from(mode.commits());
        report.messages += sealed.messages();
        report.bytes = sealed.bytes().len();
        let outcome = match mode {
            Mode::Check => kernel.check(&sealed),
            _ => kernel.commit(&sealed),
        };
        let committed = match outcome {
            Ok(committed) => committed,
            Err(CommitError::Stale { .. }) => return Err(Attempt::Stale),
            Err(CommitError::Refused(rejections)) => {
                return Err(Error::Refused(encode::refusals(&plan, &leftovers, &sealed, &rejections)).into());
            }
            Err(other) => {
                if mode.commits() && other.is_in_doubt() {
                    self.ipsets.keep_in_doubt(&steps);
                    self.forget();
                }
                return Err(Error::Commit(other).into());
            }
        };
        report.kernel += committed.elapsed;
        if mode.commits() {
            pending.learn(&plan, sealed.handles(&committed.echoed));
            observed.generation = next_generation(observed.generation);
            report.generation = observed.generation;
            self.ipsets.finish(kernel, &steps, true, report)?;
            self.install(pending, model);
        }
        let buffer = sealed.into_bytes();
        if buffer.capacity() <= KEPT_BUFFER {
            self.buffer = buffer;
        }
        Ok(plan_of(plan, leftovers, steps))
    }

    /// Remembers what stands now.
    fn install(&mut self, pending: Pending, model: &mut Model) {
        if let Some(observed) = &mut self.observed {
            observed.install(pending);
            observed.adopted = true;
        }
        model.mark_applied();
    }
}

/// Makes attempts until one is not stale, a bounded number of times.
fn repeat(
    start: Instant,
    mut report: Report,
    mut attempt: impl FnMut(&mut Report) -> Result<Plan, Attempt>,
) -> Result<(Plan, Report), Error> {
    for number in 1..=ATTEMPTS {
        report.attempts = number;
        match attempt(&mut report) {
            Ok(plan) => {
                report.total = start.elapsed();
                return Ok((plan, report));
            }
            Err(Attempt::Stale) => {
                events::stale(number);
                std::thread::sleep(pause(number));
            }
            Err(Attempt::Failed(error)) => return Err(partly(*error, &report)),
        }
    }
    Err(partly(Error::Stale { attempts: ATTEMPTS }, &report))
}

/// The same, of an application that has begun to change what packets meet.
fn partly(error: Error, report: &Report) -> Error {
    if report.has_begun && !error.is_in_doubt() { Error::Partly(Box::new(error)) } else { error }
}

/// All changes as a plan. In this layout what is left elsewhere is in groups of the native one.
fn plan_of(plan: Plan, leftovers: Leftovers, steps: Steps) -> Plan {
    let (_, groups) = leftovers.into_changes();
    plan.with_native(groups, Vec::new()).with_ipsets(steps.into_orders())
}

/// How long to wait before the next attempt: 1, 2, 4 ms and so on, an eighth of a second over all attempts, so that a
/// busy writer gets through and we do too.
fn pause(attempt: u32) -> Duration {
    if attempt < ATTEMPTS { Duration::from_millis(1 << (attempt - 1)) } else { Duration::ZERO }
}

/// The generation after a commit. The kernel counts up by one and leaves zero out (`nf_tables_commit`).
fn next_generation(generation: u32) -> u32 {
    generation.checked_add(1).unwrap_or(1)
}

/// How one attempt ended.
enum Attempt {
    Stale,
    Failed(Box<Error>),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<ipset::Error> for Attempt {
    fn from(error: ipset::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<kernel::Error> for Attempt {
    fn from(error: kernel::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<PlanError> for Attempt {
    fn from(error: PlanError) -> Self {
        Self::from(match error {
            // Incomplete after reading: the chains changed under us.
            PlanError::Incomplete(_) => return Self::Stale,
            PlanError::Model(errors) => Error::Model(errors),
            PlanError::Compile { location, rule, source } => Error::Compile { location, rule, source },
            PlanError::OwnedByAnother { location, owner } => Error::OwnedByAnother { location, owner },
            PlanError::Incompatible { location, found } => Error::Incompatible { location, found },
        })
    }
}
