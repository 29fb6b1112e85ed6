//! Sets of the model as sets of our tables.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;
use nftwrap::Manager;
use nftwrap::apply::{Fallback, Report};
use nftwrap::error::Error;
use nftwrap::kernel::machine::{Packet, Ports, Ruleset, model as walk};
use nftwrap::kernel::{Errno, Fake, Kernel};
use nftwrap::name::{IpsetName, SetName, TableName};
use nftwrap::nft::{self, ElementFlags};
use nftwrap::rule::Family;
use nftwrap::wrap::{Hook, Model, SetKind, Table, TableKind};
use nftwrap_compat::view::View;

use crate::lab::Lab;
use crate::random::Random;
use crate::world::*;

const COMPONENT: &str = "neutron-openvsw";
const SET: &str = "NIPv4c5df2fe5-c600-4a4d-9de";

fn name(text: &str) -> IpsetName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn table(model: &mut Model) -> &mut Table {
    model.table_mut(Family::Ipv4, TableKind::Filter).unwrap()
}

fn join<K>(manager: &mut Manager<K>, members: &[&str]) {
    for member in members {
        assert!(table(manager.model_mut()).add_member(&name(SET), net(member)).unwrap());
    }
}

fn leave<K>(manager: &mut Manager<K>, members: &[&str]) {
    for member in members {
        assert!(table(manager.model_mut()).remove_member(&name(SET), net(member)).unwrap());
    }
}

fn rule() -> String {
    format!("-m set --match-set {SET} src -j RETURN")
}

/// A port whose members of a group may come in.
fn with_group(kind: SetKind, members: &[&str]) -> Model {
    let mut model = bare(COMPONENT);
    table(&mut model).add_set(&name(SET), kind).unwrap();
    table(&mut model).replace_members(&name(SET), members.iter().map(|member| net(member))).unwrap();
    add_chain(&mut model, "$i1");
    add(&mut model, "$i1", &rule());
    add(&mut model, "$i1", "-j DROP");
    add(&mut model, "FORWARD", "-d 10.0.0.9 -j $i1");
    model
}

fn prefixes(members: &[&str]) -> Model {
    with_group(SetKind::Prefixes, members)
}

/// The elements of the set, each as its key; an end as the address after the range.
fn elements<K: Kernel>(mut kernel: K, kind: SetKind) -> BTreeSet<String> {
    let (table, set) = (TableName::new(&format!("{COMPONENT}-filter")).unwrap(), format!("{COMPONENT}/{kind}/{SET}"));
    let elements = kernel.elements(nft::Family::Ip, &table, &SetName::new(&set).unwrap()).unwrap();
    let text = |element: &nft::Element| {
        let key = Ipv4Addr::from(<[u8; 4]>::try_from(element.key.as_deref().unwrap()).unwrap());
        if element.flags.contains(ElementFlags::INTERVAL_END) { format!("..{key}") } else { key.to_string() }
    };
    elements.iter().map(text).collect()
}

fn texts(elements: &[&str]) -> BTreeSet<String> {
    elements.iter().map(|element| (*element).to_owned()).collect()
}

fn numbers(report: &Report) -> (usize, usize, usize) {
    (report.sets, report.elements, report.rules_added + report.rules_deleted + report.chains)
}

/// The rules for which nf_tables has no expression; what the kernel lacks is another matter.
fn extensions(report: &Report) -> Vec<&Fallback> {
    report.fallbacks.iter().filter(|fallback| matches!(fallback, Fallback::Extension { .. })).collect()
}

fn saved<K: Kernel>(mut kernel: K) -> String {
    View::read(&mut kernel).unwrap().save(Family::Ipv4, false)
}

scenarios! {
    /// Behaviour 87: set, member and rule in one transaction; the rule reads back as it was given.
    fn a_set_comes_with_the_rule_that_looks_into_it(connect) {
        let mut manager = native(prefixes(&["10.0.0.1/32", "10.0.1.0/24"]), connect());
        let generation = connect().generation().unwrap();
        let report = settle(&mut manager);
        assert!(extensions(&report).is_empty(), "{:?}", report.fallbacks);
        assert_eq!(connect().generation().unwrap(), generation + 1);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.1", "..10.0.0.2", "10.0.1.0", "..10.0.2.0"]));
        let text = saved(connect());
        assert!(text.contains(&format!("-A {COMPONENT}-i1 {}\n", rule())), "{text}");
        assert_eq!(connect().ipset(&name(SET)).unwrap(), None);
    }

    /// Behaviour 88: what joins and leaves are elements, and no chain is touched.
    fn members_come_and_go_as_elements(connect) {
        let mut manager = native(with_group(SetKind::Addresses, &["10.0.0.1/32"]), connect());
        settle(&mut manager);
        join(&mut manager, &["10.0.0.2/32", "10.0.0.3/32"]);
        assert_eq!(numbers(&settle(&mut manager)), (0, 2, 0));
        leave(&mut manager, &["10.0.0.1/32"]);
        join(&mut manager, &["10.0.0.4/32"]);
        assert_eq!(numbers(&settle(&mut manager)), (0, 2, 0));
        assert_eq!(elements(connect(), SetKind::Addresses), texts(&["10.0.0.2", "10.0.0.3", "10.0.0.4"]));
    }

    /// Of nested prefixes the outermost are elements; neighbours stand beside each other.
    fn nested_and_neighbouring_prefixes(connect) {
        let mut manager = native(prefixes(&["10.0.0.0/25", "10.0.0.128/25"]), connect());
        settle(&mut manager);
        let halves = texts(&["10.0.0.0", "..10.0.0.128", "10.0.0.128", "..10.0.1.0"]);
        assert_eq!(elements(connect(), SetKind::Prefixes), halves);
        join(&mut manager, &["10.0.0.0/24"]);
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.0", "..10.0.1.0"]));
        join(&mut manager, &["10.0.0.7/32"]);
        assert_eq!(numbers(&settle(&mut manager)), (0, 0, 0), "it is in already");
        leave(&mut manager, &["10.0.0.0/24", "10.0.0.0/25"]);
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.7", "..10.0.0.8", "10.0.0.128", "..10.0.1.0"]));
        leave(&mut manager, &["10.0.0.128/25"]);
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.7", "..10.0.0.8"]));
    }

    /// A process that finds other prefixes takes ranges away whole.
    fn a_restart_with_other_prefixes(connect) {
        let mut manager = native(prefixes(&["10.0.0.0/25", "10.0.0.128/25", "10.1.0.0/16"]), connect());
        settle(&mut manager);
        drop(manager);
        let mut next = native(prefixes(&["10.0.0.0/24", "10.1.0.0/16"]), connect());
        assert_eq!(numbers(&settle(&mut next)).1, 6, "two ranges go and one comes");
        let left = texts(&["10.0.0.0", "..10.0.1.0", "10.1.0.0", "..10.2.0.0"]);
        assert_eq!(elements(connect(), SetKind::Prefixes), left);
    }

    /// Behaviour 89: everything is one range.
    fn everything_is_one_range(connect) {
        let mut manager = native(prefixes(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        join(&mut manager, &["0.0.0.0/0"]);
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["0.0.0.0"]));
        leave(&mut manager, &["0.0.0.0/0"]);
        join(&mut manager, &["128.0.0.0/1"]);
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.1", "..10.0.0.2", "128.0.0.0"]));
    }

    /// Behaviour 90: rule and set go together.
    fn a_set_goes_with_its_last_rule(connect) {
        let mut manager = native(prefixes(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        assert!(remove(manager.model_mut(), "$i1", &rule()));
        table(manager.model_mut()).remove_set(&name(SET)).unwrap();
        assert_eq!(settle(&mut manager).sets, 1);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&[]));
        // And comes again.
        table(manager.model_mut()).add_set(&name(SET), SetKind::Prefixes).unwrap();
        join(&mut manager, &["10.0.0.2/32"]);
        add(manager.model_mut(), "$i1", &rule());
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.2", "..10.0.0.3"]));
    }

    /// One that is removed and added again is the same set with other members.
    fn a_set_that_comes_back_is_changed_in_place(connect) {
        let mut manager = native(prefixes(&["10.0.0.1/32", "10.0.0.2/32"]), connect());
        settle(&mut manager);
        assert!(remove(manager.model_mut(), "$i1", &rule()));
        table(manager.model_mut()).remove_set(&name(SET)).unwrap();
        table(manager.model_mut()).add_set(&name(SET), SetKind::Prefixes).unwrap();
        join(&mut manager, &["10.0.0.2/32", "10.0.0.3/32"]);
        add(manager.model_mut(), "$i1", &rule());
        assert_eq!(settle(&mut manager).sets, 0);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.2", "..10.0.0.3", "10.0.0.3", "..10.0.0.4"]));
    }

    /// A set of hosts that becomes one of prefixes is another set.
    fn a_set_of_another_kind_is_another_set(connect) {
        let mut manager = native(with_group(SetKind::Addresses, &["10.0.0.1/32"]), connect());
        settle(&mut manager);
        assert!(remove(manager.model_mut(), "$i1", &rule()));
        table(manager.model_mut()).remove_set(&name(SET)).unwrap();
        table(manager.model_mut()).add_set(&name(SET), SetKind::Prefixes).unwrap();
        join(&mut manager, &["10.0.0.0/24"]);
        add(manager.model_mut(), "$i1", &rule());
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Addresses), texts(&[]));
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.0", "..10.0.1.0"]));
    }

    /// A new process takes the set over by differences.
    fn a_restart_takes_a_set_over(connect) {
        let before = ["10.0.0.1/32", "10.0.1.0/24"];
        settle(&mut native(prefixes(&before), connect()));
        let plan = native(prefixes(&before), connect()).plan().unwrap();
        assert!(plan.native().iter().all(|change| change.to_string().contains("table")), "{:?}", plan.native());
        let mut manager = native(prefixes(&["10.0.1.0/24", "10.0.2.0/24"]), connect());
        assert_eq!(numbers(&settle(&mut manager)), (0, 4, 0));
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.1.0", "..10.0.2.0", "10.0.2.0", "..10.0.3.0"]));
    }

    /// A name that was another program's ipset becomes ours, and the rule looks where it should.
    fn a_name_that_becomes_ours_is_looked_up_here(connect) {
        let form = nftwrap::ipset::Form {
            kind: nftwrap::ipset::Kind::Net,
            family: nftwrap::ipset::Family::Ipv4,
            maxelem: 16,
        };
        connect().change_ipset(&nftwrap::ipset::Order::Create(name(SET), form)).unwrap();
        let mut model = bare(COMPONENT);
        add_chain(&mut model, "$i1");
        add(&mut model, "$i1", &rule());
        add(&mut model, "FORWARD", "-d 10.0.0.9 -j $i1");
        let mut manager = native(model, connect());
        assert_eq!(extensions(&settle(&mut manager)).len(), 1);
        table(manager.model_mut()).add_set(&name(SET), SetKind::Prefixes).unwrap();
        join(&mut manager, &["10.0.0.1/32"]);
        assert!(extensions(&settle(&mut manager)).is_empty());
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&["10.0.0.1", "..10.0.0.2"]));
        assert!(saved(connect()).contains(&rule()));
        // And back again.
        remove(manager.model_mut(), "$i1", &rule());
        table(manager.model_mut()).remove_set(&name(SET)).unwrap();
        add(manager.model_mut(), "$i1", &rule());
        settle(&mut manager);
        assert_eq!(elements(connect(), SetKind::Prefixes), texts(&[]));
    }

    /// Parts of a match that a set of ours has no meaning for are refused.
    fn counters_of_members_are_refused(connect) {
        let mut model = prefixes(&[]);
        add(&mut model, "$i1", &format!("-m set --match-set {SET} src --packets-gt 3 -j DROP"));
        let error = native(model, connect()).apply().unwrap_err();
        assert!(matches!(&error, Error::Compile { .. }) && error.to_string().contains("no counters"), "{error}");
    }

    /// Components of one group have sets of their own, of one name.
    fn components_of_a_group_have_their_own(connect) {
        let mut first = sharing(prefixes(&["10.0.0.1/32"]), connect());
        settle(&mut first);
        let mut other = bare("other");
        table(&mut other).add_set(&name(SET), SetKind::Addresses).unwrap();
        table(&mut other).add_member(&name(SET), net("10.0.0.9/32")).unwrap();
        add_chain(&mut other, "$c");
        add(&mut other, "$c", &rule());
        add(&mut other, "FORWARD", "-j $c");
        let mut second = sharing(other, connect());
        settle(&mut second);
        join(&mut first, &["10.0.0.2/32"]);
        settle(&mut first);
        second.flush().unwrap();
        first.refresh();
        assert!(first.plan().unwrap().is_empty());
    }
}

/// Refused transactions leave set and compiler as they were.
#[test]
fn a_refused_transaction_is_sent_with_the_next() {
    let mut manager = native(prefixes(&["10.0.0.1/32"]), Fake::new());
    settle(&mut manager);
    join(&mut manager, &["10.0.0.2/32"]);
    manager.kernel_mut().fail_next(1, Errno::NOMEM);
    assert!(matches!(manager.apply().unwrap_err(), Error::Refused(_)));
    assert_eq!(elements(manager.kernel_mut().connect(), SetKind::Prefixes), texts(&["10.0.0.1", "..10.0.0.2"]));
    leave(&mut manager, &["10.0.0.1/32"]);
    assert_eq!(numbers(&settle(&mut manager)), (0, 4, 0));
    assert_eq!(elements(manager.kernel_mut().connect(), SetKind::Prefixes), texts(&["10.0.0.2", "..10.0.0.3"]));
}

/// A member that joins a large set is as little to send as one that joins a small one.
#[test]
fn a_member_is_as_cheap_in_a_large_set() {
    let messages = |members: u32| {
        let mut model = prefixes(&[]);
        let all = (0..members).map(|n| IpNetwork::new(IpAddr::from((0x0a00_0000 + n * 2).to_be_bytes()), 32).unwrap());
        table(&mut model).replace_members(&name(SET), all).unwrap();
        let mut manager = native(model, Fake::new());
        settle(&mut manager);
        join(&mut manager, &["10.255.0.1/32"]);
        let report = settle(&mut manager);
        (report.messages, report.bytes, report.elements)
    };
    assert_eq!(messages(10), messages(5000));
}

/// What the programs do to packets is what the model says, whatever joins, leaves and changes.
#[test]
fn packets_meet_the_sets_of_the_model() {
    for seed in 0..60 {
        random_host(&mut Random(seed));
    }
}

fn random_host(random: &mut Random) {
    let mut model = bare("w");
    let sets = [("hosts", SetKind::Addresses), ("nets", SetKind::Prefixes), ("more", SetKind::Prefixes)];
    for (set, kind) in sets {
        table(&mut model).add_set(&name(set), kind).unwrap();
    }
    for chain in 0..4 {
        add_chain(&mut model, &format!("$c{chain}"));
        add(&mut model, "FORWARD", &format!("-d 10.0.0.{chain} -j $c{chain}"));
    }
    let mut manager = native(model, Fake::new());
    for _ in 0..6 {
        for _ in 0..random.below(12) {
            change(random, manager.model_mut());
        }
        if random.one_in(4) {
            manager.kernel_mut().fail_next(1, Errno::NOMEM);
            let _ = manager.apply();
            manager.kernel_mut().fail_next(0, Errno::NOMEM);
        }
        settle(&mut manager);
        let tables = [TableName::new("w-filter").unwrap()];
        let ruleset = Ruleset::read(manager.kernel_mut(), Family::Ipv4, &tables).unwrap();
        for _ in 0..60 {
            let address = |random: &mut Random| IpAddr::from([10, 0, 0, random.below(12) as u8]);
            let ports = Ports { source: 1000, destination: 22 + random.below(3) as u16 };
            let (source, destination) = (address(random), address(random));
            let packet = Packet::udp(source, destination, ports);
            let wanted = walk::hook(manager.model(), Hook::Forward, &packet).unwrap();
            assert_eq!(ruleset.hook(Hook::Forward, &packet).unwrap(), wanted, "{packet:?}");
        }
    }
}

fn change(random: &mut Random, model: &mut Model) {
    let chain = format!("$c{}", random.below(4));
    let set = ["hosts", "nets", "more"][random.below(3)];
    let not = if random.one_in(4) { "! " } else { "" };
    let side = if random.one_in(4) { "dst" } else { "src" };
    let target = ["ACCEPT", "DROP", "RETURN"][random.below(3)];
    let port = 22 + random.below(3);
    let rule = format!("-p udp --dport {port} -m set {not}--match-set {set} {side} -j {target}");
    let len = if set == "hosts" { 32 } else { 28 + random.below(5) as u8 };
    let member =
        IpNetwork::new(IpAddr::from([10, 0, 0, random.below(12) as u8 | u8::from(len == 32 && random.one_in(2))]), len);
    let member = member.unwrap();
    match random.below(6) {
        0 | 1 => _ = add(model, &chain, &rule),
        2 => _ = remove(model, &chain, &rule),
        3 | 4 => drop(table(model).add_member(&name(set), member)),
        _ => drop(table(model).remove_member(&name(set), member)),
    }
}

/// The tool that people look with names the set as we do.
#[test]
fn nft_lists_the_set() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let mut manager = native(prefixes(&["10.0.0.1/32", "10.0.1.0/24"]), lab.kernel());
    settle(&mut manager);
    let listing = lab.run(&format!("nft list table ip {COMPONENT}-filter"));
    assert!(listing.contains(&format!("{COMPONENT}/prefixes/{SET}")), "{listing}");
    assert!(listing.contains("elements = { 10.0.0.1, 10.0.1.0/24 }"), "{listing}");
    assert!(listing.contains(&format!("ip saddr @{COMPONENT}/prefixes/{SET} return")), "{listing}");
}
