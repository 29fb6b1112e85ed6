//! What nova-compute asks of a firewall, and the choice of one.
//!
//! Owns: the trait with every operation of nova's, the driver that does nothing, the guard of a deferral, choice by name.
//! Never: knows how a driver does it.
//!
//! nova's drivers ask back for rules and members; ours are given them, so an operation needs nothing but its arguments.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use super::error::DriverError;
use super::instance::{Instance, InstanceId};
use super::nftables::NftablesFirewallDriver;
use super::options::Options;
use super::provider::ProviderRule;
use crate::conntrack::{self, Conntrack};
use crate::kernel::Live;
use crate::layout::Layout;
use crate::manager::Manager;
use crate::name::{NameError, WrapName};
use crate::netlink::namespace::Namespace;
use crate::virt_firewall::group::GroupId;
use crate::virt_firewall::input::{Rejected, TenantRule};
use crate::wrap::{Model, ModelError, Profile};
use crate::writer::{Owed, Pace};

/// A firewall of instances. An operation has taken effect when it returns, unless applying is deferred; all can be called
/// from several threads.
///
/// The order for an instance that starts: its interfaces are plugged, [`setup_basic_filtering`], [`prepare_instance_filter`],
/// the instance is made, [`apply_instance_filter`].
///
/// A device is one instance's from the first of these on until [`unfilter_instance`]; another one that wants it is refused with
/// [`DriverError::DeviceTaken`]. When the end of the one that has it was lost, say it now, by the identifier alone: an instance
/// without interfaces will do.
///
/// [`setup_basic_filtering`]: Self::setup_basic_filtering
/// [`prepare_instance_filter`]: Self::prepare_instance_filter
/// [`apply_instance_filter`]: Self::apply_instance_filter
/// [`unfilter_instance`]: Self::unfilter_instance
pub trait FirewallDriver: fmt::Debug + Send + Sync {
    /// Holds what the instance sends to its addresses, for the interfaces given and no others, so that one that is plugged
    /// later can come alone. No deferral delays it.
    ///
    /// # Errors
    /// [`DriverError`]; so do the other methods.
    fn setup_basic_filtering(&self, instance: &Instance) -> Result<(), DriverError>;

    /// Sets up everything for an instance, in place of what it had. Interfaces that it had and has not are forgotten.
    ///
    /// # Errors
    /// As [`setup_basic_filtering`](Self::setup_basic_filtering).
    fn prepare_instance_filter(&self, instance: &Instance) -> Result<(), DriverError>;

    /// Makes sure that what was prepared stands.
    ///
    /// # Errors
    /// [`DriverError::UnknownInstance`] for one that was not prepared.
    fn apply_instance_filter(&self, instance: &InstanceId) -> Result<(), DriverError>;

    /// Removes all of an instance, whichever of its interfaces are named; one that is not known is none. A device that another
    /// instance has stays that one's.
    ///
    /// # Errors
    /// As [`setup_basic_filtering`](Self::setup_basic_filtering).
    fn unfilter_instance(&self, instance: &Instance) -> Result<(), DriverError>;

    /// Whether what was set up and prepared for the instance stands.
    ///
    /// # Errors
    /// As [`setup_basic_filtering`](Self::setup_basic_filtering).
    fn instance_filter_exists(&self, instance: &Instance) -> Result<bool, DriverError>;

    /// The instance uses these groups from now on; its interfaces are those that it was prepared with.
    ///
    /// # Errors
    /// [`DriverError::UnknownInstance`] for one that was not prepared.
    fn refresh_instance_security_rules(&self, instance: &InstanceId, groups: &[GroupId]) -> Result<(), DriverError>;

    /// The group has these rules from now on. Rules that cannot be, or would have no effect, are left out and returned; the
    /// others take effect. Rules for egress are such: nova filters what instances are sent, and what they send is held to
    /// their addresses alone.
    ///
    /// # Errors
    /// As [`setup_basic_filtering`](Self::setup_basic_filtering).
    fn refresh_security_group_rules(
        &self,
        group: &GroupId,
        rules: &[TenantRule<'_>],
    ) -> Result<Vec<Rejected>, DriverError>;

    /// The group has these members from now on, of both families and on all hosts. Only the differences are sent.
    ///
    /// # Errors
    /// As [`setup_basic_filtering`](Self::setup_basic_filtering).
    fn refresh_security_group_members(&self, group: &GroupId, members: &[IpAddr]) -> Result<(), DriverError>;

    /// The provider forbids this from now on. Without the option it is kept and has no effect.
    ///
    /// # Errors
    /// [`DriverError::Provider`] for a rule that no packet can break, [`DriverError::Refused`].
    fn refresh_provider_fw_rules(&self, rules: &[ProviderRule]) -> Result<(), DriverError>;

    /// Tries again all that was refused before: call it from your periodic task. Without it, what was refused goes with a
    /// later operation, ever more rarely when it is refused again.
    ///
    /// # Errors
    /// [`DriverError::Refused`] names what was refused again.
    fn retry(&self) -> Result<(), DriverError>;

    /// What was refused, and why: the kernel has not, or still has, what these were to change.
    fn owed(&self) -> Vec<Owed>;

    /// Takes changes from now on and applies none. Can be nested; [`Deferral`] ends it by itself.
    fn filter_defer_apply_on(&self);

    /// Ends the last [`filter_defer_apply_on`](Self::filter_defer_apply_on); the outermost one applies all changes at once.
    ///
    /// # Errors
    /// [`DriverError::Refused`] names all changes that had no effect.
    fn filter_defer_apply_off(&self) -> Result<(), DriverError>;
}

/// Defers applying as long as it lives.
#[derive(Debug)]
#[must_use = "the deferral ends when it is dropped"]
pub struct Deferral<'a>(Option<&'a dyn FirewallDriver>);

impl<'a> Deferral<'a> {
    /// Begins one.
    pub fn begin(driver: &'a dyn FirewallDriver) -> Self {
        driver.filter_defer_apply_on();
        Self(Some(driver))
    }

    /// Ends it and tells the outcome.
    ///
    /// # Errors
    /// As [`FirewallDriver::filter_defer_apply_off`].
    pub fn finish(mut self) -> Result<(), DriverError> {
        self.0.take().map_or(Ok(()), FirewallDriver::filter_defer_apply_off)
    }
}

impl Drop for Deferral<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(FirewallDriver::filter_defer_apply_off) {
            log::warn!("changes that were deferred: {error}");
        }
    }
}

/// Firewalls nothing: for hosts where something else does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoopFirewallDriver;

impl FirewallDriver for NoopFirewallDriver {
    fn setup_basic_filtering(&self, _: &Instance) -> Result<(), DriverError> {
        Ok(())
    }

    fn prepare_instance_filter(&self, _: &Instance) -> Result<(), DriverError> {
        Ok(())
    }

    fn apply_instance_filter(&self, _: &InstanceId) -> Result<(), DriverError> {
        Ok(())
    }

    fn unfilter_instance(&self, _: &Instance) -> Result<(), DriverError> {
        Ok(())
    }

    fn instance_filter_exists(&self, _: &Instance) -> Result<bool, DriverError> {
        Ok(true)
    }

    fn refresh_instance_security_rules(&self, _: &InstanceId, _: &[GroupId]) -> Result<(), DriverError> {
        Ok(())
    }

    fn refresh_security_group_rules(&self, _: &GroupId, _: &[TenantRule<'_>]) -> Result<Vec<Rejected>, DriverError> {
        Ok(Vec::new())
    }

    fn refresh_security_group_members(&self, _: &GroupId, _: &[IpAddr]) -> Result<(), DriverError> {
        Ok(())
    }

    fn refresh_provider_fw_rules(&self, _: &[ProviderRule]) -> Result<(), DriverError> {
        Ok(())
    }

    fn retry(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn owed(&self) -> Vec<Owed> {
        Vec::new()
    }

    fn filter_defer_apply_on(&self) {}

    fn filter_defer_apply_off(&self) -> Result<(), DriverError> {
        Ok(())
    }
}

/// What a driver is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The component, of which its chains have their names.
    pub component: WrapName,
    /// Where its rules go.
    pub layout: Layout,
    /// How it filters.
    pub options: Options,
    /// When its transactions begin.
    pub pace: Pace,
}

impl Settings {
    /// Those of nova-compute, with the defaults of the layout.
    ///
    /// # Errors
    /// [`NameError`], which the name does not give.
    pub fn nova_compute(layout: Layout) -> Result<Self, NameError> {
        let options = Options::of(&layout);
        Ok(Self { component: WrapName::new("nova-compute")?, layout, options, pace: Pace::default() })
    }
}

/// Why there is no driver.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// None has that name.
    #[error("there is no firewall driver `{0}`; those that there are: nftables, noop")]
    Unknown(String),
    /// The model cannot be made.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Connections cannot be ended.
    #[error(transparent)]
    Connections(#[from] conntrack::Error),
    /// The kernel or a thread is not to be had.
    #[error("cannot start the firewall driver: {0}")]
    Start(#[from] std::io::Error),
}

/// The driver of that name, `nftables` or `noop`, in the network namespace of the calling thread.
///
/// # Errors
/// [`LoadError::Unknown`] names those that there are.
pub fn load_driver(name: &str, settings: Settings) -> Result<Box<dyn FirewallDriver>, LoadError> {
    match name {
        "nftables" => {
            let Settings { component, layout, options, pace } = settings;
            let model = Model::builder().component(component).profile(Profile::Nova).build()?;
            let manager = Manager::with_kernel_and_layout(model, Live::open()?, layout);
            let driver = NftablesFirewallDriver::start(manager, Live::open()?, options, pace)?;
            let connections = Conntrack::open_in(&Namespace::current())?;
            Ok(Box::new(driver.ending_connections(Box::new(connections))?))
        }
        "noop" => Ok(Box::new(NoopFirewallDriver)),
        other => Err(LoadError::Unknown(other.chars().take(64).flat_map(char::escape_default).collect())),
    }
}
