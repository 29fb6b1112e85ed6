//! Steps that are taken back when a later one fails.
//!
//! Invariant: a step that found its work done has nothing to take back.
//! Invariant: routes that the kernel dropped on its own, because an address or device went, are put back as well.

use super::Error;
use crate::rtnl::{Address, Link, LinkChange, NewLink, Route, Rtnl, Tolerate};
use crate::{name::InterfaceName, rtnl};

enum Undo {
    DeleteLink(InterfaceName),
    Change(Link, LinkChange),
    AddAddress(Address),
    DeleteAddress(Address),
    AddRoute(Route),
    DeleteRoute(Route),
}

/// An error of steps, which can say that the way back failed as well.
pub(crate) trait Unwound: From<Error> {
    /// The error with what could not be undone.
    fn not_undone(self, failures: Vec<rtnl::Error>) -> Self;
}

impl Unwound for Error {
    fn not_undone(self, failures: Vec<rtnl::Error>) -> Self {
        failures.into_iter().fold(self, |error, failure| error.after(Err(failure.into())))
    }
}

/// Changes of a host that belong together.
pub(crate) struct Steps<'a> {
    rtnl: &'a mut Rtnl,
    undo: Vec<Undo>,
}

impl<'a> Steps<'a> {
    /// Takes the steps, or takes back those that were taken. The devices are those whose routes change.
    pub(crate) fn run<R, E: Unwound>(
        rtnl: &'a mut Rtnl,
        devices: &[&InterfaceName],
        take: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut before = Vec::new();
        let mut indices = Vec::new();
        for device in devices {
            if let Some(link) = rtnl.link(device).map_err(Error::from)? {
                before.extend(rtnl.routes_of(link.index).map_err(Error::from)?);
                indices.push(link.index);
            }
        }
        let mut steps = Self { rtnl, undo: Vec::new() };
        match take(&mut steps) {
            Ok(result) => Ok(result),
            Err(source) => {
                let mut failures = steps.take_back();
                failures.extend(steps.restore_routes(&before).err());
                failures.extend(steps.drop_leftovers(&indices, &before).err());
                if failures.is_empty() { Err(source) } else { Err(source.not_undone(failures)) }
            }
        }
    }

    pub(crate) fn rtnl(&mut self) -> &mut Rtnl {
        self.rtnl
    }

    /// Makes a device, which somebody else may have made in between; whether it was this call.
    pub(crate) fn add_link(&mut self, link: &NewLink) -> Result<bool, Error> {
        Ok(self.make_link(link).or_exists()?)
    }

    /// Makes a device, which must not be there.
    pub(crate) fn make_link(&mut self, link: &NewLink) -> Result<(), rtnl::Error> {
        self.rtnl.add_link(link)?;
        self.undo.push(Undo::DeleteLink(link.name.clone()));
        Ok(())
    }

    /// Changes a device; the way back is what the caller says.
    pub(crate) fn set_link(&mut self, link: &Link, change: &LinkChange, back: LinkChange) -> Result<(), Error> {
        self.rtnl.set_link(link, change)?;
        self.undo.push(Undo::Change(link.clone(), back));
        Ok(())
    }

    pub(crate) fn set_up(&mut self, link: &Link, up: bool) -> Result<(), Error> {
        if link.up == up { Ok(()) } else { self.set_link(link, &LinkChange::up(up), LinkChange::up(link.up)) }
    }

    /// Whether the device did not have it.
    pub(crate) fn add_address(&mut self, address: &Address) -> Result<bool, Error> {
        let added = self.rtnl.add_address(address).or_exists()?;
        if added {
            self.undo.push(Undo::DeleteAddress(address.clone()));
        }
        Ok(added)
    }

    /// Whether the device had it.
    pub(crate) fn delete_address(&mut self, address: &Address) -> Result<bool, Error> {
        let deleted = self.rtnl.delete_address(address).or_missing()?;
        // One that is gone went with the first of its network, which is this sequence's doing as well.
        self.undo.push(Undo::AddAddress(address.clone()));
        Ok(deleted)
    }

    /// Adds a route beside those with the same destination.
    pub(crate) fn append_route(&mut self, route: &Route) -> Result<bool, Error> {
        let added = self.rtnl.append_route(route).or_exists()?;
        if added {
            self.undo.push(Undo::DeleteRoute(route.clone()));
        }
        Ok(added)
    }

    /// Adds a route in place of another.
    pub(super) fn replace_route(&mut self, old: &Route, new: &Route) -> Result<(), Error> {
        self.rtnl.replace_route(new)?;
        self.undo.push(Undo::DeleteRoute(new.clone()));
        self.undo.push(Undo::AddRoute(old.clone()));
        Ok(())
    }

    pub(crate) fn delete_route(&mut self, route: &Route) -> Result<bool, Error> {
        let deleted = self.rtnl.delete_route(route).or_missing()?;
        if deleted {
            self.undo.push(Undo::AddRoute(route.clone()));
        }
        Ok(deleted)
    }

    /// Adds those of these routes that are not there, first those to the wire, which the others need.
    pub(super) fn restore_routes(&mut self, routes: &[Route]) -> Result<(), rtnl::Error> {
        if routes.is_empty() {
            return Ok(());
        }
        let there = self.rtnl.routes()?;
        let is_lost = |route: &&Route| !there.iter().any(|other| other.is_same(route));
        for route in wire_first(routes.iter().filter(is_lost)) {
            self.rtnl.append_route(route).or_exists()?;
        }
        Ok(())
    }

    /// Deletes routes to networks that the kernel made for an address and keeps after it went, as it does for an IPv6
    /// address that has an end.
    fn drop_leftovers(&mut self, links: &[u32], before: &[Route]) -> Result<(), rtnl::Error> {
        const KERNEL: u8 = 2;
        for link in links {
            for route in self.rtnl.routes_of(*link)? {
                let is_leftover = route.protocol == KERNEL && route.expires.is_some();
                if is_leftover && !before.iter().any(|other| other.is_same(&route)) {
                    self.rtnl.delete_route(&route).or_missing()?;
                }
            }
        }
        Ok(())
    }

    /// Takes back what was done, the last first, and goes on after a failure.
    fn take_back(&mut self) -> Vec<rtnl::Error> {
        let mut failures = Vec::new();
        while let Some(undo) = self.undo.pop() {
            let done = match undo {
                Undo::DeleteLink(name) => match self.rtnl.link(&name) {
                    Ok(Some(link)) => self.rtnl.delete_link(&link).or_missing(),
                    other => other.map(|_| false),
                },
                Undo::Change(link, change) => self.rtnl.set_link(&link, &change).or_missing(),
                Undo::AddAddress(address) => self.rtnl.add_address(&address).or_exists(),
                Undo::DeleteAddress(address) => self.rtnl.delete_address(&address).or_missing(),
                Undo::AddRoute(route) => self.rtnl.append_route(&route).or_exists(),
                Undo::DeleteRoute(route) => self.rtnl.delete_route(&route).or_missing(),
            };
            failures.extend(done.err());
        }
        failures
    }
}

/// The order in which addresses have to be added to be listed like this: the newest IPv4 address comes last, the newest
/// IPv6 address first.
pub(crate) fn in_adding_order(addresses: &[Address]) -> Vec<&Address> {
    let v4 = addresses.iter().filter(|address| address.network.is_ipv4());
    v4.chain(addresses.iter().rev().filter(|address| address.network.is_ipv6())).collect()
}

/// Routes to the wire before those that lead to a router on it.
pub(super) fn wire_first<'r>(routes: impl Iterator<Item = &'r Route>) -> Vec<&'r Route> {
    let (routed, mut ordered): (Vec<&Route>, Vec<&Route>) = routes.partition(|route| route.has_gateway());
    ordered.extend(routed);
    ordered
}
