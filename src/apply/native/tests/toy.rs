//! A compiler that has what it is told to want, for tests of everything behind it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::super::Source;
use crate::compile::native::Fallback;
use crate::compile::{CompileError, Ipsets, Program};
use crate::error::Error;
use crate::layout::native::declare::{action_key, action_value};
use crate::layout::native::tlv::{Kind, SetTag, Tags};
use crate::layout::native::{ChainDelta, ChainHead, Delta, Fate, Form, Item, RuleId, Seeds, SetDelta, TableDelta};
use crate::name::{ChainName, SetName, TableName};
use crate::nft::expr::{Expr, Immediate, Lookup, Operand, Register, SetRef, Verdict};
use crate::nft::userdata::{self, Role};
use crate::nft::{BaseChain, Element, ElementData, Family, Policy, Set, SetData, SetFlags};
use crate::rule::Rule;
use crate::wrap::{Model, TableId, TableKind};

/// A rule of the toy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ToyRule {
    Verdict(Verdict),
    /// Looks register 1 up in a verdict map.
    Map(String),
    /// An expression that no kernel takes.
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToyChain {
    pub(super) head: ChainHead,
    pub(super) rules: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToySet {
    pub(super) set: Set,
    pub(super) elements: BTreeMap<Vec<u8>, Element>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ToyTable {
    pub(super) chains: BTreeMap<ChainName, ToyChain>,
    pub(super) sets: BTreeMap<SetName, ToySet>,
}

type State = BTreeMap<TableId, ToyTable>;

/// What is wanted; the test keeps one end, the source the other.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) tables: State,
    rules: Vec<ToyRule>,
    /// What the source was told to stand.
    pub(super) seeds: Vec<(TableId, Seeds)>,
}

pub(super) type Handle = Rc<RefCell<Wanted>>;

#[derive(Debug)]
pub(super) struct Toy {
    wanted: Handle,
    group: &'static str,
    committed: State,
    open: Option<State>,
}

impl Toy {
    pub(super) fn new(group: &'static str, wanted: &Handle) -> Self {
        Self { wanted: wanted.clone(), group, committed: State::new(), open: None }
    }
}

pub(super) fn filter() -> TableId {
    TableId::new(crate::rule::Family::Ipv4, TableKind::Filter)
}

pub(super) fn chain(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

pub(super) fn key(number: u32) -> Vec<u8> {
    action_key(number).to_vec()
}

impl Wanted {
    pub(super) fn table(&mut self) -> &mut ToyTable {
        self.tables.entry(filter()).or_default()
    }

    fn item(&mut self, rule: &ToyRule) -> Item {
        let at = self.rules.iter().position(|known| known == rule).unwrap_or_else(|| {
            self.rules.push(rule.clone());
            self.rules.len() - 1
        });
        Item { rule: RuleId(at as u32), form: Form::Plain }
    }

    /// A chain with these rules; `base` hangs it at the input hook.
    pub(super) fn chain(&mut self, name: &str, base: bool, rules: &[ToyRule]) {
        let rules = rules.iter().map(|rule| self.item(rule)).collect();
        let builtin = || BaseChain {
            kind: "filter".into(),
            hook: 1,
            priority: 0,
            policy: Some(Policy::Accept),
            devices: Vec::new(),
        };
        let mut userdata = Vec::new();
        if !base {
            let comment = crate::name::Comment::new(&format!("as {}", name.replace('/', "-"))).unwrap();
            userdata::append_comment(&mut userdata, &comment).unwrap();
            userdata::append_owner(&mut userdata, Role::Normal, "agent".parse().ok().as_ref());
        }
        let head = ChainHead { base: base.then(builtin), userdata: userdata.into() };
        self.table().chains.insert(chain(name), ToyChain { head, rules });
        self.directory();
    }

    pub(super) fn drop_chain(&mut self, name: &str) {
        self.table().chains.remove(&chain(name));
        self.directory();
    }

    /// The directory, with a hash of what the rules are.
    fn directory(&mut self) {
        let chains: Vec<_> = self.table().chains.iter().map(|(n, c)| (n.clone(), c.rules.clone())).collect();
        let elements = chains.into_iter().map(|(name, items)| {
            let mut hash = [0_u8; 16];
            for item in items {
                let text = format!("{:?}", self.rules[item.rule.0 as usize]);
                for byte in text.bytes() {
                    hash.rotate_left(1);
                    hash[0] = hash[0].wrapping_mul(31).wrapping_add(byte);
                }
            }
            let mut key = name.as_str().as_bytes().to_vec();
            key.resize(64, 0);
            let userdata = Tags { hash: Some(hash), ..Tags::default() }.encode().unwrap();
            let data = Some(ElementData::Value(0_u32.to_ne_bytes().into()));
            (key.clone(), Element { data, userdata: Some(userdata), ..Element::new(&key) })
        });
        let elements = elements.collect();
        self.map("agent/chains", 64, Some(SetData::Value { kind: 19, len: 4 }), Kind::Directory).elements = elements;
    }

    fn map(&mut self, name: &str, key_len: u32, data: Option<SetData>, kind: Kind) -> &mut ToySet {
        let name = SetName::new(name).unwrap();
        let tag = SetTag { kind, context: std::iter::empty().collect(), fields: std::iter::empty().collect() };
        let flags = if data.is_some() { SetFlags::MAP } else { SetFlags::empty() };
        let userdata = Tags { set: Some(tag), hash: Some([7; 16]), ..Tags::default() }.encode().unwrap();
        let base = Set::new(Family::Ip, TableName::new("agent-filter").unwrap(), name.clone(), key_len);
        let set = Set { flags, data, userdata: Some(userdata), ..base };
        self.table().sets.entry(name).or_insert(ToySet { set, elements: BTreeMap::new() })
    }

    /// The map of actions.
    pub(super) fn actions(&mut self) -> &mut ToySet {
        self.map("agent/actions", 4, Some(SetData::Verdict), Kind::Actions)
    }

    pub(super) fn action(&mut self, number: u32, verdict: Verdict) {
        let key = key(number);
        self.actions().elements.insert(key.clone(), Element::with_verdict(&key, verdict));
    }

    /// A map of numbers to actions.
    pub(super) fn choice(&mut self, name: &str) -> &mut ToySet {
        self.map(name, 4, Some(SetData::Value { kind: 19, len: 8 }), Kind::Choice)
    }

    pub(super) fn choose(&mut self, name: &str, number: u32, action: u32) {
        let key = key(number);
        let element = Element { data: Some(ElementData::Value(action_value(action).into())), ..Element::new(&key) };
        self.choice(name).elements.insert(key, element);
    }
}

fn difference(before: &State, after: &State) -> Delta {
    let mut tables = Vec::new();
    for (id, table) in after {
        let empty = ToyTable::default();
        let old = before.get(id).unwrap_or(&empty);
        let mut delta = TableDelta { new: !before.contains_key(id), ..TableDelta::unchanged(*id) };
        for (name, chain) in &table.chains {
            let (name, rules) = (name.clone(), Some(chain.rules.clone()));
            match old.chains.get(&name) {
                None => {
                    let fate = Fate::New(chain.head.clone());
                    delta.chains.push(ChainDelta { name, fate, policy: None, rules });
                }
                Some(old) if old.rules != chain.rules => {
                    delta.chains.push(ChainDelta { name, fate: Fate::Kept, policy: None, rules });
                }
                Some(_) => {}
            }
        }
        for name in old.chains.keys().filter(|name| !table.chains.contains_key(*name)) {
            delta.chains.push(ChainDelta { name: name.clone(), fate: Fate::Gone, policy: None, rules: None });
        }
        for (name, set) in &table.sets {
            let none = BTreeMap::new();
            let was = old.sets.get(name);
            let elements = was.map_or(&none, |was| &was.elements);
            let differs = |(key, element): &(&Vec<u8>, &Element), other: &BTreeMap<Vec<u8>, Element>| {
                other.get(*key) != Some(*element)
            };
            let removed: Vec<_> =
                elements.iter().filter(|e| differs(e, &set.elements)).map(|(_, e)| e.clone()).collect();
            let added: Vec<_> = set.elements.iter().filter(|e| differs(e, elements)).map(|(_, e)| e.clone()).collect();
            let fate = if was.is_some() { Fate::Kept } else { Fate::New(Box::new(set.set.clone())) };
            if was.is_none() || !removed.is_empty() || !added.is_empty() {
                delta.sets.push(SetDelta { name: name.clone(), fate, removed, added });
            }
        }
        for (name, set) in old.sets.iter().filter(|(name, _)| !table.sets.contains_key(*name)) {
            let verdicts = set.set.data == Some(SetData::Verdict);
            let removed = if verdicts { set.elements.values().cloned().collect() } else { Vec::new() };
            delta.sets.push(SetDelta { name: name.clone(), fate: Fate::Gone, removed, added: Vec::new() });
        }
        if delta.new || !delta.chains.is_empty() || !delta.sets.is_empty() {
            tables.push(delta);
        }
    }
    Delta { tables }
}

impl Source for Toy {
    fn reset(&mut self) {
        (self.committed, self.open) = (State::new(), None);
    }

    fn seed(&mut self, table: TableId, seeds: Seeds) {
        self.wanted.borrow_mut().seeds.push((table, seeds));
    }

    fn leave_out(&mut self, _: BTreeSet<TableId>) {}

    fn update(&mut self, _: &Model, _: &dyn Ipsets) -> Result<Delta, Error> {
        let wanted = self.wanted.borrow().tables.clone();
        let delta = difference(&self.committed, &wanted);
        self.open = Some(wanted);
        Ok(delta)
    }

    fn program(
        &self,
        _: TableId,
        item: &Item,
        _: &dyn Ipsets,
        out: &mut Program,
    ) -> Result<Vec<Fallback>, CompileError> {
        out.clear();
        let wanted = self.wanted.borrow();
        let expression = match &wanted.rules[item.rule.0 as usize] {
            ToyRule::Verdict(verdict) => {
                Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict.clone()) })
            }
            ToyRule::Map(name) => {
                let load = crate::nft::expr::MetaKey::MARK;
                out.expressions.push(Expr::Meta(crate::nft::expr::Meta::Load { key: load, dreg: Register::R1 }));
                let set = SetRef { name: Arc::from(name.as_str()), id: 0 };
                Expr::Lookup(Lookup { set, sreg: Register::R1, dreg: Some(Register::VERDICT), inverted: false })
            }
            ToyRule::Bad => {
                let set = SetRef { name: Arc::from("nowhere"), id: 0 };
                Expr::Lookup(Lookup { set, sreg: Register::R1, dreg: None, inverted: false })
            }
        };
        out.expressions.push(expression);
        Ok(Vec::new())
    }

    fn rule(&self, _: TableId, _: &Item) -> Option<Arc<Rule>> {
        Some(Arc::default())
    }

    fn leads_to(&self, _: TableId, action: u32) -> Option<ChainName> {
        let mut wanted = self.wanted.borrow_mut();
        match wanted.actions().elements.get(&key(action))?.data.clone()? {
            ElementData::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => Some(to),
            _ => None,
        }
    }

    fn table_name(&self, table: TableId) -> TableName {
        TableName::new(&format!("{}-{}", self.group, table.kind)).unwrap()
    }

    fn commit(&mut self) {
        if let Some(open) = self.open.take() {
            self.committed = open;
        }
    }

    fn knows_nothing(&self) -> bool {
        self.committed.is_empty()
    }
}
