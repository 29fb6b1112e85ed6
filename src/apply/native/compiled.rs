//! The compiler of the native layout as a [`Source`].

use std::collections::BTreeSet;
use std::sync::Arc;

use super::source::Source;
use crate::compile::native::Fallback;
use crate::compile::{CompileError, Ipsets, Program};
use crate::error::Error;
use crate::layout::Native;
use crate::layout::native::{Compiler, Delta, Item, Seeds};
use crate::name::{ChainName, TableName, WrapName};
use crate::rule::Rule;
use crate::wrap::{Model, TableId};

/// The compiler.
#[derive(Debug)]
pub(crate) struct Compiled(Compiler);

impl Compiled {
    pub(crate) fn new(settings: &Native, component: Option<&WrapName>) -> Self {
        Self(Compiler::new(settings, component))
    }
}

impl Source for Compiled {
    fn reset(&mut self) {
        self.0.forget();
    }

    fn seed(&mut self, table: TableId, seeds: Seeds) {
        self.0.seed(table, seeds);
    }

    fn leave_out(&mut self, tables: BTreeSet<TableId>) {
        self.0.leave_out(tables);
    }

    fn update(&mut self, model: &Model, ipsets: &dyn Ipsets) -> Result<Delta, Error> {
        Ok(self.0.update(model, ipsets)?)
    }

    fn program(
        &self,
        table: TableId,
        item: &Item,
        ipsets: &dyn Ipsets,
        out: &mut Program,
    ) -> Result<Vec<Fallback>, CompileError> {
        self.0.program(table, item, ipsets, out)
    }

    fn rule(&self, table: TableId, item: &Item) -> Option<Arc<Rule>> {
        self.0.rule(table, item).cloned()
    }

    fn leads_to(&self, table: TableId, action: u32) -> Option<ChainName> {
        self.0.leads_to(table, action).cloned()
    }

    fn table_name(&self, table: TableId) -> TableName {
        // A group's name has sixteen bytes at the most, so there always is one.
        self.0.table_name(table).unwrap_or_else(|_| TableName::fixed("nftwrap-nameless"))
    }

    fn commit(&mut self) {
        self.0.commit();
    }

    fn knows_nothing(&self) -> bool {
        self.0.is_empty()
    }
}
