//! The sets of a table, and which rules refer to them.
//!
//! Owns: the operations on sets, and the reverse index from a set's name to the rules that name it.
//! Never: keeps a rule from naming a set that the table does not have: that one is another program's ipset.

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;

use super::Table;
use crate::name::IpsetName;
use crate::rule::{Family, Rule};
use crate::wrap::error::ModelError;
use crate::wrap::refs::{ChainId, Refs};
use crate::wrap::set::{AddressSet, SetKind, masked};

impl Table {
    /// Adds a set without members. Returns whether it is new. Rules that name it mean this set from now on, and no
    /// ipset of another program.
    ///
    /// # Errors
    /// [`ModelError::SetKind`] when it stands with the other kind.
    pub fn add_set(&mut self, name: &IpsetName, kind: SetKind) -> Result<bool, ModelError> {
        match self.set(name) {
            Some(set) if set.kind() == kind => return Ok(false),
            Some(set) => {
                return Err(ModelError::SetKind { table: self.id, set: name.clone(), kind: set.kind() });
            }
            None => {}
        }
        // One that was removed since the last application comes back empty, and knows what it had.
        let back = self.removed_sets.remove(name).filter(|set| set.kind() == kind);
        self.sets.insert(name.clone(), back.unwrap_or_else(|| AddressSet::new(name.clone(), kind)));
        self.dirty_sets.insert(name.clone());
        self.turn(name);
        Ok(true)
    }

    /// The set of that name, if it was added.
    #[must_use]
    pub fn set(&self, name: &IpsetName) -> Option<&AddressSet> {
        self.sets.get(name)
    }

    /// The sets, by name.
    pub fn sets(&self) -> impl Iterator<Item = &AddressSet> {
        self.sets.values()
    }

    /// Adds a member; host bits do not count. Returns whether it is new.
    ///
    /// # Errors
    /// [`ModelError::UnknownSet`], [`ModelError::MemberFamily`], and [`ModelError::NoHost`] when the set has hosts only.
    pub fn add_member(&mut self, set: &IpsetName, member: IpNetwork) -> Result<bool, ModelError> {
        let member = self.member(self.known_set(set)?, member)?;
        Ok(self.change_set(set, |set| set.add(member)))
    }

    /// Removes a member. Returns whether it was one.
    ///
    /// # Errors
    /// [`ModelError::UnknownSet`].
    pub fn remove_member(&mut self, set: &IpsetName, member: IpNetwork) -> Result<bool, ModelError> {
        self.known_set(set)?;
        Ok(self.change_set(set, |set| set.remove(masked(member))))
    }

    /// Makes these the members. Returns whether anything changed; members that were there and still are do not.
    ///
    /// # Errors
    /// As [`add_member`](Table::add_member); nothing changes then.
    pub fn replace_members(
        &mut self,
        set: &IpsetName,
        members: impl IntoIterator<Item = IpNetwork>,
    ) -> Result<bool, ModelError> {
        let known = self.known_set(set)?;
        let wanted: BTreeSet<_> =
            members.into_iter().map(|member| self.member(known, member)).collect::<Result<_, _>>()?;
        Ok(self.change_set(set, |set| set.replace(&wanted)))
    }

    /// Removes a set with its members. Returns whether it was there.
    ///
    /// # Errors
    /// [`ModelError::SetInUse`] while a rule of the table refers to it.
    pub fn remove_set(&mut self, set: &IpsetName) -> Result<bool, ModelError> {
        if !self.sets.contains_key(set) {
            return Ok(false);
        }
        let referring = self.set_refs.get(set).map(Refs::pairs).unwrap_or_default();
        if let Some(chain) = referring.first().and_then(|(id, _)| self.at(*id)) {
            return Err(ModelError::SetInUse { table: self.id, set: set.clone(), chain: chain.name.clone() });
        }
        if let Some(mut gone) = self.sets.remove(set).filter(|set| set.edits().is_some()) {
            gone.replace(&BTreeSet::new());
            self.removed_sets.insert(set.clone(), gone);
        }
        self.dirty_sets.insert(set.clone());
        Ok(true)
    }

    /// Whether a rule of the table names the set, be it the table's or not.
    #[must_use]
    pub fn is_set_referenced(&self, set: &IpsetName) -> bool {
        self.set_refs.contains_key(set)
    }

    /// The sets that changed since [`mark_applied`](crate::wrap::Model::mark_applied), by name; those that
    /// [`set`](Table::set) does not find any more are to go.
    pub fn dirty_sets(&self) -> impl Iterator<Item = &IpsetName> {
        self.dirty_sets.iter()
    }

    pub(super) fn mark_sets_applied(&mut self) {
        self.removed_sets.clear();
        for name in std::mem::take(&mut self.dirty_sets) {
            if let Some(set) = self.sets.get_mut(&name) {
                set.mark_applied();
            }
        }
    }

    /// Notes that a rule is there which may refer to sets.
    pub(super) fn link_sets(&mut self, id: ChainId, rule: &Rule, hash: u32) {
        for name in rule.set_names() {
            match self.set_refs.get_mut(name) {
                Some(refs) => refs.add(id, hash),
                None => self.set_refs.entry(name.clone()).or_default().add(id, hash),
            }
        }
    }

    /// Notes that such a rule is gone.
    pub(super) fn unlink_sets(&mut self, id: ChainId, rule: &Rule, hash: u32) {
        for name in rule.set_names() {
            let Some(refs) = self.set_refs.get_mut(name) else { continue };
            refs.remove(id, hash);
            if refs.is_empty() {
                self.set_refs.remove(name);
            }
        }
    }

    fn known_set(&self, name: &IpsetName) -> Result<&AddressSet, ModelError> {
        self.set(name).ok_or_else(|| ModelError::UnknownSet { table: self.id, set: name.clone() })
    }

    /// The member as it is kept.
    fn member(&self, set: &AddressSet, member: IpNetwork) -> Result<IpNetwork, ModelError> {
        let family = Family::of(member.ip());
        let (table, name) = (self.id, || set.name().clone());
        if family != table.family {
            return Err(ModelError::MemberFamily { table, set: name(), member });
        }
        let member = masked(member);
        // The kernel has no place for the unspecified address in a set of hosts.
        let is_host = member.prefix() == family.max_prefix() && !member.ip().is_unspecified();
        if set.kind() == SetKind::Addresses && !is_host {
            return Err(ModelError::NoHost { table, set: name(), member });
        }
        Ok(member)
    }

    fn change_set(&mut self, name: &IpsetName, change: impl FnOnce(&mut AddressSet) -> bool) -> bool {
        let changed = self.sets.get_mut(name).is_some_and(change);
        if changed && !self.dirty_sets.contains(name) {
            self.dirty_sets.insert(name.clone());
        }
        changed
    }

    /// Rules that name the set mean something else from now on.
    fn turn(&mut self, name: &IpsetName) {
        let mut chains: Vec<_> =
            self.set_refs.get(name).map(Refs::pairs).unwrap_or_default().into_iter().map(|(id, _)| id).collect();
        chains.dedup();
        for id in chains {
            if let Some(chain) = self.at_mut(id) {
                chain.slots.forget_edits();
            }
            self.touch(id);
        }
    }
}
