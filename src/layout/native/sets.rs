//! The sets and maps of a table and what is in them.
//!
//! Owns: their numbers, declarations and elements, the numbers of actions, and which of it an update changed.
//! Never: decides what a set is for.
//!
//! Sets are a list in the kernel, so there are few of them; elements are hashed there, so there may be many. What has to
//! be sent is found while it changes: the first change of an element keeps what the kernel has, and at the end only those
//! are looked at. What is kept goes with [`Sets::commit`], so that a transaction that is refused is sent with the next.
//!
//! Invariant: what was put and taken away again is no change, also when a refused transaction lies in between.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::declare::{action_key, action_number};
use super::delta::{Fate, SetDelta};
use super::hash::Hash;
use super::item::{BodyId, SetId};
use super::seed::Seeds;
use crate::name::{ChainName, SetName};
use crate::nft::expr::Verdict;
use crate::nft::{Element, ElementData, Set, SetData};

/// What an element holds beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Value {
    pub(super) data: Option<ElementData>,
    pub(super) userdata: Option<Box<[u8]>>,
}

/// A set of the table.
#[derive(Debug)]
struct Known {
    set: Box<Set>,
    identity: Option<Hash>,
    /// Elements that do not change, of a constant set.
    fixed: Box<[Element]>,
    elements: HashMap<Box<[u8]>, Value>,
}

/// Where an action of a choice map leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Choice {
    Accept,
    Drop,
    Return,
    Jump(BodyId),
    Goto(BodyId),
}

/// An action and how many elements have it.
#[derive(Debug)]
struct Numbered {
    number: u32,
    uses: u32,
}

/// The verdict map that belongs to a choice map.
pub(super) fn actions_of(map: SetId) -> SetId {
    SetId(map.0 | 1 << 31)
}

/// The numbers of actions that are the same in every table; others follow.
const FIRST_ACTION: u32 = 4;

/// The sets of a table.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sets: HashMap<SetId, Known>,
    next: u32,
    actions: HashMap<Choice, Numbered>,
    next_action: u32,
    by_number: HashMap<u32, Choice>,
    /// How many elements of a choice map have an action, by the verdict map beside it.
    used: HashMap<(SetId, u32), u32>,
    /// Actions that went since the last commit, with the numbers that they have again when they come back.
    gone_actions: HashMap<Choice, u32>,
    /// Numbers of sets that stand in the kernel, by the hash of their identity; several may have one.
    set_seeds: HashMap<Hash, Vec<u32>>,
    /// Numbers of actions that stand there.
    action_seeds: HashMap<Verdict, u32>,
    /// Sets that the kernel does not have.
    new: BTreeSet<SetId>,
    /// Sets that the kernel has and that are no more.
    gone: BTreeMap<SetId, Known>,
    /// What the kernel has of elements that changed.
    changed: BTreeMap<SetId, BTreeMap<Box<[u8]>, Option<Value>>>,
}

impl Sets {
    /// Takes the numbers of what stands in the kernel.
    pub(super) fn seed(&mut self, seeds: Seeds) {
        self.next = self.next.max(seeds.next_set);
        self.next_action = self.next_action.max(seeds.next_action);
        // Taken from the end, so that the first comes first.
        for (hash, number) in seeds.sets.into_iter().rev() {
            self.set_seeds.entry(Hash(hash)).or_default().push(number);
        }
        self.action_seeds = seeds.actions.into_iter().collect();
    }

    /// The name of a set.
    pub(super) fn name(&self, id: SetId) -> Option<&SetName> {
        self.sets.get(&id).map(|known| &known.set.name)
    }

    /// A number for a new set: the one that it has in the kernel, or the next.
    pub(super) fn number(&mut self, identity: Hash) -> SetId {
        if let Some((id, _)) = self.gone.iter().find(|(_, known)| known.identity == Some(identity)) {
            return *id;
        }
        let seed = self.set_seeds.get_mut(&identity).and_then(Vec::pop);
        SetId(seed.unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        }))
    }

    /// Makes a set that has these elements for life, and others that are put.
    pub(super) fn make(&mut self, id: SetId, identity: Option<Hash>, set: Set, fixed: Vec<Element>) {
        match self.gone.remove(&id) {
            Some(known) => {
                let images = self.changed.entry(id).or_default();
                for (key, value) in known.elements {
                    images.entry(key).or_insert(Some(value));
                }
            }
            None => drop(self.new.insert(id)),
        }
        let known = Known { set: Box::new(set), identity, fixed: fixed.into(), elements: HashMap::default() };
        self.sets.insert(id, known);
    }

    /// Takes a set away, with its elements.
    pub(super) fn remove(&mut self, id: SetId) {
        if let Some(known) = self.sets.remove(&id)
            && !self.new.remove(&id)
        {
            self.gone.insert(id, known);
        }
    }

    /// The element of a key.
    pub(super) fn value(&self, id: SetId, key: &[u8]) -> Option<&Value> {
        self.sets.get(&id)?.elements.get(key)
    }

    /// Puts an element, or takes it away.
    pub(super) fn put(&mut self, id: SetId, key: &[u8], value: Option<Value>) {
        let Some(known) = self.sets.get_mut(&id) else { return };
        let old = match value {
            Some(value) => known.elements.insert(key.into(), value),
            None => known.elements.remove(key),
        };
        // All elements of a set that is new are sent.
        if !self.new.contains(&id) {
            self.changed.entry(id).or_default().entry(key.into()).or_insert(old);
        }
    }

    /// The number of an action, the same in all maps, counted as used once more in this verdict map; `name` is the chain
    /// that it leads to.
    pub(super) fn take_action(&mut self, map: SetId, choice: Choice, name: Option<&ChainName>) -> u32 {
        let verdict = match (choice, name) {
            (Choice::Accept, _) => Verdict::Accept,
            (Choice::Drop, _) => Verdict::Drop,
            (Choice::Return, _) | (_, None) => Verdict::Return,
            (Choice::Jump(_), Some(name)) => Verdict::Jump(name.clone()),
            (Choice::Goto(_), Some(name)) => Verdict::Goto(name.clone()),
        };
        let number = self.action_number(choice, &verdict);
        let used = self.used.entry((map, number)).or_default();
        *used += 1;
        if *used == 1 {
            let value = Value { data: Some(ElementData::Verdict(verdict)), userdata: None };
            self.put(map, &action_key(number), Some(value));
        }
        number
    }

    fn action_number(&mut self, choice: Choice, verdict: &Verdict) -> u32 {
        if let Some(known) = self.actions.get_mut(&choice) {
            known.uses += 1;
            return known.number;
        }
        let number = match choice {
            Choice::Accept => 1,
            Choice::Drop => 2,
            Choice::Return => 3,
            Choice::Jump(_) | Choice::Goto(_) => {
                let known = self.gone_actions.remove(&choice).or_else(|| self.action_seeds.remove(verdict));
                known.unwrap_or_else(|| {
                    self.next_action = self.next_action.max(FIRST_ACTION) + 1;
                    self.next_action - 1
                })
            }
        };
        self.actions.insert(choice, Numbered { number, uses: 1 });
        self.by_number.insert(number, choice);
        number
    }

    /// Takes one use of an action back. It goes from the verdict map with the last one there.
    pub(super) fn release_action(&mut self, map: SetId, number: u32) {
        if let Some(used) = self.used.get_mut(&(map, number)) {
            *used -= 1;
            if *used == 0 {
                self.used.remove(&(map, number));
                self.put(map, &action_key(number), None);
            }
        }
        let Some(choice) = self.by_number.get(&number).copied() else { return };
        let Some(known) = self.actions.get_mut(&choice) else { return };
        known.uses -= 1;
        if known.uses == 0 {
            self.actions.remove(&choice);
            self.by_number.remove(&number);
            self.gone_actions.insert(choice, number);
        }
    }

    /// The number of the action that an element has, if the set is a choice map.
    pub(super) fn action(&self, id: SetId, key: &[u8]) -> Option<u32> {
        self.sets.get(&actions_of(id))?;
        self.value(id, key).and_then(number)
    }

    /// Where the action of that number leads.
    pub(super) fn choice(&self, action: u32) -> Option<Choice> {
        self.by_number.get(&action).copied()
    }

    /// Takes a set away, and if it is a choice map the verdict map beside it.
    pub(super) fn remove_with_actions(&mut self, id: SetId) {
        let elements = self.sets.get(&id).into_iter().flat_map(|known| known.elements.values());
        let numbers: Vec<u32> = match self.sets.contains_key(&actions_of(id)) {
            true => elements.filter_map(number).collect(),
            false => Vec::new(),
        };
        numbers.into_iter().for_each(|number| self.release_action(actions_of(id), number));
        self.remove(actions_of(id));
        self.remove(id);
    }

    /// What the kernel lacks, by number.
    pub(super) fn changes(&mut self) -> Vec<SetDelta> {
        self.set_seeds.clear();
        self.action_seeds.clear();
        let mut deltas = BTreeMap::new();
        for id in &self.new {
            let Some(known) = self.sets.get(id) else { continue };
            let mut added: Vec<Element> = known.elements.iter().map(|(key, v)| element(key, v)).collect();
            added.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            added.extend(known.fixed.iter().cloned());
            let (name, fate) = (known.set.name.clone(), Fate::New(known.set.clone()));
            deltas.insert(*id, SetDelta { name, fate, removed: Vec::new(), added });
        }
        for (id, known) in &self.gone {
            let name = known.set.name.clone();
            let removed = if known.set.data == Some(SetData::Verdict) { self.held(*id, known) } else { Vec::new() };
            deltas.insert(*id, SetDelta { name, fate: Fate::Gone, removed, added: Vec::new() });
        }
        for (id, elements) in &self.changed {
            let Some(known) = self.sets.get(id) else { continue };
            let (mut removed, mut added) = (Vec::new(), Vec::new());
            for (key, before) in elements {
                let now = known.elements.get(key);
                if before.as_ref() == now {
                    continue;
                }
                removed.extend(before.as_ref().map(|_| Element::new(key)));
                added.extend(now.map(|value| element(key, value)));
            }
            if !removed.is_empty() || !added.is_empty() {
                let delta = SetDelta { name: known.set.name.clone(), fate: Fate::Kept, removed, added };
                deltas.insert(*id, delta);
            }
        }
        deltas.into_values().collect()
    }

    /// The elements that the kernel has of a set that goes: those of a verdict map hold the chains they lead to.
    fn held(&self, id: SetId, known: &Known) -> Vec<Element> {
        let images = self.changed.get(&id);
        let changed = images.into_iter().flatten().filter(|(_, before)| before.is_some()).map(|(key, _)| key);
        let kept = known.elements.keys().filter(|key| !images.is_some_and(|images| images.contains_key(*key)));
        let mut keys: Vec<_> = changed.chain(kept).collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| Element::new(key)).collect()
    }

    /// The kernel has it all.
    pub(super) fn commit(&mut self) {
        self.new.clear();
        self.gone.clear();
        self.changed.clear();
        self.gone_actions.clear();
    }
}

fn number(value: &Value) -> Option<u32> {
    match &value.data {
        Some(ElementData::Value(bytes)) => action_number(bytes),
        _ => None,
    }
}

fn element(key: &[u8], value: &Value) -> Element {
    let Value { data, userdata } = value.clone();
    Element { data, userdata, ..Element::new(key) }
}
