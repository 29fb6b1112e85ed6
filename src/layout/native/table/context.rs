//! Chains that only keys lead to: what each can load again, and which of their rules are worth a family.
//!
//! Owns: the [`Context`] of every chain, the numbers of places, and the counts that make a template hot.
//! Never: makes a set; [`content`](super::content) does, of what is hot here.
//!
//! A chain has a context when every rule that leads to it stands in a run: then the keys of these rules are known again in
//! the chain. A chain that only one other chain leads to, which has a context, has the same one. Its *place* is the run,
//! and the way down from there: at one place every key leads to one chain, so that one set for all chains of a place
//! tells them apart by their keys.
//!
//! When several runs lead to a chain (`FORWARD` and `INPUT` by the same interface) all must do so by the same keys, and the
//! place is that of just these runs. So chains of a place are reached from the same dispatchers, and none of them leads to
//! another: would one, then by way of one of the runs, which leads to it as well. This is why chains of a place that
//! become one kernel chain make no loop, and are reached from no hook that they are not reached from in the model.
//!
//! Invariant: contexts and counts are a function of the model's rules and of the runs they stand in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::{ChainIx, ChainKind, List, Passes, RunId, Table};
use crate::layout::native::families::heat::PlaceId;
use crate::layout::native::field::{Fields, Key};

/// The most rules that may lead to a chain of a family: each of them has elements of its own for each constant.
const REFERRERS_MAX: usize = 64;

/// Where a chain stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// Rules of these runs lead to it.
    Runs(Box<[RunId]>),
    /// The chain of this place leads to it, and of the chains that it alone leads to this is the one of that number.
    Below(PlaceId, u32),
}

/// The runs that lead to a chain, and the fields and keys by which they do.
type WayIn = (Box<[RunId]>, Fields, Box<[Key]>);

/// What a chain can load of the packets that reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) place: PlaceId,
    pub(super) fields: Fields,
    /// Every value that leads to the chain, ascending.
    pub(super) keys: Box<[Key]>,
}

/// The numbers of places, as long as a chain stands there.
#[derive(Debug, Default)]
pub(super) struct Places {
    numbers: HashMap<Place, PlaceId>,
    at: HashMap<PlaceId, (Place, u32)>,
    next: u32,
}

impl Places {
    /// The place of that number.
    pub(super) fn at(&self, id: PlaceId) -> Option<&Place> {
        self.at.get(&id).map(|(place, _)| place)
    }

    /// The number of a place. It is given again unless it is taken.
    fn number(&mut self, place: Place) -> PlaceId {
        if let Some(&id) = self.numbers.get(&place) {
            return id;
        }
        self.next += 1;
        let id = PlaceId(self.next);
        self.numbers.insert(place.clone(), id);
        self.at.insert(id, (place, 0));
        id
    }

    fn take(&mut self, id: PlaceId) {
        if let Some((_, chains)) = self.at.get_mut(&id) {
            *chains += 1;
        }
    }

    fn release(&mut self, id: PlaceId) {
        let Some((place, chains)) = self.at.get_mut(&id) else { return };
        *chains = chains.saturating_sub(1);
        if *chains == 0 {
            self.numbers.remove(place);
            self.at.remove(&id);
        }
    }
}

impl Table {
    /// Finds the contexts of chains that something else leads to now, from above downwards, and counts their rules. Chains
    /// that are to be compiled because of that become dirty.
    pub(super) fn settle_contexts(&mut self) {
        if !self.passes().contains(Passes::FAMILIES) {
            self.astray.clear();
            return;
        }
        let mut levels: BTreeMap<Reverse<u8>, BTreeSet<ChainIx>> = BTreeMap::new();
        for ix in std::mem::take(&mut self.astray).into_iter().chain(self.dirty.iter().copied()) {
            levels.entry(Reverse(self.graph.height(ix))).or_default().insert(ix);
        }
        while let Some((_, level)) = levels.pop_first() {
            let mut renumbered = BTreeSet::new();
            for ix in level {
                renumbered.extend(self.adopt(ix));
                let context = self.find_context(ix);
                let Some(state) = self.chains.get_mut(&ix) else { continue };
                let changed = state.context != context;
                if changed {
                    if let Some(context) = &context {
                        self.places.take(context.place);
                        self.members.insert((context.place, ix));
                    }
                    let now = context.as_ref().map(|context| context.place);
                    if let Some(before) = std::mem::replace(&mut state.context, context) {
                        self.places.release(before.place);
                        if now != Some(before.place) {
                            self.members.remove(&(before.place, ix));
                        }
                    }
                    self.dirty.insert(ix);
                    self.listed.insert(ix);
                }
                let Some(state) = self.chains.get(&ix) else { continue };
                if changed || (state.context.is_some() && self.dirty.contains(&ix)) {
                    self.count(ix);
                    for target in self.targets(ix) {
                        levels.entry(Reverse(self.graph.height(target))).or_default().insert(target);
                    }
                }
            }
            for target in renumbered.into_iter().flat_map(|above| self.targets(above)) {
                levels.entry(Reverse(self.graph.height(target))).or_default().insert(target);
            }
        }
        for (place, template) in self.heat.take_changed() {
            let members = self.members.range((place, ChainIx(0))..=(place, ChainIx(u32::MAX))).map(|(_, ix)| *ix);
            let has = |ix: &ChainIx| {
                let counted = self.chains.get(ix).and_then(|state| state.counted.as_ref());
                counted.is_some_and(|(_, list)| list.known_templates().iter().any(|(other, _)| *other == template))
            };
            self.dirty.extend(members.filter(has));
        }
    }

    /// The chains that a chain's rules lead to, in the order of the rules.
    fn targets(&self, ix: ChainIx) -> Vec<ChainIx> {
        let rules = self.chains.get(&ix).into_iter().flat_map(|state| state.rules.leading());
        rules.filter_map(|id| self.graph.find(self.rules.at(id)?.target()?)).collect()
    }

    /// Notes which chain alone leads to this one. When that is another than before, returns those of the two that have a
    /// context: what else they lead to has another [`rank`](Self::rank) then.
    fn adopt(&mut self, ix: ChainIx) -> impl Iterator<Item = ChainIx> {
        let parent = self.graph.parent(ix);
        let before = self.chains.get_mut(&ix).map(|state| std::mem::replace(&mut state.parent, parent));
        let changed = before.filter(|before| *before != parent).map(|before| [before, parent]);
        let placed = |above: &ChainIx| self.chains.get(above).is_some_and(|state| state.context.is_some());
        changed.into_iter().flatten().flatten().filter(placed)
    }

    fn find_context(&mut self, ix: ChainIx) -> Option<Arc<Context>> {
        let kind = self.chains.get(&ix)?.kind?;
        let regular = matches!(kind, ChainKind::Wrapped | ChainKind::Shared) && !self.setup.is_common(kind);
        if !regular || self.dispatch.is_dispatcher(ix) {
            return None;
        }
        let referrers = &self.graph.at(ix)?.referrers;
        if referrers.is_empty() || referrers.len() > REFERRERS_MAX {
            return None;
        }
        if referrers.iter().all(|at| self.run_of(at.0, at.1).is_some()) {
            let (runs, fields, keys) = self.keys_of(ix)?;
            return Some(Arc::new(Context { place: self.places.number(Place::Runs(runs)), fields, keys }));
        }
        let parent = self.graph.parent(ix)?;
        if self.dispatch.is_dispatcher(parent) {
            return None;
        }
        let above = self.chains.get(&parent)?.context.clone()?;
        let place = self.places.number(Place::Below(above.place, self.rank(parent, ix)?));
        Some(Arc::new(Context { place, fields: above.fields.clone(), keys: above.keys.clone() }))
    }

    /// The runs that lead to a chain, and the keys by which all do.
    fn keys_of(&self, ix: ChainIx) -> Option<WayIn> {
        let mut common: Option<&Fields> = None;
        let mut ways: Vec<(RunId, &Key)> = Vec::new();
        for (from, rule) in self.graph.at(ix)?.referrers.iter() {
            let run = self.run_of(*from, *rule)?;
            let (_, fields, key) = self.rules.at(self.chains.get(from)?.rules.get(*rule)?)?.keyed.as_ref()?;
            if common.is_some_and(|common| common != fields) {
                return None;
            }
            common = Some(fields);
            ways.push((run, key));
        }
        ways.sort_unstable();
        ways.dedup();
        let mut by_run = ways.chunk_by(|a, b| a.0 == b.0);
        let first = by_run.next()?;
        let alike = |others: &[(RunId, &Key)]| others.iter().map(|way| way.1).eq(first.iter().map(|way| way.1));
        if !by_run.all(alike) {
            return None;
        }
        let runs = ways.chunk_by(|a, b| a.0 == b.0).filter_map(|way| Some(way.first()?.0)).collect();
        Some((runs, common?.clone(), first.iter().map(|(_, key)| Key::clone(key)).collect()))
    }

    /// Which of the chains that only `above` leads to this one is, by the order of its rules.
    fn rank(&self, above: ChainIx, ix: ChainIx) -> Option<u32> {
        let mut before = BTreeSet::new();
        for target in self.targets(above) {
            if target == ix {
                return u32::try_from(before.len()).ok();
            }
            if self.graph.parent(target) == Some(above) {
                before.insert(target);
            }
        }
        None
    }

    /// Counts the templates of a chain's rules for the place where it stands now.
    fn count(&mut self, ix: ChainIx) {
        let Some(state) = self.chains.get_mut(&ix) else { return };
        let now = state.context.as_ref().map(|context| (context.place, self.lists.of_chain(&state.rules, &self.rules)));
        let id = |counted: &Option<(PlaceId, Arc<List>)>| counted.as_ref().map(|(place, list)| (*place, list.id()));
        if id(&state.counted) == id(&now) {
            return;
        }
        // What comes is counted first, so that what both have does not go in between.
        if let Some((place, list)) = &now {
            self.heat.add(*place, list.id(), list.templates(&mut self.rules, self.id.family));
        }
        if let Some((place, list)) = std::mem::replace(&mut state.counted, now) {
            self.heat.remove(place, list.id(), list.known_templates());
        }
    }
}
