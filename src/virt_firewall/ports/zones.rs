//! Zones of connection tracking: which port, or network, has which.
//!
//! Owns: the table from keys to zones, and the rule by which a zone is chosen.
//! Never: gives two keys one zone; takes a number below [`FIRST`], which others use; forgets a zone of a port that is gone
//! before there is no other, as its connections may still be there.
//!
//! Invariant: what was read from the kernel at start stays, so that a restart of an agent moves no port to another zone.
//!
//! Several firewalls of a process share one table ([`Zones`] is a handle).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::names::ZoneKey;

/// The first zone that is given. Those below are for other programs, which use numbers of local VLANs.
pub const FIRST: u16 = 4097;
/// The last one.
pub const LAST: u16 = u16::MAX;

/// A zone, and how many ports have it.
#[derive(Debug, Clone, Copy)]
struct Given {
    zone: u16,
    users: usize,
}

#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<ZoneKey, Given>,
    used: BTreeSet<u16>,
}

/// The zones of a namespace. Copies are the same table.
#[derive(Debug, Clone, Default)]
pub struct Zones(Arc<Mutex<Table>>);

impl Zones {
    /// No zone is given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The zone of a key.
    #[must_use]
    pub fn zone(&self, key: &ZoneKey) -> Option<u16> {
        self.lock().by_key.get(key).map(|given| given.zone)
    }

    /// Keeps what stands in the kernel, as of a port that has not come yet. What is known already stays.
    pub fn restore(&self, key: ZoneKey, zone: u16) {
        let mut table = self.lock();
        if (FIRST..=LAST).contains(&zone) && !table.by_key.contains_key(&key) && table.used.insert(zone) {
            table.by_key.insert(key, Given { zone, users: 0 });
        }
    }

    /// The zone for one more port of this key; `None` when all are given.
    #[must_use]
    pub fn claim(&self, key: &ZoneKey) -> Option<u16> {
        let mut table = self.lock();
        if let Some(given) = table.by_key.get_mut(key) {
            given.users += 1;
            return Some(given.zone);
        }
        let zone = table.free().or_else(|| {
            table.forget_unused();
            table.free()
        })?;
        table.used.insert(zone);
        table.by_key.insert(key.clone(), Given { zone, users: 1 });
        Some(zone)
    }

    /// One port less. The zone stays the key's until all others are given.
    pub fn release(&self, key: &ZoneKey) {
        if let Some(given) = self.lock().by_key.get_mut(key) {
            given.users = given.users.saturating_sub(1);
        }
    }

    /// Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The one after the highest; when that was the last, the first gap.
    fn free(&self) -> Option<u16> {
        match self.used.last() {
            None => Some(FIRST),
            Some(&highest) if highest < LAST => Some(highest + 1),
            Some(_) => (FIRST..=LAST).zip(&self.used).find(|(number, used)| number != *used).map(|(number, _)| number),
        }
    }

    fn forget_unused(&mut self) {
        let used = &mut self.used;
        self.by_key.retain(|_, given| {
            let stays = given.users > 0;
            if !stays {
                used.remove(&given.zone);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> ZoneKey {
        ZoneKey::new(format!("port-{number}").parse().unwrap())
    }

    /// neutron 79.
    #[test]
    fn the_next_zone_is_after_the_highest_then_in_the_first_gap() {
        let zones = Zones::new();
        assert_eq!(zones.claim(&key(0)), Some(4097));
        let zones = Zones::new();
        for zone in [4097, 4098, 4105] {
            zones.restore(key(zone.into()), zone);
        }
        assert_eq!(zones.claim(&key(1)), Some(4106));
        assert_eq!(zones.claim(&key(4098)), Some(4098), "it has one");
        zones.restore(key(2), 65535);
        for gap in 4099..=4104 {
            assert_eq!(zones.claim(&key(gap)), Some(u16::try_from(gap).unwrap()));
        }
        assert_eq!(zones.claim(&key(3)), Some(4107));
    }

    #[test]
    fn zones_of_ports_that_are_gone_come_last() {
        let zones = Zones::new();
        for zone in FIRST..=LAST {
            zones.restore(key(zone.into()), zone);
        }
        assert_eq!(zones.claim(&key(4098)), Some(4098));
        assert_eq!(zones.claim(&key(1)), Some(4099), "but for the one in use all were of nobody");
        zones.release(&key(4098));
        assert_eq!(zones.claim(&key(4098)), Some(4098), "a port that comes back has its own");
        let zones = Zones::new();
        for number in 0..=u32::from(LAST - FIRST) {
            assert!(zones.claim(&key(number)).is_some());
        }
        assert_eq!(zones.claim(&key(70_000)), None);
        zones.release(&key(7));
        assert_eq!(zones.claim(&key(70_000)), Some(FIRST + 7));
    }

    #[test]
    fn what_others_use_is_not_taken_over() {
        let zones = Zones::new();
        zones.restore(key(1), 100);
        zones.restore(key(2), 5000);
        zones.restore(key(3), 5000);
        assert_eq!((zones.zone(&key(1)), zones.zone(&key(2)), zones.zone(&key(3))), (None, Some(5000), None));
        assert_eq!(zones.clone().claim(&key(3)), Some(5001), "a copy is the same table");
    }
}
