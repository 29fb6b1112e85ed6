//! What is only planned or checked, what is removed, what is read anew, and the numbers that are told of it.

use nftwrap::Manager;
use nftwrap::apply::{Fallback, NativeChange};
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::{Layout, Limits, Native};
use nftwrap::name::ChainName;
use nftwrap::nft::{Family, TableFlags};
use nftwrap::transaction::{Batch, Origin};

use crate::lab::Lab;
use crate::world::*;

scenarios! {
    /// A plan and a check say what an application does, and do nothing; afterwards there is nothing left to say.
    fn a_plan_and_a_check_change_nothing(connect) {
        let mut manager = native(host(20), connect());
        for _ in 0..2 {
            let generation = connect().generation().unwrap();
            let planned = manager.plan().unwrap();
            let (checked, report) = manager.check().unwrap();
            assert!(!planned.is_empty() && report.messages > 0);
            let text = |plan: &nftwrap::apply::Plan| plan.native().iter().map(NativeChange::to_string).collect::<Vec<_>>();
            // What is checked has no listing of its rules.
            let heads = |list: Vec<String>| -> Vec<String> {
                list.iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect()
            };
            assert_eq!(heads(text(&planned)), heads(text(&checked)));
            assert_eq!(connect().generation().unwrap(), generation);
            let applied = manager.apply().unwrap();
            // Each transaction more has a beginning and an end of its own, of twenty bytes each, and eight for the generation
            // where the tables have no owner.
            let more = applied.transactions - 1;
            assert_eq!(applied.messages, report.messages + 2 * more);
            assert!([40, 48].contains(&(applied.bytes - report.bytes).checked_div(more).unwrap_or(40)));
            assert!(manager.plan().unwrap().is_empty());
            assert_eq!(manager.check().unwrap().1.messages, 0);
            // And once more with a change to what stands.
            add_instance(manager.model_mut(), 50, 22);
            add(manager.model_mut(), "$inst-3", "-p udp --dport 53 -j ACCEPT");
        }
        settle(&mut manager);
    }

    /// What is planned is listed as the kernel will have it.
    fn a_plan_lists_rules(connect) {
        let mut manager = native(host(20), connect());
        let plan = manager.plan().unwrap();
        let lines: Vec<String> = plan.native().iter().map(ToString::to_string).collect();
        let has = |part: &str| lines.iter().any(|line| line.contains(part));
        assert!(has("add chain IPv4 filter INPUT type filter hook"), "{lines:#?}");
        assert!(has("add map IPv4 filter nova-compute/map/"), "{lines:#?}");
        assert!(has(": ") && has("lookup reg"), "{lines:#?}");
    }

    /// Every fallback is in the plan, and in the report of the application that makes it.
    fn fallbacks_are_in_plan_and_report(connect) {
        let mut model = host(3);
        add(&mut model, "$local", "-m physdev --physdev-in tap0 --physdev-is-bridged -j DROP");
        add_chain(&mut model, "$ports");
        add(&mut model, "$local", "-p tcp -j $ports");
        for port in 0..40 {
            add(&mut model, "$ports", &format!("-p tcp --dport {} -j ACCEPT", 100 + 2 * port));
        }
        let settings = Native { limits: Limits { sets: 0 }, ..Native::default() };
        let mut manager = Manager::with_kernel_and_layout(model, connect(), Layout::Native(settings));
        let shown = |list: &[Fallback]| {
            let xt = list.iter().any(|f| matches!(f, Fallback::Extension { part: "physdev", rules: 1, .. }));
            let unfolded = |f: &Fallback| match f {
                Fallback::Unfolded { chain, rules, .. } => chain.as_str().ends_with("ports") && *rules >= 40,
                _ => false,
            };
            (xt, list.iter().any(unfolded))
        };
        let plan = manager.plan().unwrap();
        assert_eq!(shown(plan.fallbacks()), (true, true), "{:#?}", plan.fallbacks());
        assert!(plan.native().iter().any(|change| change.to_string().contains("(xt physdev: ")));
        let report = manager.apply().unwrap();
        assert_eq!(report.fallbacks, plan.fallbacks());
        assert!(report.fallbacks.iter().any(|fallback| fallback.to_string().contains("not folded")));
        add_instance(manager.model_mut(), 9, 22);
        assert_eq!(manager.apply().unwrap().fallbacks, []);
        settle(&mut manager);
    }

    /// Nothing is left after a flush, of which a second one finds nothing to do.
    fn a_second_flush_sends_nothing(connect) {
        let mut manager = native(host(10), connect());
        manager.apply().unwrap();
        assert!(manager.flush().unwrap().messages > 0);
        assert_eq!(manager.flush().unwrap().messages, 0);
        assert_eq!(table_names(&mut connect()), [""; 0]);
        settle(&mut manager);
    }

    /// The numbers of an application are those of its plan.
    fn the_report_counts_what_is_done(connect) {
        let mut manager = native(host(30), connect());
        let plan = manager.plan().unwrap();
        let count = |wanted: fn(&NativeChange) -> usize| plan.native().iter().map(wanted).sum::<usize>();
        let report = manager.apply().unwrap();
        assert_eq!(report.layout, "native");
        assert_eq!(report.tables, count(|c| usize::from(matches!(c, NativeChange::AddTable { .. }))));
        assert_eq!(report.chains, count(|c| usize::from(matches!(c, NativeChange::AddChain { .. }))));
        assert_eq!(report.rules_added, count(|c| usize::from(matches!(c, NativeChange::AddRule { .. }))));
        assert_eq!(report.sets, count(|c| usize::from(matches!(c, NativeChange::AddSet { .. }))));
        assert_eq!(report.elements, count(|c| match c {
            NativeChange::AddElements { elements, .. } => elements.len(),
            _ => 0,
        }));
        assert!(report.sets > 1 && report.elements > 30, "{report:?}");
        drop(manager);
        assert_eq!(Manager::with_kernel(bare("other"), connect()).apply().unwrap().layout, "iptables");
    }
}

/// Where others can change our tables, what they did is repaired once it is read; rules that stand keep their handles.
#[test]
fn a_refresh_repairs_what_others_did() {
    let mut kernel = Fake::new();
    kernel.without_table_flags(TableFlags::PERSIST | TableFlags::OWNER);
    let mut manager = native(host(20), kernel.connect());
    manager.apply().unwrap();
    let standing = kernel.to_string();
    let name =
        kernel.tables(Family::Ip).unwrap().into_iter().find(|t| t.name.as_str().ends_with("filter")).unwrap().name;
    let mut batch = Batch::begin(None);
    batch.flush_chain(Family::Ip, &name, &ChainName::new("INPUT").unwrap(), Origin(0));
    kernel.commit(&batch.seal().unwrap()).unwrap();
    assert_ne!(kernel.to_string(), standing);
    // The model has not changed.
    assert_eq!(manager.apply().unwrap().messages, 0);
    manager.refresh();
    let report = manager.apply().unwrap();
    assert!(report.rules_added > 0 && report.rules_added < 4 && report.chains == 0, "{report:?}");
    let lines = |text: &str| text.lines().map(|l| l.split(" # handle").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&kernel.to_string()), lines(&standing));
    settle(&mut manager);
}

/// The same in a group that others use, on the kernel, by somebody with `nft`.
#[test]
fn a_refresh_repairs_a_shared_group_and_leaves_what_somebody_added() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let mut manager = sharing(host(20), lab.kernel());
    manager.apply().unwrap();
    lab.run("nft flush chain ip nova-filter nova-compute-local; nft add rule ip nova-filter INPUT udp dport 9 drop");
    manager.refresh();
    manager.apply().unwrap();
    settle(&mut manager);
    assert!(lab.run("nft list chain ip nova-filter INPUT").contains("udp dport 9 drop"));
    assert!(lab.run("nft list chain ip nova-filter nova-compute-local").contains("vmap"));
    // What somebody has made by hand stays when we go.
    manager.flush().unwrap();
    assert!(lab.run("nft list chain ip nova-filter INPUT").contains("udp dport 9 drop"));
    assert!(!lab.run("nft list ruleset").contains("nova-compute"));
}
