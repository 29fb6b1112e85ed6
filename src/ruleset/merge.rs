//! The rules of a chain that stands: what is equal stays.
//!
//! Owns: when a rule in the kernel is one that we want: the same value for rules that we sent, the same program in normal
//! form for rules that were read.
//! Never: compares text.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::chain_diff::{self, Role, Standing, Step, Wanted};
use super::plan::{Marking, PlanError, Planner, chain_of};
use super::{Change, Identity, Location, ObservedRule, Owner};
use crate::compile::stock;
use crate::name::ChainName;
use crate::nft::expr::Counter;
use crate::rule::Rule;
use crate::wrap::{Chain, ChainKind, Entry, Place, TableId};

impl Planner<'_> {
    /// A chain that stands: what is equal stays.
    pub(super) fn merge(
        &mut self,
        at: TableId,
        chain: &Chain,
        now: &[ObservedRule],
        marking: Marking,
    ) -> Result<Vec<ObservedRule>, PlanError> {
        let shared = marking == Marking::Rules;
        let entries: Vec<&Entry> = chain.rules().collect();
        // Only what lies between the ends that did not change is compared: a long chain with one change costs that.
        let (head, tail) = if marking == Marking::Chain { same_ends(now, &entries) } else { (0, 0) };
        let changed_now = now.get(head..now.len() - tail).unwrap_or_default();
        let changed = entries.get(head..entries.len() - tail).unwrap_or_default();
        let keys = self.keys(at, chain, changed_now, changed, head)?;
        let standing: Vec<Standing<u32>> = changed_now
            .iter()
            .zip(&keys.standing)
            .map(|(rule, key)| Standing {
                key: *key,
                role: role(&rule.owner, shared),
                unmarked: rule.owner == Owner::Nobody && self.is_ours_by_name(at, rule, marking),
            })
            .collect();
        let wanted: Vec<Wanted<u32>> = changed
            .iter()
            .zip(&keys.wanted)
            .map(|(entry, key)| Wanted { key: *key, place: if shared { entry.place() } else { Place::Normal } })
            .collect();
        let difference = chain_diff::diff(&standing, &wanted);
        let mut stays = vec![true; now.len()];
        // New rules by the rule they come before, each with the index of its change.
        let mut inserted: HashMap<Option<usize>, Vec<(usize, ObservedRule)>> = HashMap::new();
        let after = (tail > 0).then(|| now.len() - tail);
        for step in difference.steps {
            match step {
                Step::Delete(index) => {
                    let index = head + index;
                    let Some(rule) = now.get(index) else { continue };
                    if let Some(stay) = stays.get_mut(index) {
                        *stay = false;
                    }
                    self.delete(at, chain.name(), rule);
                }
                Step::Insert { wanted: index, before, moved_from } => {
                    let (index, before) = (head + index, before.map(|b| head + b).or(after));
                    let moved_from = moved_from.map(|m| head + m);
                    let Some(entry) = entries.get(index).copied() else { continue };
                    let mut change = self.add(at, chain, index, entry, marking);
                    if let Change::AddRule { before: handle, counters, mark, .. } = &mut change {
                        *handle = before.and_then(|b| now.get(b)).and_then(|rule| self.handle(at, chain.name(), rule));
                        if let Some(from) = moved_from
                            && entry.counters().is_none()
                        {
                            *counters = self.counted(at, chain.name(), now, from).map(Box::new);
                        }
                        let owner = Self::owner(mark.as_deref(), entry.place());
                        let identity = Identity::Rule(entry.rule().clone());
                        let rule = ObservedRule { identity, handle: None, owner };
                        inserted.entry(before).or_default().push((self.rules.len(), rule));
                    }
                    self.rules.push(change);
                }
            }
        }
        let mut kept_as: Vec<Option<&Entry>> = vec![None; now.len()];
        for (entry, kept) in changed.iter().zip(&difference.kept) {
            if let Some(slot) = kept.and_then(|at| kept_as.get_mut(head + at)) {
                *slot = Some(*entry);
            }
        }
        let mut next = Vec::with_capacity(entries.len());
        for (index, ((rule, stay), entry)) in now.iter().zip(stays).zip(kept_as).enumerate() {
            self.settle(&mut next, inserted.remove(&Some(index)));
            if stay {
                let mut rule = rule.clone();
                if let Some(entry) = entry {
                    rule.identity = Identity::Rule(entry.rule().clone());
                    if rule.owner == Owner::Nobody {
                        rule.owner = Owner::Us(entry.place());
                    }
                }
                next.push(rule);
            }
        }
        self.settle(&mut next, inserted.remove(&None));
        Ok(next)
    }

    /// What a rule that moves has counted, so that it goes on from there. A rule that we only remember has to be read.
    fn counted(&mut self, at: TableId, chain: &ChainName, now: &[ObservedRule], from: usize) -> Option<Counter> {
        if let Some(Identity::Program(program)) = now.get(from).map(|rule| &rule.identity) {
            return Some(program.counter);
        }
        match self.observed.counters.get(&(at, chain.clone())) {
            Some(counters) => counters.get(from).copied(),
            None => {
                self.miss(at, chain);
                None
            }
        }
    }

    /// Whether a rule without a mark is ours for certain: it stands in a chain of ours that somebody made before us, or
    /// leads from a shared chain to a chain of ours or of our profile. Agents that used the iptables tools leave such
    /// rules; they get their mark when we first meet them, so that a later run knows them.
    fn is_ours_by_name(&self, at: TableId, rule: &ObservedRule, marking: Marking) -> bool {
        let leads_to_us = || {
            let target = rule.identity.target().and_then(|target| chain_of(self.model, at, target));
            target.is_some_and(|chain| matches!(chain.kind(), ChainKind::Wrapped | ChainKind::Shared))
        };
        match marking {
            Marking::Chain => false,
            Marking::Adopted => true,
            Marking::Rules => leads_to_us(),
        }
    }

    /// Puts new rules into the list of those that will stand, and notes in their changes where.
    fn settle(&mut self, next: &mut Vec<ObservedRule>, inserted: Option<Vec<(usize, ObservedRule)>>) {
        for (change, rule) in inserted.into_iter().flatten() {
            if let Some(Change::AddRule { at, .. }) = self.rules.get_mut(change) {
                *at = u32::try_from(next.len()).unwrap_or(u32::MAX);
            }
            next.push(rule);
        }
    }

    /// Small numbers for rules: equal programs have the same one.
    fn keys(
        &mut self,
        at: TableId,
        chain: &Chain,
        now: &[ObservedRule],
        entries: &[&Entry],
        first: usize,
    ) -> Result<Keys, PlanError> {
        let by_program = now.iter().any(|rule| matches!(rule.identity, Identity::Program(_)));
        let mut rules: HashMap<&Rule, u32> = HashMap::new();
        let mut programs = HashMap::new();
        let mut count = 0;
        let mut wanted = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let key = match rules.get(&**entry.rule()) {
                Some(key) => *key,
                None if by_program => {
                    let normal = self.normal(at, chain, first + index, entry)?;
                    *programs.entry(normal).or_insert_with(|| {
                        count += 1;
                        count
                    })
                }
                None => {
                    count += 1;
                    count
                }
            };
            rules.insert(entry.rule(), key);
            wanted.push(key);
        }
        let standing = now
            .iter()
            .map(|rule| match &rule.identity {
                Identity::Rule(rule) => rules.get(&**rule).copied(),
                Identity::Program(program) => programs.get(&program.normal).copied(),
            })
            .collect();
        Ok(Keys { standing, wanted })
    }

    fn normal(&mut self, at: TableId, chain: &Chain, index: usize, entry: &Entry) -> Result<stock::Normal, PlanError> {
        self.program.clear();
        stock::compile(entry.rule(), at.family, Some(Counter::default()), self.ipsets, &mut self.program).map_err(
            |source| PlanError::Compile {
                location: Location {
                    table: at,
                    chain: Some(chain.name().clone()),
                    rule: Some(index + 1),
                    line: entry.line(),
                },
                rule: entry.rule().clone(),
                source,
            },
        )?;
        Ok(stock::normalize(&self.program.expressions, self.program.comment.as_ref(), at.family))
    }
}

/// How many rules at the start and at the end of a chain are the very same values.
fn same_ends(now: &[ObservedRule], entries: &[&Entry]) -> (usize, usize) {
    let same = |(rule, entry): &(&ObservedRule, &&Entry)| {
        rule.identity.rule().is_some_and(|rule| Arc::ptr_eq(rule, entry.rule()))
    };
    let head = now.iter().zip(entries).take_while(same).count();
    let rest = now.len().min(entries.len()) - head;
    let tail = now.iter().rev().zip(entries.iter().rev()).take(rest).take_while(same).count();
    (head, tail)
}

struct Keys {
    standing: Vec<Option<u32>>,
    wanted: Vec<u32>,
}

fn role(owner: &Owner, shared: bool) -> Role {
    match owner {
        _ if !shared => Role::Ours(Place::Normal),
        Owner::Us(place) => Role::Ours(*place),
        Owner::Common(place) => Role::Common(*place),
        Owner::Component(_, place) => Role::Theirs(*place),
        Owner::Nobody => Role::Foreign,
    }
}
