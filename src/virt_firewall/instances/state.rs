//! What is wanted of the instances of a host.
//!
//! Owns: instances and their devices, groups and provider rules as they were said last, and the units that follow.
//! Never: submits anything.
//!
//! Invariant: an instance's unit is computed when it, or a group that it uses, changes, and never for anything else.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnetwork::IpNetwork;
use sha2::{Digest, Sha256};

use super::connections;
use super::devices::Devices;
use super::instance::{Instance, InstanceId};
use super::options::Options;
use super::provider::ProviderRule;
use super::rules;
use crate::conntrack::Filter;
use crate::name::{IpsetName, NameError};
use crate::rule::{Family, Target};
use crate::virt_firewall::group::{Direction, GroupId, GroupRule, Remote, SecurityGroup};
use crate::virt_firewall::groups::{self, Effect, GroupKey, Groups};
use crate::virt_firewall::service::{Dialect, Service};
use crate::wrap::SetKind;
use crate::writer::debtor::Wanted;
use crate::writer::{Change, Unit};

/// A unit of the driver, in the order in which units have to come.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Provider,
    Group(GroupKey),
    Instance(InstanceId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider => f.write_str("the rules of the provider"),
            Self::Group(key) => write!(f, "{key}"),
            Self::Instance(id) => write!(f, "instance {id}"),
        }
    }
}

#[derive(Debug)]
pub(super) struct State {
    options: Options,
    pub(super) groups: Groups<InstanceId>,
    instances: BTreeMap<InstanceId, Arc<Instance>>,
    pub(super) devices: Devices,
    provider: Vec<ProviderRule>,
    /// Whether anything was submitted.
    begun: bool,
    /// How many units of instances were computed so far.
    pub(super) computed: u64,
    /// Whether somebody ends connections.
    pub(super) ends_connections: bool,
}

/// What follows from a change, and the connections that end with it, by instance.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) effect: Effect<InstanceId>,
    pub(super) ends: BTreeMap<InstanceId, Vec<Filter>>,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        let families = Family::BOTH.into_iter().filter(|family| options.filters(*family)).collect();
        let groups = Groups::new(groups::Settings {
            form: options.form,
            dialect: Dialect::Nova,
            target: Target::Accept,
            families,
            kind: SetKind::Addresses,
            directions: vec![Direction::Ingress],
            closing: rules::fallback,
            // Members are hosts.
            set_name: |family, _, group| set_name(family, group),
            cut_name: |_, _| None,
        });
        let (instances, devices) = (BTreeMap::new(), Devices::default());
        Self {
            options,
            groups,
            instances,
            devices,
            provider: Vec::new(),
            begun: false,
            computed: 0,
            ends_connections: false,
        }
    }

    pub(super) fn instance(&self, id: &InstanceId) -> Option<&Arc<Instance>> {
        self.instances.get(id)
    }

    /// The instance is as it is described here, with devices that are no other's.
    pub(super) fn put(&mut self, instance: Instance) -> Outcome {
        let id = instance.id.clone();
        let effect = self.groups.enter(&id, &instance.groups);
        self.devices.prepare(self.instances.get(&id).map(|old| &**old), &instance);
        let old = self.instances.insert(id.clone(), Arc::new(instance));
        let ends = old.map(|old| self.lost_by(&old)).unwrap_or_default();
        Outcome { effect, ends: BTreeMap::from([(id, ends)]) }
    }

    /// What an instance that was so had, and has not any more.
    fn lost_by(&self, old: &Instance) -> Vec<Filter> {
        let Some(new) = self.instances.get(&old.id).filter(|_| self.ends_connections) else { return Vec::new() };
        let stay: HashSet<_> = self.addresses(new).into_iter().collect();
        let gone: Vec<_> = self.addresses(old).into_iter().filter(|address| !stay.contains(address)).collect();
        let mut filters = connections::of_addresses(&gone);
        if old.groups != new.groups {
            let rules: Vec<_> = self.rules_of(&old.groups).cloned().collect();
            filters.extend(self.lost_rules(new, &rules));
        }
        filters
    }

    fn addresses(&self, instance: &Instance) -> Vec<IpAddr> {
        let families = Family::BOTH.into_iter().filter(|family| self.options.filters(*family));
        families.flat_map(|family| rules::addresses(&self.options, instance, family)).collect()
    }

    fn rules_of(&self, groups: &[GroupId]) -> impl Iterator<Item = &GroupRule> {
        groups.iter().filter_map(|id| self.groups.group(id)).flat_map(|group| &group.rules)
    }

    /// The connections that these rules had let in to the instance, but those of a rule that it still has.
    fn lost_rules(&self, instance: &Instance, old: &[GroupRule]) -> Vec<Filter> {
        let stay: HashSet<_> = self.rules_of(&instance.groups).map(said).collect();
        let addresses = self.addresses(instance);
        let gone = old.iter().filter(|rule| !stay.contains(&said(rule)));
        gone.flat_map(|rule| connections::of_rule(&addresses, rule)).collect()
    }

    /// The group has these rules, or none any more.
    pub(super) fn put_group(&mut self, id: &GroupId, group: Option<SecurityGroup>) -> Outcome {
        let old = self.groups.group(id).cloned();
        let effect = match group {
            Some(group) => self.groups.put(group),
            None => self.groups.remove(id),
        };
        let mut gone = old.filter(|_| self.ends_connections).map(|old| old.rules).unwrap_or_default();
        let stay: HashSet<_> = self.rules_of(std::slice::from_ref(id)).map(said).collect();
        gone.retain(|rule| !stay.contains(&said(rule)));
        // Most often a rule comes, and nobody has to be looked at.
        let users = self.groups.users(id).filter_map(|user| self.instances.get(user)).filter(|_| !gone.is_empty());
        let ends = users.map(|instance| (instance.id.clone(), self.lost_rules(instance, &gone))).collect();
        Outcome { effect, ends }
    }

    /// These come into the group and those leave it.
    pub(super) fn change_members(
        &mut self,
        id: &GroupId,
        add: impl IntoIterator<Item = IpNetwork>,
        remove: impl IntoIterator<Item = IpNetwork>,
    ) -> Outcome {
        let gone: Vec<_> = remove.into_iter().filter(|member| self.groups.is_member(id, *member)).collect();
        let effect = self.groups.change_members(id, add, gone.iter().copied());
        let naming = self.groups.naming(id).filter(|_| self.ends_connections && !gone.is_empty());
        let users: BTreeSet<_> = naming.flat_map(|group| self.groups.users(group)).collect();
        let users = users.into_iter().filter_map(|user| self.instances.get(user));
        let of = |instance: &Instance| connections::of_members(&self.addresses(instance), &gone);
        let ends = users.map(|instance| (instance.id.clone(), of(instance))).collect();
        Outcome { effect, ends }
    }

    /// There is no such instance any more; `None` when there was none.
    pub(super) fn remove(&mut self, id: &InstanceId) -> Option<Outcome> {
        let instance = self.instances.remove(id)?;
        self.devices.unprepare(&instance);
        let addresses = if self.ends_connections { self.addresses(&instance) } else { Vec::new() };
        let mut effect = self.groups.leave(id);
        // It goes between its groups' changes like one that is made anew.
        effect.owners.insert(id.clone());
        Some(Outcome { effect, ends: BTreeMap::from([(id.clone(), connections::of_addresses(&addresses))]) })
    }

    pub(super) fn set_provider(&mut self, rules: &[ProviderRule]) {
        self.provider = rules.to_vec();
    }

    /// An instance's unit, if it is known.
    pub(super) fn instance_change(&mut self, id: &InstanceId) -> Result<Change<Key>, NameError> {
        let key = Key::Instance(id.clone());
        let Some(instance) = self.instances.get(id) else { return Ok(Change::Remove(key)) };
        self.computed += 1;
        Ok(Change::Put(key, Arc::new(rules::instance_unit(&self.options, instance, &self.groups)?)))
    }

    pub(super) fn provider_change(&self) -> Change<Key> {
        let unit =
            if self.options.provider { rules::provider_unit(&self.options, &self.provider) } else { Unit::new() };
        Change::Put(Key::Provider, Arc::new(unit))
    }

    /// The rules of the provider, once: instances lead to their chain, whether or not the provider says anything.
    pub(super) fn first_change(&mut self) -> Option<Change<Key>> {
        let first = !std::mem::replace(&mut self.begun, true);
        (first && self.options.provider).then(|| self.provider_change())
    }
}

/// What a rule allows, whatever it is called.
fn said(rule: &GroupRule) -> (Option<Family>, Service, Remote) {
    (rule.family, rule.service, rule.remote.clone())
}

impl Wanted<Key> for State {
    fn whole(&mut self, key: &Key) -> Vec<Change<Key>> {
        match key {
            Key::Provider => vec![self.provider_change()],
            Key::Group(key) => self.groups.whole(key).into_iter().map(of_group).collect(),
            Key::Instance(id) => match self.instance_change(id) {
                Ok(change) => {
                    let groups = self.instances.get(id).map(|instance| self.groups.sets_of(&instance.groups));
                    groups.into_iter().flatten().map(of_group).chain([change]).collect()
                }
                Err(error) => {
                    log::warn!("{key}: {error}");
                    Vec::new()
                }
            },
        }
    }

    fn needs(&self, key: &Key) -> Vec<Key> {
        let needed = match key {
            Key::Provider => Vec::new(),
            Key::Group(key) => self.groups.needed_by(key),
            Key::Instance(id) => {
                self.instances.get(id).map(|instance| self.groups.needed(&instance.groups)).unwrap_or_default()
            }
        };
        let provider = matches!(key, Key::Instance(_)).then_some(Key::Provider);
        provider.into_iter().chain(needed.into_iter().map(Key::Group)).collect()
    }
}

pub(super) fn of_group(change: Change<GroupKey>) -> Change<Key> {
    change.map_key(Key::Group)
}

/// The set of a group's members: `sg4-<id>`, or a hash of an identifier that does not fit.
fn set_name(family: Family, group: &GroupId) -> IpsetName {
    let start = match family {
        Family::Ipv4 => "sg4",
        Family::Ipv6 => "sg6",
    };
    let readable = IpsetName::new(&format!("{start}-{group}"));
    readable.unwrap_or_else(|_| hashed(start, group))
}

fn hashed(start: &str, group: &GroupId) -> IpsetName {
    let digest = Sha256::digest(group.as_str());
    // Another character after the start, so that no readable name is one of these.
    let name = digest.iter().take(13).fold(format!("{start}h"), |name, byte| format!("{name}{byte:02x}"));
    #[allow(clippy::expect_used, reason = "thirty letters and digits are a set's name")]
    IpsetName::new(&name).expect("letters and digits")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sets_of_two_groups_never_have_one_name() {
        let long = "0fb31a14-1d2d-4d7e-8f9a-2f2f4c8d0a01";
        let ids = ["default", "7", long, &long.replace("a01", "a02"), "h0fb31a141d2d4d7e8f9a2f2f4c", &"x".repeat(64)];
        let ids = ids.map(|id| GroupId::new(id).unwrap());
        let names = ids.iter().flat_map(|id| Family::BOTH.map(|family| set_name(family, id)));
        assert_eq!(names.collect::<HashSet<_>>().len(), 2 * ids.len());
        assert_eq!(set_name(Family::Ipv4, &ids[0]).as_str(), "sg4-default");
    }
}
