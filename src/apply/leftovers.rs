//! What the component has in other places than the tables of its group, or in any group when it uses none: what it left
//! there in the time of another layout or group, and the tables that must stand with those of iptables.
//!
//! Owns: finding it, as changes that remove what is not wanted there and add what is ([`Leftovers`]).
//! Never: touches what carries no mark of the component; looks for the leftovers of a model without a component.
//!
//! The changes go into the transaction that makes what is wanted now, so that no packet meets both layouts or neither.
//! They are looked for once a process, when everything is read.
//!
//! Invariant: what is found belongs to the generation that the caller has read, or the caller reads again.
//!
//! How it is tested: `tests/native/switch.rs`, from each layout to the other, on the fake and on the running kernel.

use std::collections::BTreeSet;

use super::native::{self, Compiled};
use super::{Attempt, Report, encode, read};
use crate::error::{Error, Refusal};
use crate::kernel::{Kernel, Rejection};
use crate::layout::Native;
use crate::name::{TableName, WrapName};
use crate::nft::{Family, Table};
use crate::ruleset::{self, Extent, KnownIpsets, NativeChange, Plan};
use crate::transaction::{Batch, Sealed};
use crate::wrap::{Model, TableId, TableKind};

/// What is to be done elsewhere.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// In the tables of iptables.
    iptables: Plan,
    /// The sets that its rules name.
    ipsets: KnownIpsets,
    /// From the tables of groups of the native layout.
    groups: Vec<Group>,
}

/// The group of the native layout that is used now.
pub(super) struct Current<'a> {
    /// The names of its tables.
    pub(super) name: &'a dyn Fn(TableId) -> TableName,
    /// What stands in the tables of iptables instead.
    pub(super) beside: &'a Model,
}

/// What is to be removed of a group.
#[derive(Debug)]
struct Group {
    /// Knows the names of its tables.
    source: Compiled,
    changes: Vec<NativeChange>,
}

impl Leftovers {
    /// Finds all of them. Without a current group the tables of iptables are used.
    pub(super) fn find<K: Kernel + ?Sized>(
        kernel: &mut K,
        component: Option<&WrapName>,
        current: Option<&Current<'_>>,
        generation: u32,
    ) -> Result<Self, Attempt> {
        let Some(component) = component else { return Ok(Self::default()) };
        let nothing = Model::builder().component(component.clone()).build();
        let nothing = nothing.map_err(|error| Error::Model(vec![error]))?;
        let mut found = Self::default();
        if let Some(current) = current {
            let observed = read::observe(kernel, current.beside)?;
            ruleset::check_model(current.beside, &observed, Extent::Removal)?;
            found.ipsets = read::ipsets(kernel, current.beside, Extent::Removal)?;
            let (plan, _) = ruleset::plan(current.beside, &observed, &found.ipsets, Extent::Removal)?;
            if !plan.is_empty() {
                read::check_references(kernel, current.beside, &observed, &plan)?;
                same(observed.generation, generation)?;
                found.iptables = plan;
            }
        }
        for settings in groups(kernel, component, current.map(|current| current.name))? {
            let mut source = native::Memory::new(
                Compiled::new(&settings, Some(component)),
                Some(component.clone()),
                settings.shared,
            );
            let (changes, read) = source.remove(&nothing, kernel)?;
            same(read, generation)?;
            found.groups.push(Group { source: source.into_source(), changes });
        }
        Ok(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.iptables.is_empty() && self.groups.is_empty()
    }

    /// Counts the changes, beside those that were counted.
    pub(super) fn count(&self, report: &mut Report) {
        report.count(&self.iptables);
        self.groups.iter().for_each(|group| report.count_native(&group.changes));
    }

    /// Writes the changes. The first has the number `first`.
    pub(super) fn write(&mut self, batch: &mut Batch, first: usize) -> Result<(), Error> {
        encode::append(batch, &self.iptables, &self.ipsets, first)?;
        let mut first = first + self.iptables.len();
        for group in &mut self.groups {
            native::write_removal(&group.source, batch, first, &mut group.changes)?;
            first += group.changes.len();
        }
        Ok(())
    }

    /// What the kernel refused, by the number of the change beyond the first.
    pub(super) fn refusal(&self, number: usize, sealed: &Sealed, rejection: &Rejection) -> Option<Refusal> {
        if let Some(change) = self.iptables.changes().get(number) {
            return Some(encode::refusal_of(change, sealed, rejection));
        }
        let number = number.checked_sub(self.iptables.len())?;
        let changes = self.groups.iter().flat_map(|group| group.changes.iter().map(|change| (&group.source, change)));
        let (source, change) = changes.into_iter().nth(number)?;
        Some(native::refusal_of(source, change, sealed, rejection))
    }

    /// The changes to the tables of iptables, and those to tables of the native layout.
    pub(super) fn into_changes(self) -> (Plan, Vec<NativeChange>) {
        (self.iptables, self.groups.into_iter().flat_map(|group| group.changes).collect())
    }
}

fn same(found: u32, generation: u32) -> Result<(), Attempt> {
    if found == generation { Ok(()) } else { Err(Attempt::Stale) }
}

/// The groups of the native layout, but for the current one, that the component has something in.
fn groups<K: Kernel + ?Sized>(
    kernel: &mut K,
    component: &WrapName,
    current: Option<&dyn Fn(TableId) -> TableName>,
) -> Result<Vec<Native>, Error> {
    let mut groups: BTreeSet<(WrapName, bool)> = BTreeSet::new();
    for family in [Family::Ip, Family::Ip6] {
        for table in kernel.tables(family)? {
            let Some((group, id)) = group_of(&table) else { continue };
            if current.is_some_and(|name| name(id) == table.name) {
                continue;
            }
            let Some(owner) = native::owner(table.userdata.as_deref()) else { continue };
            match owner.component {
                Some(owner) if owner == *component => drop(groups.insert((group, false))),
                None if has_part(kernel, &table, component)? => drop(groups.insert((group, true))),
                _ => {}
            }
        }
    }
    let settings = |(group, shared)| Native { group: Some(group), shared, ..Native::default() };
    Ok(groups.into_iter().map(settings).collect())
}

/// The group that a table is of, by its name.
fn group_of(table: &Table) -> Option<(WrapName, TableId)> {
    let family = match table.family {
        Family::Ip => crate::rule::Family::Ipv4,
        Family::Ip6 => crate::rule::Family::Ipv6,
        _ => return None,
    };
    let (group, kind) = table.name.as_str().rsplit_once('-')?;
    Some((WrapName::new(group).ok()?, TableId::new(family, TableKind::from_name(kind)?)))
}

/// Whether a component has a chain or a rule in a table that several share.
fn has_part<K: Kernel + ?Sized>(kernel: &mut K, table: &Table, component: &WrapName) -> Result<bool, Error> {
    let ours = |userdata: Option<&[u8]>| {
        native::owner(userdata).and_then(|owner| owner.component).is_some_and(|owner| owner == *component)
    };
    let mut chains = kernel.chains(table.family)?.into_iter().filter(|chain| chain.table == table.name);
    if chains.any(|chain| ours(chain.userdata.as_deref())) {
        return Ok(true);
    }
    Ok(kernel.rules(table.family, &table.name, None)?.iter().any(|rule| ours(rule.userdata.as_deref())))
}
