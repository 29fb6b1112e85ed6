//! What makes a host the router of its guests: gateways, floating addresses, metadata, VPN.
//!
//! Owns: [`L3Driver`], and the order of devices, rules, addresses and connections in each of its operations.
//! Never: hands out addresses of guests; `dnsmasq` does.
//!
//! Invariant: translation stands before the address does: the host never answers itself for an address that is a guest's.
//! Invariant: each operation twice leaves the same state; one that failed can be called again.
//!
//! Where the truth is: nova's `network/l3.py`. Differences are listed in [`manual::parity`](crate::manual::parity).
//!
//! How it is tested: `tests/l3`, with packets between an outside machine, the host and a guest, in both layouts.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::host::{Host, HostError, Network};
use super::interface::InterfaceDriver;
use super::redirect::{Destination, Ingress, Redirect, ensure_redirect, remove_redirect};
use super::rules::{
    Floating, Gateway, METADATA_ADDRESS, Release, Vpn, ensure_floating_forward, ensure_vpn_forward, init_host,
    is_anothers, metadata_forward, remove_floating_forward, remove_vpn_forward,
};
use super::{BridgeError, device, gateway};
use crate::kernel::Kernel;
use crate::name::{InterfaceName, MacAddress};

/// Until the bridge is looked up.
const NO_MAC: MacAddress = MacAddress([0; 6]);

/// The router of a host's guests.
pub trait L3Driver: Debug {
    /// Prepares the host: the rules of these networks and the metadata address. Only the first call does anything.
    ///
    /// # Errors
    /// [`HostError`].
    fn initialize(&mut self, networks: &[Network]) -> Result<(), HostError>;

    /// Whether that is done.
    fn is_initialized(&self) -> bool;

    /// The rules of a network.
    ///
    /// # Errors
    /// [`HostError`].
    fn initialize_network(&mut self, network: &Network) -> Result<(), HostError>;

    /// Makes the host the gateway of a network; the device by which it is. `mac` is for a VLAN's device that is made.
    ///
    /// # Errors
    /// [`HostError`].
    fn initialize_gateway(&mut self, network: &Network, mac: Option<MacAddress>) -> Result<InterfaceName, HostError>;

    /// Undoes [`initialize_gateway`](L3Driver::initialize_gateway); the device that went.
    ///
    /// # Errors
    /// [`HostError`].
    fn remove_gateway(&mut self, network: &Network) -> Result<InterfaceName, HostError>;

    /// Makes an outside address a guest's. `network` is the guest's, if its bridge is on this host.
    ///
    /// # Errors
    /// [`HostError::NoInterface`] when the device is not there; nothing has changed then. Others.
    fn add_floating_ip(
        &mut self,
        floating: Ipv4Addr,
        fixed: Ipv4Addr,
        device: &InterfaceName,
        network: Option<&Network>,
    ) -> Result<(), HostError>;

    /// Takes it away, and ends the connections that came by it.
    ///
    /// # Errors
    /// [`HostError`].
    fn remove_floating_ip(
        &mut self,
        floating: Ipv4Addr,
        fixed: Ipv4Addr,
        device: &InterfaceName,
        network: Option<&Network>,
    ) -> Result<(), HostError>;

    /// Leads a port of the host to a guest's VPN.
    ///
    /// # Errors
    /// [`HostError`].
    fn add_vpn(&mut self, vpn: Vpn) -> Result<(), HostError>;

    /// Undoes [`add_vpn`](L3Driver::add_vpn).
    ///
    /// # Errors
    /// [`HostError`].
    fn remove_vpn(&mut self, vpn: Vpn) -> Result<(), HostError>;

    /// Ends all connections to a guest; how many there were.
    ///
    /// # Errors
    /// [`HostError`].
    fn clean_conntrack(&mut self, fixed: IpAddr) -> Result<usize, HostError>;
}

/// The driver that does it.
#[derive(Debug)]
pub struct LinuxL3<K, D> {
    host: Host<K>,
    driver: D,
    initialized: bool,
}

impl<K: Kernel, D: InterfaceDriver<K>> LinuxL3<K, D> {
    /// One for a host, which gets its devices from a driver.
    pub fn new(host: Host<K>, driver: D) -> Self {
        Self { host, driver, initialized: false }
    }

    /// The host.
    pub fn host_mut(&mut self) -> &mut Host<K> {
        &mut self.host
    }

    /// The device that the host has in a network, whether it has it or not.
    pub(super) fn device(&self, network: &Network) -> InterfaceName {
        self.driver.device(network)
    }

    /// Has packets routed that would only cross their bridge, if that is there; by its ports where the kernel cannot tell
    /// which bridge a port is of.
    fn redirect(&mut self, mut redirect: Redirect) -> Result<(), HostError> {
        let Some(bridge) = self.host.rtnl.link(&redirect.bridge)? else { return Ok(()) };
        redirect.address = bridge.mac.unwrap_or(NO_MAC);
        let component = self.host.component()?;
        let mut result = ensure_redirect(self.host.manager.kernel_mut(), &component, &redirect);
        if matches!(result, Err(BridgeError::NoBridgeName { .. })) {
            let links = self.host.rtnl.links()?;
            let ports = links.into_iter().filter(|link| link.master == Some(bridge.index)).map(|link| link.name);
            redirect.ingress = Ingress::Ports(ports.collect());
            result = ensure_redirect(self.host.manager.kernel_mut(), &component, &redirect);
        }
        result?;
        Ok(())
    }

    /// Undoes it, also when the bridge has gone.
    fn remove_redirect(&mut self, redirect: &Redirect) -> Result<(), HostError> {
        let component = self.host.component()?;
        remove_redirect(self.host.manager.kernel_mut(), &component, redirect)?;
        Ok(())
    }

    /// What of a network is translated here though its guests leave it elsewhere: `force_snat_range`.
    fn forced(&self, network: &Network) -> Vec<Redirect> {
        let options = &self.host.options.rules;
        let is_meant = match options.release {
            Release::Essex => false,
            Release::Grizzly => true,
            Release::Stein => network.gateway() == Gateway::External,
        };
        let ranges = options.force_snat_range.iter().filter(|_| is_meant);
        let redirect = |range: &IpNetwork| match *range {
            IpNetwork::V4(range) => Some(Redirect {
                bridge: network.bridge.clone(),
                address: NO_MAC,
                ingress: Ingress::Bridge,
                source: network.attrs.cidr,
                destination: Destination::Inside(range),
            }),
            IpNetwork::V6(_) => None,
        };
        ranges.filter_map(redirect).collect()
    }
}

impl<K: Kernel + Debug, D: InterfaceDriver<K>> L3Driver for LinuxL3<K, D> {
    fn initialize(&mut self, networks: &[Network]) -> Result<(), HostError> {
        if self.initialized {
            return Ok(());
        }
        let Host { manager, options, .. } = &mut self.host;
        for network in networks.iter().filter(|network| network.enable_dhcp) {
            let cidr = IpNetwork::V4(network.attrs.cidr);
            init_host(manager.model_mut(), &options.rules, cidr, network.gateway())?;
        }
        metadata_forward(manager.model_mut(), &options.rules)?;
        let lo = InterfaceName::new("lo").map_err(|_| HostError::NotSupported { what: "a host without lo" })?;
        device::bind_ip(&mut self.host.rtnl, &lo, METADATA_ADDRESS.into(), true)?;
        self.host.apply()?;
        self.initialized = true;
        Ok(())
    }

    fn is_initialized(&self) -> bool {
        self.initialized
    }

    fn initialize_network(&mut self, network: &Network) -> Result<(), HostError> {
        let Host { manager, options, .. } = &mut self.host;
        init_host(manager.model_mut(), &options.rules, IpNetwork::V4(network.attrs.cidr), network.gateway())?;
        self.host.apply()
    }

    fn initialize_gateway(&mut self, network: &Network, mac: Option<MacAddress>) -> Result<InterfaceName, HostError> {
        let is_gateway = network.attrs.gateway.is_some();
        let device = self.driver.plug(&mut self.host, network, mac, is_gateway)?;
        let changed = gateway::initialize_gateway_device(&mut self.host.rtnl, &device, &network.attrs)?;
        if let Some(server) = network.attrs.dhcp_server.filter(|_| changed) {
            self.host.announce(&device, server.into())?;
        }
        for redirect in self.forced(network) {
            self.redirect(redirect)?;
        }
        Ok(device)
    }

    fn remove_gateway(&mut self, network: &Network) -> Result<InterfaceName, HostError> {
        for redirect in self.forced(network) {
            self.remove_redirect(&redirect)?;
        }
        self.driver.unplug(&mut self.host, network)
    }

    fn add_floating_ip(
        &mut self,
        floating: Ipv4Addr,
        fixed: Ipv4Addr,
        device: &InterfaceName,
        network: Option<&Network>,
    ) -> Result<(), HostError> {
        if !device::exists(&mut self.host.rtnl, device)? {
            return Err(HostError::NoInterface { device: device.clone(), address: floating.into() });
        }
        let Host { manager, options, .. } = &mut self.host;
        let association = Floating { floating, fixed, device: Some(device.clone()) };
        ensure_floating_forward(manager.model_mut(), &options.rules, &association)?;
        self.host.apply()?;
        if let Some(redirect) = floating_redirect(fixed, device, network) {
            self.redirect(redirect)?;
        }
        self.host.bind_floating_ip(device, floating.into())
    }

    fn remove_floating_ip(
        &mut self,
        floating: Ipv4Addr,
        fixed: Ipv4Addr,
        device: &InterfaceName,
        network: Option<&Network>,
    ) -> Result<(), HostError> {
        // By now the address may be another guest's, for whom it stays.
        if !is_anothers(self.host.manager.model_mut(), floating, fixed) {
            self.host.unbind_floating_ip(device, floating.into())?;
        }
        remove_floating_forward(self.host.manager.model_mut(), floating, fixed)?;
        self.host.apply()?;
        if let Some(redirect) = floating_redirect(fixed, device, network) {
            self.remove_redirect(&redirect)?;
        }
        // Packets of connections that stand go on by what was translated once, whatever the rules say.
        self.host.conntrack.clean(fixed.into())?;
        Ok(())
    }

    fn add_vpn(&mut self, vpn: Vpn) -> Result<(), HostError> {
        ensure_vpn_forward(self.host.manager.model_mut(), vpn)?;
        self.host.apply()
    }

    fn remove_vpn(&mut self, vpn: Vpn) -> Result<(), HostError> {
        remove_vpn_forward(self.host.manager.model_mut(), vpn)?;
        self.host.apply()
    }

    fn clean_conntrack(&mut self, fixed: IpAddr) -> Result<usize, HostError> {
        Ok(self.host.conntrack.clean(fixed)?)
    }
}

/// What a guest sends out of its network, unless the device is the bridge itself, by which it comes anyway.
fn floating_redirect(fixed: Ipv4Addr, device: &InterfaceName, network: Option<&Network>) -> Option<Redirect> {
    let network = network.filter(|network| network.bridge != *device)?;
    Some(Redirect::floating(network.bridge.clone(), NO_MAC, fixed, network.attrs.cidr))
}

/// The driver of a host that routes nothing: every operation succeeds and does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullL3;

impl L3Driver for NullL3 {
    fn initialize(&mut self, _: &[Network]) -> Result<(), HostError> {
        Ok(())
    }

    fn is_initialized(&self) -> bool {
        true
    }

    fn initialize_network(&mut self, _: &Network) -> Result<(), HostError> {
        Ok(())
    }

    fn initialize_gateway(&mut self, network: &Network, _: Option<MacAddress>) -> Result<InterfaceName, HostError> {
        Ok(network.bridge.clone())
    }

    fn remove_gateway(&mut self, network: &Network) -> Result<InterfaceName, HostError> {
        Ok(network.bridge.clone())
    }

    fn add_floating_ip(
        &mut self,
        _: Ipv4Addr,
        _: Ipv4Addr,
        _: &InterfaceName,
        _: Option<&Network>,
    ) -> Result<(), HostError> {
        Ok(())
    }

    fn remove_floating_ip(
        &mut self,
        _: Ipv4Addr,
        _: Ipv4Addr,
        _: &InterfaceName,
        _: Option<&Network>,
    ) -> Result<(), HostError> {
        Ok(())
    }

    fn add_vpn(&mut self, _: Vpn) -> Result<(), HostError> {
        Ok(())
    }

    fn remove_vpn(&mut self, _: Vpn) -> Result<(), HostError> {
        Ok(())
    }

    fn clean_conntrack(&mut self, _: IpAddr) -> Result<usize, HostError> {
        Ok(0)
    }
}
