//! Moving the host's own addresses and routes from one device to another: from an interface to its bridge, and back.
//!
//! The addresses are added at the new device before anything is deleted at the old one; so are the routes, since the
//! kernel keeps several of one destination. It drops routes with the last address of a device, and may drop those that
//! name a deleted address as their source; so what the new device should have is noted before the deletions, and looked
//! after at the end.

use super::Error;
use super::steps::{Steps, in_adding_order, wire_first};
use crate::rtnl::{Address, AddressFlags, Link, Route, RouteKind, Scope};

/// The host's own global addresses and the routes that need them, on their way to another device. `stays` says which
/// addresses belong to the old device itself.
pub(super) fn relocate(
    steps: &mut Steps<'_>,
    from: &Link,
    to: &Link,
    stays: &dyn Fn(&Address) -> bool,
) -> Result<(), Error> {
    let (staying, moving): (Vec<Address>, Vec<Address>) =
        steps.rtnl().addresses_of(from.index)?.into_iter().partition(|address| stays(address) || !can_move(address));
    let mut routes = steps.rtnl().routes_of(from.index)?;
    routes.retain(|route| is_ours(route) && !staying.iter().any(|address| belongs_to(route, address)));
    if moving.is_empty() && routes.is_empty() {
        return Ok(());
    }
    for address in in_adding_order(&moving) {
        steps.add_address(&relabelled(address, from, to))?;
    }
    // The kernel has made some of them for the new addresses.
    let there = steps.rtnl().routes_of(to.index)?;
    for old in wire_first(routes.iter()) {
        let new = old.moved(from.index, to.index);
        if there.iter().any(|route| route.is_same(&new)) {
            continue;
        }
        // IPv6 would take a second one for one more way of the first.
        if old.destination.is_ipv6() {
            steps.replace_route(old, &new)?;
        } else {
            steps.append_route(&new)?;
        }
    }
    let wanted = steps.rtnl().routes_of(to.index)?;
    // In the opposite order: then the way back is the order of adding, whatever was left.
    for route in wire_first(routes.iter()).into_iter().rev() {
        steps.delete_route(route)?;
    }
    for address in in_adding_order(&moving).into_iter().rev() {
        steps.delete_address(address)?;
    }
    Ok(steps.restore_routes(&wanted)?)
}

/// Only global addresses; not those that the kernel makes and renews by itself, or that another host has.
fn can_move(address: &Address) -> bool {
    let of_kernel = AddressFlags::SECONDARY | AddressFlags::DADFAILED;
    address.scope == Scope::GLOBAL && (address.network.is_ipv4() || !address.flags.intersects(of_kernel))
}

/// Not what the kernel makes for every device: link-local and multicast.
fn is_ours(route: &Route) -> bool {
    let is_link_local = match route.destination {
        ipnetwork::IpNetwork::V6(network) => network.ip().is_unicast_link_local(),
        ipnetwork::IpNetwork::V4(_) => false,
    };
    route.kind == RouteKind::UNICAST && !is_link_local
}

/// Whether a route works only with this address: to its network, by a router in it, or with it as the source.
fn belongs_to(route: &Route, address: &Address) -> bool {
    let network = address.network;
    let is_its_network = network.prefix() == route.destination.prefix() && network.contains(route.destination.ip());
    let by_its_router = route.hops.iter().filter_map(|hop| hop.gateway).any(|gateway| network.contains(gateway));
    is_its_network && !route.has_gateway() || by_its_router || route.preferred_source == Some(network.ip())
}

/// The address for another device. Labels start with the device's name.
fn relabelled(address: &Address, from: &Link, to: &Link) -> Address {
    let suffix = address.label.as_deref().and_then(|label| label.strip_prefix(from.name.as_str()));
    let label = suffix.filter(|suffix| !suffix.is_empty()).map(|suffix| format!("{}{suffix}", to.name.as_str()));
    let label = label.filter(|label| label.len() <= crate::name::InterfaceName::MAX);
    Address { link: to.index, label, ..address.clone() }
}
