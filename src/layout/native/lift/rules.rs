//! One kernel rule back to the rules it stands for.
//!
//! Owns: the sets of a table, found by name ([`Reader`]); a rule taken apart at its lookup ([`Program`]); and the rules
//! that come of it and the elements.
//! Never: looks at another rule.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::field::{Field, Fields, Key};
use super::super::tlv::{Kind, SetTag, Tags};
use super::names::{ContextKey, Names};
use super::{KernelRule, LiftedRule, Lookup, Standing, tags, userdata, value};
use crate::compile::{self, AnonymousSet, Ipsets, Opaque, native, stock};
use crate::name::{ChainName, SetName};
use crate::nft::expr::{self, Counter, Data, Expr, Immediate, Operand, Verdict};
use crate::nft::userdata::Userdata;
use crate::nft::{self, Element, ElementData, ElementFlags, SetFlags};
use crate::rule::{ChainRef, Family, Match, Rule, Target};

/// A set of ours.
#[derive(Debug)]
pub(super) struct KnownSet<'a> {
    pub(super) name: &'a SetName,
    pub(super) tag: SetTag,
    /// All fields of a key: those of the context and the others.
    fields: Fields,
    interval: bool,
    /// Sorted by key, the end of a range before the start of the next.
    pub(super) elements: Vec<&'a Element>,
    /// Places of the elements by the key of the chain they are for, in a set of a family.
    by_context: BTreeMap<Box<[u8]>, Vec<usize>>,
}

impl<'a> KnownSet<'a> {
    fn new(set: &'a nft::Set, elements: &'a [Element], family: Family) -> Option<Self> {
        let tag = tags(set.userdata.as_deref()).set?;
        let fields = tag.context.join(&tag.fields);
        let mut sorted: Vec<&Element> = elements.iter().collect();
        let end = |element: &Element| element.flags.contains(ElementFlags::INTERVAL_END);
        sorted.sort_by(|a, b| (&a.key, !end(a)).cmp(&(&b.key, !end(b))));
        let interval = set.flags.contains(SetFlags::INTERVAL);
        let mut known = Self { name: &set.name, tag, fields, interval, elements: sorted, by_context: BTreeMap::new() };
        if !known.tag.context.is_empty() {
            for (at, element) in known.elements.iter().enumerate() {
                let key = element.key.as_deref().unwrap_or_default();
                if let Some(context) = known.part(key, &known.tag.context, family) {
                    known.by_context.entry(context).or_default().push(at);
                }
            }
        }
        Some(known)
    }

    /// The values of a key that has all fields.
    fn values<'k>(&self, key: &'k [u8], family: Family) -> Option<Vec<(Field, &'k [u8])>> {
        (key.len() == self.fields.key_len(family)).then_some(())?;
        self.fields
            .places(family)
            .map(|(field, place)| Some((field, key.get(place..place + field.len(family))?)))
            .collect()
    }

    /// The part of a key that some of the fields make.
    pub(super) fn part(&self, key: &[u8], fields: &Fields, family: Family) -> Option<Box<[u8]>> {
        let values = self.values(key, family)?;
        let (_, part) = Key::build(family, values.into_iter().filter(|(field, _)| fields.iter().any(|f| f == *field)));
        Some(part.bytes().into())
    }

    /// The verdict for the number that an element of another map has.
    pub(super) fn verdict(&self, element: &Element) -> Option<&Verdict> {
        let Some(ElementData::Value(number)) = &element.data else { return None };
        // The number is the last word; `codegen` says what the one before it is for.
        let number = number.last_chunk::<4>()?.as_slice();
        let found = self.elements.binary_search_by(|e| e.key.as_deref().cmp(&Some(number))).ok()?;
        match &self.elements.get(found)?.data {
            Some(ElementData::Verdict(verdict)) => Some(verdict),
            _ => None,
        }
    }

    /// The last key of the range that starts at this place; the key itself where there are no ranges.
    fn last(&self, at: usize) -> Option<Vec<u8>> {
        let element = self.elements.get(at)?;
        if let Some(end) = &element.key_end {
            return Some(end.to_vec());
        }
        let key = element.key.as_deref()?;
        if !self.interval {
            return Some(key.to_vec());
        }
        match self.elements.get(at + 1) {
            Some(next) => before(next.key.as_deref()?),
            None => Some(vec![u8::MAX; key.len()]),
        }
    }
}

/// The key before this one.
fn before(key: &[u8]) -> Option<Vec<u8>> {
    let mut key = key.to_vec();
    for byte in key.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            return Some(key);
        }
    }
    None
}

/// The rules of each chain, in order.
pub(super) fn by_chain<'a>(standing: &Standing<'a>) -> HashMap<&'a ChainName, Vec<&'a nft::Rule>> {
    let mut chains: HashMap<&ChainName, Vec<&nft::Rule>> = HashMap::new();
    for rule in standing.rules {
        chains.entry(&rule.chain).or_default().push(rule);
    }
    chains
}

/// What is needed to read the rules of a table.
pub(super) struct Reader<'a> {
    family: Family,
    ipsets: &'a dyn Ipsets,
    known: BTreeMap<&'a str, KnownSet<'a>>,
    anonymous: HashMap<&'a str, AnonymousSet>,
}

/// A kernel rule, taken apart.
pub(super) struct Program<'a> {
    expressions: Arc<[Expr]>,
    anonymous: Vec<AnonymousSet>,
    userdata: Userdata,
    handle: Option<u64>,
    counter: Option<Counter>,
    /// What it asks and does apart from the lookup.
    rule: Result<Rule, Opaque>,
    lookup: Option<Parts<'a>>,
}

/// The lookup of a kernel rule.
struct Parts<'a> {
    set: &'a KnownSet<'a>,
    actions: Option<&'a KnownSet<'a>>,
    /// Where the lookup is, where the loads of its key begin, and what follows it and the way to the verdict.
    at: usize,
    start: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(standing: &Standing<'a>, ipsets: &'a dyn Ipsets) -> Self {
        let mut reader = Self { family: standing.family, ipsets, known: BTreeMap::new(), anonymous: HashMap::new() };
        for (set, elements) in standing.sets {
            if let Some(known) = KnownSet::new(set, elements, standing.family) {
                reader.known.insert(set.name.as_str(), known);
            } else if let Some(anonymous) = AnonymousSet::read(0, set, elements) {
                reader.anonymous.insert(set.name.as_str(), anonymous);
            }
        }
        reader
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// The sets of ours by name.
    pub(super) fn sets(&self) -> impl Iterator<Item = &KnownSet<'a>> {
        self.known.values()
    }

    /// The verdict map of a choice map: their names begin and end alike.
    pub(super) fn actions_beside(&self, set: &str) -> Option<&KnownSet<'a>> {
        let (component, rest) = set.split_once('/')?;
        let (_, number) = rest.rsplit_once('/')?;
        self.known.get(format!("{component}/actions/{number}").as_str())
    }

    /// Takes a rule apart.
    pub(super) fn program(&self, rule: &nft::Rule) -> Program<'_> {
        let userdata = userdata(rule.userdata.as_deref());
        let names = rule.expressions.iter().filter_map(|expr| match expr {
            Expr::Lookup(lookup) => self.anonymous.get(&*lookup.set.name),
            _ => None,
        });
        let mut program = Program {
            anonymous: names.cloned().collect(),
            lookup: self.lookup(&rule.expressions),
            counter: stock::counter(&rule.expressions),
            handle: rule.handle,
            userdata,
            // Read below, from these expressions.
            rule: Ok(Rule::new()),
            expressions: rule.expressions.as_slice().into(),
        };
        program.rule = self.read(&program, None);
        program
    }

    fn known_lookup<'e>(&self, expr: &'e Expr) -> Option<(&KnownSet<'a>, &'e expr::Lookup)> {
        match expr {
            Expr::Lookup(lookup) if !lookup.inverted => Some((self.known.get(&*lookup.set.name)?, lookup)),
            _ => None,
        }
    }

    /// Finds the one lookup in a set of ours that is no condition of a rule.
    fn lookup(&self, expressions: &[Expr]) -> Option<Parts<'_>> {
        let at = expressions.iter().position(|expr| self.known_lookup(expr).is_some())?;
        let (set, first) = expressions.get(at).and_then(|expr| self.known_lookup(expr))?;
        // Conditions end in a test; what stands between the last of them and the lookup loads the key.
        let start = at - expressions.get(..at)?.iter().rev().take_while(|expr| loads(expr)).count();
        let after = expressions.get(at + 1..)?;
        let second = first.dreg.and_then(|_| {
            let way = after.iter().take_while(|expr| loads(expr)).count();
            let (set, _) = after.get(way).and_then(|expr| self.known_lookup(expr))?;
            (set.tag.kind == Kind::Actions).then_some((set, at + way + 2))
        });
        let (actions, end) = second.map_or((None, at + 1), |(set, end)| (Some(set), end));
        Some(Parts { set, actions, at, start, end })
    }

    /// Reads a program without its lookup; a value that the lookup would have given is loaded as a constant.
    fn read(&self, program: &Program<'_>, stored: Option<&[u8]>) -> Result<Rule, Opaque> {
        let mut expressions = Vec::with_capacity(program.expressions.len());
        match &program.lookup {
            None => expressions.extend_from_slice(&program.expressions),
            Some(parts) => {
                expressions.extend_from_slice(program.expressions.get(..parts.start).unwrap_or_default());
                let lookup = program.expressions.get(parts.at);
                if let (true, Some(Expr::Lookup(lookup))) = (stores(parts.set), lookup)
                    && let Some(dreg) = lookup.dreg
                {
                    let value = match stored {
                        Some(value) => Data::new(value),
                        None => Data::new(vec![0; value_len(parts.set)].as_slice()),
                    };
                    let data = Operand::Value(value.unwrap_or_default());
                    expressions.push(Expr::Immediate(Immediate { dreg, data }));
                }
                expressions.extend_from_slice(program.expressions.get(parts.end..).unwrap_or_default());
            }
        }
        // Anonymous sets are found by their place among the lookups, so each lookup must be of one.
        let foreign = |expr: &Expr| matches!(expr, Expr::Lookup(l) if !self.anonymous.contains_key(&*l.set.name));
        if let Some(at) = expressions.iter().position(foreign) {
            return Err(Opaque { at, name: "lookup".to_owned(), reason: "the set is none of ours" });
        }
        let program = compile::Program {
            expressions,
            comment: program.userdata.comment.clone(),
            sets: program.anonymous.clone(),
            ..compile::Program::default()
        };
        native::lift(&program, self.family, self.ipsets)
    }

    /// The rules of the model that a kernel rule stands for in a chain to which these keys lead.
    pub(super) fn rules(&self, program: &Program<'_>, keys: &[ContextKey], names: &Names) -> Vec<LiftedRule> {
        let Some(parts) = &program.lookup else {
            let mut rule = program.rule.clone();
            if let Ok(rule) = &mut rule {
                let named = Tags::take(&mut program.userdata.others.clone()).name;
                lead_to(&mut rule.target, named, names);
            }
            return vec![program.lifted(rule, None)];
        };
        let set = parts.set;
        let places = match set.tag.context.is_empty() {
            true => (0..set.elements.len()).collect(),
            false => {
                let of_context = |(slots, _): &&ContextKey| slots.as_ref().is_none_or(|s| *s == set.tag.context);
                let mut found: Vec<usize> = Vec::new();
                let mut asked = false;
                for (_, key) in keys.iter().filter(of_context) {
                    asked = true;
                    found.extend(set.by_context.get(key).into_iter().flatten());
                }
                if !asked {
                    return vec![program.lifted(Err(program.opaque("no key leads to this chain")), None)];
                }
                found.sort_unstable();
                found.dedup();
                found
            }
        };
        let mut rules = Vec::with_capacity(places.len());
        for at in places {
            if let Some(element) = set.elements.get(at)
                && !element.flags.contains(ElementFlags::INTERVAL_END)
            {
                let rule = self.element(program, parts, at, names);
                let rule = rule.unwrap_or_else(|| Err(program.opaque("no rule has such an element")));
                rules.push(program.lifted(rule, Some((set.name, element))));
            }
        }
        rules
    }

    /// The rule of one element.
    fn element(
        &self,
        program: &Program<'_>,
        parts: &Parts<'_>,
        at: usize,
        names: &Names,
    ) -> Option<Result<Rule, Opaque>> {
        let set = parts.set;
        let element = set.elements.get(at)?;
        let userdata = userdata(element.userdata.as_deref());
        let rule = match &element.data {
            Some(ElementData::Value(value)) if stores(set) => self.read(program, Some(value)),
            _ => program.rule.clone(),
        };
        let mut rule = match rule {
            Ok(rule) => rule,
            Err(opaque) => return Some(Err(opaque)),
        };
        let named = tags(element.userdata.as_deref()).name;
        if matches!(set.tag.kind, Kind::Choice | Kind::FamilyChoice) {
            rule.target = Some(target(parts.actions?.verdict(element)?)?);
        }
        lead_to(&mut rule.target, named, names);
        let last = set.last(at)?;
        let firsts = set.values(element.key.as_deref()?, self.family)?;
        let lasts = set.values(&last, self.family)?;
        // Matches are put in front of those that are there, so the last field comes first.
        for ((field, first), (_, last)) in firsts.into_iter().zip(lasts).rev() {
            // What only leads to the chain is no part of its rules.
            if set.tag.fields.iter().any(|f| f == field) {
                value::put(&mut rule, field, first, last, self.family)?;
            }
        }
        // The comment of the element is the one that its rule was given.
        if let Some(comment) = userdata.comment {
            rule.matches.push(Match::Comment(comment));
        }
        Some(Ok(rule))
    }
}

/// Whether an expression only brings something to a register.
fn loads(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Meta(expr::Meta::Load { .. })
            | Expr::Payload(expr::Payload::Load { .. })
            | Expr::Ct(expr::Ct::Load { .. })
            | Expr::Immediate(Immediate { data: Operand::Value(_), .. })
            | Expr::Bitwise(_)
            | Expr::Byteorder(_)
    )
}

/// Whether elements have a value that a target stores.
fn stores(set: &KnownSet<'_>) -> bool {
    matches!(set.tag.kind, Kind::Store | Kind::FamilyStore)
}

fn value_len(set: &KnownSet<'_>) -> usize {
    set.elements
        .iter()
        .find_map(|e| if let Some(ElementData::Value(v)) = &e.data { Some(v.len()) } else { None })
        .unwrap_or(4)
}

fn target(verdict: &Verdict) -> Option<Target> {
    Some(match verdict {
        Verdict::Accept => Target::Accept,
        Verdict::Drop => Target::Drop,
        Verdict::Return => Target::Return,
        Verdict::Jump(chain) => Target::Jump(ChainRef::Named(chain.clone())),
        Verdict::Goto(chain) => Target::Goto(ChainRef::Named(chain.clone())),
        _ => return None,
    })
}

/// Names the chain of the model in place of the kernel chain.
fn lead_to(target: &mut Option<Target>, named: Option<ChainName>, names: &Names) {
    if let Some(Target::Jump(chain) | Target::Goto(chain)) = target {
        *chain = ChainRef::Named(named.unwrap_or_else(|| names.first(chain.name())));
    }
}

impl Program<'_> {
    fn opaque(&self, reason: &'static str) -> Opaque {
        Opaque { at: self.lookup.as_ref().map_or(0, |parts| parts.at), name: "lookup".to_owned(), reason }
    }

    fn lifted(&self, rule: Result<Rule, Opaque>, element: Option<(&SetName, &Element)>) -> LiftedRule {
        let of_element = element.map(|(_, element)| userdata(element.userdata.as_deref())).unwrap_or_default();
        LiftedRule {
            rule,
            expressions: Arc::clone(&self.expressions),
            counter: match element {
                Some((_, element)) => stock::counter(&element.expressions),
                None => self.counter,
            },
            handle: self.handle,
            userdata: Userdata {
                comment: of_element.comment.or_else(|| self.userdata.comment.clone()),
                owner: of_element.owner.or_else(|| self.userdata.owner.clone()),
                others: of_element.others,
            },
            set: element.map(|(set, _)| set.clone()),
        }
    }

    /// The rule in the kernel's own form.
    pub(super) fn kernel(&self) -> KernelRule {
        KernelRule {
            rule: self.rule.clone(),
            lookup: self.lookup.as_ref().map(|parts| Lookup {
                set: parts.set.name.clone(),
                tag: parts.set.tag.clone(),
                actions: parts.actions.map(|actions| actions.name.clone()),
            }),
            expressions: Arc::clone(&self.expressions),
            counter: self.counter,
            handle: self.handle,
        }
    }
}
