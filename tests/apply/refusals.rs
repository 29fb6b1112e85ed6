//! What is refused, by us or by the kernel: nothing changes, and the error names the rule.

use nftwrap::kernel::{Errno, Fake};
use nftwrap::rule::Family;
use nftwrap::wrap::{ModelError, TableKind};
use nftwrap::{Error, Manager};

use crate::lab::Lab;
use crate::world::*;

scenarios! {
    /// A loop, a jump to nowhere and too deep a nesting are found before anything is sent.
    fn bad_jump_graphs_are_refused_before_sending(connect) {
        let loops = || {
            let mut model = bare("agent");
            for chain in ["$a", "$b", "$c"] {
                add_chain(&mut model, chain);
            }
            add(&mut model, "$a", "-j $b");
            add(&mut model, "$b", "-p tcp -g $c");
            add(&mut model, "$c", "-s 10.0.0.1 -j $a");
            model
        };
        let nowhere = || {
            let mut model = bare("agent");
            add(&mut model, "INPUT", "-j nowhere");
            model
        };
        let deep = |depth: u32| {
            let mut model = bare("agent");
            (0..=depth).for_each(|n| { add_chain(&mut model, &format!("$c{n}")); });
            add(&mut model, "INPUT", "-j $c0");
            (0..depth).for_each(|n| { add(&mut model, &format!("$c{n}"), &format!("-j $c{}", n + 1)); });
            model
        };
        let generation = connect().generation().unwrap();
        let error = |model| match Manager::with_kernel(model, connect()).apply() {
            Err(Error::Model(errors)) => errors[0].clone(),
            other => panic!("{other:?}"),
        };
        assert!(matches!(error(loops()), ModelError::Loop { .. }));
        assert!(matches!(error(nowhere()), ModelError::UnknownTarget { .. }));
        assert!(matches!(error(deep(15)), ModelError::TooDeep { .. }));
        assert_eq!(connect().generation().unwrap(), generation);
        // One less is what the kernel takes.
        Manager::with_kernel(deep(14), connect()).apply().unwrap();
    }

    /// A chain to which a rule of somebody else still jumps is not deleted, and that rule is named.
    fn a_chain_that_others_use_is_not_deleted(connect) {
        let mut model = nova("nova-compute");
        add_instance(&mut model, 1, 22);
        add_instance(&mut model, 10, 22);
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        let mut other = bare("other");
        add_chain(&mut other, "$mine");
        add(&mut other, "$mine", "-p tcp -j nova-compute-inst-1");
        settle(&mut Manager::with_kernel(other, connect()));
        let before = text(connect());
        remove_chain(manager.model_mut(), "$inst-1");
        let error = manager.apply().unwrap_err();
        assert!(error.is_busy() && error.to_string().contains("other-mine"), "{error}");
        assert_eq!(text(connect()), before);
        // Once the reference is gone the same application goes through.
        Manager::with_kernel(bare("other"), connect()).apply().unwrap();
        settle(&mut manager);
        assert_eq!(rules(connect(), "nova-compute-local"), ["-d 10.0.0.10/32 -j nova-compute-inst-10"]);
    }

    /// A rule that cannot be compiled names its chain and number.
    fn an_uncompilable_rule_is_named(connect) {
        let mut model = bare("agent");
        add_chain(&mut model, "$a");
        add(&mut model, "$a", "-j ACCEPT");
        add(&mut model, "$a", "-m set --match-set nowhere src -j ACCEPT");
        let error = Manager::with_kernel(model, connect()).apply().unwrap_err();
        let Error::Compile { location, .. } = &error else { panic!("{error}") };
        assert_eq!((location.chain.as_ref().unwrap().as_str(), location.rule), ("agent-a", Some(2)));
        assert!(error.to_string().contains("nowhere"), "{error}");
        assert!(!text(connect()).contains("agent"));
    }
}

/// The kernel says no: the rule, its chain and the expression are named, the kernel is as it was, and the same manager
/// goes on once the rule is gone.
#[test]
fn a_kernel_refusal_names_the_rule_and_changes_nothing() {
    let Some(lab) = Lab::new(&[]) else { return };
    let mut model = nova("nova-compute");
    add_instance(&mut model, 1, 22);
    let mut manager = Manager::with_kernel(model, lab.kernel());
    settle(&mut manager);
    let before = text(lab.kernel());
    add_instance(manager.model_mut(), 2, 22);
    // Only the nat table takes it.
    add(manager.model_mut(), "$inst-2", "-p tcp -j MASQUERADE");
    for _ in 0..2 {
        let error = manager.apply().unwrap_err();
        let Error::Refused(refusals) = &error else { panic!("{error}") };
        assert_eq!(refusals.len(), 1, "{error}");
        let refusal = &refusals[0];
        assert_eq!(refusal.errno, Errno::INVAL);
        assert_eq!(refusal.location.chain.as_ref().unwrap().as_str(), "nova-compute-inst-2");
        assert_eq!(refusal.location.rule, Some(4));
        assert!(refusal.expression.as_ref().unwrap().contains("MASQUERADE"), "{refusal:?}");
        assert_eq!(text(lab.kernel()), before);
        assert!(matches!(manager.check(), Err(Error::Refused(_))));
    }
    remove(manager.model_mut(), "$inst-2", "-p tcp -j MASQUERADE");
    settle(&mut manager);
    assert_eq!(rules(lab.kernel(), "nova-compute-local").len(), 2);
}

/// Another program's base chain of a built-in name is not taken for iptables'.
#[test]
fn a_foreign_base_chain_is_not_taken_over() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    lab.run("nft 'add table ip filter; add chain ip filter INPUT { type filter hook input priority 5; }'");
    let error = Manager::with_kernel(nova("nova-compute"), lab.kernel()).apply().unwrap_err();
    assert!(matches!(error, Error::Incompatible { .. }), "{error}");
    assert!(error.to_string().contains("priority 5"), "{error}");
}

/// A rule with an expression that we do not know does not keep us from our work, and survives it.
#[test]
fn rules_of_nft_in_our_tables_survive() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    lab.run(
        "nft 'add table ip filter; add chain ip filter INPUT { type filter hook input priority 0; }; \
         add rule ip filter INPUT ip saddr { 10.0.0.1, 10.0.0.2 } ct state new limit rate 5/minute reject; \
         add rule ip filter INPUT numgen inc mod 3 0 drop'",
    );
    let listing = || {
        let all = lab.run("nft list chain ip filter INPUT");
        all.lines().filter(|l| !l.contains("nova")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = listing();
    let mut manager = Manager::with_kernel(nova("nova-compute"), lab.kernel());
    settle(&mut manager);
    assert_eq!(listing(), before);
    manager.flush().unwrap();
    assert_eq!(listing(), before);
}

/// Any errno, at any time: the model keeps what was asked for and the next application brings it.
#[test]
fn a_failing_kernel_loses_nothing() {
    let fake = Fake::new();
    let mut manager = Manager::with_kernel(nova("nova-compute"), fake.connect());
    settle(&mut manager);
    for (round, errno) in [Errno::NOMEM, Errno::BUSY, Errno::INVAL, Errno::PERM].into_iter().enumerate() {
        let before = text(fake.connect());
        add_instance(manager.model_mut(), round as u32 + 1, 22);
        fake.connect().fail_next(1, errno);
        manager.kernel_mut().fail_next(1, errno);
        assert!(manager.apply().is_err());
        assert_eq!(text(fake.connect()), before);
        manager.apply().unwrap();
        assert_eq!(rules(fake.connect(), "nova-compute-local").len(), round + 1);
    }
}

/// When somebody else is always faster, we say so instead of trying for ever.
#[test]
fn endless_races_end() {
    let fake = Fake::new();
    let mut manager = Manager::with_kernel(nova("nova-compute"), fake.connect());
    let mut number = 0;
    manager.kernel_mut().before_commit(move |kernel| {
        number += 1;
        let mut model = bare("racer");
        add_chain(&mut model, &format!("$c{number}"));
        Manager::with_kernel(model, kernel.connect()).apply().unwrap();
    });
    let error = manager.apply().unwrap_err();
    assert!(error.is_stale(), "{error}");
    assert!(!text(fake.connect()).contains("nova"));
}

/// A rule of the other family cannot even be added.
#[test]
fn families_are_kept_apart() {
    let mut model = bare("agent");
    let v6 = nftwrap_compat::parse::rule("-s 2001:db8::1 -j ACCEPT", Family::Ipv6).unwrap();
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    assert!(matches!(table.add_rule("INPUT", v6), Err(ModelError::WrongFamily { .. })));
}
