//! The dumps of nova and neutron: each is read whole and printed back byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed test is a panic")]

use nftwrap::rule::Family;
use nftwrap_compat::print::{SaveChain, SaveRule, table_into};
use nftwrap_compat::restore::SaveFile;

/// The dumps: name, family, text.
fn dumps() -> Vec<(String, Family, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/dumps");
    let mut dumps = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let family = if name.ends_with(".v6.save") { Family::Ipv6 } else { Family::Ipv4 };
        dumps.push((name.clone(), family, std::fs::read_to_string(format!("{folder}/{name}")).unwrap()));
    }
    dumps.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(dumps.len() > 20);
    dumps
}

#[test]
fn every_dump_prints_back_as_it_stands() {
    for (name, family, text) in dumps() {
        let file = SaveFile::parse(text.as_bytes(), family).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let mut printed = String::new();
        for section in &file.sections {
            let chains = section.chains.iter().map(|chain| SaveChain {
                name: &chain.name,
                policy: chain.policy,
                counters: chain.counters.unwrap_or_default(),
            });
            let rules = section.rules.iter();
            let rules = rules.map(|rule| SaveRule {
                chain: section.chain(rule).unwrap(),
                rule: &rule.rule,
                counters: rule.counters,
            });
            table_into(&mut printed, family, section.table.name(), chains, rules);
        }
        let wanted: String = text.lines().filter(|l| !l.starts_with('#')).flat_map(|l| [l, "\n"]).collect();
        assert_eq!(printed, wanted, "{name}");
    }
}

#[test]
fn a_dump_that_is_cut_loses_whole_tables_or_is_refused() {
    for (name, family, text) in dumps() {
        let whole = SaveFile::parse(text.as_bytes(), family).unwrap();
        for (at, _) in text.char_indices().step_by(7) {
            let Ok(file) = SaveFile::parse(&text.as_bytes()[..at], family) else { continue };
            assert!(whole.sections.starts_with(&file.sections), "{name} cut at {at}");
        }
    }
}
