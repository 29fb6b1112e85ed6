//! Words to rules.
//!
//! Owns: which words are options, what belongs to which match, and the generic options of a rule.
//! Never: knows the options of a match or target; `ext` does.
//!
//! Invariants: one pass over the text, and no allocation for a word; a rule that parses prints, and what is printed
//! parses to an equal rule; spans lie in the given text.
//!
//! Where the truth is: `do_parse` of `iptables/xshared.c` and GNU `getopt_long` in permuting mode. `!` stands before
//! the option it negates. A long option may be shortened while it is unambiguous; `--name=value`, `-n value`, `-nvalue`
//! and bundled letters (`-fj ACCEPT`) are all one form. A protocol brings the options of the match of its name with
//! it; that match joins the rule where its first option stands.
//!
//! ```
//! use nftwrap::rule::Family;
//! let rule = nftwrap_compat::parse::rule("-j ACCEPT -p tcp --dport 22 -s 10.1.2.3/8", Family::Ipv4)?;
//! assert_eq!(nftwrap_compat::print::rule(&rule, Family::Ipv4), "-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT");
//! # Ok::<(), nftwrap_compat::ParseError>(())
//! ```

use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Family, InterfaceMatch, Masked, Not, Protocol, Rule, Target};
use nftwrap::wrap::TableKind;

pub use crate::args::Command;
use crate::args::{self, GENERIC, Generic, GenericOption};
use crate::error::{ErrorKind, ParseError, Span};
use crate::ext::{self, Extension, Given, OptionSpec, Options, Parse};
use crate::lex::{MAX_LINE, Word, Words};
use crate::value::{self, Fault};

/// Packets and bytes.
pub type Counters = (u64, u64);

/// Parses a rule without `-A CHAIN`, as OpenStack writes them. `-c` is checked and dropped: a [`Rule`] has no counters.
///
/// # Errors
/// [`ParseError`] when it is no rule, or when a list of addresses makes it several.
pub fn rule(text: &str, family: Family) -> Result<Rule, ParseError> {
    let mut line = Parser::new(family).line(&mut Words::new(text, 0), Mode::Rule)?;
    match line.several() {
        1 => Ok(line.take()),
        rules => Err(ParseError::new(ErrorKind::SeveralRules { rules }, Span::new(0, text.len()))),
    }
}

/// Parses a rule whose lists of addresses (`-s 10.0.0.1,10.0.0.2`) make it one rule per pair of source and destination.
///
/// # Errors
/// [`ParseError`] when it is no rule.
pub fn rules(text: &str, family: Family) -> Result<Vec<Rule>, ParseError> {
    Ok(Parser::new(family).line(&mut Words::new(text, 0), Mode::Rule)?.expand())
}

/// Parses a line of a save file inside a table: `[P:B] -A CHAIN rule`, `-I`, `-N` or `-P`.
///
/// # Errors
/// [`ParseError`] when it is none of these.
pub fn command(line: &str, family: Family) -> Result<Command, ParseError> {
    let mut words = Words::new(line, 0);
    let counters = counters(&mut words)?;
    Parser::new(family).command(&mut words, counters)
}

/// Refuses what a rule cannot ask for in this chain: an interface that the hook does not have, and `DROP` in `nat`.
///
/// # Errors
/// The [`ErrorKind`]; the caller knows the place.
pub fn check_in_chain(rule: &Rule, table: TableKind, chain: &ChainRef) -> Result<(), ErrorKind> {
    if table == TableKind::Nat && rule.target == Some(Target::Drop) {
        return Err(ErrorKind::DropInNat);
    }
    let ChainRef::Named(name) = chain else { return Ok(()) };
    let option = match name.as_str() {
        "INPUT" | "PREROUTING" if rule.output.is_some() => "--out-interface",
        "OUTPUT" | "POSTROUTING" if rule.input.is_some() => "--in-interface",
        _ => return Ok(()),
    };
    Err(ErrorKind::InterfaceInChain { option, chain: name.as_str().into() })
}

/// What a line may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The options of a rule only.
    Rule,
    /// One command, and a rule if it takes one.
    Command,
    /// The options of a rule, after `-A CHAIN`.
    Append,
}

/// A match or target of the rule that is being read.
#[derive(Debug)]
struct Instance {
    extension: &'static Extension,
    span: Span,
}

/// Reads lines; its buffers are used again for each.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    family: Family,
    /// Matches and the target, in the order in which they came up.
    instances: Vec<Instance>,
    given: Vec<Given<'a>>,
    /// Where the last line names its target.
    target: Option<Span>,
}

/// A line that was read.
#[derive(Debug, Default)]
pub(crate) struct Line {
    rule: Rule,
    /// All sources and destinations, where there is more than one.
    sources: Vec<Masked>,
    destinations: Vec<Masked>,
    pub(crate) counters: Option<Counters>,
    command: Option<Head>,
    pub(crate) other_family: bool,
}

/// A command and its own words.
#[derive(Debug)]
struct Head {
    option: &'static GenericOption,
    chain: ChainRef,
    number: u32,
    policy: Option<Policy>,
    span: Span,
}

impl Line {
    /// How many rules it stands for.
    pub(crate) fn several(&self) -> usize {
        self.sources.len().max(1) * self.destinations.len().max(1)
    }

    pub(crate) fn take(&mut self) -> Rule {
        std::mem::take(&mut self.rule)
    }

    /// One rule per pair of source and destination, sources first.
    pub(crate) fn expand(mut self) -> Vec<Rule> {
        if self.several() == 1 {
            return vec![self.rule];
        }
        let one = |list: &[Masked]| -> Vec<Option<Masked>> {
            if list.is_empty() { vec![None] } else { list.iter().copied().map(Some).collect() }
        };
        let (sources, destinations) = (one(&self.sources), one(&self.destinations));
        let rule = self.take();
        let with = |source: Option<Masked>, destination: Option<Masked>| {
            let rule = match source {
                Some(source) => rule.clone().source(source),
                None => rule.clone(),
            };
            match destination {
                Some(destination) => rule.destination(destination),
                None => rule,
            }
        };
        sources.iter().flat_map(|&s| destinations.iter().map(move |&d| (s, d))).map(|(s, d)| with(s, d)).collect()
    }
}

/// An option that was found by its name.
#[derive(Debug, Clone, Copy)]
enum Found {
    Generic(&'static GenericOption),
    Extension(usize, &'static OptionSpec),
}

impl Found {
    fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Generic(a), Self::Generic(b)) => std::ptr::eq(a, b),
            (Self::Extension(_, a), Self::Extension(_, b)) => std::ptr::eq(a, b),
            _ => false,
        }
    }
}

impl<'a> Parser<'a> {
    pub(crate) fn new(family: Family) -> Self {
        Self { family, instances: Vec::new(), given: Vec::new(), target: None }
    }

    /// Where the last line names its target.
    pub(crate) fn target(&self) -> Option<Span> {
        self.target
    }

    /// Reads a command.
    pub(crate) fn command(&mut self, words: &mut Words<'a>, counters: Option<Counters>) -> Result<Command, ParseError> {
        let start = words.position();
        let mut line = self.line(words, Mode::Command)?;
        if line.other_family {
            return Ok(Command::OtherFamily);
        }
        let span = Span::new(start, words.position());
        let head = line.command.take().ok_or_else(|| ParseError::new(ErrorKind::NoCommand, span))?;
        let counters = counters.or(line.counters);
        let Head { option, chain, number, policy, span } = head;
        Ok(match (option.what, policy) {
            (Generic::Append, _) => Command::Append { chain, rules: line.expand(), counters },
            (Generic::Insert, _) => Command::Insert { chain, number, rules: line.expand(), counters },
            (Generic::NewChain, _) if line.rule == Rule::default() => Command::NewChain(chain),
            (Generic::Policy, Some(policy)) if line.rule == Rule::default() => Command::Policy { chain, policy },
            _ => return Err(ParseError::new(ErrorKind::IllegalOption { option: option.name.into() }, span)),
        })
    }

    /// Reads the words to the end of the line.
    pub(crate) fn line(&mut self, words: &mut Words<'a>, mode: Mode) -> Result<Line, ParseError> {
        let begin = words.position();
        if words.rest().len() > MAX_LINE {
            return Err(ParseError::new(ErrorKind::LineTooLong { max: MAX_LINE }, Span::new(begin, begin)));
        }
        self.instances.clear();
        self.given.clear();
        self.target = None;
        let mut line = Line::default();
        let mut negation: Option<Span> = None;
        while let Some(word) = words.next()? {
            let bytes = word.text.as_bytes();
            match bytes {
                b"!" => {
                    if negation.replace(word.span).is_some() {
                        return Err(ParseError::new(ErrorKind::DoubleNegation, word.span));
                    }
                    continue;
                }
                [b'-', b'-', _, ..] => self.long(&mut line, word, words, negation, mode)?,
                [b'-', letter, ..] if *letter != b'-' => self.short(&mut line, word, words, negation, mode)?,
                _ => return Err(ParseError::new(ErrorKind::BadArgument { word: (&*word.text).into() }, word.span)),
            }
            negation = None;
        }
        if let Some(span) = negation {
            return Err(ParseError::new(ErrorKind::DanglingNegation, span));
        }
        self.build(&mut line.rule)?;
        Ok(line)
    }

    /// `--name`, `--name value`, `--name=value`.
    fn long(
        &mut self,
        line: &mut Line,
        word: Word<'a>,
        words: &mut Words<'a>,
        negation: Option<Span>,
        mode: Mode,
    ) -> Result<(), ParseError> {
        let text = word.text.get(2..).unwrap_or_default();
        let (name, value) = match text.split_once('=') {
            Some((name, _)) => (name, Some(word.tail(name.len() + 3))),
            None => (text, None),
        };
        let found =
            self.resolve(name, line.rule.protocol, word.span).map_err(|kind| ParseError::new(kind, word.span))?;
        match found {
            Found::Generic(option) => self.generic(line, option, word, value, words, negation, mode),
            Found::Extension(instance, option) => self.extension(instance, option, word, value, words, negation),
        }
    }

    /// `-n`, `-n value`, `-nvalue`, and several letters in one word.
    fn short(
        &mut self,
        line: &mut Line,
        word: Word<'a>,
        words: &mut Words<'a>,
        mut negation: Option<Span>,
        mode: Mode,
    ) -> Result<(), ParseError> {
        let length = word.text.len();
        let mut at = 1;
        while let Some(&letter) = word.text.as_bytes().get(at) {
            at += 1;
            let Some(option) = args::short(letter) else {
                let rest = word.text.get(at - 1..).and_then(|rest| rest.chars().next()).unwrap_or('-');
                let option = format!("-{rest}").into();
                return Err(ParseError::new(ErrorKind::UnknownOption { option }, word.span));
            };
            let value = (option.value && at < length).then(|| word.tail(at));
            let done = option.value;
            let name = Word { text: "".into(), span: word.span };
            self.generic(line, option, name, value, words, negation.take(), mode)?;
            if done {
                break;
            }
        }
        Ok(())
    }

    /// The option of this name: of the newest match or target that has it, else a generic one, else one that the
    /// protocol brings with it.
    fn resolve(&mut self, name: &str, protocol: Option<Not<Protocol>>, span: Span) -> Result<Found, ErrorKind> {
        for (at, instance) in self.instances.iter().enumerate().rev() {
            if let Some(option) = instance.extension.options.iter().find(|o| o.names.contains(&name)) {
                return Ok(Found::Extension(at, option));
            }
        }
        if let Some(option) = GENERIC.iter().find(|o| o.long.contains(&name)) {
            return Ok(Found::Generic(option));
        }
        if let Some(found) = self.shortened(name)? {
            return Ok(found);
        }
        let unknown = || ErrorKind::UnknownOption { option: format!("--{name}").into() };
        let implied = protocol.and_then(|p| ext::implied(p.value, self.family)).ok_or_else(unknown)?;
        if self.instances.iter().any(|i| std::ptr::eq(i.extension, implied)) {
            return Err(unknown());
        }
        let mut options = implied.options.iter();
        let starts = |o: &&OptionSpec| o.names.iter().any(|n| n.starts_with(name));
        let exact = options.clone().find(|o| o.names.contains(&name));
        let option = exact.or_else(|| options.find(starts)).ok_or_else(unknown)?;
        if exact.is_none() && options.any(|o| starts(&o)) {
            return Err(ErrorKind::AmbiguousOption { option: format!("--{name}").into() });
        }
        self.instances.push(Instance { extension: implied, span });
        Ok(Found::Extension(self.instances.len() - 1, option))
    }

    /// The one option that starts so.
    fn shortened(&self, name: &str) -> Result<Option<Found>, ErrorKind> {
        let starts = |names: &[&str]| names.iter().any(|n| n.starts_with(name));
        let generic = GENERIC.iter().filter(|o| starts(o.long)).map(Found::Generic);
        let instances = self.instances.iter().enumerate().rev();
        let extensions = instances.flat_map(|(at, instance)| {
            instance.extension.options.iter().filter(|o| starts(o.names)).map(move |o| Found::Extension(at, o))
        });
        let mut all = extensions.chain(generic);
        let first = all.next();
        match first {
            Some(first) if all.any(|other| !first.same(other)) => {
                Err(ErrorKind::AmbiguousOption { option: format!("--{name}").into() })
            }
            first => Ok(first),
        }
    }

    /// An option of a match or target, with its values.
    fn extension(
        &mut self,
        instance: usize,
        option: &'static OptionSpec,
        word: Word<'a>,
        value: Option<Word<'a>>,
        words: &mut Words<'a>,
        negation: Option<Span>,
    ) -> Result<(), ParseError> {
        let name = || format!("--{}", option.name()).into();
        if let (Some(span), false) = (negation, option.negatable) {
            return Err(ParseError::new(ErrorKind::CannotNegate { option: name() }, span.to(word.span)));
        }
        let missing = || ParseError::new(ErrorKind::MissingArgument { option: name() }, word.span);
        let (first, second) = match option.values {
            [] if value.is_some() => {
                return Err(ParseError::new(ErrorKind::UnwantedArgument { option: name() }, word.span));
            }
            [] => (None, None),
            values => {
                let first = match value {
                    Some(value) => value,
                    None => words.next()?.ok_or_else(missing)?,
                };
                let second = match values.get(1) {
                    None => None,
                    // getopt hands over one value; the second is looked for by hand and may not look like an option.
                    Some(_) => Some(words.next()?.filter(|w| !w.text.starts_with(['-', '!'])).ok_or_else(missing)?),
                };
                (Some(first), second)
            }
        };
        let end = second.as_ref().or(first.as_ref()).map_or(word.span, |last| last.span);
        let span = negation.unwrap_or(word.span).to(end);
        self.given.push(Given { instance, option, negated: negation.is_some(), first, second, span });
        Ok(())
    }

    /// A generic option.
    #[allow(clippy::too_many_arguments, reason = "the state of one step of getopt")]
    fn generic(
        &mut self,
        line: &mut Line,
        option: &'static GenericOption,
        word: Word<'a>,
        value: Option<Word<'a>>,
        words: &mut Words<'a>,
        negation: Option<Span>,
        mode: Mode,
    ) -> Result<(), ParseError> {
        use Generic as G;
        let fail = |kind: ErrorKind, span: Span| Err(ParseError::new(kind, span));
        let named = word.span;
        let negatable = matches!(option.what, G::Source | G::Destination | G::Protocol | G::In | G::Out | G::Fragment);
        if let (Some(span), false) = (negation, negatable) {
            return fail(ErrorKind::CannotNegate { option: option.name.into() }, span.to(named));
        }
        let value = match (option.value, value) {
            (false, Some(_)) => return fail(ErrorKind::UnwantedArgument { option: option.name.into() }, named),
            (false, None) => Word { text: "".into(), span: named },
            (true, Some(value)) => value,
            (true, None) => match words.next()? {
                Some(value) => value,
                None => return fail(ErrorKind::MissingArgument { option: option.name.into() }, named),
            },
        };
        let (span, text) = (value.span, &*value.text);
        let negated = negation.is_some();
        let once = |given: bool| match given {
            true => Err(ParseError::new(ErrorKind::Repeated { option: option.name }, named.to(span))),
            false => Ok(()),
        };
        let rule = &mut line.rule;
        match option.what {
            G::Source => {
                once(rule.source.is_some() || line.sources.len() > 1)?;
                (rule.source, line.sources) = addresses(text, self.family, negated, span)?;
            }
            G::Destination => {
                once(rule.destination.is_some() || line.destinations.len() > 1)?;
                (rule.destination, line.destinations) = addresses(text, self.family, negated, span)?;
            }
            G::Protocol => {
                once(rule.protocol.is_some())?;
                let protocol = value::protocol(text).map_err(|fault| plain(fault, text, span))?;
                if protocol == Protocol::ALL && negated {
                    return fail(ErrorKind::NeverMatchesProtocol, span);
                }
                rule.protocol = Some(Not { negated, value: protocol }).filter(|p| p.value != Protocol::ALL);
            }
            G::In | G::Out => {
                let slot = if option.what == G::In { &mut rule.input } else { &mut rule.output };
                once(slot.is_some())?;
                let interface = value::interface(text).map_err(|fault| plain(fault, text, span))?;
                *slot = Some(Not { negated, value: interface }).filter(|i| i.negated || i.value != InterfaceMatch::Any);
            }
            G::Fragment => {
                once(rule.fragment.is_some())?;
                if self.family == Family::Ipv6 {
                    return fail(ErrorKind::UnknownOption { option: "-f".into() }, named);
                }
                rule.fragment = Some(Not { negated, value: () });
            }
            G::Match => self.start_match(text, span)?,
            G::Jump | G::Goto => {
                once(rule.target.is_some() || self.instances.iter().any(|i| i.extension.is_target()))?;
                rule.target = self.start_target(option.what, text, span)?;
                self.target = Some(span);
            }
            G::Counters => {
                once(line.counters.is_some())?;
                line.counters = Some(given_counters(&value, words)?);
            }
            G::Ipv4 => line.other_family |= self.family != Family::Ipv4,
            G::Ipv6 => line.other_family |= self.family != Family::Ipv6,
            G::CommandLine => return fail(ErrorKind::IllegalOption { option: option.name.into() }, named),
            G::OtherCommand if mode != Mode::Rule => {
                return fail(ErrorKind::CommandHere { command: option.name.into() }, named);
            }
            G::Append | G::Insert | G::NewChain | G::Policy if mode == Mode::Command => {
                if let Some(first) = &line.command {
                    let kind = ErrorKind::SeveralCommands { first: first.option.name, second: option.name };
                    return fail(kind, named);
                }
                line.command = Some(command_head(option, &value, words)?);
            }
            _ if mode == Mode::Append => {
                return fail(ErrorKind::SeveralCommands { first: "--append", second: option.name }, named);
            }
            _ => return fail(ErrorKind::IllegalOption { option: option.name.into() }, named),
        }
        // Two families in one line agree with neither; outside save files such a line is a mistake.
        if line.other_family && mode == Mode::Rule {
            return fail(ErrorKind::IllegalOption { option: option.name.into() }, named);
        }
        Ok(())
    }

    /// `-m name`.
    fn start_match(&mut self, name: &str, span: Span) -> Result<(), ParseError> {
        let unknown = || ParseError::new(ErrorKind::UnknownMatch { name: name.into() }, span);
        // iptables takes the names of the protocol for the match as well.
        let name = match (name, self.family) {
            ("icmpv6" | "ipv6-icmp", Family::Ipv6) => "icmp6",
            _ => name,
        };
        let extension = ext::find(name).filter(|e| !e.is_target()).ok_or_else(unknown)?;
        if let Some(family) = extension.family.filter(|&family| family != self.family) {
            return Err(unknown().with_help(format!("`-m {name}` exists in {family} only")));
        }
        // TCP and UDP have one match a rule, however often it is named; the others may repeat.
        let single = matches!(name, "tcp" | "udp");
        if !(single && self.instances.iter().any(|i| std::ptr::eq(i.extension, extension))) {
            self.instances.push(Instance { extension, span });
        }
        Ok(())
    }

    /// `-j name` and `-g name`. A target with options of its own is made when all of them are known.
    fn start_target(&mut self, option: Generic, name: &str, span: Span) -> Result<Option<Target>, ParseError> {
        if option == Generic::Jump {
            match name {
                "ACCEPT" => return Ok(Some(Target::Accept)),
                "DROP" => return Ok(Some(Target::Drop)),
                "RETURN" => return Ok(Some(Target::Return)),
                "CONTINUE" => return Ok(None),
                _ => {}
            }
            if let Some(extension) = ext::find_target(name) {
                self.instances.push(Instance { extension, span });
                return Ok(None);
            }
            if ext::is_target_name(name) {
                let error = ParseError::new(ErrorKind::UnknownTarget { name: name.into() }, span);
                return Err(error.with_help("this target of iptables is not supported"));
            }
        }
        let chain = value::chain(name).map_err(|fault| plain(fault, name, span))?;
        Ok(Some(if option == Generic::Jump { Target::Jump(chain) } else { Target::Goto(chain) }))
    }

    /// Turns the collected options into matches and the target.
    fn build(&self, rule: &mut Rule) -> Result<(), ParseError> {
        rule.matches.reserve_exact(self.instances.iter().filter(|i| !i.extension.is_target()).count());
        for (at, &Instance { extension, span }) in self.instances.iter().enumerate() {
            let options = Options {
                extension,
                family: self.family,
                protocol: rule.protocol,
                span,
                instance: at,
                given: &self.given,
            };
            options.check_once()?;
            match extension.parse {
                Parse::Match(parse) => rule.matches.push(parse(&options)?),
                Parse::Target(parse) => rule.target = Some(parse(&options)?),
            }
        }
        Ok(())
    }
}

/// `-s` and `-d`: one address for the rule, or a list beside it.
fn addresses(
    text: &str,
    family: Family,
    negated: bool,
    span: Span,
) -> Result<(Option<Not<Masked>>, Vec<Masked>), ParseError> {
    let one = |text: &str| value::masked(text, family).map_err(|fault| plain(fault, text, span));
    if !text.contains(',') {
        let address = Not { negated, value: one(text)? };
        return Ok((Some(address).filter(|a| a.negated || !a.value.is_any()), Vec::new()));
    }
    if negated {
        return Err(ParseError::new(ErrorKind::NegatedList, span));
    }
    Ok((None, text.split(',').map(one).collect::<Result<_, _>>()?))
}

/// The chain of a command, and what else it takes.
fn command_head(option: &'static GenericOption, value: &Word<'_>, words: &mut Words<'_>) -> Result<Head, ParseError> {
    let chain = value::chain(&value.text).map_err(|fault| plain(fault, &value.text, value.span))?;
    let mut head = Head { option, chain, number: 1, policy: None, span: value.span };
    match option.what {
        Generic::Insert if !words.rest().starts_with(['-', '!']) => {
            if let Some(word) = words.next()? {
                let number = value::number(&word.text, 1, u32::MAX.into()).ok().and_then(|n| u32::try_from(n).ok());
                let bad = || ErrorKind::BadRuleNumber { number: (&*word.text).into() };
                head.number = number.ok_or_else(|| ParseError::new(bad(), word.span))?;
            }
        }
        Generic::Policy => {
            let missing = ErrorKind::MissingArgument { option: option.name.into() };
            let word = words.next()?.ok_or_else(|| ParseError::new(missing, value.span))?;
            head.policy = Some(policy(&word.text).ok_or_else(|| ParseError::new(ErrorKind::BadPolicy, word.span))?);
        }
        _ => {}
    }
    Ok(head)
}

/// A policy by its name.
pub(crate) fn policy(text: &str) -> Option<Policy> {
    match text {
        "ACCEPT" => Some(Policy::Accept),
        "DROP" => Some(Policy::Drop),
        _ => None,
    }
}

/// `-c P B` or `-c P,B`.
fn given_counters(value: &Word<'_>, words: &mut Words<'_>) -> Result<Counters, ParseError> {
    let bad = |span| ParseError::new(ErrorKind::BadCounters { option: "-c" }, span);
    let pair = match value.text.split_once(',') {
        Some((packets, bytes)) => number(packets).zip(number(bytes)),
        None => {
            let bytes = words.next()?.ok_or_else(|| bad(value.span))?;
            number(&value.text).zip(number(&bytes.text))
        }
    };
    pair.ok_or_else(|| bad(value.span))
}

/// `[P:B]` in front of a command.
pub(crate) fn counters(words: &mut Words<'_>) -> Result<Option<Counters>, ParseError> {
    if !words.rest().starts_with('[') {
        return Ok(None);
    }
    let Some(word) = words.next()? else { return Ok(None) };
    pair(&word.text).map(Some).map_err(|missing| ParseError::new(ErrorKind::RuleCounters { missing }, word.span))
}

/// Reads `[P:B]`; the error is the character that is not there.
pub(crate) fn pair(text: &str) -> Result<Counters, char> {
    let inside = text.strip_prefix('[').ok_or('[')?.strip_suffix(']').ok_or(']')?;
    let (packets, bytes) = inside.split_once(':').ok_or(':')?;
    number(packets).zip(number(bytes)).ok_or(':')
}

/// A decimal number.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// The error for the value of a generic option, which always names itself.
fn plain(fault: Fault, text: &str, span: Span) -> ParseError {
    let kind = match fault {
        Fault::Kind(kind) => kind,
        // A number that is out of range is a protocol; names are looked up after numbers.
        Fault::Bad | Fault::Range(..) => ErrorKind::BadArgument { word: text.into() },
    };
    ParseError::new(kind, span)
}
