//! A rule as the words of `nft`.
//!
//! Owns: the text that `nft -f` takes for a rule, in the style of `iptables-translate`.
//! Never: approximates. What the native encoding leaves to an xt extension has no words, and where the words that
//! `iptables-translate` 1.8.9 picks mean something else, others are picked; `tests/translate.rs` lists each.
//!
//! Invariant: nft compiles the text to the program that [`native::compile`] makes of the rule.

mod matches;
mod targets;

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use nftwrap::compile::{CompileError, Ipsets, Program, native};
use nftwrap::name::{ChainName, IpsetName, TableName};
use nftwrap::nft::expr::Counter;
use nftwrap::rule::{Family, InterfaceMatch, Masked, Match, Not, Protocol, Rule};

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untranslatable {
    /// A part needs an xt extension.
    #[error("{part}: {reason}")]
    Extension {
        /// The match or target, by its iptables name.
        part: &'static str,
        /// Why nft has no expression for it.
        reason: &'static str,
    },
    /// A text holds something that nft's language has no words for.
    #[error("{part}: {reason}")]
    Text {
        /// The option.
        part: &'static str,
        /// What cannot be written.
        reason: &'static str,
    },
    /// The rule cannot stand in this family.
    #[error(transparent)]
    Rule(#[from] CompileError),
}

impl Untranslatable {
    /// The match, target or option at fault.
    #[must_use]
    pub fn part(&self) -> &str {
        match self {
            Self::Extension { part, .. } | Self::Text { part, .. } => part,
            Self::Rule(_) => "rule",
        }
    }
}

/// The command that adds a rule to a chain: `add rule ip filter INPUT tcp dport 22 counter accept`.
///
/// # Errors
/// [`Untranslatable`] when a part of the rule has no equal in nft, or does not fit the family.
pub fn nft(rule: &Rule, family: Family, table: &TableName, chain: &ChainName) -> Result<String, Untranslatable> {
    let statement = statement(rule, family, Some(Counter::default()))?;
    let family = nftwrap::nft::Family::from(family).name();
    Ok(format!("add rule {family} {table} {chain} {statement}"))
}

/// The rule alone, as it stands in a chain: `tcp dport 22 counter accept`. With a counter that has counted, its numbers
/// follow the word.
///
/// # Errors
/// As [`nft`].
pub fn statement(rule: &Rule, family: Family, counter: Option<Counter>) -> Result<String, Untranslatable> {
    let fallbacks = native::fallbacks(rule, family, &AnySet)?;
    // A second comment is the one thing that can be left out: it asks nothing.
    if let Some(first) = fallbacks.iter().find(|f| f.part != "comment") {
        return Err(Untranslatable::Extension { part: first.part, reason: first.reason });
    }
    let mut text = Text { family, protocol: rule.protocol, out: String::new() };
    base(rule, &mut text);
    for m in &rule.matches {
        matches::write(m, &mut text)?;
    }
    match counter {
        None => {}
        Some(Counter { packets: 0, bytes: 0 }) => text.word("counter"),
        Some(Counter { packets, bytes }) => text.word(format_args!("counter packets {packets} bytes {bytes}")),
    }
    if let Some(target) = &rule.target {
        targets::write(target, &mut text)?;
    }
    if let Some(comment) = comment(rule, family)? {
        text.word("comment");
        text.quoted(comment.as_str(), "comment")?;
    }
    Ok(text.out)
}

/// The comment that the native encoding keeps.
fn comment(rule: &Rule, family: Family) -> Result<Option<nftwrap::name::Comment>, Untranslatable> {
    let mut program = Program::default();
    native::compile(rule, family, None, &AnySet, &mut program)?;
    match program.comment {
        Some(comment) if comment.as_str().len() > 128 => {
            Err(Untranslatable::Text { part: "comment", reason: "nft takes 128 bytes at most" })
        }
        comment => Ok(comment),
    }
}

/// Every ipset is there, with a number of no meaning: a rule has a form whether the host has the set or not.
#[derive(Debug, Clone, Copy)]
pub struct AnySet;

impl Ipsets for AnySet {
    fn index(&self, _: &IpsetName) -> Option<u16> {
        Some(0)
    }

    fn name(&self, _: u16) -> Option<IpsetName> {
        None
    }
}

/// Text being written, and what its parts need to know besides themselves.
struct Text {
    family: Family,
    protocol: Option<Not<Protocol>>,
    out: String,
}

impl Text {
    /// Appends words.
    fn word(&mut self, words: impl std::fmt::Display) {
        let blank = if self.out.is_empty() { "" } else { " " };
        let _ = write!(self.out, "{blank}{words}");
    }

    /// Appends a quoted string, in which nft's language has no escapes.
    fn quoted(&mut self, text: &str, part: &'static str) -> Result<(), Untranslatable> {
        if text.contains('"') {
            return Err(Untranslatable::Text { part, reason: "nft cannot quote a quotation mark" });
        }
        self.word(format_args!("\"{text}\""));
        Ok(())
    }

    /// Appends `field [!=] value`.
    fn equals(&mut self, field: impl std::fmt::Display, negated: bool, value: impl std::fmt::Display) {
        self.word(field);
        if negated {
            self.word("!=");
        }
        self.word(value);
    }

    /// Appends `field [!=] first-last`, or the one value.
    fn range<T: std::fmt::Display + PartialEq>(
        &mut self,
        field: impl std::fmt::Display,
        negated: bool,
        first: T,
        last: T,
    ) {
        if first == last {
            self.equals(field, negated, first);
        } else {
            self.equals(field, negated, format_args!("{first}-{last}"));
        }
    }

    /// Appends `field OPERATOR mask ==|!= value`.
    fn masked(
        &mut self,
        field: impl std::fmt::Display,
        operator: &str,
        mask: impl std::fmt::Display,
        negated: bool,
        value: impl std::fmt::Display,
    ) {
        let compare = if negated { "!=" } else { "==" };
        self.word(format_args!("{field} {operator} {mask} {compare} {value}"));
    }

    /// Appends `field [!=] address/length`, or the address alone, or with an odd mask.
    fn address(&mut self, field: impl std::fmt::Display, address: Not<Masked>) {
        let Not { negated, value } = address;
        let (host, shown, mask) = match value {
            Masked::V4 { addr, mask } => (mask == Ipv4Addr::BROADCAST, (addr & mask).to_string(), mask.to_string()),
            Masked::V6 { addr, mask } => {
                (u128::from(mask) == u128::MAX, Ipv6Addr::to_string(&(addr & mask)), mask.to_string())
            }
        };
        match value.prefix_len() {
            _ if host => self.equals(field, negated, shown),
            // nft leaves a prefix of no bits out, negated or not.
            Some(len) if len > 0 => self.equals(field, negated, format_args!("{shown}/{len}")),
            _ => self.masked(field, "&", mask, negated, shown),
        }
    }
}

/// Interfaces, fragments, protocol and addresses.
fn base(rule: &Rule, text: &mut Text) {
    interface(rule.input.as_ref(), "iifname", text);
    interface(rule.output.as_ref(), "oifname", text);
    if let Some(Not { negated, .. }) = rule.fragment {
        text.masked("ip frag-off", "&", "0x1fff", !negated, 0);
    }
    match rule.protocol {
        Some(Not { negated, value }) if value != Protocol::ALL && !implied(rule, value) => {
            let field = if text.family == Family::Ipv4 { "ip protocol" } else { "meta l4proto" };
            match protocol_name(value) {
                Some(name) => text.equals(field, negated, name),
                None => text.equals(field, negated, value.0),
            }
        }
        _ => {}
    }
    let family = if text.family == Family::Ipv4 { "ip" } else { "ip6" };
    for (address, field) in [(rule.source, "saddr"), (rule.destination, "daddr")] {
        if let Some(address) = address {
            text.address(format_args!("{family} {field}"), address);
        }
    }
}

fn interface(interface: Option<&Not<InterfaceMatch>>, field: &str, text: &mut Text) {
    let Some(Not { negated, value }) = interface else { return };
    match value {
        // An asterisk at the end would be nft's wildcard.
        InterfaceMatch::Name(name) => match name.as_str().strip_suffix('*') {
            Some(start) => text.equals(field, *negated, format_args!("\"{start}\\*\"")),
            None => text.equals(field, *negated, format_args!("\"{name}\"")),
        },
        InterfaceMatch::Prefix(prefix) => text.equals(field, *negated, format_args!("\"{prefix}*\"")),
        InterfaceMatch::Any if *negated => text.equals(field, false, "\"INVAL/D\""),
        InterfaceMatch::Any => {}
    }
}

/// Whether the first expression about the protocol's own header brings the protocol along.
fn implied(rule: &Rule, protocol: Protocol) -> bool {
    rule.matches.iter().any(|m| match m {
        // An option alone does not: nft takes it from any packet.
        Match::Tcp(t) => protocol == Protocol::TCP && matches::asks_tcp_header(t),
        Match::Udp(m) => protocol == Protocol::UDP && (m.sport.is_some() || m.dport.is_some()),
        Match::Sctp(m) => protocol == Protocol::SCTP && (m.sport.is_some() || m.dport.is_some()),
        Match::Dccp(m) => protocol == Protocol::DCCP && (m.sport.is_some() || m.dport.is_some()),
        Match::Icmp(t) => matches::is_icmp_type(t),
        _ => false,
    })
}

/// The protocols that nft knows by a word of its own.
fn protocol_name(protocol: Protocol) -> Option<&'static str> {
    Some(match protocol {
        Protocol::ICMP => "icmp",
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
        Protocol::DCCP => "dccp",
        Protocol::ESP => "esp",
        Protocol::AH => "ah",
        Protocol::ICMPV6 => "ipv6-icmp",
        Protocol::SCTP => "sctp",
        Protocol::UDPLITE => "udplite",
        _ => return None,
    })
}
