//! What an earlier process of the component left, as far as it cannot be computed from the state: the scopes' marks, and
//! what was translated.
//!
//! Owns: reading them from the rules in the kernel, in either layout.
//! Never: believes a mark that is not clear; see [`marks`](super::marks).

use std::collections::HashSet;

use super::ended::Translation;
use super::marks::{MASK, ScopeMarks, recover};
use super::names::Names;
use super::state::{Id, Router};
use crate::compile::{NoIpsets, stock};
use crate::kernel::{Error, Kernel};
use crate::layout::native::lift::{self, Standing};
use crate::name::{ChainName, InterfaceName, WrapName};
use crate::nft;
use crate::rule::{Family, InterfaceMatch, Not, Rule, Target};
use crate::wrap::TableKind;

/// The marks that the router's scopes have in the kernel.
pub(super) fn marks<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    router: &Router,
    names: &Names,
) -> Result<ScopeMarks, Error> {
    let mut found = Vec::new();
    for family in Family::BOTH {
        let marked = marked(kernel, component, family)?;
        for (device, scope) in devices(router, names, family) {
            let own = marked.iter().filter(|(other, _)| *other == device);
            found.extend(own.map(|(_, mark)| (scope.clone(), *mark)));
        }
    }
    Ok(recover(&found))
}

fn devices(router: &Router, names: &Names, family: Family) -> Vec<(InterfaceName, Option<Id>)> {
    let ports = router.ports.iter().map(|port| &port.scopes).zip(&names.ports);
    let outside = router.gateway.iter().map(|gateway| &gateway.scopes).zip(&names.external);
    ports.chain(outside).map(|(scopes, device)| (device.clone(), scopes.of(family).cloned())).collect()
}

/// What an earlier process's rules translate.
pub(super) fn translations<K: Kernel>(kernel: &mut K, component: &WrapName) -> Result<HashSet<Translation>, Error> {
    let rules = standing(kernel, component, Family::Ipv4, TableKind::Nat, |_| true)?;
    Ok(rules.iter().filter_map(Translation::of).collect())
}

/// The devices whose packets are marked with a scope.
fn marked<K: Kernel>(kernel: &mut K, component: &WrapName, family: Family) -> Result<Vec<(InterfaceName, u32)>, Error> {
    let rules = standing(kernel, component, family, TableKind::Mangle, |chain| chain == "scope")?;
    Ok(rules.iter().filter_map(mark).collect())
}

/// The rules of the component's chains in a table, in either layout.
fn standing<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    family: Family,
    kind: TableKind,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Rule>, Error> {
    let is_wanted = |chain: &ChainName| {
        let own = chain.as_str().strip_prefix(component.as_str()).and_then(|rest| rest.strip_prefix('-'));
        own.is_some_and(&wanted)
    };
    let mut rules = Vec::new();
    for table in kernel.tables(family.into())? {
        if table.name.as_str() == kind.name() {
            let standing = kernel.rules(family.into(), &table.name, None)?;
            let own = standing.iter().filter(|rule| is_wanted(&rule.chain));
            rules.extend(own.filter_map(|rule| stock::lift(&rule.expressions, None, family, &NoIpsets).ok()));
        } else if table.name.as_str().strip_suffix(kind.name()).is_some_and(|group| group.ends_with('-')) {
            rules.extend(native(kernel, &table, family, &is_wanted)?);
        }
    }
    Ok(rules)
}

/// The rules of chains in a table of the native layout.
fn native<K: Kernel>(
    kernel: &mut K,
    table: &nft::Table,
    family: Family,
    is_wanted: &dyn Fn(&ChainName) -> bool,
) -> Result<Vec<Rule>, Error> {
    let nft_family = family.into();
    let mut chains = kernel.chains(nft_family)?;
    chains.retain(|chain| chain.table == table.name);
    let rules = kernel.rules(nft_family, &table.name, None)?;
    let mut sets = Vec::new();
    for set in kernel.sets(nft_family, &table.name)? {
        let elements = kernel.elements(nft_family, &table.name, &set.name)?;
        sets.push((set, elements));
    }
    let standing = Standing { family, chains: &chains, rules: &rules, sets: &sets };
    let lifted = lift::lift(&standing, &NoIpsets).chains.into_iter().filter(|lifted| is_wanted(&lifted.name));
    Ok(lifted.flat_map(|chain| chain.rules).filter_map(|rule| rule.rule.ok()).collect())
}

/// The device and the mark, if that is what the rule says.
fn mark(rule: &Rule) -> Option<(InterfaceName, u32)> {
    match (&rule.input, &rule.target) {
        (Some(Not { negated: false, value: InterfaceMatch::Name(device) }), Some(Target::Mark(mark)))
            if mark.mask == MASK =>
        {
            Some((device.clone(), mark.value))
        }
        _ => None,
    }
}
