//! The compiler: all tables of one model.
//!
//! Owns: a [`Table`] for each table of the model, and when what it knows has to be built anew.
//! Never: reads the kernel; [`Seeds`] tell what stands there.
//!
//! A rule that has no program is found before anything of its table is changed. When the kernel refuses a transaction, or
//! the jumps of the model lead nowhere or in circles, nothing is lost and nothing has to be built anew: what is known of
//! the kernel is what was committed last, and the next update says what it lacks ([`Table`]).
//!
//! Invariant: a delta brings the kernel from the last commit to the model, whatever was tried in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::delta::Delta;
use super::error::Error;
use super::item::Item;
use super::names::Names;
use super::seed::Seeds;
use super::table::{Setup, Table};
use crate::compile::native::Fallback;
use crate::compile::{CompileError, Ipsets, Program};
use crate::layout::Native;
use crate::name::{ChainName, NameError, TableName, WrapName};
use crate::rule::Rule;
use crate::wrap::{Model, TableId};

/// Compiles a model for the native layout, and keeps what it compiled up to date.
#[derive(Debug)]
pub struct Compiler {
    setup: Arc<Setup>,
    tables: BTreeMap<TableId, Table>,
    seeds: BTreeMap<TableId, Seeds>,
    /// Tables that stand elsewhere.
    left_out: BTreeSet<TableId>,
}

impl Compiler {
    /// A compiler that knows nothing yet.
    #[must_use]
    pub fn new(native: &Native, component: Option<&WrapName>) -> Self {
        let names = Names::new(native.group.as_ref(), component);
        let setup = Arc::new(Setup { native: native.clone(), component: component.cloned(), names });
        Self { setup, tables: BTreeMap::new(), seeds: BTreeMap::new(), left_out: BTreeSet::new() }
    }

    /// What stands in the kernel: numbers that are to be used again. Before the first update only.
    pub fn seed(&mut self, table: TableId, seeds: Seeds) {
        self.seeds.insert(table, seeds);
    }

    /// These tables of the model, and no others, are not compiled, as they stand elsewhere. Before the first update, or
    /// before everything is forgotten.
    pub fn leave_out(&mut self, tables: BTreeSet<TableId>) {
        self.left_out = tables;
    }

    /// What has to change in the kernel for the model, since the last [`commit`](Self::commit). From nothing, that is all
    /// of it.
    ///
    /// # Errors
    /// [`Error`], of the model. The next update tries again.
    pub fn update(&mut self, model: &Model, ipsets: &dyn Ipsets) -> Result<Delta, Error> {
        let mut delta = Delta::default();
        for table in model.tables() {
            let id = table.id();
            if self.left_out.contains(&id) {
                continue;
            }
            let known = self.tables.contains_key(&id);
            if known && !table.is_dirty() && !self.tables.get(&id).is_some_and(Table::is_open) {
                continue;
            }
            if !known {
                let seeds = self.seeds.remove(&id).unwrap_or_default();
                self.tables.insert(id, Table::new(id, self.setup.clone(), seeds)?);
            }
            let Some(state) = self.tables.get_mut(&id) else { continue };
            match state.update(table, ipsets) {
                Ok(changes) => delta.tables.push(changes),
                Err(error) => {
                    if matches!(error, Error::Name(_)) {
                        // Of our own names: half of an update would be kept.
                        self.forget();
                    }
                    return Err(explain(error, model, id));
                }
            }
        }
        Ok(delta)
    }

    /// The kernel has what the last update said.
    pub fn commit(&mut self) {
        self.tables.values_mut().for_each(Table::commit);
    }

    /// Forgets everything, for when what the kernel has is not known any more.
    pub fn forget(&mut self) {
        self.tables.clear();
        self.seeds.clear();
    }

    /// Whether nothing is known, so that the next update gives all there is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The expressions of a kernel rule, and those parts of it that need an xt extension.
    ///
    /// # Errors
    /// [`CompileError`] when it has none; rules of the model were checked by the update.
    pub fn program(
        &self,
        table: TableId,
        item: &Item,
        ipsets: &dyn Ipsets,
        out: &mut Program,
    ) -> Result<Vec<Fallback>, CompileError> {
        out.clear();
        self.tables.get(&table).map_or(Ok(Vec::new()), |table| table.program(item, ipsets, out))
    }

    /// The rule that an item was made of, for messages.
    #[must_use]
    pub fn rule(&self, table: TableId, item: &Item) -> Option<&Arc<Rule>> {
        self.tables.get(&table)?.rule(item)
    }

    /// The kernel chain that an action leads to, by the number that elements of a choice hold.
    #[must_use]
    pub fn leads_to(&self, table: TableId, action: u32) -> Option<&ChainName> {
        self.tables.get(&table)?.leads_to(action)
    }

    /// The kernel's name of a table.
    ///
    /// # Errors
    /// [`NameError`] when the group's name is too long for it.
    pub fn table_name(&self, table: TableId) -> Result<TableName, NameError> {
        self.setup.names.table(table.kind)
    }
}

/// What the model says of its own jumps is what a caller can understand.
fn explain(error: Error, model: &Model, table: TableId) -> Error {
    let of_jumps = matches!(&error, Error::Model(_) | Error::TooDeep { .. });
    match (model.check(|_, _| false).err().filter(|_| of_jumps), error) {
        (Some(errors), _) => Error::Model(errors),
        (None, Error::Model(_)) => Error::TooHigh { table },
        (None, error) => error,
    }
}
