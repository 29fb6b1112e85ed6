//! Handles of rules that we have sent and not read back.
//!
//! Owns: the reading of one chain, or of the table when there are many.
//! Never: reads what needs no handle.
//!
//! Invariant: a chain with another number of rules than we left there is not ours to change: everything is read again.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;

use super::plan::{Unplanned, handle};
use super::standing::StandingRule;
use crate::apply::SINGLE_READS;
use crate::kernel;
use crate::name::{ChainName, TableName};
use crate::nft;
use crate::wrap::TableId;

/// What a dump gives of a chain: its rules' handles, in order.
type Dumped = Vec<Option<NonZeroU64>>;

/// A reader of handles.
pub(super) struct Handles<'a> {
    dump: &'a mut Dump<'a>,
    name: &'a dyn Fn(TableId) -> TableName,
    single: usize,
    whole: HashSet<TableId>,
    known: HashMap<(TableId, ChainName), Dumped>,
}

/// The rules of a chain or table.
pub(super) type Dump<'a> =
    dyn FnMut(nft::Family, &TableName, Option<&ChainName>) -> Result<Vec<nft::Rule>, kernel::Error> + 'a;

impl<'a> Handles<'a> {
    pub(super) fn new(dump: &'a mut Dump<'a>, name: &'a dyn Fn(TableId) -> TableName) -> Self {
        Self { dump, name, single: 0, whole: HashSet::new(), known: HashMap::new() }
    }

    /// Fills in the handles of all rules of a chain.
    pub(super) fn read(
        &mut self,
        table: TableId,
        chain: &ChainName,
        rules: &mut [StandingRule],
    ) -> Result<(), Unplanned> {
        let handles = self.dumped(table, chain).map_err(Unplanned::Kernel)?;
        if handles.len() != rules.len() {
            return Err(Unplanned::Stale);
        }
        for (rule, handle) in rules.iter_mut().zip(handles) {
            rule.handle = handle;
        }
        Ok(())
    }

    fn dumped(&mut self, table: TableId, chain: &ChainName) -> Result<Dumped, kernel::Error> {
        let name = (self.name)(table);
        if self.single < SINGLE_READS {
            self.single += 1;
            let rules = (self.dump)(table.family.into(), &name, Some(chain))?;
            return Ok(rules.iter().map(|rule| handle(rule.handle)).collect());
        }
        if self.whole.insert(table) {
            for rule in (self.dump)(table.family.into(), &name, None)? {
                self.known.entry((table, rule.chain)).or_default().push(handle(rule.handle));
            }
        }
        Ok(self.known.remove(&(table, chain.clone())).unwrap_or_default())
    }
}
