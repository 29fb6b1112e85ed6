//! The corpus through parser and printer, and that it leaves nothing out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed test is a panic")]

use std::collections::BTreeSet;

use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap_compat::{ErrorKind, ext, parse, print};

#[path = "../../tests/support/rule_lines.rs"]
mod corpus;
use corpus::Case;

/// What a case's rule is, in the chain it stands in.
fn parse(case: &Case, family: Family) -> Result<Rule, ErrorKind> {
    let rule = parse::rule(&case.rule, family).map_err(|error| error.kind)?;
    let chain = ChainRef::new(&case.chain).unwrap();
    parse::check_in_chain(&rule, case.table, &chain)?;
    Ok(rule)
}

#[test]
fn every_line_is_saved_or_refused_as_it_says() {
    let mut wrong = Vec::new();
    for case in corpus::read() {
        for &family in &case.families {
            let said = parse(&case, family);
            let text = said.as_ref().ok().map(|rule| print::rule(rule, family));
            if text != case.saved {
                let (place, rule, want, why) = (&case.place, &case.rule, &case.saved, said.err());
                wrong.push(format!("{place} {family}: {rule}\n  want {want:?}\n  have {text:?} {why:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_saved_parses_to_the_same_rule() {
    for case in corpus::read() {
        for &family in &case.families {
            let Ok(rule) = parse(&case, family) else { continue };
            let text = print::rule(&rule, family);
            assert_eq!(parse::rule(&text, family).as_ref(), Ok(&rule), "{}: {text}", case.place);
        }
    }
}

#[test]
fn every_extension_and_option_has_a_line() {
    let (accepted, refused): (Vec<_>, Vec<_>) = corpus::read().into_iter().partition(|case| case.saved.is_some());
    let words: BTreeSet<_> = accepted.iter().flat_map(|case| case.rule.split([' ', '='])).collect();
    let saved = |text: &str| accepted.iter().any(|case| case.saved.as_ref().unwrap().contains(text));
    let mut missing = Vec::new();
    for extension in ext::TABLE {
        let named = format!("{} {}", if extension.is_target() { "-j" } else { "-m" }, extension.name);
        if !saved(&named) || !refused.iter().any(|case| case.rule.contains(&named)) {
            missing.push(named);
        }
        for option in extension.options {
            let names = option.names.iter().map(|name| format!("--{name}"));
            missing.extend(names.filter(|name| !words.contains(&**name)));
            let negated = format!("! --{}", option.name());
            if option.negatable && !accepted.iter().any(|case| case.rule.contains(&negated)) {
                missing.push(format!("{} {negated}", extension.name));
            }
        }
    }
    assert!(missing.is_empty(), "no corpus line for {missing:?}");
}

#[test]
fn every_variant_of_match_and_target_has_a_line() {
    let mut seen = BTreeSet::new();
    for case in corpus::read() {
        for &family in &case.families {
            let Ok(rule) = parse(&case, family) else { continue };
            seen.extend(rule.matches.iter().map(|m| format!("{m:?}")));
            seen.extend(rule.target.iter().map(|t| format!("{t:?}")));
        }
    }
    let seen: BTreeSet<_> = seen.iter().map(|debug| debug.split(['(', ' ']).next().unwrap()).collect();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/rule");
    let mut variants = BTreeSet::new();
    for (file, item) in [("matches", "pub enum Match {"), ("targets", "pub enum Target {")] {
        let source = std::fs::read_to_string(format!("{root}/{file}/mod.rs")).unwrap();
        let body = source.split_once(item).unwrap().1.split_once("\n}").unwrap().0.to_owned();
        let names = body.lines().map(str::trim).filter(|line| line.starts_with(char::is_uppercase));
        variants.extend(names.map(|line| line.split(['(', ',']).next().unwrap().to_owned()));
    }
    assert!(variants.len() > 40, "{variants:?}");
    let missing: Vec<_> = variants.iter().filter(|name| !seen.contains(&***name)).collect();
    assert!(missing.is_empty(), "no corpus line for {missing:?}");
}
