//! One table of the model, compiled.
//!
//! Owns: the order of an update: edits, then who dispatches, then contents from below upwards, then what is sent.
//! Never: looks at a chain that neither changed nor leads to one that became another kernel chain.
//!
//! What is known of the chains follows the model, whether the kernel takes what is sent or not; what the kernel has of
//! everything that changed is kept beside it until [`Table::commit`]. So a transaction that was refused, or only planned,
//! takes nothing back: the next update says what the kernel lacks then, which is nothing when the model went back as
//! well. Chains that changed without a commit are compared whole, as the model's own notes begin at the last commit.
//!
//! Invariant: after an update every chain of the model has its kernel chain, and every element of a run leads where its
//! rule does.

mod content;
mod context;
mod cuts;
mod dispatch;
mod edit;
mod elements;
mod lookups;
mod named;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::codegen::{self, Code};
use super::declare::{SetKind, declare};
use super::delta::{ChainDelta, ChainHead, Fate, TableDelta};
use super::dispatch::{ChainIx, Elements, Entry, Index, RunId, Standing};
use super::error::Error;
use super::families::heat::{Heat, PlaceId};
use super::field::{Fields, Key};
use super::graph::{Edge, Graph};
use super::hash::Hash;
use super::item::{BodyId, Form, Item, RuleId, SetId};
use super::lists::{ChainRules, List, ListId, Lists};
use super::names::Names;
use super::rules::{Class, Rules, Signature};
use super::seed::Seeds;
use super::sets::{Choice, Sets};
use super::sharing::{Bodies, Move};
use super::tlv::{Kind, SetTag, Tags};
use crate::compile::native::Fallback;
use crate::compile::{CompileError, Ipsets, Program};
use crate::layout::{Native, Passes};
use crate::name::{ChainName, Comment, SetName, TableName, WrapName};
use crate::nft::userdata::{Owner, Role, Userdata};
use crate::nft::{BaseChain, Policy};
use crate::rule::{Family, Rule};
use crate::wrap::{self, ChainKind, RuleKey, TableId};
use context::{Context, Places};
use elements::{Filling, Held};
use lookups::Lookups;
pub(super) use named::Own;
use named::{Known, Named};

/// The directory has a number that no other set gets.
pub(super) const DIRECTORY: SetId = SetId(u32::MAX);

/// What the settings say, for all tables.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) native: Native,
    pub(super) component: Option<WrapName>,
    pub(super) names: Names,
}

impl Setup {
    /// Whether all components of the group share chains of that kind.
    fn is_common(&self, kind: ChainKind) -> bool {
        self.native.shared && !matches!(kind, ChainKind::Wrapped)
    }
}

/// A chain of the model.
#[derive(Debug, Default)]
struct State {
    /// What it is; `None`: somebody only jumps to it.
    kind: Option<ChainKind>,
    policy: Option<Policy>,
    rules: ChainRules,
    /// How many of them remember something.
    unique: usize,
    /// Elements of runs that lead here, and name the chain.
    reached: u32,
    /// Elements of families that do.
    named: u32,
    /// What is known of the packets that come here, when only keys lead to it.
    context: Option<Arc<Context>>,
    /// The only chain that leads here, as of its context.
    parent: Option<ChainIx>,
    /// The place and the rules, as their templates are counted.
    counted: Option<(PlaceId, Arc<List>)>,
    /// What it has in sets of families.
    elements: Vec<Held>,
}

/// The map of a run, and the rule that looks it up.
#[derive(Debug)]
struct Run {
    set: SetId,
    item: Item,
}

/// One table of the model, compiled.
#[derive(Debug)]
pub(super) struct Table {
    id: TableId,
    setup: Arc<Setup>,
    name: TableName,
    new: bool,
    rules: Rules,
    lists: Lists,
    graph: Graph,
    dispatch: Index,
    bodies: Bodies,
    sets: Sets,
    named: Named,
    chains: HashMap<ChainIx, State>,
    /// The built-in ones.
    bases: BTreeSet<ChainIx>,
    runs: HashMap<RunId, Run>,
    /// What the fields of each set are, to write its lookups.
    fields: HashMap<SetId, Fields>,
    /// Elements of runs to put, with their rules, once it is known where everything leads; `None`: to take away.
    pending: BTreeMap<RunId, BTreeMap<Key, Option<RuleKey>>>,
    /// Chains that something else leads to, in whole or in part.
    astray: BTreeSet<ChainIx>,
    places: Places,
    /// How often templates are used, by place.
    heat: Heat,
    /// The chains of each place.
    members: BTreeSet<(PlaceId, ChainIx)>,
    lookups: Lookups,
    /// Elements of families to put, with the chain that has them, or to take away.
    fillings: BTreeMap<(SetId, Key), Option<(ChainIx, Filling)>>,
    /// Contents of chains without families, by their rules, and how many of these a set would stand for, were there not too
    /// many. Forgotten when anything these lead to may be another kernel chain.
    folded: HashMap<ListId, (Arc<[Item]>, usize)>,
    /// Chains compiled since the last commit with rules that would be sets, were there not too many of these.
    unfolded: BTreeMap<ChainIx, usize>,
    /// Chains with a rule that is too long for the kernel, and those they go on in.
    cuts: HashMap<ChainIx, Vec<ChainIx>>,
    /// Chains to compile.
    dirty: BTreeSet<ChainIx>,
    /// Chains whose place in the directory may have changed.
    listed: BTreeSet<ChainIx>,
    /// Kernel chains that came or changed since the last delta, and names that any had and lost since.
    touched: BTreeSet<BodyId>,
    left: BTreeSet<ChainName>,
    /// Base chains whose policy changed.
    policies: BTreeSet<ChainIx>,
    /// Chains that changed since the last commit.
    open: BTreeSet<ChainName>,
}

impl Table {
    pub(super) fn new(id: TableId, setup: Arc<Setup>, seeds: Seeds) -> Result<Self, Error> {
        let name = setup.names.table(id.kind)?;
        let mut sets = Sets::default();
        let mut bodies = Bodies::default();
        bodies.seed(seeds.bodies.iter().map(|(hash, number)| (Hash(*hash), *number)).collect(), seeds.next_body);
        sets.seed(seeds);
        let tag = SetTag { kind: Kind::Directory, context: Fields::default(), fields: Fields::default() };
        let tags = Tags { set: Some(tag), ..Tags::default() };
        let directory = declare(&SetKind::Directory, id.family, &name, &setup.names.directory()?, false, &tags);
        sets.make(DIRECTORY, None, directory, Vec::new());
        Ok(Self {
            id,
            name,
            new: true,
            dispatch: Index::new(id.family),
            setup,
            rules: Rules::default(),
            lists: Lists::default(),
            graph: Graph::default(),
            bodies,
            sets,
            named: Named::default(),
            chains: HashMap::default(),
            bases: BTreeSet::new(),
            runs: HashMap::default(),
            fields: HashMap::default(),
            pending: BTreeMap::new(),
            astray: BTreeSet::new(),
            places: Places::default(),
            heat: Heat::default(),
            members: BTreeSet::new(),
            lookups: Lookups::default(),
            fillings: BTreeMap::new(),
            folded: HashMap::default(),
            unfolded: BTreeMap::new(),
            cuts: HashMap::default(),
            dirty: BTreeSet::new(),
            listed: BTreeSet::new(),
            touched: BTreeSet::new(),
            left: BTreeSet::new(),
            policies: BTreeSet::new(),
            open: BTreeSet::new(),
        })
    }

    fn passes(&self) -> Passes {
        self.setup.native.passes
    }

    /// Whether it has changed since the last commit.
    pub(super) fn is_open(&self) -> bool {
        self.new || !self.open.is_empty()
    }

    /// Brings the state to the model's table.
    ///
    /// # Errors
    /// [`Error::Rule`] and [`Error::Reserved`] before anything is changed; [`Error::Model`] when jumps of the model lead
    /// nowhere or in circles, which the next update may find corrected.
    pub(super) fn update(&mut self, table: &wrap::Table, ipsets: &dyn Ipsets) -> Result<TableDelta, Error> {
        let mut changed: BTreeSet<ChainName> = match self.new {
            true => table.chains().map(|chain| chain.name().clone()).collect(),
            false => table.dirty().cloned().collect(),
        };
        changed.extend(self.open.iter().cloned());
        self.follow_sets(table)?;
        let setup = self.setup.clone();
        let ipsets = &Known::new(&self.named, &setup.names, ipsets);
        let mut checked = HashSet::default();
        for name in &changed {
            self.check_rules(table, name, ipsets, &mut checked)?;
        }
        for name in &changed {
            self.edit(table, name, ipsets)?;
        }
        self.open = changed;
        if self.graph.is_too_high() || self.leads_nowhere() {
            return Err(inconsistent());
        }
        self.check_depth()?;
        self.settle_dispatch()?;
        self.settle_contexts();
        self.compile()?;
        self.fill();
        self.drop_unused();
        let mut delta = self.delta()?;
        delta.sets.extend(self.set_deltas(table)?);
        Ok(delta)
    }

    /// The kernel has it all.
    pub(super) fn commit(&mut self) {
        self.new = false;
        self.open.clear();
        self.policies.clear();
        self.unfolded.clear();
        self.bodies.commit();
        self.sets.commit();
        self.named.commit();
        self.lists.sweep(&mut self.rules);
        self.rules.sweep();
    }

    /// The rule that an item was made of.
    pub(super) fn rule(&self, item: &Item) -> Option<&Arc<Rule>> {
        self.rules.at(item.rule).map(|known| &known.rule)
    }

    /// The kernel chain that an action leads to.
    pub(super) fn leads_to(&self, action: u32) -> Option<&ChainName> {
        match self.sets.choice(action)? {
            Choice::Jump(body) | Choice::Goto(body) => self.bodies.at(body).map(|body| &body.name),
            Choice::Accept | Choice::Drop | Choice::Return => None,
        }
    }

    /// Whether a rule leads to a chain that the model does not have, or to a built-in one; or stands in one that the model
    /// does not have: another program's, which is in no table of ours.
    fn leads_nowhere(&self) -> bool {
        self.listed.iter().any(|ix| {
            let referred = self.graph.at(*ix).is_some_and(|node| !node.referrers.is_empty());
            match self.chains.get(ix).map(|state| (state.kind, state.rules.is_empty())) {
                Some((Some(ChainKind::Wrapped | ChainKind::Shared), _)) => false,
                Some((None, false)) => true,
                _ => referred,
            }
        })
    }

    /// Refuses jumps that nest deeper below a built-in chain than the kernel follows.
    fn check_depth(&self) -> Result<(), Error> {
        if self.bases.iter().all(|base| usize::from(self.graph.height(*base)) <= wrap::MAX_DEPTH) {
            return Ok(());
        }
        // Then the model alone nests as deep, which it can say better, or with the parts of a chain with long rules.
        let highest = self.cuts.keys().max_by_key(|ix| (self.graph.height(**ix), **ix));
        match highest.and_then(|ix| self.graph.at(*ix)) {
            Some(node) => Err(Error::TooDeep { table: self.id, chain: node.name.clone() }),
            None => Err(inconsistent()),
        }
    }

    /// Compiles what is dirty, from below upwards.
    fn compile(&mut self) -> Result<(), Error> {
        let mut levels: BTreeMap<u8, BTreeSet<ChainIx>> = BTreeMap::new();
        for ix in std::mem::take(&mut self.dirty) {
            levels.entry(self.graph.height(ix)).or_default().insert(ix);
        }
        while let Some((_, level)) = levels.pop_first() {
            let mut moves = Vec::with_capacity(level.len());
            for ix in level {
                match self.chains.get(&ix).and_then(|state| state.kind) {
                    Some(kind) => moves.push(self.content(ix, kind)?),
                    None => self.drop_chain(ix),
                }
            }
            let (family, rules, sets, names) = (self.id.family, &self.rules, &self.sets, &self.setup.names);
            let own = self.named.own();
            let hash = |items: &[Item], bodies: &Bodies| content_hash(items, family, rules, (sets, own), bodies);
            let moved = self.bodies.settle(moves, hash, |number| names.body(number));
            self.count_turns();
            for (ix, was) in moved {
                self.listed.insert(ix);
                if was.is_none() {
                    // Whatever leads to a chain that is new is new itself, and compiled after it.
                    continue;
                }
                for from in self.lead_anew(ix) {
                    levels.entry(self.graph.height(from)).or_default().insert(from);
                }
            }
            self.folded.clear();
        }
        Ok(())
    }

    /// A chain is another kernel chain: elements that lead to it follow. Returns the chains with rules that do.
    fn lead_anew(&mut self, ix: ChainIx) -> BTreeSet<ChainIx> {
        let mut from_rules = BTreeSet::new();
        for (from, key) in self.graph.at(ix).into_iter().flat_map(|node| node.referrers.iter()) {
            match self.run_of(*from, *key) {
                None => drop(from_rules.insert(*from)),
                Some(run) => {
                    let rule = self.chains.get(from).and_then(|state| self.rules.at(state.rules.get(*key)?));
                    let element = rule.and_then(|rule| Some((rule.keyed.as_ref()?.2.clone(), Some(*key))));
                    self.pending.entry(run).or_default().extend(element);
                }
            }
        }
        from_rules
    }

    /// A chain that the model has no longer.
    fn drop_chain(&mut self, ix: ChainIx) {
        self.dispatch.forget(ix);
        self.hold(ix, Vec::new());
        self.unfolded.remove(&ix);
        self.bodies.leave(ix);
        let idle = self.graph.at(ix).is_some_and(|node| node.referrers.is_empty());
        if idle && self.chains.get(&ix).is_some_and(|state| state.rules.is_empty()) {
            self.unlist(ix);
            self.chains.remove(&ix);
            self.graph.forget(ix);
        }
    }
}

/// What the index of dispatchers wants to know of a rule.
fn entry<'r>(rules: &'r Rules, graph: &Graph, id: RuleId) -> Option<Entry<'r>> {
    let known = rules.at(id)?;
    let target = known.target().and_then(|name| graph.find(name));
    let keyed = known.keyed.as_ref();
    Some(Entry {
        signature: keyed.map(|(signature, ..)| *signature),
        key: keyed.map(|(_, fields, key)| (fields, key)),
        action: known.action_id(id, target.map(|target| target.0)),
        effects: graph.effects(Edge { effects: known.effects, target }),
        verdict_only: known.is_verdict(),
    })
}

/// What only a loop, or a jump to nowhere, can lead to.
fn inconsistent() -> Error {
    Error::Model(Vec::new())
}

/// The hash of a content: rules and the names that stand in them.
fn content_hash(items: &[Item], family: Family, rules: &Rules, sets: (&Sets, &Own), bodies: &Bodies) -> Hash {
    let (sets, own) = sets;
    let parts: Vec<_> = items
        .iter()
        .map(|item| {
            let (kind, set, body) = match item.form {
                Form::Plain => (0_u8, None, None),
                Form::To(body) => (1, None, Some(body)),
                Form::Member(set) => (2, Some(set), None),
                Form::MemberTo(set, body) => (3, Some(set), Some(body)),
                Form::Choose(set) => (4, Some(set), None),
                Form::Assign(set) => (5, Some(set), None),
            };
            let set = set.and_then(|set| sets.name(set)).map(SetName::as_str);
            let body = body.and_then(|body| bodies.at(body)).map(|body| body.name.as_str());
            (rules.at(item.rule).map(|known| known.normal(family)), kind, set, body)
        })
        .collect();
    let marks: Vec<_> = items.iter().map(|item| rules.at(item.rule).map(|known| own.mark(&known.rule))).collect();
    // Most contents look into no set of the model.
    match marks.iter().flatten().all(Vec::is_empty) {
        true => Hash::of(&parts),
        false => Hash::of(&(parts, marks)),
    }
}
