//! A named set of addresses that rules of a table refer to.
//!
//! Owns: the members of a set, and which of them came and went since the last application.
//! Never: knows what a set is in the kernel: an ipset or a set of nftables, as the layout says.
//!
//! A security group is thousands of members that hundreds of ports refer to: one member that joins is one element more in
//! one set, and no rule changes. So a set keeps the differences, and nobody looks at all members to find them.
//!
//! Invariant: members are of the table's family and have no host bits; those of [`SetKind::Addresses`] are hosts.
//! Invariant: what joined is a member and was none when the state was last applied; what left, the other way round.
//!
//! How it is tested: unit tests here and `tests/wrap_sets.rs`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnetwork::IpNetwork;

use crate::name::IpsetName;

/// What a set has as members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SetKind {
    /// Hosts only: `hash:ip`.
    Addresses,
    /// Prefixes, hosts among them: `hash:net`. An address is in the set when it is in any of them.
    Prefixes,
}

impl fmt::Display for SetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addresses => "addresses",
            Self::Prefixes => "prefixes",
        })
    }
}

/// The wanted content of one set.
#[derive(Debug, Clone)]
pub struct AddressSet {
    name: IpsetName,
    kind: SetKind,
    members: BTreeSet<IpNetwork>,
    /// Whether it joined (or left), since the last application of a set that is not new.
    changed: BTreeMap<IpNetwork, bool>,
    fresh: bool,
}

impl AddressSet {
    pub(super) fn new(name: IpsetName, kind: SetKind) -> Self {
        Self { name, kind, members: BTreeSet::new(), changed: BTreeMap::new(), fresh: true }
    }

    /// Its name, by which `-m set --match-set NAME` means it.
    #[must_use]
    pub fn name(&self) -> &IpsetName {
        &self.name
    }

    /// What it has as members.
    #[must_use]
    pub fn kind(&self) -> SetKind {
        self.kind
    }

    /// The members in the order of their addresses; a prefix stands before those inside it.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = IpNetwork> {
        self.members.iter().copied()
    }

    /// The members inside of a prefix, itself included, in the order of [`members`](AddressSet::members).
    pub fn members_in(&self, prefix: IpNetwork) -> impl Iterator<Item = IpNetwork> {
        let prefix = masked(prefix);
        let inside = move |member: &IpNetwork| prefix.contains(member.ip());
        self.members.range(prefix..).copied().take_while(inside)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether exactly this is a member. An address that only is in a member is not.
    #[must_use]
    pub fn contains(&self, member: IpNetwork) -> bool {
        self.members.contains(&masked(member))
    }

    /// Whether anything changed since [`mark_applied`](super::Model::mark_applied).
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.fresh || !self.changed.is_empty()
    }

    /// What came and went since [`mark_applied`](super::Model::mark_applied). `None` when the set is new since: what an
    /// equally named one held before is not known here.
    #[must_use]
    pub fn edits(&self) -> Option<SetEdits<'_>> {
        (!self.fresh).then_some(SetEdits(&self.changed))
    }

    /// Returns whether it was none before.
    pub(super) fn add(&mut self, member: IpNetwork) -> bool {
        let added = self.members.insert(member);
        if added {
            self.note(member, true);
        }
        added
    }

    /// Returns whether it was one.
    pub(super) fn remove(&mut self, member: IpNetwork) -> bool {
        let removed = self.members.remove(&member);
        if removed {
            self.note(member, false);
        }
        removed
    }

    /// Returns whether anything changed.
    pub(super) fn replace(&mut self, wanted: &BTreeSet<IpNetwork>) -> bool {
        let gone: Vec<_> = self.members.difference(wanted).copied().collect();
        let new: Vec<_> = wanted.difference(&self.members).copied().collect();
        for member in &gone {
            self.remove(*member);
        }
        for member in &new {
            self.add(*member);
        }
        !gone.is_empty() || !new.is_empty()
    }

    pub(super) fn mark_applied(&mut self) {
        self.changed.clear();
        self.fresh = false;
    }

    fn note(&mut self, member: IpNetwork, joined: bool) {
        if self.fresh {
            return;
        }
        match self.changed.entry(member) {
            Entry::Vacant(vacant) => drop(vacant.insert(joined)),
            // It is as it was.
            Entry::Occupied(undone) => drop(undone.remove()),
        }
    }
}

/// Which members of a set came and went since [`mark_applied`](super::Model::mark_applied).
#[derive(Debug, Clone, Copy)]
pub struct SetEdits<'a>(&'a BTreeMap<IpNetwork, bool>);

impl<'a> SetEdits<'a> {
    /// Those that came, in order.
    pub fn added(&self) -> impl Iterator<Item = IpNetwork> + use<'a> {
        self.0.iter().filter(|(_, joined)| **joined).map(|(member, _)| *member)
    }

    /// Those that went, in order.
    pub fn removed(&self) -> impl Iterator<Item = IpNetwork> + use<'a> {
        self.0.iter().filter(|(_, joined)| !**joined).map(|(member, _)| *member)
    }

    /// Whether this one came, or went; `None` when neither.
    #[must_use]
    pub fn joined(&self, member: IpNetwork) -> Option<bool> {
        self.0.get(&member).copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The network without host bits.
pub(super) fn masked(member: IpNetwork) -> IpNetwork {
    // The prefix length was checked when the value was made.
    IpNetwork::new(member.network(), member.prefix()).unwrap_or(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    fn applied(members: &[&str]) -> AddressSet {
        let mut set = AddressSet::new("s".parse().unwrap(), SetKind::Prefixes);
        for member in members {
            set.add(net(member));
        }
        assert!(set.edits().is_none(), "a new set has no differences");
        set.mark_applied();
        set
    }

    #[test]
    fn a_member_that_came_and_went_is_no_difference() {
        let mut set = applied(&["10.0.0.1/32"]);
        assert!(set.add(net("10.0.0.2/32")) && !set.add(net("10.0.0.2/32")));
        assert!(set.remove(net("10.0.0.1/32")) && !set.remove(net("10.0.0.1/32")));
        let edits = set.edits().unwrap();
        assert_eq!(edits.added().collect::<Vec<_>>(), [net("10.0.0.2/32")]);
        assert_eq!(edits.removed().collect::<Vec<_>>(), [net("10.0.0.1/32")]);
        set.remove(net("10.0.0.2/32"));
        set.add(net("10.0.0.1/32"));
        assert!(!set.is_dirty() && set.edits().unwrap().is_empty());
    }

    #[test]
    fn replacing_is_the_differences() {
        let mut set = applied(&["10.0.0.1/32", "10.0.0.2/32"]);
        let wanted = ["10.0.0.2/32", "10.0.1.0/24"].map(net).into();
        assert!(set.replace(&wanted) && !set.replace(&wanted));
        let edits = set.edits().unwrap();
        assert_eq!(edits.added().collect::<Vec<_>>(), [net("10.0.1.0/24")]);
        assert_eq!(edits.removed().collect::<Vec<_>>(), [net("10.0.0.1/32")]);
    }

    #[test]
    fn members_of_a_prefix_stand_together_behind_it() {
        let set = applied(&["10.0.0.0/8", "10.0.0.0/24", "10.0.0.9/32", "10.1.0.0/16", "11.0.0.0/8", "9.0.0.0/8"]);
        let inside: Vec<_> = set.members_in(net("10.0.0.0/8")).map(|member| member.to_string()).collect();
        assert_eq!(inside, ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.9/32", "10.1.0.0/16"]);
        assert_eq!(set.members_in(net("10.0.0.0/9")).count(), 3);
    }
}
