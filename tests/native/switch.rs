//! From one layout to the other.

use nftwrap::apply::NativeChange;
use nftwrap::layout::{Layout, Native};
use nftwrap::nft::Family;
use nftwrap::wrap::TableKind;
use nftwrap::{Error, Manager};

use crate::world::*;

scenarios! {
    /// What the component has in the tables of iptables goes in the transaction that makes its own; others' rules stay.
    fn the_native_layout_takes_the_place_of_the_other_at_once(connect) {
        let mut other = Manager::with_kernel(bare("other"), connect());
        add_chain(other.model_mut(), "$mine");
        add(other.model_mut(), "INPUT", "-p udp -j $mine");
        other.apply().unwrap();
        let mut iptables = Manager::with_kernel(host(20), connect());
        iptables.apply().unwrap();
        let generation = connect().generation().unwrap();
        let mut native = native(host(20), connect());
        native.apply().unwrap();
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        let chains = connect().chains(Family::Ip).unwrap();
        let of_iptables = |c: &&nftwrap::nft::Chain| TableKind::from_name(c.table.as_str()).is_some();
        let names: Vec<&str> = chains.iter().filter(of_iptables).map(|c| c.name.as_str()).collect();
        assert!(!names.iter().any(|name| name.starts_with("nova-")), "{names:?}");
        assert!(names.contains(&"other-mine"), "{names:?}");
        settle(&mut native);
        // A flush takes both along.
        native.flush().unwrap();
        let tables = connect().tables(Family::Ip).unwrap();
        assert!(tables.iter().all(|table| TableKind::from_name(table.name.as_str()).is_some()), "{tables:?}");
    }

    /// And the other way: the tables of iptables are filled in the transaction that takes the native ones away.
    fn the_tables_of_iptables_take_the_place_of_the_native_ones_at_once(connect) {
        let mut native = native(host(20), connect());
        native.apply().unwrap();
        let mut iptables = Manager::with_kernel(host(20), connect());
        // While a process lives that owns them they are not taken away.
        if connect().tables(Family::Ip).unwrap().iter().any(|table| table.owner.is_some()) {
            let error = iptables.apply().unwrap_err();
            assert!(matches!(error, Error::TableOwned { .. }), "{error}");
        }
        drop(native);
        let generation = connect().generation().unwrap();
        let plan = iptables.plan().unwrap();
        assert!(plan.native().iter().all(|change| matches!(change, NativeChange::DeleteTable { .. })), "{plan:?}");
        iptables.apply().unwrap();
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        assert_eq!(table_names(&mut connect()), ["filter", "mangle", "nat"]);
        assert_eq!(iptables.apply().unwrap().messages, 0);
        iptables.refresh();
        assert!(iptables.plan().unwrap().is_empty());
    }

    /// A component's part of a group that others use goes, too, and theirs stays.
    fn the_part_of_a_shared_group_is_left_behind(connect) {
        let mut theirs = sharing(host_of("nova-network", 10), connect());
        theirs.apply().unwrap();
        let mut ours = sharing(host_of("nova-compute", 10), connect());
        ours.apply().unwrap();
        drop(ours);
        let mut iptables = Manager::with_kernel(host_of("nova-compute", 10), connect());
        let generation = connect().generation().unwrap();
        iptables.apply().unwrap();
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        let chains = connect().chains(Family::Ip).unwrap();
        let of_group = |c: &&nftwrap::nft::Chain| c.table.as_str().starts_with("nova-");
        let left: Vec<&str> = chains.iter().filter(of_group).map(|c| c.name.as_str()).collect();
        assert!(!left.iter().any(|name| name.starts_with("nova-compute")), "{left:?}");
        assert!(left.contains(&"nova-network-local"), "{left:?}");
        settle(&mut theirs);
        theirs.flush().unwrap();
        assert_eq!(table_names(&mut connect()), ["filter", "mangle", "nat"]);
        // Into a group of its own again.
        drop(iptables);
        settle(&mut native(host_of("nova-compute", 10), connect()));
    }

    /// From one group to another.
    fn another_group_takes_the_place_of_the_first_at_once(connect) {
        native(host(10), connect()).apply().unwrap();
        let settings = Native { group: "other".parse().ok(), ..Native::default() };
        let mut other = Manager::with_kernel_and_layout(host(10), connect(), Layout::Native(settings));
        let generation = connect().generation().unwrap();
        other.apply().unwrap();
        assert_eq!(connect().generation().unwrap(), generation + 1, "one transaction");
        assert_eq!(table_names(&mut connect()), ["other-filter", "other-mangle", "other-nat"]);
        other.flush().unwrap();
        assert_eq!(table_names(&mut connect()), [""; 0]);
    }
}
