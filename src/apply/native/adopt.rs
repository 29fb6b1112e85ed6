//! A new process takes over what stands.
//!
//! Owns: the numbers that the compiler goes on from ([`seeds`]), and taking what stands away from what is wanted
//! ([`reduce`]).
//! Never: believes a hash in a table that others could have changed: its rules are read and compared.
//!
//! What is wanted comes as the compiler's first delta, which makes everything. An element that stands is equal by value.
//! The rules of a table that only we could write stand when the directory has the wanted hash for each chain; otherwise
//! rules are read and compared one by one, so that each that is equal keeps its handle and counters.
//!
//! Invariant: when all that is wanted stands, nothing is left of the delta.

use std::collections::{HashMap, HashSet};

use super::compare::{Compared, Programs};
use super::plan::{handle, is_own};
use super::read::{FoundChain, FoundTable, owner};
use super::standing::{StandingChain, StandingRule, StandingTable, comment};
use super::table::Group;
use crate::layout::native::declare::action_of_key;
use crate::layout::native::tlv::{Kind, Tags};
use crate::layout::native::{ChainDelta, ChainHead, ContentHash, Fate, Item, Seeds, SetDelta, TableDelta};
use crate::name::{ChainName, SetName};
use crate::nft::expr::Verdict;
use crate::nft::userdata::{self, Role as MarkRole};
use crate::nft::{Element, ElementData, ElementFlags, Set, SetData, SetFlags};
use crate::ruleset::chain_diff::Role;
use crate::wrap::{Place, TableId};

/// The numbers of what stands in a table.
pub(super) fn seeds(group: &Group<'_>, found: &FoundTable) -> Seeds {
    let mut seeds = Seeds::default();
    let bodies = found.chains.keys().filter_map(|name| number(group, name.as_str()));
    seeds.next_body = next(bodies);
    seeds.next_set = next(found.sets.keys().filter_map(|name| number(group, name.as_str())));
    for (name, (set, elements)) in &found.sets {
        let tags = Tags::of(set.userdata.as_deref());
        if let (Some(hash), Some(number)) = (tags.hash, number(group, name.as_str())) {
            seeds.sets.push((hash, number));
        }
        match tags.set.map(|set| set.kind) {
            Some(Kind::Actions) => seeds.actions.extend(actions(elements)),
            Some(Kind::Directory) => {
                let hashed = elements.iter().filter_map(directory);
                seeds.bodies = hashed.filter(|(number, _)| *number != 0).map(|(number, hash)| (hash, number)).collect();
            }
            _ => {}
        }
    }
    seeds.next_action = next(seeds.actions.iter().map(|(_, number)| *number));
    // Several names can lead to one body.
    for list in [&mut seeds.bodies, &mut seeds.sets] {
        list.sort_unstable();
        list.dedup();
    }
    // Maps that lead to the same chain do so by the same number.
    seeds.actions.sort_by_key(|(_, number)| *number);
    seeds.actions.dedup();
    seeds
}

fn next(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.max().unwrap_or(0).saturating_add(1)
}

/// The number in a name that the compiler made: `C/7`, `C/map/7`.
fn number(group: &Group<'_>, name: &str) -> Option<u32> {
    let rest = name.strip_prefix(group.prefix())?.strip_prefix('/')?;
    // Larger ones nobody of us gave.
    rest.rsplit('/').next()?.parse().ok().filter(|number| *number < 1 << 31)
}

fn actions(elements: &[Element]) -> Vec<(Verdict, u32)> {
    let action = |element: &Element| match &element.data {
        Some(ElementData::Verdict(verdict)) => Some((verdict.clone(), action_of_key(element.key.as_deref()?)?)),
        _ => None,
    };
    elements.iter().filter_map(action).collect()
}

/// Body number and hash of an element of the directory.
fn directory(element: &Element) -> Option<(u32, ContentHash)> {
    let Some(ElementData::Value(number)) = &element.data else { return None };
    Some((u32::from_ne_bytes((**number).try_into().ok()?), Tags::of(element.userdata.as_deref()).hash?))
}

/// The elements of a directory by kernel chain.
fn hashes(group: &Group<'_>, elements: &[Element]) -> HashMap<ChainName, ContentHash> {
    let chain = |element: &Element| {
        let (number, hash) = directory(element)?;
        let name = match number {
            0 => {
                let key = element.key.as_deref()?;
                let len = key.iter().position(|b| *b == 0).unwrap_or(key.len());
                ChainName::new(std::str::from_utf8(key.get(..len)?).ok()?).ok()?
            }
            number => ChainName::new(&format!("{}/{number}", group.prefix())).ok()?,
        };
        Some((name, hash))
    };
    elements.iter().filter_map(chain).collect()
}

/// What keeps a table from being brought up to date in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

/// Takes what stands away from what is wanted, and adds what stands and is not wanted. Returns the table's chains as the
/// plan is to see them.
///
/// Where `found` has rules they are compared; where it has none the directory's hashes decide.
///
/// # Errors
/// [`Unfit`] when something of a wanted name stands that the kernel cannot change into it.
pub(super) fn reduce(
    group: &Group<'_>,
    delta: &mut TableDelta,
    found: &FoundTable,
    programs: &mut Programs<'_>,
) -> Result<StandingTable, Unfit> {
    delta.new = false;
    let same = unchanged(group, delta, found);
    sets(delta, found)?;
    let mut standing = StandingTable::default();
    let mut wanted = HashSet::new();
    for chain in &mut delta.chains {
        wanted.insert(chain.name.clone());
        let Some(now) = found.chains.get(&chain.name) else { continue };
        let trusted = now.rules.is_none() && same.contains(&chain.name);
        let chain_now = self::chain(delta.id, group, chain, now, trusted, found, programs)?;
        standing.chains.insert(chain.name.clone(), chain_now);
    }
    delta.chains.retain(|chain| !matches!(chain, ChainDelta { fate: Fate::Kept, policy: None, rules: None, .. }));
    let mut gone: Vec<_> = found.chains.iter().filter(|(name, _)| !wanted.contains(*name)).collect();
    gone.sort_by_key(|(name, _)| *name);
    for (name, now) in gone {
        let rules = standing_rules(delta.id, group, &[], now, found, programs);
        let shared = now.shared;
        let is_needed = shared && !rules.iter().any(|rule| matches!(rule.role, Role::Ours(_)));
        standing.chains.insert(name.clone(), StandingChain { rules, comment: None, shared });
        if !is_needed {
            delta.chains.push(ChainDelta { name: name.clone(), fate: Fate::Gone, policy: None, rules: None });
        }
    }
    Ok(standing)
}

/// The chains of which the directory says that they stand as they are wanted.
fn unchanged(group: &Group<'_>, delta: &TableDelta, found: &FoundTable) -> HashSet<ChainName> {
    let directory = |(set, _): &&(Set, Vec<Element>)| is_directory(set);
    let standing = found.sets.values().find(directory).map(|(_, elements)| hashes(group, elements));
    let wanted = delta.sets.iter().find(|set| matches!(&set.fate, Fate::New(set) if is_directory(set)));
    let wanted = wanted.map(|set| hashes(group, &set.added)).unwrap_or_default();
    let standing = standing.unwrap_or_default();
    wanted.into_iter().filter(|(name, hash)| standing.get(name) == Some(hash)).map(|(name, _)| name).collect()
}

/// Whether rules that were not read are needed: of a chain that stands and is wanted in another form.
pub(super) fn needs_rules(group: &Group<'_>, delta: &TableDelta, found: &FoundTable) -> bool {
    let same = unchanged(group, delta, found);
    let is_unread = |name| found.chains.get(name).is_some_and(|now| now.rules.is_none());
    delta.chains.iter().any(|chain| is_unread(&chain.name) && !same.contains(&chain.name))
}

fn is_directory(set: &Set) -> bool {
    Tags::of(set.userdata.as_deref()).set.is_some_and(|set| set.kind == Kind::Directory)
}

/// A wanted chain that stands.
fn chain(
    table: TableId,
    group: &Group<'_>,
    delta: &mut ChainDelta,
    now: &FoundChain,
    trusted: bool,
    found: &FoundTable,
    programs: &mut Programs<'_>,
) -> Result<StandingChain, Unfit> {
    let Fate::New(head) = &delta.fate else { return Err(Unfit) };
    if !same_hook(head, now) || (group.shared && !now.shared && !is_own(head)) {
        return Err(Unfit);
    }
    let policy = head.base.as_ref().and_then(|base| base.policy);
    let stands = now.base.as_ref().and_then(|base| base.policy);
    delta.policy = policy.filter(|policy| stands != Some(*policy));
    let comment = now.userdata.as_deref().and_then(comment);
    delta.fate = Fate::Kept;
    let wanted = delta.rules.take().unwrap_or_default();
    let rules = if trusted {
        wanted.iter().copied().map(StandingRule::ours).collect()
    } else {
        standing_rules(table, group, &wanted, now, found, programs)
    };
    let equal = rules.len() == wanted.len() && rules.iter().zip(&wanted).all(|(rule, item)| rule.item == Some(*item));
    if !equal || now.shared {
        delta.rules = Some(wanted);
    }
    Ok(StandingChain { rules, comment, shared: now.shared })
}

fn same_hook(head: &ChainHead, now: &FoundChain) -> bool {
    match (&head.base, &now.base) {
        (None, None) => true,
        (Some(a), Some(b)) => a.kind == b.kind && a.hook == b.hook && a.priority == b.priority,
        _ => false,
    }
}

/// The rules of a chain, each with the wanted item that it is equal to.
fn standing_rules(
    table: TableId,
    group: &Group<'_>,
    wanted: &[Item],
    now: &FoundChain,
    found: &FoundTable,
    programs: &mut Programs<'_>,
) -> Vec<StandingRule> {
    // Jumps to chains that became one are equal, and yet different items: each stands once, in their order.
    let mut items: HashMap<Compared, Vec<Item>> = HashMap::new();
    for item in wanted.iter().rev() {
        if let Some(program) = programs.wanted(table, item) {
            items.entry(program).or_default().push(*item);
        }
    }
    let rules = now.rules.iter().flatten().map(|rule| StandingRule {
        item: Compared::read(rule, table.family, &found.anonymous).and_then(|program| items.get_mut(&program)?.pop()),
        handle: handle(rule.handle),
        role: if now.shared { role(group, rule.userdata.as_deref()) } else { Role::Ours(Place::Normal) },
    });
    rules.collect()
}

/// Whose a rule of a shared chain is.
fn role(group: &Group<'_>, userdata: Option<&[u8]>) -> Role {
    let Some(userdata::Owner { role, component }) = owner(userdata) else { return Role::Foreign };
    let place = match role {
        MarkRole::Top => Place::Top,
        MarkRole::Normal => Place::Normal,
        MarkRole::Bottom => Place::Bottom,
    };
    match component {
        None => Role::Common(place),
        Some(component) if Some(&component) == group.component => Role::Ours(place),
        Some(_) => Role::Theirs(place),
    }
}

/// The ranges that stand and are not wanted, and those that are wanted and do not stand: each whole, as the kernel takes an
/// end only right behind its start.
fn other_ranges(now: Vec<Element>, wanted: Vec<Element>) -> (Vec<Element>, Vec<Element>) {
    let (now, wanted) = (ranges(now), ranges(wanted));
    let keys = |ranges: &[Vec<Element>]| -> HashSet<Vec<Option<Box<[u8]>>>> {
        ranges.iter().map(|range| range.iter().map(|element| element.key.clone()).collect()).collect()
    };
    let without = |ranges: Vec<Vec<Element>>, others: &HashSet<Vec<Option<Box<[u8]>>>>| {
        let is_other = |range: &Vec<Element>| {
            !others.contains(&range.iter().map(|element| element.key.clone()).collect::<Vec<_>>())
        };
        ranges.into_iter().filter(is_other).flatten().collect()
    };
    let (standing, stated) = (keys(&now), keys(&wanted));
    (without(now, &stated), without(wanted, &standing))
}

/// Elements as ranges: a start, and its end unless that is the end of all.
fn ranges(mut elements: Vec<Element>) -> Vec<Vec<Element>> {
    // Where one range ends and the next begins, the end comes first.
    elements.sort_by(|one, other| (&one.key, !one.is_interval_end()).cmp(&(&other.key, !other.is_interval_end())));
    let mut ranges: Vec<Vec<Element>> = Vec::new();
    for element in elements {
        match ranges.last_mut() {
            Some(range) if element.is_interval_end() && range.len() == 1 => range.push(element),
            _ => ranges.push(vec![element]),
        }
    }
    ranges
}

/// Takes standing sets and elements away, and adds those that are not wanted.
fn sets(delta: &mut TableDelta, found: &FoundTable) -> Result<(), Unfit> {
    let mut wanted: HashSet<SetName> = HashSet::new();
    for set in &mut delta.sets {
        wanted.insert(set.name.clone());
        let Some((now, elements)) = found.sets.get(&set.name) else { continue };
        let Fate::New(new) = &set.fate else { return Err(Unfit) };
        if !same_set(new, now) {
            return Err(Unfit);
        }
        let interval = new.flags.contains(SetFlags::INTERVAL);
        let named = Tags::of(new.userdata.as_deref()).set.is_some_and(|set| set.kind == Kind::Named);
        let added = std::mem::take(&mut set.added);
        set.fate = Fate::Kept;
        let now: Vec<&Element> = elements.iter().filter(|e| !(interval && is_null_end(e))).collect();
        if interval && named {
            (set.removed, set.added) = other_ranges(now.into_iter().cloned().collect(), added);
            continue;
        }
        let places: HashMap<ElementKey<'_>, usize> =
            now.iter().enumerate().map(|(at, e)| (element_key(e), at)).collect();
        let mut kept = vec![false; now.len()];
        for element in added {
            let at = places.get(&element_key(&element)).copied();
            let stands = at.and_then(|at| now.get(at)).is_some_and(|now| same_element(&element, now));
            match at.and_then(|at| kept.get_mut(at)).filter(|_| stands) {
                Some(kept) => *kept = true,
                None => set.added.push(element),
            }
        }
        let gone = now.iter().zip(&kept).filter(|(_, kept)| !**kept);
        set.removed = gone.map(|(e, _)| Element { expressions: Vec::new(), ..(*e).clone() }).collect();
        if interval && !(set.added.is_empty() && set.removed.is_empty()) {
            // Such a set is named after what is in it.
            return Err(Unfit);
        }
    }
    delta.sets.retain(|set| !matches!(set.fate, Fate::Kept) || !set.added.is_empty() || !set.removed.is_empty());
    for (name, (set, elements)) in found.sets.iter().filter(|(name, _)| !wanted.contains(*name)) {
        // Chains go before sets, so the verdicts that lead to them go first.
        let verdicts = set.data == Some(SetData::Verdict);
        let removed = if verdicts { elements.clone() } else { Vec::new() };
        delta.sets.push(SetDelta { name: name.clone(), fate: Fate::Gone, removed, added: Vec::new() });
    }
    Ok(())
}

/// What the kernel tells elements apart by.
type ElementKey<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, u32);

fn element_key(element: &Element) -> ElementKey<'_> {
    (element.key.as_deref(), element.key_end.as_deref(), element.flags.bits())
}

/// Whether elements are equal but for what they have counted.
fn same_element(a: &Element, b: &Element) -> bool {
    a.data == b.data && a.userdata == b.userdata && a.object == b.object
}

/// The end of all keys, which the kernel lists first in some sets of ranges.
fn is_null_end(element: &Element) -> bool {
    element.flags.contains(ElementFlags::INTERVAL_END)
        && element.key.as_deref().is_some_and(|key| key.iter().all(|b| *b == 0))
}

/// Whether a set that stands is as it would be declared. A larger one will do.
fn same_set(new: &Set, now: &Set) -> bool {
    let fits = match (new.size, now.size) {
        (Some(new), Some(now)) => now >= new,
        (_, None) => true,
        (None, Some(_)) => false,
    };
    let counts = |set: &Set| set.expressions.len();
    fits && (new.flags, new.key_kind, new.key_len, new.data, &new.userdata)
        == (now.flags, now.key_kind, now.key_len, now.data, &now.userdata)
        && counts(new) == counts(now)
}
