//! nova's network managers, as what one host does: flat networks, flat ones with DHCP, and VLANs.
//!
//! Owns: the order of gateway, rules, DHCP and router advertisements of a network, when it comes, changes and goes.
//! Never: keeps records; networks, guests and floating addresses are the caller's, and given with each call.
//!
//! Invariant: at the start of a host all rules of all networks are one transaction, and floating addresses are bound
//! after it.
//!
//! Where the truth is: nova's `network/manager.py`. Differences are listed in [`manual::parity`](crate::manual::parity).
//!
//! How it is tested: `tests/dhcp`, with a real dnsmasq and a guest that asks it, and beside dumps of `iptables-save`.

use std::net::Ipv4Addr;

use ipnetwork::IpNetwork;

use super::daemon::DaemonError;
use super::device;
use super::dhcpbridge::LeaseBook;
use super::dnsmasq::{self, Dnsmasq, FixedIp};
use super::host::{HostError, Network};
use super::interface::InterfaceDriver;
use super::l3::{L3Driver, LinuxL3};
use super::radvd::Radvd;
use super::rules::{
    Floating, Vpn, add_checksum_rule, add_dhcp_rules, ensure_floating_forward, remove_checksum_rule, remove_dhcp_rules,
    remove_host,
};
use crate::kernel::Kernel;
use crate::name::{InterfaceName, MacAddress};

/// How guests get their addresses, and how networks are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addressing {
    /// The operator makes the bridge, and guests are told their addresses otherwise: nothing is done here.
    Flat,
    /// One bridge, and dnsmasq on it.
    FlatDhcp,
    /// A VLAN and a bridge for each network, with dnsmasq, and a way to the network's VPN.
    Vlan,
}

/// A network that a host serves.
#[derive(Debug, Clone)]
pub struct Served {
    /// Devices and addresses.
    pub network: Network,
    /// The same for its DHCP server.
    pub dhcp: dnsmasq::Network,
    /// The hardware address of a VLAN's device.
    pub mac: Option<MacAddress>,
    /// The way to its VPN.
    pub vpn: Option<Vpn>,
}

/// A floating address of this host.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// The outside address.
    pub floating: Ipv4Addr,
    /// The guest's.
    pub fixed: Ipv4Addr,
    /// The interface that has it.
    pub device: &'a InterfaceName,
    /// The guest's network, if its bridge is on this host.
    pub network: Option<&'a Network>,
}

/// The networks of a host.
#[derive(Debug)]
pub struct NetworkManager<K, D> {
    addressing: Addressing,
    l3: LinuxL3<K, D>,
    dnsmasq: Dnsmasq,
    radvd: Radvd,
}

impl<K: Kernel + std::fmt::Debug, D: InterfaceDriver<K>> NetworkManager<K, D> {
    /// A manager over a router, whose programs run in the same namespace.
    pub fn new(addressing: Addressing, l3: LinuxL3<K, D>, dnsmasq: Dnsmasq, radvd: Radvd) -> Self {
        Self { addressing, l3, dnsmasq, radvd }
    }

    /// The router.
    pub fn l3_mut(&mut self) -> &mut LinuxL3<K, D> {
        &mut self.l3
    }

    /// What a host does when it starts: all its networks, and the floating addresses that are recorded for it. One whose
    /// interface is not there is left out and logged. With [`Addressing::Flat`] nothing.
    ///
    /// # Errors
    /// [`HostError`]; the call can be repeated.
    pub fn start(&mut self, networks: &[(Served, Vec<FixedIp>)], floating: &[Bound<'_>]) -> Result<(), HostError> {
        if self.addressing == Addressing::Flat {
            return Ok(());
        }
        let deferral = self.l3.host_mut().manager.model_mut().defer();
        // The rules of each network come with the network.
        self.l3.initialize(&[])?;
        for (served, _) in networks {
            self.plumb(served)?;
        }
        for bound in floating {
            let host = self.l3.host_mut();
            let Bound { floating, fixed, device, .. } = *bound;
            let association = Floating { floating, fixed, device: Some(device.clone()) };
            ensure_floating_forward(host.manager.model_mut(), &host.options.rules, &association)?;
        }
        drop(deferral);
        self.l3.host_mut().apply()?;
        for (served, fixed_ips) in networks {
            self.serve(served, fixed_ips)?;
        }
        for Bound { floating, fixed, device, network } in floating.iter().copied() {
            match self.l3.add_floating_ip(floating, fixed, device, network) {
                Err(error @ HostError::NoInterface { .. }) => log::warn!("{error}"),
                result => result?,
            }
        }
        Ok(())
    }

    /// Makes a network ready for the guests of this host.
    ///
    /// # Errors
    /// [`HostError`]; the call can be repeated.
    pub fn setup(&mut self, served: &Served, fixed_ips: &[FixedIp]) -> Result<(), HostError> {
        if self.addressing == Addressing::Flat {
            return Ok(());
        }
        let deferral = self.l3.host_mut().manager.model_mut().defer();
        self.plumb(served)?;
        drop(deferral);
        self.l3.host_mut().apply()?;
        self.serve(served, fixed_ips)
    }

    /// A guest has come, or gone, or another name: dnsmasq is told.
    ///
    /// # Errors
    /// [`HostError::Daemon`].
    pub fn update(&self, served: &Served, fixed_ips: &[FixedIp]) -> Result<(), HostError> {
        if self.addressing != Addressing::Flat && served.network.enable_dhcp {
            self.dnsmasq.update_dhcp(&served.dhcp, fixed_ips)?;
        }
        Ok(())
    }

    /// The same for the names that its DNS server has, of guests on all hosts.
    ///
    /// # Errors
    /// [`HostError::Daemon`].
    pub fn update_dns(&self, served: &Served, fixed_ips: &[FixedIp]) -> Result<(), HostError> {
        if self.addressing != Addressing::Flat && served.network.enable_dhcp {
            self.dnsmasq.update_dns(&served.dhcp, fixed_ips)?;
        }
        Ok(())
    }

    /// A guest has lost its address: dnsmasq does not offer it any more, and is told that it is free. That a server could not
    /// be told is logged: the lease ends by itself. Nothing when the network's device is not there.
    ///
    /// # Errors
    /// [`HostError::Daemon`]; [`HostError::Net`] when the device cannot be looked up.
    pub fn release(
        &mut self,
        served: &Served,
        fixed_ips: &[FixedIp],
        address: Ipv4Addr,
        mac: MacAddress,
    ) -> Result<(), HostError> {
        let serves = self.addressing != Addressing::Flat && served.network.enable_dhcp;
        if !serves || !device::exists(&mut self.l3.host_mut().rtnl, &served.dhcp.device)? {
            return Ok(());
        }
        self.update(served, fixed_ips)?;
        if let Err(error) = self.dnsmasq.release(&served.dhcp, address, mac) {
            log::warn!("{error}");
        }
        Ok(())
    }

    /// The host has no guest of the network any more: its DHCP server, leases, rules and devices go.
    ///
    /// # Errors
    /// [`HostError`]; the call can be repeated.
    pub fn teardown(&mut self, served: &Served) -> Result<(), HostError> {
        if self.addressing == Addressing::Flat {
            return Ok(());
        }
        let device = self.l3.device(&served.network);
        self.dnsmasq.kill(&device)?;
        self.radvd.kill(&device)?;
        // A lease that nobody ended would keep its address from the next guest.
        let directory = &self.dnsmasq.settings().networks_path;
        LeaseBook::new(directory).and_then(|book| book.forget(&served.dhcp.id)).map_err(DaemonError::from)?;
        let host = self.l3.host_mut();
        let (model, options) = (host.manager.model_mut(), &host.options.rules);
        remove_dhcp_rules(model, options, &device)?;
        remove_checksum_rule(model, &device)?;
        remove_host(model, options, IpNetwork::V4(served.network.attrs.cidr), served.network.gateway())?;
        if let Some(vpn) = self.vpn(served) {
            self.l3.remove_vpn(vpn)?;
        }
        self.l3.remove_gateway(&served.network)?;
        Ok(())
    }

    fn vpn(&self, served: &Served) -> Option<Vpn> {
        served.vpn.filter(|_| self.addressing == Addressing::Vlan)
    }

    /// Devices, addresses and rules of a network.
    fn plumb(&mut self, served: &Served) -> Result<(), HostError> {
        if served.network.enable_dhcp {
            self.l3.initialize_network(&served.network)?;
        }
        let device = self.l3.initialize_gateway(&served.network, served.mac)?;
        if served.network.enable_dhcp {
            let host = self.l3.host_mut();
            add_checksum_rule(host.manager.model_mut(), &device)?;
            add_dhcp_rules(host.manager.model_mut(), &host.options.rules, &device)?;
        }
        self.vpn(served).map_or(Ok(()), |vpn| self.l3.add_vpn(vpn))
    }

    /// The programs of a network, whose rules stand.
    fn serve(&mut self, served: &Served, fixed_ips: &[FixedIp]) -> Result<(), HostError> {
        self.update(served, fixed_ips)?;
        let device = self.l3.device(&served.network);
        if let Some(prefix) = served.network.attrs.cidr_v6 {
            self.radvd.ensure(&device, prefix)?;
        }
        Ok(())
    }
}
