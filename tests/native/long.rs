//! Rules that are too long for one rule of the kernel.

use nftwrap::compile::NoIpsets;
use nftwrap::kernel::machine::{Packet, Ports, Ruleset, Transport, model};
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::native::lift::{LiftedChain, Standing, lift};
use nftwrap::name::{Comment, TableName};
use nftwrap::nft;
use nftwrap::rule::{ChainRef, Family, MarkMask, Match, Not, Protocol, Rule, Target};
use nftwrap::wrap::{Hook, Model, TableKind};

use crate::world::*;

/// Asks so many times that the mark be another; one of 0 to 3 is none of these.
fn long(times: u32) -> Rule {
    let not = |value| Match::Mark(Not::not(MarkMask::exact(value)));
    (0..times).fold(Rule::new().udp(), |rule, n| rule.matching(not(n + 4)))
}

/// A chain `$x` that every packet comes through, with a long rule of each kind of target between others, and packets that
/// it asks about.
fn put(model: &mut Model, times: u32, targets: &[Option<Target>]) {
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    for chain in ["$x", "$y"] {
        table.add_chain(chain).unwrap();
    }
    table.add_rule("INPUT", Rule::new().jump(ChainRef::new("$x").unwrap())).unwrap();
    table.add_rule("$y", Rule::new().mark(MarkMask::exact(2)).accept()).unwrap();
    for (at, target) in targets.iter().enumerate() {
        let from = std::net::IpAddr::from([10, 0, 0, u8::try_from(at).unwrap()]);
        let comment = Comment::new(&format!("rule {at}")).unwrap();
        table.add_rule("$x", Rule { target: target.clone(), ..long(times).source(from).comment(comment) }).unwrap();
        table.add_rule("$x", Rule::new().mark(MarkMask::exact(3)).source(from).discard()).unwrap();
    }
    table.add_rule("$x", Rule::new().mark(MarkMask::exact(1)).discard()).unwrap();
    table.add_rule("INPUT", Rule::new().mark(MarkMask::exact(0)).discard()).unwrap();
}

fn targets() -> Vec<Option<Target>> {
    let y = || ChainRef::new("$y").unwrap();
    let mark = Target::Mark(MarkMask::exact(1));
    vec![
        Some(Target::Return),
        Some(Target::Jump(y())),
        Some(Target::Goto(y())),
        Some(Target::Accept),
        None,
        Some(mark),
        Some(Target::Drop),
    ]
}

fn table() -> TableName {
    "nova-compute-filter".parse().unwrap()
}

/// The kernel decides as the model, for packets that each long rule asks about.
fn agree(model: &Model, kernel: &mut Fake) {
    let ruleset = Ruleset::read(kernel, Family::Ipv4, &[table()]).unwrap();
    let ports = Ports { source: 1, destination: 2 };
    for (from, mark) in (0..9).flat_map(|from| (0..90).map(move |mark| (from, mark))) {
        for transport in [Transport::Ports(Protocol::UDP, ports), Transport::Other(Protocol(47))] {
            let packet = Packet::new([10, 0, 0, from].into(), [10, 9, 9, 9].into(), transport);
            let packet = Packet { mark, ..packet };
            let wanted = model::hook(model, Hook::Input, &packet);
            assert_eq!(wanted, ruleset.hook(Hook::Input, &packet), "{from} {mark}");
        }
    }
}

/// The chains that the kernel's objects read as.
fn lifted<K: Kernel>(kernel: &mut K) -> Vec<LiftedChain> {
    let (family, table) = (nft::Family::Ip, table());
    let mut chains = kernel.chains(family).unwrap();
    chains.retain(|chain| chain.table == table);
    let rules = kernel.rules(family, &table, None).unwrap();
    let sets = kernel.sets(family, &table).unwrap();
    let sets: Vec<_> = sets
        .into_iter()
        .map(|set| {
            let elements = kernel.elements(family, &table, &set.name).unwrap();
            (set, elements)
        })
        .collect();
    let standing = Standing { family: Family::Ipv4, chains: &chains, rules: &rules, sets: &sets };
    lift(&standing, &NoIpsets).chains
}

/// What is read back of chain `x` is what was asked.
fn reads_as_written<K: Kernel>(model: &Model, kernel: &mut K) {
    let lifted = lifted(kernel);
    assert!(lifted.iter().all(|chain| !chain.name.as_str().contains("/rest/")));
    let chain = lifted.iter().find(|chain| chain.name.as_str() == "nova-compute-x").unwrap();
    let found: Vec<&Rule> = chain.rules.iter().map(|rule| rule.rule.as_ref().unwrap()).collect();
    let table = model.table(Family::Ipv4, TableKind::Filter).unwrap();
    let wanted = table.chain(&chain.name).unwrap().rules();
    let wanted: Vec<&Rule> = wanted.map(|entry| &**entry.rule()).collect();
    assert_eq!(found, wanted);
}

scenarios! {
    /// A rule of 150 matches is several, and a second application finds nothing to do; so it is when all is read anew.
    fn a_long_rule_stands_in_parts(connect) {
        let mut model = nova("nova-compute");
        put(&mut model, 150, &targets());
        let mut manager = native(model, connect());
        settle(&mut manager);
        reads_as_written(manager.model(), &mut connect());
        let (model, kernel) = manager.into_parts();
        drop(kernel);
        let mut next = native(model, connect());
        let plan = next.plan().unwrap();
        assert!(plan.native().iter().all(|change| change.to_string().contains("take over")), "{plan:?}");
        settle(&mut next);
        next.flush().unwrap();
        assert!(connect().tables(nft::Family::Ip).unwrap().is_empty());
    }

    /// Long rules come and go; what is left is what a fresh load would be.
    fn long_rules_come_and_go(connect) {
        let mut manager = native(nova("nova-compute"), connect());
        manager.apply().unwrap();
        put(manager.model_mut(), 70, &targets());
        settle(&mut manager);
        for at in 0..targets().len() {
            let table = manager.model_mut().table_mut(Family::Ipv4, TableKind::Filter).unwrap();
            let mut seen = 0;
            table.remove_rules_where(|_, entry| {
                seen += usize::from(entry.rule().matches.len() > 10);
                entry.rule().matches.len() > 10 && seen == 1
            });
            settle(&mut manager);
            reads_as_written(manager.model(), &mut connect());
            let chains = connect().chains(nft::Family::Ip).unwrap();
            let parts = chains.iter().filter(|chain| chain.name.as_str().contains("/rest/")).count();
            // Two of the targets leave the chain, and so take a chain more.
            let left = targets().split_off(at + 1);
            let leaving = left.iter().filter(|t| matches!(t, Some(Target::Return | Target::Goto(_)))).count();
            assert_eq!(parts, left.len() + leaving);
        }
        remove(manager.model_mut(), "INPUT", "-j $x");
        remove_chain(manager.model_mut(), "$x");
        settle(&mut manager);
    }

    /// The kernel bounds bytes as well: comments, each an extension of two hundred.
    fn a_rule_of_many_bytes_stands_in_parts(connect) {
        let mut model = nova("nova-compute");
        let comment = |n: usize| Comment::new(&format!("{n:0>200}")).unwrap();
        let rule = (0..60).fold(Rule::new().udp(), |rule, n| rule.matching(Match::Comment(comment(n))));
        let mixed = (0..12).fold(long(30), |rule, n| rule.matching(Match::Comment(comment(n))));
        let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
        table.add_rule("FORWARD", rule.accept()).unwrap();
        table.add_rule("FORWARD", mixed.discard()).unwrap();
        settle(&mut native(model, connect()));
    }
}

/// Every kind of target does in parts what it does in one.
#[test]
fn the_parts_of_a_long_rule_do_what_it_says() {
    for times in [5, 40, 60, 110, 150] {
        for targets in [targets(), targets().into_iter().rev().collect(), targets().split_off(4)] {
            let mut model = nova("nova-compute");
            put(&mut model, times, &targets);
            let kernel = Fake::new();
            let mut manager = native(model, kernel.connect());
            manager.apply().unwrap();
            agree(manager.model(), &mut kernel.connect());
        }
    }
}

/// Chains can only be nested so far.
#[test]
fn more_long_rules_that_return_than_chains_can_be_nested_are_refused_by_name() {
    let mut model = nova("nova-compute");
    put(&mut model, 70, &vec![Some(Target::Return); 6]);
    let error = native(model, Fake::new()).apply().unwrap_err();
    assert!(error.to_string().contains("parts of long rules"), "{error}");
}

/// What others have in a chain would be cut off.
#[test]
fn a_long_rule_in_a_chain_that_components_share_is_refused_by_name() {
    let mut model = nova("nova-compute");
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    table.add_rule("INPUT", long(150).accept()).unwrap();
    let error = sharing(model, Fake::new()).apply().unwrap_err();
    assert!(error.to_string().contains("expressions of a rule"), "{error}");
}

/// Its parts are chains below the last of many.
#[test]
fn a_long_rule_below_too_many_chains_is_refused_by_name() {
    let mut model = nova("nova-compute");
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    let chains: Vec<String> = (0..13).map(|n| format!("$c{n}")).collect();
    let mut from = "INPUT";
    for chain in &chains {
        table.add_chain(chain.as_str()).unwrap();
        table.add_rule(from, Rule::new().jump(ChainRef::new(chain).unwrap())).unwrap();
        from = chain;
    }
    table.add_rule(from, Rule { target: Some(Target::Return), ..long(200) }).unwrap();
    table.add_rule(from, Rule::new().accept()).unwrap();
    let error = native(model, Fake::new()).apply().unwrap_err();
    assert!(error.to_string().contains("filter nova-compute-c12"), "`{error}`");
    assert!(error.to_string().contains("long"), "`{error}`");
}

/// No packet comes there, and the kernel would not mind.
#[test]
fn chains_that_nest_deep_and_that_nothing_leads_to_stand() {
    let mut model = nova("nova-compute");
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    let chains: Vec<String> = (0..20).map(|n| format!("$c{n}")).collect();
    for chain in &chains {
        table.add_chain(chain.as_str()).unwrap();
    }
    for (from, to) in chains.iter().zip(chains.iter().skip(1)) {
        table.add_rule(from.as_str(), Rule::new().jump(ChainRef::new(to).unwrap())).unwrap();
    }
    native(model, Fake::new()).apply().unwrap();
}

/// More of them would take the compiler long, and no one needs them.
#[test]
fn far_too_many_chains_in_a_row_are_refused() {
    let mut model = nova("nova-compute");
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    let chains: Vec<String> = (0..300).map(|n| format!("$c{n}")).collect();
    for chain in &chains {
        table.add_chain(chain.as_str()).unwrap();
    }
    for (from, to) in chains.iter().zip(chains.iter().skip(1)) {
        table.add_rule(from.as_str(), Rule::new().jump(ChainRef::new(to).unwrap())).unwrap();
    }
    let mut manager = native(model, Fake::new());
    let error = manager.apply().unwrap_err();
    assert!(error.to_string().contains("255 chains"), "`{error}`");
    manager.model_mut().table_mut(Family::Ipv4, TableKind::Filter).unwrap().empty_chain("$c150").unwrap();
    manager.apply().unwrap();
}
