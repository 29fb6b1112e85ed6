//! The device by which guests leave their network, and on which dnsmasq listens.

use ipnetwork::IpNetwork;

use super::bridge::NetAttrs;
use super::steps::Steps;
use super::{Error, sysctl};
use crate::name::InterfaceName;
use crate::rtnl::{Address, Family, Lifetimes, Link, Route, Rtnl, Scope, Tolerate};

/// The setting that makes a host a router.
const FORWARDING: &str = "net/ipv4/ip_forward";
/// How long an address is kept in a spare place at most, in seconds, should nobody take it away.
const SPARE: u32 = 10;

/// Makes a device the gateway of a network: forwarding is on, and the address of the network's DHCP server is the first
/// of the device, because dnsmasq answers only from that one. The other addresses keep their order behind it, and no
/// route is lost. IPv6 gets the network's prefix as an address, if it has one. Whether an IPv4 address was changed.
///
/// # Errors
/// [`Error::BadValue`] when the network has no DHCP server; [`Error::Setting`]; [`Error::Rtnl`], `ENODEV` when the device
/// is not there. The addresses and routes are then what they were.
pub fn initialize_gateway_device(rtnl: &mut Rtnl, device: &InterfaceName, network: &NetAttrs) -> Result<bool, Error> {
    sysctl::ensure(rtnl.namespace(), FORWARDING, "1")?;
    let link = rtnl.require_link(device)?;
    let server = network.dhcp_server.ok_or_else(|| Error::BadValue {
        what: "network",
        value: network.cidr.to_string(),
        problem: "has no DHCP server",
    })?;
    let wanted = network.v4(&link, server)?;
    let old = listed(rtnl, &link)?;
    let is_first = old.first().is_some_and(|first| first.network == wanted.network);
    let v6 = network.v6(&link);
    let is_new = match &v6 {
        Some(address) => !rtnl.addresses_of(link.index)?.iter().any(|other| other.is_same(address)),
        None => false,
    };
    if let Some(address) = &v6 {
        rtnl.replace_address(address)?;
    }
    if is_first {
        return Ok(false);
    }
    make_first(rtnl, &link, &wanted, &old).map_err(|error| match v6.filter(|_| is_new) {
        Some(address) => error.after(rtnl.delete_address(&address).or_missing().map(drop).map_err(Error::from)),
        None => error,
    })?;
    Ok(true)
}

/// The global IPv4 addresses of a device, in order.
fn listed(rtnl: &mut Rtnl, link: &Link) -> Result<Vec<Address>, Error> {
    let mut addresses = rtnl.addresses_of(link.index)?;
    addresses.retain(|address| address.scope == Scope::GLOBAL && address.family() == Family::Ipv4);
    Ok(addresses)
}

/// A new address comes last, and the kernel knows no other place; so the others are taken away and added again, one after
/// the other. The new address is there before the first of them goes, and a spare of each stays meanwhile: the host
/// answers, connections live on, and the device never loses its last address, with which all its routes would go.
///
/// A process that is killed between the two requests for one of them leaves that one address away.
fn make_first(rtnl: &mut Rtnl, link: &Link, wanted: &Address, old: &[Address]) -> Result<(), Error> {
    let routes = rtnl.routes_of(link.index)?;
    let mut others: Vec<Address> = old.iter().filter(|address| !address.is_same(wanted)).cloned().collect();
    // One of the same network takes the wanted address with it when it goes, so it goes before any other steps back.
    others.sort_by_key(|address| !is_one_network(address, wanted));
    let done: Result<(), Error> = Steps::run(rtnl, &[], |steps| {
        steps.add_address(wanted)?;
        for address in &others {
            renew(steps, wanted, address)?;
        }
        // With the first address of a network others may have gone.
        for address in &others {
            steps.rtnl().add_address(address).or_exists()?;
        }
        Ok(steps.restore_routes(&routes)?)
    });
    done.map_err(|error| error.after(put_back(rtnl, link, old, &routes)))
}

fn is_one_network(one: &Address, other: &Address) -> bool {
    one.network.network() == other.network.network() && one.network.prefix() == other.network.prefix()
}

/// Takes an address away and adds it again, so that it is the last.
fn renew(steps: &mut Steps<'_>, first: &Address, address: &Address) -> Result<(), Error> {
    let spare = spare(address);
    if let Some(spare) = &spare {
        steps.add_address(spare)?;
    }
    steps.delete_address(address)?;
    // When both are of one network, the first one may have taken the other with it.
    steps.rtnl().add_address(first).or_exists()?;
    steps.rtnl().add_address(address).or_exists()?;
    if let Some(spare) = &spare {
        steps.rtnl().delete_address(spare).or_missing()?;
    }
    Ok(())
}

/// The address alone, out of the way of whoever asks for global ones. It ends by itself.
fn spare(address: &Address) -> Option<Address> {
    (address.network.prefix() != 32).then(|| Address {
        network: IpNetwork::from(address.network.ip()),
        peer: None,
        scope: Scope::LINK,
        broadcast: None,
        label: None,
        metric: None,
        lifetimes: Lifetimes { preferred: SPARE, valid: SPARE },
        ..address.clone()
    })
}

/// After a failure: all addresses in their order, as far as the kernel takes it, and all routes. Those that were renewed
/// are behind the others, so those from the first that is out of place on are renewed as well.
fn put_back(rtnl: &mut Rtnl, link: &Link, old: &[Address], routes: &[Route]) -> Result<(), Error> {
    Steps::run(rtnl, &[], |steps| {
        for address in old {
            steps.rtnl().add_address(address).or_exists()?;
        }
        let now = listed(steps.rtnl(), link)?;
        let in_place = old.iter().zip(&now).take_while(|(old, now)| old.is_same(now)).count();
        for address in old.get(in_place..).unwrap_or_default() {
            // What stands in front of it is in place, or is itself.
            renew(steps, if in_place == 0 { address } else { old.first().unwrap_or(address) }, address)?;
        }
        for address in old {
            steps.rtnl().add_address(address).or_exists()?;
        }
        Ok(steps.restore_routes(routes)?)
    })
}
