//! Bridges between guests and an interface of the host.
//!
//! The interface becomes a port, so the host's own traffic goes through the bridge from then on; its addresses and routes
//! move there, and back when the bridge goes. The rules that let a bridge's packets through are not made here.

use std::net::Ipv4Addr;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use super::Error;
use super::relocate::relocate;
use super::steps::Steps;
use crate::name::InterfaceName;
use crate::rtnl::{Address, Bridge, Kind, Link, LinkChange, NewLink, Rtnl, Tolerate};

/// What a network's record says about addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetAttrs {
    /// The network.
    pub cidr: Ipv4Network,
    /// The address of all its hosts; `None` for the last of the network.
    pub broadcast: Option<Ipv4Addr>,
    /// The address by which guests leave the network.
    pub gateway: Option<Ipv4Addr>,
    /// The address of the DHCP server.
    pub dhcp_server: Option<Ipv4Addr>,
    /// The IPv6 network, which is also the address that the bridge gets; `None` when IPv6 is not used.
    pub cidr_v6: Option<Ipv6Network>,
}

impl NetAttrs {
    /// An address of the network, for a device.
    pub(super) fn v4(&self, link: &Link, ip: Ipv4Addr) -> Result<Address, Error> {
        let network = Ipv4Network::new(ip, self.cidr.prefix()).map_err(|_| Error::BadValue {
            what: "prefix length",
            value: self.cidr.prefix().to_string(),
            problem: "is more than 32",
        })?;
        // A network of one or two hosts has no address of all.
        let broadcast = self.broadcast.or_else(|| (network.prefix() < 31).then(|| network.broadcast()));
        Ok(Address { broadcast, ..Address::new(link, IpNetwork::V4(network)) })
    }

    pub(super) fn v6(&self, link: &Link) -> Option<Address> {
        self.cidr_v6.map(|cidr| Address::new(link, IpNetwork::V6(cidr)))
    }

    /// Whether an address of a bridge was made for this network.
    fn owns(&self, address: &Address) -> bool {
        match address.network {
            IpNetwork::V4(network) => {
                let own = [self.gateway, self.dhcp_server];
                network.prefix() == self.cidr.prefix() && own.contains(&Some(network.ip()))
            }
            IpNetwork::V6(network) => self.cidr_v6 == Some(network),
        }
    }
}

/// Makes a bridge unless it is there, and an interface a port of it, with everything that follows: the bridge gets the
/// interface's Ethernet address, its global addresses and its routes. With `net_attrs` the bridge gets the network's
/// gateway address and IPv6 network first.
///
/// An interface that is a port of this bridge already is fine, and what is left to move is moved.
///
/// # Errors
/// [`Error::NotABridge`]; [`Error::OtherBridge`] when the interface is a port of another one; [`Error::Rtnl`], `ENODEV`
/// when the interface is not there. Nothing has changed then.
pub fn ensure_bridge(
    rtnl: &mut Rtnl,
    bridge: &InterfaceName,
    interface: Option<&InterfaceName>,
    net_attrs: Option<&NetAttrs>,
) -> Result<(), Error> {
    let devices: Vec<&InterfaceName> = interface.into_iter().chain([bridge]).collect();
    Steps::run(rtnl, &devices, |steps| {
        let link = ensure_device(steps, bridge)?;
        if let Some(net_attrs) = net_attrs {
            let gateway = net_attrs.gateway.map(|ip| net_attrs.v4(&link, ip)).transpose()?;
            for address in gateway.into_iter().chain(net_attrs.v6(&link)) {
                steps.add_address(&address)?;
            }
        }
        let Some(interface) = interface else { return Ok(()) };
        let port = enslave(steps, &link, interface)?;
        if let (Some(mac), Some(old)) = (port.mac, link.mac)
            && mac != old
        {
            let change = |mac| LinkChange { mac: Some(mac), ..LinkChange::default() };
            steps.set_link(&link, &change(mac), change(old))?;
        }
        steps.set_up(&port, true)?;
        relocate(steps, &port, &link, &|_| false)
    })
}

/// The bridge itself, up, without delay and spanning tree when it is made here.
fn ensure_device(steps: &mut Steps<'_>, bridge: &InterfaceName) -> Result<Link, Error> {
    if steps.rtnl().link(bridge)?.is_none() {
        let options = Bridge { forward_delay: Some(0), stp: Some(false), ..Bridge::default() };
        steps.add_link(&NewLink { up: true, ..NewLink::new(bridge.clone(), Kind::Bridge(options)) })?;
    }
    let link = steps.rtnl().require_link(bridge)?;
    if !link.is_bridge() {
        return Err(Error::NotABridge { device: bridge.clone() });
    }
    steps.set_up(&link, true)?;
    Ok(link)
}

/// Makes an interface a port of a bridge.
fn enslave(steps: &mut Steps<'_>, bridge: &Link, interface: &InterfaceName) -> Result<Link, Error> {
    let port = steps.rtnl().require_link(interface)?;
    match port.master {
        Some(master) if master == bridge.index => {}
        Some(master) => {
            let owner = steps.rtnl().links()?.into_iter().find(|link| link.index == master).map(|link| link.name);
            let (device, bridge) = (interface.clone(), bridge.name.clone());
            return Err(Error::OtherBridge { device, bridge, owner });
        }
        None => steps.set_link(&port, &LinkChange::master(Some(bridge.index)), LinkChange::master(None))?,
    }
    Ok(port)
}

/// Deletes a bridge; whether it was there. Its global addresses and routes go to the interface, if one is named that is
/// not a port of another bridge; those of `net_attrs` go with the bridge.
///
/// # Errors
/// [`Error::NotABridge`]; [`Error::Rtnl`]. Nothing has changed then.
pub fn remove_bridge(
    rtnl: &mut Rtnl,
    bridge: &InterfaceName,
    interface: Option<&InterfaceName>,
    net_attrs: Option<&NetAttrs>,
) -> Result<bool, Error> {
    let devices: Vec<&InterfaceName> = interface.into_iter().chain([bridge]).collect();
    Steps::run(rtnl, &devices, |steps| {
        let Some(link) = steps.rtnl().link(bridge)? else { return Ok(false) };
        if !link.is_bridge() {
            return Err(Error::NotABridge { device: bridge.clone() });
        }
        let port = match interface {
            Some(interface) => steps.rtnl().link(interface)?,
            None => None,
        };
        if let Some(port) = port.filter(|port| port.master.is_none_or(|master| master == link.index)) {
            steps.set_up(&port, true)?;
            relocate(steps, &link, &port, &|address| net_attrs.is_some_and(|attrs| attrs.owns(address)))?;
        }
        steps.set_up(&link, false)?;
        Ok(steps.rtnl().delete_link(&link).or_missing()?)
    })
}
