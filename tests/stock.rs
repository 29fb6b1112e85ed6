//! Our tables beside those of iptables-nft 1.8.9, in the kernel.
//!
//! The corpus (`tests/corpus/stock/*.rules`) is loaded by the stock tools into one namespace. Each of its rules is
//! dumped, read and compiled again, and what we compile is loaded into a second namespace. Then the two must show no
//! difference: not in the dump of the kernel, not in what the stock tools print.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use std::collections::HashMap;

use nftwrap::compile::{Ipsets, Program, stock};
use nftwrap::kernel::{Kernel, Live};
use nftwrap::name::{IpsetName, TableName};
use nftwrap::nft::expr::Expr;
use nftwrap::nft::userdata::{self, Userdata};
use nftwrap::nft::{self, Rule, listing};
use nftwrap::rule::Family;
use nftwrap::transaction::{Batch, Origin};

#[path = "support/sandbox.rs"]
mod sandbox;

use sandbox::Sandbox;

const TABLES: [&str; 4] = ["raw", "mangle", "nat", "filter"];

/// The sets that the corpus names.
const SETS: &str = "create four1 hash:ip counters
create four2 hash:ip,port counters
create four3 hash:ip,port,net counters
create six1 hash:ip family inet6 counters
create six2 hash:ip,port family inet6 counters
";

/// What the corpus of a family is made of, and the stock tools for it.
struct Side {
    family: Family,
    files: [&'static str; 2],
    restore: &'static str,
    save: &'static str,
}

const V4: Side = Side {
    family: Family::Ipv4,
    files: [include_str!("corpus/stock/both.rules"), include_str!("corpus/stock/v4.rules")],
    restore: "iptables-nft-restore",
    save: "iptables-nft-save",
};
const V6: Side = Side {
    family: Family::Ipv6,
    files: [include_str!("corpus/stock/both.rules"), include_str!("corpus/stock/v6.rules")],
    restore: "ip6tables-nft-restore",
    save: "ip6tables-nft-save",
};

/// The ipsets of a namespace, looked up in advance.
#[derive(Default)]
struct Sets(HashMap<String, u16>);

impl Sets {
    fn make(sandbox: &Sandbox) -> Self {
        sandbox.run("ipset", &["restore"], SETS);
        let mut kernel = sandbox.kernel();
        let names = SETS.lines().map(|line| line.split(' ').nth(1).unwrap());
        let mut index = |name: &str| kernel.ipset_index(&IpsetName::new(name).unwrap()).unwrap().unwrap();
        Self(names.map(|name| (name.to_owned(), index(name))).collect())
    }
}

impl Ipsets for Sets {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.get(name.as_str()).copied()
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.iter().find(|(_, i)| **i == index).and_then(|(name, _)| IpsetName::new(name).ok())
    }
}

fn rules(kernel: &mut Live, family: Family, table: &str) -> Vec<Rule> {
    kernel.rules(family.into(), &TableName::new(table).unwrap(), None).unwrap()
}

fn comment(rule: &Rule) -> Option<nftwrap::name::Comment> {
    Userdata::decode(rule.userdata.as_deref()?).unwrap().comment
}

/// The readable form of a program, with what xt extensions carry.
fn listed(expressions: &[Expr]) -> String {
    listing::compact(expressions).to_string().replace("; ", "\n")
}

/// What the save tool prints, without its dates and the counters of chains.
fn saved(sandbox: &Sandbox, tool: &str) -> String {
    let text = sandbox.run(tool, &[], "");
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// Loads the corpus by the stock tool, file after file: the second is added to the first.
fn load_by_stock(sandbox: &Sandbox, side: &Side) {
    for file in side.files {
        sandbox.run(side.restore, &["--noflush"], file);
    }
}

/// Reads what is in `stock`, compiles it, and puts it into `ours`. The number of rules.
fn copy(stock: &Sandbox, ours: &Sandbox, side: &Side, sets: &Sets) -> usize {
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
fn compare(stock: &Sandbox, ours: &Sandbox, side: &Side) {
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
    similar(&saved(ours, side.save), &saved(stock, side.save));
}

/// Equal texts; a difference is shown by its first line.
fn similar(ours: &str, theirs: &str) {
    for (our, their) in ours.lines().zip(theirs.lines()) {
        assert_eq!(our, their);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

fn corpus_comes_out_the_same(side: &Side) {
    let (Some(stock), Some(ours)) = (Sandbox::new(), Sandbox::new()) else { return };
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
