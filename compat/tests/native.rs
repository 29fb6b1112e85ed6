//! That the native encoding and its nft text mean the same: nft's own compiler makes the same program of the text, the
//! kernel takes the program and shows it unchanged, and it counts the same packets as the stock encoding.
//!
//! Each test works in network namespaces of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "native/kernel.rs"]
mod kernel;
#[path = "../../tests/support/lab.rs"]
mod lab;
#[path = "native/packets.rs"]
mod packets;
#[path = "native/text.rs"]
mod text;

use nftwrap::rule::{Family, Rule};
use nftwrap_compat::parse;

/// A line of the corpus: its table, the rule as written, and as parsed.
struct Case {
    table: &'static str,
    words: &'static str,
    rule: Rule,
    family: Family,
}

fn corpus() -> Vec<Case> {
    let lists =
        [(Family::Ipv4, include_str!("native/translate4.txt")), (Family::Ipv6, include_str!("native/translate6.txt"))];
    let mut cases = Vec::new();
    for (family, list) in lists {
        for line in list.lines() {
            let (table, words) = match line.strip_prefix("-t ") {
                Some(rest) => rest.split_once(' ').unwrap(),
                None => ("filter", line),
            };
            let rule = parse::rule(words, family).unwrap_or_else(|e| panic!("{line}: {e}"));
            cases.push(Case { table, words, rule, family });
        }
    }
    cases
}
