//! Which instance has which device.
//!
//! Owns: who prepared a device, and who guards it against spoofing.
//! Never: asks the kernel: what an earlier process guards has no owner until an instance claims it.
//!
//! Invariant: a device is of one instance. Who wants another's is refused, so that no guard is replaced or ended by an
//! instance that it is not for.
//! Invariant: a device is its instance's as long as its guard stands, also when the rules are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::error::DriverError;
use super::instance::{Instance, InstanceId};
use crate::name::InterfaceName;

#[derive(Debug)]
struct Owner {
    instance: InstanceId,
    is_prepared: bool,
    is_guarded: bool,
}

/// The devices of all instances.
#[derive(Debug, Default)]
pub(super) struct Devices {
    owners: BTreeMap<InterfaceName, Owner>,
    /// The guarded ones of each.
    guarded: BTreeMap<InstanceId, BTreeSet<InterfaceName>>,
}

/// The devices of an instance's interfaces.
pub(super) fn of(instance: &Instance) -> impl Iterator<Item = &InterfaceName> {
    instance.interfaces.iter().map(|interface| &interface.device)
}

impl Devices {
    /// Whether the instance can have all of its devices.
    pub(super) fn check(&self, instance: &Instance) -> Result<(), DriverError> {
        let others = |device| self.owners.get(device).filter(|owner| owner.instance != instance.id);
        let taken = of(instance).find_map(|device| Some((device, &others(device)?.instance)));
        taken.map_or(Ok(()), |(device, other)| {
            let (instance, device, other) = (instance.id.clone(), device.clone(), other.clone());
            Err(DriverError::DeviceTaken { instance, device, other })
        })
    }

    /// The instance is prepared with its devices, in place of those that it was prepared with.
    pub(super) fn prepare(&mut self, old: Option<&Instance>, instance: &Instance) {
        if let Some(old) = old {
            self.unprepare(old);
        }
        for device in of(instance) {
            self.owner(&instance.id, device).is_prepared = true;
        }
    }

    /// The instance is not prepared any more.
    pub(super) fn unprepare(&mut self, instance: &Instance) {
        for device in of(instance) {
            self.change(&instance.id, device, |owner| owner.is_prepared = false);
        }
    }

    /// The instance's devices are going to be guarded. Returns those that were not.
    pub(super) fn guard(&mut self, instance: &Instance) -> Result<BTreeSet<InterfaceName>, DriverError> {
        self.check(instance)?;
        let mut new = BTreeSet::new();
        for device in of(instance) {
            self.owner(&instance.id, device).is_guarded = true;
            if self.guarded.entry(instance.id.clone()).or_default().insert(device.clone()) {
                new.insert(device.clone());
            }
        }
        Ok(new)
    }

    /// They are not guarded any more.
    pub(super) fn unguard(&mut self, id: &InstanceId, devices: &BTreeSet<InterfaceName>) {
        for device in devices {
            self.change(id, device, |owner| owner.is_guarded = false);
        }
        if let Some(guarded) = self.guarded.get_mut(id) {
            guarded.retain(|device| !devices.contains(device));
            if guarded.is_empty() {
                self.guarded.remove(id);
            }
        }
    }

    /// The devices that are guarded for an instance.
    pub(super) fn guarded(&self, id: &InstanceId) -> impl Iterator<Item = &InterfaceName> {
        self.guarded.get(id).into_iter().flatten()
    }

    /// Whether the instance can do without the device's guard, and nobody else needs it.
    pub(super) fn may_release(&self, id: &InstanceId, device: &InterfaceName) -> bool {
        let owner = self.owners.get(device);
        if let Some(other) = owner.filter(|owner| owner.instance != *id) {
            log::info!("device {device} belongs to instance {}, not to {id}: its guard stays", other.instance);
        }
        owner.is_none_or(|owner| owner.instance == *id && !owner.is_prepared)
    }

    fn owner(&mut self, id: &InstanceId, device: &InterfaceName) -> &mut Owner {
        let none = || Owner { instance: id.clone(), is_prepared: false, is_guarded: false };
        self.owners.entry(device.clone()).or_insert_with(none)
    }

    fn change(&mut self, id: &InstanceId, device: &InterfaceName, change: impl FnOnce(&mut Owner)) {
        if let Some(owner) = self.owners.get_mut(device).filter(|owner| owner.instance == *id) {
            change(owner);
            if !owner.is_prepared && !owner.is_guarded {
                self.owners.remove(device);
            }
        }
    }
}
