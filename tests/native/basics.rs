//! Loads, single changes and restarts.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use nftwrap::kernel::{Errno, Fake, Kernel};
use nftwrap::layout::{Layout, Native};
use nftwrap::nft;
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, TableKind};
use nftwrap::{Error, Manager};

use crate::canonical::canonical;
use crate::lab::Lab;
use crate::world::*;

scenarios! {
    fn a_jump_turns_round(connect) {
        turn_a_jump_round(native(nova("nova-compute"), connect()), settle);
    }

    /// Everything stands after one transaction, and stays.
    fn a_host_is_loaded_at_once_and_then_left_alone(connect) {
        let mut manager = native(host(40), connect());
        let report = settle(&mut manager);
        assert!(report.tables > 0 && report.elements >= 40, "{report:?}");
    }

    /// An instance of a kind that is there is an element or two; nothing is read for it, no rule is touched.
    fn one_more_instance_of_a_known_kind_is_elements(connect) {
        let mut manager = native(host(40), connect());
        manager.apply().unwrap();
        add_instance(manager.model_mut(), 40, 22);
        let report = manager.apply().unwrap();
        assert_eq!((report.chains, report.rules_added, report.sets), (0, 0, 0), "{report:?}");
        assert!((1..=2).contains(&report.elements), "{report:?}");
        remove(manager.model_mut(), "$local", "-d 10.0.0.40 -j $inst-40");
        remove_chain(manager.model_mut(), "$inst-40");
        let report = manager.apply().unwrap();
        assert_eq!((report.chains, report.rules_deleted, report.sets), (0, 0, 0), "{report:?}");
        settle(&mut manager);
    }

    /// What a packet on its way could miss is made before and removed after; all else is one transaction.
    fn a_change_is_one_transaction_if_no_packet_can_be_lost(connect) {
        let mut manager = native(host(40), connect());
        assert_eq!(manager.apply().unwrap().transactions, 1);
        let mut step = |change: &dyn Fn(&mut Model)| {
            change(manager.model_mut());
            settle(&mut manager).transactions
        };
        let more = |model: &mut Model, number: u32, port: u16| {
            add(model, &format!("$inst-{number}"), &format!("-p udp --dport {port} -j ACCEPT"));
        };
        assert_eq!(step(&|model| add_instance(model, 40, 22)), 1, "one more of a known kind");
        let last = |model: &mut Model| {
            remove(model, "$local", "-d 10.0.0.40 -j $inst-40");
            remove_chain(model, "$inst-40");
        };
        assert_eq!(step(&last), 1, "it goes");
        assert_eq!(step(&|model| (0..40).step_by(3).for_each(|n| more(model, n, 53))), 1, "all of a kind");
        assert_eq!(step(&|model| more(model, 1, 53)), 2, "one of many, by a new body");
        assert_eq!(step(&|model| more(model, 1, 54)), 1, "the only one, in place");
        let joins = |model: &mut Model| [(1, 55), (4, 53), (4, 54), (4, 55)].iter().for_each(|(n, p)| more(model, *n, *p));
        assert_eq!(step(&joins), 2, "one of many, to a body that changes");
        let back = |model: &mut Model| {
            for (number, port) in [(1, 53), (1, 54), (1, 55), (4, 53), (4, 54), (4, 55)] {
                remove(model, &format!("$inst-{number}"), &format!("-p udp --dport {port} -j ACCEPT"));
            }
        };
        assert_eq!(step(&back), 2, "to a known body, and what they had goes");
    }

    /// What changed step by step is what a fresh load would be, but for numbers.
    fn changes_end_where_a_fresh_load_ends(connect) {
        let mut manager = native(host(30), connect());
        manager.apply().unwrap();
        for number in 0..30 {
            match number % 5 {
                0 => { add(manager.model_mut(), &format!("$inst-{number}"), "-p udp --dport 53 -j ACCEPT"); }
                1 => { remove(manager.model_mut(), &format!("$inst-{number}"), "-j DROP"); }
                2 => { remove_chain(manager.model_mut(), &format!("$inst-{number}")); }
                3 => add_instance(manager.model_mut(), 100 + number, 443),
                _ => {}
            }
            manager.apply().unwrap();
        }
        settle(&mut manager);
        let (model, kernel) = manager.into_parts();
        drop(kernel);
        let changed = canonical(&mut connect(), "nova-compute");
        let mut fresh = native(model.clone(), Fake::new());
        fresh.apply().unwrap();
        let (_, mut fresh) = fresh.into_parts();
        assert_eq!(changed, canonical(&mut fresh, "nova-compute"));
    }

    /// A caller that goes back to a copy of its model gets what the copy says, and so with another model altogether.
    fn a_model_that_is_put_in_place_of_another_is_applied(connect) {
        let mut manager = native(host(20), connect());
        manager.apply().unwrap();
        let fresh = |model: &Model| {
            let mut fresh = native(model.clone(), Fake::new());
            fresh.apply().unwrap();
            canonical(&mut fresh.into_parts().1, "nova-compute")
        };
        let copy = manager.model().clone();
        remove_chain(manager.model_mut(), "$inst-3");
        add_instance(manager.model_mut(), 77, 443);
        add(manager.model_mut(), "$inst-5", "-p udp --dport 53 -j ACCEPT");
        manager.apply().unwrap();
        for model in [copy, host(3), host(30)] {
            *manager.model_mut() = model;
            manager.apply().unwrap();
            assert_eq!(canonical(&mut connect(), "nova-compute"), fresh(manager.model()));
            settle(&mut manager);
        }
    }

    /// A new process takes over what stands and sends the claim of each table, and no more.
    fn a_restart_sends_nothing_but_its_claim(connect) {
        let model = host(40);
        let mut manager = native(model.clone(), connect());
        manager.apply().unwrap();
        let tables = owned(&mut connect());
        drop(manager);
        let mut next = native(model, connect());
        let report = next.apply().unwrap();
        assert_eq!(report.messages, if tables == 0 { 0 } else { tables + 2 }, "{report:?}");
        settle(&mut next);
    }

    /// A new process with another model sends the difference.
    fn a_restart_with_changes_sends_the_changes(connect) {
        drop(settled(host(40), connect()));
        let mut model = host(40);
        add_instance(&mut model, 41, 23);
        let mut next = native(model, connect());
        let report = settle(&mut next);
        assert_eq!((report.chains, report.rules_added, report.rules_deleted), (0, 0, 0), "{report:?}");
        drop(next);
        let mut next = native(bare("nova-compute"), connect());
        next.apply().unwrap();
        assert!(connect().chains(nft::Family::Ip).unwrap().is_empty());
    }

    /// What changed when all is read anew takes the place of what stands, also where nobody else can have written.
    fn a_change_and_a_refresh_replace_what_stands(connect) {
        let mut manager = native(host(20), connect());
        manager.apply().unwrap();
        for number in 0..4 {
            let chain = format!("$inst-{number}");
            remove(manager.model_mut(), &chain, "-j DROP");
            add(manager.model_mut(), &chain, "-p udp --dport 53 -j ACCEPT");
            add(manager.model_mut(), "$local", "-p icmp -j DROP");
            manager.refresh();
            manager.apply().unwrap();
            let model = manager.model().clone();
            let mut fresh = native(model, Fake::new());
            fresh.apply().unwrap();
            assert_eq!(canonical(&mut connect(), "nova-compute"), canonical(fresh.kernel_mut(), "nova-compute"));
        }
        settle(&mut manager);
    }

    /// A flush leaves nothing, and the model brings it back.
    fn a_flush_leaves_nothing_behind(connect) {
        let mut manager = settled(host(20), connect());
        manager.flush().unwrap();
        assert!(connect().tables(nft::Family::Ip).unwrap().is_empty());
        assert!(connect().tables(nft::Family::Ip6).unwrap().is_empty());
        settle(&mut manager);
        assert!(!connect().tables(nft::Family::Ip).unwrap().is_empty());
    }

    /// Base chains stand where iptables has them, or as far before or behind as is asked; a change of that is a change
    /// like any other.
    fn base_chains_stand_at_their_priorities(connect) {
        for offset in [0, -10, 7] {
            let layout = Layout::Native(Native { priority: offset, ..Native::default() });
            let mut manager = Manager::with_kernel_and_layout(host(10), connect(), layout);
            settle(&mut manager);
            let chains = connect().chains(nft::Family::Ip).unwrap();
            let mut bases = 0;
            for (chain, base) in chains.iter().filter_map(|chain| Some((chain, chain.base.as_ref()?))) {
                let kind = chain.table.as_str().strip_prefix("nova-compute-").and_then(TableKind::from_name).unwrap();
                let builtin = kind.builtin(chain.name.as_str()).unwrap();
                let found = (base.hook, base.priority, &*base.kind);
                assert_eq!(found, (builtin.hook as u32, builtin.priority + offset, builtin.kind), "{kind} {}", chain.name);
                bases += 1;
            }
            assert!(bases > 5, "{chains:?}");
        }
    }

    /// Each pass can be off; the layout stands all the same, and a change of passes is a change like any other.
    fn passes_can_be_switched(connect) {
        let passes = nftwrap::layout::Passes::NAMES;
        for passes in passes.iter().map(|(_, pass)| *pass).chain([nftwrap::layout::Passes::empty()]) {
            let layout = Layout::Native(Native { passes, ..Native::default() });
            let mut manager = Manager::with_kernel_and_layout(host(20), connect(), layout);
            settle(&mut manager);
        }
        settle(&mut native(host(20), connect()));
    }
}

/// What the originals' hosts have: loaded, adopted by a new process, unchanged.
#[test]
fn every_dump_of_the_originals_stands_and_is_adopted() {
    for (name, family, text) in dumps() {
        let text = without_its_own(&text);
        let mut kernel = Fake::new();
        sets_of(&text).iter().for_each(|set| {
            kernel.add_ipset(&set.parse().unwrap());
        });
        adopt(&name, &whole(family, &text), || kernel.connect());
        if let Some(lab) = Lab::new(&["ipset"]) {
            for set in sets_of(&text) {
                let family = if set.contains("IPv6") { "inet6" } else { "inet" };
                lab.run(&format!("ipset create {set} hash:net family {family}"));
            }
            adopt(&name, &whole(family, &text), || lab.kernel());
        }
    }
}

/// What needs a table of iptables cannot stand in one of ours.
fn without_its_own(text: &str) -> String {
    // A range of ports with the port that it begins at: `10-12/13`.
    let shifts = |line: &str| line.contains("-j DNAT") && line.rsplit(':').next().is_some_and(|to| to.contains('/'));
    text.lines().filter(|line| !line.contains("-j CHECKSUM") && !shifts(line)).map(|line| format!("{line}\n")).collect()
}

/// The ipsets that a dump names.
fn sets_of(text: &str) -> BTreeSet<String> {
    let names = text.split("--match-set ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    names.map(str::to_owned).collect()
}

fn adopt<K: Kernel>(name: &str, model: &Model, connect: impl Fn() -> K) {
    let mut manager = native(model.clone(), connect());
    let report = manager.apply().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(report.messages > 0, "{name}");
    assert_eq!(manager.apply().unwrap().messages, 0, "{name}");
    let tables = owned(&mut connect());
    drop(manager);
    let mut next = native(model.clone(), connect());
    let plan = next.plan().unwrap();
    let plan: Vec<String> = plan.native().iter().map(ToString::to_string).collect();
    assert_eq!(plan.len(), tables, "{name}: {plan:#?}");
    next.flush().unwrap();
}

fn settled<K: Kernel>(model: Model, kernel: K) -> Manager<K> {
    let mut manager = native(model, kernel);
    settle(&mut manager);
    manager
}

/// How many tables have an owner, or had one.
fn owned<K: Kernel>(kernel: &mut K) -> usize {
    let families = [nft::Family::Ip, nft::Family::Ip6];
    let tables = families.into_iter().flat_map(|family| kernel.tables(family).unwrap());
    tables.filter(|table| table.flags.contains(nft::TableFlags::PERSIST)).count()
}

/// Name, family and text of all dumps.
fn dumps() -> Vec<(String, Family, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/dumps");
    let mut dumps: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let family = if name.contains(".v6") { Family::Ipv6 } else { Family::Ipv4 };
            (name, family, fs::read_to_string(path).unwrap())
        })
        .collect();
    dumps.sort();
    assert!(dumps.len() > 15);
    dumps
}

/// The kernel says no: nothing changes, and the next application sends what is missing.
#[test]
fn a_refusal_changes_nothing_and_can_be_repeated() {
    let kernel = Fake::new();
    let mut manager = native(host(20), kernel.connect());
    manager.apply().unwrap();
    for errno in [Errno::INVAL, Errno::NOMEM, Errno::PERM] {
        let before = kernel.to_string();
        add_instance(manager.model_mut(), 100 + u32::try_from(errno.0).unwrap(), 22);
        manager.kernel_mut().fail_next(1, errno);
        assert!(manager.apply().is_err());
        assert_eq!(kernel.to_string(), before);
        let dumps = kernel.stats().dumps;
        let report = manager.apply().unwrap();
        assert!((1..=2).contains(&report.elements), "{report:?}");
        assert_eq!(kernel.stats().dumps, dumps, "nothing is read again");
    }
    settle(&mut manager);
}

/// A rule that has no form is named, and nothing is sent.
#[test]
fn a_rule_that_cannot_be_compiled_is_named() {
    let kernel = Fake::new();
    let mut model = host(10);
    add(&mut model, "$inst-3", "-m set --match-set nowhere src -j ACCEPT");
    let mut manager = native(model, kernel.connect());
    let error = manager.apply().unwrap_err();
    let Error::Compile { location, .. } = &error else { panic!("{error}") };
    assert_eq!(location.chain.as_ref().unwrap().as_str(), "nova-compute-inst-3");
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(kernel.stats().commits, 0);
    remove(manager.model_mut(), "$inst-3", "-m set --match-set nowhere src -j ACCEPT");
    settle(&mut manager);
}

/// The kernel would blame the jump that leads to it.
#[test]
fn a_translation_outside_of_nat_is_named() {
    for target in ["MASQUERADE", "REDIRECT", "SNAT --to-source 10.0.0.1", "DNAT --to-destination 10.0.0.1"] {
        let kernel = Fake::new();
        let mut model = host(10);
        let rule = nftwrap_compat::parse::rule(&format!("-p udp -j {target}"), Family::Ipv4).unwrap();
        let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
        table.add_rule("$inst-3", nftwrap::wrap::Addition::new(rule).line(7)).unwrap();
        let error = native(model, kernel.connect()).apply().unwrap_err();
        let Error::Compile { location, .. } = &error else { panic!("{error}") };
        assert_eq!(location.chain.as_ref().unwrap().as_str(), "nova-compute-inst-3");
        assert_eq!(location.line, Some(7));
        assert!(error.to_string().contains("in table nat only"), "{error}");
        assert_eq!(kernel.stats().commits, 0);
    }
}

/// The kernel ties `CHECKSUM` to the name of iptables' table; we say so before it does.
#[test]
fn a_rule_that_only_iptables_has_is_named() {
    let text =
        "*mangle\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -p udp --dport 68 -j CHECKSUM --checksum-fill\nCOMMIT\n";
    let kernel = Fake::new();
    let error = native(whole(Family::Ipv4, text), kernel.connect()).apply().unwrap_err();
    assert!(matches!(error, Error::Compile { .. }), "{error:?}");
    assert!(error.to_string().contains("CHECKSUM exists in table mangle of iptables only"), "{error}");
    assert_eq!(kernel.stats().commits, 0);
}

/// After a load the handle of every rule is known, so that a change to all chains, no two of them alike, asks the kernel nothing.
#[test]
fn a_change_to_every_chain_reads_none() {
    let kernel = Fake::new();
    let rule =
        |number: u32, port: u32| format!("-s 10.9.{}.{} -p tcp --dport {port} -j ACCEPT", number / 250, number % 250);
    let mut model = host(700);
    (0..700).for_each(|number| assert!(add(&mut model, &format!("$inst-{number}"), &rule(number, 22))));
    // As they are: the passes would find what the chains have in common.
    let settings = Native { passes: nftwrap::layout::Passes::empty(), ..Native::default() };
    let mut manager = Manager::with_kernel_and_layout(model, kernel.connect(), Layout::Native(settings));
    manager.apply().unwrap();
    for port in 22..25 {
        let dumps = kernel.stats().dumps;
        for number in 0..700 {
            let chain = format!("$inst-{number}");
            assert!(remove(manager.model_mut(), &chain, &rule(number, port)));
            assert!(add(manager.model_mut(), &chain, &rule(number, port + 1)));
        }
        let report = manager.apply().unwrap();
        assert!(report.rules_added >= 700, "{report:?}");
        assert_eq!(kernel.stats().dumps, dumps);
    }
    settle(&mut manager);
}
