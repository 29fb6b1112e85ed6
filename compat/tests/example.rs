//! The runnable examples do what they say.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a failed test is a panic")]

#[path = "../examples/instance_firewall.rs"]
mod instance_firewall;
#[path = "../../tests/support/lab.rs"]
mod lab;
#[path = "../examples/router.rs"]
mod router;

/// Its namespaces are its own, so all that it takes is the privilege.
#[test]
fn a_router_with_floating_addresses_and_an_update_that_fails() {
    if lab::Lab::new(&[]).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let told = router::run(directory.path()).unwrap();
    for line in [
        "guest 1 is seen outside as 203.0.113.10",
        "guest 1 is seen outside as 203.0.113.101",
        "guest 2 reaches guest 1 by 203.0.113.101 as 203.0.113.102",
        "outside reaches guest 2 by 203.0.113.102 as 203.0.113.1",
        "nothing has changed",
    ] {
        assert!(told.iter().any(|told| told == line), "{line}: {told:?}");
    }
    assert!(
        told.iter().any(|line| line.starts_with("refused: ") && line.contains("neutron-l3-agent-cth-c5df2fe")),
        "{told:?}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "no namespace is left");
}

/// In both layouts; nothing but the group decides who is open.
#[test]
fn instances_whose_group_is_opened_and_closed() {
    if lab::Lab::new(&[]).is_none() {
        return;
    }
    for layout in [nftwrap::layout::Layout::Iptables, nftwrap::layout::Layout::native()] {
        let told = instance_firewall::run(layout).unwrap();
        let state = |states: [&str; 3]| -> String {
            (1..).zip(states).map(|(number, state)| format!(" {number} ping {state} ssh {state};")).collect()
        };
        let closed = state(["closed"; 3]);
        for line in [
            format!("three instances:{closed}"),
            format!("the group is open:{}", state(["open", "closed", "open"])),
            format!("the group is closed:{closed}"),
            format!("instance 3 is gone:{}", state(["closed", "closed", "open"])),
        ] {
            assert!(told.contains(&line), "{line}: {told:#?}");
        }
        assert!(told.iter().any(|line| line.starts_with("rejected: rule 3 of security group web: ")), "{told:#?}");
    }
}
