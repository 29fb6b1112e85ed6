//! The transactions of a plan, sent one after the other.
//!
//! Owns: sealing what each holds, and what happens when one of several is refused.
//! Never: decides which change goes into which ([`phases`]).
//!
//! All are sealed before the first is sent, so that what cannot be written changes nothing. When one of several is refused,
//! it may be because of the state in between (chains that the old rules and the new ones together would nest too deep):
//! what is left is sent as one. When that fails as well, or another program was faster, what stands is read anew by the next
//! application, which takes over or removes what was made. Until then filtering is as it was ([`Error::Refused`] and others),
//! as it is to be (no error, but a [`Remnant`]), or in between ([`Error::Partly`]).
//!
//! How it is tested: `apply/native/tests`, with each transaction refused; `tests/packets.rs` with packets.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Instant;

use super::encode::{self, Encoder};
use super::ipsets::AskedIpsets;
use super::phases::{self, Phase};
use super::source::Source;
use super::{Attempt, Memory, Planned, Report, blame};
use crate::apply::{KEPT_BUFFER, Mode, Remnant, next_generation};
use crate::error::Error;
use crate::kernel::{CommitError, Errno, Kernel, Rejection};
use crate::ruleset::Fallback;
use crate::transaction::{Batch, Sealed};
use crate::wrap::Model;

impl<S: Source> Memory<S> {
    /// Sends what was planned. Afterwards the plan has the generation that the last transaction named, and its new rules
    /// have the handles that were asked for.
    pub(super) fn send<K: Kernel + ?Sized>(
        &mut self,
        planned: &mut Planned,
        model: &Model,
        kernel: &RefCell<&mut K>,
        mode: Mode,
        report: &mut Report,
    ) -> Result<(), Attempt> {
        let ipsets = AskedIpsets::new(kernel);
        let encoding = Instant::now();
        let leads_to = |table, action| self.source.leads_to(table, action);
        let phases = if mode.commits() { phases::split(&mut planned.changes, &leads_to) } else { Vec::new() };
        let mut guard = planned.guard;
        let mut waiting = VecDeque::new();
        for part in phases::transactions(&phases) {
            let (sealed, fallbacks) = self.seal(planned, &phases, &part, guard, &ipsets)?;
            fallbacks.into_iter().for_each(|fallback| add(&mut report.fallbacks, fallback));
            waiting.push_back((part, sealed));
            guard = guard.map(next_generation);
        }
        report.encode += encoding.elapsed();
        while let Some((part, sealed)) = waiting.pop_front() {
            let outcome = match mode {
                Mode::Check => kernel.borrow_mut().check(&sealed),
                _ => kernel.borrow_mut().commit(&sealed),
            };
            let committed = match outcome {
                Ok(committed) => committed,
                Err(CommitError::Refused(_)) if !waiting.is_empty() => {
                    let rest = *part.start()..=Phase::Break;
                    let sealed = self.seal(planned, &phases, &rest, planned.guard, &ipsets);
                    if sealed.is_err() && report.transactions > 0 {
                        self.forget();
                    }
                    waiting = VecDeque::from([(rest, sealed?.0)]);
                    continue;
                }
                Err(error) if report.has_begun && self.is_unseen(planned, &phases, &part) => {
                    report.remnants.push(Remnant::Unused { why: error.to_string() });
                    return Ok(());
                }
                Err(error) => {
                    let looked_at = !matches!(error, CommitError::NotPermitted | CommitError::TooLarge { .. });
                    let is_refusal = matches!(error, CommitError::Refused(_));
                    let error = self.failed(planned, model, &sealed, error);
                    if report.transactions > 0 || (looked_at && !is_refusal) {
                        // What stands is not what it was, or not known.
                        self.forget();
                    }
                    return Err(error);
                }
            };
            report.transactions += usize::from(mode.commits());
            report.has_begun |= mode.commits() && part.contains(&Phase::Switch);
            report.messages += sealed.messages();
            report.bytes += sealed.bytes().len();
            report.kernel += committed.elapsed;
            let change = |operation: usize| Some(sealed.origins().get(operation)?.0);
            let handles = sealed.handles(&committed.echoed);
            planned.pending.learn(handles.filter_map(|(operation, handle)| Some((change(operation)?, handle))));
            if !waiting.is_empty() {
                planned.guard = planned.guard.map(next_generation);
            }
            let buffer = sealed.into_bytes();
            if buffer.capacity() <= KEPT_BUFFER {
                self.buffer = buffer;
            }
        }
        Ok(())
    }

    /// Whether these phases change nothing that a packet meets.
    fn is_unseen(&self, planned: &Planned, phases: &[Phase], part: &RangeInclusive<Phase>) -> bool {
        let mut changes = planned.changes.iter().zip(phases).filter(|(_, phase)| part.contains(phase));
        *part.start() == Phase::Break && changes.all(|(change, _)| phases::is_unseen(change))
    }

    /// The transaction of some phases.
    fn seal<K: Kernel + ?Sized>(
        &mut self,
        planned: &mut Planned,
        phases: &[Phase],
        part: &RangeInclusive<Phase>,
        guard: Option<u32>,
        ipsets: &AskedIpsets<'_, '_, K>,
    ) -> Result<(Sealed, Vec<Fallback>), Attempt> {
        let mut batch = Batch::begin_in(std::mem::take(&mut self.buffer), guard);
        batch.ask_for_handles();
        let (changes, leftovers) = (&mut planned.changes, &mut planned.leftovers);
        let mut encoder = Encoder::new(&self.source, ipsets, &mut batch);
        let written = encoder.write(changes, 0, |at| phases.get(at).is_none_or(|phase| part.contains(phase)));
        let fallbacks = encoder.fallbacks().collect();
        let removed = match part.contains(&Phase::Switch) {
            true => leftovers.write(&mut batch, changes.len()),
            false => Ok(()),
        };
        if let Some(error) = ipsets.failure() {
            return Err(error.into());
        }
        written.and(removed)?;
        let sealed = batch.seal().map_err(|error| encode::unsealed(changes, error))?;
        Ok((sealed, fallbacks))
    }

    /// Why a transaction is not in effect, or nobody knows.
    fn failed(&self, planned: &Planned, model: &Model, sealed: &Sealed, error: CommitError) -> Attempt {
        match error {
            CommitError::Stale { .. } => Attempt::Stale,
            CommitError::Refused(rejections) => {
                // Without a guard nothing else tells that the tables are not as we remember them.
                let known = planned.adopted.is_none() && self.state.is_some();
                let moved = [Errno::NOENT, Errno::EXIST, Errno::BUSY, Errno::PERM];
                if known && planned.guard.is_none() && rejections.iter().any(|r| moved.contains(&r.errno)) {
                    return Attempt::Stale;
                }
                let refusals =
                    rejections.iter().filter_map(|rejection| self.refusal(planned, model, sealed, rejection));
                Error::Refused(refusals.collect()).into()
            }
            error => Error::Commit(error).into(),
        }
    }

    fn refusal(
        &self,
        planned: &Planned,
        model: &Model,
        sealed: &Sealed,
        rejection: &Rejection,
    ) -> Option<crate::error::Refusal> {
        // A commit that fails as a whole is reported against the first message.
        let number = sealed.origin(rejection.seq).unwrap_or_default().0 as usize;
        let Some(change) = planned.changes.get(number) else {
            return planned.leftovers.refusal(number - planned.changes.len(), sealed, rejection);
        };
        let standing = planned.adopted.as_ref().or(self.state.as_ref().map(|state| &state.standing));
        let mut refusal = encode::refusal(change, &self.source, sealed, rejection);
        blame::find(&mut refusal, model, standing, &planned.pending);
        Some(refusal)
    }
}

/// Counts rules that need the same extension together.
fn add(list: &mut Vec<Fallback>, fallback: Fallback) {
    if let Fallback::Extension { part, reason, rules } = &fallback {
        for known in &mut *list {
            if let Fallback::Extension { part: same, reason: why, rules: count } = known
                && (&*same, &*why) == (part, reason)
            {
                *count += rules;
                return;
            }
        }
    }
    list.push(fallback);
}
