//! The driver that has a writer.
//!
//! Owns: the writer with what is owed to the kernel, what is wanted, deferrals, the thread that deletes connections.
//! Never: waits for the kernel while it holds a lock of its own, but that of the bridge table, whose changes come one by
//! one and not through the writer; removes what an earlier run left before the first change of this one.
//! Never: forgets about spoofing while rules are deferred: the table of the bridge family is changed at once.
//!
//! An operation changes the state, computes the units that follow and submits them while it has the lock, so that the
//! writer gets them in the order of the states. It waits afterwards, with others, for a transaction that may be the same.
//!
//! A new process that prepares all its instances in one [`Deferral`](super::Deferral) finds those of its predecessor, and
//! replaces them in one transaction: no instance is open meanwhile.
//!
//! Invariant: what was refused is submitted again, ever more rarely, and by [`retry`](NftablesFirewallDriver::retry).

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use ipnetwork::IpNetwork;

use super::devices;
use super::driver::FirewallDriver;
use super::error::DriverError;
use super::instance::{Instance, InstanceId, chain_name};
use super::options::Options;
use super::provider::ProviderRule;
use super::rules::{self, FALLBACK};
use super::state::{Key, Outcome, State, of_group};
use crate::conntrack::{self, Filter};
use crate::kernel::{Kernel, Live};
use crate::manager::Manager;
use crate::name::InterfaceName;
use crate::netlink::namespace::Namespace;
use crate::rule::Family;
use crate::virt_firewall::bridging::BridgeFiltering;
use crate::virt_firewall::connections::{Cleaner, Connections};
use crate::virt_firewall::group::{Direction, GroupId, GroupRule, Remote, SecurityGroup};
use crate::virt_firewall::input::{Rejected, TenantRule, Why};
use crate::virt_firewall::spoofing::{Rights, Spoofing};
use crate::virt_firewall::tickets::{Refusal, Refused, Tickets};
use crate::wrap::ModelError;
use crate::writer::debtor::Debtor;
use crate::writer::{Change, Hold, Owed, Pace, Ticket, WriteError, Writer};

/// Firewalls instances by nftables. Each operation has a form that returns [`Tickets`], for callers who do not want to
/// wait; the trait's form waits.
pub struct NftablesFirewallDriver<K: Kernel + Send + 'static = Live> {
    debtor: Debtor<Key, Filter, K>,
    options: Options,
    /// The longest name of a wrapped chain.
    room: usize,
    state: Mutex<State>,
    /// After the writer, as it is dropped later: what that finishes is cleaned after.
    cleaner: Option<Cleaner>,
    deferred: Mutex<Deferred<K>>,
    /// `None` when it is off.
    spoofing: Option<Mutex<Spoofing<K>>>,
    /// Where its bridges are.
    namespace: Namespace,
    warned: Once,
}

struct Deferred<K> {
    holds: Vec<Hold<Key, K>>,
    tickets: Tickets,
}

/// What a driver has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// How often the rules of an instance were computed.
    pub computed: u64,
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, error)
}

/// Nothing panics while one of the locks is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Kernel + Send + 'static> NftablesFirewallDriver<K> {
    /// Starts a driver. Nothing is sent before the first operation. The manager's model has a component and both families;
    /// `bridge` is another way to the same kernel, for the rules against spoofing. Its bridges are those of the calling thread's
    /// namespace, unless [`in_namespace`](Self::in_namespace) says otherwise.
    ///
    /// # Errors
    /// Those of starting a thread; a model that does not fit is one of invalid input.
    pub fn start(mut manager: Manager<K>, bridge: K, options: Options, pace: Pace) -> std::io::Result<Self> {
        let model = manager.model_mut();
        let mut declare = || -> Result<(), ModelError> {
            for family in Family::BOTH {
                let table = model.table_mut(family, rules::filter(family).kind)?;
                table.add_chain(FALLBACK)?;
                table.replace_chain(FALLBACK, [crate::rule::Rule::new().discard()])?;
            }
            Ok(())
        };
        declare().map_err(invalid)?;
        let component = manager.model().component().ok_or_else(|| invalid("a model without a component"))?;
        let spoofing = Spoofing::new(bridge, component).map_err(invalid)?;
        let room = manager.model().wrapped_name_max();
        Ok(Self {
            debtor: Debtor::new(Writer::start(manager, pace)?, |_| ()),
            state: Mutex::new(State::new(options.clone())),
            spoofing: options.anti_spoofing.then(|| Mutex::new(spoofing)),
            options,
            room,
            cleaner: None,
            deferred: Mutex::new(Deferred { holds: Vec::new(), tickets: Tickets::default() }),
            // Without /proc it is that of whoever asks.
            namespace: Namespace::pinned().unwrap_or_default(),
            warned: Once::new(),
        })
    }

    /// The same with bridges in that namespace, where the kernel that it was given is.
    #[must_use]
    pub fn in_namespace(self, namespace: Namespace) -> Self {
        Self { namespace, ..self }
    }

    /// The same with an end for connections that nothing allows any more, unless the options leave them: `connections` is usually a
    /// [`Conntrack`](crate::conntrack::Conntrack) of the same namespace. Without it they end by themselves.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn ending_connections(mut self, connections: Box<dyn Connections>) -> std::io::Result<Self> {
        if self.options.end_connections {
            let cleaner = Cleaner::start(connections)?;
            let connections = cleaner.handle();
            self.debtor = self.debtor.handing_over(move |filters| connections.delete(filters));
            self.cleaner = Some(cleaner);
            lock(&self.state).ends_connections = true;
        }
        Ok(self)
    }

    /// Waits until the connections of all changes that are in effect are deleted, as the operations of the trait do that can
    /// close something.
    pub fn wait_for_connections(&self) {
        if let Some(cleaner) = &self.cleaner {
            cleaner.wait();
        }
    }

    /// What went wrong with connections since this was asked last.
    pub fn connection_errors(&self) -> Vec<conntrack::Error> {
        self.cleaner.as_ref().map(Cleaner::failures).unwrap_or_default()
    }

    /// Whether packets between ports of one bridge meet the rules of instances. Where they do not, the first instance that is
    /// set up or prepared is told by a warning in the log.
    ///
    /// # Errors
    /// [`Error`](crate::linux_net::Error) when settings or devices cannot be read.
    pub fn bridge_filtering(&self) -> Result<BridgeFiltering, crate::linux_net::Error> {
        BridgeFiltering::read(&self.namespace)
    }

    fn warn_of_bridges(&self) {
        // A bridge may come with the first instance that is on it.
        if self.warned.is_completed() {
            return;
        }
        match self.bridge_filtering() {
            Ok(filtering) if filtering.bridges.is_empty() => {}
            Ok(filtering) if filtering.is_complete() => self.warned.call_once(|| {}),
            Ok(filtering) => self.warned.call_once(|| log::warn!("{filtering}")),
            Err(error) => {
                let known = "whether packets of bridges meet the rules of instances is not known";
                self.warned.call_once(|| log::warn!("{known}: {error}"));
            }
        }
    }

    /// How it filters.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        Stats { computed: lock(&self.state).computed }
    }

    /// Lets the manager be looked at, or its model be changed beside the instances, between two transactions.
    ///
    /// # Errors
    /// [`WriteError::Stopped`].
    pub fn visit<R: Send + 'static>(
        &self,
        visit: impl FnOnce(&mut Manager<K>) -> R + Send + 'static,
    ) -> Result<R, WriteError> {
        self.debtor.writer().visit(visit)
    }

    /// Finishes what was submitted and gives the manager back, with what it applied; `None` after a panic.
    pub fn stop(self) -> Option<Manager<K>> {
        let Self { debtor, cleaner, .. } = self;
        let manager = debtor.into_writer().stop();
        drop(cleaner);
        manager
    }

    /// [`FirewallDriver::prepare_instance_filter`].
    ///
    /// # Errors
    /// [`DriverError`] for an instance that cannot be firewalled as it is described, or has another's device; what is
    /// known of it stays.
    pub fn prepare(&self, instance: &Instance) -> Result<Tickets, DriverError> {
        instance.check()?;
        instance.chain()?;
        let length = chain_name(&instance.id).len() - 1;
        if length > self.room {
            return Err(DriverError::ChainName { instance: instance.id.clone(), length, max: self.room });
        }
        let mut state = lock(&self.state);
        state.devices.check(instance)?;
        let outcome = state.put(instance.clone());
        self.together(&mut state, outcome)
    }

    /// [`FirewallDriver::unfilter_instance`] for the rules alone: what is guarded stays so, and the instance's.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare), of instances that use the same groups.
    pub fn unfilter(&self, instance: &InstanceId) -> Result<Tickets, DriverError> {
        let mut state = lock(&self.state);
        let Some(outcome) = state.remove(instance) else {
            log::info!("instance {instance} is not filtered");
            return Ok(Tickets::default());
        };
        self.together(&mut state, outcome)
    }

    /// [`FirewallDriver::refresh_instance_security_rules`].
    ///
    /// # Errors
    /// [`DriverError::UnknownInstance`].
    pub fn change_groups(&self, id: &InstanceId, groups: &[GroupId]) -> Result<Tickets, DriverError> {
        let mut state = lock(&self.state);
        let known = state.instance(id).ok_or_else(|| DriverError::UnknownInstance(id.clone()))?;
        let instance = Instance { groups: groups.to_vec(), ..(**known).clone() };
        let outcome = state.put(instance);
        self.together(&mut state, outcome)
    }

    /// The group has these rules from now on; a rule for [`Remote::Any`] is for everybody.
    ///
    /// # Errors
    /// [`DriverError::Rule`] names a rule that cannot have an effect; nothing has changed then. Else as
    /// [`prepare`](Self::prepare), of instances that use the group.
    pub fn put_group(&self, group: SecurityGroup) -> Result<Tickets, DriverError> {
        for rule in &group.rules {
            has_effect(rule).map_err(|why| Rejected { group: group.id.clone(), rule: rule.id.clone(), why })?;
        }
        let mut state = lock(&self.state);
        let outcome = state.put_group(&group.id.clone(), Some(group));
        self.each(&mut state, outcome)
    }

    /// Nothing is known of the group's rules any more, so it allows nothing. Its members stay, for rules that name it.
    ///
    /// # Errors
    /// As [`put_group`](Self::put_group).
    pub fn remove_group(&self, group: &GroupId) -> Result<Tickets, DriverError> {
        let mut state = lock(&self.state);
        let outcome = state.put_group(group, None);
        self.each(&mut state, outcome)
    }

    /// These come into the group and those leave it; the work follows their number.
    ///
    /// # Errors
    /// [`DriverError::Member`].
    pub fn change_members(&self, group: &GroupId, add: &[IpAddr], remove: &[IpAddr]) -> Result<Tickets, DriverError> {
        let add = hosts(add)?;
        let mut state = lock(&self.state);
        let outcome = state.change_members(group, add, remove.iter().map(|address| IpNetwork::from(*address)));
        self.each(&mut state, outcome)
    }

    /// [`FirewallDriver::refresh_security_group_members`].
    ///
    /// # Errors
    /// [`DriverError::Member`].
    pub fn put_members(&self, group: &GroupId, members: &[IpAddr]) -> Result<Tickets, DriverError> {
        let members = hosts(members)?;
        let mut state = lock(&self.state);
        let wanted: BTreeSet<_> = members.iter().collect();
        let gone: Vec<_> = state.groups.members(group).filter(|member| !wanted.contains(member)).collect();
        let outcome = state.change_members(group, members, gone);
        self.each(&mut state, outcome)
    }

    /// [`FirewallDriver::refresh_provider_fw_rules`].
    ///
    /// # Errors
    /// [`DriverError::Provider`].
    pub fn put_provider_rules(&self, rules: &[ProviderRule]) -> Result<Tickets, DriverError> {
        for (rule, number) in rules.iter().zip(1..) {
            rule.check().map_err(|why| DriverError::Provider { number, why })?;
        }
        let mut state = lock(&self.state);
        state.set_provider(rules);
        let change = state.provider_change();
        Ok(self.submit(&mut state, vec![change], Vec::new()))
    }

    /// [`FirewallDriver::retry`].
    pub fn retry(&self) -> Tickets {
        let tickets = self.debtor.retry(&mut *lock(&self.state));
        tickets.into_iter().map(|(key, ticket)| (key.to_string(), ticket)).collect()
    }

    /// Submits all that follows from a change of one instance in one piece.
    fn together(&self, state: &mut State, outcome: Outcome) -> Result<Tickets, DriverError> {
        let Outcome { effect, ends } = outcome;
        let mut changes: Vec<_> = effect.before.into_iter().map(of_group).collect();
        for owner in &effect.owners {
            changes.push(state.instance_change(owner)?);
        }
        changes.extend(effect.after.into_iter().map(of_group));
        let ends = ends.into_values().flatten().collect();
        Ok(self.submit(state, changes, ends))
    }

    /// Submits what follows from a change of a group piece by piece, so that one instance keeps no other from it; unless
    /// somebody is at the kernel just now, it is one transaction.
    fn each(&self, state: &mut State, outcome: Outcome) -> Result<Tickets, DriverError> {
        let Outcome { effect, mut ends } = outcome;
        let _one = self.debtor.writer().hold();
        // The connections of an instance whose own chain stays are closed by a set or a list.
        let own: Vec<_> =
            effect.owners.into_iter().map(|owner| (ends.remove(&owner).unwrap_or_default(), owner)).collect();
        let shared = ends.into_values().flatten().collect();
        let before = effect.before.into_iter().map(of_group).collect();
        let mut tickets: Tickets = self.submit_piece(state, before, shared).into_iter().collect();
        for (ends, owner) in own {
            let change = state.instance_change(&owner)?;
            tickets.extend(self.submit_piece(state, vec![change], ends));
        }
        tickets.extend(self.submit_piece(state, effect.after.into_iter().map(of_group).collect(), Vec::new()));
        self.debtor.pay_due(state);
        Ok(tickets)
    }

    /// Submits changes, and what is due, and ends connections when the changes are in effect.
    fn submit(&self, state: &mut State, changes: Vec<Change<Key>>, ends: Vec<Filter>) -> Tickets {
        let tickets = self.submit_piece(state, changes, ends).into_iter().collect();
        self.debtor.pay_due(state);
        tickets
    }

    /// Submits changes with a name for them all: of several keys, the instance says most.
    fn submit_piece(
        &self,
        state: &mut State,
        changes: Vec<Change<Key>>,
        ends: Vec<Filter>,
    ) -> Option<(String, Ticket)> {
        let what = match changes.iter().map(Change::key).max() {
            Some(key) => key.to_string(),
            None if ends.is_empty() => return None,
            None => "connections".to_owned(),
        };
        if let Some(first) = state.first_change() {
            drop(self.debtor.submit_piece(vec![first], Vec::new(), state));
        }
        Some((what, self.debtor.submit_piece(changes, ends, state)))
    }

    fn rights(&self, instance: &Instance) -> Rights {
        Rights { is_vpn: instance.is_vpn, ipv6: self.options.ipv6 }
    }

    /// Forgets devices of an instance in the rules against spoofing, but those that are another's or were prepared again.
    fn release(&self, id: &InstanceId, mut devices: BTreeSet<InterfaceName>) -> Result<(), DriverError> {
        let Some(spoofing) = &self.spoofing else { return Ok(()) };
        // Nobody guards one meanwhile, as that takes this lock.
        let mut spoofing = lock(spoofing);
        let state = lock(&self.state);
        devices.retain(|device| state.devices.may_release(id, device));
        drop(state);
        if !devices.is_empty() {
            spoofing.release(devices.iter())?;
            lock(&self.state).devices.unguard(id, &devices);
        }
        Ok(())
    }

    /// The devices that an instance was prepared with.
    fn prepared(&self, id: &InstanceId) -> BTreeSet<InterfaceName> {
        lock(&self.state).instance(id).map(|instance| devices::of(instance).cloned().collect()).unwrap_or_default()
    }

    /// Waits, unless applying is deferred.
    fn settle(&self, tickets: Tickets) -> Result<(), DriverError> {
        let mut deferred = lock(&self.deferred);
        if deferred.holds.is_empty() {
            drop(deferred);
            return Ok(tickets.wait().map(drop)?);
        }
        deferred.tickets.extend(tickets);
        Ok(())
    }

    /// The same, and for the connections that end with it.
    fn settle_closing(&self, tickets: Tickets) -> Result<(), DriverError> {
        self.settle(tickets)?;
        self.wait_for_connections();
        Ok(())
    }
}

/// Whether the rule does something here: nova filters what is sent to instances, and nothing that they send.
fn has_effect(rule: &GroupRule) -> Result<(), Why> {
    match rule.direction {
        Direction::Ingress => rule.check(),
        Direction::Egress => Err(Why::Egress),
    }
}

fn hosts(members: &[IpAddr]) -> Result<Vec<IpNetwork>, DriverError> {
    let host = |member: &IpAddr| {
        let broadcast = matches!(member, IpAddr::V4(member) if member.is_broadcast());
        if member.is_unspecified() || member.is_multicast() || broadcast {
            return Err(DriverError::Member(*member));
        }
        Ok(IpNetwork::from(*member))
    };
    members.iter().map(host).collect()
}

impl<K: Kernel + Send + 'static> FirewallDriver for NftablesFirewallDriver<K> {
    fn setup_basic_filtering(&self, instance: &Instance) -> Result<(), DriverError> {
        instance.check()?;
        self.warn_of_bridges();
        let Some(spoofing) = &self.spoofing else {
            return lock(&self.state).devices.check(instance);
        };
        let mut spoofing = lock(spoofing);
        let new = lock(&self.state).devices.guard(instance)?;
        if let Err(error) = spoofing.guard(&instance.interfaces, self.rights(instance)) {
            lock(&self.state).devices.unguard(&instance.id, &new);
            return Err(error.into());
        }
        Ok(())
    }

    fn prepare_instance_filter(&self, instance: &Instance) -> Result<(), DriverError> {
        self.warn_of_bridges();
        let mut old = self.prepared(&instance.id);
        self.settle_closing(self.prepare(instance)?)?;
        old.retain(|device| devices::of(instance).all(|new| new != device));
        self.release(&instance.id, old)
    }

    fn apply_instance_filter(&self, id: &InstanceId) -> Result<(), DriverError> {
        let mut state = lock(&self.state);
        if state.instance(id).is_none() {
            return Err(DriverError::UnknownInstance(id.clone()));
        }
        let change = state.instance_change(id)?;
        let tickets = self.submit(&mut state, vec![change], Vec::new());
        drop(state);
        self.settle(tickets)
    }

    fn unfilter_instance(&self, instance: &Instance) -> Result<(), DriverError> {
        let mut devices = self.prepared(&instance.id);
        devices.extend(devices::of(instance).cloned());
        devices.extend(lock(&self.state).devices.guarded(&instance.id).cloned());
        let outcome = self.settle_closing(self.unfilter(&instance.id)?);
        // Teardown goes on, and tells the first of its errors.
        outcome.and(self.release(&instance.id, devices))
    }

    fn instance_filter_exists(&self, instance: &Instance) -> Result<bool, DriverError> {
        let name = chain_name(&instance.id);
        let look = move |manager: &mut Manager<K>| {
            let tables = Family::BOTH.map(|family| manager.model().table(family, rules::filter(family).kind));
            tables.into_iter().all(|table| table.is_some_and(|table| table.has_chain(name.as_str())))
        };
        let refused = |why| Refused(vec![Refusal { what: format!("instance {}", instance.id), why }]);
        let stands = self.visit(look).map_err(refused)?;
        let Some(spoofing) = self.spoofing.as_ref().filter(|_| stands) else { return Ok(stands) };
        Ok(lock(spoofing).is_guarded(&instance.interfaces, self.rights(instance))?)
    }

    fn refresh_instance_security_rules(&self, id: &InstanceId, groups: &[GroupId]) -> Result<(), DriverError> {
        self.settle_closing(self.change_groups(id, groups)?)
    }

    fn refresh_security_group_rules(
        &self,
        group: &GroupId,
        rules: &[TenantRule<'_>],
    ) -> Result<Vec<Rejected>, DriverError> {
        let (mut typed, mut rejected) = (Vec::new(), Vec::new());
        for TenantRule { id, input } in rules {
            // nova has no rule for everybody without a prefix that says so.
            let checked = input.check(group, id).and_then(|rule| {
                let remote = if rule.remote == Remote::Any { Err(Why::NoRemote) } else { Ok(()) };
                let sound = has_effect(&rule).and(remote);
                sound.map(|()| rule).map_err(|why| Rejected { group: group.clone(), rule: id.clone(), why })
            });
            match checked {
                Ok(rule) => typed.push(rule),
                Err(rule) => rejected.push(rule),
            }
        }
        self.settle_closing(self.put_group(SecurityGroup::new(group.clone(), typed))?)?;
        Ok(rejected)
    }

    fn refresh_security_group_members(&self, group: &GroupId, members: &[IpAddr]) -> Result<(), DriverError> {
        self.settle_closing(self.put_members(group, members)?)
    }

    fn refresh_provider_fw_rules(&self, rules: &[ProviderRule]) -> Result<(), DriverError> {
        self.settle(self.put_provider_rules(rules)?)
    }

    fn retry(&self) -> Result<(), DriverError> {
        self.settle_closing(self.retry())
    }

    fn owed(&self) -> Vec<Owed> {
        self.debtor.owed()
    }

    fn filter_defer_apply_on(&self) {
        lock(&self.deferred).holds.push(self.debtor.writer().hold());
    }

    fn filter_defer_apply_off(&self) -> Result<(), DriverError> {
        let mut deferred = lock(&self.deferred);
        let last = deferred.holds.pop();
        if !deferred.holds.is_empty() {
            return Ok(());
        }
        let tickets = std::mem::take(&mut deferred.tickets);
        drop(deferred);
        drop(last);
        let outcome = tickets.wait().map(drop);
        self.wait_for_connections();
        Ok(outcome?)
    }
}

impl<K: Kernel + Send + 'static> fmt::Debug for NftablesFirewallDriver<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NftablesFirewallDriver").field("options", &self.options).finish_non_exhaustive()
    }
}
