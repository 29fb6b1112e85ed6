//! Reading what stands in the kernel, no more of it than concerns the model.
//!
//! Owns: the filling of [`Observed`], the handles that were not known, and the search for rules that still refer to a chain that goes.
//! Never: changes anything.
//!
//! Invariant: what is read belongs to one generation; when it moves while we read, we read again.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;

use super::{Attempt, READS, SINGLE_READS};
use crate::compile::stock;
use crate::error::{Error, Location};
use crate::kernel::Kernel;
use crate::name::ChainName;
use crate::nft::expr::Counter;
use crate::nft::userdata::{self, Role, Userdata};
use crate::nft::{self, listing};
use crate::rule::Family;
use crate::ruleset::{
    ChainRules, Change, Extent, Identity, KnownIpsets, Mark, Observed, ObservedChain, ObservedRule, Owner, Plan,
    ReadProgram,
};
use crate::wrap::{Model, Place, TableId, TableKind};

/// Reads all that concerns the model.
pub(super) fn observe<K: Kernel + ?Sized>(kernel: &mut K, model: &Model) -> Result<Observed, Error> {
    for _ in 0..READS {
        let generation = kernel.generation()?;
        let mut observed = Observed { generation, ..Observed::default() };
        for family in Family::BOTH {
            if family == Family::Ipv4 || model.has_ipv6() {
                observe_family(kernel, model, family, &mut observed)?;
            }
        }
        if kernel.generation()? == generation {
            return Ok(observed);
        }
    }
    Err(Error::Stale { attempts: READS })
}

fn observe_family<K: Kernel + ?Sized>(
    kernel: &mut K,
    model: &Model,
    family: Family,
    observed: &mut Observed,
) -> Result<(), Error> {
    let nft_family = nft::Family::from(family);
    for table in kernel.tables(nft_family)? {
        if let Some(kind) = TableKind::from_name(table.name.as_str())
            && (model.component().is_some() || model.table(family, kind).is_some())
        {
            observed.tables.entry(TableId::new(family, kind)).or_default().exists = true;
        }
    }
    if !observed.tables.keys().any(|at| at.family == family) {
        return Ok(());
    }
    let mut wanted: HashMap<TableId, Vec<ChainName>> = HashMap::new();
    for chain in kernel.chains(nft_family)? {
        let Some(kind) = TableKind::from_name(chain.table.as_str()) else { continue };
        let at = TableId::new(family, kind);
        let Some(table) = observed.tables.get_mut(&at) else { continue };
        let owner = mark(chain.userdata.as_deref()).map(|(mark, _)| mark);
        let concerns = concerns(model, owner.as_ref());
        // A chain without rules need not be read: its use count says so.
        let empty = chain.uses == Some(0);
        if concerns && !empty {
            wanted.entry(at).or_default().push(chain.name.clone());
        }
        let entry = ObservedChain {
            owner,
            policy: chain.base.as_ref().and_then(|b| b.policy),
            hook: chain.base.map(|b| Box::new((b.kind, b.hook, b.priority))),
            rules: if concerns { ChainRules::Read(Vec::new()) } else { ChainRules::Unread },
        };
        table.chains.insert(chain.name, entry);
    }
    for (at, chains) in wanted {
        read_rules(kernel, model, at, &chains, observed)?;
    }
    Ok(())
}

/// Whether rules of ours may stand in a chain: anywhere but in the chains of other components.
fn concerns(model: &Model, owner: Option<&Mark>) -> bool {
    match (model.component(), owner) {
        (Some(us), Some(Mark::Component(owner))) => owner == us,
        _ => true,
    }
}

fn read_rules<K: Kernel + ?Sized>(
    kernel: &mut K,
    model: &Model,
    at: TableId,
    chains: &[ChainName],
    observed: &mut Observed,
) -> Result<(), Error> {
    let Some(table) = observed.tables.get_mut(&at) else { return Ok(()) };
    for rule in dump(kernel, at, chains)? {
        if let Some(ChainRules::Read(rules)) = table.chains.get_mut(&rule.chain).map(|c| &mut c.rules) {
            let identity = Identity::Program(Box::new(read_program(at, &rule)));
            let handle = rule.handle.and_then(NonZeroU64::new);
            rules.push(ObservedRule { identity, handle, owner: owner(model, &rule) });
        }
    }
    Ok(())
}

fn read_program(at: TableId, rule: &nft::Rule) -> ReadProgram {
    let comment = rule.userdata.as_deref().and_then(|u| Userdata::decode(u).ok()).and_then(|u| u.comment);
    ReadProgram {
        normal: stock::normalize(&rule.expressions, comment.as_ref(), at.family),
        counter: stock::counter(&rule.expressions).unwrap_or_default(),
    }
}

/// Rules of these chains, each chain's in order; when there are many chains, those of the others too.
fn dump<K: Kernel + ?Sized>(kernel: &mut K, at: TableId, chains: &[ChainName]) -> Result<Vec<nft::Rule>, Error> {
    let (family, table) = (nft::Family::from(at.family), at.kind.table_name());
    if chains.len() > SINGLE_READS {
        return Ok(kernel.rules(family, &table, None)?);
    }
    let mut rules = Vec::new();
    for chain in chains {
        rules.extend(kernel.rules(family, &table, Some(chain))?);
    }
    Ok(rules)
}

/// The mark in user data. User data in another form than the common one has none.
fn mark(userdata: Option<&[u8]>) -> Option<(Mark, Place)> {
    let userdata::Owner { role, component } = Userdata::decode(userdata?).ok()?.owner?;
    let place = match role {
        Role::Normal => Place::Normal,
        Role::Top => Place::Top,
        Role::Bottom => Place::Bottom,
    };
    Some((component.map_or(Mark::Common, Mark::Component), place))
}

fn owner(model: &Model, rule: &nft::Rule) -> Owner {
    match mark(rule.userdata.as_deref()) {
        None => Owner::Nobody,
        Some((Mark::Common, place)) => Owner::Common(place),
        Some((Mark::Component(name), place)) if model.component() == Some(&name) => Owner::Us(place),
        Some((Mark::Component(name), place)) => Owner::Component(name, place),
    }
}

/// Reads the handles, and what they have counted, of rules that we remember by value.
pub(super) fn handles<K: Kernel + ?Sized>(
    kernel: &mut K,
    chains: Vec<(TableId, ChainName)>,
    observed: &mut Observed,
) -> Result<(), Attempt> {
    let mut by_table: HashMap<TableId, Vec<ChainName>> = HashMap::new();
    for (at, chain) in chains {
        by_table.entry(at).or_default().push(chain);
    }
    by_table.into_iter().try_for_each(|(at, chains)| read_handles(kernel, at, &chains, observed))
}

fn read_handles<K: Kernel + ?Sized>(
    kernel: &mut K,
    at: TableId,
    chains: &[ChainName],
    observed: &mut Observed,
) -> Result<(), Attempt> {
    let names: HashSet<&ChainName> = chains.iter().collect();
    let mut found: HashMap<ChainName, (Vec<Option<NonZeroU64>>, Vec<Counter>)> = HashMap::new();
    for rule in dump(kernel, at, chains)? {
        if names.contains(&rule.chain) {
            let (handles, counters) = found.entry(rule.chain).or_default();
            handles.push(rule.handle.and_then(NonZeroU64::new));
            counters.push(stock::counter(&rule.expressions).unwrap_or_default());
        }
    }
    let Some(table) = observed.tables.get_mut(&at) else { return Ok(()) };
    for name in chains {
        let (handles, counters) = found.remove(name).unwrap_or_default();
        let Some(chain) = table.chains.get_mut(name) else { continue };
        // Another number of rules than we left there: somebody was here. The commit would be refused as stale.
        if handles.len() != chain.rules.len() {
            return Err(Attempt::Stale);
        }
        chain.rules.update(|rules| {
            for (rule, handle) in rules.iter_mut().zip(handles) {
                rule.handle = handle;
            }
        });
        observed.counters.insert((at, name.clone()), counters);
    }
    Ok(())
}

/// Asks for the numbers of all ipsets that rules of changed chains name. A set that is not there stays unknown; the
/// compiler names it in its error.
pub(super) fn ipsets<K: Kernel + ?Sized>(kernel: &mut K, model: &Model, extent: Extent) -> Result<KnownIpsets, Error> {
    let mut known = KnownIpsets::default();
    let mut learn = |chain: &crate::wrap::Chain| -> Result<(), Error> {
        for name in chain.rules().flat_map(|entry| entry.rule().set_names()) {
            if !known.0.contains_key(name)
                && let Some(index) = kernel.ipset_index(name)?
            {
                known.0.insert(name.clone(), index);
            }
        }
        Ok(())
    };
    if extent != Extent::Changes {
        for table in model.tables() {
            table.chains().try_for_each(&mut learn)?;
        }
    } else {
        for (at, name) in model.dirty() {
            model.table(at.family, at.kind).and_then(|t| t.chain(name)).map_or(Ok(()), &mut learn)?;
        }
    }
    Ok(known)
}

/// Refuses a plan that deletes a chain to which a rule of another program still jumps, and names that rule.
///
/// A chain's use count is its rules plus the references to it (`nft_use_inc`). What remains after taking away its own
/// rules and the references that the plan deletes is somebody else's.
pub(super) fn check_references<K: Kernel + ?Sized>(
    kernel: &mut K,
    model: &Model,
    observed: &Observed,
    plan: &Plan,
) -> Result<(), Error> {
    if model.component().is_none() {
        return Ok(());
    }
    let going: HashSet<(TableId, &ChainName)> = plan
        .changes()
        .iter()
        .filter_map(|c| if let Change::DeleteChain { table, chain } = c { Some((*table, chain)) } else { None })
        .collect();
    if going.is_empty() {
        return Ok(());
    }
    let mut leaving: Vec<(TableId, &ChainName)> = Vec::new();
    for change in plan.changes() {
        match change {
            Change::DeleteRule { table, identity, .. } => leaving.extend(identity.target().map(|t| (*table, t))),
            Change::FlushChain { table, chain } => {
                let chain = observed.table(*table).and_then(|t| t.chains.get(chain));
                leaving.extend(chain.into_iter().flat_map(|c| c.rules.targets()).map(|target| (*table, target)));
            }
            _ => {}
        }
    }
    let mut accounted: HashMap<(TableId, &ChainName), usize> = HashMap::new();
    for key in leaving.iter().filter_map(|key| going.get(key)) {
        *accounted.entry(*key).or_default() += 1;
    }
    for (at, name) in going.iter().copied() {
        let own = observed.table(at).and_then(|t| t.chains.get(name)).map_or(0, |c| c.rules.len());
        let ours = accounted.get(&(at, name)).copied().unwrap_or(0) + own;
        let uses = kernel.chain(at.family.into(), &at.kind.table_name(), name)?.and_then(|c| c.uses);
        if uses.is_some_and(|uses| uses as usize > ours) {
            let by = referrer(kernel, plan, at, name)?;
            let location = Location { table: at, chain: Some(name.clone()), rule: None, line: None };
            return Err(Error::StillReferenced { location, chain: name.clone(), by });
        }
    }
    Ok(())
}

/// The rule outside of the plan that refers to the chain, in words.
fn referrer<K: Kernel + ?Sized>(kernel: &mut K, plan: &Plan, at: TableId, name: &ChainName) -> Result<String, Error> {
    let deleted: HashSet<NonZeroU64> = plan
        .changes()
        .iter()
        .filter_map(|c| {
            if let Change::DeleteRule { table, handle, .. } = c { (*table == at).then_some(*handle) } else { None }
        })
        .collect();
    let flushed: HashSet<&ChainName> = plan
        .changes()
        .iter()
        .filter_map(
            |c| if let Change::FlushChain { table, chain } = c { (*table == at).then_some(chain) } else { None },
        )
        .collect();
    let mut number: HashMap<ChainName, usize> = HashMap::new();
    for rule in kernel.rules(at.family.into(), &at.kind.table_name(), None)? {
        let count = number.entry(rule.chain.clone()).or_default();
        *count += 1;
        let counts = !flushed.contains(&rule.chain)
            && !rule.handle.and_then(NonZeroU64::new).is_some_and(|h| deleted.contains(&h));
        if counts && read_program(at, &rule).target() == Some(name) {
            return Ok(format!("rule {count} of chain {} [{}]", rule.chain, listing::compact(&rule.expressions)));
        }
    }
    Ok("an element of a verdict map".to_owned())
}
