//! One kernel rule back to the rules it stands for.
//!
//! Owns: the sets of a table, found by name ([`Reader`]); a rule taken apart at its lookup ([`Program`]); and the rules
//! that come of it and the elements ([`set`](super::set)).
//! Never: looks at another rule.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::names::named_set;
use super::super::tlv::{Kind, Tags};
use super::names::{ContextKey, Names};
use super::set::{KnownSet, Own};
use super::{KernelRule, LiftedRule, Lookup, Standing, userdata, value};
use crate::compile::{self, AnonymousSet, Ipsets, Opaque, native, stock};
use crate::name::{ChainName, IpsetName, SetName};
use crate::nft::expr::{self, Counter, Data, Expr, Immediate, Operand, Verdict};
use crate::nft::userdata::Userdata;
use crate::nft::{self, Element, ElementData};
use crate::rule::{ChainRef, Family, Match, Rule, Target};

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

    fn is_named(&self, set: &str) -> bool {
        self.known.get(set).is_some_and(|set| set.tag.kind == Kind::Named)
    }

    fn known_lookup<'e>(&self, expr: &'e Expr) -> Option<(&KnownSet<'a>, &'e expr::Lookup)> {
        match expr {
            Expr::Lookup(lookup) if !lookup.inverted => {
                // A set that rules name is a condition as any other.
                let set = self.known.get(&*lookup.set.name).filter(|set| set.tag.kind != Kind::Named)?;
                Some((set, lookup))
            }
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
        let foreign = |expr: &Expr| match expr {
            Expr::Lookup(l) => !self.anonymous.contains_key(&*l.set.name) && !self.is_named(&l.set.name),
            _ => false,
        };
        if let Some(at) = expressions.iter().position(foreign) {
            return Err(Opaque { at, name: "lookup".to_owned(), reason: "the set is none of ours" });
        }
        let program = compile::Program {
            expressions,
            comment: program.userdata.comment.clone(),
            sets: program.anonymous.clone(),
            ..compile::Program::default()
        };
        native::lift(&program, self.family, &WithNamed(self))
    }

    /// The rules of the model that a kernel rule stands for in a chain to which these keys lead.
    pub(super) fn rules(&self, program: &Program<'_>, keys: &[ContextKey], names: &Names) -> Vec<LiftedRule> {
        let Some(parts) = &program.lookup else {
            let mut rule = program.rule.clone();
            if let Ok(rule) = &mut rule {
                lead_to(&mut rule.target, program.named(), names);
            }
            return vec![program.lifted(rule, None)];
        };
        let set = parts.set;
        let lifted = |(at, element): (usize, &Element)| {
            let rule = self.element(program, parts, at, names);
            let rule = rule.unwrap_or_else(|| Err(program.opaque("no rule has such an element")));
            program.lifted(rule, Some((set.name, element)))
        };
        if set.tag.context.is_empty() {
            return set.starts(0..set.elements.len()).map(lifted).collect();
        }
        let of_context = |(fields, _): &&ContextKey| fields.as_ref().is_none_or(|fields| *fields == set.tag.context);
        let mut places: Vec<usize> =
            keys.iter().filter(of_context).flat_map(|(_, key)| set.by_context.get(key)).flatten().copied().collect();
        if places.is_empty() {
            return vec![program.lifted(Err(program.opaque("no key that leads to this chain is in the set")), None)];
        }
        places.sort_unstable();
        places.dedup();
        // Each key that leads to the chain has elements of its own for the same rules. Those that are not understood
        // stay apart.
        let mut rules: BTreeMap<(Option<Own<'_>>, usize), LiftedRule> = BTreeMap::new();
        for (at, element) in set.starts(places) {
            let own = set.own(element, self.family);
            let apart = if own.is_some() { 0 } else { at };
            match rules.entry((own, apart)) {
                Entry::Vacant(place) => {
                    place.insert(lifted((at, element)));
                }
                Entry::Occupied(mut rule) => {
                    let rule = rule.get_mut();
                    rule.counter = both(rule.counter, stock::counter(&element.expressions));
                }
            }
        }
        rules.into_values().collect()
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
        let named = Tags::of(element.userdata.as_deref()).name.or_else(|| program.named());
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

/// The sum of two counters.
fn both(a: Option<Counter>, b: Option<Counter>) -> Option<Counter> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some(Counter { packets: a.packets.saturating_add(b.packets), bytes: a.bytes.saturating_add(b.bytes) })
}

/// The ipsets, and the sets of the table that rules name.
struct WithNamed<'r, 'a>(&'r Reader<'a>);

impl Ipsets for WithNamed<'_, '_> {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.ipsets.index(name)
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.ipsets.name(index)
    }

    fn named(&self, set: &str) -> Option<IpsetName> {
        if self.0.is_named(set) { named_set(set) } else { None }
    }
}

impl Program<'_> {
    fn opaque(&self, reason: &'static str) -> Opaque {
        Opaque { at: self.lookup.as_ref().map_or(0, |parts| parts.at), name: "lookup".to_owned(), reason }
    }

    /// The chain of the model that it jumps to, where its kernel chain has another name.
    fn named(&self) -> Option<ChainName> {
        Tags::take(&mut self.userdata.others.clone()).name
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
