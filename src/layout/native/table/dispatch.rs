//! Runs: where the index of dispatchers meets sets and elements.
//!
//! Owns: the map of each run, which chains are reached by a dispatch, and what every element holds.
//! Never: decides what is a run; the index does.

use std::cmp::Reverse;

use super::{
    BTreeSet, ChainIx, Class, Edge, Elements, Form, Item, Kind, Passes, RuleKey, Run, RunId, SetKind, SetTag,
    Signature, Standing, Table, Tags, declare, entry,
};
use crate::layout::native::error::Error;
use crate::layout::native::field::Fields;
use crate::layout::native::hash::Hash;

impl Table {
    /// Brings the index up to date, and the sets of runs with it.
    pub(super) fn settle_dispatch(&mut self) -> Result<(), Error> {
        if !self.passes().contains(Passes::DISPATCH) {
            return Ok(());
        }
        for changed in self.graph.take_changed() {
            for (from, key) in self.graph.at(changed).into_iter().flat_map(|node| node.referrers.iter()) {
                if !self.dispatch.is_dispatcher(*from) {
                    continue;
                }
                let id = self.chains.get(from).and_then(|state| state.rules.get(*key));
                if let Some((id, known)) = id.and_then(|id| Some((id, self.rules.at(id)?))) {
                    let effects = self.graph.effects(Edge { effects: known.effects, target: Some(changed) });
                    let action = known.action_id(id, Some(changed.0));
                    self.dispatch.update(*from, *key, action, effects);
                }
            }
        }
        let mut load: BTreeSet<(Reverse<u8>, ChainIx)> = self.dirty.iter().map(|ix| self.by_height(*ix)).collect();
        loop {
            // From above downwards, so that it is known of each whether a dispatch reaches it: ten thousand bodies would
            // be dispatchers for a moment, each with a map.
            let level = load.first().map(|(height, _)| *height);
            while let Some((height, ix)) = load.first().copied()
                && Some(height) == level
            {
                load.pop_first();
                self.load(ix);
            }
            let mut settled = load.is_empty();
            let changes = self.dispatch.take_changes();
            for run in changes.runs {
                match run.change {
                    Elements::New => self.begin_run(run.run)?,
                    Elements::Gone => self.end_run(run.run),
                    Elements::Changed(elements) => {
                        let elements = elements.into_iter().map(|element| (element.key, element.after));
                        self.pending.entry(run.run).or_default().extend(elements);
                    }
                }
            }
            for rule in changes.rules {
                let target = |side: Option<(Standing, u64)>| match side {
                    Some((Standing::Run(_), action)) => leads_to(action),
                    _ => None,
                };
                let (before, after) = (target(rule.before), target(rule.after));
                self.astray.extend(before.into_iter().chain(after));
                if before != after {
                    // Whether a chain is reached decides whether it is a dispatcher.
                    settled = false;
                    load.extend(before.and_then(|ix| self.reach(ix, false)).map(|ix| self.by_height(ix)));
                    load.extend(after.and_then(|ix| self.reach(ix, true)).map(|ix| self.by_height(ix)));
                }
            }
            self.dirty.extend(changes.chains.into_iter().map(|(ix, _)| ix));
            self.dirty.extend(changes.pieces);
            if settled {
                return Ok(());
            }
        }
    }

    /// In which run a rule stands.
    pub(super) fn run_of(&self, chain: ChainIx, rule: RuleKey) -> Option<RunId> {
        match self.dispatch.standing(chain, rule)?.0 {
            Standing::Run(run) => Some(run),
            Standing::Plain => None,
        }
    }

    /// A chain with the order in which chains are loaded.
    fn by_height(&self, ix: ChainIx) -> (Reverse<u8>, ChainIx) {
        (Reverse(self.graph.height(ix)), ix)
    }

    /// Gives a chain's rules to the index when they could make it a dispatcher.
    fn load(&mut self, ix: ChainIx) {
        let Some(state) = self.chains.get(&ix) else { return };
        let common = state.kind.is_none_or(|kind| self.setup.is_common(kind));
        if common || self.dispatch.is_dispatcher(ix) {
            return;
        }
        if state.rules.list().is_some_and(|list| !list.may_dispatch()) {
            // It may have had other rules, and waited for not being reached any more.
            return self.dispatch.forget(ix);
        }
        let (known, graph) = (&self.rules, &self.graph);
        let rules = state.rules.iter().filter_map(|(key, id)| Some((key, entry(known, graph, id)?)));
        self.dispatch.load(ix, state.reached > 0, rules);
    }

    /// One element more, or less, leads to a chain. Returns it when it is to be loaded.
    fn reach(&mut self, ix: ChainIx, more: bool) -> Option<ChainIx> {
        let state = self.chains.get_mut(&ix)?;
        let before = state.reached > 0;
        state.reached = if more { state.reached + 1 } else { state.reached.saturating_sub(1) };
        let now = state.reached > 0;
        self.listed.insert(ix);
        (before != now && self.dispatch.set_reached(ix, now)).then_some(ix)
    }

    fn begin_run(&mut self, id: RunId) -> Result<(), Error> {
        let Some(run) = self.dispatch.run(id) else { return Ok(()) };
        let (Some(signature), Some(chain)) = (self.rules.signature(run.signature).cloned(), self.graph.at(id.chain))
        else {
            return Ok(());
        };
        let chain = chain.name.clone();
        let identity = Hash::of(&(chain.as_str(), signature.normal(self.id.family)));
        let Signature { fields, rule, class } = signature;
        let number = self.sets.number(identity);
        let name = self.setup.names.run(number.0)?;
        let (declaration, kind) = match (class, &rule.target) {
            (Class::Choice, _) => (SetKind::Choice(&fields), Kind::Choice),
            (Class::Store(_), Some(store)) => (SetKind::Store { fields: &fields, store }, Kind::Store),
            _ => (SetKind::Member(&fields), Kind::Member),
        };
        let tag = SetTag { kind, context: Fields::default(), fields: fields.clone() };
        let tags = Tags { hash: Some(identity.0), set: Some(tag), chain: Some(chain), ..Tags::default() };
        let counters = self.setup.native.counters;
        let set = declare(&declaration, self.id.family, &self.name, &name, counters, &tags);
        self.sets.make(number, Some(identity), set, Vec::new());
        if class == Class::Choice {
            self.begin_actions(number)?;
        }
        let item = Item {
            rule: self.rules.take(&rule, self.id.family),
            form: match class {
                Class::Choice => Form::Choose(number),
                Class::Store(_) => Form::Assign(number),
                Class::Same => Form::Member(number),
            },
        };
        self.fields.insert(number, fields);
        self.runs.insert(id, Run { set: number, item });
        let elements = self.dispatch.elements(id).map(|(key, rule)| (key.clone(), Some(rule)));
        self.pending.insert(id, elements.collect());
        Ok(())
    }

    fn end_run(&mut self, id: RunId) {
        let Some(run) = self.runs.remove(&id) else { return };
        self.end_set(run.set);
        self.rules.release(run.item.rule);
    }
}

/// The chain that a rule with this action leads to, as [`Known::action_id`] numbers it.
fn leads_to(action: u64) -> Option<ChainIx> {
    matches!(action >> 32, 1 | 2).then(|| ChainIx(u32::try_from(action & u64::from(u32::MAX)).unwrap_or(u32::MAX)))
}
