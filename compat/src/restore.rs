//! Save files: `*table`, `:CHAIN`, rules and `COMMIT`, as a statement of the whole state.
//!
//! Owns: the lines of `iptables-save`, what belongs in which table, and the place of every mistake.
//! Never: changes anything; a file with a mistake is refused whole.
//!
//! Invariants: a file that parses has every table closed by its COMMIT, no chain declared twice and no rule for a
//! chain that does not exist. Rules of equal text share one value, so ten thousand equal rules cost one parse.
//!
//! Where the truth is: `xtables_restore_parse` of `iptables/xtables-restore.c`, 1.8.11. Where this is stricter than
//! iptables: a table or chain stands once in a file, and only commands that state something are taken. iptables takes a
//! second declaration of a user chain and forgets the rules before it, which is never what a file was written for.

mod open;

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use foldhash::HashMap;
use memchr::memchr;
use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::TableKind;

use self::open::{Open, name, written};
use crate::args::Command;
use crate::error::{ErrorKind, ParseError, Span};
use crate::lex::{MAX_LINE, Words};
use crate::parse::{self, Counters, Mode, Parser};

/// The most mistakes that are reported at once.
pub const MAX_ERRORS: usize = 20;
/// How much text there is for one distinct rule, roughly.
const BYTES_PER_KNOWN: usize = 256;

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
    /// The chains that declarations and rules name, by number.
    pub named: Vec<ChainRef>,
    /// Its rules: those of one chain are in order, those of different chains as the file has them. A table with `-I`
    /// has its rules by chain, in the order of the chains' first rules.
    pub rules: Vec<RuleLine>,
}

impl Section {
    /// The chain of a rule of this table.
    #[must_use]
    pub fn chain(&self, rule: &RuleLine) -> Option<&ChainRef> {
        self.named.get(rule.chain as usize)
    }
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

/// A rule of a chain. Kept small: a host has a hundred thousand of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    /// The chain, by its number in [`Section::named`].
    pub chain: u32,
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
    known: HashMap<&'a str, Known>,
    errors: Vec<ParseError>,
    /// Whether the last line stood outside of a table and was reported: a file of another kind is one mistake.
    astray: bool,
}

/// A rule text that was read before.
struct Known {
    rule: Arc<Rule>,
    /// The table that it was checked in last. What it may be depends on the table, and on built-in chains.
    table: TableKind,
}

impl<'a> Reader<'a> {
    fn new(family: Family, scope: Scope) -> Self {
        Self {
            scope,
            parser: Parser::new(family),
            file: SaveFile::default(),
            open: None,
            known: HashMap::default(),
            errors: Vec::new(),
            astray: false,
        }
    }

    fn read(mut self, text: &'a str) -> Result<SaveFile, Vec<ParseError>> {
        // A host's text has a distinct rule in every few lines; growing would hash each of them again.
        self.known.reserve(text.len() / BYTES_PER_KNOWN);
        let mut start = 0;
        let mut number = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            number += 1;
            let line = memchr(b'\n', rest.as_bytes()).and_then(|end| rest.get(..end)).unwrap_or(rest);
            if let Err(error) = self.line(line, start, number) {
                self.report(error, number);
            }
            if self.errors.len() >= MAX_ERRORS {
                return Err(self.errors);
            }
            start += line.len() + 1;
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
        let section = Section { table, line: number, chains: Vec::new(), named: Vec::new(), rules: Vec::new() };
        // Opened before it is refused, so that each of its lines is not a mistake as well.
        self.open = Some(Open::new(section, self.scope));
        match self.file.sections.iter().any(|s| s.table == table) {
            true => fail(ErrorKind::TableTwice { name: name.into() }),
            false => Ok(()),
        }
    }

    /// `COMMIT`: what the table's rules point at must be declared by now.
    fn commit(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        if let Some(order) = open.order.take() {
            open.section.rules = order.join(std::mem::take(&mut open.section.rules));
        }
        let mut missing: Vec<_> = open.jumps.iter().filter(|(chain, _)| !open.exists(chain)).collect();
        missing.sort_unstable_by_key(|(_, (span, _))| span.start);
        for (chain, &(span, line)) in missing.into_iter().take(MAX_ERRORS - self.errors.len()) {
            let kind = ErrorKind::JumpToNowhere { chain: written(chain) };
            self.report(ParseError::new(kind, span), line);
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
            let chain = open.appended(&mut words, whole)?;
            return self.append(chain, words, counters, whole, number);
        }
        let command = self.parser.command(&mut words, counters)?;
        let target = self.parser.target().unwrap_or(whole);
        let (chain, before, rules, counters) = match command {
            Command::OtherFamily => return Ok(()),
            Command::NewChain(chain) => return open.new_chain(chain, whole, number),
            Command::Policy { chain, policy } => return open.policy(chain, policy, whole, number),
            Command::Append { chain, rules, counters } => (chain, None, rules, counters),
            Command::Insert { chain, number, rules, counters } => (chain, Some(number), rules, counters),
        };
        let chain = open.number(Cow::Owned(name(&chain)), chain);
        open.check_chain(chain, whole)?;
        let mut before = before.map(|before| open.place(chain, before, whole)).transpose()?;
        for rule in rules {
            open.check(&rule, chain, whole, target, number)?;
            open.push(RuleLine { chain, rule: Arc::new(rule), counters, line: number }, before);
            before = before.map(|before| before + 1);
        }
        Ok(())
    }

    /// The usual line, from after `-A CHAIN`. A text that came before is not parsed again.
    fn append(
        &mut self,
        chain: u32,
        mut words: Words<'a>,
        counters: Option<Counters>,
        whole: Span,
        line: u32,
    ) -> Result<(), ParseError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (builtin, table) = (open.is_base(chain), open.section.table);
        let text = words.rest();
        let known = match self.known.entry(text) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                if builtin || known.table != table {
                    // Only a chain that is missing has its jump looked up in the text.
                    let target = match open.is_missing(&known.rule) {
                        Some(_) => self.parser.line(&mut words, Mode::Append).ok().and(self.parser.target()),
                        None => None,
                    };
                    open.check(&known.rule, chain, whole, target.unwrap_or(whole), line)?;
                    known.table = table;
                }
                known
            }
            Entry::Vacant(vacant) => {
                let mut read = self.parser.line(&mut words, Mode::Append)?;
                if read.other_family {
                    return Ok(());
                }
                let target = self.parser.target().unwrap_or(whole);
                if read.several() > 1 || read.counters.is_some() {
                    let counters = counters.or(read.counters);
                    for rule in read.expand() {
                        open.check(&rule, chain, whole, target, line)?;
                        open.push(RuleLine { chain, rule: Arc::new(rule), counters, line }, None);
                    }
                    return Ok(());
                }
                let rule = read.take();
                open.check(&rule, chain, whole, target, line)?;
                vacant.insert(Known { rule: Arc::new(rule), table })
            }
        };
        open.push(RuleLine { chain, rule: Arc::clone(&known.rule), counters, line }, None);
        Ok(())
    }
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
