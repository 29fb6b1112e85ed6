//! Reading what stands in our tables, once a process.
//!
//! Owns: tables, chains, sets, elements and rules as the kernel has them ([`Found`]), those of other components left out.
//! Never: changes anything, or says what is wanted.
//!
//! Invariant: what is read belongs to one generation; when it moves while we read, we read again.
//!
//! Where the truth is: `nf_tables_fill_*_info`, `net/netfilter/nf_tables_api.c` (Linux v6.12).

use std::collections::{BTreeMap, HashMap};

use super::table::{Group, Verdict};
use crate::apply::READS;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::name::{ChainName, SetName, TableName};
use crate::nft::userdata::Userdata;
use crate::nft::{self, BaseChain, Element, Set, SetFlags, Table};
use crate::rule::Family;
use crate::wrap::{TableId, TableKind};

/// What stands of ours.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) generation: u32,
    pub(super) tables: BTreeMap<TableId, FoundTable>,
}

/// A table that stands.
#[derive(Debug)]
pub(super) struct FoundTable {
    pub(super) table: Table,
    pub(super) chains: HashMap<ChainName, FoundChain>,
    /// Sets and maps that have names of ours.
    pub(super) sets: BTreeMap<SetName, (Set, Vec<Element>)>,
    /// Anonymous sets, for comparing rules.
    pub(super) anonymous: HashMap<Box<str>, (Set, Vec<Element>)>,
    /// Whether other components have something in it.
    pub(super) others: bool,
}

/// A chain that stands.
#[derive(Debug)]
pub(super) struct FoundChain {
    pub(super) base: Option<BaseChain>,
    pub(super) userdata: Option<Box<[u8]>>,
    /// Whether other components may have rules in it.
    pub(super) shared: bool,
    /// Its rules in order; `None` where they were not read.
    pub(super) rules: Option<Vec<nft::Rule>>,
}

/// Reads all tables of a group.
pub(super) fn find<K: Kernel + ?Sized>(kernel: &mut K, group: &Group<'_>) -> Result<Found, Error> {
    for _ in 0..READS {
        let mut found = Found { generation: kernel.generation()?, tables: BTreeMap::new() };
        for family in Family::BOTH {
            tables(kernel, group, family, &mut found)?;
        }
        if kernel.generation()? == found.generation {
            return Ok(found);
        }
    }
    Err(Error::Stale { attempts: READS })
}

fn tables<K: Kernel + ?Sized>(
    kernel: &mut K,
    group: &Group<'_>,
    family: Family,
    found: &mut Found,
) -> Result<(), Error> {
    let names: HashMap<TableName, TableId> = TableKind::ALL
        .into_iter()
        .map(|kind| TableId::new(family, kind))
        .map(|id| (group.table_name(id), id))
        .collect();
    for table in kernel.tables(family.into())? {
        let Some(&id) = names.get(&table.name) else { continue };
        let entry = FoundTable {
            table,
            chains: HashMap::new(),
            sets: BTreeMap::new(),
            anonymous: HashMap::new(),
            others: false,
        };
        found.tables.insert(id, entry);
    }
    if !found.tables.keys().any(|id| id.family == family) {
        return Ok(());
    }
    for chain in kernel.chains(family.into())? {
        let Some(table) = names.get(&chain.table).and_then(|id| found.tables.get_mut(id)) else { continue };
        match group.chain(&chain.name, chain.userdata.as_deref()) {
            Verdict::Other => table.others = true,
            verdict => {
                let (base, userdata) = (chain.base, chain.userdata);
                let shared = verdict == Verdict::Shared;
                // Somebody has made it by hand.
                table.others |= shared && owner(userdata.as_deref()).is_none();
                let entry = FoundChain { base, userdata, shared, rules: None };
                table.chains.insert(chain.name, entry);
            }
        }
    }
    for (_, table) in found.tables.iter_mut().filter(|(id, _)| id.family == family) {
        sets(kernel, group, family, table)?;
    }
    Ok(())
}

fn sets<K: Kernel + ?Sized>(
    kernel: &mut K,
    group: &Group<'_>,
    family: Family,
    table: &mut FoundTable,
) -> Result<(), Error> {
    for set in kernel.sets(family.into(), &table.table.name)? {
        let anonymous = set.flags.contains(SetFlags::ANONYMOUS);
        if !anonymous && !group.is_our_set(&set.name) {
            table.others = true;
            continue;
        }
        let elements = kernel.elements(family.into(), &table.table.name, &set.name)?;
        if anonymous {
            table.anonymous.insert(set.name.as_str().into(), (set, elements));
        } else {
            table.sets.insert(set.name.clone(), (set, elements));
        }
    }
    Ok(())
}

/// Reads the rules of all chains of a table that we look at.
pub(super) fn rules<K: Kernel + ?Sized>(
    kernel: &mut K,
    group: &Group<'_>,
    family: Family,
    table: &mut FoundTable,
) -> Result<(), Error> {
    table.chains.values_mut().for_each(|chain| chain.rules = Some(Vec::new()));
    for rule in kernel.rules(family.into(), &table.table.name, None)? {
        table.others |= group.is_of_others(rule.userdata.as_deref(), table.chains.get(&rule.chain));
        if let Some(rules) = table.chains.get_mut(&rule.chain).and_then(|chain| chain.rules.as_mut()) {
            rules.push(rule);
        }
    }
    Ok(())
}

/// The owner in user data.
pub(in crate::apply) fn owner(userdata: Option<&[u8]>) -> Option<nft::userdata::Owner> {
    Userdata::decode(userdata?).ok()?.owner
}
