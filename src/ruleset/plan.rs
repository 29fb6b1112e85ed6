//! The difference between a model and what stands in the kernel.
//!
//! Owns: which tables and chains are made, changed and deleted, and whose they are. Rules of a chain that stands are
//! compared in `merge`, shared chains that are left empty are found in `sweep`.
//! Never: does I/O, compiles rules into messages.
//!
//! Invariant: same model, same observed state, same plan.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use super::{
    ChainRules, Change, Identity, KnownIpsets, Location, Mark, Observed, ObservedChain, ObservedRule, Owner, Pending,
    Plan,
};
use crate::compile::{CompileError, Program};
use crate::name::{ChainName, WrapName};
use crate::nft::expr::Counter;
use crate::nft::{BaseChain, Policy};
use crate::rule::Rule;
use crate::wrap::{Builtin, Chain, ChainKind, Entry, Model, ModelError, Place, Table, TableId};

/// Refuses a model whose jumps lead nowhere, in circles, or too deep, before anything is sent.
pub(crate) fn check_model(model: &Model, observed: &Observed, extent: Extent) -> Result<(), PlanError> {
    let exists = |at: TableId, chain: &ChainName| {
        observed.table(at).is_some_and(|t| t.chains.contains_key(chain)) && !observed.is_going(model, at, chain)
    };
    match extent {
        Extent::Changes => model.check_changes(exists),
        Extent::Everything | Extent::Removal => model.check(exists),
    }
    .map_err(PlanError::Model)
}

/// How much is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The chains that changed in the model.
    Changes,
    /// All chains, and what an earlier run left.
    Everything,
    /// The same, and shared chains that are left empty go too.
    Removal,
}

/// Finds what has to change.
pub(crate) fn plan(
    model: &Model,
    observed: &Observed,
    ipsets: &KnownIpsets,
    extent: Extent,
) -> Result<(Plan, Pending), PlanError> {
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
    if planner.missing.is_empty() { Ok(planner.finish()) } else { Err(PlanError::Incomplete(planner.missing)) }
}

/// Why there is no plan.
pub(crate) enum PlanError {
    /// It needs handles or counters of rules in these chains, which are to be read first.
    Incomplete(Vec<(TableId, ChainName)>),
    /// The model does not hold together.
    Model(Vec<ModelError>),
    /// A rule has no form in the layout.
    Compile { location: Location, rule: Arc<Rule>, source: CompileError },
    /// A chain that is to hold our rules is another component's own.
    OwnedByAnother { location: Location, owner: WrapName },
    /// A chain of a built-in name is not what iptables makes.
    Incompatible { location: Location, found: String },
}

pub(super) struct Planner<'a> {
    pub(super) model: &'a Model,
    pub(super) observed: &'a Observed,
    pub(super) ipsets: &'a KnownIpsets,
    pub(super) program: Program,
    plan: Plan,
    pub(super) rules: Vec<Change>,
    pub(super) going: Vec<(TableId, ChainName)>,
    pub(super) pending: Pending,
    /// Chains of which a change needs a handle or counter that is not known.
    missing: Vec<(TableId, ChainName)>,
}

impl Planner<'_> {
    fn all(&mut self) -> Result<(), PlanError> {
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

    fn dirty(&mut self) -> Result<(), PlanError> {
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

    fn chain(&mut self, at: TableId, chain: &Chain) -> Result<(), PlanError> {
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
            return Err(PlanError::OwnedByAnother { location, owner: owner.clone() });
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
            hook: base.map(|b| Box::new((b.kind, b.hook, b.priority))),
            rules: next,
        };
        self.pending.chains.push((at, chain.name().clone(), Some(observed)));
        Ok(())
    }

    /// What the base chain should be; an error when it stands there as something else.
    fn base(&self, at: TableId, chain: &Chain, now: Option<&ObservedChain>) -> Result<Option<BaseChain>, PlanError> {
        let ChainKind::Builtin(builtin) = chain.kind() else { return Ok(None) };
        // A component shares the built-in chains: their policies belong to the host.
        let policy = if self.model.component().is_none() { chain.policy() } else { None };
        let wanted = base_chain(builtin, policy);
        if let Some(now) = now {
            let same = now.hook.as_deref().is_some_and(|(kind, hook, priority)| {
                **kind == *wanted.kind && *hook == wanted.hook && *priority == wanted.priority
            });
            if !same {
                let found = now.hook.as_deref().map_or("a regular chain".to_owned(), |(kind, hook, priority)| {
                    format!("type {kind} hook {hook} priority {priority}")
                });
                let location = Location { table: at, chain: Some(chain.name().clone()), rule: None, line: None };
                return Err(PlanError::Incompatible { location, found });
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

    pub(super) fn add(&self, at: TableId, chain: &Chain, index: usize, entry: &Entry, marking: Marking) -> Change {
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

    pub(super) fn owner(mark: Option<&(Mark, Place)>, place: Place) -> Owner {
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
            return ChainRules::Sent { rules: chain.rules().map(|entry| entry.rule().clone()).collect(), first: None };
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
    pub(super) fn delete(&mut self, at: TableId, chain: &ChainName, rule: &ObservedRule) {
        if let Some(handle) = self.handle(at, chain, rule) {
            let identity = rule.identity.clone();
            self.rules.push(Change::DeleteRule { table: at, chain: chain.clone(), handle, identity });
        }
    }

    /// The handle of a rule that stands. One that is not known makes the plan incomplete.
    pub(super) fn handle(&mut self, at: TableId, chain: &ChainName, rule: &ObservedRule) -> Option<NonZeroU64> {
        if rule.handle.is_none() {
            self.miss(at, chain);
        }
        rule.handle
    }

    /// Notes that the rules of a chain have to be read before there can be a plan.
    pub(super) fn miss(&mut self, at: TableId, chain: &ChainName) {
        if self.missing.last().is_none_or(|(table, name)| *table != at || name != chain) {
            self.missing.push((at, chain.clone()));
        }
    }

    /// A chain that stands in the kernel and is not in the model.
    fn unwanted(&mut self, at: TableId, name: &ChainName) -> Result<(), PlanError> {
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
pub(super) fn chain_of<'m>(model: &'m Model, at: TableId, name: &ChainName) -> Option<&'m Chain> {
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

/// What says that a rule is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marking {
    /// The mark of its chain, or the table that we state as a whole.
    Chain,
    /// Its own mark, in a chain that others use too.
    Rules,
    /// Its own mark, in a chain of ours that stood before we came: the kernel takes no new user data for a chain.
    Adopted,
}
