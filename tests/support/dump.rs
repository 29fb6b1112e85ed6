//! What `iptables-save` shows, beside the dumps of `tests/dumps`.
//!
//! Chains are compared by name and rules chain by chain, without counters.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]
#![allow(dead_code, reason = "each test binary uses another part")]

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Rules by table and chain; a chain's policy is its first line.
pub(crate) type Dump = BTreeMap<(String, String), Vec<String>>;

pub(crate) fn read(text: &str) -> Dump {
    let mut dump = Dump::new();
    let mut table = "";
    for line in text.lines() {
        let mut words = line.split(' ');
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ');
            let (name, policy) = (words.next().unwrap(), words.next().unwrap());
            dump.entry((table.to_owned(), name.to_owned())).or_default().push(policy.to_owned());
        } else if words.any(|word| word == "-A") {
            let rule = line.split_once("-A ").unwrap().1;
            let chain = rule.split(' ').next().unwrap();
            dump.entry((table.to_owned(), chain.to_owned())).or_default().push(rule.to_owned());
        }
    }
    dump
}

pub(crate) fn golden(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dumps/nova-{name}.save"));
    std::fs::read_to_string(file).unwrap()
}

/// Compares the tables that the dump has.
#[track_caller]
pub(crate) fn compare(shown: &str, name: &str) {
    let wanted = read(&golden(name));
    let mut shown = read(shown);
    shown.retain(|(table, _), _| wanted.keys().any(|(other, _)| other == table));
    assert_eq!(shown, wanted, "{name}");
}
