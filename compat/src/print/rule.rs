//! One rule.

use nftwrap::rule::{ChainRef, Family, InterfaceMatch, Masked, Not, Rule};

use crate::ext::{print_match, print_target};
use crate::{names, value};

/// The rule's text, without `-A CHAIN`.
#[must_use]
pub fn rule(rule: &Rule, family: Family) -> String {
    let mut out = String::with_capacity(80);
    rule_into(&mut out, rule, family);
    if out.starts_with(' ') {
        out.remove(0);
    }
    out
}

/// Appends the rule's text, each part with a blank in front, as it follows `-A CHAIN`.
pub fn rule_into(out: &mut String, rule: &Rule, family: Family) {
    address('s', rule.source, out);
    address('d', rule.destination, out);
    for (letter, name) in [("i", &rule.input), ("o", &rule.output)] {
        if let Some(Not { negated, value }) = name {
            short(*negated, letter, out);
            out.push(' ');
            interface(value, out);
        }
    }
    if let Some(Not { negated, value }) = rule.protocol {
        short(negated, "p", out);
        match names::protocol_name(value) {
            Some(name) => value::print(out, format_args!(" {name}")),
            None => value::print(out, format_args!(" {}", value.0)),
        }
    }
    if let Some(Not { negated, .. }) = rule.fragment {
        short(negated, "f", out);
    }
    for m in &rule.matches {
        print_match(m, out);
    }
    if let Some(target) = &rule.target {
        print_target(target, family, out);
    }
}

fn short(negated: bool, letter: &str, out: &mut String) {
    out.push_str(if negated { " ! -" } else { " -" });
    out.push_str(letter);
}

fn address(letter: char, address: Option<Not<Masked>>, out: &mut String) {
    let Some(Not { negated, value }) = address else { return };
    out.push_str(if negated { " ! -" } else { " -" });
    out.push(letter);
    out.push(' ');
    value::print_masked(value, true, out);
}

/// Appends an interface's name.
pub(crate) fn interface(interface: &InterfaceMatch, out: &mut String) {
    match interface {
        InterfaceMatch::Name(name) => out.push_str(name.as_str()),
        InterfaceMatch::Prefix(start) => {
            out.push_str(start.as_str());
            out.push('+');
        }
        InterfaceMatch::Any => out.push('+'),
    }
}

/// Appends a chain's name; a wrapped chain's with its `$`. A name of another program that would break the line is escaped,
/// as its `Display` does.
pub(crate) fn chain_ref(before: &str, chain: &ChainRef, out: &mut String) {
    out.push_str(before);
    if let ChainRef::Wrapped(_) = chain {
        out.push('$');
    }
    value::print(out, format_args!("{}", chain.name()));
}
