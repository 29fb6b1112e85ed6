//! The ports and groups as they are wanted, and which changes follow from one.
//!
//! Owns: every port with its names and zone, the groups in use, who names whose members.
//! Never: submits anything; looks at a port that a change does not concern.
//!
//! Invariant: an operation that is refused changed nothing.
//! Invariant: what a port wants is a function of the port, its names, its zone and the groups, so it can be made again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::super::group::{Direction, GroupId, GroupRule, SecurityGroup};
use super::super::groups::{self, Effect, GroupKey, Groups};
use super::super::service::Dialect;
use super::connections;
use super::names::{Chains, Taken, ZoneKey, cut_set_name, set_name};
use super::port::{Port, PortId, device};
use super::rules::{self, Notes};
use super::unit::{Builder, Tracking};
use super::zones::Zones;
use super::{Key, PortError, Settings};
use crate::conntrack::Filter;
use crate::layout::Layout;
use crate::name::IpsetName;
use crate::rule::{Family, Target};
use crate::wrap::SetKind;
use crate::writer::debtor::Wanted;
use crate::writer::{Change, Unit};

/// Changes that belong together, and the connections that go after them.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) changes: Vec<Change<Key>>,
    pub(super) filters: Vec<Filter>,
}

impl fmt::Display for Work {
    /// What it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changes.last() {
            Some(change) => change.key().fmt(f),
            None => f.write_str("no change"),
        }
    }
}

#[derive(Debug, Clone)]
struct Known {
    port: Arc<Port>,
    chains: Chains,
    /// Of a filtered port.
    zone: Option<(ZoneKey, u16)>,
}

#[derive(Debug)]
pub(super) struct State {
    settings: Settings,
    families: Vec<Family>,
    zones: Zones,
    groups: Groups<PortId>,
    ports: BTreeMap<PortId, Known>,
    trusted: BTreeSet<PortId>,
    taken: Taken,
}

impl State {
    pub(super) fn new(settings: Settings, families: Vec<Family>, zones: Zones, layout: &Layout) -> Self {
        let closing = |notes: bool| -> fn(Direction, Family) -> Vec<crate::rule::Rule> {
            if notes { |_, _| rules::closing(Notes(true)) } else { |_, _| rules::closing(Notes(false)) }
        };
        // In the tables of iptables sets are as neutron has them; elsewhere nobody expects these.
        let (kind, cut_name): (_, fn(Family, &GroupId) -> Option<IpsetName>) = match layout {
            Layout::Iptables => (SetKind::Prefixes, cut_set_name),
            Layout::Native(_) => (SetKind::Addresses, |_, _| None),
        };
        let groups = Groups::new(groups::Settings {
            form: settings.form,
            dialect: Dialect::Neutron,
            target: Target::Return,
            families: families.clone(),
            kind,
            directions: vec![Direction::Ingress, Direction::Egress],
            closing: closing(settings.comments),
            set_name,
            cut_name,
        });
        let (ports, trusted) = (BTreeMap::new(), BTreeSet::new());
        Self { settings, families, zones, groups, ports, trusted, taken: Taken::default() }
    }

    pub(super) fn has(&self, id: &PortId) -> bool {
        self.ports.contains_key(id)
    }

    pub(super) fn ports(&self) -> Vec<PortId> {
        self.ports.keys().cloned().collect()
    }

    pub(super) fn zone(&self, id: &PortId) -> Option<u16> {
        self.ports.get(id)?.zone.as_ref().map(|(_, zone)| *zone)
    }

    /// The port is to be so, whatever it was.
    pub(super) fn put(&mut self, port: Port) -> Result<Work, PortError> {
        let old = self.ports.get(&port.id).cloned();
        let chains = self.taken.claim(self.settings.driver, &port)?;
        let kept = old.as_ref().and_then(|old| old.zone.clone());
        let zone = match self.zone_of(&port, kept.as_ref()) {
            Ok(zone) => zone,
            Err(error) => {
                self.taken.release(&port.id);
                if let Some(old) = old {
                    // It had these names a moment ago.
                    self.taken.claim(self.settings.driver, &old.port)?;
                }
                return Err(error);
            }
        };
        if let Some((key, _)) = kept.filter(|kept| zone.as_ref() != Some(kept)) {
            self.zones.release(&key);
        }
        let mut work = Work::default();
        if let Some(old) = &old {
            work.filters = self.lost_by(old, &port, zone.as_ref());
        }
        let (id, port) = (port.id.clone(), Arc::new(port));
        self.ports.insert(id.clone(), Known { port: Arc::clone(&port), chains, zone });
        let mut effect = match port.port_security {
            true => self.groups.enter(&id, &port.groups),
            false => self.groups.leave(&id),
        };
        effect.owners.insert(id);
        self.carry_out(effect, &mut work);
        Ok(work)
    }

    fn zone_of(&self, port: &Port, kept: Option<&(ZoneKey, u16)>) -> Result<Option<(ZoneKey, u16)>, PortError> {
        if !port.port_security {
            return Ok(None);
        }
        let key = self.settings.driver.zone_key(self.settings.path, port);
        match kept {
            Some(kept) if kept.0 == key => Ok(Some(kept.clone())),
            _ => {
                let zone = self.zones.claim(&key).ok_or_else(|| PortError::NoZone { port: port.id.clone() })?;
                Ok(Some((key, zone)))
            }
        }
    }

    /// The connections that a port which changes has not any more: all, when it leaves a group or its zone, where nothing
    /// would end them and they would be let pass if it came back; else those of addresses that it had.
    fn lost_by(&self, old: &Known, new: &Port, zone: Option<&(ZoneKey, u16)>) -> Vec<Filter> {
        let Some((_, had)) = old.zone else { return Vec::new() };
        let leaves_zone = zone.is_none_or(|(_, now)| *now != had);
        if leaves_zone || old.port.groups.iter().any(|group| !new.groups.contains(group)) {
            return connections::of_port(had, &old.port, &self.families);
        }
        let gone = self.families.iter().flat_map(|&family| {
            let stay = new.addresses(family);
            old.port.addresses(family).into_iter().filter(move |address| !stay.contains(address))
        });
        connections::of_addresses(had, gone)
    }

    /// The port is gone. Nothing for one that is not known.
    pub(super) fn remove(&mut self, id: &PortId) -> Option<Work> {
        let known = self.ports.remove(id)?;
        self.taken.release(id);
        let mut work = Work::default();
        if let Some((key, zone)) = &known.zone {
            work.filters = connections::of_port(*zone, &known.port, &self.families);
            self.zones.release(key);
        }
        let mut effect = self.groups.leave(id);
        effect.owners.insert(id.clone());
        self.carry_out(effect, &mut work);
        Some(work)
    }

    /// The group's rules are these.
    pub(super) fn put_group(&mut self, group: SecurityGroup) -> Vec<Work> {
        self.change_group(&group.id.clone(), Some(group))
    }

    /// The group has no rules any more.
    pub(super) fn remove_group(&mut self, id: &GroupId) -> Vec<Work> {
        self.change_group(id, None)
    }

    fn change_group(&mut self, id: &GroupId, group: Option<SecurityGroup>) -> Vec<Work> {
        let old = self.groups.group(id).cloned();
        let is_stateful = |group: &Option<SecurityGroup>| group.as_ref().is_none_or(|group| group.stateful);
        let turned = is_stateful(&old) != is_stateful(&group);
        let mut effect = match group {
            Some(group) => self.groups.put(group),
            None => self.groups.remove(id),
        };
        if turned {
            effect.owners.extend(self.groups.users(id).cloned());
        }
        let removed: Vec<_> = old.into_iter().flat_map(|group| group.rules).collect();
        self.pieces(effect, Vec::new(), self.lost_rules(id, &removed))
    }

    /// The connections of each of a group's ports that these rules had allowed and none of the port's rules is left for.
    fn lost_rules(&self, id: &GroupId, old: &[GroupRule]) -> BTreeMap<PortId, Vec<Filter>> {
        let same = |one: &GroupRule, other: &GroupRule| GroupRule { id: other.id.clone(), ..one.clone() } == *other;
        let mut filters: BTreeMap<PortId, Vec<Filter>> = BTreeMap::new();
        let here = self.groups.group(id);
        let gone: Vec<_> =
            old.iter().filter(|rule| !here.is_some_and(|group| group.rules.iter().any(|r| same(r, rule)))).collect();
        for owner in self.groups.users(id).filter(|_| !gone.is_empty()) {
            let Some(Known { port, zone: Some((_, zone)), .. }) = self.ports.get(owner) else { continue };
            for rule in &gone {
                let mut rules =
                    port.groups.iter().filter_map(|id| self.groups.group(id)).flat_map(|group| &group.rules);
                if !rules.any(|other| same(other, rule)) {
                    let of_rule = connections::of_rule(*zone, port, rule, &self.families);
                    filters.entry(owner.clone()).or_default().extend(of_rule);
                }
            }
        }
        filters
    }

    /// The group's members are these.
    pub(super) fn put_members(&mut self, id: &GroupId, members: impl IntoIterator<Item = IpNetwork>) -> Vec<Work> {
        let wanted: BTreeSet<_> = members.into_iter().flat_map(kept).collect();
        let old: BTreeSet<_> = self.groups.members(id).collect();
        let gone: Vec<_> = old.difference(&wanted).copied().collect();
        let effect = self.groups.change_members(id, wanted.difference(&old).copied(), gone.iter().copied());
        self.pieces(effect, self.lost_members(id, &gone), BTreeMap::new())
    }

    pub(super) fn change_members(
        &mut self,
        id: &GroupId,
        add: impl IntoIterator<Item = IpNetwork>,
        remove: impl IntoIterator<Item = IpNetwork>,
    ) -> Vec<Work> {
        let add = add.into_iter().flat_map(kept);
        let gone: Vec<_> =
            remove.into_iter().flat_map(kept).filter(|member| self.groups.is_member(id, *member)).collect();
        let effect = self.groups.change_members(id, add, gone.iter().copied());
        self.pieces(effect, self.lost_members(id, &gone), BTreeMap::new())
    }

    fn lost_members(&self, id: &GroupId, gone: &[IpNetwork]) -> Vec<Filter> {
        let naming = self.groups.naming(id).filter(|_| !gone.is_empty());
        let owners: BTreeSet<_> = naming.flat_map(|group| self.groups.users(group)).collect();
        let ports = owners.into_iter().filter_map(|owner| self.ports.get(owner));
        let zoned = ports.filter_map(|known| Some((known.zone.as_ref()?.1, &known.port)));
        zoned.flat_map(|(zone, port)| connections::of_members(zone, port, gone, &self.families)).collect()
    }

    pub(super) fn trust(&mut self, id: PortId) -> Work {
        self.trusted.insert(id.clone());
        Work { changes: vec![self.trusted_again(id)], filters: Vec::new() }
    }

    pub(super) fn distrust(&mut self, id: PortId) -> Option<Work> {
        self.trusted.remove(&id).then(|| Work { changes: vec![self.trusted_again(id)], filters: Vec::new() })
    }

    fn carry_out(&self, effect: Effect<PortId>, work: &mut Work) {
        let Effect { before, owners, after, .. } = effect;
        work.changes.extend(before.into_iter().map(lift));
        work.changes.extend(owners.iter().map(|owner| self.port_again(owner)));
        work.changes.extend(after.into_iter().map(lift));
    }

    /// The same in pieces that can be refused one by one: the sets, each list, each owner, what goes. `members` are the
    /// connections that go with members of the sets, `rules` those that go with rules of an owner; each goes after the piece
    /// that ends what it was allowed by. There is one piece at least, which is done after all that was submitted before.
    ///
    /// A rule comes with the sets that are new, though they may be empty: it must not find another program's of that name when
    /// their own piece is refused.
    fn pieces(&self, effect: Effect<PortId>, members: Vec<Filter>, rules: BTreeMap<PortId, Vec<Filter>>) -> Vec<Work> {
        let Effect { before, owners, after, .. } = effect;
        let mut filters: BTreeMap<Key, Vec<Filter>> = BTreeMap::new();
        for (owner, of_owner) in rules {
            let key = match self.groups.list(&owner) {
                Some(number) => Key::Group(GroupKey::List(number)),
                None => Key::Port(owner),
            };
            filters.entry(key).or_default().extend(of_owner);
        }
        let is_list = |change: &Change<GroupKey>| matches!(change.key(), GroupKey::List(_));
        let (lists, sets): (Vec<_>, Vec<_>) = before.into_iter().partition(is_list);
        let sets: Vec<_> = sets.into_iter().map(lift).collect();
        let new: Vec<_> = sets.iter().filter(|change| matches!(change, Change::Put(..))).cloned().collect();
        let mut works = vec![Work { changes: sets, filters: members }];
        let alone = lists.into_iter().map(lift).chain(owners.iter().map(|owner| self.port_again(owner)));
        works.extend(alone.map(|change| {
            let filters = filters.remove(change.key()).unwrap_or_default();
            Work { changes: new.iter().cloned().chain([change]).collect(), filters }
        }));
        // What nobody's rules were made anew for was allowed by none of them.
        let rest = filters.into_values().flatten().collect();
        works.push(Work { changes: after.into_iter().map(lift).collect(), filters: rest });
        works.retain(|work| !work.changes.is_empty() || !work.filters.is_empty());
        if works.is_empty() {
            works.push(Work::default());
        }
        works
    }

    fn trusted_again(&self, id: PortId) -> Change<Key> {
        if !self.trusted.contains(&id) {
            return Change::Remove(Key::Trusted(id));
        }
        let unit = self.builder().trusted(&device("tap", id.as_str()));
        Change::Put(Key::Trusted(id), Arc::new(unit))
    }

    fn port_again(&self, id: &PortId) -> Change<Key> {
        let key = Key::Port(id.clone());
        match self.ports.get(id) {
            Some(known) => Change::Put(key, Arc::new(self.unit(known))),
            None => Change::Remove(key),
        }
    }

    /// The same with the sets that its rules name.
    fn port_whole(&self, id: &PortId) -> Vec<Change<Key>> {
        let groups = self.ports.get(id).map(|known| self.groups.sets_of(&known.port.groups)).unwrap_or_default();
        groups.into_iter().map(lift).chain([self.port_again(id)]).collect()
    }

    fn builder(&self) -> Builder<'_> {
        Builder { settings: &self.settings, families: &self.families }
    }

    fn unit(&self, known: &Known) -> Unit {
        let Known { port, chains, zone } = known;
        if !port.port_security {
            return self.builder().unfiltered(port);
        }
        // The first group decides.
        let first = port.groups.first().and_then(|id| self.groups.group(id));
        let stateful = port.is_always_stateful() || first.is_none_or(|group| group.stateful);
        let tracking = zone.as_ref().map(|(_, zone)| if stateful { Tracking::Zone(*zone) } else { Tracking::Off });
        let user = |direction, family| self.groups.rules(&port.groups, direction, family);
        self.builder().filtered(port, chains, tracking, user)
    }
}

impl Wanted<Key> for &State {
    fn whole(&mut self, key: &Key) -> Vec<Change<Key>> {
        match key {
            Key::Group(group) => self.groups.whole(group).into_iter().map(lift).collect(),
            Key::Port(id) => self.port_whole(id),
            Key::Trusted(id) => vec![self.trusted_again(id.clone())],
        }
    }

    fn needs(&self, key: &Key) -> Vec<Key> {
        let needed = match key {
            Key::Group(group) => self.groups.needed_by(group),
            Key::Port(id) => self.ports.get(id).map(|known| self.groups.needed(&known.port.groups)).unwrap_or_default(),
            Key::Trusted(_) => Vec::new(),
        };
        needed.into_iter().map(Key::Group).collect()
    }
}

/// The same change under a key of ours.
fn lift(change: Change<GroupKey>) -> Change<Key> {
    change.map_key(Key::Group)
}

/// A member as sets have it: without host bits, and all addresses as two halves, as no ipset has them whole.
fn kept(member: IpNetwork) -> Vec<IpNetwork> {
    let halves =
        |low: IpAddr, high: IpAddr| [low, high].map(|half| IpNetwork::new(half, 1)).into_iter().flatten().collect();
    match member {
        IpNetwork::V4(all) if all.prefix() == 0 => {
            halves(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(128, 0, 0, 0).into())
        }
        IpNetwork::V6(all) if all.prefix() == 0 => {
            halves(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0).into())
        }
        member => vec![IpNetwork::new(member.network(), member.prefix()).unwrap_or(member)],
    }
}
