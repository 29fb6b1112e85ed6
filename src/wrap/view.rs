//! One table of both families at once.
//!
//! Owns: which families an operation goes to.
//! Never: holds state; it is a way to call [`Table`]s.
//!
//! A rule that is bound to a family, by an address or a match of its own, goes to that family's table; any other goes to
//! both. A view of one family refuses what is bound to the other.

use super::builtin::TableKind;
use super::entry::{Addition, Place};
use super::error::ModelError;
use super::family;
use super::model::Model;
use super::naming::ChainKey;
use super::table::Table;
use crate::rule::{Family, Rule};

/// A table in one or both families.
#[derive(Debug)]
#[must_use]
pub struct View<'m> {
    model: &'m mut Model,
    kind: TableKind,
    /// `None`: all that the model has.
    family: Option<Family>,
}

/// A chain in one or both families.
#[derive(Debug)]
#[must_use]
pub struct ChainView<'m> {
    view: View<'m>,
    wrapped: bool,
    name: String,
}

impl<'m> View<'m> {
    pub(super) fn new(model: &'m mut Model, kind: TableKind) -> Self {
        Self { model, kind, family: None }
    }

    /// Only the IPv4 table.
    pub fn v4(self) -> Self {
        Self { family: Some(Family::Ipv4), ..self }
    }

    /// Only the IPv6 table.
    pub fn v6(self) -> Self {
        Self { family: Some(Family::Ipv6), ..self }
    }

    /// The wrapped chain of that logical name; it is added if it is not there.
    ///
    /// # Errors
    /// As [`Table::add_chain`].
    pub fn chain(self, name: &str) -> Result<ChainView<'m>, ModelError> {
        let mut chain = ChainView { view: self, wrapped: true, name: name.to_owned() };
        chain.each(|table, key| table.add_chain(key))?;
        Ok(chain)
    }

    /// The component's rules in a chain that is not wrapped: built in, shared or foreign.
    pub fn unwrapped(self, name: &str) -> ChainView<'m> {
        ChainView { view: self, wrapped: false, name: name.to_owned() }
    }

    /// Adds an unwrapped chain, which components share by its name. Returns whether it is new.
    ///
    /// # Errors
    /// As [`Table::add_chain`].
    pub fn add_shared(&mut self, name: &str) -> Result<bool, ModelError> {
        self.each(|table| table.add_chain(ChainKey::Named(name)))
    }

    /// Removes the wrapped chain of that logical name with its rules and every jump to it. Returns whether it was there.
    ///
    /// # Errors
    /// As [`Table::remove_chain`].
    pub fn remove_chain(&mut self, name: &str) -> Result<bool, ModelError> {
        self.each(|table| table.remove_chain(ChainKey::Wrapped(name)))
    }

    /// Removes every rule with the tag. Returns how many there were.
    ///
    /// # Errors
    /// [`ModelError::Ipv6Off`].
    pub fn clear_by_tag(&mut self, tag: &str) -> Result<usize, ModelError> {
        let mut removed = 0;
        self.each(|table| {
            removed += table.clear_by_tag(tag);
            Ok(false)
        })?;
        Ok(removed)
    }

    fn families(&self) -> Result<&'static [Family], ModelError> {
        match self.family {
            None if self.model.has_ipv6() => Ok(&Family::BOTH),
            None | Some(Family::Ipv4) => Ok(&[Family::Ipv4]),
            Some(Family::Ipv6) if self.model.has_ipv6() => Ok(&[Family::Ipv6]),
            Some(Family::Ipv6) => Err(ModelError::Ipv6Off),
        }
    }

    /// Runs the operation on each family's table; true if it was for one.
    fn each(&mut self, mut run: impl FnMut(&mut Table) -> Result<bool, ModelError>) -> Result<bool, ModelError> {
        let mut any = false;
        for &family in self.families()? {
            any |= run(self.model.table_mut(family, self.kind)?)?;
        }
        Ok(any)
    }

    /// The families that the rule goes to.
    fn families_of(&self, rule: &Rule) -> Result<Vec<Family>, ModelError> {
        let families = self.families()?;
        // A view of one family leaves a wrong binding to the table, which says what binds the rule.
        let bound = if self.family.is_none() { family::binding(rule)? } else { None };
        match bound {
            None => Ok(families.to_vec()),
            Some((family, _)) if families.contains(&family) => Ok(vec![family]),
            Some(_) => Err(ModelError::Ipv6Off),
        }
    }
}

impl ChainView<'_> {
    /// Adds a rule, as [`Table::add_rule`]. Returns whether it is new in any family.
    ///
    /// # Errors
    /// As [`Table::add_rule`], and [`ModelError::Ipv6Off`].
    pub fn append(&mut self, rule: impl Into<Addition>) -> Result<bool, ModelError> {
        let addition = rule.into();
        let mut any = false;
        for family in self.view.families_of(&addition.rule)? {
            let key = key(self.wrapped, &self.name);
            any |= self.view.model.table_mut(family, self.view.kind)?.add_rule(key, addition.clone())?;
        }
        Ok(any)
    }

    /// Makes these the rules of the chain, as [`Table::replace_chain`]. Returns whether anything changed.
    ///
    /// # Errors
    /// As [`Table::replace_chain`], and [`ModelError::Ipv6Off`]. All families are checked before any changes.
    pub fn replace<R: Into<Addition>>(&mut self, rules: impl IntoIterator<Item = R>) -> Result<bool, ModelError> {
        let mut of = Vec::new();
        for addition in rules.into_iter().map(Into::into) {
            of.push((self.view.families_of(&addition.rule)?, addition));
        }
        self.each(|table, key| {
            let family = table.id().family;
            let own = of.iter().filter(|(families, _)| families.contains(&family));
            table.replace_chain(key, own.map(|(_, addition)| addition.clone()))
        })
    }

    /// Removes a rule, as [`Table::remove_rule`]. Returns whether it was there.
    ///
    /// # Errors
    /// As [`Table::remove_rule`].
    pub fn remove(&mut self, rule: &Rule, place: Place) -> Result<bool, ModelError> {
        let mut any = false;
        for family in self.view.families_of(rule)? {
            let key = key(self.wrapped, &self.name);
            any |= self.view.model.table_mut(family, self.view.kind)?.remove_rule(key, rule, place)?;
        }
        Ok(any)
    }

    /// Removes all rules; the chain stays. Returns whether there were any.
    ///
    /// # Errors
    /// As [`Table::empty_chain`].
    pub fn clear(&mut self) -> Result<bool, ModelError> {
        self.each(|table, key| table.empty_chain(key).map(|removed| removed > 0))
    }

    /// Removes the chain, its rules and every jump to it. Returns whether it was there.
    ///
    /// # Errors
    /// As [`Table::remove_chain`].
    pub fn delete(mut self) -> Result<bool, ModelError> {
        self.each(|table, key| table.remove_chain(key))
    }

    fn each(
        &mut self,
        mut run: impl FnMut(&mut Table, ChainKey<'_>) -> Result<bool, ModelError>,
    ) -> Result<bool, ModelError> {
        let (wrapped, name) = (self.wrapped, &self.name);
        self.view.each(|table| run(table, key(wrapped, name)))
    }
}

fn key(wrapped: bool, name: &str) -> ChainKey<'_> {
    if wrapped { ChainKey::Wrapped(name) } else { ChainKey::Named(name) }
}
