//! What is wanted of the instances of a host.
//!
//! Owns: instances and their devices, groups and provider rules as they were said last, and the units that follow.
//! Never: submits anything.
//!
//! Invariant: an instance's unit is computed when it, or a group that it uses, changes, and never for anything else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::devices::Devices;
use super::instance::{Instance, InstanceId};
use super::options::Options;
use super::provider::ProviderRule;
use super::rules;
use crate::name::{IpsetName, NameError};
use crate::rule::{Family, Target};
use crate::virt_firewall::group::{Direction, GroupId};
use crate::virt_firewall::groups::{self, Effect, GroupKey, Groups};
use crate::virt_firewall::service::Dialect;
use crate::wrap::SetKind;
use crate::writer::{Change, Unit};

/// A unit of the driver.
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
    /// How many units of instances were computed so far.
    pub(super) computed: u64,
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
        Self { options, groups, instances, devices, provider: Vec::new(), computed: 0 }
    }

    pub(super) fn instance(&self, id: &InstanceId) -> Option<&Arc<Instance>> {
        self.instances.get(id)
    }

    /// The instance is as it is described here, with devices that are no other's.
    pub(super) fn put(&mut self, instance: Instance) -> Effect<InstanceId> {
        let effect = self.groups.enter(&instance.id, &instance.groups);
        self.devices.prepare(self.instances.get(&instance.id).map(|old| &**old), &instance);
        self.instances.insert(instance.id.clone(), Arc::new(instance));
        effect
    }

    /// There is no such instance any more; `None` when there was none.
    pub(super) fn remove(&mut self, id: &InstanceId) -> Option<(Arc<Instance>, Effect<InstanceId>)> {
        let instance = self.instances.remove(id)?;
        self.devices.unprepare(&instance);
        Some((instance, self.groups.leave(id)))
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

    /// All that a key is to have, whatever was submitted before.
    pub(super) fn whole(&mut self, key: &Key) -> Result<Vec<Change<Key>>, NameError> {
        Ok(match key {
            Key::Provider => vec![self.provider_change()],
            Key::Group(key) => self.groups.whole(key).into_iter().map(of_group).collect(),
            Key::Instance(id) => vec![self.instance_change(id)?],
        })
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
