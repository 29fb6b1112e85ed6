//! Random rules and random bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed test is a panic")]

use nftwrap::rule::Family;
use nftwrap_compat::restore::{SaveFile, Scope};
use nftwrap_compat::{parse, print};
use proptest::prelude::*;

#[path = "support/rules.rs"]
mod rules;

/// Words that a fuzzer should know.
const WORDS: [&str; 40] = [
    "-s",
    "-d",
    "-p",
    "-i",
    "-o",
    "-m",
    "-j",
    "-g",
    "-c",
    "-A",
    "-I",
    "-N",
    "-P",
    "-f",
    "!",
    "tcp",
    "udp",
    "icmp",
    "comment",
    "--comment",
    "--dport",
    "--sport",
    "conntrack",
    "--ctstate",
    "NEW",
    "set",
    "--match-set",
    "x",
    "src",
    "10.0.0.0/8",
    "::1/64",
    "0",
    "65536",
    "-1",
    "\"",
    "\\",
    "[1:2]",
    "*filter\n",
    ":INPUT ACCEPT [0:0]\n",
    "COMMIT\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_rule_parses_to_an_equal_rule((family, rule) in rules::rule()) {
        let text = print::rule(&rule, family);
        prop_assert_eq!(parse::rule(&text, family), Ok(rule), "{}", text);
    }

    #[test]
    fn a_rule_cut_short_is_refused_or_prints_as_it_parses((family, rule) in rules::rule(), at in any::<prop::sample::Index>()) {
        let text = print::rule(&rule, family);
        let mut cut = at.index(text.len() + 1);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        if let Ok(rule) = parse::rule(&text[..cut], family) {
            let again = print::rule(&rule, family);
            prop_assert_eq!(parse::rule(&again, family), Ok(rule));
        }
    }

    #[test]
    fn random_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for scope in [Scope::Whole, Scope::Part] {
            let _ = SaveFile::parse_scoped(&bytes, Family::Ipv4, scope);
        }
        let text = String::from_utf8_lossy(&bytes);
        for family in Family::BOTH {
            let _ = parse::command(&text, family);
            if let Err(error) = parse::rule(&text, family) {
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?} in {:?}", error, text);
            }
        }
    }

    #[test]
    fn random_words_are_refused_or_read(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..20)) {
        let text = words.join(" ");
        for family in Family::BOTH {
            match parse::rules(&text, family) {
                Err(error) => prop_assert!(text.get(error.span.clone()).is_some(), "{:?} in {:?}", error, text),
                Ok(rules) => {
                    for rule in rules {
                        let again = print::rule(&rule, family);
                        prop_assert_eq!(parse::rule(&again, family), Ok(rule), "{}", again);
                    }
                }
            }
            if let Err(errors) = SaveFile::parse(text.as_bytes(), family) {
                prop_assert!(errors.iter().all(|e| text.get(e.span.clone()).is_some() && e.line.is_some()));
            }
        }
    }
}
