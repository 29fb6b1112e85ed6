//! A host with its devices, its rules, its connections and its neighbours: what the drivers work on.
//!
//! Owns: one handle for each of them, all of one namespace, and the options of the host.
//! Never: decides what a network needs; [`interface`](super::interface) and [`l3`](super::l3) do.
//!
//! How it is tested: `tests/l3`, with packets between namespaces.

use std::net::IpAddr;

use thiserror::Error as ThisError;

use super::announce::{AnnounceError, Announcer};
use super::bridge::NetAttrs;
use super::daemon::DaemonError;
use super::rules::{self, Gateway};
use super::{BridgeError, Error, device};
use crate::conntrack::{self, Conntrack};
use crate::kernel::{Kernel, Live};
use crate::manager::Manager;
use crate::name::{InterfaceName, WrapName};
use crate::netlink::namespace::Namespace;
use crate::rtnl::{self, Rtnl};
use crate::wrap::ModelError;

/// What an operator decides about a host. nova's names are given where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostOptions {
    /// Options of the rules.
    pub rules: rules::Options,
    /// The interface that VLANs are on, whatever a network says; nova's `vlan_interface`.
    pub vlan_interface: Option<InterfaceName>,
    /// The interface that flat networks are on, whatever a network says; nova's `flat_interface`.
    pub flat_interface: Option<InterfaceName>,
    /// All hosts have the same DHCP address in every network.
    pub share_dhcp_address: bool,
    /// How often neighbours are told of a new address; nova's `send_arp_for_ha` and `send_arp_for_ha_count`.
    pub announcements: u32,
}

/// A network, as a host plumbs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its bridge.
    pub bridge: InterfaceName,
    /// The interface of the host that leads to the network's other hosts.
    pub bridge_interface: Option<InterfaceName>,
    /// The number of its VLAN; `None` for a flat network.
    pub vlan: Option<u16>,
    /// Its addresses.
    pub attrs: NetAttrs,
    /// The size of its packets in bytes; `None` leaves that of the interface.
    pub mtu: Option<u32>,
    /// Whether all hosts have the same DHCP address in it.
    pub share_address: bool,
    /// Whether this host gives out addresses in it.
    pub enable_dhcp: bool,
}

impl Network {
    /// Whether its guests leave it by this host.
    #[must_use]
    pub fn gateway(&self) -> Gateway {
        let elsewhere = self.attrs.dhcp_server.is_some() && self.attrs.dhcp_server != self.attrs.gateway;
        if elsewhere { Gateway::External } else { Gateway::Internal }
    }
}

/// Why a host does not have what was asked. What it had stays, unless the error is of a later step than another.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum HostError {
    /// A device, an address or a setting.
    #[error(transparent)]
    Net(#[from] Error),
    /// A rule does not fit the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The rules were not applied.
    #[error(transparent)]
    Apply(#[from] crate::error::Error),
    /// Rules of the bridge family.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// Connections.
    #[error(transparent)]
    Conntrack(#[from] conntrack::Error),
    /// Neighbours were not told.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    /// A program beside the rules.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The interface that an address is to be on is not there.
    #[error("interface {device} not found, for address {address}")]
    NoInterface {
        /// The interface.
        device: InterfaceName,
        /// The address.
        address: IpAddr,
    },
    /// A network does not say what it needs to.
    #[error("the network of {bridge} has no {what}")]
    Incomplete {
        /// Its bridge.
        bridge: InterfaceName,
        /// What is missing.
        what: &'static str,
    },
    /// The model wraps nothing, so that its chains cannot be told from others.
    #[error("rules of bridges need a component; give the model one")]
    NoComponent,
    /// This library does not do it.
    #[error("{what} is not supported")]
    NotSupported {
        /// What.
        what: &'static str,
    },
}

impl From<rtnl::Error> for HostError {
    fn from(error: rtnl::Error) -> Self {
        Self::Net(error.into())
    }
}

/// A host. Everything is of one network namespace.
#[derive(Debug)]
pub struct Host<K = Live> {
    /// Links, addresses and routes.
    pub rtnl: Rtnl,
    /// The component's rules.
    pub manager: Manager<K>,
    /// Connections.
    pub conntrack: Conntrack,
    /// Tells neighbours of addresses.
    pub announcer: Announcer,
    /// What the operator decided.
    pub options: HostOptions,
}

impl<K: Kernel> Host<K> {
    /// The host that a namespace is. The manager's kernel has to be of the same one.
    ///
    /// # Errors
    /// [`HostError::Net`] and [`HostError::Conntrack`] when no socket can be opened there.
    pub fn new(namespace: &Namespace, manager: Manager<K>, options: HostOptions) -> Result<Self, HostError> {
        let (rtnl, conntrack) = (Rtnl::open_in(namespace)?, Conntrack::open_in(namespace)?);
        Ok(Self { rtnl, manager, conntrack, announcer: Announcer::new(), options })
    }

    pub(super) fn component(&self) -> Result<WrapName, HostError> {
        self.manager.model().component().cloned().ok_or(HostError::NoComponent)
    }

    /// Brings the rules to the kernel.
    pub(super) fn apply(&mut self) -> Result<(), HostError> {
        self.manager.apply()?;
        Ok(())
    }

    /// Gives a device an outside address of either family, and tells the neighbours. Translation is made elsewhere, before.
    ///
    /// # Errors
    /// [`HostError::Net`], `ENODEV` when the device is not there; [`HostError::Announce`] when the right to send is missing.
    pub fn bind_floating_ip(&mut self, device: &InterfaceName, address: IpAddr) -> Result<(), HostError> {
        device::bind_ip(&mut self.rtnl, device, address, false)?;
        self.announce(device, address)
    }

    /// Undoes [`bind_floating_ip`](Host::bind_floating_ip); whether the device had the address.
    ///
    /// # Errors
    /// [`HostError::Net`].
    pub fn unbind_floating_ip(&mut self, device: &InterfaceName, address: IpAddr) -> Result<bool, HostError> {
        Ok(device::unbind_ip(&mut self.rtnl, device, address)?)
    }

    /// Tells the neighbours of a device about an address of it, as often as the options say. A device that is down or has
    /// no neighbours keeps the address all the same: that is logged.
    pub(super) fn announce(&mut self, device: &InterfaceName, address: IpAddr) -> Result<(), HostError> {
        let (namespace, times) = (self.rtnl.namespace(), self.options.announcements);
        match self.announcer.announce(namespace, device, address, times) {
            Err(error) if !error.is_not_permitted() => log::warn!("{error}"),
            result => result?,
        }
        Ok(())
    }
}
