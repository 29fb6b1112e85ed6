//! Handles that follow from two answers are those of a dump.

use nftwrap::kernel::{Fake, Kernel};
use nftwrap::nft::expr::Counter;
use nftwrap::nft::{Family, Rule};
use nftwrap::transaction::Batch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::lab::Lab;
use crate::objects::*;

const TABLES: [&str; 2] = ["t", "u"];

/// What is always good.
#[derive(Debug, Clone)]
enum Operation {
    Rule { table: usize, first: bool },
    NewChain { table: usize },
    OldChain { table: usize },
    NewSet { table: usize },
    OldSet { table: usize },
    NewTable { table: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    let table = || 0..TABLES.len();
    prop_oneof![
        20 => (table(), any::<bool>()).prop_map(|(table, first)| Operation::Rule { table, first }),
        4 => table().prop_map(|table| Operation::NewChain { table }),
        1 => table().prop_map(|table| Operation::OldChain { table }),
        4 => table().prop_map(|table| Operation::NewSet { table }),
        1 => table().prop_map(|table| Operation::OldSet { table }),
        1 => table().prop_map(|table| Operation::NewTable { table }),
    ]
}

fn make(b: &mut Batch, table: usize) {
    let table = TABLES[table];
    b.create_table(&crate::objects::table(table), O);
    b.create_chain(&chain(table, "a"), O);
    b.create_set(&set(table, "s", 1), O);
}

fn put(b: &mut Batch, operation: &Operation) {
    let number = b.operations();
    let id = u32::try_from(number).unwrap() + 10;
    match *operation {
        Operation::Rule { table, first } => {
            let userdata = Some(mark(number));
            let rule = rule(TABLES[table], "a", vec![Counter { packets: 0, bytes: 0 }.into()]);
            let rule = Rule { userdata, ..rule };
            if first { b.insert_rule(&rule, O) } else { b.add_rule(&rule, O) }
        }
        Operation::NewChain { table } => b.create_chain(&chain(TABLES[table], &format!("c{number}")), O),
        Operation::OldChain { table } => b.add_chain(&chain(TABLES[table], "a"), O),
        Operation::NewSet { table } => b.create_set(&set(TABLES[table], &format!("s{number}"), id), O),
        Operation::OldSet { table } => b.add_set(&set(TABLES[table], "s", 1), O),
        Operation::NewTable { table } => {
            b.delete_table(Family::Ip, &tname(TABLES[table]), O);
            make(b, table);
        }
    }
}

fn mark(number: usize) -> Box<[u8]> {
    u32::try_from(number).unwrap().to_ne_bytes().into()
}

fn compare(kernel: &mut dyn Kernel, operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut batch = Batch::begin(None);
    (0..TABLES.len()).for_each(|table| make(&mut batch, table));
    kernel.commit(&batch.seal().unwrap()).unwrap();
    let mut batch = Batch::begin(None);
    batch.ask_for_handles();
    operations.iter().for_each(|operation| put(&mut batch, operation));
    let sealed = batch.seal().unwrap();
    let committed = kernel.commit(&sealed).unwrap();
    let mut known: Vec<_> = sealed.handles(&committed.echoed).map(|(number, handle)| (mark(number), handle)).collect();
    let count = operations.iter().filter(|operation| matches!(operation, Operation::Rule { .. })).count();
    prop_assert_eq!(known.len(), count, "all are known");
    let mut found = Vec::new();
    for table in TABLES {
        let rules = kernel.rules(Family::Ip, &tname(table), None).unwrap();
        found.extend(rules.into_iter().map(|rule| (rule.userdata.unwrap(), rule.handle.unwrap())));
    }
    // What went with its table is not in the dump.
    known.retain(|known| found.iter().any(|(mark, _)| *mark == known.0));
    known.sort();
    found.sort();
    prop_assert_eq!(known, found);
    Ok(())
}

#[test]
fn handles_of_all_new_rules_follow_from_a_few_answers() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(operation(), 0..120), |operations| {
            compare(&mut Fake::new(), &operations)?;
            Lab::new(&[]).map_or(Ok(()), |lab| compare(&mut lab.kernel(), &operations))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The answers to one rule of each table are few, however many rules there are.
#[test]
fn two_rules_of_a_table_come_back() {
    let mut kernel = Fake::new();
    let mut batch = Batch::begin(None);
    make(&mut batch, 0);
    kernel.commit(&batch.seal().unwrap()).unwrap();
    let mut batch = Batch::begin(None);
    batch.ask_for_handles();
    (0..100).for_each(|_| put(&mut batch, &Operation::Rule { table: 0, first: false }));
    let sealed = batch.seal().unwrap();
    let committed = kernel.commit(&sealed).unwrap();
    assert_eq!(committed.echoed.len(), 2);
    assert_eq!(sealed.handles(&committed.echoed).count(), 100);
    let [first, (last, handle)] = committed.echoed[..] else { panic!() };
    assert_eq!(sealed.handles(&[first, (last, handle + 1)]).count(), 0, "somebody counted in between");
    assert_eq!(sealed.handles(&[first]).count(), 0, "an answer is missing");
}
