//! The compiler: all tables of one model.
//!
//! Owns: a [`Table`] for each table of the model, and when what it knows has to be built anew.
//! Never: reads the kernel; [`Seeds`] tell what stands there.
//!
//! A rule that has no program is found before anything is changed. When the kernel refuses a transaction, or the jumps
//! of the model lead nowhere or in circles, the compiler forgets what it knows: the next update starts from the model
//! and from what stands, which costs one walk over the model and is exact by construction.
//!
//! Invariant: what is known is what was committed, or nothing.

use std::collections::BTreeMap;
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
use crate::name::{NameError, TableName, WrapName};
use crate::rule::Rule;
use crate::wrap::{Model, TableId};

/// Compiles a model for the native layout, and keeps what it compiled up to date.
#[derive(Debug)]
pub struct Compiler {
    setup: Arc<Setup>,
    tables: BTreeMap<TableId, Table>,
    seeds: BTreeMap<TableId, Seeds>,
}

impl Compiler {
    /// A compiler that knows nothing yet.
    #[must_use]
    pub fn new(native: &Native, component: Option<&WrapName>) -> Self {
        let names = Names::new(native.group.as_ref(), component);
        let setup = Arc::new(Setup { native: native.clone(), component: component.cloned(), names });
        Self { setup, tables: BTreeMap::new(), seeds: BTreeMap::new() }
    }

    /// What stands in the kernel: numbers that are to be used again. Before the first update only.
    pub fn seed(&mut self, table: TableId, seeds: Seeds) {
        self.seeds.insert(table, seeds);
    }

    /// What has to change in the kernel for the model. From nothing, that is all of it. [`commit`](Self::commit) or
    /// [`rollback`](Self::rollback) must follow.
    ///
    /// # Errors
    /// [`Error`]; nothing changed then.
    pub fn update(&mut self, model: &Model, ipsets: &dyn Ipsets) -> Result<Delta, Error> {
        let mut delta = Delta::default();
        for table in model.tables() {
            let id = table.id();
            let known = self.tables.contains_key(&id);
            if known && !table.is_dirty() {
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
                    self.rollback();
                    return Err(explain(error, model));
                }
            }
        }
        Ok(delta)
    }

    /// The kernel has what the last update said.
    pub fn commit(&mut self) {
        self.tables.values_mut().for_each(Table::commit);
    }

    /// The kernel does not have it: forgets everything.
    pub fn rollback(&mut self) {
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

    /// The kernel's name of a table.
    ///
    /// # Errors
    /// [`NameError`] when the group's name is too long for it.
    pub fn table_name(&self, table: TableId) -> Result<TableName, NameError> {
        self.setup.names.table(table.kind)
    }
}

/// What the model says of its own jumps is what a caller can understand.
fn explain(error: Error, model: &Model) -> Error {
    match error {
        Error::Model(errors) if errors.is_empty() => Error::Model(model.check(|_, _| false).err().unwrap_or_default()),
        error => error,
    }
}
