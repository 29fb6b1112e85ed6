//! What an instance sends is held to its addresses, and what it is told is held to those who may tell it.
//!
//! Owns: the table `<component>-spoofing` of the bridge family: fixed rules, and sets whose keys begin with a device.
//! Never: touches another table; says which connections are allowed, which is the work of the rules by address.
//!
//! ```text
//! tap ─prerouting─> iifname: nova-base | nova-nodhcp    source MAC, ARP sender, source address, DHCP requests
//! ─postrouting─> oifname: to-instance | to-vpn ─> tap   DHCP answers, advertisements of routers, own addresses
//! ```
//!
//! The rules are the same for all interfaces and written once. An interface is elements of sets, so that a change is as
//! big as the interface, and a packet is looked up once for each thing that is asked, however many interfaces there are.
//!
//! Invariant: a change is one transaction. One that fails changes nothing, and what stands is read again.
//! Invariant: a table of that name which is not as it should be is made anew in the same transaction as the change.
//!
//! Where the truth is: nova's and libvirt's network filters; header layouts of RFC 826, 4861, 8415;
//! `net/bridge/netfilter/nf_tables_bridge.c` (Linux v6.12).
//!
//! How it is tested: `tests/virt_firewall`: forged and honest frames between namespaces; the fake for what is sent.

mod elements;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use self::elements::{Item, device_of};
use self::rules::{Content, SetId};
use crate::kernel::{CommitError, Kernel};
use crate::linux_net::BridgeError;
use crate::name::{ChainName, InterfaceName, TableName, WrapName};
use crate::nft::expr::Verdict;
use crate::nft::{Element, ElementData, Elements, Family};
use crate::transaction::{Batch, Origin};
use crate::virt_firewall::instances::Interface;

const ORIGIN: Origin = Origin(0);
/// How often a batch is computed anew because the table was not as it was remembered.
const ATTEMPTS: u32 = 5;

/// What an interface may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    /// It passes on what others send.
    pub(super) is_vpn: bool,
    /// It may use IPv6.
    pub(super) ipv6: bool,
}

type Items = BTreeSet<Item>;
/// What devices are to have; `None` is nothing.
type Wanted = BTreeMap<InterfaceName, Option<Items>>;

/// The table, and what is known of it.
#[derive(Debug)]
pub(super) struct Spoofing<K> {
    kernel: K,
    table: TableName,
    content: Content,
    known: Option<Known>,
}

/// What stands in the kernel.
#[derive(Debug, Default)]
struct Known {
    devices: BTreeMap<InterfaceName, Items>,
    /// Whether the table is there, with all that does not depend on interfaces.
    is_whole: bool,
    /// Whether there is a table of that name at all.
    is_there: bool,
}

impl Known {
    /// What follows from a change that was committed.
    fn take(&mut self, wanted: Wanted) {
        for (device, items) in wanted {
            match items {
                Some(items) => self.devices.insert(device, items),
                None => self.devices.remove(&device),
            };
        }
        self.is_there = !self.devices.is_empty();
        self.is_whole = self.is_there;
    }
}

impl<K: Kernel> Spoofing<K> {
    pub(super) fn new(kernel: K, component: &WrapName) -> Result<Self, BridgeError> {
        let table = TableName::new(&format!("{component}-spoofing"))?;
        let content = Content::new(&table)?;
        Ok(Self { kernel, table, content, known: None })
    }

    /// Holds these interfaces to what they may do. Returns whether anything changed.
    pub(super) fn guard(&mut self, interfaces: &[Interface], rights: Rights) -> Result<bool, BridgeError> {
        self.change(interfaces.iter().map(|i| (i.device.clone(), Some(elements::of(i, rights)))).collect())
    }

    /// Nothing is known of these devices any more. Returns whether anything changed.
    pub(super) fn release<'a>(
        &mut self,
        devices: impl Iterator<Item = &'a InterfaceName>,
    ) -> Result<bool, BridgeError> {
        self.change(devices.map(|device| (device.clone(), None)).collect())
    }

    /// Whether these interfaces are held to exactly this.
    pub(super) fn is_guarded(&mut self, interfaces: &[Interface], rights: Rights) -> Result<bool, BridgeError> {
        // Asked for what stands, not for what is remembered.
        self.known = None;
        let known = self.known()?;
        let stands = |i: &Interface| known.devices.get(&i.device) == Some(&elements::of(i, rights));
        Ok(known.is_whole && interfaces.iter().all(stands))
    }

    fn change(&mut self, wanted: Wanted) -> Result<bool, BridgeError> {
        let table = self.table.clone();
        let mut is_remembered = self.known.is_some();
        for attempt in 1.. {
            self.known()?;
            let Some(known) = &self.known else { continue };
            let is_new =
                |(device, items): &(&InterfaceName, &Option<Items>)| known.devices.get(*device) != items.as_ref();
            let changed: Vec<_> = wanted.iter().filter(is_new).collect();
            if changed.is_empty() && (known.is_whole || known.devices.is_empty()) {
                // Asked for again, it is looked at again: somebody may have flushed it.
                if std::mem::take(&mut is_remembered) {
                    self.known = None;
                    continue;
                }
                return Ok(false);
            }
            let batch = self.batch(known, &changed)?;
            match self.kernel.commit(&batch.seal()?) {
                Ok(_) => {
                    if let Some(known) = &mut self.known {
                        known.take(wanted);
                    }
                    return Ok(true);
                }
                Err(source) => {
                    self.known = None;
                    if !is_of_another_state(&source) || attempt >= ATTEMPTS {
                        return Err(BridgeError::Commit { table, source });
                    }
                    log::debug!("bridge table {table}: it is not as it was, attempt {attempt}");
                }
            }
        }
        Ok(false)
    }

    fn batch(&self, known: &Known, changed: &[(&InterfaceName, &Option<Items>)]) -> Result<Batch, BridgeError> {
        let mut batch = Batch::begin(None);
        let touched = |device: &InterfaceName| changed.iter().any(|(other, _)| *other == device);
        let is_last = changed.iter().all(|(_, items)| items.is_none())
            && known.devices.len() <= changed.len()
            && known.devices.keys().all(touched);
        if known.is_there && (is_last || !known.is_whole) {
            batch.delete_table(Family::Bridge, &self.table, ORIGIN);
        }
        if is_last {
            return Ok(batch);
        }
        let (mut add, mut delete) = (Items::new(), Items::new());
        if !known.is_whole {
            self.content.create(&mut batch, ORIGIN);
            let rest = known.devices.iter().filter(|(device, _)| !touched(device));
            add.extend(rest.flat_map(|(_, items)| items.iter().cloned()));
        }
        let none = Items::new();
        for (device, items) in changed {
            let old = known.devices.get(*device).filter(|_| known.is_whole).unwrap_or(&none);
            let new = items.as_ref().unwrap_or(&none);
            add.extend(new.difference(old).cloned());
            delete.extend(old.difference(new).cloned());
        }
        // One that maps to something else has to go before it comes.
        for (set, elements) in by_set(&delete)? {
            batch.delete_elements(&self.elements(set, elements)?, ORIGIN);
        }
        for (set, elements) in by_set(&add)? {
            batch.add_elements(&self.elements(set, elements)?, ORIGIN);
        }
        Ok(batch)
    }

    fn elements(&self, set: SetId, elements: Vec<Element>) -> Result<Elements, BridgeError> {
        let (family, table) = (Family::Bridge, self.table.clone());
        Ok(Elements { family, table, set: set.name()?, set_id: None, elements })
    }

    /// What stands, read when it is not remembered.
    fn known(&mut self) -> Result<&Known, BridgeError> {
        let read = match self.known.take() {
            Some(known) => known,
            None => self.read().map_err(|source| BridgeError::Read { table: self.table.clone(), source })?,
        };
        Ok(self.known.insert(read))
    }

    fn read(&mut self) -> Result<Known, crate::kernel::Error> {
        let (family, table) = (Family::Bridge, &self.table);
        let is_there = self.kernel.tables(family)?.iter().any(|other| other.name == *table);
        let mut known = Known { is_there, ..Known::default() };
        if !known.is_there {
            return Ok(known);
        }
        let chains = self.kernel.chains(family)?;
        let sets = self.kernel.sets(family, table)?;
        let rules = self.kernel.rules(family, table, None)?;
        known.is_whole = self.content.is(&chains, &sets, &rules);
        for set in SetId::ALL {
            let Ok(name) = set.name() else { continue };
            if !sets.iter().any(|other| other.name == name) {
                continue;
            }
            for element in self.kernel.elements(family, table, &name)? {
                let Some(key) = element.key else { continue };
                let target = match element.data {
                    Some(ElementData::Verdict(Verdict::Goto(chain))) => Some(chain.as_str().to_owned()),
                    _ => None,
                };
                // What no interface can have is gone when the table is made anew.
                match device_of(&key) {
                    Some(device) => drop(known.devices.entry(device).or_default().insert(Item { set, key, target })),
                    None => known.is_whole = false,
                }
            }
        }
        Ok(known)
    }
}

/// Elements, set by set.
fn by_set(items: &Items) -> Result<BTreeMap<SetId, Vec<Element>>, BridgeError> {
    let mut sets: BTreeMap<SetId, Vec<Element>> = BTreeMap::new();
    for item in items {
        let element = match &item.target {
            Some(chain) => Element::with_verdict(&item.key, Verdict::Goto(ChainName::new(chain)?)),
            None => Element::new(&item.key),
        };
        sets.entry(item.set).or_default().push(element);
    }
    Ok(sets)
}

/// Whether the table was changed by somebody else, so that it is worth reading again.
fn is_of_another_state(error: &CommitError) -> bool {
    error.is_stale() || error.is_not_found() || error.is_already_exists() || error.is_busy()
}
