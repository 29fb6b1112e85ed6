//! One router: its namespace, and bringing it from one state to the next.
//!
//! Owns: the order of the steps, and the way back.
//! Never: is used by two threads at once; [`Routers`](super::Routers) has a lock for each.
//!
//! Addresses and routes that go are taken away first, then the rules are exchanged in one transaction, then devices,
//! addresses and routes come. All that can be taken back when a later step is refused. What cannot be taken back comes
//! last, and is a warning when it fails: neighbours are told, connections of what was translated end, devices of ports
//! that are gone go.

use std::collections::{BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::applied::{Applied, Reports};
use super::devices::{self, Routes, Work};
use super::ended::{Ended, Translation};
use super::marks::ScopeMarks;
use super::names::{Given, Names};
use super::place::Place;
use super::rules::named_rules;
use super::state::{FloatingIp, FloatingState, Id, Plug, Role, Router, StateError};
use super::traffic::{Counted, Traffic};
use super::{RouterError, RouterOptions, ended, recover};
use crate::apply::Report;
use crate::conntrack::Conntrack;
use crate::linux_net::announce::Announcer;
use crate::linux_net::steps::Steps;
use crate::name::InterfaceName;
use crate::netlink::namespace::Namespace;
use crate::rtnl::{Rtnl, Tolerate};

/// A router in its namespace.
#[derive(Debug)]
pub struct L3Router {
    options: Arc<RouterOptions>,
    id: Id,
    place: Place,
    rtnl: Rtnl,
    conntrack: Conntrack,
    applied: Applied,
    marks: ScopeMarks,
    counted: Counted,
    /// What stands; `None` until the first update.
    state: Option<Router>,
    /// The names of what stands; those of an empty router until the first update.
    names: Names,
    /// What an earlier process's rules translated, until the first update is done.
    inherited: Option<HashSet<Translation>>,
    /// What is not translated any more and has connections still.
    unended: HashSet<Translation>,
    /// Floating addresses of an update that failed.
    failed: Vec<FloatingIp>,
}

/// What an update did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The router's rules.
    pub rules: Report,
    /// The rules that count.
    pub metering: Report,
    /// Devices that were made, changed or deleted.
    pub devices: usize,
    /// Addresses that were added or taken away.
    pub addresses: usize,
    /// Routes that were added or taken away.
    pub routes: usize,
    /// Connections that ended.
    pub connections: usize,
    /// What failed after the router was what was asked: neighbours that were not told, connections that go on, devices
    /// that are still there.
    pub warnings: Vec<RouterError>,
}

impl Outcome {
    /// Whether nothing was sent to the kernel that changes anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.rules.messages + self.metering.messages == 0 && self.devices + self.addresses + self.routes == 0
    }
}

/// What has become of a floating address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatingStatus {
    /// It is translated.
    Active,
    /// It is not, as the state asks, or because the router has no way out.
    Down,
    /// The update that asked for it failed.
    Error,
}

impl L3Router {
    /// The router's namespace, made if it is not there, with the settings of a router. Nothing else is done before the first
    /// [`update`](L3Router::update).
    ///
    /// # Errors
    /// [`RouterError`]; a namespace that was made is gone again.
    pub fn open(id: &Id, options: Arc<RouterOptions>) -> Result<Self, RouterError> {
        let names = Names::of(&Router::new(id.clone()))?;
        let place = Place::open(&names.namespace, &options)?;
        let prepared = Rtnl::open_in(&place.namespace).map_err(RouterError::from).and_then(|mut rtnl| {
            place.prepare(&mut rtnl, &options)?;
            Ok((rtnl, Conntrack::open_in(&place.namespace)?, Applied::new(&place.namespace, &options)?))
        });
        match prepared {
            Ok((rtnl, conntrack, applied)) => Ok(Self {
                id: id.clone(),
                options,
                place,
                rtnl,
                conntrack,
                applied,
                marks: ScopeMarks::new(),
                counted: Counted::default(),
                state: None,
                names,
                inherited: None,
                unended: HashSet::new(),
                failed: Vec::new(),
            }),
            Err(error) if place.adopted => Err(error),
            Err(error) => Err(error.with_failures(place.remove().err().into_iter().collect())),
        }
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.place.namespace
    }

    /// What stands; `None` before the first update.
    #[must_use]
    pub fn state(&self) -> Option<&Router> {
        self.state.as_ref()
    }

    /// The marks that its scopes have.
    #[must_use]
    pub fn marks(&self) -> &ScopeMarks {
        &self.marks
    }

    /// Its devices, addresses and routes, for a look or a fault in a test.
    pub fn rtnl_mut(&mut self) -> &mut Rtnl {
        &mut self.rtnl
    }

    /// Whether this object made the namespace.
    pub(super) fn is_new(&self) -> bool {
        !self.place.adopted && self.state.is_none()
    }

    /// Forgets what is known of the kernel's rules: the next update reads them and repairs what others have changed.
    pub fn refresh(&mut self) {
        self.applied.refresh();
    }

    /// Brings the router to a state.
    ///
    /// # Errors
    /// [`RouterError::Gone`] when somebody took the namespace away. Others: rules, addresses and routes are what they were,
    /// unless [`RouterError::NotUndone`] says otherwise. The rules of an earlier process are not known, so the first update
    /// of a router that it left leaves the new ones when an address or route is refused.
    pub fn update(&mut self, router: &Router) -> Result<Outcome, RouterError> {
        let outcome = self.change(router);
        self.failed = match &outcome {
            Ok(_) => Vec::new(),
            Err(_) => {
                let stands = |ip: &FloatingIp| self.state.as_ref().is_some_and(|state| state.floating.contains(ip));
                router.floating.iter().filter(|ip| !stands(ip)).cloned().collect()
            }
        };
        outcome
    }

    fn change(&mut self, router: &Router) -> Result<Outcome, RouterError> {
        self.place.check()?;
        if router.id != self.id {
            let (what, value) = ("router", router.id.to_string());
            return Err(StateError::Bad { what, value, problem: "is another one" }.into());
        }
        if router.role != Role::Centralized {
            return Err(RouterError::NotSupported { what: "plumbing a distributed router" });
        }
        router.check()?;
        let mut given = self.state.as_ref().map(|state| Given::standing(state, &self.names)).unwrap_or_default();
        let adopts = self.state.is_none() && self.place.adopted;
        if adopts {
            given = recover::names(self.applied.kernel(), router, &self.options)?;
        }
        let names = Names::beside(router, &given)?;
        let mut marks = self.marks.clone();
        if adopts {
            marks = recover::marks(self.applied.kernel(), &self.options.component, router, &names)?;
            if self.inherited.is_none() {
                // An update that fails may have changed the rules: they are read before the first one.
                self.inherited = Some(recover::translations(self.applied.kernel(), &self.options.component)?);
            }
        }
        marks.assign(router)?;
        let wanted = named_rules(router, &names, &marks, &self.options.rules)?;
        let translated = Translation::all(&self.applied.standing().router);
        let (reports, work) = self.step(router, &names, &wanted)?;
        self.marks = marks;
        let old = self.state.replace(router.clone());
        let mut translated = self.inherited.take().unwrap_or(translated);
        translated.extend(self.unended.drain());
        let (connections, warning) = self.end(&translated, &Translation::all(&wanted.router));
        let before = std::mem::replace(&mut self.names, names);
        let mut outcome = self.finish(old.as_ref().map(|old| (old, &before)), reports, work);
        outcome.connections = connections;
        outcome.warnings.extend(warning);
        for warning in &outcome.warnings {
            log::warn!("router {}: {warning}", self.id);
        }
        Ok(outcome)
    }

    /// Deletes the connections of what is not translated any more. What fails is tried again by the next update.
    fn end(&mut self, old: &HashSet<Translation>, new: &HashSet<Translation>) -> (usize, Option<RouterError>) {
        let Ended { deleted, failed, error } = ended::delete(&mut self.conntrack, old, new);
        let error = error.filter(|error| !error.is_not_supported());
        self.unended = if error.is_some() { failed } else { HashSet::new() };
        (deleted, error.map(Into::into))
    }

    /// What can be taken back.
    fn step(
        &mut self,
        router: &Router,
        names: &Names,
        wanted: &super::rules::RuleSet,
    ) -> Result<(Reports, Work), RouterError> {
        let options = &*self.options;
        let devices = devices::wanted(router, names, options);
        let (moved, taken) = devices::take_given(&mut self.rtnl, &devices, options);
        let routes = Routes { router, names };
        let known: Vec<InterfaceName> = match &taken {
            Ok(()) => self.rtnl.links()?.into_iter().filter(devices::is_routers).map(|link| link.name).collect(),
            Err(_) => Vec::new(),
        };
        let (applied, place, first) = (&mut self.applied, &self.place, self.state.is_none());
        let done = taken.and_then(|()| {
            Steps::run(&mut self.rtnl, &known.iter().collect::<Vec<_>>(), |steps| {
                let mut work = Work { devices: moved.len(), ..Work::default() };
                devices::take_away(steps, &devices, &routes, &mut work)?;
                let adopted = first && place.adopted;
                let reports = applied.commit(wanted, adopted, &place.namespace, options)?;
                match devices::add(steps, &devices, &routes, options, &mut work) {
                    Ok(()) => Ok((reports, work)),
                    Err(error) if adopted => Err(error),
                    Err(error) => Err(error.with_failures(applied.undo())),
                }
            })
        });
        done.map_err(|error: RouterError| {
            error.with_failures(devices::give_back(&mut self.rtnl, &moved, &self.options))
        })
    }

    /// What cannot be taken back.
    fn finish(&mut self, old: Option<(&Router, &Names)>, reports: Reports, work: Work) -> Outcome {
        let mut outcome = Outcome {
            rules: reports.router,
            metering: reports.metering,
            devices: work.devices,
            addresses: work.addresses,
            routes: work.routes,
            ..Outcome::default()
        };
        // With its first packet of rules a namespace gets connection tracking, and with that its settings.
        if old.is_none() && !self.place.adopted {
            outcome.warnings.extend(self.place.prepare(&mut self.rtnl, &self.options).err());
        }
        // One for each update: its thread ends when it has said everything.
        let mut announcer = Announcer::new();
        for (device, address) in work.fresh {
            let told = announcer.announce(&self.place.namespace, &device, address.into(), self.options.announcements);
            outcome.warnings.extend(told.err().map(RouterError::from));
        }
        let wanted: BTreeSet<_> = self.names.ports.iter().chain(&self.names.external).cloned().collect();
        match self.unplug(old, |name| !wanted.contains(name)) {
            Ok((count, failures)) => {
                outcome.devices += count;
                outcome.warnings.extend(failures);
            }
            Err(error) => outcome.warnings.push(error),
        }
        outcome
    }

    /// Devices of ports go, or go back to where they were given from.
    fn unplug(
        &mut self,
        old: Option<(&Router, &Names)>,
        goes: impl Fn(&InterfaceName) -> bool,
    ) -> Result<(usize, Vec<RouterError>), RouterError> {
        let given: Vec<InterfaceName> = match old {
            Some((old, names)) => {
                let ports = old.ports.iter().map(|port| &port.plug).zip(&names.ports);
                let gateway = old.gateway.iter().map(|gateway| &gateway.plug).zip(&names.external);
                ports.chain(gateway).filter(|(plug, _)| **plug == Plug::Given).map(|(_, name)| name.clone()).collect()
            }
            None => Vec::new(),
        };
        let (mut count, mut failures) = (0, Vec::new());
        for link in self.rtnl.links()?.into_iter().filter(|link| devices::is_routers(link) && goes(&link.name)) {
            count += 1;
            // What an earlier process left: a pair was made for it, and anything else was given.
            let is_given = given.contains(&link.name) || (old.is_none() && link.kind.as_deref() != Some("veth"));
            if is_given {
                failures.extend(devices::give_back(&mut self.rtnl, &[link.name], &self.options));
            } else {
                failures.extend(self.rtnl.delete_link(&link).or_missing().err().map(RouterError::from));
            }
        }
        Ok((count, failures))
    }

    /// What has become of its floating addresses.
    #[must_use]
    pub fn floating(&self) -> Vec<(Ipv4Addr, FloatingStatus)> {
        let state = self.state.iter().flat_map(|state| state.floating.iter().map(move |ip| (state, ip)));
        let standing = state.filter(|(_, ip)| !self.failed.iter().any(|failed| failed.floating == ip.floating));
        let standing = standing.map(|(state, ip)| match (ip.state, &state.gateway) {
            (FloatingState::Active, Some(_)) => (ip.floating, FloatingStatus::Active),
            _ => (ip.floating, FloatingStatus::Down),
        });
        standing.chain(self.failed.iter().map(|ip| (ip.floating, FloatingStatus::Error))).collect()
    }

    /// What its labels have counted since they were set up, or since somebody asked with `reset`. Where somebody has taken a
    /// label's chain away, the next update sets it up again.
    ///
    /// # Errors
    /// [`RouterError::Gone`]; others when the kernel cannot be asked.
    pub fn traffic(&mut self, reset: bool) -> Result<Vec<Traffic>, RouterError> {
        self.place.check()?;
        let (Some(state), Some(meter)) = (&self.state, self.applied.meter()) else { return Ok(Vec::new()) };
        let mut traffic = Vec::with_capacity(state.labels.len());
        for (label, name) in state.labels.iter().zip(&self.names.labels) {
            let counted = self.counted.read(meter.kernel_mut(), name, reset, &self.options)?;
            if counted.is_none() {
                log::warn!("router {}: the chain of label {} is gone", self.id, label.id);
                meter.refresh();
            }
            traffic.push(Traffic { label: label.id.clone(), counted });
        }
        Ok(traffic)
    }

    /// Takes the router away: its devices, then its namespace, with which its rules go. One that is gone is fine.
    ///
    /// # Errors
    /// [`RouterError`]; the call can be repeated.
    pub fn remove(&mut self) -> Result<(), RouterError> {
        match self.place.check() {
            Err(error) if error.is_gone() => return Ok(()),
            checked => checked?,
        }
        let stood = self.state.clone().map(|state| (state, self.names.clone()));
        let (_, failures) = self.unplug(stood.as_ref().map(|(state, names)| (state, names)), |_| true)?;
        if let Some(error) = failures.into_iter().next() {
            return Err(error);
        }
        self.place.remove()
    }
}
