//! The native layout's tables as text in which equal states are equal, whatever numbers their things were given.
//!
//! A body, set or action is called by what is in it: its number is replaced by a hash of its content, in which what it
//! refers to is called so as well. Handles, comments of bodies (the chain that one was first made for) and the order of
//! elements are left out.
#![allow(dead_code, reason = "each test binary uses another part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use nftwrap::kernel::Kernel;
use nftwrap::layout::native::tlv::{Kind, Tags};
use nftwrap::nft::expr::{Expr, Immediate, Operand, Verdict};
use nftwrap::nft::userdata::Userdata;
use nftwrap::nft::{Element, ElementData, Family, Rule, Set, SetFlags, Table};

/// One table, read.
struct State {
    prefix: String,
    rules: BTreeMap<String, Vec<Rule>>,
    bases: BTreeMap<String, String>,
    sets: BTreeMap<String, (Set, Option<Kind>, Vec<Element>)>,
    actions: BTreeMap<Vec<u8>, Verdict>,
    names: RefCell<BTreeMap<String, String>>,
}

/// All tables of a component as lines.
pub(crate) fn canonical<K: Kernel>(kernel: &mut K, component: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for family in [Family::Ip, Family::Ip6] {
        let mut tables = kernel.tables(family).unwrap();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        for table in tables.iter().filter(|table| table.name.as_str().starts_with(component)) {
            lines.push(format!("table {family} {}", table.name));
            lines.extend(State::read(kernel, table, component).lines());
        }
    }
    lines
}

/// Lines that only one of two dumps has.
pub(crate) fn difference(wanted: &[String], found: &[String]) -> String {
    let mut out = String::new();
    for (mark, these, those) in [('-', wanted, found), ('+', found, wanted)] {
        let those: BTreeSet<&String> = those.iter().collect();
        for line in these.iter().filter(|line| !those.contains(line)) {
            out.extend([&mark.to_string(), line, "\n"]);
        }
    }
    out
}

fn tags(userdata: Option<&[u8]>) -> Tags {
    userdata.map(|userdata| Tags::decode(userdata).unwrap()).unwrap_or_default()
}

impl State {
    fn read<K: Kernel>(kernel: &mut K, table: &Table, component: &str) -> Self {
        let (family, name) = (table.family, &table.name);
        let (mut rules, mut bases) = (BTreeMap::<String, Vec<Rule>>::new(), BTreeMap::new());
        for chain in kernel.chains(family).unwrap().into_iter().filter(|chain| chain.table == *name) {
            rules.insert(chain.name.as_str().to_owned(), Vec::new());
            bases.insert(chain.name.as_str().to_owned(), format!("{:?}", chain.base));
        }
        for rule in kernel.rules(family, name, None).unwrap() {
            rules.get_mut(rule.chain.as_str()).unwrap().push(rule);
        }
        let mut sets = BTreeMap::new();
        let mut actions = BTreeMap::new();
        for set in kernel.sets(family, name).unwrap() {
            let elements = kernel.elements(family, name, &set.name).unwrap();
            let kind = tags(set.userdata.as_deref()).set.map(|set| set.kind);
            if kind == Some(Kind::Actions) {
                for element in &elements {
                    let Some(ElementData::Verdict(verdict)) = &element.data else { panic!("{element:?}") };
                    actions.insert(element.key.as_deref().unwrap().to_vec(), verdict.clone());
                }
            }
            sets.insert(set.name.as_str().to_owned(), (set, kind, elements));
        }
        Self { prefix: format!("{component}/"), rules, bases, sets, actions, names: RefCell::default() }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for chain in self.rules.keys() {
            lines.push(format!("chain {} {}", self.chain(chain), self.bases[chain]));
            lines.extend(self.rules(chain).into_iter().map(|rule| format!("chain {} rule {rule}", self.chain(chain))));
        }
        for (name, (set, _, _)) in &self.sets {
            if !set.flags.contains(SetFlags::ANONYMOUS) {
                let called = self.set(name);
                lines.push(format!("set {called} {:?} {} {:?}", set.flags, set.key_kind, set.data));
                lines.extend(self.elements(name).into_iter().map(|element| format!("set {called} element {element}")));
            }
        }
        // Rules keep their order by the number in front of them.
        lines.sort();
        lines
    }

    /// A thing by what is in it, unless its name is no number's.
    fn called(&self, name: &str, content: impl FnOnce() -> Vec<String>) -> String {
        let numbered = name.strip_prefix(&self.prefix).and_then(|rest| rest.rsplit('/').next()?.parse::<u32>().ok());
        if numbered.is_none() {
            return name.to_owned();
        }
        if let Some(known) = self.names.borrow().get(name) {
            return known.clone();
        }
        let mut hasher = DefaultHasher::new();
        content().hash(&mut hasher);
        let called = format!("{}{:016x}", self.prefix, hasher.finish());
        self.names.borrow_mut().insert(name.to_owned(), called.clone());
        called
    }

    fn chain(&self, name: &str) -> String {
        self.called(name, || self.rules(name))
    }

    fn set(&self, name: &str) -> String {
        self.called(name, || self.elements(name))
    }

    fn rules(&self, chain: &str) -> Vec<String> {
        let rules = self.rules.get(chain).into_iter().flatten().enumerate();
        rules.map(|(number, rule)| format!("{number:05} {}", self.rule(rule))).collect()
    }

    fn rule(&self, rule: &Rule) -> String {
        let comment = rule.userdata.as_deref().and_then(|u| Userdata::decode(u).unwrap().comment);
        let expressions = rule.expressions.iter().map(|expr| match expr {
            Expr::Lookup(lookup) => {
                let name = &*lookup.set.name;
                let set = match self.sets.get(name) {
                    Some((set, _, _)) if set.flags.contains(SetFlags::ANONYMOUS) => self.elements(name).join(", "),
                    _ => self.set(name),
                };
                format!("lookup {:?} {set} {:?} {}", lookup.sreg, lookup.dreg, lookup.inverted)
            }
            Expr::Immediate(Immediate { data: Operand::Verdict(verdict), .. }) => self.verdict(verdict),
            Expr::Counter(_) => "counter".to_owned(),
            other => format!("{other:?}"),
        });
        format!("{} {comment:?}", expressions.collect::<Vec<_>>().join(" | "))
    }

    fn verdict(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Jump(chain) => format!("jump {}", self.chain(chain.as_str())),
            Verdict::Goto(chain) => format!("goto {}", self.chain(chain.as_str())),
            other => format!("{other:?}"),
        }
    }

    fn elements(&self, set: &str) -> Vec<String> {
        let Some((_, kind, elements)) = self.sets.get(set) else { return Vec::new() };
        let mut lines: Vec<String> = elements.iter().map(|element| self.element(*kind, element)).collect();
        lines.sort();
        lines
    }

    fn element(&self, kind: Option<Kind>, element: &Element) -> String {
        let key = element.key.as_deref().unwrap_or_default();
        let (end, flags) = (&element.key_end, element.flags);
        let Tags { name, key: context, .. } = tags(element.userdata.as_deref());
        let comment = element.userdata.as_deref().and_then(|u| Userdata::decode(u).unwrap().comment);
        let rest = format!("{end:?} {flags:?} {name:?} {context:?} {comment:?}");
        match (kind, &element.data) {
            (Some(Kind::Actions), Some(ElementData::Verdict(verdict))) => self.verdict(verdict),
            (Some(Kind::Choice | Kind::FamilyChoice), Some(ElementData::Value(number))) => {
                let verdict = self.actions.get(&**number);
                format!("{key:?} {rest} {:?}", verdict.map(|verdict| self.verdict(verdict)))
            }
            (Some(Kind::Directory), Some(ElementData::Value(number))) => {
                let text = String::from_utf8_lossy(key).trim_end_matches('\0').to_owned();
                let body = match u32::from_ne_bytes((**number).try_into().unwrap()) {
                    0 => String::new(),
                    number => self.chain(&format!("{}{number}", self.prefix)),
                };
                format!("{} {body} {rest}", self.chain(&text))
            }
            (_, data) => format!("{key:?} {data:?} {rest}"),
        }
    }
}
