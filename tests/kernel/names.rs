//! Names of other programs: the kernel takes any bytes without NUL, and none of them may get in our way.

use std::collections::BTreeSet;

use nftwrap::Manager;
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::name::ChainName;
use nftwrap::netlink::attr::{Reader, Writer};
use nftwrap::nft::expr::Verdict;
use nftwrap::nft::uapi::{NFTA_CHAIN_NAME, NFTA_CHAIN_TABLE};
use nftwrap::nft::{Chain, Family, Table};
use nftwrap::rule::Rule;
use nftwrap::wrap::{Model, TableKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::lab::Lab;
use crate::objects::*;
use crate::session::{Session, difference};

/// The chain of a table as the kernel shows it: the only way to names that nobody can give us.
fn shown(table: &[u8], name: &[u8]) -> Chain {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    writer.bytes(NFTA_CHAIN_TABLE, &[table, b"\0"].concat());
    writer.bytes(NFTA_CHAIN_NAME, &[name, b"\0"].concat());
    writer.finish().unwrap();
    Chain::decode(Family::Ip, Reader::new(&bytes)).unwrap()
}

fn examples() -> Vec<Vec<u8>> {
    let long = [b"a".as_slice(); 255].concat();
    let names: [&[u8]; 13] = [
        b"a b",
        b"-ab",
        b"!ab",
        b"a\nb",
        b"a\x1b[2Jb",
        b"\x01",
        b"\xff",
        b"\xfe",
        b"a\x80b",
        b"\xf4\x8f\xbb\xbf",
        b"\"",
        b"\\",
        &long,
    ];
    let mut names: Vec<_> = names.map(<[u8]>::to_vec).into();
    names.push(vec![0xff; 255]);
    names
}

fn names() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let byte = || prop_oneof![3 => 1..=255u8, 1 => Just(b' '), 1 => Just(0xf4u8)];
    prop::collection::btree_set(prop::collection::vec(byte(), 1..40), 1..12)
}

/// An odd table full of odd chains, each with a jump to it and a verdict map that leads to it.
fn run<K: Kernel>(mut kernel: K, names: &[Vec<u8>]) -> String {
    let mut session = Session::new(&mut kernel);
    let chains: Vec<Chain> = names.iter().map(|name| shown(b"foreign \xfe", name)).collect();
    let home = Chain::new(Family::Ip, chains[0].table.clone(), cname("home-of-all"));
    session.good(|b| {
        b.create_table(&Table::new(Family::Ip, home.table.clone()), O);
        b.create_chain(&home, O);
        let map = nftwrap::nft::Set { table: home.table.clone(), ..vmap("t", "m", 1) };
        b.create_set(&map, O);
        for (x, chain) in chains.iter().enumerate() {
            b.create_chain(chain, O);
            let jump = rule("t", "c", vec![verdict(Verdict::Jump(chain.name.clone()))]);
            b.add_rule(&nftwrap::nft::Rule { table: home.table.clone(), chain: home.name.clone(), ..jump }, O);
            let lead = mapped(u8::try_from(x).unwrap(), Verdict::Goto(chain.name.clone()));
            let lead = nftwrap::nft::Elements { table: home.table.clone(), ..elements("t", "m", vec![lead]) };
            b.create_elements(&lead, O);
        }
    });
    let mut log = session.log;
    let found: BTreeSet<_> = kernel.chains(Family::Ip).unwrap().into_iter().map(|chain| chain.name).collect();
    let expected: BTreeSet<ChainName> = chains.iter().map(|c| c.name.clone()).chain([home.name.clone()]).collect();
    assert_eq!(found, expected);
    assert_eq!(found.len(), names.len() + 1, "different names stay different");
    let rules = kernel.rules(Family::Ip, &home.table, Some(&home.name)).unwrap();
    let targets: Vec<_> = rules.iter().map(|rule| rule.expressions.clone()).collect();
    assert_eq!(targets, chains.iter().map(|c| vec![verdict(Verdict::Jump(c.name.clone()))]).collect::<Vec<_>>());

    // Whatever the others do, a model is applied, changed and applied again.
    let mut model = Model::whole();
    let table = model.table_mut(nftwrap::rule::Family::Ipv4, TableKind::Filter).unwrap();
    table.add_rule("INPUT", Rule::new().accept()).unwrap();
    let mut manager = Manager::with_kernel(model, kernel);
    manager.apply().unwrap();
    assert_eq!(manager.apply().unwrap().messages, 0);

    // Each name leads back to its chain.
    let (_, mut kernel) = manager.into_parts();
    let mut session = Session::new(&mut kernel);
    session.good(|b| b.delete_table(Family::Ip, &home.table, O));
    log.push_str(&session.log);
    log
}

#[test]
fn odd_names_of_others_are_no_obstacle() {
    let names = examples();
    let of_fake = run(Fake::new(), &names);
    let Some(lab) = Lab::new(&[]) else { return };
    let of_kernel = run(lab.kernel(), &names);
    let difference = difference(&of_fake, &of_kernel);
    assert!(difference.is_empty(), "{difference}");
}

#[test]
fn no_name_is_too_odd() {
    let is_privileged = Lab::new(&[]).is_some();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&names(), |names| {
            let names: Vec<_> = names.into_iter().collect();
            let of_fake = run(Fake::new(), &names);
            if is_privileged {
                let of_kernel = run(Lab::new(&[]).unwrap().kernel(), &names);
                let difference = difference(&of_fake, &of_kernel);
                prop_assert!(difference.is_empty(), "{}", difference);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
