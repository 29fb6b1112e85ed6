//! Rules that the kernel takes in tables of iptables only.

use nftwrap::Error;
use nftwrap::apply::Fallback;
use nftwrap::compile::CompileError;
use nftwrap::kernel::Kernel;
use nftwrap::layout::Layout;
use nftwrap::nft;
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, Place, TableKind};
use nftwrap::{Manager, kernel};
use nftwrap_compat::parse;

use crate::lab::Lab;
use crate::world::*;

/// As neutron writes them: what a DHCP namespace, a helper of connections and a forwarded range of ports need.
const BOUND: [(TableKind, &str, &str); 4] = [
    (TableKind::Mangle, "POSTROUTING", "-p udp -m udp --dport 68 -j CHECKSUM --checksum-fill"),
    (TableKind::Raw, "PREROUTING", "-p tcp -m tcp --dport 21 -j CT --helper ftp"),
    (TableKind::Raw, "PREROUTING", "-m rpfilter --accept-local -j ACCEPT"),
    (TableKind::Nat, "PREROUTING", "-p tcp -m tcp --dport 13:15 -j DNAT --to-destination 10.0.0.1:10-12/13"),
];

fn put(model: &mut Model, (kind, chain, rule): (TableKind, &str, &str)) {
    let rule = parse::rule(rule, Family::Ipv4).unwrap();
    model.table_mut(Family::Ipv4, kind).unwrap().add_rule(chain, rule).unwrap();
}

fn take(model: &mut Model, (kind, chain, rule): (TableKind, &str, &str)) {
    let rule = parse::rule(rule, Family::Ipv4).unwrap();
    assert!(model.table_mut(Family::Ipv4, kind).unwrap().remove_rule(chain, &rule, Place::Normal).unwrap());
}

fn tables<K: Kernel>(kernel: &mut K) -> Vec<String> {
    let mut names: Vec<String> =
        kernel.tables(nft::Family::Ip).unwrap().iter().map(|table| table.name.to_string()).collect();
    names.sort();
    names
}

/// How many rules a table has.
fn rules<K: Kernel>(kernel: &mut K, table: &str) -> usize {
    kernel.rules(nft::Family::Ip, &table.parse().unwrap(), None).unwrap().len()
}

scenarios! {
    /// Its table stands with those of iptables as a whole, the others are native, and both come in one transaction.
    fn each_such_rule_takes_its_table_along(connect) {
        for bound in BOUND {
            let mut model = host(10);
            put(&mut model, bound);
            put(&mut model, (bound.0, bound.1, "-s 10.9.9.9 -j RETURN"));
            let generation = connect().generation().unwrap();
            let mut manager = native(model, connect());
            let plan = manager.plan().unwrap();
            let said = |f: &Fallback| matches!(f, Fallback::Table { table, .. } if table.kind == bound.0);
            assert!(plan.fallbacks().iter().any(said), "{:?}", plan.fallbacks());
            let report = settle(&mut manager);
            assert!(report.fallbacks.iter().any(said));
            assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
            let found = tables(&mut connect());
            assert!(found.contains(&"nova-compute-filter".to_owned()), "{found:?}");
            assert!(found.contains(&bound.0.to_string()), "{found:?}");
            assert!(!found.contains(&format!("nova-compute-{}", bound.0)), "{found:?}");
            // A new process finds all of it as it is.
            let (model, kernel) = manager.into_parts();
            drop(kernel);
            let mut next = native(model, connect());
            assert!(next.plan().unwrap().changes().is_empty());
            settle(&mut next);
            next.flush().unwrap();
            let left = tables(&mut connect());
            assert!(!left.iter().any(|name| name.starts_with("nova-")), "{left:?}");
            left.iter().for_each(|table| assert_eq!(rules(&mut connect(), table), 0, "{table}"));
        }
    }

    /// A table that stood in the group moves when such a rule comes, and back when the last of them goes.
    fn a_table_moves_when_it_must_and_back_when_it_can(connect) {
        let mut manager = native(host(10), connect());
        put(manager.model_mut(), (TableKind::Mangle, "POSTROUTING", "-s 10.9.9.9 -j RETURN"));
        manager.apply().unwrap();
        assert!(tables(&mut connect()).contains(&"nova-compute-mangle".to_owned()));
        let generation = connect().generation().unwrap();
        put(manager.model_mut(), BOUND[0]);
        settle(&mut manager);
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        assert!(!tables(&mut connect()).contains(&"nova-compute-mangle".to_owned()));
        assert_eq!(rules(&mut connect(), "mangle"), 3, "two, and nova's jump");

        // A change of another table does not look at it; one of its own is all that is sent.
        add_instance(manager.model_mut(), 40, 22);
        assert_eq!(manager.apply().unwrap().rules_added, 0);
        put(manager.model_mut(), (TableKind::Mangle, "POSTROUTING", "-s 10.9.9.8 -j RETURN"));
        let report = settle(&mut manager);
        assert_eq!((report.rules_added, report.elements), (1, 0), "{report:?}");

        let second = (TableKind::Mangle, "POSTROUTING", "-p udp -m udp --dport 69 -j CHECKSUM --checksum-fill");
        put(manager.model_mut(), second);
        settle(&mut manager);
        take(manager.model_mut(), BOUND[0]);
        settle(&mut manager);
        assert_eq!(rules(&mut connect(), "mangle"), 4);
        let generation = connect().generation().unwrap();
        take(manager.model_mut(), second);
        settle(&mut manager);
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        assert!(tables(&mut connect()).contains(&"nova-compute-mangle".to_owned()));
        assert_eq!(rules(&mut connect(), "mangle"), 0);
    }

    /// Other programs' rules in the tables of iptables stay, and their changes are noticed.
    fn others_stay_in_the_tables_of_iptables(connect) {
        let mut other = Manager::with_kernel(bare("other"), connect());
        put(other.model_mut(), (TableKind::Mangle, "POSTROUTING", "-p icmp -j RETURN"));
        other.apply().unwrap();
        let mut manager = native(host(10), connect());
        put(manager.model_mut(), BOUND[0]);
        settle(&mut manager);
        put(other.model_mut(), (TableKind::Mangle, "POSTROUTING", "-p udp -j RETURN"));
        other.apply().unwrap();
        put(manager.model_mut(), (TableKind::Mangle, "POSTROUTING", "-p tcp -j RETURN"));
        settle(&mut manager);
        assert_eq!(rules(&mut connect(), "mangle"), 5, "two of each, and nova's jump");
        manager.flush().unwrap();
        assert_eq!(rules(&mut connect(), "mangle"), 2);
    }

    /// Without a component there is nothing to tell our rules there from others: the rule is named, and nothing sent.
    fn a_model_of_whole_tables_is_told_what_does_not_fit(connect) {
        let mut model = Model::whole();
        put(&mut model, BOUND[0]);
        let mut manager = native(model, connect());
        let error = manager.apply().unwrap_err();
        let Error::Compile { source: CompileError::OtherTable { part: "CHECKSUM", tables, .. }, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(tables, ["mangle"]);
        assert!(connect().tables(nft::Family::Ip).unwrap().is_empty());
    }
}

/// iptables reads what stands there.
#[test]
fn iptables_lists_the_table_that_stands_beside() {
    let Some(lab) = Lab::new(&["iptables-nft"]) else { return };
    let mut manager = Manager::with_kernel_and_layout(host(10), lab.kernel(), Layout::native());
    put(manager.model_mut(), BOUND[0]);
    manager.apply().unwrap();
    let (code, text, complaint) = lab.feed(&["iptables-nft", "-t", "mangle", "-S", "POSTROUTING"], "");
    assert_eq!(code, 0, "{complaint}");
    assert!(text.contains("-p udp -m udp --dport 68 -j CHECKSUM --checksum-fill"), "{text}");
    let kernel: &mut kernel::Live = manager.kernel_mut();
    assert!(tables(kernel).contains(&"nova-compute-filter".to_owned()));
}
