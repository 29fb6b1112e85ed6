//! What is asked of the kernel before anything is planned: what it can, what stands, and whose it is.
//!
//! Owns: the order of these questions, and which rules need to be read.
//! Never: compares anything with the model's rules, or changes anything.
//!
//! Invariant: what is read of tables that others can change belongs to one generation.

use std::collections::HashSet;

use super::Memory;
use super::adopt;
use super::read::{self, Found};
use super::source::Source;
use super::table::{self, Claim, OWNED};
use crate::apply::READS;
use crate::error::Error;
use crate::kernel::{Kernel, probe};
use crate::layout::native::Delta;
use crate::nft::TableFlags;
use crate::wrap::TableId;

impl<S: Source> Memory<S> {
    /// Whether the kernel refused flags of our tables. From now on they have none then.
    pub(super) fn lacks_flags<K: Kernel + ?Sized>(&mut self, error: &Error, kernel: &mut K) -> Result<bool, Error> {
        let lacking = matches!(error, Error::Refused(_)) && self.ask_flags(kernel)?;
        if lacking {
            self.forget();
        }
        Ok(lacking)
    }

    /// Asks the kernel, once, whether it has the flags that our tables are to have. Returns whether it does not.
    pub(super) fn ask_flags<K: Kernel + ?Sized>(&mut self, kernel: &mut K) -> Result<bool, Error> {
        if std::mem::replace(&mut self.asked, true) || probe::outliving_tables(kernel).map_err(Error::Commit)? {
            return Ok(false);
        }
        self.flags = TableFlags::empty();
        Ok(true)
    }

    /// What stands and what has to be done with each table, of one generation. `remade` is what cannot be changed in
    /// place.
    pub(super) fn read<K: Kernel + ?Sized>(
        &self,
        kernel: &mut K,
        flags: TableFlags,
        remade: &mut HashSet<TableId>,
    ) -> Result<(Found, Vec<(TableId, Claim)>), Error> {
        let group = self.group();
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
                    read::rules(kernel, &group, id.family, entry)?;
                }
            }
            if kernel.generation()? == found.generation {
                return Ok((found, claims));
            }
        }
        Err(Error::Stale { attempts: READS })
    }

    /// Reads the rules of those tables that only we could write and that are wanted in another form.
    pub(super) fn read_needed<K: Kernel + ?Sized>(
        &self,
        kernel: &mut K,
        delta: &Delta,
        found: &mut Found,
        remade: &HashSet<TableId>,
    ) -> Result<(), Error> {
        let group = self.group();
        for (id, table) in found.tables.iter_mut().filter(|(id, _)| !remade.contains(id)) {
            let wanted = delta.tables.iter().find(|delta| delta.id == *id);
            if wanted.is_some_and(|wanted| adopt::needs_rules(&group, wanted, table)) {
                read::rules(kernel, &group, id.family, table)?;
            }
        }
        Ok(())
    }
}
