//! One component alone.

use nftwrap::Manager;
use nftwrap::kernel::Fake;
use nftwrap::rule::Family;
use nftwrap::wrap::{Place, TableKind};

use crate::world::*;

/// After a load the handle of every rule is known, so that a change to all chains, be they many, asks the kernel nothing.
#[test]
fn a_change_to_every_chain_reads_none() {
    let fake = Fake::new();
    let mut model = nova("nova-compute");
    (0..700).for_each(|number| add_instance(&mut model, number, 22));
    let mut manager = Manager::with_kernel(model, fake.connect());
    manager.apply().unwrap();
    for port in 22..25 {
        let dumps = fake.stats().dumps;
        for number in 0..700 {
            let chain = format!("$inst-{number}");
            assert!(remove(manager.model_mut(), &chain, &format!("-p tcp --dport {port} -j ACCEPT")));
            assert!(add(manager.model_mut(), &chain, &format!("-p tcp --dport {} -j ACCEPT", port + 1)));
        }
        let report = manager.apply().unwrap();
        assert_eq!((report.rules_added, report.rules_deleted), (700, 700), "{report:?}");
        assert_eq!(fake.stats().dumps, dumps);
    }
    settle(&mut manager);
}

scenarios! {
    /// One transaction for all tables of both families; a second application finds nothing.
    fn the_skeleton_goes_in_one_transaction(connect) {
        let mut kernel = connect();
        let before = kernel.generation().unwrap();
        let mut manager = Manager::with_kernel(nova("nova-compute"), connect());
        let report = settle(&mut manager);
        assert!(report.tables >= 4, "{report:?}");
        assert_eq!(kernel.generation().unwrap(), before + 1);
        assert_eq!(rules(connect(), "FORWARD"), ["-j nova-filter-top", "-j nova-compute-FORWARD"]);
        assert_eq!(rules(connect(), "nova-filter-top"), ["-j nova-compute-local"]);
    }

    /// A new process finds what the last one left, and has nothing to send.
    fn a_restart_adopts_what_stands(connect) {
        let model = || {
            let mut model = nova("nova-compute");
            add_instance(&mut model, 1, 22);
            model
        };
        settle(&mut Manager::with_kernel(model(), connect()));
        let generation = connect().generation().unwrap();
        let report = Manager::with_kernel(model(), connect()).apply().unwrap();
        assert_eq!(report.messages, 0, "{report:?}");
        assert_eq!(connect().generation().unwrap(), generation);
    }

    /// A caller that goes back to a copy of its model gets what the copy says.
    fn a_model_that_is_put_in_place_of_another_is_applied(connect) {
        let mut model = nova("nova-compute");
        add_instance(&mut model, 1, 22);
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        let (copy, before) = (manager.model().clone(), text(connect()));
        add_instance(manager.model_mut(), 2, 80);
        add(manager.model_mut(), "$inst-1", "-p udp --dport 53 -j ACCEPT");
        settle(&mut manager);
        *manager.model_mut() = copy;
        settle(&mut manager);
        assert_eq!(text(connect()), before);
    }

    /// What an earlier run left and nobody wants goes in the same transaction that brings the new state.
    fn leftovers_of_an_earlier_run_go(connect) {
        let mut first = nova("nova-compute");
        add_instance(&mut first, 1, 22);
        add_instance(&mut first, 2, 22);
        add(&mut first, "INPUT", "-p udp --dport 53 -j ACCEPT");
        settle(&mut Manager::with_kernel(first, connect()));

        let mut second = nova("nova-compute");
        add_instance(&mut second, 2, 80);
        let generation = connect().generation().unwrap();
        settle(&mut Manager::with_kernel(second, connect()));
        assert_eq!(connect().generation().unwrap(), generation + 1);
        assert_eq!(rules(connect(), "nova-compute-local"), ["-d 10.0.0.2/32 -j nova-compute-inst-2"]);
        assert!(!text(connect()).contains("inst-1"));
        assert_eq!(rules(connect(), "INPUT"), ["-j nova-compute-INPUT"]);
    }

    /// Rules that stay keep handle and counter, those that move keep their counter.
    fn counters_of_unchanged_rules_survive(connect) {
        let before = "*filter\n:INPUT ACCEPT [7:700]\n:c - [0:0]\n[1:10] -A c -s 10.0.0.1/32 -j ACCEPT\n\
                      [2:20] -A c -s 10.0.0.2/32 -j ACCEPT\n[3:30] -A c -s 10.0.0.3/32 -j ACCEPT\nCOMMIT\n";
        Manager::with_kernel(whole(before), connect()).apply().unwrap();
        assert!(text(connect()).contains("[2:20] -A c -s 10.0.0.2/32"));

        let after = "*filter\n:INPUT ACCEPT [0:0]\n:c - [0:0]\n-A c -s 10.0.0.3/32 -j ACCEPT\n\
                     -A c -s 10.0.0.1/32 -j ACCEPT\n-A c -s 10.0.0.4/32 -j ACCEPT\nCOMMIT\n";
        Manager::with_kernel(whole(after), connect()).apply().unwrap();
        let text = text(connect());
        let counted: Vec<&str> = text.lines().filter(|line| line.contains("-A c")).collect();
        assert_eq!(
            counted,
            [
                "[3:30] -A c -s 10.0.0.3/32 -j ACCEPT",
                "[1:10] -A c -s 10.0.0.1/32 -j ACCEPT",
                "[0:0] -A c -s 10.0.0.4/32 -j ACCEPT"
            ]
        );
    }

    /// A rule that moves by a change of the model goes on counting, also in a chain that is only remembered.
    fn a_rule_that_moves_goes_on_counting(connect) {
        let text_before = "*filter\n:INPUT ACCEPT [0:0]\n:c - [0:0]\n[1:10] -A c -s 10.0.0.1/32 -j ACCEPT\n\
                           [2:20] -A c -s 10.0.0.2/32 -j ACCEPT\n[3:30] -A c -s 10.0.0.3/32 -j ACCEPT\nCOMMIT\n";
        let mut manager = Manager::with_kernel(whole(text_before), connect());
        manager.apply().unwrap();
        let again = whole(&text_before.replace("[1:10] ", "").replace("[2:20] ", "").replace("[3:30] ", ""));
        let rules: Vec<_> = {
            let chain = again.table(Family::Ipv4, TableKind::Filter).unwrap().chain("c").unwrap();
            chain.rules().map(|entry| entry.rule().clone()).collect()
        };
        let table = manager.model_mut().table_mut(Family::Ipv4, TableKind::Filter).unwrap();
        table.replace_chain("c", [rules[2].clone(), rules[0].clone(), rules[1].clone()]).unwrap();
        let report = manager.apply().unwrap();
        assert_eq!((report.rules_added, report.rules_deleted), (1, 1));
        let text = text(connect());
        let counted: Vec<&str> = text.lines().filter(|line| line.contains("-A c")).collect();
        assert_eq!(
            counted,
            [
                "[3:30] -A c -s 10.0.0.3/32 -j ACCEPT",
                "[1:10] -A c -s 10.0.0.1/32 -j ACCEPT",
                "[2:20] -A c -s 10.0.0.2/32 -j ACCEPT"
            ]
        );
    }

    /// A change costs what changed: one rule for another is two operations.
    fn a_change_sends_only_the_difference(connect) {
        let mut model = nova("nova-compute");
        (1..=50).for_each(|n| add_instance(&mut model, n, 22));
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        remove(manager.model_mut(), "$inst-7", "-p tcp --dport 22 -j ACCEPT");
        let report = settle(&mut manager);
        assert_eq!((report.rules_added, report.rules_deleted, report.chains), (0, 1, 0));
        add_instance(manager.model_mut(), 51, 443);
        let report = settle(&mut manager);
        assert_eq!((report.rules_added, report.rules_deleted, report.chains), (4, 0, 1));
        remove_chain(manager.model_mut(), "$inst-51");
        let report = settle(&mut manager);
        assert_eq!((report.rules_added, report.rules_deleted, report.chains), (0, 1, 1));
    }

    /// While deferred nothing is sent and nothing is lost.
    fn deferral_postpones(connect) {
        let mut manager = Manager::with_kernel(nova("nova-compute"), connect());
        settle(&mut manager);
        {
            let _outer = manager.model().defer();
            let inner = manager.model().defer();
            add_instance(manager.model_mut(), 1, 22);
            drop(inner);
            let report = manager.apply().unwrap();
            assert!(report.deferred && report.messages == 0);
        }
        assert!(settle(&mut manager).messages > 0);
        assert_eq!(rules(connect(), "nova-compute-local").len(), 1);
    }

    /// Plan and check change nothing, and see what apply then does.
    fn plan_and_check_change_nothing(connect) {
        let mut manager = Manager::with_kernel(nova("nova-compute"), connect());
        let generation = connect().generation().unwrap();
        let planned = manager.plan().unwrap().changes().len();
        let (checked, _) = manager.check().unwrap();
        assert_eq!(connect().generation().unwrap(), generation);
        assert_eq!(checked.changes().len(), planned);
        let report = manager.apply().unwrap();
        assert_eq!(report.messages, planned + 2);
    }

    /// A flushed chain is rebuilt once the manager looks again.
    fn what_others_destroyed_is_rebuilt(connect) {
        let mut model = nova("nova-compute");
        add_instance(&mut model, 1, 22);
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        let whole_before = text(connect());
        let mut vandal = Manager::with_kernel(whole("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"), connect());
        vandal.apply().unwrap();
        assert!(!text(connect()).contains("inst-1"));
        manager.refresh();
        manager.apply().unwrap();
        assert_eq!(text(connect()), whole_before);
    }

    /// An unwrapped chain and rule that were removed leave the kernel, also when the first try failed.
    fn removal_of_shared_things_survives_a_failure(connect) {
        let mut model = bare("agent");
        add_chain(&mut model, "shared");
        add(&mut model, "shared", "-s 10.0.0.1 -j ACCEPT");
        add(&mut model, "INPUT", "-j shared");
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        remove_chain(manager.model_mut(), "shared");
        add(manager.model_mut(), "OUTPUT", "-m set --match-set nowhere src -j ACCEPT");
        assert!(manager.apply().is_err());
        remove(manager.model_mut(), "OUTPUT", "-m set --match-set nowhere src -j ACCEPT");
        manager.apply().unwrap();
        assert_eq!(rules(connect(), "INPUT"), Vec::<String>::new());
        assert_eq!(rules(connect(), "shared"), Vec::<String>::new());
    }

    /// Removed and added again before an application: the rule is where it was added last.
    fn removed_and_added_again_is_there(connect) {
        let mut model = bare("agent");
        add_chain(&mut model, "$a");
        add(&mut model, "$a", "-s 10.0.0.1 -j ACCEPT");
        add(&mut model, "$a", "-s 10.0.0.2 -j ACCEPT");
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        remove(manager.model_mut(), "$a", "-s 10.0.0.1/32 -j ACCEPT");
        add(manager.model_mut(), "$a", "-s 10.0.0.1 -j ACCEPT");
        settle(&mut manager);
        assert_eq!(rules(connect(), "agent-a"), ["-s 10.0.0.2/32 -j ACCEPT", "-s 10.0.0.1/32 -j ACCEPT"]);
    }

    /// All tables of a family, and rules that only one family can have.
    fn both_families_and_all_tables(connect) {
        let mut model = bare("agent");
        for kind in TableKind::ALL {
            for family in Family::BOTH {
                let table = model.table_mut(family, kind).unwrap();
                table.add_chain("$c").unwrap();
                let jump = nftwrap_compat::parse::rule("-j $c", family).unwrap();
                table.add_rule("OUTPUT", nftwrap::wrap::Addition::new(jump).place(Place::Top)).unwrap();
            }
        }
        let report = settle(&mut Manager::with_kernel(model, connect()));
        assert_eq!((report.tables, report.rules_added), (10, 10));
    }
}
