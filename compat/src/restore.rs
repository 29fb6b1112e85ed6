//! Save files: `*table`, `:CHAIN`, rules and `COMMIT`, as a statement of the whole state.
//!
//! Owns: the lines of `iptables-save`, what belongs in which table, and the place of every mistake.
//! Never: changes anything; a file with a mistake is refused whole.
//!
//! Invariants: a file that parses has every table closed by its COMMIT, no base chain declared twice and no rule for a
//! chain that does not exist. Rules of equal text share one value, so ten thousand equal rules cost one parse.
//!
//! Where the truth is: `xtables_restore_parse` of `iptables/xtables-restore.c`, 1.8.11. Where this is stricter than
//! iptables: a table or base chain stands once in a file, and only commands that state something are taken.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::TableKind;

use crate::args::Command;
use crate::error::{ErrorKind, ParseError, Span};
use crate::lex::{MAX_LINE, Word, Words};
use crate::parse::{self, Counters, Mode, Parser};
use crate::value::{self, Fault};

/// The most mistakes that are reported at once.
pub const MAX_ERRORS: usize = 20;

/// A save file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaveFile {
    /// The tables in the order of the file.
    pub sections: Vec<Section>,
}

/// A table of a save file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The table.
    pub table: TableKind,
    /// The line of its `*table`.
    pub line: u32,
    /// Its chains in the order of their declarations. Built-in chains need none.
    pub chains: Vec<ChainDecl>,
    /// Its rules: those of one chain are in order, those of different chains as the file has them.
    pub rules: Vec<RuleLine>,
}

/// A declared chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainDecl {
    /// Its name.
    pub name: ChainRef,
    /// The policy; `None` for user chains, and for base chains whose policy is left as it is (`-`).
    pub policy: Option<Policy>,
    /// `[P:B]`.
    pub counters: Option<Counters>,
    /// Where it is declared.
    pub line: u32,
}

/// A rule of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    /// The chain.
    pub chain: ChainRef,
    /// The rule; equal text is one value.
    pub rule: Arc<Rule>,
    /// `[P:B]`, or `-c P B`.
    pub counters: Option<Counters>,
    /// Where it stands.
    pub line: u32,
}

/// Which chains a file may name without declaring them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Built-in chains only: the file states all there is.
    Whole,
    /// Any: the file states what one component wants, beside chains that are there already. A chain that is named
    /// by a rule still has to pass as a name.
    Part,
}

impl SaveFile {
    /// Reads a file that states all there is in its tables.
    ///
    /// # Errors
    /// All mistakes in the file, up to [`MAX_ERRORS`].
    pub fn parse(text: &[u8], family: Family) -> Result<Self, Vec<ParseError>> {
        Self::parse_scoped(text, family, Scope::Whole)
    }

    /// Reads a file; `scope` says whether rules may name chains that it does not declare.
    ///
    /// # Errors
    /// All mistakes in the file, up to [`MAX_ERRORS`].
    pub fn parse_scoped(text: &[u8], family: Family, scope: Scope) -> Result<Self, Vec<ParseError>> {
        match std::str::from_utf8(text) {
            Ok(text) => Reader::new(family, scope).read(text),
            Err(error) => {
                let at = error.valid_up_to();
                let before = text.get(..at).unwrap_or_default();
                let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
                let mut error = ParseError::new(ErrorKind::NotUtf8, Span::new(at, at + 1));
                error.line = Some(u32::try_from(line).unwrap_or(u32::MAX));
                Err(vec![error])
            }
        }
    }
}

/// The state between two lines.
struct Reader<'a> {
    scope: Scope,
    parser: Parser<'a>,
    file: SaveFile,
    open: Option<Open<'a>>,
    /// Rules by their text, over all tables: a rule is the same in each.
    known: HashMap<&'a str, Arc<Rule>>,
    errors: Vec<ParseError>,
    /// Whether the last line stood outside of a table and was reported: a file of another kind is one mistake.
    astray: bool,
}

/// The table that is being read.
struct Open<'a> {
    section: Section,
    /// Names of chains as they were written, so that each becomes a value once.
    names: HashMap<Cow<'a, str>, ChainRef>,
    declared: HashSet<ChainRef>,
    /// Chains that rules jump to before they are declared, and where the first rule does so.
    jumps: HashMap<ChainRef, (Span, u32)>,
}

impl<'a> Reader<'a> {
    fn new(family: Family, scope: Scope) -> Self {
        Self {
            scope,
            parser: Parser::new(family),
            file: SaveFile::default(),
            open: None,
            known: HashMap::new(),
            errors: Vec::new(),
            astray: false,
        }
    }

    fn read(mut self, text: &'a str) -> Result<SaveFile, Vec<ParseError>> {
        let mut start = 0;
        let mut number = 0;
        for line in text.split_inclusive('\n') {
            number += 1;
            let content = line.strip_suffix('\n').unwrap_or(line);
            if let Err(error) = self.line(content, start, number) {
                self.report(error, number);
            }
            if self.errors.len() >= MAX_ERRORS {
                return Err(self.errors);
            }
            start += line.len();
        }
        if self.open.is_some() {
            let kind = ErrorKind::CommitExpected { line: number + 1 };
            self.report(ParseError::new(kind, Span::new(text.len(), text.len())), number.max(1));
        }
        if self.errors.is_empty() { Ok(self.file) } else { Err(self.errors) }
    }

    fn report(&mut self, mut error: ParseError, line: u32) {
        error.line = Some(line);
        self.errors.push(error);
    }

    fn line(&mut self, line: &'a str, start: usize, number: u32) -> Result<(), ParseError> {
        let whole = Span::new(start, start + line.len());
        if line.len() > MAX_LINE {
            return Err(ParseError::new(ErrorKind::LineTooLong { max: MAX_LINE }, whole));
        }
        match line.as_bytes().first() {
            None => return Ok(()),
            // A comment may hold anything but what could pass for another line.
            Some(b'#') => return check_controls(line, start),
            Some(b'*') => {
                self.astray = false;
                return self.table(line, whole, number);
            }
            _ => {}
        }
        let Some(open) = &mut self.open else {
            if std::mem::replace(&mut self.astray, true) {
                return Ok(());
            }
            check_controls(line, start)?;
            return Err(ParseError::new(ErrorKind::OutsideTable, whole));
        };
        if line == "COMMIT" {
            self.commit();
            return Ok(());
        }
        match line.strip_prefix(':') {
            Some(declaration) => open.declaration(declaration, start + 1, number),
            None => self.command(line, start, number),
        }
    }

    /// `*table`.
    fn table(&mut self, line: &'a str, span: Span, number: u32) -> Result<(), ParseError> {
        check_controls(line, span.start)?;
        let name = line.get(1..).unwrap_or_default().trim_end_matches([' ', '\t']);
        let fail = |kind| Err(ParseError::new(kind, span));
        if self.open.is_some() {
            return fail(ErrorKind::TableInTable { name: name.into() });
        }
        let Some(table) = TableKind::from_name(name) else {
            // Its lines are not mistakes of their own.
            self.astray = true;
            return fail(ErrorKind::UnknownTable { name: name.into() });
        };
        let section = Section { table, line: number, chains: Vec::new(), rules: Vec::new() };
        let (names, declared, jumps) = (HashMap::new(), HashSet::new(), HashMap::new());
        // Opened before it is refused, so that each of its lines is not a mistake as well.
        self.open = Some(Open { section, names, declared, jumps });
        match self.file.sections.iter().any(|s| s.table == table) {
            true => fail(ErrorKind::TableTwice { name: name.into() }),
            false => Ok(()),
        }
    }

    /// `COMMIT`: what the table's rules point at must be declared by now.
    fn commit(&mut self) {
        let Some(open) = self.open.take() else { return };
        if self.scope == Scope::Whole {
            let mut missing: Vec<_> = open.jumps.iter().filter(|(chain, _)| !open.exists(chain)).collect();
            missing.sort_unstable_by_key(|(_, (span, _))| span.start);
            for (chain, &(span, line)) in missing.into_iter().take(MAX_ERRORS - self.errors.len()) {
                let kind = ErrorKind::JumpToNowhere { chain: written(chain) };
                self.report(ParseError::new(kind, span), line);
            }
        }
        self.file.sections.push(open.section);
    }

    /// `[P:B] -A CHAIN rule` and the other commands.
    fn command(&mut self, line: &'a str, start: usize, number: u32) -> Result<(), ParseError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let whole = Span::new(start, start + line.len());
        let mut words = Words::new(line, start);
        let counters = parse::counters(&mut words)?;
        if words.rest().starts_with("-A ") {
            words.next()?;
            let missing = ErrorKind::MissingArgument { option: "--append".into() };
            let name = words.next()?.ok_or_else(|| ParseError::new(missing, whole))?;
            let chain = open.chain(&name)?;
            self.check_chain(&chain, name.span)?;
            // The usual line. A text that came before is not parsed again.
            let text = words.rest();
            if let Some(rule) = self.known.get(text) {
                let rule = Arc::clone(rule);
                return self.push(&chain, [rule], None, counters, whole, number);
            }
            let mut read = self.parser.line(&mut words, Mode::Append)?;
            if read.other_family {
                return Ok(());
            }
            if read.several() > 1 || read.counters.is_some() {
                let counters = counters.or(read.counters);
                return self.push(&chain, read.expand().into_iter().map(Arc::new), None, counters, whole, number);
            }
            let rule = Arc::new(read.take());
            self.known.insert(text, Arc::clone(&rule));
            return self.push(&chain, [rule], None, counters, whole, number);
        }
        match self.parser.command(&mut words, counters)? {
            Command::OtherFamily => Ok(()),
            Command::NewChain(chain) => open.new_chain(chain, whole, number),
            Command::Policy { chain, policy } => open.policy(chain, policy, whole, number),
            Command::Append { chain, rules, counters } => {
                self.check_chain(&chain, whole)?;
                self.push(&chain, rules.into_iter().map(Arc::new), None, counters, whole, number)
            }
            Command::Insert { chain, number: at, rules, counters } => {
                self.check_chain(&chain, whole)?;
                self.push(&chain, rules.into_iter().map(Arc::new), Some(at), counters, whole, number)
            }
        }
    }

    /// A rule's chain must be declared, unless the file is a part of what is there.
    fn check_chain(&self, chain: &ChainRef, span: Span) -> Result<(), ParseError> {
        let known = self.scope == Scope::Part || self.open.as_ref().is_some_and(|open| open.exists(chain));
        if known { Ok(()) } else { Err(ParseError::new(ErrorKind::UnknownChain { chain: written(chain) }, span)) }
    }

    /// Adds rules to the chain: at its end, or before its rule of this number.
    fn push(
        &mut self,
        chain: &ChainRef,
        rules: impl IntoIterator<Item = Arc<Rule>>,
        before: Option<u32>,
        counters: Option<Counters>,
        span: Span,
        line: u32,
    ) -> Result<(), ParseError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut at = before.map(|before| open.place(chain, before, span)).transpose()?;
        for rule in rules {
            let table = open.section.table;
            parse::check_in_chain(&rule, table, chain).map_err(|kind| ParseError::new(kind, span))?;
            if let Some(target) = rule.chain_ref().filter(|target| !open.exists(target)) {
                open.jumps.entry(target.clone()).or_insert((span, line));
            }
            let rule = RuleLine { chain: chain.clone(), rule, counters, line };
            match &mut at {
                None => open.section.rules.push(rule),
                Some(at) => {
                    open.section.rules.insert(*at, rule);
                    *at += 1;
                }
            }
        }
        Ok(())
    }
}

impl<'a> Open<'a> {
    /// Whether rules may stand in the chain, or jump to it.
    fn exists(&self, chain: &ChainRef) -> bool {
        self.is_builtin(chain) || self.declared.contains(chain)
    }

    fn is_builtin(&self, chain: &ChainRef) -> bool {
        matches!(chain, ChainRef::Named(name) if self.section.table.builtin(name.as_str()).is_some())
    }

    /// The chain of this name.
    fn chain(&mut self, name: &Word<'a>) -> Result<ChainRef, ParseError> {
        if let Some(chain) = self.names.get(&name.text) {
            return Ok(chain.clone());
        }
        let chain = value::chain(&name.text).map_err(|fault| match fault {
            Fault::Kind(kind) => ParseError::new(kind, name.span),
            _ => ParseError::new(ErrorKind::BadChainName { name: (&*name.text).into() }, name.span),
        })?;
        self.names.insert(name.text.clone(), chain.clone());
        Ok(chain)
    }

    /// `:CHAIN POLICY [P:B]`, from after the colon.
    fn declaration(&mut self, text: &'a str, start: usize, line: u32) -> Result<(), ParseError> {
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
        let chain = self.chain(&name)?;
        let builtin = self.is_builtin(&chain);
        let policy = match &*policy.text {
            "-" => None,
            // The policy of a user chain must be there and means nothing.
            _ if !builtin => None,
            word => Some(parse::policy(word).ok_or_else(|| ParseError::new(ErrorKind::BadPolicy, policy.span))?),
        };
        if !self.declared.insert(chain.clone()) {
            return match builtin {
                true => Err(ParseError::new(ErrorKind::DeclaredTwice { chain: written(&chain) }, name.span)),
                false => Ok(()),
            };
        }
        self.section.chains.push(ChainDecl { name: chain, policy, counters, line });
        Ok(())
    }

    /// `-N CHAIN`.
    fn new_chain(&mut self, chain: ChainRef, span: Span, line: u32) -> Result<(), ParseError> {
        if self.exists(&chain) {
            return Err(ParseError::new(ErrorKind::ChainExists, span));
        }
        self.declared.insert(chain.clone());
        self.section.chains.push(ChainDecl { name: chain, policy: None, counters: None, line });
        Ok(())
    }

    /// `-P CHAIN policy`.
    fn policy(&mut self, chain: ChainRef, policy: Policy, span: Span, line: u32) -> Result<(), ParseError> {
        if !self.is_builtin(&chain) {
            return Err(ParseError::new(ErrorKind::NotBuiltin { chain: written(&chain) }, span));
        }
        match self.section.chains.iter_mut().find(|declared| declared.name == chain) {
            Some(declared) => declared.policy = Some(policy),
            None => {
                self.declared.insert(chain.clone());
                self.section.chains.push(ChainDecl { name: chain, policy: Some(policy), counters: None, line });
            }
        }
        Ok(())
    }

    /// Where in the section a rule goes that is to be the chain's rule of this number.
    fn place(&self, chain: &ChainRef, number: u32, span: Span) -> Result<usize, ParseError> {
        let rules = self.section.rules.iter().enumerate().filter(|(_, rule)| rule.chain == *chain);
        let before = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        let places: Vec<_> = rules.map(|(at, _)| at).collect();
        match places.get(before) {
            Some(&at) => Ok(at),
            None if places.len() == before => Ok(self.section.rules.len()),
            None => Err(ParseError::new(ErrorKind::InsertTooFar, span)),
        }
    }
}

/// A chain's name as it is written.
fn written(chain: &ChainRef) -> Box<str> {
    let mut name = String::new();
    crate::print::chain_ref("", chain, &mut name);
    name.into()
}

/// Refuses control characters in a line that is not split into words.
fn check_controls(line: &str, start: usize) -> Result<(), ParseError> {
    match line.char_indices().find(|&(_, c)| c.is_ascii_control() && c != '\t') {
        Some((at, character)) => {
            let span = Span::new(start + at, start + at + 1);
            Err(ParseError::new(ErrorKind::ControlCharacter { character }, span))
        }
        None => Ok(()),
    }
}
