//! Units in a model.
//!
//! Owns: what each key has in the model, which unit a chain or set is, how many units want a rule in a shared chain, and
//! the way back.
//! Never: sends anything.
//!
//! Invariant: every step that changed something is in the list of steps to undo before the next one is tried.
//! Invariant: work follows the unit, not the host.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::error::WriteError;
use super::unit::{OwnChain, OwnSet, SharedRule, Unit};
use super::{Change, Key};
use crate::name::IpsetName;
use crate::wrap::{Addition, Model, ModelError, SetKind, Table, TableId};

/// Who has what was in the model before the units.
const NOBODY: &str = "no unit";

/// What stands in the model for each key.
#[derive(Debug)]
pub(super) struct Installed<U> {
    units: HashMap<U, Arc<Unit>>,
    /// Which unit has a chain of its own.
    chains: HashMap<(TableId, Arc<str>), U>,
    sets: HashMap<(TableId, IpsetName), U>,
    /// How many units want the rule.
    shared: HashMap<SharedRule, usize>,
}

/// A step that was taken, with what it takes to undo it.
#[derive(Debug)]
pub(super) enum Step<U> {
    AddedSet(TableId, IpsetName),
    RemovedSet(TableId, IpsetName, SetKind, U),
    AddedMember(TableId, IpsetName, IpNetwork),
    RemovedMember(TableId, IpsetName, IpNetwork),
    AddedChain(TableId, Arc<str>),
    RemovedChain(TableId, Arc<str>, U),
    /// The rules of the unit's chain of that number were replaced.
    Filled(Arc<Unit>, usize),
    Wanted(SharedRule),
    Left(SharedRule),
    Turned(U, Option<Arc<Unit>>),
}

impl<U> Default for Installed<U> {
    fn default() -> Self {
        Self { units: HashMap::new(), chains: HashMap::new(), sets: HashMap::new(), shared: HashMap::new() }
    }
}

fn table(model: &mut Model, id: TableId) -> Result<&mut Table, ModelError> {
    model.table_mut(id.family, id.kind)
}

impl<U: Key> Installed<U> {
    /// Makes the change. What it did is in `steps`, also when it fails.
    pub(super) fn change(
        &mut self,
        model: &mut Model,
        change: &Change<U>,
        steps: &mut Vec<Step<U>>,
    ) -> Result<(), WriteError> {
        match change {
            Change::Put(key, unit) => self.turn(model, key, Some(unit), steps),
            Change::Remove(key) => self.turn(model, key, None, steps),
            Change::Members { key, table: id, set, add, remove } => {
                self.owns_set(key, *id, set)?;
                change_members(table(model, *id)?, set, add, remove, steps)
            }
            Change::AllMembers { key, table: id, set, members } => {
                self.owns_set(key, *id, set)?;
                let table = table(model, *id)?;
                let wanted: HashSet<_> = members.iter().collect();
                let gone: Vec<_> = table
                    .set(set)
                    .map(|set| set.members().filter(|member| !wanted.contains(member)).collect())
                    .unwrap_or_default();
                change_members(table, set, members, &gone, steps)
            }
        }
    }

    /// Takes steps back, the last one first.
    pub(super) fn take_back(&mut self, model: &mut Model, steps: Vec<Step<U>>) {
        for step in steps.into_iter().rev() {
            let back = self.undo(model, step);
            // What stood before fitted the model then, and fits it again.
            debug_assert!(back.is_ok(), "{back:?}");
        }
    }

    fn owns_set(&self, key: &U, table: TableId, set: &IpsetName) -> Result<(), WriteError> {
        match self.sets.get(&(table, set.clone())) {
            Some(owner) if owner == key => Ok(()),
            owner => {
                let owner = owner.map_or_else(|| NOBODY.to_owned(), U::to_string);
                Err(WriteError::SetTaken { table, set: set.clone(), owner })
            }
        }
    }

    fn owns_chain(&self, key: &U, table: TableId, chain: &Arc<str>) -> Result<(), WriteError> {
        match self.chains.get(&(table, Arc::clone(chain))) {
            Some(owner) if owner == key => Ok(()),
            owner => {
                let owner = owner.map_or_else(|| NOBODY.to_owned(), U::to_string);
                Err(WriteError::ChainTaken { table, chain: Arc::clone(chain), owner })
            }
        }
    }

    /// Takes a key's part of the model from what it is to another unit.
    fn turn(
        &mut self,
        model: &mut Model,
        key: &U,
        unit: Option<&Arc<Unit>>,
        steps: &mut Vec<Step<U>>,
    ) -> Result<(), WriteError> {
        let none = Arc::new(Unit::new());
        let from = self.units.get(key).cloned();
        let (old, new) = (from.as_ref().unwrap_or(&none), unit.unwrap_or(&none));
        for OwnSet { table: id, name, kind } in &new.sets {
            if table(model, *id)?.add_set(name, *kind)? {
                self.sets.insert((*id, name.clone()), key.clone());
                steps.push(Step::AddedSet(*id, name.clone()));
            }
            self.owns_set(key, *id, name)?;
        }
        // Chains lead to one another, so all are there before any has rules.
        for OwnChain { table: id, name, .. } in &new.chains {
            if table(model, *id)?.add_chain(&**name)? {
                self.chains.insert((*id, Arc::clone(name)), key.clone());
                steps.push(Step::AddedChain(*id, Arc::clone(name)));
            }
            self.owns_chain(key, *id, name)?;
        }
        for chain in &new.chains {
            let rules = chain.rules.iter().map(Arc::clone);
            let changed = table(model, chain.table)?.replace_chain(&*chain.name, rules)?;
            // The rules of a chain that was added go with it.
            if let Some(was) = old.chains.iter().position(|other| same_chain(other, chain)).filter(|_| changed) {
                steps.push(Step::Filled(Arc::clone(old), was));
            }
        }
        for rule in new.rules.iter().filter(|rule| !old.rules.contains(rule)) {
            self.want(model, rule)?;
            steps.push(Step::Wanted(rule.clone()));
        }
        for rule in old.rules.iter().filter(|rule| !new.rules.contains(rule)) {
            self.leave(model, rule)?;
            steps.push(Step::Left(rule.clone()));
        }
        self.clear_away(model, key, old, new, steps)?;
        steps.push(Step::Turned(key.clone(), from.clone()));
        self.remember(key, unit.cloned());
        Ok(())
    }

    /// Removes chains and sets that the new unit does not have.
    fn clear_away(
        &mut self,
        model: &mut Model,
        key: &U,
        old: &Arc<Unit>,
        new: &Unit,
        steps: &mut Vec<Step<U>>,
    ) -> Result<(), WriteError> {
        let stays = |chain: &OwnChain| new.chains.iter().any(|other| same_chain(other, chain));
        let going = || old.chains.iter().enumerate().filter(|(_, chain)| !stays(chain));
        for (number, chain) in going() {
            // They may lead to one another.
            if table(model, chain.table)?.empty_chain(&*chain.name)? > 0 {
                steps.push(Step::Filled(Arc::clone(old), number));
            }
        }
        for (_, chain) in going() {
            let (id, name) = (chain.table, &chain.name);
            let table = table(model, id)?;
            if table.is_referenced(&**name) {
                return Err(WriteError::ChainInUse { table: id, chain: Arc::clone(name) });
            }
            table.remove_chain(&**name)?;
            self.chains.remove(&(id, Arc::clone(name)));
            steps.push(Step::RemovedChain(id, Arc::clone(name), key.clone()));
        }
        let stays = |set: &OwnSet| new.sets.iter().any(|other| other.table == set.table && other.name == set.name);
        for set in old.sets.iter().filter(|set| !stays(set)) {
            let table = table(model, set.table)?;
            let members: Vec<_> = table.set(&set.name).map(|set| set.members().collect()).unwrap_or_default();
            for member in members {
                table.remove_member(&set.name, member)?;
                steps.push(Step::RemovedMember(set.table, set.name.clone(), member));
            }
            table.remove_set(&set.name)?;
            self.sets.remove(&(set.table, set.name.clone()));
            steps.push(Step::RemovedSet(set.table, set.name.clone(), set.kind, key.clone()));
        }
        Ok(())
    }

    fn undo(&mut self, model: &mut Model, step: Step<U>) -> Result<(), WriteError> {
        match step {
            Step::AddedSet(id, name) => {
                table(model, id)?.remove_set(&name)?;
                self.sets.remove(&(id, name));
            }
            Step::RemovedSet(id, name, kind, key) => {
                table(model, id)?.add_set(&name, kind)?;
                self.sets.insert((id, name), key);
            }
            Step::AddedMember(id, set, member) => drop(table(model, id)?.remove_member(&set, member)?),
            Step::RemovedMember(id, set, member) => drop(table(model, id)?.add_member(&set, member)?),
            Step::AddedChain(id, name) => {
                table(model, id)?.remove_chain(&*name)?;
                self.chains.remove(&(id, name));
            }
            Step::RemovedChain(id, name, key) => {
                table(model, id)?.add_chain(&*name)?;
                self.chains.insert((id, name), key);
            }
            Step::Filled(unit, number) => {
                if let Some(chain) = unit.chains.get(number) {
                    table(model, chain.table)?.replace_chain(&*chain.name, chain.rules.iter().map(Arc::clone))?;
                }
            }
            Step::Wanted(rule) => self.leave(model, &rule)?,
            Step::Left(rule) => self.want(model, &rule)?,
            Step::Turned(key, unit) => self.remember(&key, unit),
        }
        Ok(())
    }

    fn remember(&mut self, key: &U, unit: Option<Arc<Unit>>) {
        match unit {
            Some(unit) => self.units.insert(key.clone(), unit),
            None => self.units.remove(key),
        };
    }

    fn want(&mut self, model: &mut Model, rule: &SharedRule) -> Result<(), WriteError> {
        let count = self.shared.get(rule).copied().unwrap_or(0);
        if count == 0 {
            let addition = Addition::new(Arc::clone(&rule.rule)).place(rule.place);
            table(model, rule.table)?.add_rule(&*rule.chain, addition)?;
        }
        self.shared.insert(rule.clone(), count + 1);
        Ok(())
    }

    fn leave(&mut self, model: &mut Model, rule: &SharedRule) -> Result<(), WriteError> {
        let count = self.shared.get(rule).copied().unwrap_or(0);
        if count > 1 {
            self.shared.insert(rule.clone(), count - 1);
            return Ok(());
        }
        table(model, rule.table)?.remove_rule(&*rule.chain, &rule.rule, rule.place)?;
        self.shared.remove(rule);
        Ok(())
    }
}

fn change_members<U>(
    table: &mut Table,
    set: &IpsetName,
    add: &[IpNetwork],
    remove: &[IpNetwork],
    steps: &mut Vec<Step<U>>,
) -> Result<(), WriteError> {
    let id = table.id();
    for &member in remove {
        if table.remove_member(set, member)? {
            steps.push(Step::RemovedMember(id, set.clone(), member));
        }
    }
    for &member in add {
        if table.add_member(set, member)? {
            steps.push(Step::AddedMember(id, set.clone(), member));
        }
    }
    Ok(())
}

fn same_chain(one: &OwnChain, other: &OwnChain) -> bool {
    one.table == other.table && one.name == other.name
}
