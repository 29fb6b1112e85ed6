//! The tables of both families and the way to the kernel, as the originals' `IptablesManager`.
//!
//! Owns: how a manager is made, deferral, `apply`.
//! Never: runs a program or takes a lock; one manager serves one network namespace.
//!
//! Invariant: an error leaves what was asked for in memory, to be applied the next time.

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::kernel::{Kernel, Live};
use nftwrap::rule::Family;
use nftwrap::wrap::{Deferral, Model, ModelError, TableKind};

use super::counters::Zeroed;
use super::error::FacadeError;
use super::names::{Names, Style};
use super::table::IptablesTable;

/// How an [`IptablesManager`] is made. What is not given is as in the original: no IPv6, stateful, with `nat` and
/// comments.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    style: Style,
    binary_name: String,
    use_ipv6: bool,
    state_less: bool,
    nat: bool,
    comments: bool,
}

impl Builder {
    /// A manager like nova's for the program of that name, which is cut to 16 characters.
    pub fn nova(binary_name: &str) -> Self {
        Self::new(Style::Nova, binary_name)
    }

    /// A manager like neutron's for the program of that name, which is cut to 16 characters.
    pub fn neutron(binary_name: &str) -> Self {
        Self::new(Style::Neutron, binary_name)
    }

    /// A manager in that style.
    pub fn new(style: Style, binary_name: &str) -> Self {
        let binary_name = binary_name.to_owned();
        Self { style, binary_name, use_ipv6: false, state_less: false, nat: true, comments: style.has_comments() }
    }

    /// Whether IPv6 tables are applied.
    pub fn use_ipv6(self, use_ipv6: bool) -> Self {
        Self { use_ipv6, ..self }
    }

    /// neutron: no `mangle`, and of `nat` only PREROUTING.
    pub fn state_less(self, state_less: bool) -> Self {
        Self { state_less, ..self }
    }

    /// neutron: whether `nat` is there in full.
    pub fn nat(self, nat: bool) -> Self {
        Self { nat, ..self }
    }

    /// Whether rules carry the comments that they are given (`comment_iptables_rules`).
    pub fn comments(self, comments: bool) -> Self {
        Self { comments, ..self }
    }

    /// A manager for the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`FacadeError`] when the name does not fit or no netlink socket can be opened.
    pub fn open(self) -> Result<IptablesManager<Live>, FacadeError> {
        let (model, names, comments) = self.parts()?;
        Ok(IptablesManager::new(Manager::open(model)?, names, comments))
    }

    /// A manager for any kernel: a live one in another namespace, or a fake. Over `()` it has memory only.
    ///
    /// # Errors
    /// [`FacadeError`] when the name does not fit.
    pub fn over<K>(self, kernel: K) -> Result<IptablesManager<K>, FacadeError> {
        let (model, names, comments) = self.parts()?;
        Ok(IptablesManager::new(Manager::with_kernel(model, kernel), names, comments))
    }

    fn parts(self) -> Result<(Model, Names, bool), FacadeError> {
        let model = Model::builder()
            .component(self.style.wrap_name(&self.binary_name)?)
            .profile(self.style.profile())
            .ipv6(self.use_ipv6)
            .stateless(self.state_less)
            .nat(self.nat)
            .comments(self.comments)
            .eager(true)
            .build()?;
        Ok((model, Names::new(self.style), self.comments))
    }
}

/// Wrapped chains over strings.
#[derive(Debug)]
pub struct IptablesManager<K = Live> {
    pub(super) manager: Manager<K>,
    pub(super) names: Names,
    pub(super) zeroed: Zeroed,
    comments: bool,
    deferrals: Vec<Deferral>,
}

impl<K> IptablesManager<K> {
    fn new(manager: Manager<K>, names: Names, comments: bool) -> Self {
        Self { manager, names, zeroed: Zeroed::default(), comments, deferrals: Vec::new() }
    }

    /// The component's name, which wrapped chains carry in front.
    #[must_use]
    pub fn wrap_name(&self) -> &str {
        self.manager.model().component().map_or("", |wrap| wrap.as_str())
    }

    /// An IPv4 table.
    ///
    /// # Errors
    /// [`ModelError`] when the skeleton does not fit; it did when the manager was made.
    pub fn ipv4(&mut self, kind: TableKind) -> Result<IptablesTable<'_>, FacadeError> {
        self.table(Family::Ipv4, kind)
    }

    /// An IPv6 table. Without IPv6 it can be filled but is not applied.
    ///
    /// # Errors
    /// As [`ipv4`](IptablesManager::ipv4).
    pub fn ipv6(&mut self, kind: TableKind) -> Result<IptablesTable<'_>, FacadeError> {
        self.table(Family::Ipv6, kind)
    }

    /// A table; one that the style does not make at start is made now.
    ///
    /// # Errors
    /// As [`ipv4`](IptablesManager::ipv4).
    pub fn table(&mut self, family: Family, kind: TableKind) -> Result<IptablesTable<'_>, FacadeError> {
        let Self { manager, names, comments, .. } = self;
        let table = manager.model_mut().table_mut(family, kind)?;
        Ok(IptablesTable { table, names, comments: *comments })
    }

    /// Makes `nat` full in a manager that was made without it; rules that are there stay.
    ///
    /// # Errors
    /// As [`ipv4`](IptablesManager::ipv4).
    pub fn initialize_nat_table(&mut self) -> Result<(), ModelError> {
        self.manager.model_mut().initialize_nat()
    }

    /// Makes the `mangle` tables of a manager that was made stateless.
    ///
    /// # Errors
    /// As [`ipv4`](IptablesManager::ipv4).
    pub fn initialize_mangle_table(&mut self) -> Result<(), ModelError> {
        self.manager.model_mut().initialize_mangle()
    }

    /// Defers [`apply`](IptablesManager::apply) until [`defer_apply_off`](IptablesManager::defer_apply_off) was called
    /// as often.
    pub fn defer_apply_on(&mut self) {
        self.deferrals.push(self.manager.model().defer());
    }

    /// The typed manager below.
    pub fn typed(&mut self) -> &mut Manager<K> {
        &mut self.manager
    }
}

impl<K: Kernel> IptablesManager<K> {
    /// Brings the kernel to what is in memory, in one transaction over all tables of both families. Does nothing while
    /// deferred or when nothing changed.
    ///
    /// # Errors
    /// [`FacadeError::Apply`] names the rule at fault. Memory and kernel are as they were.
    pub fn apply(&mut self) -> Result<Report, FacadeError> {
        Ok(self.manager.apply()?)
    }

    /// Ends a deferral; the last one applies.
    ///
    /// # Errors
    /// As [`apply`](IptablesManager::apply).
    pub fn defer_apply_off(&mut self) -> Result<Report, FacadeError> {
        self.deferrals.pop();
        self.apply()
    }

    /// Runs `body` deferred, then applies, also when `body` failed; its error is the one returned then.
    ///
    /// # Errors
    /// That of `body`, else as [`apply`](IptablesManager::apply).
    pub fn defer_apply<T, E: From<FacadeError>>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.defer_apply_on();
        let done = body(self);
        let applied = self.defer_apply_off();
        let done = done?;
        applied?;
        Ok(done)
    }
}
