//! What can be wrong with rule text, and where.
//!
//! Owns: the wording of iptables for every mistake in a rule, a command or a save file, and the place of the mistake.
//! Never: prints or exits; a caller draws the caret.
//!
//! Invariant: `span` lies inside the text that was given, on character boundaries.
//!
//! Where the truth is: `iptables/xshared.c` and `libxtables/xtables.c` of iptables 1.8.11 for the words.

use std::ops::Range;

use thiserror::Error;

/// A mistake in rule text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where: bytes of the text that was given.
    pub span: Range<usize>,
    /// In a save file, the line; the first is 1.
    pub line: Option<u32>,
    /// What to do about it.
    pub help: Option<String>,
}

impl ParseError {
    pub(crate) fn new(kind: ErrorKind, span: Span) -> Self {
        let help = kind.help();
        Self { kind, span: span.start..span.end, line: None, help }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Bytes of the given text; `Range` itself is not `Copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this to the end of the other.
    pub(crate) fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }
}

/// What is wrong with rule text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the words that the message quotes")]
pub enum ErrorKind {
    // Words.
    /// A control character, which could break a rule in two.
    #[error("the text holds the control character {character:?}")]
    ControlCharacter { character: char },
    /// A quoted word does not end on its line.
    #[error("a quoted word does not end")]
    UnterminatedQuote,
    /// The text is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// More words than a line can have.
    #[error("a line can have {max} words")]
    TooManyWords { max: usize },
    /// More bytes than a line can have.
    #[error("a line can have {max} bytes")]
    LineTooLong { max: usize },

    // Options.
    /// No option of this name is known here.
    #[error("unknown option \"{option}\"")]
    UnknownOption { option: Box<str> },
    /// A shortened option could be several.
    #[error("option \"{option}\" is ambiguous")]
    AmbiguousOption { option: Box<str> },
    /// An option stands without its value.
    #[error("option \"{option}\" requires an argument")]
    MissingArgument { option: Box<str> },
    /// An option without values was given one.
    #[error("option \"{option}\" doesn't allow an argument")]
    UnwantedArgument { option: Box<str> },
    /// A word that is no option and belongs to none.
    #[error("Bad argument `{word}'")]
    BadArgument { word: Box<str> },
    /// A generic option was given twice.
    #[error("multiple {option} options not allowed")]
    Repeated { option: &'static str },
    /// `!` before an option that has no opposite.
    #[error("cannot have ! before {option}")]
    CannotNegate { option: Box<str> },
    /// `! !`.
    #[error("multiple consecutive ! not allowed")]
    DoubleNegation,
    /// `!` as the last word.
    #[error("nothing appropriate following !")]
    DanglingNegation,
    /// An option that has no meaning for this command or in this place.
    #[error("Illegal option `{option}' with this command")]
    IllegalOption { option: Box<str> },

    // Generic rule options.
    /// `!` with a list of addresses.
    #[error("! not allowed with multiple source or destination IP addresses")]
    NegatedList,
    /// A list of addresses where one rule is wanted.
    #[error("the address list stands for {rules} rules where one is wanted")]
    SeveralRules { rules: usize },
    /// `-p` with an unknown name.
    #[error("unknown protocol \"{name}\" specified")]
    UnknownProtocol { name: Box<str> },
    /// `! -p all`.
    #[error("rule would never match protocol")]
    NeverMatchesProtocol,
    /// An address that is none.
    #[error("host/network `{host}' not found")]
    UnknownHost { host: Box<str> },
    /// A mask that is none.
    #[error("invalid mask `{mask}' specified")]
    InvalidMask { mask: Box<str> },
    /// `-i ""`.
    #[error("Empty interface is likely to be undesired")]
    EmptyInterface,
    /// An interface name that no interface can have.
    #[error("interface name `{name}' must be shorter than 16 characters")]
    InterfaceTooLong { name: Box<str> },
    /// White space in an interface name.
    #[error("interface name `{name}' holds white space")]
    BadInterface { name: Box<str> },
    /// `-i` or `-o` where the hook has no such interface.
    #[error("Can't use {option} with {chain}")]
    InterfaceInChain { option: &'static str, chain: Box<str> },
    /// DROP in table `nat`.
    #[error("The \"nat\" table is not intended for filtering, the use of DROP is therefore inhibited.")]
    DropInNat,
    /// `-c` without two numbers.
    #[error("{option} packet and byte counters must be two numbers")]
    BadCounters { option: &'static str },

    // Names of chains and extensions.
    /// A chain name over 28 bytes.
    #[error("chain name `{name}' too long (must be under 29 chars)")]
    ChainTooLong { name: Box<str> },
    /// A chain name that starts with `-` or `!`.
    #[error("chain name not allowed to start with `{first}'")]
    ChainStart { first: char },
    /// A chain named like a target.
    #[error("chain name may not clash with target name")]
    ChainClash { name: Box<str> },
    /// Any other thing that is no chain name.
    #[error("Invalid chain name `{name}'")]
    BadChainName { name: Box<str> },
    /// `-m` with an unknown name.
    #[error("Couldn't load match `{name}':No such file or directory")]
    UnknownMatch { name: Box<str> },
    /// `-j` with the name of a target that is not supported here.
    #[error("Couldn't load target `{name}':No such file or directory")]
    UnknownTarget { name: Box<str> },

    // Options of extensions.
    /// An extension without an option that it cannot do without.
    #[error("{extension}: option \"--{option}\" must be specified")]
    MissingOption { extension: &'static str, option: &'static str },
    /// An extension of which one of several options is needed.
    #[error("{extension}: one of the options {options} must be specified")]
    MissingOneOf { extension: &'static str, options: &'static str },
    /// An extension's option was given twice.
    #[error("{extension}: option \"--{option}\" can only be used once.")]
    OnceOnly { extension: &'static str, option: &'static str },
    /// Two options that exclude each other.
    #[error("{extension}: option \"--{option}\" cannot be used together with \"--{other}\".")]
    Together { extension: &'static str, option: &'static str, other: &'static str },
    /// An option that needs another.
    #[error("{extension}: option \"--{option}\" also requires \"--{other}\".")]
    AlsoRequires { extension: &'static str, option: &'static str, other: &'static str },
    /// A value that is none of this option.
    #[error("{extension}: Bad value for \"--{option}\" option: \"{value}\"")]
    BadValue { extension: &'static str, option: &'static str, value: Box<str> },
    /// A number out of range.
    #[error("{extension}: bad value for option \"--{option}\", or out of range ({low}-{high}).")]
    OutOfRange { extension: &'static str, option: &'static str, low: u64, high: u64 },
    /// A port that is none.
    #[error("invalid port/service `{port}' specified")]
    InvalidPort { port: Box<str> },
    /// A range that is the wrong way round.
    #[error("invalid range `{range}' specified (min > max)")]
    ReversedRange { range: Box<str> },
    /// More ports than `multiport` has places.
    #[error("too many ports specified")]
    TooManyPorts,
    /// An extension that only makes sense with some protocol.
    #[error("{extension} requires {protocols}")]
    NeedsProtocol { extension: &'static str, protocols: &'static str },
    /// An ICMP type that is not known, or a code that is none.
    #[error("unknown {extension} type or code `{value}'")]
    UnknownIcmpType { extension: &'static str, value: Box<str> },
    /// A shortened ICMP type that could be several.
    #[error("Ambiguous {extension} type `{value}': `{first}' or `{second}'?")]
    AmbiguousIcmpType { extension: &'static str, value: Box<str>, first: &'static str, second: &'static str },
    /// A rate above 10,000 a second.
    #[error("Rate too fast \"{rate}\"")]
    RateTooFast { rate: Box<str> },

    // Commands and save files.
    /// No command in the line.
    #[error("no command specified")]
    NoCommand,
    /// Two commands in one line.
    #[error("Cannot use {second} with {first}")]
    SeveralCommands { first: &'static str, second: &'static str },
    /// A command that changes what is there, which a whole state has no use for.
    #[error("{command} does not belong in a file that states everything")]
    CommandHere { command: Box<str> },
    /// `*name` with an unknown table.
    #[error("table name '{name}' invalid")]
    UnknownTable { name: Box<str> },
    /// The same table twice.
    #[error("table '{name}' stands twice in the file")]
    TableTwice { name: Box<str> },
    /// `*name` before the COMMIT of the table before it.
    #[error("COMMIT expected before table '{name}'")]
    TableInTable { name: Box<str> },
    /// A line before the first `*table` or after a COMMIT.
    #[error("a table must be opened with `*' before this line")]
    OutsideTable,
    /// The file ends inside a table.
    #[error("COMMIT expected at line {line}")]
    CommitExpected { line: u32 },
    /// `:` without a name.
    #[error("chain name invalid")]
    NoChainName,
    /// `:CHAIN` without a policy.
    #[error("policy invalid")]
    NoPolicy,
    /// A policy that is neither ACCEPT nor DROP.
    #[error("Bad policy name.")]
    BadPolicy,
    /// Counters that do not read `[packets:bytes]`.
    #[error("invalid policy counters for chain '{chain}'")]
    PolicyCounters { chain: Box<str> },
    /// `[` without its `:` or `]`.
    #[error("Bad counters: need {missing}")]
    RuleCounters { missing: char },
    /// A chain declared twice.
    #[error("chain '{chain}' is declared twice")]
    DeclaredTwice { chain: Box<str> },
    /// `-N` of a chain that is there.
    #[error("Chain already exists.")]
    ChainExists,
    /// A rule for a chain that nothing declares.
    #[error("No chain/target/match by that name.")]
    UnknownChain { chain: Box<str> },
    /// A jump to a chain that nothing declares.
    #[error("Chain '{chain}' does not exist")]
    JumpToNowhere { chain: Box<str> },
    /// `-P` of a chain that is no base chain.
    #[error("Bad built-in chain name.")]
    NotBuiltin { chain: Box<str> },
    /// `-I` past the end of the chain.
    #[error("Index of insertion too big.")]
    InsertTooFar,
    /// A rule number that is none.
    #[error("Invalid rule number `{number}'")]
    BadRuleNumber { number: Box<str> },
}

impl ErrorKind {
    /// The remedy, for mistakes that have an obvious one.
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::UnknownHost { .. } => "give the address in numbers: host names are not resolved".to_owned(),
            Self::UnterminatedQuote => "close the `\"`, or write `\\\"` for the character itself".to_owned(),
            Self::ControlCharacter { .. } => {
                "a rule is one line of printable text; lines end with a line feed".to_owned()
            }
            Self::DanglingNegation | Self::DoubleNegation => "`!` stands once, right before the option".to_owned(),
            Self::SeveralRules { .. } => "parse it as several rules".to_owned(),
            Self::NegatedList => "write one negated rule per address, or use an ipset".to_owned(),
            Self::UnknownProtocol { .. } => "use the protocol's number".to_owned(),
            Self::CommitExpected { .. } => "the file is cut off; end each table with a COMMIT line".to_owned(),
            Self::UnknownTable { .. } => "the tables are filter, nat, mangle, raw and security".to_owned(),
            Self::UnknownChain { chain } | Self::JumpToNowhere { chain } => {
                format!("declare it before: `:{chain} - [0:0]`")
            }
            Self::CommandHere { .. } => "only -A, -I, -N and -P are taken".to_owned(),
            Self::DeclaredTwice { .. } => "keep one of the declarations; all rules of the chain follow it".to_owned(),
            Self::DropInNat => "drop in table filter, mangle or raw".to_owned(),
            _ => return None,
        })
    }
}
