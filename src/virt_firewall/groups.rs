//! Security groups in use: who uses which, and which sets and lists of rules that takes.
//!
//! Owns: groups, their members, who uses them, the sets of members that rules name, and in the shared form one chain for
//! each list of groups.
//! Never: knows an instance or a port beyond its key; submits anything: it says which changes follow from one.
//!
//! # Two forms
//!
//! *Inline*, as nova and neutron write it: the rules of its groups stand in every owner's chain. A rule that comes into a
//! group changes each of these chains. *Lists*: owners that have the same groups in the same order share one chain with
//! the rules of these groups, to which each owner's chain goes (`-g`) as its last rule. A rule that comes into a group changes as many
//! chains as there are lists with that group. The verdict is the same in both: a goto returns where the owner's chain would.
//!
//! # Sets of members
//!
//! A set is of hosts as long as its members are, if the firewall likes it so: the kernel's time for one more is then the same
//! at any size, and follows the size of a set of prefixes. With the first prefix another set takes its place, made and filled
//! before the rules that name it are pointed there, and the old one goes after them. It does not go back while a rule names
//! it: who has had a prefix will have another, and each turn changes the rules of all who name the group.
//!
//! A set has the name that the group gives it, whatever other groups there are. Where the firewall has to use names that
//! two groups may have alike ([`Settings::cut_name`]), a group has one only as long as no other has wanted it. Then both have names
//! of their own, so that it makes no difference who came first, before a restart or after it. The name stays unused as
//! long as the process lives: from one transaction to the next it could mean both.
//!
//! Invariant: a set is there before a rule names it, and goes after the last rule that does.
//! Invariant: no two groups have sets of one name, and none takes over a name that another one has had.
//! Invariant: work follows the owners of the group that changes, not the host.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::group::{Direction, GroupId, GroupRule, SecurityGroup};
use super::service::Dialect;
use crate::name::IpsetName;
use crate::rule::{ChainRef, Family, Rule, Target};
use crate::wrap::{SetKind, TableId, TableKind};
use crate::writer::{Change, Unit};

/// Where the rules of groups stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// In every owner's chain.
    Inline,
    /// In one chain for each list of groups.
    Lists,
}

/// A unit of groups.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum GroupKey {
    /// A set of a group's members, of one family, under this name.
    Members(Family, GroupId, IpsetName),
    /// The rules of a list of groups.
    List(u32),
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Members(family, group, _) => write!(f, "the {family} members of security group {group}"),
            Self::List(number) => write!(f, "the list of security groups with number {number}"),
        }
    }
}

/// What depends on the kind of firewall.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) form: Form,
    pub(super) dialect: Dialect,
    /// What a rule of a group does with a packet.
    pub(super) target: Target,
    /// The families that are filtered.
    pub(super) families: Vec<Family>,
    /// What a set is whose members are all hosts; with a prefix it is [`SetKind::Prefixes`].
    pub(super) kind: SetKind,
    /// The directions that are filtered.
    pub(super) directions: Vec<Direction>,
    /// The last rules of every owner's chain.
    pub(super) closing: fn(Direction, Family) -> Vec<Rule>,
    /// The name of a set of members, which no other set has, be it of another group, family or kind.
    pub(super) set_name: fn(Family, SetKind, &GroupId) -> IpsetName,
    /// The name that it is to have as long as no other group wants the same; never one that `set_name` gives.
    pub(super) cut_name: fn(Family, &GroupId) -> Option<IpsetName>,
}

/// What follows from a change, in the order in which it has to be submitted.
#[derive(Debug)]
pub(super) struct Effect<O> {
    /// Before the owners' units.
    pub(super) before: Vec<Change<GroupKey>>,
    /// The owners whose units have to be made anew.
    pub(super) owners: BTreeSet<O>,
    /// After the owners' units.
    pub(super) after: Vec<Change<GroupKey>>,
    /// Lists whose rules are to be made anew, at the end of `before`.
    lists: BTreeSet<u32>,
}

impl<O> Default for Effect<O> {
    fn default() -> Self {
        Self { before: Vec::new(), owners: BTreeSet::new(), after: Vec::new(), lists: BTreeSet::new() }
    }
}

#[derive(Debug)]
struct Known<O> {
    /// `None` as long as only its members, or its name, were heard of.
    group: Option<SecurityGroup>,
    members: BTreeSet<IpNetwork>,
    users: BTreeSet<O>,
    lists: BTreeSet<u32>,
    /// The groups whose rules name its members, in use or not.
    naming: BTreeSet<GroupId>,
    /// The sets of its members.
    sets: Sets,
}

/// A set of a group's members, which rules of groups in use name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MemberSet {
    name: IpsetName,
    kind: SetKind,
    /// How many rules name it.
    uses: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sets {
    ipv4: Option<MemberSet>,
    ipv6: Option<MemberSet>,
}

impl Sets {
    fn of(&self, family: Family) -> Option<&MemberSet> {
        match family {
            Family::Ipv4 => self.ipv4.as_ref(),
            Family::Ipv6 => self.ipv6.as_ref(),
        }
    }

    fn of_mut(&mut self, family: Family) -> &mut Option<MemberSet> {
        match family {
            Family::Ipv4 => &mut self.ipv4,
            Family::Ipv6 => &mut self.ipv6,
        }
    }
}

impl<O> Default for Known<O> {
    fn default() -> Self {
        let (users, lists, members, naming) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { group: None, members, users, lists, naming, sets: Sets::default() }
    }
}

#[derive(Debug)]
struct List {
    groups: Arc<[GroupId]>,
    users: usize,
}

/// The groups.
#[derive(Debug)]
pub(super) struct Groups<O> {
    settings: Settings,
    known: HashMap<GroupId, Known<O>>,
    owners: BTreeMap<O, Arc<[GroupId]>>,
    lists: BTreeMap<u32, List>,
    by_groups: HashMap<Arc<[GroupId]>, u32>,
    next_list: u32,
    /// Which group has, or had last, a name that others may want as well; `None` when two have wanted it.
    cut: HashMap<IpsetName, Option<GroupId>>,
}

impl<O: Clone + Ord + Hash> Groups<O> {
    pub(super) fn new(settings: Settings) -> Self {
        let (known, owners, lists) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { settings, known, owners, lists, by_groups: HashMap::new(), next_list: 0, cut: HashMap::new() }
    }

    /// A group with its rules, new or in place of what it was.
    pub(super) fn put(&mut self, group: SecurityGroup) -> Effect<O> {
        let id = group.id.clone();
        self.change(&id, Some(group))
    }

    /// The group has no rules any more. Its members stay, as rules of other groups may name them.
    pub(super) fn remove(&mut self, id: &GroupId) -> Effect<O> {
        self.change(id, None)
    }

    /// The group, if its rules are known.
    pub(super) fn group(&self, id: &GroupId) -> Option<&SecurityGroup> {
        self.known.get(id)?.group.as_ref()
    }

    /// Who uses the group.
    pub(super) fn users(&self, id: &GroupId) -> impl Iterator<Item = &O> {
        self.known.get(id).into_iter().flat_map(|known| &known.users)
    }

    /// The list that an owner's rules are in, if they are in one.
    pub(super) fn list(&self, owner: &O) -> Option<u32> {
        self.by_groups.get(self.owners.get(owner)?).copied()
    }

    /// The groups whose rules name the members of a group.
    pub(super) fn naming(&self, id: &GroupId) -> impl Iterator<Item = &GroupId> {
        self.known.get(id).into_iter().flat_map(|known| &known.naming)
    }

    /// All members of a group.
    pub(super) fn members(&self, id: &GroupId) -> impl Iterator<Item = IpNetwork> {
        self.known.get(id).into_iter().flat_map(|known| known.members.iter().copied())
    }

    /// Whether it is a member of a group.
    pub(super) fn is_member(&self, id: &GroupId, member: IpNetwork) -> bool {
        self.known.get(id).is_some_and(|known| known.members.contains(&member))
    }

    /// These come into a group, and those leave it. What takes effect is said by the changes.
    pub(super) fn change_members(
        &mut self,
        id: &GroupId,
        add: impl IntoIterator<Item = IpNetwork>,
        remove: impl IntoIterator<Item = IpNetwork>,
    ) -> Effect<O> {
        let known = self.known.entry(id.clone()).or_default();
        let removed: Vec<_> = remove.into_iter().filter(|member| known.members.remove(member)).collect();
        let added: Vec<_> = add.into_iter().filter(|member| known.members.insert(*member)).collect();
        let mut effect = Effect::default();
        for family in Family::BOTH {
            let of = |members: &[IpNetwork]| members.iter().copied().filter(|m| is_of(*m, family)).collect::<Vec<_>>();
            let (add, remove) = (of(&added), of(&removed));
            let Some(set) = self.set(id, family).filter(|_| !(add.is_empty() && remove.is_empty())) else { continue };
            let (name, kind) = (set.name.clone(), set.kind);
            if kind == SetKind::Prefixes || add.iter().all(is_host) {
                effect.before.push(members_change(id, family, name, add, remove));
                continue;
            }
            if !remove.is_empty() {
                // They are gone for those as well who cannot be led to the new set.
                effect.before.push(members_change(id, family, name, Vec::new(), remove));
            }
            self.move_set(id, family, SetKind::Prefixes, &mut effect);
        }
        self.forget_unused(id);
        self.finish(effect)
    }

    /// The owner uses these groups from now on, in this order. Its unit has to be made anew.
    pub(super) fn enter(&mut self, owner: &O, groups: &[GroupId]) -> Effect<O> {
        let mut effect = Effect::default();
        let old = self.owners.get(owner).cloned();
        if old.as_deref() != Some(groups) {
            let groups: Arc<[GroupId]> = groups.into();
            self.owners.insert(owner.clone(), Arc::clone(&groups));
            for id in groups.iter() {
                if self.known.entry(id.clone()).or_default().users.insert(owner.clone()) {
                    self.name_remotes(id, &mut effect);
                }
            }
            self.enter_list(&groups, &mut effect);
            if let Some(old) = old {
                self.leave_groups(owner, &old, &groups, &mut effect);
            }
        }
        effect.owners.insert(owner.clone());
        self.finish(effect)
    }

    /// The owner uses no groups any more. Its unit is to go between `before` and `after`.
    pub(super) fn leave(&mut self, owner: &O) -> Effect<O> {
        let mut effect = Effect::default();
        if let Some(old) = self.owners.remove(owner) {
            self.leave_groups(owner, &old, &[], &mut effect);
        }
        self.finish(effect)
    }

    /// All that the unit is to have, whatever was submitted before: what makes good for a change that was refused.
    pub(super) fn whole(&self, key: &GroupKey) -> Vec<Change<GroupKey>> {
        match key {
            GroupKey::Members(family, id, name) => match self.set(id, *family).filter(|set| set.name == *name) {
                Some(set) => {
                    let (table, set_unit) = (filter(*family), set_unit(id, *family, set));
                    let members = self.members_of(id, *family);
                    vec![set_unit, Change::AllMembers { key: key.clone(), table, set: name.clone(), members }]
                }
                None => vec![Change::Remove(key.clone())],
            },
            GroupKey::List(number) => match self.lists.get(number) {
                Some(list) => self.sets_of(&list.groups).into_iter().chain(self.list_unit(*number)).collect(),
                None => vec![Change::Remove(key.clone())],
            },
        }
    }

    /// The sets that rules of these groups name, without members. Rules that come without what came before them come with
    /// these, or they would look into another program's set where their own was refused.
    pub(super) fn sets_of(&self, groups: &[GroupId]) -> Vec<Change<GroupKey>> {
        let rules = groups.iter().filter_map(|id| self.group(id)).flat_map(|group| &group.rules);
        let named: BTreeSet<_> = rules.flat_map(|rule| self.named_by(rule)).collect();
        named.iter().filter_map(|(family, id)| Some(set_unit(id, *family, self.set(id, *family)?))).collect()
    }

    /// The units that the rules of an owner of these groups lead to, in the order in which they have to come.
    pub(super) fn needed(&self, groups: &[GroupId]) -> Vec<GroupKey> {
        let list = (self.settings.form == Form::Lists).then(|| self.by_groups.get(groups)).flatten();
        self.named_in(groups).into_iter().chain(list.map(|number| GroupKey::List(*number))).collect()
    }

    /// The units that a unit's own rules lead to.
    pub(super) fn needed_by(&self, key: &GroupKey) -> Vec<GroupKey> {
        match key {
            GroupKey::Members(..) => Vec::new(),
            GroupKey::List(number) => {
                self.lists.get(number).map(|list| self.named_in(&list.groups)).into_iter().flatten().collect()
            }
        }
    }

    /// The sets that the rules of these groups name.
    fn named_in(&self, groups: &[GroupId]) -> BTreeSet<GroupKey> {
        let rules = groups.iter().filter_map(|id| self.group(id)).flat_map(|group| &group.rules);
        let named = rules.flat_map(|rule| self.named_by(rule));
        let set = |(family, id): (Family, GroupId)| {
            let name = self.set(&id, family)?.name.clone();
            Some(GroupKey::Members(family, id, name))
        };
        named.filter_map(set).collect()
    }

    /// The last rules of an owner's chain: those of its groups, then the closing ones.
    pub(super) fn rules(&self, groups: &[GroupId], direction: Direction, family: Family) -> Vec<Rule> {
        let list = (self.settings.form == Form::Lists).then(|| self.by_groups.get(groups)).flatten();
        match list.and_then(|number| ChainRef::new(&list_chain(*number, direction)).ok()) {
            Some(chain) => vec![Rule::new().goto(chain)],
            None => self.inline(groups, direction, family),
        }
    }

    fn inline(&self, groups: &[GroupId], direction: Direction, family: Family) -> Vec<Rule> {
        let settings = &self.settings;
        let rules = groups.iter().filter_map(|id| self.group(id)).flat_map(|group| &group.rules);
        let rules = rules.filter(|rule| rule.direction == direction).filter_map(|rule| {
            rule.rule(family, settings.dialect, settings.target.clone(), |group| match self.set(group, family) {
                Some(set) => set.name.clone(),
                // Rules of groups that nobody uses stand nowhere.
                None => (settings.set_name)(family, settings.kind, group),
            })
        });
        // Groups often say the same; the first time counts.
        let mut seen = std::collections::HashSet::new();
        let mut rules: Vec<_> = rules.filter(|rule| seen.insert(rule.clone())).collect();
        rules.extend((settings.closing)(direction, family));
        rules
    }

    fn change(&mut self, id: &GroupId, group: Option<SecurityGroup>) -> Effect<O> {
        let mut effect = Effect::default();
        let known = self.known.entry(id.clone()).or_default();
        if known.group == group {
            self.forget_unused(id);
            return effect;
        }
        let used = !known.users.is_empty();
        let old = std::mem::replace(&mut known.group, group);
        let remotes: BTreeSet<_> = self.group(id).into_iter().flat_map(SecurityGroup::remote_groups).cloned().collect();
        for remote in &remotes {
            self.known.entry(remote.clone()).or_default().naming.insert(id.clone());
        }
        if used {
            self.name_remotes(id, &mut effect);
            for remote in old.iter().flat_map(|group| &group.rules) {
                self.unname(remote, &mut effect);
            }
        }
        for gone in old.iter().flat_map(SecurityGroup::remote_groups).filter(|remote| !remotes.contains(remote)) {
            if let Some(known) = self.known.get_mut(gone) {
                known.naming.remove(id);
            }
            self.forget_unused(gone);
        }
        self.anew(id, &mut effect);
        self.forget_unused(id);
        self.finish(effect)
    }

    /// The rules of a group stand anew, wherever they do.
    fn anew(&self, id: &GroupId, effect: &mut Effect<O>) {
        let Some(known) = self.known.get(id) else { return };
        match self.settings.form {
            Form::Inline => effect.owners.extend(known.users.iter().cloned()),
            Form::Lists => effect.lists.extend(&known.lists),
        }
    }

    /// What follows, in its order: lists behind the sets that their rules name, and before them when they go.
    fn finish(&self, mut effect: Effect<O>) -> Effect<O> {
        let lists = std::mem::take(&mut effect.lists);
        effect.before.extend(lists.into_iter().filter_map(|number| self.list_unit(number)));
        effect.after.sort_by_key(|change| !matches!(change.key(), GroupKey::List(_)));
        effect
    }

    /// Counts the sets that the group's rules name, and makes those that are new.
    fn name_remotes(&mut self, id: &GroupId, effect: &mut Effect<O>) {
        let rules = self.group(id).map(|group| group.rules.iter()).unwrap_or_default();
        let named: Vec<_> = rules.flat_map(|rule| self.named_by(rule)).collect();
        for (family, remote) in named {
            match self.known.entry(remote.clone()).or_default().sets.of_mut(family) {
                Some(set) => set.uses += 1,
                None => self.make_set(&remote, family, 1, self.kind(&remote, family), effect),
            }
        }
    }

    fn unname(&mut self, rule: &GroupRule, effect: &mut Effect<O>) {
        for (family, remote) in self.named_by(rule) {
            let Some(known) = self.known.get_mut(&remote) else { continue };
            let set = known.sets.of_mut(family);
            if let Some(gone) = set.take_if(|set| set.uses <= 1) {
                effect.after.push(Change::Remove(GroupKey::Members(family, remote.clone(), gone.name)));
            } else if let Some(set) = set {
                set.uses -= 1;
            }
            self.forget_unused(&remote);
        }
    }

    /// The sets that a rule looks into.
    fn named_by(&self, rule: &GroupRule) -> Vec<(Family, GroupId)> {
        let super::group::Remote::Group(remote) = &rule.remote else { return Vec::new() };
        let filtered = self.settings.directions.contains(&rule.direction);
        let families = self.settings.families.iter().filter(|family| filtered && rule.is_of(**family));
        families.map(|family| (*family, remote.clone())).collect()
    }

    /// The set of a group's members, if rules name it.
    fn set(&self, id: &GroupId, family: Family) -> Option<&MemberSet> {
        self.known.get(id)?.sets.of(family)
    }

    fn members_of(&self, id: &GroupId, family: Family) -> Vec<IpNetwork> {
        self.members(id).filter(|member| is_of(*member, family)).collect()
    }

    /// What a set has to be for the members that there are.
    fn kind(&self, id: &GroupId, family: Family) -> SetKind {
        if self.members(id).filter(|member| is_of(*member, family)).all(|member| is_host(&member)) {
            self.settings.kind
        } else {
            SetKind::Prefixes
        }
    }

    /// A set with the members that there are.
    fn make_set(&mut self, id: &GroupId, family: Family, uses: usize, kind: SetKind, effect: &mut Effect<O>) {
        let set = MemberSet { name: self.name(id, family, kind, effect), kind, uses };
        effect.before.push(set_unit(id, family, &set));
        effect.before.push(members_change(id, family, set.name.clone(), self.members_of(id, family), Vec::new()));
        *self.known.entry(id.clone()).or_default().sets.of_mut(family) = Some(set);
    }

    /// Another set takes the place of a set of members: it is filled, rules are pointed there, and the old one goes.
    fn move_set(&mut self, id: &GroupId, family: Family, kind: SetKind, effect: &mut Effect<O>) {
        let Some(old) = self.set(id, family).cloned() else { return };
        self.make_set(id, family, old.uses, kind, effect);
        let naming: Vec<_> = self.naming(id).cloned().collect();
        naming.iter().for_each(|group| self.anew(group, effect));
        effect.after.push(Change::Remove(GroupKey::Members(family, id.clone(), old.name)));
    }

    /// The name of a set, and what becomes of another group that has to give it up.
    fn name(&mut self, id: &GroupId, family: Family, kind: SetKind, effect: &mut Effect<O>) -> IpsetName {
        let own = (self.settings.set_name)(family, kind, id);
        let Some(cut) = (self.settings.cut_name)(family, id) else { return own };
        let holder = self.cut.entry(cut.clone()).or_insert_with(|| Some(id.clone()));
        if holder.as_ref() == Some(id) {
            return cut;
        }
        if let Some(other) = holder.take()
            && let Some(kind) = self.set(&other, family).map(|set| set.kind)
        {
            self.move_set(&other, family, kind, effect);
        }
        own
    }

    fn enter_list(&mut self, groups: &Arc<[GroupId]>, effect: &mut Effect<O>) {
        if self.settings.form == Form::Inline {
            return;
        }
        if let Some(list) = self.by_groups.get(groups).and_then(|number| self.lists.get_mut(number)) {
            list.users += 1;
            return;
        }
        let number = self.next_list;
        self.next_list += 1;
        self.by_groups.insert(Arc::clone(groups), number);
        self.lists.insert(number, List { groups: Arc::clone(groups), users: 1 });
        for id in groups.iter() {
            self.known.entry(id.clone()).or_default().lists.insert(number);
        }
        effect.lists.insert(number);
    }

    fn list_unit(&self, number: u32) -> Option<Change<GroupKey>> {
        let list = self.lists.get(&number)?;
        let mut unit = Unit::new();
        for &family in &self.settings.families {
            for &direction in &self.settings.directions {
                let rules = self.inline(&list.groups, direction, family).into_iter().map(Arc::new).collect();
                unit.chain(filter(family), list_chain(number, direction), rules);
            }
        }
        Some(Change::Put(GroupKey::List(number), Arc::new(unit)))
    }

    /// An owner leaves a list of groups, but stays in those that it has now.
    fn leave_groups(&mut self, owner: &O, old: &Arc<[GroupId]>, now: &[GroupId], effect: &mut Effect<O>) {
        if let Some(&number) = self.by_groups.get(old)
            && let Some(list) = self.lists.get_mut(&number)
        {
            list.users -= 1;
            if list.users == 0 {
                self.lists.remove(&number);
                self.by_groups.remove(old);
                for id in old.iter() {
                    self.known.entry(id.clone()).or_default().lists.remove(&number);
                }
                effect.after.push(Change::Remove(GroupKey::List(number)));
            }
        }
        for id in old.iter().filter(|id| !now.contains(id)) {
            let Some(known) = self.known.get_mut(id) else { continue };
            // A list may have a group twice.
            if known.users.remove(owner) {
                let rules = known.group.as_ref().map(|group| group.rules.clone()).unwrap_or_default();
                rules.iter().for_each(|rule| self.unname(rule, effect));
            }
            self.forget_unused(id);
        }
    }

    /// Keeps nothing of a group that nobody knows or uses.
    fn forget_unused(&mut self, id: &GroupId) {
        let unused = |known: &Known<O>| {
            known.group.is_none()
                && known.members.is_empty()
                && known.users.is_empty()
                && known.naming.is_empty()
                && known.sets == Sets::default()
        };
        if self.known.get(id).is_some_and(unused) {
            self.known.remove(id);
        }
    }
}

fn filter(family: Family) -> TableId {
    TableId::new(family, TableKind::Filter)
}

fn is_of(member: IpNetwork, family: Family) -> bool {
    member.is_ipv4() == (family == Family::Ipv4)
}

/// Whether a set of [`SetKind::Addresses`] can have it.
fn is_host(member: &IpNetwork) -> bool {
    member.prefix() == Family::of(member.ip()).max_prefix() && !member.ip().is_unspecified()
}

fn set_unit(id: &GroupId, family: Family, set: &MemberSet) -> Change<GroupKey> {
    let mut unit = Unit::new();
    unit.set(filter(family), set.name.clone(), set.kind);
    Change::Put(GroupKey::Members(family, id.clone(), set.name.clone()), Arc::new(unit))
}

fn members_change(
    id: &GroupId,
    family: Family,
    set: IpsetName,
    add: Vec<IpNetwork>,
    remove: Vec<IpNetwork>,
) -> Change<GroupKey> {
    let key = GroupKey::Members(family, id.clone(), set.clone());
    Change::Members { key, table: filter(family), set, add, remove }
}

/// The chain of a list's rules.
fn list_chain(number: u32, direction: Direction) -> String {
    match direction {
        Direction::Ingress => format!("$sgi-{number}"),
        Direction::Egress => format!("$sge-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virt_firewall::group::{Remote, RuleId};
    use crate::virt_firewall::service::Service;

    fn settings(form: Form) -> Settings {
        Settings {
            form,
            dialect: Dialect::Nova,
            target: Target::Accept,
            families: Family::BOTH.to_vec(),
            kind: SetKind::Addresses,
            directions: vec![Direction::Ingress],
            closing: |_, _| vec![Rule::new().discard()],
            set_name: |family, kind, id| {
                let kind = if kind == SetKind::Addresses { "" } else { "net-" };
                format!("{kind}{}-{id}", if family == Family::Ipv4 { 4 } else { 6 }).parse().unwrap()
            },
            cut_name: |_, _| None,
        }
    }

    fn id(text: &str) -> GroupId {
        text.parse().unwrap()
    }

    fn ids(texts: &[&str]) -> Vec<GroupId> {
        texts.iter().map(|text| id(text)).collect()
    }

    fn net(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    /// A group whose rules name the members of these.
    fn naming(name: &str, remotes: &[&str]) -> SecurityGroup {
        let rule = |remote: &&str| GroupRule {
            id: RuleId::new(remote).unwrap(),
            direction: Direction::Ingress,
            family: None,
            service: Service::Any,
            remote: Remote::Group(id(remote)),
        };
        SecurityGroup::new(id(name), remotes.iter().map(rule).collect())
    }

    /// `+` and `-` of units, and how many members come and go.
    fn shown(changes: &[Change<GroupKey>]) -> Vec<String> {
        let show = |change: &Change<GroupKey>| match change {
            Change::Put(GroupKey::Members(_, _, set), _) => format!("+{set}"),
            Change::Put(GroupKey::List(number), _) => format!("+list {number}"),
            Change::Remove(GroupKey::Members(_, _, set)) => format!("-{set}"),
            Change::Remove(GroupKey::List(number)) => format!("-list {number}"),
            Change::Members { set, add, remove, .. } => format!("{set} +{} -{}", add.len(), remove.len()),
            Change::AllMembers { set, members, .. } => format!("{set} ={}", members.len()),
        };
        changes.iter().map(show).collect()
    }

    fn owners(effect: &Effect<u8>) -> Vec<u8> {
        effect.owners.iter().copied().collect()
    }

    #[test]
    fn a_set_is_there_while_a_group_in_use_names_it() {
        let set = |family, name: &str| GroupKey::Members(family, id("db"), name.parse().unwrap());
        let mut groups = Groups::new(settings(Form::Inline));
        assert!(groups.put(naming("web", &["db"])).before.is_empty(), "nobody uses it");
        assert!(groups.change_members(&id("db"), [net("10.0.0.1/32"), net("fd00::1/128")], []).before.is_empty());
        let effect = groups.enter(&1, &ids(&["web"]));
        assert_eq!(shown(&effect.before), ["+4-db", "4-db +1 -0", "+6-db", "6-db +1 -0"]);
        assert!(groups.enter(&2, &ids(&["web"])).before.is_empty());
        let effect = groups.change_members(&id("db"), [net("10.0.0.2/32")], [net("10.0.0.1/32"), net("10.0.0.9/32")]);
        assert_eq!((shown(&effect.before), owners(&effect)), (vec!["4-db +1 -1".to_owned()], vec![]));
        assert_eq!(shown(&groups.whole(&set(Family::Ipv4, "4-db"))), ["+4-db", "4-db =1"]);
        assert!(groups.leave(&1).after.is_empty());
        assert_eq!(shown(&groups.leave(&2).after), ["-4-db", "-6-db"]);
        assert_eq!(shown(&groups.whole(&set(Family::Ipv4, "4-db"))), ["-4-db"]);
        assert_eq!(groups.members(&id("db")).count(), 2, "members are known without anybody who asks");
    }

    #[test]
    fn a_change_of_a_group_concerns_those_who_use_it() {
        let mut groups = Groups::new(settings(Form::Inline));
        groups.enter(&1, &ids(&["a", "b"]));
        groups.enter(&2, &ids(&["b"]));
        let effect = groups.put(naming("a", &["x"]));
        assert_eq!((shown(&effect.before).len(), owners(&effect)), (4, vec![1]));
        assert_eq!(owners(&groups.put(naming("a", &["x"]))), [], "nothing is new");
        let effect = groups.put(naming("b", &["x", "y"]));
        assert_eq!((shown(&effect.before).len(), owners(&effect)), (4, vec![1, 2]));
        // The set of `x` stays: `b` names it.
        let effect = groups.remove(&id("a"));
        assert_eq!((effect.after.len(), owners(&effect)), (0, vec![1]));
        let effect = groups.put(naming("b", &[]));
        assert_eq!(shown(&effect.after), ["-4-x", "-6-x", "-4-y", "-6-y"]);
    }

    #[test]
    fn owners_of_the_same_groups_share_a_list() {
        let mut groups = Groups::new(settings(Form::Lists));
        groups.put(naming("a", &["x"]));
        let effect = groups.enter(&1, &ids(&["a"]));
        assert_eq!(shown(&effect.before).last().unwrap(), "+list 0");
        assert!(groups.enter(&2, &ids(&["a"])).before.is_empty());
        let effect = groups.put(naming("a", &["x", "y"]));
        assert_eq!((shown(&effect.before).last().unwrap().as_str(), owners(&effect)), ("+list 0", vec![]));
        let effect = groups.enter(&2, &ids(&["a", "b"]));
        assert_eq!((shown(&effect.before), effect.after.len()), (vec!["+list 1".to_owned()], 0));
        let effect = groups.enter(&1, &ids(&["a", "b"]));
        assert_eq!(shown(&effect.after), ["-list 0"]);
        assert_eq!(shown(&groups.whole(&GroupKey::List(1))), ["+4-x", "+4-y", "+6-x", "+6-y", "+list 1"]);
        assert_eq!(shown(&groups.whole(&GroupKey::List(0))), ["-list 0"]);
        groups.leave(&1);
        // The list goes before the sets that its rules name.
        assert_eq!(shown(&groups.leave(&2).after)[..2], ["-list 1", "-4-x"]);
        assert!(groups.lists.is_empty() && groups.by_groups.is_empty());
    }

    #[test]
    fn a_group_that_is_listed_twice_counts_once() {
        let mut groups = Groups::new(settings(Form::Inline));
        groups.put(naming("a", &["a"]));
        assert_eq!(groups.enter(&1, &ids(&["a", "a"])).before.len(), 4);
        assert_eq!(groups.rules(&ids(&["a", "a"]), Direction::Ingress, Family::Ipv4).len(), 2);
        assert_eq!(groups.leave(&1).after.len(), 2);
    }

    #[test]
    fn nothing_is_kept_of_what_nobody_knows() {
        for form in [Form::Inline, Form::Lists] {
            let mut groups = Groups::new(settings(form));
            groups.put(naming("a", &["x"]));
            groups.enter(&1, &ids(&["a", "b"]));
            groups.change_members(&id("x"), [net("10.0.0.1/32")], []);
            groups.leave(&1);
            groups.remove(&id("a"));
            groups.change_members(&id("x"), [], [net("10.0.0.1/32")]);
            assert!(groups.known.is_empty(), "{:?}", groups.known);
        }
    }

    /// The other set is there and full before rules are pointed to it, and the old one goes after them.
    #[test]
    fn with_the_first_prefix_another_set_takes_the_place() {
        for form in [Form::Inline, Form::Lists] {
            let mut groups = Groups::new(settings(form));
            groups.put(naming("a", &["x"]));
            groups.put(naming("b", &["y"]));
            groups.enter(&1, &ids(&["a"]));
            groups.enter(&2, &ids(&["b"]));
            groups.change_members(&id("x"), [net("10.0.0.1/32"), net("10.0.0.2/32"), net("fd00::1/128")], []);
            let effect = groups.change_members(&id("x"), [net("10.1.0.0/16")], [net("10.0.0.1/32")]);
            let mut before = vec!["4-x +0 -1", "+net-4-x", "net-4-x +2 -0"];
            before.extend((form == Form::Lists).then_some("+list 0"));
            assert_eq!(shown(&effect.before), before);
            assert_eq!(shown(&effect.after), ["-4-x"], "IPv6 stays as it is");
            assert_eq!(owners(&effect), if form == Form::Inline { vec![1] } else { vec![] });
            let rules = |groups: &Groups<u8>| groups.inline(&ids(&["a"]), Direction::Ingress, Family::Ipv4);
            let names: Vec<_> =
                rules(&groups).iter().flat_map(|r| r.set_names().cloned().collect::<Vec<_>>()).collect();
            assert_eq!(names, ["net-4-x".parse().unwrap()]);
            // It stays so while rules name it.
            let effect = groups.change_members(&id("x"), [net("10.0.0.3/32")], [net("10.1.0.0/16")]);
            assert_eq!((shown(&effect.before), effect.after.len()), (vec!["net-4-x +1 -1".to_owned()], 0));
            groups.leave(&1);
            assert!(shown(&groups.enter(&1, &ids(&["a"])).before).contains(&"4-x +2 -0".to_owned()));
            // The unspecified address is no host that a set of hosts could have.
            let effect = groups.change_members(&id("x"), [net("0.0.0.0/32")], []);
            assert_eq!(shown(&effect.before)[..2], ["+net-4-x", "net-4-x +3 -0"]);
        }
    }

    /// A list that goes in the same change names the old set until then.
    #[test]
    fn lists_go_before_sets() {
        let mut groups = Groups::new(Settings { cut_name: cut, ..settings(Form::Lists) });
        groups.put(naming("a", &["same-1"]));
        groups.put(naming("b", &["same-2"]));
        groups.enter(&1, &ids(&["a"]));
        let effect = groups.enter(&1, &ids(&["b"]));
        assert_eq!(shown(&effect.after)[0], "-list 0");
        assert!(shown(&effect.after).contains(&"-same".to_owned()));
    }

    fn cut(family: Family, group: &GroupId) -> Option<IpsetName> {
        let name = group.as_str().split('-').next().filter(|_| family == Family::Ipv4)?;
        name.parse().ok()
    }

    /// Whoever comes first: both have names of their own, and the other one's name is nobody's any more.
    #[test]
    fn a_name_that_two_groups_want_is_nobodys() {
        for form in [Form::Inline, Form::Lists] {
            let mut groups = Groups::new(Settings { cut_name: cut, ..settings(form) });
            groups.put(naming("a", &["same-1"]));
            groups.put(naming("b", &["same-2"]));
            groups.change_members(&id("same-1"), [net("10.0.0.1/32")], []);
            let effect = groups.enter(&1, &ids(&["a"]));
            assert_eq!(shown(&effect.before)[..2], ["+same", "same +1 -0"]);
            let effect = groups.enter(&2, &ids(&["b"]));
            let mut before = vec!["+4-same-1", "4-same-1 +1 -0", "+4-same-2", "4-same-2 +0 -0"];
            before.extend(["+6-same-2", "6-same-2 +0 -0"]);
            before.extend((form == Form::Lists).then_some(["+list 0", "+list 1"]).into_iter().flatten());
            assert_eq!(shown(&effect.before), before);
            assert_eq!(shown(&effect.after), ["-same"]);
            assert_eq!(owners(&effect), if form == Form::Inline { vec![1, 2] } else { vec![2] });
            // Neither takes it over when the other one goes.
            groups.leave(&1);
            groups.leave(&2);
            assert!(shown(&groups.enter(&2, &ids(&["b"])).before).contains(&"+4-same-2".to_owned()));
            assert!(shown(&groups.enter(&1, &ids(&["a"])).before).contains(&"+4-same-1".to_owned()));
        }
    }

    /// A name that a group has had is not another one's in the same transaction, or it would mean both for a moment.
    #[test]
    fn a_name_is_not_handed_on() {
        let mut groups = Groups::new(Settings { cut_name: cut, ..settings(Form::Inline) });
        groups.put(naming("a", &["same-1"]));
        groups.enter(&1, &ids(&["a"]));
        let effect = groups.put(naming("a", &["same-2"]));
        assert!(shown(&effect.before).contains(&"+4-same-2".to_owned()));
        assert_eq!(shown(&effect.after), ["-same", "-4-same-1", "-6-same-1"]);
    }
}
