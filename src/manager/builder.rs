//! How a manager of a component is made.
//!
//! Owns: the settings until [`open`](ManagerBuilder::open).
//! Never: opens a socket before that; a wrong name is an error of `open`, so that calls can be chained.

use super::Manager;
use crate::error::Error;
use crate::kernel::{self, Live};
use crate::layout::Layout;
use crate::name::WrapName;
use crate::wrap::{Model, Profile};

/// Settings of a [`Manager`] in the making.
///
/// ```
/// use nftwrap::Manager;
/// use nftwrap::kernel::Fake;
/// use nftwrap::layout::Layout;
/// use nftwrap::rule::{PortRange, Rule};
/// use nftwrap::wrap::Profile;
///
/// let builder = Manager::builder("nova-compute").profile(Profile::Nova).layout(Layout::native());
/// let mut firewall = builder.over(Fake::new())?; // `open()` for the running kernel
/// firewall.model_mut().filter().chain("inst-7")?.append(Rule::new().tcp().dport(PortRange::single(22)).accept())?;
/// firewall.apply()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ManagerBuilder {
    component: String,
    profile: Profile,
    ipv6: bool,
    layout: Layout,
}

impl ManagerBuilder {
    pub(super) fn new(component: &str) -> Self {
        Self { component: component.to_owned(), profile: Profile::Bare, ipv6: true, layout: Layout::Iptables }
    }

    /// What tables hold from the start; nothing if not given.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Whether IPv6 tables are applied; yes if not given.
    pub fn ipv6(mut self, ipv6: bool) -> Self {
        self.ipv6 = ipv6;
        self
    }

    /// Where in the kernel the model goes; the tables of iptables if not given.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// A manager for the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that no component can have, [`Error::Kernel`] when no netlink socket can be opened.
    pub fn open(self) -> Result<Manager<Live>, Error> {
        let live = Live::open().map_err(kernel::Error::from)?;
        self.over(live)
    }

    /// A manager for any kernel: a live one in another namespace, or a fake.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that no component can have.
    pub fn over<K>(self, kernel: K) -> Result<Manager<K>, Error> {
        let Self { component, profile, ipv6, layout } = self;
        let model = Model::builder().component(WrapName::new(&component)?).profile(profile).ipv6(ipv6).build();
        let model = model.map_err(|error| Error::Model(vec![error]))?;
        Ok(Manager::with_kernel_and_layout(model, kernel, layout))
    }
}
