//! Devices and their addresses: the small steps that everything else is made of.

use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::Error;
use super::steps::Steps;
use crate::name::{InterfaceName, MacAddress};
use crate::rtnl::{Address, AddressFlags, Family, Kind, LinkChange, NewLink, Peer, Rtnl, Scope, Tolerate};

/// Whether there is a device of this name.
///
/// # Errors
/// [`Error::Rtnl`] when the kernel cannot be asked.
pub fn exists(rtnl: &mut Rtnl, device: &InterfaceName) -> Result<bool, Error> {
    Ok(rtnl.link(device)?.is_some())
}

/// Deletes a device; whether it was there.
///
/// # Errors
/// [`Error::Rtnl`].
pub fn delete(rtnl: &mut Rtnl, device: &InterfaceName) -> Result<bool, Error> {
    match rtnl.link(device)? {
        Some(link) => Ok(rtnl.delete_link(&link).or_missing()?),
        None => Ok(false),
    }
}

/// Sets the longest packet that a device sends. None and 0 leave it as it is.
///
/// # Errors
/// [`Error::Rtnl`]; `ENODEV` when the device is not there.
pub fn set_mtu(rtnl: &mut Rtnl, device: &InterfaceName, mtu: Option<u32>) -> Result<(), Error> {
    let Some(mtu) = mtu.filter(|mtu| *mtu != 0) else { return Ok(()) };
    change(rtnl, device, &LinkChange { mtu: Some(mtu), ..LinkChange::default() })
}

/// Brings a device up or takes it down.
///
/// # Errors
/// [`Error::Rtnl`]; `ENODEV` when the device is not there.
pub fn set_up(rtnl: &mut Rtnl, device: &InterfaceName, up: bool) -> Result<(), Error> {
    change(rtnl, device, &LinkChange::up(up))
}

/// Sets a device's Ethernet address, and if asked brings it up or takes it down in the same request.
///
/// # Errors
/// [`Error::Rtnl`]; `ENODEV` when the device is not there.
pub fn set_mac(rtnl: &mut Rtnl, device: &InterfaceName, mac: MacAddress, up: Option<bool>) -> Result<(), Error> {
    change(rtnl, device, &LinkChange { mac: Some(mac), up, ..LinkChange::default() })
}

fn change(rtnl: &mut Rtnl, device: &InterfaceName, change: &LinkChange) -> Result<(), Error> {
    let link = rtnl.require_link(device)?;
    Ok(rtnl.set_link(&link, change)?)
}

/// Makes a pair of devices, each of which receives what the other sends: up, promiscuous, with this MTU. Devices that
/// have the names are deleted first.
///
/// # Errors
/// [`Error::Rtnl`].
pub fn create_veth_pair(
    rtnl: &mut Rtnl,
    first: &InterfaceName,
    second: &InterfaceName,
    mtu: Option<u32>,
) -> Result<(), Error> {
    for end in [first, second] {
        delete(rtnl, end)?;
    }
    Steps::run(rtnl, &[], |steps| {
        let peer = Peer { name: second.clone(), namespace: None, mac: None, mtu: None };
        steps.add_link(&NewLink::new(first.clone(), Kind::Veth(peer)))?;
        for end in [first, second] {
            let link = steps.rtnl().require_link(end)?;
            let mtu = mtu.filter(|mtu| *mtu != 0);
            let wanted = LinkChange { up: Some(true), promiscuous: Some(true), mtu, ..LinkChange::default() };
            steps.rtnl().set_link(&link, &wanted)?;
        }
        Ok(())
    })
}

/// Gives a device an address alone, without a network; whether it did not have it. Of link scope if asked, or else
/// global; for IPv6 the kernel decides that.
///
/// # Errors
/// [`Error::Rtnl`]; `ENODEV` when the device is not there.
pub fn bind_ip(rtnl: &mut Rtnl, device: &InterfaceName, ip: IpAddr, scope_is_link: bool) -> Result<bool, Error> {
    let link = rtnl.require_link(device)?;
    let scope = if scope_is_link { Scope::LINK } else { Scope::GLOBAL };
    Ok(rtnl.add_address(&Address { scope, ..Address::new(&link, IpNetwork::from(ip)) }).or_exists()?)
}

/// Takes an address from a device that [`bind_ip`] gave it; whether it had it. A device that is gone has no address.
///
/// # Errors
/// [`Error::Rtnl`].
pub fn unbind_ip(rtnl: &mut Rtnl, device: &InterfaceName, ip: IpAddr) -> Result<bool, Error> {
    let Some(link) = rtnl.link(device)? else { return Ok(false) };
    Ok(rtnl.delete_address(&Address::new(&link, IpNetwork::from(ip))).or_missing()?)
}

/// The global addresses of a device, in the kernel's order.
///
/// # Errors
/// [`Error::Rtnl`]; `ENODEV` when the device is not there.
pub fn global_addresses(rtnl: &mut Rtnl, device: &InterfaceName, family: Family) -> Result<Vec<Address>, Error> {
    let link = rtnl.require_link(device)?;
    let mut addresses = rtnl.addresses_of(link.index)?;
    addresses.retain(|address| address.scope == Scope::GLOBAL && address.family() == family);
    Ok(addresses)
}

/// The first IPv6 address of a device that is good on its link only, which guests have as their router; `None` when it has
/// none, or the kernel still looks for others that have it.
///
/// # Errors
/// [`Error::Rtnl`]; `ENODEV` when the device is not there.
pub fn link_local(rtnl: &mut Rtnl, device: &InterfaceName) -> Result<Option<Ipv6Addr>, Error> {
    let link = rtnl.require_link(device)?;
    let addresses = rtnl.addresses_of(link.index)?;
    let usable = |address: &&Address| !address.flags.intersects(AddressFlags::TENTATIVE | AddressFlags::DADFAILED);
    Ok(addresses.iter().filter(usable).find_map(|address| match address.network {
        IpNetwork::V6(network) if network.ip().is_unicast_link_local() => Some(network.ip()),
        _ => None,
    }))
}
