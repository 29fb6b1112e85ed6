//! How a plan is sent: as one transaction, or as a few, so that no packet on its way loses it.
//!
//! Owns: which change goes into which transaction ([`split`]), and when one is enough.
//! Never: decides what to change, or sends it.
//!
//! The kernel chooses the rules of all chains by the generation in which a packet enters the base chain (`nft_do_chain`),
//! but a lookup sees the elements of the generation in which it happens (`nft_genmask_cur`). So a packet that is under way
//! during a commit can meet old rules with new elements, never new rules with old elements. What that can do to it:
//!
//! - An element leads it to a chain made in the same transaction, which has no rules in the old generation. A `jump`
//!   there goes on with the next rule, as if there were no element; a `goto` leaves the dispatcher.
//! - An element leads it to a chain that is filled anew in the same transaction: it meets the old rules.
//! - It has read the number of an action that is gone when it asks for the verdict, is in front of a map that is gone
//!   (`nft_map_deactivate`), or of an element that is not needed by the new rules.
//! - A new set of ranges is empty until the end of the commit (`nft_pipapo_commit`), also for new rules.
//!
//! So a change that can do this to a packet which both the old and the new rules would treat well is made before it
//! breaks: [`Phase`]. The kernel gives a chain its rules for both generations with the next commit, before that comes into
//! effect (`nf_tables_commit_chain`): chains that were made in one transaction are complete for all packets in the next.
//!
//! Invariant: after each transaction every packet is treated as by the old model or the new one, and the changes of all
//! are those of the plan, in its order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::layout::native::declare::{action_number, action_of_key};
use crate::name::{ChainName, SetName};
use crate::nft::expr::Verdict;
use crate::nft::{Element, ElementData, SetFlags};
use crate::ruleset::NativeChange;
use crate::wrap::TableId;

/// The transaction that a change goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// What nothing leads to yet.
    Make,
    /// What is seen: rules and elements.
    Switch,
    /// Elements that lead to chains which the switch has filled anew.
    Follow,
    /// What nothing leads to any more.
    Break,
}

/// The chain that an action leads to.
pub(super) type LeadsTo<'a> = &'a dyn Fn(TableId, u32) -> Option<ChainName>;

/// Gives each change its phase; none when everything goes in one transaction. Elements that follow are split from the
/// others of their set, and come last.
pub(super) fn split(changes: &mut Vec<NativeChange>, leads_to: LeadsTo<'_>) -> Vec<Phase> {
    let (mut phases, follow) = phases(changes, leads_to);
    if follow.is_empty() {
        return phases;
    }
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for change in &mut *changes {
        let table = change.table();
        let (NativeChange::AddElements { set, elements, .. } | NativeChange::DeleteElements { set, elements, .. }) =
            change
        else {
            continue;
        };
        let Some(keys) = follow.get(&(table, set.clone())) else { continue };
        let follows = |element: &mut Element| element.key.as_ref().is_some_and(|key| keys.contains(key));
        let (taken, set): (Vec<_>, _) = (elements.extract_if(.., follows).collect(), set.clone());
        match change {
            _ if taken.is_empty() => {}
            NativeChange::AddElements { .. } => added.push(NativeChange::AddElements { table, set, elements: taken }),
            _ => removed.push(NativeChange::DeleteElements { table, set, elements: taken }),
        }
    }
    changes.append(&mut removed);
    changes.append(&mut added);
    phases.resize(changes.len(), Phase::Follow);
    phases
}

/// The transactions that there are, each with its first and last phase.
pub(super) fn transactions(phases: &[Phase]) -> Vec<RangeInclusive<Phase>> {
    let all: BTreeSet<Phase> = phases.iter().copied().collect();
    if all.is_empty() {
        return vec![Phase::Make..=Phase::Break];
    }
    all.into_iter().map(|phase| phase..=phase).collect()
}

/// Keys that follow, by set.
type Follow = HashMap<(TableId, SetName), HashSet<Box<[u8]>>>;

fn phases(changes: &[NativeChange], leads_to: LeadsTo<'_>) -> (Vec<Phase>, Follow) {
    let mut follow = Follow::new();
    if !changes.iter().any(may_harm) {
        return (Vec::new(), follow);
    }
    let mut tables: BTreeMap<TableId, Seen<'_>> = BTreeMap::new();
    for change in changes {
        tables.entry(change.table()).or_default().see(change);
    }
    for change in changes {
        if let Some(seen) = tables.get_mut(&change.table()).filter(|seen| !seen.whole) {
            seen.weigh(change, leads_to, &mut follow);
        }
    }
    if follow.is_empty() && !tables.values().any(|seen| seen.make || seen.finish) {
        return (Vec::new(), follow);
    }
    let phase = |change: &NativeChange| tables.get(&change.table()).map_or(Phase::Switch, |seen| seen.phase(change));
    (changes.iter().map(phase).collect(), follow)
}

/// Whether a plan can need phases because of a change like this. An element that leads where others do harms nobody.
fn may_harm(change: &NativeChange) -> bool {
    match change {
        NativeChange::DeleteElements { set, .. } => !is_directory(set),
        NativeChange::AddSet { set, .. } => set.flags.contains(SetFlags::INTERVAL),
        NativeChange::AddElements { set, .. } => !is_directory(set),
        NativeChange::DeleteSet { set, .. } => is_map(set),
        _ => false,
    }
}

/// A set and the key of an element.
type Place<'a> = (&'a SetName, &'a [u8]);

fn place<'a>(set: &'a SetName, element: &'a Element) -> Option<Place<'a>> {
    Some((set, element.key.as_deref()?))
}

fn has<'a>(chains: &HashSet<&'a ChainName>, chain: &'a ChainName) -> bool {
    chains.contains(chain)
}

/// What the changes of a table are about.
#[derive(Debug, Default)]
struct Seen<'a> {
    /// The table is new, or goes: it has no packet that could be spared.
    whole: bool,
    chains: HashSet<&'a ChainName>,
    sets: HashSet<&'a SetName>,
    gone: HashSet<&'a ChainName>,
    /// Chains that stand and stay, with other rules.
    filled: HashSet<&'a ChainName>,
    /// New actions of maps that stand.
    actions: HashMap<u32, &'a Verdict>,
    /// Elements that were there and come anew.
    replaced: HashSet<Place<'a>>,
    /// Elements that go.
    removed: HashSet<Place<'a>>,
    /// Something has to be there before the switch.
    make: bool,
    /// Something has to stay until after it.
    finish: bool,
}

impl<'a> Seen<'a> {
    fn see(&mut self, change: &'a NativeChange) {
        match change {
            _ if self.whole => {}
            NativeChange::DeleteTable { .. } | NativeChange::AddTable { userdata: Some(_), .. } => self.whole = true,
            NativeChange::AddChain { chain, head, .. } if head.base.is_none() => drop(self.chains.insert(chain)),
            NativeChange::AddSet { set, .. } => drop(self.sets.insert(&set.name)),
            NativeChange::DeleteChain { chain, .. } => {
                self.filled.remove(chain);
                self.gone.insert(chain);
            }
            NativeChange::FlushChain { chain, .. }
            | NativeChange::DeleteRule { chain, .. }
            | NativeChange::AddRule { chain, .. }
                if !self.chains.contains(chain) =>
            {
                self.filled.insert(chain);
            }
            NativeChange::DeleteElements { set, elements, .. } if !is_directory(set) => {
                self.removed.extend(elements.iter().filter_map(|element| place(set, element)));
            }
            NativeChange::AddElements { set, elements, .. } if !self.sets.contains(set) => {
                let actions = elements.iter().filter_map(|element| match &element.data {
                    Some(ElementData::Verdict(verdict)) => Some((action_of_key(element.key.as_deref()?)?, verdict)),
                    _ => None,
                });
                self.actions.extend(actions);
                if !self.removed.is_empty() {
                    let places = elements.iter().filter_map(|element| place(set, element));
                    self.replaced.extend(places.filter(|place| self.removed.remove(place)));
                }
            }
            _ => {}
        }
    }

    /// Notes why a change cannot go with all others.
    fn weigh(&mut self, change: &NativeChange, leads_to: LeadsTo<'_>, follow: &mut Follow) {
        match change {
            NativeChange::AddSet { set, .. } => self.make |= set.flags.contains(SetFlags::INTERVAL),
            NativeChange::AddElements { table, set, elements } if !self.sets.contains(set) && !is_directory(set) => {
                if self.actions.is_empty() && self.filled.is_empty() {
                    return;
                }
                for element in elements {
                    let (Some(ElementData::Value(value)), Some(key)) = (&element.data, &element.key) else { continue };
                    let Some(number) = action_number(value) else { continue };
                    self.make |= match self.actions.get(&number) {
                        Some(Verdict::Jump(to)) => self.chains.contains(to) && self.replaced.contains(&(set, &**key)),
                        Some(Verdict::Goto(to)) => self.chains.contains(to),
                        _ => false,
                    };
                    if !self.filled.is_empty() && leads_to(*table, number).is_some_and(|to| has(&self.filled, &to)) {
                        follow.entry((*table, set.clone())).or_default().insert(key.clone());
                    }
                }
            }
            // Where nothing else changes for a packet it is as if the key had not been there.
            NativeChange::DeleteElements { set, elements, .. } if !self.finish => {
                let moves = !self.replaced.is_empty() || (!self.filled.is_empty() && !is_actions(set));
                self.finish = moves && self.goes(set, elements);
            }
            NativeChange::DeleteSet { set, .. } => self.finish |= is_map(set),
            _ => {}
        }
    }

    /// Whether these elements go for good. Those of one change all do, or none does. Ranges go when others come, which they
    /// may overlap.
    fn goes(&self, set: &SetName, elements: &[Element]) -> bool {
        !elements.iter().any(Element::is_interval_end)
            && elements.iter().any(|element| place(set, element).is_some_and(|place| self.removed.contains(&place)))
    }

    fn phase(&self, change: &NativeChange) -> Phase {
        let made = match change {
            NativeChange::AddTable { .. } | NativeChange::AddSet { .. } => true,
            NativeChange::AddElements { set, elements, .. } => {
                let is_new = |element| place(set, element).is_some_and(|place| !self.replaced.contains(&place));
                self.sets.contains(set) || (is_actions(set) && elements.iter().all(is_new))
            }
            change => change.chain().is_some_and(|chain| self.chains.contains(chain)),
        };
        let gone = match change {
            NativeChange::DeleteChain { .. } | NativeChange::DeleteSet { .. } => true,
            NativeChange::FlushChain { chain, .. } => self.gone.contains(chain),
            NativeChange::DeleteElements { set, elements, .. } => self.goes(set, elements),
            _ => false,
        };
        match () {
            () if made && self.make => Phase::Make,
            () if gone && self.finish => Phase::Break,
            () => Phase::Switch,
        }
    }
}

/// Whether a packet meets nothing else because of it, when nothing leads there any more.
pub(super) fn is_unseen(change: &NativeChange) -> bool {
    match change {
        NativeChange::DeleteChain { .. } | NativeChange::FlushChain { .. } | NativeChange::DeleteSet { .. } => true,
        NativeChange::DeleteElements { set, .. } => is_directory(set) || is_actions(set),
        _ => false,
    }
}

/// What the compiler calls a set: `map` of `C/map/7`, `chains` of `C/chains`.
fn kind(set: &SetName) -> &str {
    let mut parts = set.as_str().rsplit('/');
    let last = parts.next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) { parts.next().unwrap_or_default() } else { last }
}

/// No rule looks into the directory.
fn is_directory(set: &SetName) -> bool {
    kind(set) == "chains"
}

fn is_actions(set: &SetName) -> bool {
    kind(set) == "actions"
}

/// Whether it may be a map. Sets keep their elements when they go.
fn is_map(set: &SetName) -> bool {
    matches!(kind(set), "map" | "family" | "actions")
}
