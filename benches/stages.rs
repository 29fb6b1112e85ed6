//! The stages without a kernel, a rule at a time: `cargo bench --bench stages`.
//!
//! Each one runs over the filter table of a nova-compute host; the throughput is in rules, so its inverse is the time of
//! one. Parse is measured twice: a host's text, where equal rules are parsed once, and every rule on its own.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface, and stops when it cannot go on")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use nftwrap::compile::{NoIpsets, Program, stock};
use nftwrap::name::{ChainName, TableName};
use nftwrap::nft::expr::{Counter, encode_list};
use nftwrap::rule::{Family, Rule};
use nftwrap::transaction::{Batch, Origin, RuleHead, RuleVerb};
use nftwrap::wrap::Model;

#[path = "support/host.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod host;
#[path = "support/nova.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod nova;

use nova::{Naming, Nova};

const INSTANCES: u32 = 1_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let text = Nova::new(INSTANCES).save(nova::Family::V4, Naming::Kernel);
    let file = host::parse(&text).unwrap();
    let rules: Vec<Arc<Rule>> =
        file.sections.iter().flat_map(|s| s.rules.iter().map(|line| line.rule.clone())).collect();
    let lines: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("-A ")?.split_once(' ')).map(|(_, rule)| rule).collect();

    let mut group = criterion.benchmark_group("rule");
    group.throughput(Throughput::Elements(u64::try_from(rules.len()).unwrap()));
    group.bench_function("parse", |b| b.iter(|| parse(&lines)));
    group.bench_function("parse, save file", |b| b.iter(|| host::parse(black_box(&text)).unwrap()));
    group.bench_function("model", |b| {
        b.iter_batched(
            || file.clone(),
            |file| {
                let mut model = Model::whole();
                host::add(&mut model, file).unwrap();
                model
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("compile", |b| b.iter(|| compile(&rules)));
    group.bench_function("encode", |b| encode(b, &rules));
    group.finish();
    criterion.final_summary();
}

fn parse(lines: &[&str]) {
    for line in lines {
        black_box(nftwrap_compat::parse::rule(black_box(line), Family::Ipv4).unwrap());
    }
}

fn program(rule: &Rule, program: &mut Program) {
    let counter = Some(Counter { packets: 0, bytes: 0 });
    stock::compile(rule, Family::Ipv4, counter, &NoIpsets, program).unwrap();
}

fn compile(rules: &[Arc<Rule>]) {
    let mut memory = Program::default();
    for rule in rules {
        program(black_box(rule), &mut memory);
        black_box(&memory);
    }
}

/// Into a buffer that was used before, as a manager's second load.
fn encode(b: &mut criterion::Bencher<'_>, rules: &[Arc<Rule>]) {
    let (table, chain): (TableName, ChainName) = ("filter".parse().unwrap(), "nova-compute-inst-1234".parse().unwrap());
    let programs: Vec<Program> = rules
        .iter()
        .map(|rule| {
            let mut one = Program::default();
            program(rule, &mut one);
            one
        })
        .collect();
    let family = nftwrap::nft::Family::Ip;
    let mut buffer = Vec::new();
    b.iter(|| {
        let mut batch = Batch::begin_in(std::mem::take(&mut buffer), None);
        for program in &programs {
            let verb = RuleVerb::Append(None);
            let head = RuleHead { family, table: &table, chain: &chain, verb, compat: program.compat, userdata: &[] };
            batch.rule_with(&head, Origin(0), |w| encode_list(&program.expressions, w));
        }
        buffer = batch.seal().unwrap().into_bytes();
        black_box(buffer.len())
    });
}
