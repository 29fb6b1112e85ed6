//! Tables that have an owner, and what becomes of them.

use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::{Layout, Native};
use nftwrap::nft::{Chain, Family, Table, TableFlags};
use nftwrap::wrap::Model;
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

fn sharing<K>(model: Model, kernel: K) -> Manager<K> {
    let settings = Native { group: "nova".parse().ok(), shared: true, ..Native::default() };
    Manager::with_kernel_and_layout(model, kernel, Layout::Native(settings))
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
    let mut manager = native(host(20), lab.kernel());
    manager.apply().unwrap();
    if table(&mut lab.kernel()).owner.is_none() {
        return crate::lab::skip("this kernel has no tables with an owner that persist");
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
