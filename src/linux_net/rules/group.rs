//! Rules that belong together: added, found and removed as one.
//!
//! Owns: where a rule stands (table and wrapped chain), and that a group is there whole or not at all.
//! Never: knows what a rule is for.
//!
//! Invariant: [`add`] and [`replace`] look at every chain before they change any.

use crate::rule::{Family, Rule};
use crate::wrap::{ChainKey, Model, ModelError, Place, TableId, TableKind};

/// A rule in a wrapped chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    family: Family,
    kind: TableKind,
    chain: &'static str,
    rule: Rule,
}

impl Placed {
    /// In a chain of `filter`.
    pub(super) fn filter(family: Family, chain: &'static str, rule: Rule) -> Self {
        Self { family, kind: TableKind::Filter, chain, rule }
    }

    /// In a chain of the IPv4 `nat`.
    pub(super) fn nat(chain: &'static str, rule: Rule) -> Self {
        Self { family: Family::Ipv4, kind: TableKind::Nat, chain, rule }
    }

    /// In a chain of the IPv4 `mangle`.
    pub(super) fn mangle(chain: &'static str, rule: Rule) -> Self {
        Self { family: Family::Ipv4, kind: TableKind::Mangle, chain, rule }
    }

    fn key(&self) -> ChainKey<'static> {
        ChainKey::Wrapped(self.chain)
    }
}

/// Adds those that are not there, at the end of their chains. Returns whether there were any.
pub(super) fn add(model: &mut Model, rules: &[Placed]) -> Result<bool, ModelError> {
    check(model, rules)?;
    let mut any = false;
    for placed in rules {
        any |= model.table_mut(placed.family, placed.kind)?.add_rule(placed.key(), &placed.rule)?;
    }
    Ok(any)
}

/// Removes those that are there. Returns whether there were any.
pub(super) fn remove(model: &mut Model, rules: &[Placed]) -> Result<bool, ModelError> {
    let mut any = false;
    for placed in rules {
        // A table that nobody used has no rule to remove, and is not made for that.
        if model.table(placed.family, placed.kind).is_some() {
            let table = model.table_mut(placed.family, placed.kind)?;
            any |= table.remove_rule(placed.key(), &placed.rule, Place::Normal)?;
        }
    }
    Ok(any)
}

/// Puts the wanted rules in place of the stale ones, in their order. When all of them are there and nothing is stale they
/// stay where they are. Returns whether anything changed.
pub(super) fn replace(model: &mut Model, wanted: &[Placed], stale: &[Placed]) -> Result<bool, ModelError> {
    check(model, wanted)?;
    let stale: Vec<Placed> = stale.iter().filter(|rule| !wanted.contains(rule)).cloned().collect();
    let dirty = remove(model, &stale)?;
    if !dirty && wanted.iter().all(|rule| stands(model, rule)) {
        return Ok(false);
    }
    remove(model, wanted)?;
    add(model, wanted)?;
    Ok(true)
}

fn stands(model: &Model, placed: &Placed) -> bool {
    model
        .table(placed.family, placed.kind)
        .is_some_and(|table| table.has_rule(placed.key(), &placed.rule, Place::Normal))
}

/// Whether every rule's chain is there, in a table that is made for it if need be.
fn check(model: &mut Model, rules: &[Placed]) -> Result<(), ModelError> {
    for placed in rules {
        if !model.table_mut(placed.family, placed.kind)?.has_chain(placed.key()) {
            let chain = model.wrapped_name(placed.chain)?.as_str().to_owned();
            return Err(ModelError::UnknownChain { table: TableId::new(placed.family, placed.kind), chain });
        }
    }
    Ok(())
}
