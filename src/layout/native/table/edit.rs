//! What changed in chains of the model.
//!
//! Owns: the check of rules before anything is changed, and what becomes of a chain's rules: their numbers, their jumps in
//! the graph, their place in the index of dispatchers.
//! Never: compiles.
//!
//! Invariant: graph and index know the rules that a chain has, no others, after each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashSet;

use super::{ChainIx, Table, entry};
use crate::compile::{Ipsets, Program, bound};
use crate::layout::native::error::Error;
use crate::layout::native::graph::Side;
use crate::layout::native::lists::{ChainRules, LIST_MAX, Row, Summary};
use crate::name::ChainName;
use crate::rule::Rule;
use crate::wrap::{self, ChainKind, RuleKey};

impl Table {
    /// What came and went of a chain, if that is known and all there is to look at.
    pub(super) fn edits<'m>(&self, chain: &'m wrap::Chain) -> Option<wrap::Edits<'m>> {
        (!self.new && !self.open.contains(chain.name())).then(|| chain.edits())?
    }

    /// Refuses rules that have no program, before anything is changed. `checked` has the addresses of rules that have one.
    pub(super) fn check_rules(
        &self,
        table: &wrap::Table,
        name: &ChainName,
        ipsets: &dyn Ipsets,
        checked: &mut HashSet<usize>,
    ) -> Result<(), Error> {
        let mut program = Program::default();
        let Some(chain) = table.chain(name) else { return Ok(()) };
        if self.setup.names.is_ours(name) {
            return Err(Error::Reserved { table: self.id, chain: name.clone() });
        }
        let common = self.setup.is_common(chain.kind());
        let mut check = |entry: &wrap::Entry| {
            let rule = entry.rule();
            if !checked.insert(Arc::as_ptr(rule).addr()) || self.rules.knows(rule) {
                return Ok(());
            }
            let written =
                bound::in_table(rule, self.id.kind).and_then(|()| self.check_rule(rule, common, ipsets, &mut program));
            let error = |source| {
                let (table, chain, line) = (self.id, name.clone(), entry.line());
                Error::Rule { table, chain, line, rule: rule.clone(), source }
            };
            written.map_err(error)
        };
        match self.edits(chain) {
            Some(edits) => edits.added().try_for_each(&mut check)?,
            None => chain.rules().try_for_each(&mut check)?,
        }
        if common { Ok(()) } else { self.check_cuts(chain, ipsets) }
    }

    /// Takes over what changed in a chain of the model.
    pub(super) fn edit(&mut self, table: &wrap::Table, name: &ChainName, ipsets: &dyn Ipsets) -> Result<(), Error> {
        let ix = self.graph.number(name);
        let chain = table.chain(name);
        let state = self.chains.entry(ix).or_default();
        let kind = chain.map(wrap::Chain::kind).filter(|kind| *kind != ChainKind::Foreign);
        let policy = chain.and_then(wrap::Chain::policy);
        if state.policy != policy {
            state.policy = policy;
            self.policies.insert(ix);
        }
        state.kind = kind;
        match kind {
            Some(ChainKind::Builtin(_)) => drop(self.bases.insert(ix)),
            _ => drop(self.bases.remove(&ix)),
        }
        self.listed.insert(ix);
        if self.edit_cut(ix, chain, ipsets)? {
            return Ok(());
        }
        match chain.map(|chain| (chain, self.edits(chain))) {
            Some((_, Some(edits))) => self.exchange(ix, &edits),
            Some((chain, None)) => self.replace(ix, chain.keyed_rules().map(|(key, entry)| (key, entry.rule()))),
            None => self.replace(ix, std::iter::empty()),
        }
        self.dirty.insert(ix);
        Ok(())
    }

    /// Makes these the rules of a chain; they are in order.
    pub(super) fn replace<'m>(&mut self, ix: ChainIx, rules: impl Iterator<Item = (RuleKey, &'m Arc<Rule>)>) {
        let rows: Vec<_> = rules.map(|(key, rule)| (key, self.rules.number(rule, self.id.family))).collect();
        let Some(state) = self.chains.get_mut(&ix) else { return };
        let now = if rows.len() <= LIST_MAX {
            ChainRules::List(self.lists.intern(&rows, &mut self.rules))
        } else {
            rows.iter().for_each(|(_, id)| self.rules.hold(*id));
            ChainRules::Many(rows.into_iter().collect())
        };
        let before = std::mem::replace(&mut state.rules, now);
        self.follow(ix, &before);
        self.lists.release(before, &mut self.rules);
    }

    /// Follows all that changed of a chain's rules.
    fn follow(&mut self, ix: ChainIx, before: &ChainRules) {
        let Some(state) = self.chains.get(&ix) else { return };
        if before.is_same(&state.rules) {
            return;
        }
        match (before.list(), state.rules.list()) {
            // What both lists do and lead to is known already; where in them, only a dispatcher wants to know.
            (Some(gone), Some(come)) if !self.dispatch.is_dispatcher(ix) => {
                let (gone, come) = (gone.clone(), come.clone());
                self.turn(ix, gone.summary(), come.summary());
            }
            _ => {
                let (gone, come) = before.differences(&state.rules);
                self.turn_rows(ix, &gone, &come);
            }
        }
    }

    /// Takes rules out of a long chain and puts others in.
    fn exchange(&mut self, ix: ChainIx, edits: &wrap::Edits<'_>) {
        let Some(state) = self.chains.get_mut(&ix) else { return };
        let mut rules = match std::mem::take(&mut state.rules) {
            ChainRules::Many(rules) => rules,
            list @ ChainRules::List(_) => {
                let rules: BTreeMap<_, _> = list.iter().collect();
                rules.values().for_each(|id| self.rules.hold(*id));
                self.lists.release(list, &mut self.rules);
                rules
            }
        };
        let gone: Vec<_> = edits.removed().iter().filter_map(|(key, _)| rules.remove_entry(key)).collect();
        let come: Vec<_> =
            edits.added().map(|entry| (entry.key(), self.rules.take(entry.rule(), self.id.family))).collect();
        rules.extend(come.iter().copied());
        state.rules = ChainRules::Many(rules);
        self.turn_rows(ix, &gone, &come);
        gone.iter().for_each(|(_, id)| self.rules.release(*id));
    }

    /// Follows rules of a chain that went, and others that came.
    fn turn_rows(&mut self, ix: ChainIx, gone: &[Row], come: &[Row]) {
        let of = |rows: &[Row]| Summary::of(rows.iter().copied(), &self.rules);
        let (less, more) = (of(gone), of(come));
        self.turn(ix, &less, &more);
        if self.dispatch.is_dispatcher(ix) {
            gone.iter().for_each(|(key, _)| self.dispatch.remove(ix, *key));
            for (key, id) in come {
                if let Some(entry) = entry(&self.rules, &self.graph, *id) {
                    self.dispatch.insert(ix, *key, entry);
                }
            }
        }
    }

    /// Follows what rules of a chain that went came to, and what others come to.
    fn turn(&mut self, ix: ChainIx, gone: &Summary, come: &Summary) {
        let mut leading = |summary: &Summary| -> Vec<(RuleKey, ChainIx)> {
            let lead = |(key, id): &Row| Some((*key, self.graph.number(self.rules.at(*id)?.target()?)));
            summary.leading.iter().filter_map(lead).collect()
        };
        let (less, more) = (leading(gone), leading(come));
        for (_, target) in less.iter().chain(&more) {
            self.chains.entry(*target).or_default();
            self.listed.insert(*target);
            self.astray.insert(*target);
        }
        if let Some(state) = self.chains.get_mut(&ix) {
            state.unique = (state.unique + come.unique).saturating_sub(gone.unique);
        }
        let (gone, come) = (Side { tally: &gone.tally, leading: &less }, Side { tally: &come.tally, leading: &more });
        self.graph.relink(ix, gone, come);
    }
}
