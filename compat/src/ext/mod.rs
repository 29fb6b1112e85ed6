//! Matches and targets: one file each, with its options, its parser and its printer.
//!
//! Owns: the table of extensions. The parser, `compat/README.md` and the corpus' coverage test read it.
//! Never: splits words or looks at other extensions.
//!
//! To add one: write its file with an `EXTENSION` and a `print`, and add it to [`TABLE`] (sorted by name) and to the
//! printer's match below. The compiler and the tests of the table name what is missing.
//!
//! Where the truth is: `extensions/lib*_NAME.c` of iptables 1.8.11 for options, order and wording.

mod options;

mod addrtype;
mod checksum;
mod classify;
mod comment;
mod connmark;
mod conntrack;
mod ct;
mod dccp;
mod dscp;
mod icmp;
mod iprange;
mod length;
mod limit;
mod log;
mod mac;
mod mark;
mod multiport;
mod nat;
mod nflog;
mod owner;
mod physdev;
mod pkttype;
mod port_nat;
mod reject;
mod rpfilter;
mod sctp;
mod set;
mod set_connmark;
mod set_mark;
mod tcp;
mod tcpmss;
mod tos;
mod ttl;
mod udp;

use nftwrap::rule::{Family, Match, Protocol, Target};

use crate::error::ParseError;
pub(crate) use options::{Given, Options};

/// A match or a target as text knows it.
#[derive(Debug)]
pub struct Extension {
    /// The name after `-m` or `-j`.
    pub name: &'static str,
    /// The one family it exists in, or `None` for both.
    pub family: Option<Family>,
    /// Its options.
    pub options: &'static [OptionSpec],
    /// What it does, in a line.
    pub summary: &'static str,
    pub(crate) parse: Parse,
}

impl Extension {
    /// Whether it is a target (`-j`) and no match (`-m`).
    #[must_use]
    pub fn is_target(&self) -> bool {
        matches!(self.parse, Parse::Target(_))
    }
}

/// How the options become a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parse {
    Match(fn(&Options<'_, '_>) -> Result<Match, ParseError>),
    Target(fn(&Options<'_, '_>) -> Result<Target, ParseError>),
}

/// An option of an extension.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its names without `--`; the first is the one that is printed.
    pub names: &'static [&'static str],
    /// Its values as the help shows them, one word each; empty for a flag.
    pub values: &'static [&'static str],
    /// Whether `!` may stand in front.
    pub negatable: bool,
}

impl OptionSpec {
    /// An option with one value.
    pub(crate) const fn value(names: &'static [&'static str], values: &'static [&'static str]) -> Self {
        Self { names, values, negatable: false }
    }

    /// An option without value.
    pub(crate) const fn flag(names: &'static [&'static str]) -> Self {
        Self { names, values: &[], negatable: false }
    }

    /// The same with `!` allowed.
    pub(crate) const fn negatable(self) -> Self {
        Self { negatable: true, ..self }
    }

    /// The name that is printed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// Every extension, sorted by name (capitals, so targets, first).
pub static TABLE: [&Extension; EXTENSIONS] = [
    &checksum::EXTENSION,
    &classify::EXTENSION,
    &set_connmark::EXTENSION,
    &ct::EXTENSION,
    &nat::DNAT,
    &log::EXTENSION,
    &set_mark::EXTENSION,
    &port_nat::MASQUERADE,
    &nflog::EXTENSION,
    &ct::NOTRACK,
    &port_nat::REDIRECT,
    &reject::EXTENSION,
    &nat::SNAT,
    &tcpmss::EXTENSION,
    &addrtype::EXTENSION,
    &comment::EXTENSION,
    &connmark::EXTENSION,
    &conntrack::EXTENSION,
    &dccp::EXTENSION,
    &dscp::EXTENSION,
    &ttl::HL,
    &icmp::ICMP,
    &icmp::ICMP6,
    &iprange::EXTENSION,
    &length::EXTENSION,
    &limit::EXTENSION,
    &mac::EXTENSION,
    &mark::EXTENSION,
    &multiport::EXTENSION,
    &owner::EXTENSION,
    &physdev::EXTENSION,
    &pkttype::EXTENSION,
    &rpfilter::EXTENSION,
    &sctp::EXTENSION,
    &set::EXTENSION,
    &conntrack::STATE,
    &tcp::EXTENSION,
    &tos::EXTENSION,
    &ttl::TTL,
    &udp::EXTENSION,
];
const EXTENSIONS: usize = 40;

/// Targets of iptables that have no file here yet. They are no chain names, and `-j` with one is an error that says so.
const OTHER_TARGETS: [&str; 30] = [
    "ACCEPT",
    "AUDIT",
    "CLUSTERIP",
    "CONNSECMARK",
    "CONTINUE",
    "DNPT",
    "DROP",
    "DSCP",
    "ECN",
    "HL",
    "HMARK",
    "IDLETIMER",
    "LED",
    "NETMAP",
    "NFQUEUE",
    "QUEUE",
    "RATEEST",
    "RETURN",
    "SECMARK",
    "SET",
    "SNPT",
    "SYNPROXY",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TPROXY",
    "TRACE",
    "TTL",
    "ULOG",
    "standard",
];

/// The extension of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Extension> {
    let at = TABLE.binary_search_by(|e| e.name.cmp(name)).ok()?;
    TABLE.get(at).copied()
}

/// The target of this name.
pub(crate) fn find_target(name: &str) -> Option<&'static Extension> {
    // Most jumps are to chains, and few chains are named in capitals: those need no search.
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    find(name).filter(|e| e.is_target())
}

/// Whether the name is that of a verdict or a target of iptables, supported here or not.
#[must_use]
pub fn is_target_name(name: &str) -> bool {
    let other = name.starts_with(|c: char| c.is_ascii_uppercase()) || name == "standard";
    other && (OTHER_TARGETS.binary_search(&name).is_ok() || find_target(name).is_some())
}

/// The match that a protocol brings with it: its options may follow `-p` without `-m`.
pub(crate) fn implied(protocol: Protocol, family: Family) -> Option<&'static Extension> {
    Some(match (protocol, family) {
        (Protocol::TCP, _) => &tcp::EXTENSION,
        (Protocol::UDP, _) => &udp::EXTENSION,
        (Protocol::SCTP, _) => &sctp::EXTENSION,
        (Protocol::DCCP, _) => &dccp::EXTENSION,
        (Protocol::ICMP, Family::Ipv4) => &icmp::ICMP,
        (Protocol::ICMPV6, Family::Ipv6) => &icmp::ICMP6,
        _ => return None,
    })
}

/// Appends ` -m NAME` and the options of a match.
pub(crate) fn print_match(m: &Match, out: &mut String) {
    match m {
        Match::Addrtype(v) => addrtype::print(v, out),
        Match::Comment(v) => comment::print(v, out),
        Match::Connmark(v) => connmark::print(v, out),
        Match::Conntrack(v) => conntrack::print(v, out),
        Match::Dccp(v) => dccp::print(v, out),
        Match::Dscp(v) => dscp::print(v, out),
        Match::Hl(v) => ttl::print(v, &ttl::HL, out),
        Match::Icmp(v) => icmp::print(v, &icmp::ICMP, out),
        Match::Icmp6(v) => icmp::print(v, &icmp::ICMP6, out),
        Match::Iprange(v) => iprange::print(v, out),
        Match::Length(v) => length::print(v, out),
        Match::Limit(v) => limit::print(v, out),
        Match::Mac(v) => mac::print(v, out),
        Match::Mark(v) => mark::print(v, out),
        Match::Multiport(v) => multiport::print(v, out),
        Match::Owner(v) => owner::print(v, out),
        Match::Physdev(v) => physdev::print(v, out),
        Match::Pkttype(v) => pkttype::print(v, out),
        Match::Rpfilter(v) => rpfilter::print(*v, out),
        Match::Sctp(v) => sctp::print(v, out),
        Match::Set(v) => set::print(v, out),
        Match::State(v) => conntrack::print_state(v, out),
        Match::Tcp(v) => tcp::print(v, out),
        Match::Tos(v) => tos::print(v, out),
        Match::Ttl(v) => ttl::print(v, &ttl::TTL, out),
        Match::Udp(v) => udp::print(v, out),
        // The enum is open to other crates. The round trip of every variant is tested, so a new one cannot hide here.
        _ => {}
    }
}

/// Appends ` -j NAME` and the options of a target, or ` -g CHAIN`.
pub(crate) fn print_target(target: &Target, family: Family, out: &mut String) {
    match target {
        Target::Accept => out.push_str(" -j ACCEPT"),
        Target::Drop => out.push_str(" -j DROP"),
        Target::Return => out.push_str(" -j RETURN"),
        Target::Jump(chain) => crate::print::chain_ref(" -j ", chain, out),
        Target::Goto(chain) => crate::print::chain_ref(" -g ", chain, out),
        Target::Checksum => checksum::print(out),
        Target::Classify(v) => classify::print(*v, out),
        Target::Connmark(v) => set_connmark::print(v, out),
        Target::Ct(v) => ct::print(v, out),
        Target::Dnat(v) => nat::print(v, &nat::DNAT, out),
        Target::Log(v) => log::print(v, out),
        Target::Mark(v) => set_mark::print(v, out),
        Target::Masquerade(v) => port_nat::print(v, &port_nat::MASQUERADE, out),
        Target::Nflog(v) => nflog::print(v, out),
        Target::Notrack => out.push_str(" -j NOTRACK"),
        Target::Redirect(v) => port_nat::print(v, &port_nat::REDIRECT, out),
        Target::Reject(v) => reject::print(*v, family, out),
        Target::Snat(v) => nat::print(v, &nat::SNAT, out),
        Target::Tcpmss(v) => tcpmss::print(v, out),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        assert!(OTHER_TARGETS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_option_name_means_one_option() {
        for extension in TABLE {
            let mut names: Vec<_> = extension.options.iter().flat_map(|o| o.names).collect();
            names.sort_unstable();
            assert!(names.is_sorted_by(|a, b| a < b), "{}", extension.name);
            assert!(extension.options.iter().all(|o| !o.names.is_empty()), "{}", extension.name);
        }
    }
}
