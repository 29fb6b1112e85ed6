//! What has to change, as typed values: the difference between a model and what stands in the kernel.
//!
//! Owns: [`Plan`] and [`Change`], and the state that will stand once the plan is committed ([`Pending`]).
//! Never: does I/O, compiles rules into messages.
//!
//! Invariant: a plan lists tables and chains that are made first, then rules chain by chain (deletions before
//! additions), then chains that go: emptied first, because they may refer to each other.
//! Invariant: same model, same observed state, same plan.

use std::collections::{HashMap, HashSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use super::Attempt;
use super::read::{KnownIpsets, Observed};
use crate::compile::{Program, stock};
use crate::error::{Error, Location};
use crate::name::ChainName;
use crate::nft::expr::Counter;
use crate::nft::{BaseChain, Policy};
use crate::rule::Rule;
use crate::ruleset::chain_diff::{self, Role, Standing, Step, Wanted};
use crate::ruleset::{ChainRules, Identity, Mark, ObservedChain, ObservedRule, Owner};
use crate::wrap::{Builtin, Chain, ChainKind, Entry, Model, Place, Table, TableId};

/// One change to the kernel. Kept at 64 bytes: a first load has one for each rule.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// Make a table.
    AddTable(TableId),
    /// Make a chain.
    AddChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
        /// Hook, type and priority of a base chain.
        base: Option<Box<BaseChain>>,
        /// Packets and bytes that its policy starts from.
        counters: Option<Box<Counter>>,
        /// The mark in its user data.
        mark: Option<Mark>,
    },
    /// Set the policy of a base chain.
    SetPolicy {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
        /// Its hook, type and priority, and the new policy.
        base: Box<BaseChain>,
        /// Packets and bytes that the policy starts from; `None`: it goes on from what it has counted.
        counters: Option<Box<Counter>>,
    },
    /// Delete a rule.
    DeleteRule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// Its handle.
        handle: NonZeroU64,
        /// What it is.
        identity: Identity,
    },
    /// Add a rule.
    AddRule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// The handle of the rule that will follow it; `None`: the end of the chain.
        before: Option<NonZeroU64>,
        /// The rule.
        rule: Arc<Rule>,
        /// Packets and bytes to start from, unless they are zero.
        counters: Option<Box<Counter>>,
        /// The mark in its user data, with its place.
        mark: Option<Box<(Mark, Place)>>,
        /// Its place among the wanted rules of the chain, from 1.
        number: u32,
        /// Its place among all rules that will stand in the chain, from 0.
        at: u32,
        /// The line of the file that it came from.
        line: Option<NonZeroU32>,
    },
    /// Delete all rules of a chain that is going.
    FlushChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
    },
    /// Delete a chain.
    DeleteChain {
        /// Its table.
        table: TableId,
        /// Its name.
        chain: ChainName,
    },
}

impl Change {
    /// The table it is about.
    #[must_use]
    pub fn table(&self) -> TableId {
        match self {
            Self::AddTable(table)
            | Self::AddChain { table, .. }
            | Self::SetPolicy { table, .. }
            | Self::DeleteRule { table, .. }
            | Self::AddRule { table, .. }
            | Self::FlushChain { table, .. }
            | Self::DeleteChain { table, .. } => *table,
        }
    }

    /// The chain it is about.
    #[must_use]
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::AddTable(_) => None,
            Self::AddChain { chain, .. }
            | Self::SetPolicy { chain, .. }
            | Self::DeleteRule { chain, .. }
            | Self::AddRule { chain, .. }
            | Self::FlushChain { chain, .. }
            | Self::DeleteChain { chain, .. } => Some(chain),
        }
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn location(&self) -> Location {
        let (rule, line) = match self {
            Self::AddRule { number, line, .. } => (usize::try_from(*number).ok(), line.map(NonZeroU32::get)),
            _ => (None, None),
        };
        Location { table: self.table(), chain: self.chain().cloned(), rule, line }
    }
}

/// What an application would change.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    changes: Vec<Change>,
}

impl Plan {
    /// The changes in the order they are sent.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether the kernel is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// What will stand in the kernel once the plan is committed.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) tables: Vec<TableId>,
    /// Chains as they will be; `None` for one that is gone.
    pub(super) chains: Vec<(TableId, ChainName, Option<ObservedChain>)>,
}

impl Pending {
    /// Notes the handles that the kernel gave to new rules: pairs of a change's index and a handle.
    pub(super) fn learn(&mut self, plan: &Plan, handles: impl IntoIterator<Item = (usize, u64)>) {
        let mut learnt: HashMap<(TableId, &ChainName), Vec<(usize, NonZeroU64)>> = HashMap::new();
        for (index, handle) in handles {
            if let (Some(Change::AddRule { table, chain, at, .. }), Some(handle)) =
                (plan.changes.get(index), NonZeroU64::new(handle))
            {
                learnt.entry((*table, chain)).or_default().push((*at as usize, handle));
            }
        }
        for (table, name, chain) in &mut self.chains {
            let Some(handles) = learnt.get(&(*table, &*name)) else { continue };
            let Some(chain) = chain else { continue };
            chain.rules.update(|rules| {
                for (at, handle) in handles {
                    if let Some(rule) = rules.get_mut(*at) {
                        rule.handle = Some(*handle);
                    }
                }
            });
        }
    }
}

/// Refuses a model whose jumps lead nowhere, in circles, or too deep, before anything is sent.
pub(super) fn check_model(model: &Model, observed: &Observed) -> Result<(), Error> {
    model
        .check(|at, chain| {
            observed.table(at).is_some_and(|t| t.chains.contains_key(chain)) && !observed.is_going(model, at, chain)
        })
        .map_err(Error::Model)
}

/// How much is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The chains that changed in the model.
    Changes,
    /// All chains, and what an earlier run left.
    Everything,
    /// The same, and shared chains that are left empty go too.
    Removal,
}

/// Finds what has to change.
pub(super) fn plan(
    model: &Model,
    observed: &Observed,
    ipsets: &KnownIpsets,
    extent: Extent,
) -> Result<(Plan, Pending), Attempt> {
    let mut planner = Planner {
        model,
        observed,
        ipsets,
        program: Program::default(),
        plan: Plan::default(),
        rules: Vec::new(),
        going: Vec::new(),
        pending: Pending::default(),
        missing: Vec::new(),
    };
    match extent {
        Extent::Changes => {
            planner.dirty()?;
            // A shared chain that the model has given up.
            let given_up: Vec<_> = model
                .dirty()
                .filter(|(at, name)| chain_of(model, *at, name).is_none())
                .map(|(at, name)| (at, name.clone()))
                .collect();
            if !given_up.is_empty() {
                planner.sweep(given_up);
            }
        }
        Extent::Everything => planner.all()?,
        Extent::Removal => {
            planner.all()?;
            planner.sweep(observed.chains().map(|(at, name, _)| (at, name.clone())).collect());
        }
    }
    if planner.missing.is_empty() { Ok(planner.finish()) } else { Err(Attempt::Incomplete(planner.missing)) }
}

struct Planner<'a> {
    model: &'a Model,
    observed: &'a Observed,
    ipsets: &'a KnownIpsets,
    program: Program,
    plan: Plan,
    rules: Vec<Change>,
    going: Vec<(TableId, ChainName)>,
    pending: Pending,
    /// Chains of which a change needs a handle that is not known.
    missing: Vec<(TableId, ChainName)>,
}

impl Planner<'_> {
    fn all(&mut self) -> Result<(), Attempt> {
        for table in self.model.tables() {
            self.table(table.id());
            for chain in table.chains() {
                self.chain(table.id(), chain)?;
            }
        }
        let mut stale: Vec<_> = self
            .observed
            .chains()
            .filter(|(at, name, _)| chain_of(self.model, *at, name).is_none())
            .map(|(at, name, _)| (at, name.clone()))
            .collect();
        stale.sort();
        for (at, name) in stale {
            self.unwanted(at, &name)?;
        }
        Ok(())
    }

    fn dirty(&mut self) -> Result<(), Attempt> {
        for (at, name) in self.model.dirty() {
            self.table(at);
            match chain_of(self.model, at, name) {
                Some(chain) => self.chain(at, chain)?,
                None => self.unwanted(at, name)?,
            }
        }
        Ok(())
    }

    fn table(&mut self, at: TableId) {
        let exists = self.observed.table(at).is_some_and(|t| t.exists);
        if !exists && !self.pending.tables.contains(&at) {
            self.plan.changes.push(Change::AddTable(at));
            self.pending.tables.push(at);
        }
    }

    /// Whether the chain may hold rules of others.
    fn is_shared(&self, kind: ChainKind) -> bool {
        self.model.component().is_some() && kind != ChainKind::Wrapped
    }

    fn chain(&mut self, at: TableId, chain: &Chain) -> Result<(), Attempt> {
        let now = self.observed.table(at).and_then(|t| t.chains.get(chain.name()));
        let base = self.base(at, chain, now)?;
        // As with rules, a policy that stands keeps what it has counted.
        let counters = || chain.policy_counters().filter(|_| self.model.component().is_none()).map(Box::new);
        match now {
            None => self.plan.changes.push(Change::AddChain {
                table: at,
                chain: chain.name().clone(),
                base: base.clone().map(Box::new),
                counters: counters(),
                mark: self.chain_mark(chain),
            }),
            Some(now) => {
                if let Some(base) = &base
                    && base.policy.is_some()
                    && now.policy != base.policy
                {
                    let (base, counters) = (Box::new(base.clone()), counters());
                    let chain = chain.name().clone();
                    self.plan.changes.push(Change::SetPolicy { table: at, chain, base, counters });
                }
            }
        }
        let shared = self.is_shared(chain.kind());
        if let (Some(us), Some(Mark::Component(owner))) = (self.model.component(), now.and_then(|n| n.owner.as_ref()))
            && owner != us
        {
            let location = Location { table: at, chain: Some(chain.name().clone()), rule: None, line: None };
            return Err(Error::OwnedByAnother { location, owner: owner.clone() }.into());
        }
        let next = match now.map(|n| n.rules.listed()) {
            None => self.fill(at, chain, shared),
            Some(rules) => {
                let unmarked = self.model.component().is_some() && now.is_some_and(|n| n.owner.is_none());
                let marking = match (shared, unmarked) {
                    (true, _) => Marking::Rules,
                    (false, true) => Marking::Adopted,
                    (false, false) => Marking::Chain,
                };
                ChainRules::Read(self.merge(at, chain, &rules, marking)?)
            }
        };
        let observed = ObservedChain {
            owner: now.map_or_else(|| self.chain_mark(chain), |n| n.owner.clone()),
            policy: base.as_ref().map(|b| b.policy.or(now.and_then(|n| n.policy)).unwrap_or(Policy::Accept)),
            hook: base.map(|b| (b.kind, b.hook, b.priority)),
            rules: next,
        };
        self.pending.chains.push((at, chain.name().clone(), Some(observed)));
        Ok(())
    }

    /// What the base chain should be; an error when it stands there as something else.
    fn base(&self, at: TableId, chain: &Chain, now: Option<&ObservedChain>) -> Result<Option<BaseChain>, Error> {
        let ChainKind::Builtin(builtin) = chain.kind() else { return Ok(None) };
        // A component shares the built-in chains: their policies belong to the host.
        let policy = if self.model.component().is_none() { chain.policy() } else { None };
        let wanted = base_chain(builtin, policy);
        if let Some(now) = now {
            let same = now.hook.as_ref().is_some_and(|(kind, hook, priority)| {
                **kind == *wanted.kind && *hook == wanted.hook && *priority == wanted.priority
            });
            if !same {
                let found = now.hook.as_ref().map_or("a regular chain".to_owned(), |(kind, hook, priority)| {
                    format!("type {kind} hook {hook} priority {priority}")
                });
                let location = Location { table: at, chain: Some(chain.name().clone()), rule: None, line: None };
                return Err(Error::Incompatible { location, found });
            }
        }
        Ok(Some(wanted))
    }

    fn chain_mark(&self, chain: &Chain) -> Option<Mark> {
        let component = self.model.component()?;
        match chain.kind() {
            ChainKind::Wrapped => Some(Mark::Component(component.clone())),
            ChainKind::Shared => Some(Mark::Common),
            ChainKind::Builtin(_) | ChainKind::Foreign => None,
        }
    }

    /// The mark of a rule in a shared chain: the jump to a chain that all components share belongs to all of them.
    fn rule_mark(&self, at: TableId, rule: &Rule) -> Option<Mark> {
        let component = self.model.component()?;
        let common = rule
            .chain_ref()
            .and_then(|target| chain_of(self.model, at, target.name()))
            .is_some_and(|chain| chain.kind() == ChainKind::Shared);
        Some(if common { Mark::Common } else { Mark::Component(component.clone()) })
    }

    fn add(&self, at: TableId, chain: &Chain, index: usize, entry: &Entry, marking: Marking) -> Change {
        let mark = match marking {
            Marking::Chain => None,
            Marking::Rules => self.rule_mark(at, entry.rule()),
            Marking::Adopted => self.model.component().cloned().map(Mark::Component),
        };
        Change::AddRule {
            table: at,
            chain: chain.name().clone(),
            before: None,
            rule: entry.rule().clone(),
            counters: entry.counters().filter(|c| *c != Counter::default()).map(Box::new),
            mark: mark.map(|mark| Box::new((mark, entry.place()))),
            number: u32::try_from(index + 1).unwrap_or(u32::MAX),
            at: u32::try_from(index).unwrap_or(u32::MAX),
            line: entry.line().and_then(NonZeroU32::new),
        }
    }

    fn owner(mark: Option<&(Mark, Place)>, place: Place) -> Owner {
        match mark {
            Some((Mark::Common, place)) => Owner::Common(*place),
            _ => Owner::Us(place),
        }
    }

    /// A chain that is new: its rules in order.
    fn fill(&mut self, at: TableId, chain: &Chain, shared: bool) -> ChainRules {
        self.rules.reserve(chain.len());
        if !shared {
            for (index, entry) in chain.rules().enumerate() {
                let change = self.add(at, chain, index, entry, Marking::Chain);
                self.rules.push(change);
            }
            return ChainRules::Sent(chain.rules().map(|entry| entry.rule().clone()).collect());
        }
        let mut next = Vec::with_capacity(chain.len());
        for (index, entry) in chain.rules().enumerate() {
            let change = self.add(at, chain, index, entry, Marking::Rules);
            if let Change::AddRule { mark, .. } = &change {
                let owner = Self::owner(mark.as_deref(), entry.place());
                next.push(ObservedRule { identity: Identity::Rule(entry.rule().clone()), handle: None, owner });
            }
            self.rules.push(change);
        }
        ChainRules::Read(next)
    }

    /// Deletes a rule that stands.
    fn delete(&mut self, at: TableId, chain: &ChainName, rule: &ObservedRule) {
        if let Some(handle) = self.handle(at, chain, rule) {
            let identity = rule.identity.clone();
            self.rules.push(Change::DeleteRule { table: at, chain: chain.clone(), handle, identity });
        }
    }

    /// The handle of a rule that stands. One that is not known makes the plan incomplete.
    fn handle(&mut self, at: TableId, chain: &ChainName, rule: &ObservedRule) -> Option<NonZeroU64> {
        if rule.handle.is_none() && self.missing.last().is_none_or(|(table, name)| *table != at || name != chain) {
            self.missing.push((at, chain.clone()));
        }
        rule.handle
    }

    /// A chain that stands: what is equal stays.
    fn merge(
        &mut self,
        at: TableId,
        chain: &Chain,
        now: &[ObservedRule],
        marking: Marking,
    ) -> Result<Vec<ObservedRule>, Attempt> {
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
                    let moved = moved_from.and_then(|m| now.get(m));
                    if let Change::AddRule { before: handle, counters, mark, .. } = &mut change {
                        *handle = before.and_then(|b| now.get(b)).and_then(|rule| self.handle(at, chain.name(), rule));
                        if let Some(Identity::Program(program)) = moved.map(|m| &m.identity)
                            && entry.counters().is_none()
                        {
                            *counters = Some(Box::new(program.counter));
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
    ) -> Result<Keys, Error> {
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

    fn normal(&mut self, at: TableId, chain: &Chain, index: usize, entry: &Entry) -> Result<stock::Normal, Error> {
        self.program.clear();
        stock::compile(entry.rule(), at.family, Some(Counter::default()), self.ipsets, &mut self.program).map_err(
            |source| Error::Compile {
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

    /// A chain that stands in the kernel and is not in the model.
    fn unwanted(&mut self, at: TableId, name: &ChainName) -> Result<(), Attempt> {
        let Some(now) = self.observed.table(at).and_then(|t| t.chains.get(name)) else { return Ok(()) };
        if self.observed.is_going(self.model, at, name) {
            self.going.push((at, name.clone()));
            self.pending.chains.push((at, name.clone(), None));
            return Ok(());
        }
        // A chain of others: only what carries our mark goes.
        let rules = now.rules.listed();
        let (ours, rest): (Vec<_>, Vec<_>) = rules.iter().cloned().partition(|r| matches!(r.owner, Owner::Us(_)));
        if ours.is_empty() {
            return Ok(());
        }
        for rule in &ours {
            self.delete(at, name, rule);
        }
        let next = ObservedChain { rules: ChainRules::Read(rest), ..now.clone() };
        self.pending.chains.push((at, name.clone(), Some(next)));
        Ok(())
    }

    /// Of these shared chains, those that no component has a rule in any more go, with the jumps to them that all
    /// components share.
    fn sweep(&mut self, candidates: Vec<(TableId, ChainName)>) {
        let mut after: HashMap<(TableId, ChainName), Option<ObservedChain>> =
            self.pending.chains.drain(..).map(|(at, name, chain)| ((at, name), chain)).collect();
        let led_to: HashSet<(TableId, ChainName)> = self
            .observed
            .chains()
            .flat_map(|(at, _, chain)| chain.rules.read().unwrap_or_default().iter().map(move |rule| (at, rule)))
            .filter(|(_, rule)| matches!(rule.owner, Owner::Common(_)))
            .filter_map(|(at, rule)| Some((at, rule.identity.target()?.clone())))
            .collect();
        let mut empty: Vec<(TableId, ChainName)> = candidates
            .into_iter()
            .filter(|key| {
                let now = self.observed.table(key.0).and_then(|t| t.chains.get(&key.1));
                let chain = after.get(key).map_or(now, Option::as_ref);
                let is_ours = |c: &ObservedChain| {
                    // One that stood before us has no mark of its own, but the jumps to it have.
                    c.owner == Some(Mark::Common) || (c.owner.is_none() && c.hook.is_none() && led_to.contains(key))
                };
                chain.is_some_and(|c| c.rules.read().is_some_and(<[_]>::is_empty) && is_ours(c))
            })
            .collect();
        empty.sort();
        let mut callers: Vec<_> = self.observed.chains().map(|(at, name, _)| (at, name.clone())).collect();
        callers.retain(|(at, _)| empty.iter().any(|(table, _)| table == at));
        callers.sort();
        for key in callers {
            let now = || self.observed.table(key.0).and_then(|t| t.chains.get(&key.1)).cloned();
            let Some(mut chain) = after.get(&key).cloned().unwrap_or_else(now) else { continue };
            let ChainRules::Read(rules) = &mut chain.rules else { continue };
            let before = rules.len();
            rules.retain(|rule| {
                let target = rule.identity.target().map(|target| (key.0, target.clone()));
                let goes = matches!(rule.owner, Owner::Common(_)) && target.is_some_and(|t| empty.contains(&t));
                if goes {
                    self.delete(key.0, &key.1, rule);
                }
                !goes
            });
            if rules.len() != before {
                after.insert(key, Some(chain));
            }
        }
        for key in empty {
            after.insert(key.clone(), None);
            self.going.push(key);
        }
        self.pending.chains = after.into_iter().map(|((at, name), chain)| (at, name, chain)).collect();
    }

    fn finish(self) -> (Plan, Pending) {
        let Self { mut plan, rules, going, pending, .. } = self;
        plan.changes.extend(rules);
        for (table, chain) in &going {
            plan.changes.push(Change::FlushChain { table: *table, chain: chain.clone() });
        }
        for (table, chain) in going {
            plan.changes.push(Change::DeleteChain { table, chain });
        }
        (plan, pending)
    }
}

/// The chain in the model, if the model says anything about it.
fn chain_of<'m>(model: &'m Model, at: TableId, name: &ChainName) -> Option<&'m Chain> {
    model.table(at.family, at.kind).and_then(|table: &Table| table.chain(name))
}

/// The base chain that iptables makes for a built-in chain.
fn base_chain(builtin: &Builtin, policy: Option<Policy>) -> BaseChain {
    BaseChain {
        kind: builtin.kind.into(),
        hook: builtin.hook as u32,
        priority: builtin.priority,
        policy,
        devices: Vec::new(),
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

/// What says that a rule is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marking {
    /// The mark of its chain, or the table that we state as a whole.
    Chain,
    /// Its own mark, in a chain that others use too.
    Rules,
    /// Its own mark, in a chain of ours that stood before we came: the kernel takes no new user data for a chain.
    Adopted,
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

const _: () = assert!(size_of::<Change>() <= 64);
