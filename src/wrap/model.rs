//! The desired state of one component, or of whole tables.
//!
//! Owns: the tables of both families, when they come to be, what changed since the last apply, deferral.
//! Never: does I/O; the state in the kernel is `apply`'s.
//!
//! Invariant: what changed stays marked until [`Model::mark_applied`], which only a committed transaction calls: an
//! apply that failed can be tried again.
//! Invariant: these marks are of one model. A copy has another [`Identity`], as what is applied of one says nothing of the
//! other.
//!
//! How it is tested: unit tests here, `tests/wrap.rs` against the behaviours of the reference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::builtin::{TableId, TableKind};
use super::check;
use super::error::ModelError;
use super::naming::Naming;
use super::profile::{Profile, Skeleton};
use super::table::Table;
use super::view::View;
use crate::name::{ChainName, WrapName};
use crate::rule::Family;

/// All tables, in the order of every walk.
const TABLES: usize = 2 * TableKind::ALL.len();

/// The desired state.
#[derive(Debug, Clone)]
pub struct Model {
    naming: Arc<Naming>,
    skeleton: Skeleton,
    ipv6: bool,
    tables: [Option<Box<Table>>; TABLES],
    deferrals: Arc<AtomicUsize>,
    identity: Identity,
}

/// Tells a model from every other one, copies included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

impl Identity {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The same one, to remember it.
    pub(crate) fn same(&self) -> Self {
        Self(self.0)
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// How a [`Model`] is made.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    naming: Naming,
    skeleton: Skeleton,
    ipv6: bool,
    eager: bool,
}

/// Defers applies while it lives; see [`Model::defer`].
#[derive(Debug)]
#[must_use = "the deferral ends when the guard is dropped"]
pub struct Deferral(Arc<AtomicUsize>);

impl Drop for Deferral {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Builder {
    /// The component whose chains are wrapped. Without one, the model states the whole content of its tables.
    pub fn component(mut self, wrap: WrapName) -> Self {
        self.naming.component = Some(wrap);
        self
    }

    /// What tables hold from the start; nothing if not given.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.skeleton.profile = profile;
        self
    }

    /// Whether IPv6 tables are applied; yes if not given.
    pub fn ipv6(mut self, ipv6: bool) -> Self {
        self.ipv6 = ipv6;
        self
    }

    /// neutron: no `mangle`, and of `nat` only PREROUTING.
    pub fn stateless(mut self, stateless: bool) -> Self {
        self.skeleton.mangle = !stateless;
        self.skeleton.full_nat &= !stateless;
        self
    }

    /// neutron: whether `nat` is there in full; if not, it has PREROUTING only.
    pub fn nat(mut self, nat: bool) -> Self {
        self.skeleton.full_nat = nat && self.skeleton.mangle;
        self
    }

    /// neutron: whether the skeleton's rules carry comments; yes if not given.
    pub fn comments(mut self, comments: bool) -> Self {
        self.skeleton.comments = comments;
        self
    }

    /// Whether the profile's tables are all made at once, as the reference does, or each on first use; the latter if
    /// not given.
    pub fn eager(mut self, eager: bool) -> Self {
        self.eager = eager;
        self
    }

    /// The longest chain name of the layout, in bytes; [`ChainName::IPTABLES_MAX`] if not given.
    pub fn max_chain_name(mut self, max: usize) -> Self {
        self.naming.max = max.min(ChainName::MAX);
        self
    }

    /// Makes the model.
    ///
    /// # Errors
    /// [`ModelError::NoComponent`] when a profile needs a wrap name; a name error when its chains do not fit the limit.
    pub fn build(self) -> Result<Model, ModelError> {
        let Self { naming, skeleton, ipv6, eager } = self;
        let mut model = Model::empty(naming, skeleton, ipv6);
        // Made even when they are not wanted yet: what does not fit is an error now, not on first use.
        for id in skeleton.tables(true) {
            model.table_mut(id.family, id.kind)?;
        }
        let wanted = if eager { skeleton.tables(ipv6) } else { Vec::new() };
        for table in &mut model.tables {
            table.take_if(|table| !wanted.contains(&table.id()));
        }
        Ok(model)
    }
}

impl Model {
    /// Starts a model: `Model::builder().component(name).profile(Profile::Nova).build()`.
    pub fn builder() -> Builder {
        let skeleton = Skeleton { profile: Profile::Bare, mangle: true, full_nat: true, comments: true };
        let naming = Naming { component: None, max: ChainName::IPTABLES_MAX };
        Builder { naming, skeleton, ipv6: true, eager: false }
    }

    /// A model without a component: the tables it names are wholly its own, as those of `iptables-restore`.
    #[must_use]
    pub fn whole() -> Self {
        let Builder { naming, skeleton, ipv6, .. } = Self::builder();
        Self::empty(naming, skeleton, ipv6)
    }

    fn empty(naming: Naming, skeleton: Skeleton, ipv6: bool) -> Self {
        let tables = Default::default();
        let (deferrals, identity) = (Arc::default(), Identity::new());
        Self { naming: Arc::new(naming), skeleton, ipv6, tables, deferrals, identity }
    }

    /// The component, or `None` when the model owns whole tables.
    #[must_use]
    pub fn component(&self) -> Option<&WrapName> {
        self.naming.component.as_ref()
    }

    /// The longest that the own part of a wrapped chain's name can be, in bytes.
    #[must_use]
    pub fn wrapped_name_max(&self) -> usize {
        let component = self.component().map_or(0, |component| component.as_str().len() + 1);
        self.naming.max.saturating_sub(component)
    }

    /// The same with some of its tables only.
    pub(crate) fn only(&self, keep: impl Fn(TableId) -> bool) -> Self {
        let mut part = Self::empty((*self.naming).clone(), self.skeleton, self.ipv6);
        for (to, from) in part.tables.iter_mut().zip(&self.tables) {
            *to = from.as_ref().filter(|table| keep(table.id())).cloned();
        }
        part
    }

    /// Whether IPv6 tables are applied.
    #[must_use]
    pub fn has_ipv6(&self) -> bool {
        self.ipv6
    }

    /// The kernel name of a wrapped chain.
    ///
    /// # Errors
    /// [`ModelError`] when there is no component or the name does not fit.
    pub fn wrapped_name(&self, logical: &str) -> Result<ChainName, ModelError> {
        self.naming.checked(super::ChainKey::Wrapped(logical))
    }

    /// The table, if it was ever used.
    #[must_use]
    pub fn table(&self, family: Family, kind: TableKind) -> Option<&Table> {
        self.tables.get(index(family, kind))?.as_deref()
    }

    /// The table; on first use it is made with the profile's skeleton. IPv6 tables of a model without IPv6 can be
    /// filled but are not applied.
    ///
    /// # Errors
    /// None in a model that [`Builder::build`] accepted.
    pub fn table_mut(&mut self, family: Family, kind: TableKind) -> Result<&mut Table, ModelError> {
        let id = TableId::new(family, kind);
        let unknown = || ModelError::UnknownChain { table: id, chain: String::new() };
        let slot = self.tables.get_mut(index(family, kind)).ok_or_else(unknown)?;
        if slot.is_none() {
            let mut table = Box::new(Table::new(id, self.naming.clone()));
            self.skeleton.apply(&mut table)?;
            *slot = Some(table);
        }
        slot.as_deref_mut().ok_or_else(unknown)
    }

    /// The tables to apply: by family, then in the order of [`TableKind::ALL`].
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().flatten().map(Box::as_ref).filter(|table| self.ipv6 || table.id().family == Family::Ipv4)
    }

    /// The chains that changed since [`Model::mark_applied`], by table and name.
    pub fn dirty(&self) -> impl Iterator<Item = (TableId, &ChainName)> {
        self.tables().flat_map(|table| table.dirty().map(|name| (table.id(), name)))
    }

    /// Which model it is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether anything changed since [`Model::mark_applied`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.tables().any(Table::is_dirty)
    }

    /// Notes that the kernel has this state now. To be called after a commit, and only then.
    pub fn mark_applied(&mut self) {
        self.tables.iter_mut().flatten().for_each(|table| table.mark_applied());
    }

    /// Defers applies until the guard is dropped. Guards nest: the last one to go ends the deferral.
    pub fn defer(&self) -> Deferral {
        self.deferrals.fetch_add(1, Ordering::AcqRel);
        Deferral(self.deferrals.clone())
    }

    /// Whether a guard of [`Model::defer`] lives.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        self.deferrals.load(Ordering::Acquire) > 0
    }

    /// neutron: makes `nat` full in a model that was made stateless or without it. Rules that are there stay.
    ///
    /// # Errors
    /// None in a model that [`Builder::build`] accepted.
    pub fn initialize_nat(&mut self) -> Result<(), ModelError> {
        self.skeleton.full_nat = true;
        self.initialize(TableKind::Nat)
    }

    /// neutron: makes the `mangle` tables of a model that was made stateless.
    ///
    /// # Errors
    /// None in a model that [`Builder::build`] accepted.
    pub fn initialize_mangle(&mut self) -> Result<(), ModelError> {
        self.skeleton.mangle = true;
        self.initialize(TableKind::Mangle)
    }

    fn initialize(&mut self, kind: TableKind) -> Result<(), ModelError> {
        let skeleton = self.skeleton;
        for id in skeleton.tables(self.ipv6).into_iter().filter(|id| id.kind == kind) {
            skeleton.apply(self.table_mut(id.family, id.kind)?)?;
        }
        Ok(())
    }

    /// Finds what would keep the state from being applied: jumps to nowhere or to built-in chains, loops, too deep
    /// nesting. `exists` tells whether the kernel has a chain that is not in the model.
    ///
    /// # Errors
    /// All that is wrong, in the order of tables, chains and rules.
    pub fn check(&self, exists: impl Fn(TableId, &ChainName) -> bool) -> Result<(), Vec<ModelError>> {
        self.check_tables(exists, |_| true)
    }

    /// The same of tables with chains that changed since [`Model::mark_applied`]: no jump leads from one table to another.
    ///
    /// # Errors
    /// As [`check`](Model::check).
    pub fn check_changes(&self, exists: impl Fn(TableId, &ChainName) -> bool) -> Result<(), Vec<ModelError>> {
        self.check_tables(exists, |table| table.dirty().next().is_some())
    }

    fn check_tables(
        &self,
        exists: impl Fn(TableId, &ChainName) -> bool,
        chosen: impl Fn(&Table) -> bool,
    ) -> Result<(), Vec<ModelError>> {
        let mut errors = Vec::new();
        for table in self.tables().filter(|table| chosen(table)) {
            check::check(table, &exists, &mut errors);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The table of both families: `model.view(TableKind::Filter).chain("inst-7")?.append(rule)?`.
    pub fn view(&mut self, kind: TableKind) -> View<'_> {
        View::new(self, kind)
    }

    /// The `filter` tables of both families.
    pub fn filter(&mut self) -> View<'_> {
        self.view(TableKind::Filter)
    }

    /// The `nat` tables of both families.
    pub fn nat(&mut self) -> View<'_> {
        self.view(TableKind::Nat)
    }

    /// The `mangle` tables of both families.
    pub fn mangle(&mut self) -> View<'_> {
        self.view(TableKind::Mangle)
    }

    /// The `raw` tables of both families.
    pub fn raw(&mut self) -> View<'_> {
        self.view(TableKind::Raw)
    }
}

fn index(family: Family, kind: TableKind) -> usize {
    family as usize * TableKind::ALL.len() + kind as usize
}
