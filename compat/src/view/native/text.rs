//! A table of the native layout as nft would list it: its maps, sets and chains.
//!
//! A rule is in nft's words, its lookup where the kernel makes it; a comment line names the chains that a chain stands for.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use nftwrap::layout::native::declare::action_number;
use nftwrap::layout::native::field::{Field, Fields};
use nftwrap::layout::native::lift::{KernelChain, KernelRule, Lookup};
use nftwrap::layout::native::tlv::{Kind, SetTag, Tags};
use nftwrap::nft::expr::{Counter, Expr, Verdict};
use nftwrap::nft::{self, Element, ElementData, ElementFlags, Set, listing};
use nftwrap::rule::{Family, Match, Protocol, Rule, Target};

use super::super::nft_text::print_hook;
use super::super::{NativeForm, TableView};
use crate::translate;

/// So many names of chains that share one are listed.
const NAMES: usize = 8;

/// Appends the table.
pub(in crate::view) fn print(out: &mut String, table: &TableView, form: &NativeForm) {
    let _ = writeln!(out, "table {} {} {{", nft::Family::from(table.id.family).name(), table.name);
    let mut first = true;
    let mut blank = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.push('\n');
        }
    };
    for (set, elements) in &form.sets {
        blank(out);
        print_set(out, table.id.family, set, elements);
    }
    for chain in &form.chains {
        blank(out);
        print_chain(out, table, chain);
    }
    out.push_str("}\n");
}

fn print_chain(out: &mut String, table: &TableView, chain: &KernelChain) {
    let _ = writeln!(out, "\tchain {} {{", chain.name);
    if chain.names != [chain.name.clone()] {
        let listed: Vec<&str> = chain.names.iter().take(NAMES).map(|name| name.as_str()).collect();
        let more = chain.names.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "\t\t# {}{more}", listed.join(", "));
    }
    if let Some(base) = &chain.base {
        print_hook(out, table, base);
    }
    for rule in &chain.rules {
        let _ = writeln!(out, "\t\t{}", kernel_rule(rule, table.id.family));
    }
    out.push_str("\t}\n");
}

/// A kernel rule in nft's words; one that has none is a comment with its program.
#[must_use]
pub fn kernel_rule(rule: &KernelRule, family: Family) -> String {
    rule_words(rule, family).unwrap_or_else(|reason| format!("# {} # {reason}", listing::compact(&rule.expressions)))
}

/// The rule in nft's words, or why it has none.
fn rule_words(view: &KernelRule, family: Family) -> Result<String, String> {
    let rule = view.rule.as_ref().map_err(ToString::to_string)?;
    let words = |rule: &Rule, counter| translate::statement(rule, family, counter).map_err(|reason| reason.to_string());
    let Some(lookup) = &view.lookup else { return words(rule, view.counter) };
    // The lookup stands between what is asked and what is done.
    let mut asks = rule.clone();
    asks.target = None;
    asks.matches.retain(|m| !matches!(m, Match::Comment(_)));
    let mut does = Rule { target: rule.target.clone(), protocol: rule.protocol, ..Rule::new() };
    does.matches.extend(rule.matches.iter().filter(|m| matches!(m, Match::Comment(_))).cloned());
    does.protocol = None;
    let mut parts = vec![words(&asks, None)?];
    let key = key_words(&lookup.tag, rule, family);
    let done = words(&does, view.counter)?;
    match (lookup.tag.kind, &lookup.actions) {
        (_, Some(actions)) => parts.push(format!("{key} map @{} vmap @{actions}", lookup.set)),
        (Kind::Store | Kind::FamilyStore, None) => {
            parts.push(assigned(&done, rule.target.as_ref(), &format!("{key} map @{}", lookup.set)));
        }
        (_, None) => parts.push(format!("{key} @{}", lookup.set)),
    }
    if !stores(lookup) {
        parts.push(done);
    }
    parts.retain(|part| !part.is_empty());
    Ok(parts.join(" "))
}

fn stores(lookup: &Lookup) -> bool {
    matches!(lookup.tag.kind, Kind::Store | Kind::FamilyStore)
}

/// A statement with a lookup in place of the value it stores.
fn assigned(words: &str, target: Option<&Target>, lookup: &str) -> String {
    let before = match target {
        Some(Target::Snat(_) | Target::Dnat(_)) => " to ",
        _ => " set ",
    };
    match words.split_once(before) {
        Some((verb, value)) => {
            let rest = value.split_once(' ').map(|(_, rest)| format!(" {rest}")).unwrap_or_default();
            format!("{verb}{before}{lookup}{rest}")
        }
        None => format!("{words} {lookup}"),
    }
}

/// What is looked up.
fn key_words(tag: &SetTag, rule: &Rule, family: Family) -> String {
    let ip = if family == Family::Ipv4 { "ip" } else { "ip6" };
    let full = if family == Family::Ipv4 { 32 } else { 128 };
    let ports = match rule.protocol.map(|p| p.value) {
        Some(Protocol::TCP) => "tcp",
        Some(Protocol::UDP) => "udp",
        Some(Protocol::SCTP) => "sctp",
        Some(Protocol::DCCP) => "dccp",
        _ => "th",
    };
    let masked = |side: &str, prefix: u8| match prefix {
        prefix if prefix == full => format!("{ip} {side}"),
        prefix => format!("{ip} {side} & {}", mask(prefix, family)),
    };
    let fields = tag.context.join(&tag.fields);
    let words = fields.iter().map(|field| match field {
        Field::Input => "iifname".to_owned(),
        Field::Output => "oifname".to_owned(),
        Field::Source(prefix) => masked("saddr", prefix),
        Field::Destination(prefix) => masked("daddr", prefix),
        Field::Mac => "ether saddr".to_owned(),
        Field::SourcePort => format!("{ports} sport"),
        Field::DestinationPort => format!("{ports} dport"),
    });
    words.collect::<Vec<_>>().join(" . ")
}

fn mask(prefix: u8, family: Family) -> String {
    let ones = |bits: u32| if prefix == 0 { 0 } else { u128::MAX << bits.saturating_sub(prefix.into()) };
    match family {
        Family::Ipv4 => Ipv4Addr::from(u32::try_from(ones(32) & u128::from(u32::MAX)).unwrap_or(u32::MAX)).to_string(),
        Family::Ipv6 => Ipv6Addr::from(ones(128)).to_string(),
    }
}

fn print_set(out: &mut String, family: Family, set: &Set, elements: &[Element]) {
    let tags = Tags::of(set.userdata.as_deref());
    let word = if set.data.is_some() { "map" } else { "set" };
    let _ = writeln!(out, "\t{word} {} {{", set.name);
    let Some(tag) = tags.set else {
        let _ = writeln!(out, "\t\t# {} elements\n\t}}", elements.len());
        return;
    };
    if let Some(chain) = &tags.chain {
        let _ = writeln!(out, "\t\t# {} of chain {chain}", kind_words(tag.kind));
    } else {
        let _ = writeln!(out, "\t\t# {}", kind_words(tag.kind));
    }
    let mut lines: Vec<(Vec<u8>, bool, String)> = Vec::with_capacity(elements.len());
    for element in elements {
        let key = element.key.as_deref().unwrap_or_default();
        let end = element.flags.contains(ElementFlags::INTERVAL_END);
        lines.push((key.to_vec(), !end, self::element(&tag, family, element)));
    }
    lines.sort();
    for (_, _, line) in lines {
        let _ = writeln!(out, "\t\t{line}");
    }
    out.push_str("\t}\n");
}

fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Constant => "values that rules differ in",
        Kind::Choice => "keys to actions",
        Kind::Store => "keys to values",
        Kind::Member => "keys",
        Kind::FamilyMember => "keys and values of a family",
        Kind::FamilyChoice => "keys of a family to actions",
        Kind::FamilyStore => "keys of a family to values",
        Kind::Actions => "actions",
        Kind::Directory => "names of chains to numbers of shared chains",
        Kind::Named => "members of a set that rules name",
    }
}

/// An element of a set of the native layout as nft would list it, with the chain that it leads to.
#[must_use]
pub fn element(tag: &SetTag, family: Family, element: &Element) -> String {
    let key = element.key.as_deref().unwrap_or_default();
    let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let mut words = match tag.kind {
        Kind::Directory => {
            let name = key.split(|&b| b == 0).next().unwrap_or_default();
            format!("\"{}\"", String::from_utf8_lossy(name))
        }
        Kind::Actions => {
            key.try_into().ok().map(u32::from_be_bytes).map_or_else(|| hex(key), |number| number.to_string())
        }
        _ => fields_words(&tag.context.join(&tag.fields), family, key),
    };
    if let Some(end) = &element.key_end {
        let _ = write!(words, " to {}", fields_words(&tag.context.join(&tag.fields), family, end));
    }
    if element.flags.contains(ElementFlags::INTERVAL_END) {
        words = format!("# up to, without {words}");
    }
    for counter in element.expressions.iter().filter_map(|e| match e {
        Expr::Counter(Counter { packets, bytes }) => Some((packets, bytes)),
        _ => None,
    }) {
        let _ = write!(words, " counter packets {} bytes {}", counter.0, counter.1);
    }
    match &element.data {
        Some(ElementData::Verdict(verdict)) => {
            let _ = write!(words, " : {}", verdict_words(verdict));
        }
        Some(ElementData::Value(value)) => {
            let shown = match (tag.kind, &**value) {
                (Kind::Choice | Kind::FamilyChoice, value) => action_number(value).map(|n| n.to_string()),
                (Kind::Directory, value) => number(value).map(|n| n.to_string()),
                (_, &[a, b]) => Some(u16::from_ne_bytes([a, b]).to_string()),
                _ => None,
            };
            let _ = write!(words, " : {}", shown.unwrap_or_else(|| hex(value)));
        }
        None => {}
    }
    let tags = Tags::of(element.userdata.as_deref());
    if let Some(name) = tags.name {
        let _ = write!(words, " # {name}");
    }
    words
}

fn verdict_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Jump(chain) => format!("jump {chain}"),
        Verdict::Goto(chain) => format!("goto {chain}"),
        other => listing::verdict(other).to_string(),
    }
}

fn fields_words(fields: &Fields, family: Family, key: &[u8]) -> String {
    let words = fields.places(family).map(|(field, place)| {
        let value = key.get(place..place + field.len(family)).unwrap_or_default();
        match (field, value) {
            (Field::Input | Field::Output, name) => {
                format!("\"{}\"", String::from_utf8_lossy(name.split(|&b| b == 0).next().unwrap_or_default()))
            }
            (Field::Source(_) | Field::Destination(_), &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
            (Field::Source(_) | Field::Destination(_), value) => match <[u8; 16]>::try_from(value) {
                Ok(octets) => Ipv6Addr::from(octets).to_string(),
                Err(_) => hex(value),
            },
            (Field::Mac, value) => value.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":"),
            (Field::SourcePort | Field::DestinationPort, &[a, b]) => u16::from_be_bytes([a, b]).to_string(),
            (Field::SourcePort | Field::DestinationPort, value) => hex(value),
        }
    });
    words.collect::<Vec<_>>().join(" . ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
