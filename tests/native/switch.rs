//! From one layout to the other.

use nftwrap::Manager;
use nftwrap::nft::Family;
use nftwrap::wrap::TableKind;

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
}
