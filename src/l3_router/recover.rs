//! What an earlier process of the component left, as far as it cannot be computed from the state: the scopes' marks,
//! what was translated, and names that are hashes.
//!
//! Owns: reading them from chains and rules in the kernel, in either layout.
//! Never: believes a mark that is not clear; see [`marks`](super::marks).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::RouterOptions;
use super::ended::Translation;
use super::marks::{MASK, ScopeMarks, recover};
use super::names::{Given, Names};
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
    let chains = standing(kernel, component, Family::Ipv4, TableKind::Nat)?;
    Ok(chains.values().flatten().filter_map(Translation::of).collect())
}

/// The names that chains of the router have. Both families have the same.
pub(super) fn names<K: Kernel>(kernel: &mut K, router: &Router, options: &RouterOptions) -> Result<Given, Error> {
    let own = [(&options.component, TableKind::Nat), (&options.component, TableKind::Raw)];
    let mut stand = BTreeSet::new();
    for (component, kind) in own.into_iter().chain([(&options.meter, TableKind::Filter)]) {
        stand.extend(standing(kernel, component, Family::Ipv4, kind)?.into_keys());
    }
    Ok(Given::found(router, |name| stand.contains(name)))
}

/// The devices whose packets are marked with a scope.
fn marked<K: Kernel>(kernel: &mut K, component: &WrapName, family: Family) -> Result<Vec<(InterfaceName, u32)>, Error> {
    let chains = standing(kernel, component, family, TableKind::Mangle)?;
    Ok(chains.get("scope").into_iter().flatten().filter_map(mark).collect())
}

/// The component's chains of a table by their own names, with their rules, in either layout.
fn standing<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    family: Family,
    kind: TableKind,
) -> Result<BTreeMap<String, Vec<Rule>>, Error> {
    let own = |chain: &ChainName| {
        let own = chain.as_str().strip_prefix(component.as_str()).and_then(|rest| rest.strip_prefix('-'));
        own.map(str::to_owned)
    };
    let mut found: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for table in kernel.tables(family.into())? {
        let is_native = table.name.as_str().strip_suffix(kind.name()).is_some_and(|group| group.ends_with('-'));
        let chains = match table.name.as_str() == kind.name() {
            true => shared(kernel, &table, family)?,
            false if is_native => native(kernel, &table, family)?,
            false => continue,
        };
        for (chain, rules) in chains {
            if let Some(own) = own(&chain) {
                found.entry(own).or_default().extend(rules);
            }
        }
    }
    Ok(found)
}

/// The chains of a table of iptables.
fn shared<K: Kernel>(kernel: &mut K, table: &nft::Table, family: Family) -> Result<Vec<(ChainName, Vec<Rule>)>, Error> {
    let chains = kernel.chains(family.into())?.into_iter().filter(|chain| chain.table == table.name);
    let mut all: Vec<_> = chains.map(|chain| (chain.name, Vec::new())).collect();
    for rule in kernel.rules(family.into(), &table.name, None)? {
        let lifted = stock::lift(&rule.expressions, None, family, &NoIpsets).ok();
        if let Some((lifted, (_, rules))) = lifted.zip(all.iter_mut().find(|(name, _)| *name == rule.chain)) {
            rules.push(lifted);
        }
    }
    Ok(all)
}

/// The chains of a table of the native layout.
fn native<K: Kernel>(kernel: &mut K, table: &nft::Table, family: Family) -> Result<Vec<(ChainName, Vec<Rule>)>, Error> {
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
    let lifted = lift::lift(&standing, &NoIpsets).chains.into_iter();
    Ok(lifted.map(|chain| (chain.name, chain.rules.into_iter().filter_map(|rule| rule.rule.ok()).collect())).collect())
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
