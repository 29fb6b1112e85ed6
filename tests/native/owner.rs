//! Tables that have an owner, and what becomes of them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nftwrap::apply::Fallback;
use nftwrap::kernel::{Fake, Kernel, probe};
use nftwrap::layout::{Layout, Native};
use nftwrap::nft::{Chain, Family, Table, TableFlags};
use nftwrap::{Error, Manager};

use crate::lab::Lab;
use crate::world::*;

scenarios! {
    /// While its owner lives a table belongs to it: the next process is told who that is and what to do.
    fn a_second_process_is_told_who_owns_the_table(connect) {
        let mut first = native(host(5), connect());
        first.apply().unwrap();
        let owner = table(&mut connect()).owner;
        let Some(port) = owner else { return };
        let mut second = native(host(5), connect());
        let error = second.apply().unwrap_err();
        assert!(matches!(&error, Error::TableOwned { port: found, .. } if *found == port), "{error}");
        assert!(error.is_not_permitted());
        assert!(error.to_string().contains(&format!("port {port}")), "{error}");
        drop(first);
        settle(&mut second);
    }

    /// The kernel takes no new base chain after a take-over and no new policy before it, in one transaction.
    fn a_takeover_brings_base_chains_and_policies_along(connect) {
        let text = |chains: &str| format!("*filter\n{chains}-A INPUT -p udp -j DROP\nCOMMIT\n");
        let model = |chains: &str| whole(nftwrap::rule::Family::Ipv4, &text(chains));
        native(model(":INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"), connect()).apply().unwrap();
        let mut next = native(model(":INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n"), connect());
        let generation = connect().generation().unwrap();
        next.check().unwrap();
        next.apply().unwrap();
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        settle(&mut next);
    }

    /// What an operator wants to know is logged, once.
    fn adoption_and_takeover_are_logged(connect) {
        let mut first = native(host(5), connect());
        let (_, lines) = logged(|| first.apply().unwrap());
        assert!(!lines.iter().any(|line| line.contains("adopted") || line.contains("take over")), "{lines:#?}");
        let owned = table(&mut connect()).owner.is_some();
        drop(first);
        let mut second = native(host(5), connect());
        let (_, lines) = logged(|| second.plan().unwrap());
        assert_eq!(lines, [""; 0], "nothing has happened");
        let (report, lines) = logged(|| second.apply().unwrap());
        assert_eq!(lines.iter().filter(|line| line.starts_with("INFO: adopted 4 tables")).count(), 1, "{lines:#?}");
        let taken = lines.iter().filter(|line| line.starts_with("INFO: take over table ip")).count();
        assert_eq!(taken, if owned { report.tables } else { 0 }, "{lines:#?}");
        add_instance(second.model_mut(), 7, 22);
        let (_, lines) = logged(|| second.apply().unwrap());
        assert_eq!(lines, [""; 0]);
    }

    /// A group that others use has plain tables; each component has its own part of it.
    fn components_of_a_group_share_tables_and_leave_each_other_alone(connect) {
        let mut first = sharing(host(12), connect());
        first.apply().unwrap();
        assert_eq!(table(&mut connect()).flags, TableFlags::empty());
        let before = chains(&mut connect());
        let mut model = nova("nova-network");
        (0..12).for_each(|number| add_instance(&mut model, number, 80));
        let mut second = sharing(model, connect());
        second.apply().unwrap();
        // The first looks again, and finds nothing of its own changed.
        first.refresh();
        let plan = first.plan().unwrap();
        let plan: Vec<String> = plan.native().iter().map(ToString::to_string).collect();
        assert!(plan.is_empty(), "{plan:#?}");
        for number in 50..54 {
            let manager = if number % 2 == 0 { &mut first } else { &mut second };
            add_instance(manager.model_mut(), number, 443);
            manager.apply().unwrap();
        }
        settle(&mut first);
        settle(&mut second);
        assert!(chains(&mut connect()).len() > before.len());
        second.flush().unwrap();
        settle(&mut first);
        let left = chains(&mut connect());
        assert!(!left.iter().any(|name| name.starts_with("nova-network")), "{left:?}");
        first.flush().unwrap();
        assert!(connect().tables(Family::Ip).unwrap().is_empty());
    }

    /// The name of one component can begin as what the other's compiler makes.
    fn components_whose_names_begin_alike_leave_each_other_alone(connect) {
        let names = ["nova", "nova/map", "nova/1"];
        let mut managers: Vec<_> = names.map(|name| sharing(host_of(name, 12), connect())).into();
        managers.iter_mut().for_each(|manager| drop(manager.apply().unwrap()));
        let nothing_is_missing = |managers: &mut Vec<Manager<_>>| {
            for manager in managers {
                manager.refresh();
                let plan: Vec<String> = manager.plan().unwrap().native().iter().map(ToString::to_string).collect();
                assert!(plan.is_empty(), "{plan:#?}");
            }
        };
        nothing_is_missing(&mut managers);
        managers.remove(0).flush().unwrap();
        nothing_is_missing(&mut managers);
    }

    /// A table that becomes shared, or stops to be, is not the same table.
    fn a_table_of_another_kind_is_not_taken(connect) {
        let mut alone = native(host(3), connect());
        alone.apply().unwrap();
        drop(alone);
        let settings = Native { group: "nova-compute".parse().ok(), shared: true, ..Native::default() };
        let mut shared = Manager::with_kernel_and_layout(host(3), connect(), Layout::Native(settings));
        assert!(matches!(shared.apply(), Err(Error::ForeignTable { .. })));
    }
}

fn table<K: Kernel>(kernel: &mut K) -> Table {
    kernel.tables(Family::Ip).unwrap().into_iter().find(|table| table.name.as_str().ends_with("-filter")).unwrap()
}

fn chains<K: Kernel>(kernel: &mut K) -> Vec<String> {
    kernel.chains(Family::Ip).unwrap().iter().map(|Chain { name, .. }| name.to_string()).collect()
}

/// A host without a firewall of its own.
#[test]
fn nft_flush_ruleset_passes_an_owned_table_by() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    // da5141bbe0c2 (Linux 6.9); without it the tables are plain, and go with all others.
    let closed = probe::outliving_tables(&mut lab.kernel()).unwrap();
    let mut manager = native(host(20), lab.kernel());
    manager.apply().unwrap();
    assert_eq!(table(&mut lab.kernel()).owner.is_some(), closed);
    if !closed {
        return;
    }
    let before = chains(&mut lab.kernel());
    lab.run("nft add table ip stray; nft flush ruleset");
    assert_eq!(chains(&mut lab.kernel()), before);
    assert!(!lab.run("nft list tables").contains("stray"));
    settle(&mut manager);
}

/// What others commit to tables of their own is no reason to read anything again.
#[test]
fn neighbours_do_not_disturb_the_owner() {
    let kernel = Fake::new();
    let mut manager = native(host(20), kernel.connect());
    manager.apply().unwrap();
    let mut other = Manager::with_kernel(bare("other"), kernel.connect());
    add_chain(other.model_mut(), "$a");
    other.apply().unwrap();
    let dumps = kernel.stats().dumps;
    add_instance(manager.model_mut(), 30, 22);
    let report = manager.apply().unwrap();
    assert_eq!((report.attempts, kernel.stats().dumps), (1, dumps));
}

/// Before Linux 6.9 tables go with their owner; such a kernel gets plain ones, and it is said.
#[test]
fn a_kernel_whose_tables_go_with_their_owner_gets_plain_ones() {
    let mut kernel = Fake::new();
    kernel.without_table_flags(TableFlags::PERSIST);
    let mut manager = native(host(20), kernel.connect());
    let is_said = |list: &[Fallback]| list.iter().any(|fallback| matches!(fallback, Fallback::Feature { .. }));
    assert!(is_said(manager.plan().unwrap().fallbacks()));
    let (report, lines) = logged(|| manager.apply().unwrap());
    assert!(is_said(&report.fallbacks));
    assert!(lines.iter().any(|line| line.starts_with("INFO: the kernel has no tables whose owner")), "{lines:#?}");
    assert_eq!(table(&mut kernel).flags, TableFlags::empty());
    // Others can change them, and what they did is found by the generation.
    add_instance(manager.model_mut(), 20, 22);
    assert_eq!(manager.apply().unwrap().fallbacks, []);
    let mut other = Manager::with_kernel(bare("other"), kernel.connect());
    add_chain(other.model_mut(), "$a");
    other.apply().unwrap();
    add_instance(manager.model_mut(), 21, 22);
    let (report, lines) = logged(|| manager.apply().unwrap());
    assert_eq!(report.attempts, 2);
    assert!(lines.iter().any(|line| line.starts_with("DEBUG: the ruleset has moved")), "{lines:#?}");
    assert!((1..=2).contains(&report.elements), "{report:?}");
    drop(manager);
    let mut next = native(with_instances(host(20), 20..22), kernel.connect());
    assert_eq!(next.apply().unwrap().messages, 0);
}

/// A process that dies without a word leaves its tables filtering; the next one takes them over as they stand.
#[test]
fn the_tables_of_a_killed_process_are_taken_over() {
    let Some(lab) = Lab::new(&[]) else { return };
    let mut child = lab.0.run(|| {
        let test = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner::a_process_that_is_killed", "--nocapture"])
            .env(VICTIM, "1")
            .stdout(Stdio::piped())
            .spawn();
        test.unwrap()
    });
    let child = child.as_mut().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(READY)), "the other process has applied");
    let before = table(&mut lab.kernel());
    let rules = |lab: &Lab| lab.kernel().rules(Family::Ip, &before.name, None).unwrap();
    let (handles, mut next) = (rules(&lab), native(host(20), lab.kernel()));
    if before.owner.is_some() {
        assert!(matches!(next.apply(), Err(Error::TableOwned { .. })), "its owner lives");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(table(&mut lab.kernel()).owner, None);
    assert_eq!(rules(&lab), handles, "nothing is missing");
    next.apply().unwrap();
    assert_eq!(table(&mut lab.kernel()).owner.is_some(), before.owner.is_some());
    assert_eq!(rules(&lab), handles, "every rule is the one that stood");
    settle(&mut next);
}

const VICTIM: &str = "NFTWRAP_TEST_VICTIM";
const READY: &str = "ready to be killed";

/// The other process of the test above; on its own it does nothing.
#[test]
fn a_process_that_is_killed() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let mut manager = Manager::open_with(host(20), Layout::native()).unwrap();
    manager.apply().unwrap();
    println!("{READY}");
    // Longer than anybody waits, in case the other end is gone.
    std::thread::sleep(Duration::from_secs(60));
}
