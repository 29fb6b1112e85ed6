//! Devices, addresses and routes of a router.
//!
//! Owns: what a router's devices have, as its state asks for it, and the two halves of getting there: what goes before the
//! rules ([`take_away`]), and what comes after them ([`add`]).
//! Never: touches devices that are not called as a router's are, addresses that the kernel made, or routes that are not
//! static ones of the main table.
//!
//! Invariant: both halves are steps: when a later one fails they are taken back.
//! Invariant: what is there already is not touched.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::names::Names;
use super::rules::METADATA_V6;
use super::state::{FloatingState, Id, Plug, Router};
use super::{RouterError, RouterOptions};
use crate::linux_net::steps::{Steps, in_adding_order};
use crate::name::{InterfaceName, MacAddress};
use crate::netlink::namespace::Namespace;
use crate::rtnl::{
    self, Address, AddressFlags, HopFlags, Kind, Link, LinkChange, NewLink, Peer, Route, RouteKind, Rtnl, Scope,
    Tolerate,
};

/// How a router's devices are called.
const PREFIXES: [&str; 3] = ["qr-", "qg-", "sg-"];
/// `RTPROT_STATIC`: routes that an administrator asked for.
const STATIC: u8 = 4;

/// A device, as it is to be.
#[derive(Debug, Clone)]
pub(super) struct Device<'a> {
    pub(super) name: &'a InterfaceName,
    port: &'a Id,
    pub(super) plug: &'a Plug,
    mac: Option<MacAddress>,
    mtu: Option<u32>,
    addresses: Vec<IpNetwork>,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    pub(super) devices: usize,
    pub(super) addresses: usize,
    pub(super) routes: usize,
    /// Addresses that neighbours have not heard of.
    pub(super) fresh: Vec<(InterfaceName, Ipv4Addr)>,
}

/// The devices of a router, the gateway's last.
pub(super) fn wanted<'a>(router: &'a Router, names: &'a Names, options: &RouterOptions) -> Vec<Device<'a>> {
    let asked = router.metadata.port().is_some() && options.rules.ipv6;
    // A guest looks for the address on its own wire, so the router's device has to have it.
    let metadata = asked.then(|| IpNetwork::new(METADATA_V6.into(), 64).ok()).flatten();
    let mut devices: Vec<Device<'a>> = Vec::with_capacity(router.ports.len() + 1);
    for (port, name) in router.ports.iter().zip(&names.ports) {
        let addresses = port.addresses.iter().copied().chain(metadata).collect();
        let (mac, mtu) = (port.mac, port.mtu);
        devices.push(Device { name, port: &port.id, plug: &port.plug, mac, mtu, addresses });
    }
    if let Some((gateway, name)) = router.gateway.as_ref().zip(names.external.as_ref()) {
        let floating = router.floating.iter().filter(|ip| ip.state == FloatingState::Active).map(|ip| ip.floating);
        let forwarded = router.forwardings.iter().map(|forwarding| forwarding.floating);
        let own: BTreeSet<IpAddr> = gateway.addresses.iter().map(|network| network.ip()).collect();
        let mut addresses = gateway.addresses.clone();
        for address in floating.chain(forwarded).map(IpAddr::from).filter(|address| !own.contains(address)) {
            if !addresses.contains(&address.into()) {
                addresses.push(address.into());
            }
        }
        let (mac, mtu) = (gateway.mac, gateway.mtu);
        devices.push(Device { name, port: &gateway.id, plug: &gateway.plug, mac, mtu, addresses });
    }
    devices
}

/// Whether a device is called as a router's are.
pub(super) fn is_routers(link: &Link) -> bool {
    PREFIXES.iter().any(|prefix| link.name.as_str().starts_with(prefix))
}

/// Moves devices into the router's namespace that are given and not there. Returns those that were moved, also when it
/// failed.
pub(super) fn take_given(
    rtnl: &mut Rtnl,
    devices: &[Device<'_>],
    options: &RouterOptions,
) -> (Vec<InterfaceName>, Result<(), RouterError>) {
    let mut moved = Vec::new();
    let mut take = || -> Result<(), RouterError> {
        for device in devices.iter().filter(|device| *device.plug == Plug::Given) {
            if rtnl.link(device.name)?.is_some() {
                continue;
            }
            let mut host = Rtnl::open_in(&options.host)?;
            let Some(link) = host.link(device.name)? else {
                return Err(RouterError::NoDevice { device: device.name.clone(), port: device.port.clone() });
            };
            move_to(&mut host, &link, rtnl.namespace())?;
            moved.push(device.name.clone());
        }
        Ok(())
    };
    let done = take();
    (moved, done)
}

/// Gives devices back to the host's namespace. Goes on after a failure.
pub(super) fn give_back(rtnl: &mut Rtnl, devices: &[InterfaceName], options: &RouterOptions) -> Vec<RouterError> {
    let mut give = |device: &InterfaceName| match rtnl.link(device)? {
        Some(link) => move_to(rtnl, &link, &options.host),
        None => Ok(()),
    };
    devices.iter().filter_map(|device| give(device).err()).map(RouterError::from).collect()
}

fn move_to(rtnl: &mut Rtnl, link: &Link, namespace: &Namespace) -> Result<(), rtnl::Error> {
    rtnl.set_link(link, &LinkChange { namespace: Some(namespace.clone()), ..LinkChange::default() })
}

/// Takes away addresses and routes that the router is not to have any more.
pub(super) fn take_away(
    steps: &mut Steps<'_>,
    devices: &[Device<'_>],
    routes: &Routes<'_>,
    work: &mut Work,
) -> Result<(), RouterError> {
    let links = steps.rtnl().links()?;
    let addresses = steps.rtnl().addresses()?;
    for route in steps.rtnl().routes()?.iter().filter(|route| is_static(route)) {
        if !routes.ask_for(route, &links) {
            work.routes += usize::from(steps.delete_route(route)?);
        }
    }
    for link in links.iter().filter(|link| is_routers(link)) {
        let device = devices.iter().find(|device| *device.name == link.name);
        let mut own = addresses.clone();
        own.retain(|address| address.link == link.index && is_ours(address));
        let wanted = |address: &Address| device.is_some_and(|device| device.asks_for(link, address));
        let (stay, go): (Vec<Address>, Vec<Address>) = own.into_iter().partition(wanted);
        // The last that came goes first, so that on the way back each comes to its place.
        for address in in_adding_order(&go).into_iter().rev() {
            steps.delete_address(address)?;
            work.addresses += 1;
        }
        if !go.is_empty() {
            // With the first address of a network others may have gone.
            for address in &stay {
                steps.rtnl().add_address(address).or_exists()?;
            }
        }
    }
    Ok(())
}

/// Adds devices, addresses and routes that the router is to have.
pub(super) fn add(
    steps: &mut Steps<'_>,
    devices: &[Device<'_>],
    routes: &Routes<'_>,
    options: &RouterOptions,
    work: &mut Work,
) -> Result<(), RouterError> {
    for device in devices {
        let link = device.plug(steps, options, work)?;
        device.set(steps, &link, work)?;
        let there = steps.rtnl().addresses_of(link.index)?;
        for network in &device.addresses {
            let address = address(&link, *network);
            if there.iter().any(|other| other.is_same(&address)) {
                continue;
            }
            if steps.add_address(&address)? {
                work.addresses += 1;
                if let IpAddr::V4(ip) = network.ip() {
                    work.fresh.push((device.name.clone(), ip));
                }
            }
        }
    }
    let links = steps.rtnl().links()?;
    let there = steps.rtnl().routes()?;
    for route in routes.routes(&links) {
        if !there.iter().any(|other| is_static(other) && is_same(other, &route)) {
            work.routes += usize::from(steps.append_route(&route)?);
        }
    }
    Ok(())
}

/// Addresses that a router's state is about: not those that the kernel gives each device.
fn is_ours(address: &Address) -> bool {
    address.scope == Scope::GLOBAL || address.network.ip() == IpAddr::V6(METADATA_V6)
}

fn address(link: &Link, network: IpNetwork) -> Address {
    let broadcast = match network {
        // A network of one or two hosts has no address of all.
        IpNetwork::V4(network) if network.prefix() < 31 => Some(network.broadcast()),
        _ => None,
    };
    let address = Address { broadcast, ..Address::new(link, network) };
    if network.ip() == IpAddr::V6(METADATA_V6) {
        // Every router on the wire has it, and each answers its own guests.
        return Address { flags: AddressFlags::NODAD, scope: Scope::LINK, ..address };
    }
    address
}

impl Device<'_> {
    fn asks_for(&self, link: &Link, other: &Address) -> bool {
        self.addresses.iter().any(|network| address(link, *network).is_same(other))
    }

    /// The device; it is made if it is to be.
    fn plug(&self, steps: &mut Steps<'_>, options: &RouterOptions, work: &mut Work) -> Result<Link, RouterError> {
        if let Some(link) = steps.rtnl().link(self.name)? {
            return Ok(link);
        }
        let Plug::Veth { peer, bridge } = self.plug else {
            return Err(RouterError::NoDevice { device: self.name.clone(), port: self.port.clone() });
        };
        let end = Peer { name: peer.clone(), namespace: Some(options.host.clone()), mac: None, mtu: self.mtu };
        let pair = NewLink { mac: self.mac, mtu: self.mtu, ..NewLink::new(self.name.clone(), Kind::Veth(end)) };
        steps.make_link(&pair)?;
        work.devices += 1;
        let mut host = Rtnl::open_in(&options.host)?;
        let end = host.require_link(peer)?;
        let bridge = bridge.as_ref().map(|bridge| host.require_link(bridge)).transpose()?;
        let master = bridge.map(|bridge| Some(bridge.index));
        host.set_link(&end, &LinkChange { up: Some(true), master, ..LinkChange::default() })?;
        Ok(steps.rtnl().require_link(self.name)?)
    }

    /// Hardware address, size of packets, and up.
    fn set(&self, steps: &mut Steps<'_>, link: &Link, work: &mut Work) -> Result<(), RouterError> {
        let mac = self.mac.filter(|mac| link.mac != Some(*mac));
        let mtu = self.mtu.filter(|mtu| link.mtu != *mtu);
        if mac.is_some() || mtu.is_some() {
            let change = LinkChange { mac, mtu, ..LinkChange::default() };
            let back = LinkChange { mac: mac.and(link.mac), mtu: mtu.map(|_| link.mtu), ..LinkChange::default() };
            steps.set_link(link, &change, back)?;
            work.devices += 1;
        }
        if !link.up {
            steps.set_up(link, true)?;
            work.devices += 1;
        }
        Ok(())
    }
}

/// The routes that a router asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routes<'a> {
    pub(super) router: &'a Router,
    pub(super) names: &'a Names,
}

impl Routes<'_> {
    /// As the kernel has them, by devices that are there.
    fn routes(&self, links: &[Link]) -> Vec<Route> {
        let index = |name: &InterfaceName| links.iter().find(|link| link.name == *name).map(|link| link.index);
        let outside = self.router.gateway.as_ref().zip(self.names.external.as_ref());
        let mut routes = Vec::new();
        if let Some((gateway, link)) = outside.and_then(|(gateway, name)| Some((gateway, index(name)?))) {
            for hop in &gateway.next_hops {
                let on_wire = gateway.addresses.iter().any(|network| network.contains(*hop));
                routes.extend(default_route(link, *hop, on_wire));
            }
        }
        let ports = self.router.ports.iter().map(|port| &port.addresses).zip(&self.names.ports);
        let networks: Vec<(&Vec<IpNetwork>, &InterfaceName)> =
            ports.chain(outside.map(|(gateway, name)| (&gateway.addresses, name))).collect();
        for route in &self.router.routes {
            let leads = |networks: &[IpNetwork]| networks.iter().any(|network| network.contains(route.next_hop));
            let by = networks.iter().find(|(networks, _)| leads(networks)).or_else(|| networks.last());
            let link = by.and_then(|(_, name)| index(name));
            routes.extend(link.map(|link| Route::new(route.destination, link, Some(route.next_hop))));
        }
        routes
    }

    fn ask_for(&self, route: &Route, links: &[Link]) -> bool {
        self.routes(links).iter().any(|wanted| is_same(wanted, route))
    }
}

fn default_route(link: u32, hop: IpAddr, on_wire: bool) -> Option<Route> {
    let any: IpAddr = if hop.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let mut route = Route::new(IpNetwork::new(any, 0).ok()?, link, Some(hop));
    if !on_wire {
        // It is reached by the wire all the same: some networks have their router elsewhere.
        route.hops.iter_mut().for_each(|hop| hop.flags |= HopFlags::ONLINK);
    }
    Some(route)
}

fn is_static(route: &Route) -> bool {
    (route.protocol, route.table, route.kind) == (STATIC, Route::MAIN, RouteKind::UNICAST)
}

/// Whether both lead the same way to the same place.
fn is_same(one: &Route, other: &Route) -> bool {
    let way = |route: &Route| route.hops.first().map(|hop| (hop.link, hop.gateway));
    one.destination == other.destination && one.hops.len() == other.hops.len() && way(one) == way(other)
}
