//! The options that belong to no match or target, and the commands.
//!
//! Owns: their names, long and short, and what a line of commands means.
//! Never: does what a command says.
//!
//! Where the truth is: `xt_getopt_long` tables in `iptables/xtables.c` and `iptables/xshared.h` of iptables 1.8.11.

use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Rule};

/// A line that changes or declares something, as it stands in a save file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `-A CHAIN rule`: at the end of the chain. A list of addresses makes several rules.
    Append {
        /// The chain.
        chain: ChainRef,
        /// The rules, in order.
        rules: Vec<Rule>,
        /// `[P:B]` or `-c P B`: packets and bytes.
        counters: Option<(u64, u64)>,
    },
    /// `-I CHAIN [number] rule`: before the rule of that number; the first is 1.
    Insert {
        /// The chain.
        chain: ChainRef,
        /// The place of the first of the rules.
        number: u32,
        /// The rules, in order.
        rules: Vec<Rule>,
        /// `[P:B]` or `-c P B`: packets and bytes.
        counters: Option<(u64, u64)>,
    },
    /// `-N CHAIN`: a new chain.
    NewChain(ChainRef),
    /// `-P CHAIN policy`.
    Policy {
        /// The base chain.
        chain: ChainRef,
        /// What happens to packets that reach its end.
        policy: Policy,
    },
    /// The line is for the other family: it says `-4` in an IPv6 file or `-6` in an IPv4 one.
    OtherFamily,
}

/// What a generic option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generic {
    Source,
    Destination,
    Protocol,
    In,
    Out,
    Fragment,
    Match,
    Jump,
    Goto,
    Counters,
    Ipv4,
    Ipv6,
    Append,
    Insert,
    NewChain,
    Policy,
    /// A command that a statement of the whole state has no use for.
    OtherCommand,
    /// An option of the command line that no rule has.
    CommandLine,
}

/// An option of every rule or command.
#[derive(Debug)]
pub(crate) struct GenericOption {
    pub(crate) what: Generic,
    /// Its names without `--`; the first is the one in messages.
    pub(crate) long: &'static [&'static str],
    /// The name in messages.
    pub(crate) name: &'static str,
    pub(crate) short: u8,
    pub(crate) value: bool,
}

const fn option(
    what: Generic,
    short: u8,
    name: &'static str,
    long: &'static [&'static str],
    value: bool,
) -> GenericOption {
    GenericOption { what, long, name, short, value }
}

/// All generic options.
pub(crate) static GENERIC: [GenericOption; 35] = [
    option(Generic::Source, b's', "--source", &["source", "src"], true),
    option(Generic::Destination, b'd', "--destination", &["destination", "dst"], true),
    option(Generic::Protocol, b'p', "--protocol", &["protocol", "proto"], true),
    option(Generic::In, b'i', "--in-interface", &["in-interface"], true),
    option(Generic::Out, b'o', "--out-interface", &["out-interface"], true),
    option(Generic::Fragment, b'f', "--fragments", &["fragments"], false),
    option(Generic::Match, b'm', "--match", &["match"], true),
    option(Generic::Jump, b'j', "--jump", &["jump"], true),
    option(Generic::Goto, b'g', "--goto", &["goto"], true),
    option(Generic::Counters, b'c', "--set-counters", &["set-counters"], true),
    option(Generic::Ipv4, b'4', "--ipv4", &["ipv4"], false),
    option(Generic::Ipv6, b'6', "--ipv6", &["ipv6"], false),
    option(Generic::Append, b'A', "--append", &["append"], true),
    option(Generic::Insert, b'I', "--insert", &["insert"], true),
    option(Generic::NewChain, b'N', "--new-chain", &["new-chain"], true),
    option(Generic::Policy, b'P', "--policy", &["policy"], true),
    option(Generic::OtherCommand, b'C', "--check", &["check"], true),
    option(Generic::OtherCommand, b'D', "--delete", &["delete"], true),
    option(Generic::OtherCommand, b'R', "--replace", &["replace"], true),
    option(Generic::OtherCommand, b'L', "--list", &["list"], false),
    option(Generic::OtherCommand, b'S', "--list-rules", &["list-rules"], false),
    option(Generic::OtherCommand, b'F', "--flush", &["flush"], false),
    option(Generic::OtherCommand, b'Z', "--zero", &["zero"], false),
    option(Generic::OtherCommand, b'X', "--delete-chain", &["delete-chain"], false),
    option(Generic::OtherCommand, b'E', "--rename-chain", &["rename-chain"], true),
    option(Generic::CommandLine, b't', "--table", &["table"], true),
    option(Generic::CommandLine, b'n', "--numeric", &["numeric"], false),
    option(Generic::CommandLine, b'v', "--verbose", &["verbose"], false),
    option(Generic::CommandLine, b'x', "--exact", &["exact"], false),
    option(Generic::CommandLine, 0, "--line-numbers", &["line-numbers"], false),
    option(Generic::CommandLine, b'w', "--wait", &["wait"], false),
    option(Generic::CommandLine, b'W', "--wait-interval", &["wait-interval"], false),
    option(Generic::CommandLine, b'M', "--modprobe", &["modprobe"], true),
    option(Generic::CommandLine, b'V', "--version", &["version"], false),
    option(Generic::CommandLine, b'h', "--help", &["help"], false),
];

/// The option with this letter.
pub(crate) fn short(letter: u8) -> Option<&'static GenericOption> {
    GENERIC.iter().find(|o| o.short == letter && letter != 0)
}
