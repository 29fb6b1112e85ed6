//! The removal of everything that a component has in a group's tables.
//!
//! Owns: the plan of a flush, and of what is left in a group that the component does not use any more.
//! Never: removes what others use, too: a shared table stays while another component has a chain or a rule in it.
//!
//! Invariant: a table of ours alone goes as a whole, whatever is in it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use super::encode::{self, Encoder};
use super::ipsets::AskedIpsets;
use super::source::Source;
use super::table::{Claim, OWNED};
use super::{Attempt, Memory, Planned, Report};
use crate::compile::NoIpsets;
use crate::error::{Error, Refusal};
use crate::kernel::{Kernel, Rejection};
use crate::layout::native::Delta;
use crate::nft::TableFlags;
use crate::ruleset::NativeChange;
use crate::transaction::{Batch, Sealed};
use crate::wrap::Model;

impl<S: Source> Memory<S> {
    /// What a flush removes.
    pub(super) fn plan_removal<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
        report: &mut Report,
    ) -> Result<Planned, Attempt> {
        let reading = Instant::now();
        let mut planned = self.remove_tables(model, kernel)?;
        report.fallbacks.clear();
        planned.leftovers = self.leftovers(model, kernel, planned.guard.unwrap_or_default())?;
        report.read += reading.elapsed();
        Ok(planned)
    }

    /// What removes everything of the group, and the generation in which it stands.
    pub(in crate::apply) fn remove<K: Kernel + ?Sized>(
        &mut self,
        model: &Model,
        kernel: &mut K,
    ) -> Result<(Vec<NativeChange>, u32), Attempt> {
        let planned = self.remove_tables(model, kernel)?;
        Ok((planned.changes, planned.guard.unwrap_or_default()))
    }

    fn remove_tables<K: Kernel + ?Sized>(&mut self, model: &Model, kernel: &mut K) -> Result<Planned, Attempt> {
        // What flags a table has is of no matter; the kernel need not be asked what it can.
        let flags = if self.shared { TableFlags::empty() } else { OWNED };
        let (found, claims) = self.read(kernel, flags, &mut HashSet::new())?;
        let kernel = RefCell::new(kernel);
        let ipsets = AskedIpsets::new(&kernel);
        let nothing = HashSet::new();
        let (delta, standing) = self
            .subtract(Delta::default(), &found, &nothing, &ipsets)
            .map_err(|id| Error::ForeignTable { table: id, name: self.source.table_name(id) })?;
        let claims: Vec<_> = claims.into_iter().map(|(id, _)| (id, Claim::Stands)).collect();
        let first = self.first(&found, &claims, &nothing, &delta, flags);
        let (changes, pending) = self.plan(model, &kernel, &ipsets, &standing, delta, first)?;
        let guard = Some(found.generation);
        Ok(Planned { changes, pending, leftovers: Default::default(), adopted: Some(standing), guard })
    }

    /// The compiler, once nothing is to be applied any more.
    pub(in crate::apply) fn into_source(self) -> S {
        self.source
    }
}

/// Writes changes that only remove. The first has the number `first`.
pub(in crate::apply) fn write_removal(
    source: &dyn Source,
    batch: &mut Batch,
    first: usize,
    changes: &mut [NativeChange],
) -> Result<(), Error> {
    Encoder::new(source, &NoIpsets, batch).write(changes, first, |_| true)
}

/// What the kernel says to a change that removes.
pub(in crate::apply) fn refusal_of(
    source: &dyn Source,
    change: &NativeChange,
    sealed: &Sealed,
    rejection: &Rejection,
) -> Refusal {
    encode::refusal(change, source, sealed, rejection)
}
