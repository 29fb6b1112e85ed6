//! The seam between the compiler and what applies its changes.
//!
//! Owns: [`Source`], what is asked of the compiler here.
//! Never: compiles; knows how the kernel is reached.
//!
//! Invariant: an update that no commit follows has not happened: the next is again relative to the last commit.
//!
//! How it is tested: a script stands in for the compiler, so that each order of changes can be tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::compile::native::Fallback;
use crate::compile::{CompileError, Ipsets, Program};
use crate::error::Error;
use crate::layout::native::{Delta, Item, Seeds};
use crate::name::{ChainName, TableName};
use crate::rule::Rule;
use crate::wrap::{Model, TableId};

/// Whoever says what the tables of the native layout should hold.
pub(crate) trait Source {
    /// Forgets all state: the next update gives everything that is wanted.
    fn reset(&mut self);

    /// Tells the numbers of what stands in a table, before the first update.
    fn seed(&mut self, table: TableId, seeds: Seeds);

    /// These tables, and no others, stand elsewhere. Before the first update, or before a reset.
    fn leave_out(&mut self, tables: BTreeSet<TableId>);

    /// What has to change since the last commit, whatever was tried in between.
    fn update(&mut self, model: &Model, ipsets: &dyn Ipsets) -> Result<Delta, Error>;

    /// The expressions of a kernel rule, of the last update, and the parts of it that need an xt
    /// extension.
    fn program(
        &self,
        table: TableId,
        item: &Item,
        ipsets: &dyn Ipsets,
        out: &mut Program,
    ) -> Result<Vec<Fallback>, CompileError>;

    /// The rule that an item was made from, for messages.
    fn rule(&self, table: TableId, item: &Item) -> Option<Arc<Rule>>;

    /// The kernel chain that an action of a map leads to, as of the last update.
    fn leads_to(&self, table: TableId, action: u32) -> Option<ChainName>;

    /// The kernel's name of a table.
    fn table_name(&self, table: TableId) -> TableName;

    /// The update is in the kernel.
    fn commit(&mut self);

    /// Whether nothing is known, so that the next update gives everything that is wanted.
    fn knows_nothing(&self) -> bool;
}
