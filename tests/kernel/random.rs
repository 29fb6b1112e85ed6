//! Random batches on both kernels: the fake must say and hold what the real one does.

use nftwrap::kernel::Fake;
use nftwrap::nft::expr::{Counter, Expr, Masq, NatFlags, Register, Unknown, Verdict};
use nftwrap::nft::uapi::*;
use nftwrap::nft::{Chain, Family, Policy, Rule, Set, SetFlags, Table, TableFlags};
use nftwrap::transaction::Batch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::lab::Lab;
use crate::objects::*;
use crate::running;
use crate::session::{Session, difference};

/// One operation, over so few names that most of them meet.
#[derive(Debug, Clone)]
enum Operation {
    AddTable { table: usize, create: bool, dormant: bool },
    DeleteTable(usize),
    FlushTable(usize),
    AddChain { table: usize, chain: usize, create: bool, userdata: bool },
    AddBase { table: usize, chain: usize, kind: usize, hook: u32, drop: bool },
    Rename { table: usize, handle: u64, to: usize },
    DeleteChain(usize, usize),
    FlushChain(usize, usize),
    Rule { table: usize, chain: usize, exprs: Vec<Piece>, place: Place },
    DeleteRule { table: usize, chain: usize, handle: u64 },
    AddSet { table: usize, set: usize, kind: usize, create: bool },
    DeleteSet(usize, usize),
    FlushSet(usize, usize),
    AddElements { table: usize, set: usize, keys: Vec<(u8, Option<Goal>)>, create: bool },
    DeleteElements { table: usize, set: usize, keys: Vec<u8> },
}

#[derive(Debug, Clone)]
enum Place {
    End,
    Start,
    After(u64),
    Before(u64),
    Replace(u64),
}

#[derive(Debug, Clone)]
enum Piece {
    Counter,
    Masquerade,
    Unknown,
    Verdict(Goal),
    Lookup { set: usize, dreg: bool },
}

#[derive(Debug, Clone)]
enum Goal {
    Accept,
    Return,
    Jump(usize),
    Goto(usize),
}

const TABLES: [&str; 2] = ["t", "u"];
const CHAINS: [&str; 5] = ["a", "b", "c", "in", "post"];
const SETS: [&str; 3] = ["s", "m", "__set%d"];

fn table_index() -> impl Strategy<Value = usize> {
    prop_oneof![7 => Just(0usize), 1 => Just(1usize)]
}

fn goal() -> impl Strategy<Value = Goal> {
    prop_oneof![
        Just(Goal::Accept),
        Just(Goal::Return),
        (0..CHAINS.len()).prop_map(Goal::Jump),
        (0..3usize).prop_map(Goal::Jump),
        (0..3usize).prop_map(Goal::Goto),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => Just(Piece::Counter),
        1 => Just(Piece::Masquerade),
        1 => Just(Piece::Unknown),
        8 => goal().prop_map(Piece::Verdict),
        4 => (0..SETS.len(), any::<bool>()).prop_map(|(set, dreg)| Piece::Lookup { set, dreg }),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    let handle = || 1..24u64;
    prop_oneof![
        6 => Just(Place::End),
        2 => Just(Place::Start),
        1 => handle().prop_map(Place::After),
        1 => handle().prop_map(Place::Before),
        1 => handle().prop_map(Place::Replace),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let t = table_index;
    let c = || 0..CHAINS.len();
    let s = || 0..SETS.len();
    let key = || 1..5u8;
    prop_oneof![
        3 => (t(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(table, create, dormant)| Operation::AddTable { table, create, dormant }),
        1 => t().prop_map(Operation::DeleteTable),
        1 => t().prop_map(Operation::FlushTable),
        4 => (t(), c(), prop::bool::weighted(0.3), any::<bool>())
            .prop_map(|(table, chain, create, userdata)| Operation::AddChain { table, chain, create, userdata }),
        4 => (t(), 3..5usize, 0..4usize, 0..6u32, any::<bool>())
            .prop_map(|(table, chain, kind, hook, drop)| Operation::AddBase { table, chain, kind, hook, drop }),
        1 => (t(), 1..12u64, c()).prop_map(|(table, handle, to)| Operation::Rename { table, handle, to }),
        2 => (t(), c()).prop_map(|(table, chain)| Operation::DeleteChain(table, chain)),
        2 => (t(), c()).prop_map(|(table, chain)| Operation::FlushChain(table, chain)),
        10 => (t(), c(), prop::collection::vec(piece(), 0..4), place())
            .prop_map(|(table, chain, exprs, place)| Operation::Rule { table, chain, exprs, place }),
        3 => (t(), c(), 1..24u64)
            .prop_map(|(table, chain, handle)| Operation::DeleteRule { table, chain, handle }),
        4 => (t(), s(), 0..4usize, prop::bool::weighted(0.3))
            .prop_map(|(table, set, kind, create)| Operation::AddSet { table, set, kind, create }),
        1 => (t(), s()).prop_map(|(table, set)| Operation::DeleteSet(table, set)),
        1 => (t(), s()).prop_map(|(table, set)| Operation::FlushSet(table, set)),
        5 => (t(), s(), prop::collection::vec((key(), prop::option::of(goal())), 1..4), any::<bool>())
            .prop_map(|(table, set, keys, create)| Operation::AddElements { table, set, keys, create }),
        2 => (t(), s(), prop::collection::vec(key(), 1..3))
            .prop_map(|(table, set, keys)| Operation::DeleteElements { table, set, keys }),
    ]
}

fn batches() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    prop::collection::vec(prop::collection::vec(operation(), 1..10), 1..8)
}

fn verdict_of(goal: &Goal) -> Verdict {
    match goal {
        Goal::Accept => Verdict::Accept,
        Goal::Return => Verdict::Return,
        Goal::Jump(chain) => Verdict::Jump(cname(CHAINS[*chain])),
        Goal::Goto(chain) => Verdict::Goto(cname(CHAINS[*chain])),
    }
}

/// What sets are called in rules and element lists, and the id of the one that has no name yet.
fn set_id(set: usize) -> u32 {
    u32::try_from(set).unwrap() + 1
}

fn expressions(pieces: &[Piece]) -> Vec<Expr> {
    let mut exprs = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Counter => exprs.push(Counter { packets: 0, bytes: 0 }.into()),
            Piece::Masquerade => exprs.push(Masq { flags: NatFlags::empty(), proto_min: None, proto_max: None }.into()),
            // Its handles are others wherever the kernel asks for a module.
            Piece::Unknown if running::loads_modules() => {}
            Piece::Unknown => exprs.push(Unknown { name: "nothing".into(), data: None }.into()),
            Piece::Verdict(goal) => exprs.push(verdict(verdict_of(goal))),
            Piece::Lookup { set, dreg } => {
                exprs.extend(lookup(SETS[*set], set_id(*set), dreg.then_some(Register::VERDICT)));
            }
        }
    }
    exprs
}

fn put(b: &mut Batch, operation: &Operation) {
    match operation {
        Operation::AddTable { table: t, create, dormant } => {
            let flags = if *dormant { TableFlags::DORMANT } else { TableFlags::empty() };
            let table = Table { flags, ..table(TABLES[*t]) };
            if *create { b.create_table(&table, O) } else { b.add_table(&table, O) }
        }
        Operation::DeleteTable(t) => b.delete_table(Family::Ip, &tname(TABLES[*t]), O),
        Operation::FlushTable(t) => b.flush_table(Family::Ip, &tname(TABLES[*t]), O),
        Operation::AddChain { table, chain: c, create, userdata } => {
            let chain = Chain { userdata: userdata.then(|| [1, 2].into()), ..chain(TABLES[*table], CHAINS[*c]) };
            if *create { b.create_chain(&chain, O) } else { b.add_chain(&chain, O) }
        }
        Operation::AddBase { table, chain: c, kind, hook, drop } => {
            let kind = ["filter", "filter", "nat", "route"][*kind];
            let mut chain = base(TABLES[*table], CHAINS[*c], kind, *hook, 50);
            if *drop && let Some(base) = &mut chain.base {
                base.policy = Some(Policy::Drop);
            }
            b.add_chain(&chain, O);
        }
        Operation::Rename { table, handle, to } => {
            b.rename_chain(Family::Ip, &tname(TABLES[*table]), *handle, &cname(CHAINS[*to]), O);
        }
        Operation::DeleteChain(t, c) => b.delete_chain(Family::Ip, &tname(TABLES[*t]), &cname(CHAINS[*c]), O),
        Operation::FlushChain(t, c) => b.flush_chain(Family::Ip, &tname(TABLES[*t]), &cname(CHAINS[*c]), O),
        Operation::Rule { table, chain, exprs, place } => {
            let rule = rule(TABLES[*table], CHAINS[*chain], expressions(exprs));
            match *place {
                Place::End => b.add_rule(&rule, O),
                Place::Start => b.insert_rule(&rule, O),
                Place::After(handle) => b.add_rule(&Rule { position: Some(handle), ..rule }, O),
                Place::Before(handle) => b.insert_rule(&Rule { position: Some(handle), ..rule }, O),
                Place::Replace(handle) => b.replace_rule(&rule, handle, O),
            }
        }
        Operation::DeleteRule { table, chain, handle } => {
            b.delete_rule(Family::Ip, &tname(TABLES[*table]), &cname(CHAINS[*chain]), *handle, O);
        }
        _ => put_set(b, operation),
    }
}

fn put_set(b: &mut Batch, operation: &Operation) {
    match operation {
        Operation::AddSet { table, set: s, kind, create } => {
            let (table, name, id) = (TABLES[*table], SETS[*s], set_id(*s));
            let mut set = if *s == 1 || *kind == 1 { vmap(table, name, id) } else { set(table, name, id) };
            if name.contains('%') {
                set.flags |= SetFlags::ANONYMOUS | SetFlags::CONSTANT;
            }
            let set = Set { size: (*kind == 2).then_some(3), ..set };
            if *create { b.create_set(&set, O) } else { b.add_set(&set, O) }
        }
        Operation::DeleteSet(t, s) => b.delete_set(Family::Ip, &tname(TABLES[*t]), &sname(SETS[*s]), O),
        Operation::FlushSet(t, s) => b.flush_set(Family::Ip, &tname(TABLES[*t]), &sname(SETS[*s]), O),
        Operation::AddElements { table, set: s, keys, create } => {
            let list = keys.iter().map(|(k, goal)| match goal {
                Some(goal) => mapped(*k, verdict_of(goal)),
                None => key(*k),
            });
            let mut elements = elements(TABLES[*table], SETS[*s], list.collect());
            elements.set_id = Some(set_id(*s));
            if *create { b.create_elements(&elements, O) } else { b.add_elements(&elements, O) }
        }
        Operation::DeleteElements { table, set: s, keys } => {
            let list = keys.iter().map(|k| key(*k)).collect();
            b.delete_elements(&elements(TABLES[*table], SETS[*s], list), O);
        }
        _ => unreachable!(),
    }
}

/// The log of a run on top of a table with the chains that most operations name.
fn run(kernel: &mut dyn nftwrap::kernel::Kernel, batches: &[Vec<Operation>]) -> String {
    let mut session = Session::new(kernel);
    session.commit(|b| {
        b.add_table(&table("t"), O);
        for name in ["a", "b", "c"] {
            b.add_chain(&chain("t", name), O);
        }
        b.add_chain(&base("t", "in", "filter", NF_INET_LOCAL_IN, 50), O);
        b.add_set(&set("t", "s", 1), O);
        b.add_set(&vmap("t", "m", 2), O);
    });
    for batch in batches {
        session.commit(|b| batch.iter().for_each(|operation| put(b, operation)));
    }
    session.log
}

#[test]
fn random_batches_have_the_same_outcome() {
    let Some(lab) = Lab::new(&[]) else { return };
    if let Some(difference) = running::differs(&mut lab.kernel(), "random_batches") {
        return eprintln!("not beside this kernel: {difference}");
    }
    running::load_modules();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&batches(), |batches| {
            let of_kernel = run(&mut Lab::new(&[]).unwrap().kernel(), &batches);
            let of_fake = run(&mut Fake::new(), &batches);
            let difference = difference(&of_fake, &of_kernel);
            prop_assert!(difference.is_empty(), "{}", difference);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
