//! The corpus against the installed iptables-nft: what it saves we print, what it refuses we refuse.
//!
//! Where 1.8.9 does something else than 1.8.11 or than we do on purpose, the corpus line says so, and the difference
//! has to be there: an exception that is none any more fails as well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed test is a panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use nftwrap::rule::Family;
use nftwrap::wrap::TableKind;

#[path = "../../tests/support/rule_lines.rs"]
mod corpus;
#[path = "../../tests/support/lab.rs"]
mod lab;

use corpus::Case;
use lab::Lab;

const TOOLS: [&str; 6] =
    ["ipset", "nft", "iptables-nft-restore", "iptables-nft-save", "ip6tables-nft-restore", "ip6tables-nft-save"];

fn tool(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "iptables-nft",
        Family::Ipv6 => "ip6tables-nft",
    }
}

/// A save file with one rule. User chains of any name take rules of all hooks, so a rule that only its place makes
/// wrong stands in its own chain.
fn one_rule(case: &Case, chain: &str) -> String {
    format!("*{}\n:other - [0:0]\n:{chain} - [0:0]\n-A {chain} {}\nCOMMIT\n", case.table, case.rule)
}

/// Restores each file of the folder in a namespace of its own making; what the tool prints for it afterwards.
fn restore_each(folder: &Path, family: Family) -> BTreeMap<String, Option<String>> {
    let tool = tool(family);
    let script = format!(
        "set +e; cd '{}'; ipset create one hash:ip counters; ipset create two hash:ip,port
        for file in *.save; do
            if {tool}-restore <$file >$file.log 2>&1; then {tool}-save >$file.out 2>/dev/null; fi
            for table in filter nat mangle raw; do nft delete table {} $table; done 2>/dev/null
        done; true",
        folder.display(),
        if family == Family::Ipv4 { "ip" } else { "ip6" }
    );
    Lab::new(&TOOLS).unwrap().run(&script);
    let mut saved = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "save") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            saved.insert(name, std::fs::read_to_string(format!("{}.out", path.display())).ok());
        }
    }
    saved
}

/// What the tool makes of each case: its saved text, or `None` when it is refused.
///
/// Rules that should pass go in by one file a table. Only when the tool refuses that file are its rules tried singly.
fn ask(cases: &[Case], family: Family) -> Vec<Option<String>> {
    let together = |case: &Case| case.saved.is_some() && case.stock.is_none();
    let mut answers = vec![None; cases.len()];
    let mut single: Vec<usize> = (0..cases.len()).filter(|&at| !together(&cases[at])).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut tables = Vec::new();
    for table in TableKind::ALL {
        let fit: Vec<_> = (0..cases.len()).filter(|&at| cases[at].table == table && together(&cases[at])).collect();
        let mut text = format!("*{table}\n:other - [0:0]\n");
        for at in &fit {
            writeln!(text, ":c{at} - [0:0]").unwrap();
        }
        for at in &fit {
            writeln!(text, "-A c{at} {}", cases[*at].rule).unwrap();
        }
        std::fs::write(folder.path().join(format!("{table}.save")), text + "COMMIT\n").unwrap();
        tables.push((table, fit));
    }
    let saved = restore_each(folder.path(), family);
    for (table, fit) in tables {
        match &saved[table.name()] {
            Some(text) => {
                for at in fit {
                    answers[at] = Some(rule_of(text, &format!("c{at}")));
                }
            }
            None => single.extend(fit),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let chain = |at: usize| if cases[at].saved.is_some() { "c" } else { &*cases[at].chain };
    for &at in &single {
        std::fs::write(folder.path().join(format!("{at}.save")), one_rule(&cases[at], chain(at))).unwrap();
    }
    let saved = restore_each(folder.path(), family);
    for at in single {
        answers[at] = saved[&at.to_string()].as_ref().map(|text| rule_of(text, chain(at)));
    }
    answers
}

/// The first rule of a chain in what the tool printed.
fn rule_of(saved: &str, chain: &str) -> String {
    let rule = |line: &str| {
        let rest = line.strip_prefix("-A ")?.strip_prefix(chain)?;
        (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start().to_owned())
    };
    saved.lines().find_map(rule).unwrap_or_else(|| "no rule".to_owned())
}

#[test]
fn stock_saves_and_refuses_what_the_corpus_says() {
    if Lab::new(&TOOLS).is_none() {
        return;
    }
    let mut wrong = String::new();
    for family in Family::BOTH {
        let cases: Vec<_> = corpus::read().into_iter().filter(|case| case.families.contains(&family)).collect();
        for (case, stock) in cases.iter().zip(ask(&cases, family)) {
            if (stock == case.saved) == case.stock.is_some() {
                let (place, rule, ours) = (&case.place, &case.rule, &case.saved);
                writeln!(wrong, "{place} {family}: {rule}\n  ours  {ours:?}\n  stock {stock:?}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
