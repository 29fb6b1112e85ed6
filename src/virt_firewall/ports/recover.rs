//! Zones from what stands in the kernel.
//!
//! Owns: which tables and chain are read, in both layouts, and which rules give a zone.
//! Never: changes anything; takes a rule of another component for its own.
//!
//! The other layout's tables are read as well: an agent that changes its layout keeps its zones.

use std::collections::BTreeSet;

use super::names::{Driver, Path, ZoneKey};
use crate::compile::{NoIpsets, stock};
use crate::kernel::{Error, Kernel};
use crate::layout::Layout;
use crate::layout::native::lift::{self, Standing};
use crate::name::{ChainName, InterfaceName, TableName, WrapName};
use crate::nft;
use crate::rule::targets::CtZoneId;
use crate::rule::{Family, InterfaceMatch, Match, Not, Rule, Target};
use crate::wrap::TableKind;

/// Where the zones of a firewall stand.
#[derive(Debug)]
pub(super) struct Where<'a> {
    pub(super) layout: &'a Layout,
    pub(super) component: &'a WrapName,
    /// The chain that the zones are given in.
    pub(super) chain: &'a ChainName,
    pub(super) families: &'a [Family],
}

/// The zones that rules in the kernel give, by key and number.
pub(super) fn zones<K: Kernel>(
    kernel: &mut K,
    place: &Where<'_>,
    driver: Driver,
    path: Path,
) -> Result<BTreeSet<(ZoneKey, u16)>, Error> {
    let mut zones = BTreeSet::new();
    let group = match place.layout {
        Layout::Native(native) => native.group.as_ref().unwrap_or(place.component),
        Layout::Iptables => place.component,
    };
    let stock = TableKind::Raw.name();
    let native = format!("{group}-{stock}");
    for &family in place.families {
        for table in kernel.tables(family.into())? {
            let rules = match table.name.as_str() {
                name if name == stock => of_iptables(kernel, family, &table.name, place.chain)?,
                name if name == native => of_native(kernel, family, &table.name, place.chain)?,
                _ => continue,
            };
            zones.extend(rules.iter().filter_map(|rule| given_by(rule, driver, path)));
        }
    }
    Ok(zones)
}

fn of_iptables<K: Kernel>(
    kernel: &mut K,
    family: Family,
    table: &TableName,
    chain: &ChainName,
) -> Result<Vec<Rule>, Error> {
    let rules = kernel.rules(family.into(), table, Some(chain))?;
    // A rule that no iptables rule is gives no zone of ours.
    Ok(rules.iter().filter_map(|rule| stock::lift(&rule.expressions, None, family, &NoIpsets).ok()).collect())
}

fn of_native<K: Kernel>(
    kernel: &mut K,
    family: Family,
    table: &TableName,
    chain: &ChainName,
) -> Result<Vec<Rule>, Error> {
    let of = nft::Family::from(family);
    let mut sets = Vec::new();
    for set in kernel.sets(of, table)? {
        let elements = kernel.elements(of, table, &set.name)?;
        sets.push((set, elements));
    }
    let mut chains = kernel.chains(of)?;
    chains.retain(|chain| chain.table == *table);
    let rules = kernel.rules(of, table, None)?;
    let lifted = lift::lift(&Standing { family, chains: &chains, rules: &rules, sets: &sets }, &NoIpsets);
    let chain = lifted.chains.into_iter().find(|lifted| lifted.name == *chain);
    Ok(chain.into_iter().flat_map(|chain| chain.rules).filter_map(|rule| rule.rule.ok()).collect())
}

/// The zone that a rule gives to a device.
fn given_by(rule: &Rule, driver: Driver, path: Path) -> Option<(ZoneKey, u16)> {
    let Some(Target::Ct(ct)) = &rule.target else { return None };
    let CtZoneId::Number(zone) = ct.zone?.id else { return None };
    let port = rule.matches.iter().find_map(|m| match m {
        Match::Physdev(ports) => ports.input.as_ref(),
        _ => None,
    });
    let device = port.or(rule.input.as_ref()).and_then(exactly)?;
    Some((driver.recovered_key(port.is_some(), path, device)?, zone))
}

fn exactly(interface: &Not<InterfaceMatch>) -> Option<&InterfaceName> {
    match interface {
        Not { negated: false, value: InterfaceMatch::Name(name) } => Some(name),
        _ => None,
    }
}
