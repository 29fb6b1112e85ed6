//! The firewall of a host's ports: every operation, for callers of any thread.
//!
//! Owns: the state behind its lock, the writer with what is owed, the thread that deletes connections.
//! Never: waits for the kernel while it holds the lock; makes a caller wait who does not ask for it ([`Ticket::wait`]).

use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnetwork::IpNetwork;

use super::super::group::{GroupId, SecurityGroup};
use super::super::tickets::Tickets;
use super::connections::{Cleaner, Connections, Handle};
use super::port::{Port, PortId};
use super::recover::{self, Where};
use super::rules::Notes;
use super::state::{State, Work};
use super::unit;
use super::zones::Zones;
use super::{Key, PortError, Settings};
use crate::conntrack::{self, Filter};
use crate::kernel::{Kernel, Live};
use crate::manager::Manager;
use crate::rule::Family;
use crate::wrap::{Model, ModelError};
use crate::writer::debtor::Debtor;
use crate::writer::{Hold, Owed, Ticket, WriteError, Writer};

/// The firewall of a host's ports.
#[derive(Debug)]
pub struct PortFirewall<K = Live> {
    state: Mutex<State>,
    /// Before the cleaner, as it is dropped first: what it finishes is cleaned after.
    debtor: Debtor<Key, Filter, K>,
    cleaner: Option<Cleaner>,
}

/// Commits nothing as long as it lives; see [`PortFirewall::defer`].
#[derive(Debug)]
#[must_use = "the deferral ends when the guard is dropped"]
pub struct Deferral<K = Live>(#[allow(dead_code, reason = "it is dropped")] Hold<Key, K>);

/// A lock under which nothing panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Kernel + Send + 'static> PortFirewall<K> {
    /// Starts the firewall over a manager whose model has neutron's skeleton ([`model`](super::model)). Zones are read from
    /// what stands in the kernel; nothing is changed there before the first port comes. As the ports that come first would
    /// then be all that stands, an agent prepares its ports within one [`defer`](PortFirewall::defer).
    ///
    /// Connections are deleted by `connections`, usually a [`Conntrack`](crate::conntrack::Conntrack) of the same
    /// namespace; without it they end by themselves.
    ///
    /// # Errors
    /// [`PortError`] when the kernel cannot be read, the model has no component, or no thread can be started.
    pub fn start(
        manager: Manager<K>,
        settings: Settings,
        connections: Option<Box<dyn Connections>>,
    ) -> Result<Self, PortError> {
        Self::start_with_zones(manager, settings, connections, Zones::new())
    }

    /// The same beside other firewalls of the namespace, whose zones are in the same table.
    ///
    /// # Errors
    /// As [`start`](PortFirewall::start).
    pub fn start_with_zones(
        mut manager: Manager<K>,
        settings: Settings,
        connections: Option<Box<dyn Connections>>,
        zones: Zones,
    ) -> Result<Self, PortError> {
        let families = families(manager.model());
        let no_component = || ModelError::NoComponent { name: String::new() };
        let component = manager.model().component().cloned().ok_or_else(no_component)?;
        let chain = manager.model().wrapped_name("PREROUTING")?;
        let layout = manager.layout().clone();
        let place = Where { layout: &layout, component: &component, chain: &chain, families: &families };
        for (key, zone) in recover::zones(manager.kernel_mut(), &place, settings.driver, settings.path)? {
            zones.restore(key, zone);
        }
        unit::add_frame(manager.model_mut(), &families, Notes(settings.comments))?;
        let pace = settings.pace;
        let state = Mutex::new(State::new(settings, families, zones, &layout));
        let cleaner = connections.map(Cleaner::start).transpose().map_err(PortError::from)?;
        let connections = cleaner.as_ref().map_or_else(Handle::none, Cleaner::handle);
        let debtor = Debtor::new(Writer::start(manager, pace)?, move |filters| connections.delete(filters));
        Ok(Self { state, debtor, cleaner })
    }

    /// The port is to be filtered so, whether or not it was known.
    ///
    /// # Errors
    /// [`PortError`] when it has no name or zone; nothing has changed then, of this port or another.
    pub fn prepare(&self, port: Port) -> Result<Ticket, PortError> {
        let mut state = lock(&self.state);
        let work = state.put(port)?;
        Ok(self.submit(&state, work))
    }

    /// Several ports in one transaction, in the order of their identifiers, so that the same ports always make the same
    /// tables. One that is refused keeps no other from its effect.
    pub fn prepare_all(&self, ports: impl IntoIterator<Item = Port>) -> Vec<(PortId, Result<Ticket, PortError>)> {
        let mut ports: Vec<_> = ports.into_iter().collect();
        ports.sort_by(|one, other| one.id.cmp(&other.id));
        let _hold = self.debtor.writer().hold();
        ports.into_iter().map(|port| (port.id.clone(), self.prepare(port))).collect()
    }

    /// A port that is known has changed; `None` for one that is not.
    ///
    /// # Errors
    /// As [`prepare`](PortFirewall::prepare).
    pub fn update(&self, port: Port) -> Result<Option<Ticket>, PortError> {
        let mut state = lock(&self.state);
        if !state.has(&port.id) {
            return Ok(None);
        }
        let work = state.put(port)?;
        Ok(Some(self.submit(&state, work)))
    }

    /// The port is gone; `None` for one that is not known. Its connections are deleted after its rules.
    pub fn remove(&self, port: &PortId) -> Option<Ticket> {
        let mut state = lock(&self.state);
        let work = state.remove(port)?;
        Some(self.submit(&state, work))
    }

    /// The port belongs to the host's own services: all its packets pass. Twice is once.
    pub fn add_trusted(&self, port: PortId) -> Ticket {
        let mut state = lock(&self.state);
        let work = state.trust(port);
        self.submit(&state, work)
    }

    /// It does not any more; `None` when it did not.
    pub fn remove_trusted(&self, port: PortId) -> Option<Ticket> {
        let mut state = lock(&self.state);
        let work = state.distrust(port)?;
        Some(self.submit(&state, work))
    }

    /// The group has these rules. Connections that a rule which is gone had allowed are deleted. A port whose rules the
    /// kernel refuses keeps no other from the change.
    pub fn update_security_group_rules(&self, group: SecurityGroup) -> Tickets {
        let mut state = lock(&self.state);
        let works = state.put_group(group);
        self.each(&state, works)
    }

    /// Nobody needs the group's rules any more. Its members are known still, as other groups may name them.
    pub fn remove_security_group(&self, group: &GroupId) -> Tickets {
        let mut state = lock(&self.state);
        let works = state.remove_group(group);
        self.each(&state, works)
    }

    /// The group has these members, addresses or prefixes of both families. Connections with those that left are deleted.
    pub fn update_security_group_members(
        &self,
        group: &GroupId,
        members: impl IntoIterator<Item = IpNetwork>,
    ) -> Tickets {
        let mut state = lock(&self.state);
        let works = state.put_members(group, members);
        self.each(&state, works)
    }

    /// These come into the group and those leave it: the work follows their number. Connections with those that left are
    /// deleted.
    pub fn change_security_group_members(
        &self,
        group: &GroupId,
        add: impl IntoIterator<Item = IpNetwork>,
        remove: impl IntoIterator<Item = IpNetwork>,
    ) -> Tickets {
        let mut state = lock(&self.state);
        let works = state.change_members(group, add, remove);
        self.each(&state, works)
    }

    /// Commits nothing as long as the guard lives; then all changes in one transaction, also when the guard is dropped by
    /// an error or a panic. Guards nest. Who waits for a ticket within the own deferral waits for ever.
    pub fn defer(&self) -> Deferral<K> {
        Deferral(self.debtor.writer().hold())
    }

    /// Submits again all that was refused before: call it from your periodic task. Without it, what was refused goes with a
    /// later change, ever more rarely when it is refused again. The ticket is for the end of these attempts, whose outcome
    /// [`owed`](PortFirewall::owed) has.
    pub fn retry(&self) -> Ticket {
        let state = lock(&self.state);
        drop(self.debtor.retry(&mut &*state));
        self.submit(&state, Work::default())
    }

    /// What was refused, and why: the kernel has not, or still has, what these were to change.
    pub fn owed(&self) -> Vec<Owed> {
        self.debtor.owed()
    }

    /// The ports that are known, filtered or not.
    pub fn ports(&self) -> Vec<PortId> {
        lock(&self.state).ports()
    }

    /// The zone of a filtered port.
    pub fn zone(&self, port: &PortId) -> Option<u16> {
        lock(&self.state).zone(port)
    }

    /// Waits until the connections of all changes that are in effect are deleted.
    pub fn wait_for_connections(&self) {
        if let Some(cleaner) = &self.cleaner {
            cleaner.wait();
        }
    }

    /// What went wrong with connections since this was asked last.
    pub fn connection_errors(&self) -> Vec<conntrack::Error> {
        self.cleaner.as_ref().map(Cleaner::failures).unwrap_or_default()
    }

    /// Lets the manager be looked at between two transactions.
    ///
    /// # Errors
    /// [`WriteError::Stopped`].
    pub fn visit<R: Send + 'static>(
        &self,
        visit: impl FnOnce(&mut Manager<K>) -> R + Send + 'static,
    ) -> Result<R, WriteError> {
        self.debtor.writer().visit(visit)
    }

    /// Finishes what was submitted, and gives the manager back; `None` when the writer's thread had panicked. What stands
    /// in the kernel stays.
    pub fn stop(self) -> Option<Manager<K>> {
        let Self { debtor, cleaner, .. } = self;
        let manager = debtor.into_writer().stop();
        drop(cleaner);
        manager
    }

    /// In the order of operations, as the caller has the state.
    fn submit(&self, state: &State, work: Work) -> Ticket {
        self.debtor.submit(work.changes, work.filters, &mut &*state)
    }

    /// Submits what follows from a change of a group piece by piece, so that one port keeps no other from it. When all goes
    /// well, it is one transaction.
    fn each(&self, state: &State, works: Vec<Work>) -> Tickets {
        let _one = self.debtor.writer().hold();
        let mut wanted = state;
        let piece = |work: Work| {
            let what = work.to_string();
            (what, self.debtor.submit_piece(work.changes, work.filters, &mut wanted))
        };
        let tickets = works.into_iter().map(piece).collect();
        self.debtor.pay_due(&mut wanted);
        tickets
    }
}

fn families(model: &Model) -> Vec<Family> {
    Family::BOTH.into_iter().filter(|family| *family == Family::Ipv4 || model.has_ipv6()).collect()
}
