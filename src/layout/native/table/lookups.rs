//! The sets that bodies look up: constant ones, and those of families.
//!
//! Owns: which there are, what each is called in the kernel, and how long they live.
//! Never: makes an item, or puts an element.
//!
//! A set lives while an item of a kernel chain looks it up, which is known when all chains have become what they are to be.
//!
//! Invariant: equal constants are one set; a piece of a template is one set at each place.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;

use super::context::{Context, Place};
use super::{SetId, SetKind, Table, declare};
use crate::layout::native::declare::constants;
use crate::layout::native::error::Error;
use crate::layout::native::families::heat::PlaceId;
use crate::layout::native::families::{self, Template};
use crate::layout::native::field::{Fields, Key};
use crate::layout::native::hash::Hash;
use crate::layout::native::rules::{Signature, TemplateId};
use crate::layout::native::sets::actions_of;
use crate::layout::native::sharing::Turn;
use crate::layout::native::tlv::{Kind, SetTag, Tags};
use crate::name::ChainName;
use crate::rule::Target;

/// What a constant set holds: first and last value of each range.
type Constant = (Fields, Vec<(Key, Key)>);

/// A set of a family: a template at a place, and how many pieces of it come before in a body.
type FamilyKey = (PlaceId, TemplateId, u32);

/// Sets that items of bodies look up.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    constants: HashMap<Arc<Constant>, SetId>,
    families: HashMap<FamilyKey, SetId>,
    /// What each is, and how many items have it.
    origins: HashMap<SetId, (Origin, u32)>,
    /// Those that no item had at some moment.
    unused: BTreeSet<SetId>,
}

#[derive(Debug)]
enum Origin {
    Constant(Arc<Constant>),
    Family(FamilyKey),
}

impl Lookups {
    fn note(&mut self, set: SetId, origin: Origin) {
        self.origins.insert(set, (origin, 0));
        self.unused.insert(set);
    }

    /// One item more has the set, or one less.
    fn count(&mut self, set: SetId, more: bool) {
        let Some((_, items)) = self.origins.get_mut(&set) else { return };
        *items = if more { *items + 1 } else { items.saturating_sub(1) };
        if *items == 0 {
            self.unused.insert(set);
        }
    }

    /// Forgets the sets that no item has, and says which they are.
    fn take_unused(&mut self) -> Vec<SetId> {
        let mut unused = Vec::new();
        for set in std::mem::take(&mut self.unused) {
            match self.origins.remove(&set) {
                Some((Origin::Constant(constant), 0)) => drop(self.constants.remove(&constant)),
                Some((Origin::Family(key), 0)) => drop(self.families.remove(&key)),
                Some(used) => {
                    self.origins.insert(set, used);
                    continue;
                }
                None => continue,
            }
            unused.push(set);
        }
        unused
    }
}

impl Table {
    /// Counts what the kernel chains use.
    pub(super) fn count_turns(&mut self) {
        for turn in self.bodies.take_turns() {
            match turn {
                Turn::Came(id, content) => {
                    for item in &*content {
                        self.rules.hold(item.rule);
                        item.set().into_iter().for_each(|set| self.lookups.count(set, true));
                    }
                    self.touched.insert(id);
                }
                Turn::Went(id, name, content) => {
                    for item in &*content {
                        self.rules.release(item.rule);
                        item.set().into_iter().for_each(|set| self.lookups.count(set, false));
                    }
                    self.touched.insert(id);
                    self.left.insert(name);
                }
            }
        }
    }

    /// Takes away the sets that nothing looks up any more.
    pub(super) fn drop_unused(&mut self) {
        for set in self.lookups.take_unused() {
            self.end_set(set);
        }
    }

    /// Makes the verdict map of a choice map: each has one of its own, so that a chain leads in the kernel where it leads in
    /// the model, and nowhere else. One for all would make a loop of a dispatcher that a dispatcher leads to.
    pub(super) fn begin_actions(&mut self, map: SetId) -> Result<(), Error> {
        let tag = SetTag { kind: Kind::Actions, context: Fields::default(), fields: Fields::default() };
        let tags = Tags { set: Some(tag), ..Tags::default() };
        let name = self.setup.names.actions(map.0)?;
        let set = declare(&SetKind::Actions, self.id.family, &self.name, &name, false, &tags);
        self.sets.make(actions_of(map), None, set, Vec::new());
        Ok(())
    }

    /// Takes a set away, and the actions that its elements have.
    pub(super) fn end_set(&mut self, set: SetId) {
        self.sets.remove_with_actions(set);
        self.fields.remove(&set);
    }

    /// The constant set of these ranges; `None` when there are as many as there may be.
    pub(super) fn constant(&mut self, fields: Fields, ranges: Vec<(Key, Key)>) -> Result<Option<SetId>, Error> {
        let constant = Arc::new((fields, ranges));
        if let Some(&set) = self.lookups.constants.get(&constant) {
            return Ok(Some(set));
        }
        if self.lookups.constants.len() >= self.setup.native.limits.sets {
            return Ok(None);
        }
        let (fields, ranges) = &*constant;
        let identity = Hash::of(&(fields, ranges));
        let number = self.sets.number(identity);
        let interval = ranges.iter().any(|(first, last)| first != last);
        let size = u32::try_from(ranges.len()).unwrap_or(u32::MAX);
        let kind = SetKind::Constant { fields, interval, size };
        let tag = SetTag { kind: Kind::Constant, context: Fields::default(), fields: fields.clone() };
        let tags = Tags { hash: Some(identity.0), set: Some(tag), ..Tags::default() };
        let name = self.setup.names.constant(number.0)?;
        let set = declare(&kind, self.id.family, &self.name, &name, false, &tags);
        self.sets.make(number, Some(identity), set, constants(fields, interval, ranges));
        self.fields.insert(number, fields.clone());
        self.lookups.constants.insert(constant.clone(), number);
        self.lookups.note(number, Origin::Constant(constant));
        Ok(Some(number))
    }

    /// The set or map of a piece of a family, for all chains of a place.
    pub(super) fn family_set(
        &mut self,
        context: &Context,
        id: TemplateId,
        template: &Template,
        occurrence: u32,
    ) -> Result<SetId, Error> {
        let key = (context.place, id, occurrence);
        if let Some(&set) = self.lookups.families.get(&key) {
            return Ok(set);
        }
        let joined = match &template.kind {
            families::Kind::Match(fields) => context.fields.join(fields),
            families::Kind::Store | families::Kind::Jump | families::Kind::Goto => context.fields.clone(),
        };
        let store = template.rule.target.clone().unwrap_or(Target::Return);
        let (kind, set_kind) = match template.kind {
            families::Kind::Match(_) => (Kind::FamilyMember, SetKind::Member(&joined)),
            families::Kind::Store => (Kind::FamilyStore, SetKind::Store { fields: &joined, store: &store }),
            families::Kind::Jump | families::Kind::Goto => (Kind::FamilyChoice, SetKind::Choice(&joined)),
        };
        let fields = match &template.kind {
            families::Kind::Match(fields) => fields.clone(),
            _ => Fields::default(),
        };
        let identity = Hash::of(&(self.way_to(context.place), template.normal(self.id.family), occurrence));
        let number = self.sets.number(identity);
        let tag = SetTag { kind, context: context.fields.clone(), fields };
        let tags = Tags { hash: Some(identity.0), set: Some(tag), ..Tags::default() };
        let name = self.setup.names.family(number.0)?;
        let set = declare(&set_kind, self.id.family, &self.name, &name, false, &tags);
        self.sets.make(number, Some(identity), set, Vec::new());
        if kind == Kind::FamilyChoice {
            self.begin_actions(number)?;
        }
        self.fields.insert(number, joined);
        self.lookups.families.insert(key, number);
        self.lookups.note(number, Origin::Family(key));
        Ok(number)
    }

    /// A place in words that mean the same in another process: chain and signature of the runs, and the way down.
    fn way_to(&self, mut place: PlaceId) -> (Vec<(ChainName, Signature)>, Vec<u32>) {
        let mut way = Vec::new();
        loop {
            match self.places.at(place) {
                Some(Place::Below(above, rank)) => {
                    way.push(*rank);
                    place = *above;
                }
                Some(Place::Runs(runs)) => {
                    let words = runs.iter().filter_map(|run| {
                        let chain = self.graph.at(run.chain)?.name.clone();
                        let run = self.dispatch.run(*run)?;
                        Some((chain, self.rules.signature(run.signature)?.normal(self.id.family)))
                    });
                    let mut words: Vec<(ChainName, Signature)> = words.collect();
                    // Numbers of runs differ from process to process, and with them their order.
                    words.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| Hash::of(&a.1).cmp(&Hash::of(&b.1))));
                    return (words, way);
                }
                None => return (Vec::new(), way),
            }
        }
    }
}
