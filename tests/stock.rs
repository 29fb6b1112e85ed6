//! Our tables beside those of iptables-nft 1.8.9, in the kernel.
//!
//! The corpus (`tests/corpus/stock/*.rules`) is loaded by the stock tools into one namespace. Each of its rules is
//! dumped, read and compiled again, and what we compile is loaded into a second namespace. Then the two must show no
//! difference: not in the dump of the kernel, not in what the stock tools print.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use nftwrap::compile::{Program, stock};
use nftwrap::kernel::Kernel;
use nftwrap::nft::{self, Rule, userdata};
use nftwrap::transaction::{Batch, Origin};

#[path = "support/lab.rs"]
mod lab;
#[path = "support/stock_rules.rs"]
mod stock_rules;

use lab::Lab;
use stock_rules::{Sets, Side, V4, V6, comment, listed, load_by_stock, rules};

const TABLES: [&str; 4] = ["raw", "mangle", "nat", "filter"];

/// Reads what is in `stock`, compiles it, and puts it into `ours`. The number of rules.
fn copy(stock: &Lab, ours: &Lab, side: &Side, sets: &Sets) -> usize {
    let (mut from, mut to) = (stock.kernel(), ours.kernel());
    let family = side.family;
    let mut batch = Batch::begin(None);
    for table in from.tables(family.into()).unwrap() {
        batch.add_table(&nft::Table { handle: None, uses: None, ..table }, Origin(0));
    }
    for chain in from.chains(family.into()).unwrap() {
        batch.add_chain(&nft::Chain { handle: None, uses: None, ..chain }, Origin(0));
    }
    let mut program = Program::default();
    let mut count = 0;
    for table in TABLES {
        for rule in rules(&mut from, family, table) {
            let known = stock::lift(&rule.expressions, comment(&rule).as_ref(), family, sets);
            let known = known.unwrap_or_else(|e| panic!("{e}\n{}", listed(&rule.expressions)));
            let counter = stock::counter(&rule.expressions);
            stock::compile(&known, family, counter, sets, &mut program).unwrap_or_else(|e| panic!("{e}\n{known:?}"));
            let mut userdata = Vec::new();
            if let Some(comment) = &program.comment {
                userdata::append_comment(&mut userdata, comment).unwrap();
            }
            let ours = Rule {
                handle: None,
                position: None,
                expressions: program.expressions.clone(),
                compat: program.compat,
                userdata: (!userdata.is_empty()).then(|| userdata.into()),
                ..rule
            };
            batch.add_rule(&ours, Origin(0));
            count += 1;
        }
    }
    to.commit(&batch.seal().unwrap()).unwrap();
    count
}

/// Dumps of both, rule by rule.
fn compare(stock: &Lab, ours: &Lab, side: &Side) {
    let (mut theirs, mut ours_kernel) = (stock.kernel(), ours.kernel());
    for table in TABLES {
        let pairs = rules(&mut theirs, side.family, table).into_iter();
        for (their, our) in pairs.zip(rules(&mut ours_kernel, side.family, table)) {
            assert_eq!(their.chain, our.chain);
            let normal = |rule: &Rule| stock::normalize(&rule.expressions, comment(rule).as_ref(), side.family);
            let (their, our) = (normal(&their), normal(&our));
            assert_eq!(listed(&our.expressions), listed(&their.expressions));
            assert_eq!(our, their);
        }
    }
    similar(&ours.stock_save(side.save), &stock.stock_save(side.save));
}

/// Equal texts; a difference is shown by its first line.
fn similar(ours: &str, theirs: &str) {
    for (our, their) in ours.lines().zip(theirs.lines()) {
        assert_eq!(our, their);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

fn corpus_comes_out_the_same(side: &Side) {
    let (Some(stock), Some(ours)) = (side.lab(), side.lab()) else { return };
    let sets = Sets::make(&stock);
    assert_eq!(sets.0, Sets::make(&ours).0);
    load_by_stock(&stock, side);
    let loaded = copy(&stock, &ours, side, &sets);
    let lines = side.files.iter().flat_map(|f| f.lines()).filter(|l| l.starts_with("-A")).count();
    assert_eq!(loaded, lines);
    compare(&stock, &ours, side);
}

#[test]
fn the_corpus_comes_out_as_iptables_writes_it() {
    corpus_comes_out_the_same(&V4);
}

#[test]
fn the_corpus_comes_out_as_ip6tables_writes_it() {
    corpus_comes_out_the_same(&V6);
}
