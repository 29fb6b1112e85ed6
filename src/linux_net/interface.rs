//! How a host gets a device in a network.
//!
//! Owns: the [`InterfaceDriver`]s.
//! Never: gives the device addresses; [`l3`](super::l3) does.
//!
//! How it is tested: `tests/l3`.

use std::fmt::Debug;
use std::net::Ipv4Addr;

use super::host::{Host, HostError, Network};
use super::isolation::{isolate_dhcp_address, remove_isolate_dhcp_address};
use super::rules::{Role, ensure_bridge_rules, remove_bridge_rules};
use super::vlan::Vlan;
use super::{bridge, vlan};
use crate::kernel::Kernel;
use crate::name::{InterfaceName, MacAddress};

/// A way to plug hosts into networks.
pub trait InterfaceDriver<K>: Debug {
    /// Gives the host a device in the network, with the rules that let packets through; `gateway` is whether guests leave
    /// the network by it. Returns the device.
    ///
    /// # Errors
    /// [`HostError`].
    fn plug(
        &self,
        host: &mut Host<K>,
        network: &Network,
        mac: Option<MacAddress>,
        gateway: bool,
    ) -> Result<InterfaceName, HostError>;

    /// Undoes [`plug`](InterfaceDriver::plug). Returns the device that went.
    ///
    /// # Errors
    /// [`HostError`].
    fn unplug(&self, host: &mut Host<K>, network: &Network) -> Result<InterfaceName, HostError>;

    /// The device that a host has in the network, whether it has it or not.
    fn device(&self, network: &Network) -> InterfaceName;
}

/// A bridge for each network, with an interface of the host or a VLAN on it as its first port.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinuxBridge;

impl LinuxBridge {
    /// The interface of the host that the network is on.
    fn base<K>(host: &Host<K>, network: &Network) -> Option<InterfaceName> {
        let option = match network.vlan {
            Some(_) => &host.options.vlan_interface,
            None => &host.options.flat_interface,
        };
        option.as_ref().or(network.bridge_interface.as_ref()).cloned()
    }

    /// The address that is not to cross the bridge's port.
    fn isolated<K>(host: &Host<K>, network: &Network) -> Option<Ipv4Addr> {
        let shared = network.share_address || host.options.share_dhcp_address;
        network.attrs.dhcp_server.filter(|_| shared)
    }
}

impl<K: Kernel> InterfaceDriver<K> for LinuxBridge {
    /// A bridge of a VLAN always lets packets through, as in nova.
    fn plug(
        &self,
        host: &mut Host<K>,
        network: &Network,
        mac: Option<MacAddress>,
        gateway: bool,
    ) -> Result<InterfaceName, HostError> {
        let base = Self::base(host, network);
        let port = match network.vlan {
            Some(number) => {
                let missing =
                    || HostError::Incomplete { bridge: network.bridge.clone(), what: "interface for its VLAN" };
                let vlan = Vlan { number, base: base.ok_or_else(missing)?, mac, mtu: network.mtu, name: None };
                Some(vlan::ensure_vlan_bridge(&mut host.rtnl, &vlan, &network.bridge, None)?)
            }
            None => {
                bridge::ensure_bridge(&mut host.rtnl, &network.bridge, base.as_ref(), None)?;
                base
            }
        };
        let role = if gateway || network.vlan.is_some() { Role::Gateway } else { Role::Closed };
        ensure_bridge_rules(host.manager.model_mut(), &host.options.rules, &network.bridge, role)?;
        if let Some((port, address)) = port.zip(Self::isolated(host, network)) {
            let component = host.component()?;
            isolate_dhcp_address(host.manager.kernel_mut(), &component, &port, address)?;
        }
        host.apply()?;
        Ok(network.bridge.clone())
    }

    fn unplug(&self, host: &mut Host<K>, network: &Network) -> Result<InterfaceName, HostError> {
        let base = Self::base(host, network);
        let port = match network.vlan {
            Some(number) => {
                let attrs = Some(&network.attrs);
                Some(vlan::remove_vlan_bridge(&mut host.rtnl, number, &network.bridge, attrs)?)
            }
            None => {
                bridge::remove_bridge(&mut host.rtnl, &network.bridge, base.as_ref(), Some(&network.attrs))?;
                base
            }
        };
        remove_bridge_rules(host.manager.model_mut(), &host.options.rules, &network.bridge)?;
        if let Some((port, address)) = port.zip(Self::isolated(host, network)) {
            let component = host.component()?;
            remove_isolate_dhcp_address(host.manager.kernel_mut(), &component, &port, address)?;
        }
        host.apply()?;
        Ok(network.bridge.clone())
    }

    fn device(&self, network: &Network) -> InterfaceName {
        network.bridge.clone()
    }
}

/// Open vSwitch, which speaks OVSDB: not supported, and says so. An agent that has it can bring its own
/// [`InterfaceDriver`].
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenVswitch;

impl<K> InterfaceDriver<K> for OpenVswitch {
    fn plug(&self, _: &mut Host<K>, _: &Network, _: Option<MacAddress>, _: bool) -> Result<InterfaceName, HostError> {
        Err(HostError::NotSupported { what: "plugging into Open vSwitch" })
    }

    fn unplug(&self, _: &mut Host<K>, _: &Network) -> Result<InterfaceName, HostError> {
        Err(HostError::NotSupported { what: "plugging into Open vSwitch" })
    }

    fn device(&self, network: &Network) -> InterfaceName {
        network.bridge.clone()
    }
}
