//! The constants of `nft::uapi` against the kernel headers that are installed.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test is a panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[path = "support/lab.rs"]
mod lab;

const INCLUDE: &str = "/usr/include/linux";
const HEADERS: [&str; 7] = [
    "netlink.h",
    "netfilter.h",
    "netfilter/nfnetlink.h",
    "netfilter/nf_log.h",
    "netfilter/nf_nat.h",
    "netfilter/nf_tables.h",
    "netfilter/nf_tables_compat.h",
];

/// Constants that headers in use may not have yet, with the kernel version that brought them.
const NEWER: [(&str, &str); 12] = [
    ("NFT_TABLE_F_PERSIST", "6.9"),
    ("NFT_PAYLOAD_TUN_HEADER", "6.2"),
    ("NFT_MSG_GETRULE_RESET", "6.2"),
    ("NFT_MSG_DESTROYTABLE", "6.3"),
    ("NFT_MSG_DESTROYCHAIN", "6.3"),
    ("NFT_MSG_DESTROYRULE", "6.3"),
    ("NFT_MSG_DESTROYSET", "6.3"),
    ("NFT_MSG_DESTROYSETELEM", "6.3"),
    ("NFT_MSG_DESTROYOBJ", "6.3"),
    ("NFT_MSG_DESTROYFLOWTABLE", "6.3"),
    ("NFT_MSG_GETSETELEM_RESET", "6.5"),
    ("NFTA_DEVICE_NAME", "5.5, in an enum that older headers lack"),
];

/// `pub const NAME: type = value;`, one a line, as `rustfmt` leaves them.
fn ours() -> BTreeMap<String, i64> {
    include_str!("../src/nft/uapi.rs")
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("pub const ")?.split_once(':')?;
            let value = rest.split_once('=')?.1.trim().trim_end_matches(';');
            Some((name.to_owned(), evaluate(value, &BTreeMap::new())?))
        })
        .collect()
}

/// Enumerators and defines of the headers that have a plain value.
fn theirs() -> BTreeMap<String, i64> {
    let mut values = BTreeMap::new();
    for header in HEADERS {
        let path = Path::new(INCLUDE).join(header);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = strip_comments(&text);
        read_defines(&text, &mut values);
        read_enums(&text, &mut values);
        // Defines may name enumerators, so they are read once more.
        read_defines(&text, &mut values);
    }
    values
}

fn strip_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

fn read_defines(text: &str, values: &mut BTreeMap<String, i64>) {
    for line in text.replace("\\\n", " ").lines() {
        let Some(define) = line.trim().strip_prefix("#define") else { continue };
        let mut words = define.trim().splitn(2, char::is_whitespace);
        let (Some(name), Some(value)) = (words.next(), words.next()) else { continue };
        // `#define NAME NAME` beside an enumerator only lets the preprocessor see it.
        if let Some(value) = evaluate(value, values).filter(|_| !values.contains_key(name)) {
            values.insert(name.to_owned(), value);
        }
    }
}

fn read_enums(text: &str, values: &mut BTreeMap<String, i64>) {
    let code: String = text.lines().filter(|l| !l.trim_start().starts_with('#')).flat_map(|l| [l, "\n"]).collect();
    for piece in code.split("enum ").skip(1) {
        let Some((_, body)) = piece.split_once('{') else { continue };
        let Some((body, _)) = body.split_once('}') else { continue };
        let mut next = 0;
        for item in body.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, value) = match item.split_once('=') {
                Some((name, value)) => (name.trim(), evaluate(value, values)),
                None => (item, Some(next)),
            };
            let value = value.unwrap_or_else(|| panic!("cannot evaluate `{item}`"));
            values.insert(name.to_owned(), value);
            next = value + 1;
        }
    }
}

/// Numbers, names, and `+ - | <<` of them with parentheses around: all that these headers use.
fn evaluate(text: &str, known: &BTreeMap<String, i64>) -> Option<i64> {
    let text = text.trim();
    let text =
        text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).filter(|t| !t.contains(')')).unwrap_or(text).trim();
    for (operator, apply) in [("|", (|a, b| a | b) as fn(i64, i64) -> i64), ("<<", |a, b| a << b), ("+", |a, b| a + b)]
    {
        if let Some((left, right)) = text.rsplit_once(operator) {
            return Some(apply(evaluate(left, known)?, evaluate(right, known)?));
        }
    }
    if let Some((left, right)) = text.rsplit_once('-').filter(|(left, _)| !left.is_empty()) {
        return Some(evaluate(left, known)? - evaluate(right, known)?);
    }
    let digits = text.trim_end_matches(['U', 'L', 'u', 'l']);
    match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok().or_else(|| known.get(text).copied()),
    }
}

#[test]
fn constants_are_those_of_the_installed_headers() {
    if let Some(missing) = HEADERS.iter().find(|header| !Path::new(INCLUDE).join(header).exists()) {
        return lab::skip(format_args!("no kernel header {INCLUDE}/{missing}"));
    }
    let (ours, theirs) = (ours(), theirs());
    assert!(ours.len() > 300, "only {} constants found: the parser is broken", ours.len());

    let mut wrong = Vec::new();
    for (name, value) in &ours {
        match theirs.get(name) {
            Some(their) if their == value => {}
            Some(their) => wrong.push(format!("{name} is {value}, the header says {their}")),
            None if NEWER.iter().any(|(newer, _)| newer == name) => {}
            None => wrong.push(format!("{name} is not in the header")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn newer_constants_exist_here() {
    let ours = ours();
    for (name, version) in NEWER {
        assert!(ours.contains_key(name), "{name} (Linux {version}) is listed as newer and not there");
    }
}
