//! The table of a save file that is being read.
//!
//! Owns: the chains that it names, where rules go among those of their chain, and jumps to chains that are not there yet.
//! Never: parses a rule.
//!
//! Invariant: a chain has one number, however often it is named; it is its place in [`Section::named`].

use std::borrow::Cow;
use std::collections::VecDeque;

use foldhash::HashMap;
use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Rule};

use super::{ChainDecl, RuleLine, Scope, Section};
use crate::error::{ErrorKind, ParseError, Span};
use crate::lex::{Word, Words};
use crate::parse;
use crate::value::{self, Fault};

/// The table that is being read.
pub(super) struct Open<'a> {
    pub(super) section: Section,
    scope: Scope,
    /// Numbers of chains by their names as they were written, so that each becomes a value once.
    names: HashMap<Cow<'a, str>, u32>,
    /// What is known of the chains of [`Section::named`], by number.
    chains: Vec<Named>,
    /// `-A CHAIN` of the last rule, as it was written: that of the next one, nearly always.
    last: Option<(&'a str, u32)>,
    /// Chains that rules jump to before they are declared, and where the first rule does so. A part may jump anywhere.
    pub(super) jumps: HashMap<ChainRef, (Span, u32)>,
    /// The order of each chain's rules, from the table's first `-I` on. Without any it is that of the file.
    pub(super) order: Option<Order>,
}

/// A chain that was declared, or that rules were written for.
struct Named {
    builtin: bool,
    declared: bool,
    /// Whether rules were let into it; a chain does not go away again.
    open: bool,
}

/// Places in [`Section::rules`], by chain. Numbers move where rules would, and both ends are near: a file of `-I` lines
/// costs what one of `-A` lines does.
pub(super) struct Order(HashMap<u32, VecDeque<usize>>);

impl Order {
    /// Of rules that stand in the order of the file.
    fn of(rules: &[RuleLine]) -> Self {
        let mut order = Self(HashMap::default());
        for (at, rule) in rules.iter().enumerate() {
            order.chain(rule.chain).push_back(at);
        }
        order
    }

    fn chain(&mut self, chain: u32) -> &mut VecDeque<usize> {
        self.0.entry(chain).or_default()
    }

    /// The rules, by chain.
    pub(super) fn join(self, rules: Vec<RuleLine>) -> Vec<RuleLine> {
        let mut chains: Vec<_> = self.0.into_values().collect();
        chains.sort_by_cached_key(|places| places.iter().min().copied());
        let mut rules: Vec<_> = rules.into_iter().map(Some).collect();
        let places = chains.into_iter().flatten();
        places.filter_map(|at| rules.get_mut(at).and_then(Option::take)).collect()
    }
}

impl<'a> Open<'a> {
    pub(super) fn new(section: Section, scope: Scope) -> Self {
        Self {
            section,
            scope,
            names: HashMap::default(),
            chains: Vec::new(),
            last: None,
            jumps: HashMap::default(),
            order: None,
        }
    }

    /// Whether the chain of this number is a built-in one.
    pub(super) fn is_base(&self, at: u32) -> bool {
        self.chains.get(at as usize).is_some_and(|chain| chain.builtin)
    }

    /// The number of the chain in `-A CHAIN`, to which rules may be added.
    pub(super) fn appended(&mut self, words: &mut Words<'a>, whole: Span) -> Result<u32, ParseError> {
        if let Some((pair, at)) = self.last
            && words.skip_pair(pair)
        {
            return Ok(at);
        }
        let (text, position) = (words.rest(), words.position());
        words.next()?;
        let missing = || ErrorKind::MissingArgument { option: "--append".into() };
        let name = words.next()?.ok_or_else(|| ParseError::new(missing(), whole))?;
        let at = self.chain(&name)?;
        if self.chains.get(at as usize).is_some_and(|chain| !chain.open) {
            self.check_chain(at, name.span)?;
        }
        if let Some(chain) = self.chains.get_mut(at as usize) {
            chain.open = true;
        }
        let pair = text.get(..words.position() - position).unwrap_or_default();
        self.last = (!pair.contains('"')).then_some((pair, at));
        Ok(at)
    }

    /// A rule's chain must be declared, unless the file is a part of what is there.
    pub(super) fn check_chain(&self, at: u32, span: Span) -> Result<(), ParseError> {
        let known = self.chains.get(at as usize).is_some_and(|chain| chain.builtin || chain.declared);
        if known || self.scope == Scope::Part {
            return Ok(());
        }
        let chain = self.section.named.get(at as usize).map(written).unwrap_or_default();
        Err(ParseError::new(ErrorKind::UnknownChain { chain }, span))
    }

    /// Checks what a rule may be in this table and chain, and notes a jump to a chain that is not there yet.
    pub(super) fn check(
        &mut self,
        rule: &Rule,
        at: u32,
        whole: Span,
        target: Span,
        line: u32,
    ) -> Result<(), ParseError> {
        if let Some(chain) = self.section.named.get(at as usize) {
            parse::check_in_chain(rule, self.section.table, chain).map_err(|kind| ParseError::new(kind, whole))?;
        }
        if let Some(missing) = self.is_missing(rule) {
            self.jumps.entry(missing.clone()).or_insert((target, line));
        }
        Ok(())
    }

    /// The chain that the rule jumps to, if it has to be there and is not yet.
    pub(super) fn is_missing<'r>(&self, rule: &'r Rule) -> Option<&'r ChainRef> {
        rule.chain_ref().filter(|target| self.scope == Scope::Whole && !self.exists(target))
    }

    /// Adds a rule: at the end of its chain, or before its rule at that place.
    pub(super) fn push(&mut self, rule: RuleLine, before: Option<usize>) {
        if let Some(order) = &mut self.order {
            let places = order.chain(rule.chain);
            places.insert(before.unwrap_or(places.len()), self.section.rules.len());
        }
        self.section.rules.push(rule);
    }

    /// Whether rules may stand in the chain, or jump to it.
    pub(super) fn exists(&self, chain: &ChainRef) -> bool {
        let number = match chain {
            ChainRef::Named(plain) => self.names.get(plain.as_str()),
            ChainRef::Wrapped(_) => self.names.get(name(chain).as_str()),
        };
        let named = number.and_then(|&at| self.chains.get(at as usize));
        named.is_some_and(|chain| chain.declared) || self.is_builtin(chain)
    }

    fn is_builtin(&self, chain: &ChainRef) -> bool {
        matches!(chain, ChainRef::Named(name) if self.section.table.builtin(name.as_str()).is_some())
    }

    /// The number of the chain of this name.
    fn chain(&mut self, name: &Word<'a>) -> Result<u32, ParseError> {
        if let Some(&at) = self.names.get(&name.text) {
            return Ok(at);
        }
        let chain = value::chain(&name.text).map_err(|fault| match fault {
            Fault::Kind(kind) => ParseError::new(kind, name.span),
            _ => ParseError::new(ErrorKind::BadChainName { name: (&*name.text).into() }, name.span),
        })?;
        Ok(self.number(name.text.clone(), chain))
    }

    /// The number of the chain, which is written so.
    pub(super) fn number(&mut self, name: Cow<'a, str>, chain: ChainRef) -> u32 {
        let builtin = self.is_builtin(&chain);
        *self.names.entry(name).or_insert_with(|| {
            self.chains.push(Named { builtin, declared: false, open: false });
            self.section.named.push(chain);
            // A file of four billion names is no file.
            u32::try_from(self.chains.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Notes that the chain is declared. Returns false when it was before.
    fn declare(&mut self, at: u32) -> bool {
        self.chains.get_mut(at as usize).is_some_and(|chain| !std::mem::replace(&mut chain.declared, true))
    }

    /// `:CHAIN POLICY [P:B]`, from after the colon.
    pub(super) fn declaration(&mut self, text: &'a str, start: usize, line: u32) -> Result<(), ParseError> {
        let mut words = Words::new(text, start);
        let at = Span::new(start, start + text.len());
        let name = words.next()?.ok_or_else(|| ParseError::new(ErrorKind::NoChainName, at))?;
        let policy = words.next()?.ok_or_else(|| ParseError::new(ErrorKind::NoPolicy, at))?;
        let counters =
            match words.next()? {
                None => None,
                Some(word) => Some(parse::pair(&word.text).map_err(|_| {
                    ParseError::new(ErrorKind::PolicyCounters { chain: (&*name.text).into() }, word.span)
                })?),
            };
        if let Some(extra) = words.next()? {
            return Err(ParseError::new(ErrorKind::BadArgument { word: (&*extra.text).into() }, extra.span));
        }
        let at = self.chain(&name)?;
        let builtin = self.is_base(at);
        let policy = match &*policy.text {
            "-" => None,
            // The policy of a user chain must be there and means nothing.
            _ if !builtin => None,
            word => Some(parse::policy(word).ok_or_else(|| ParseError::new(ErrorKind::BadPolicy, policy.span))?),
        };
        let first = self.declare(at);
        let Some(chain) = self.section.named.get(at as usize) else { return Ok(()) };
        if !first {
            return Err(ParseError::new(ErrorKind::DeclaredTwice { chain: written(chain) }, name.span));
        }
        self.section.chains.push(ChainDecl { name: chain.clone(), policy, counters, line });
        Ok(())
    }

    /// `-N CHAIN`.
    pub(super) fn new_chain(&mut self, chain: ChainRef, span: Span, line: u32) -> Result<(), ParseError> {
        if self.exists(&chain) {
            return Err(ParseError::new(ErrorKind::ChainExists, span));
        }
        let at = self.number(Cow::Owned(name(&chain)), chain.clone());
        self.declare(at);
        self.section.chains.push(ChainDecl { name: chain, policy: None, counters: None, line });
        Ok(())
    }

    /// `-P CHAIN policy`.
    pub(super) fn policy(&mut self, chain: ChainRef, policy: Policy, span: Span, line: u32) -> Result<(), ParseError> {
        if !self.is_builtin(&chain) {
            return Err(ParseError::new(ErrorKind::NotBuiltin { chain: written(&chain) }, span));
        }
        match self.section.chains.iter_mut().find(|declared| declared.name == chain) {
            Some(declared) => declared.policy = Some(policy),
            None => {
                let at = self.number(Cow::Owned(name(&chain)), chain.clone());
                self.declare(at);
                self.section.chains.push(ChainDecl { name: chain, policy: Some(policy), counters: None, line });
            }
        }
        Ok(())
    }

    /// Where among its chain's rules a rule goes that is to be the one of this number.
    pub(super) fn place(&mut self, chain: u32, number: u32, span: Span) -> Result<usize, ParseError> {
        let rules = &self.section.rules;
        let order = self.order.get_or_insert_with(|| Order::of(rules));
        let before = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        match before <= order.chain(chain).len() {
            true => Ok(before),
            false => Err(ParseError::new(ErrorKind::InsertTooFar, span)),
        }
    }
}

/// A chain's name as the words of a line have it.
pub(super) fn name(chain: &ChainRef) -> String {
    match chain {
        ChainRef::Named(plain) => plain.as_str().to_owned(),
        ChainRef::Wrapped(logical) => format!("${}", logical.as_str()),
    }
}

/// A chain's name as it is written, in quotes if need be.
pub(super) fn written(chain: &ChainRef) -> Box<str> {
    let mut name = String::new();
    crate::print::chain_ref("", chain, &mut name);
    name.into()
}
