//! What the stock `iptables-save` shows of a router, beside the dumps of the original (`tests/dumps`).
//!
//! Chains are compared by name and rules chain by chain, without counters.

use std::path::PathBuf;

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::l3_router::rules::{Release, RuleOptions};
use nftwrap::l3_router::state::*;
use nftwrap::l3_router::{metering_model, router_model, state_rules};
use nftwrap::rule::Protocol;

use crate::dump::{Dump, read};
use crate::lab::Lab;
use crate::{example, forwarding, id, rules_of, scoped};

const TOOLS: &[&str] = &["iptables-nft-save", "ip6tables-nft-save"];

fn golden(name: &str) -> Dump {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dumps/neutron-{name}.save"));
    read(&std::fs::read_to_string(file).unwrap())
}

/// Compares the tables that the dump has.
#[track_caller]
fn compare(shown: &str, name: &str) {
    let wanted = golden(name);
    let mut shown = read(shown);
    shown.retain(|(table, _), _| wanted.keys().any(|(other, _)| other == table));
    assert_eq!(shown, wanted, "{name}");
}

fn whole() -> RuleOptions {
    RuleOptions { all_tables: true, ..RuleOptions::default() }
}

#[track_caller]
fn settle(manager: &mut Manager<Live>) {
    manager.apply().unwrap();
    assert_eq!(manager.apply().unwrap().messages, 0);
    manager.refresh();
    assert_eq!(manager.apply().unwrap().messages, 0, "the kernel has what was meant");
}

/// Applies a router's rules.
fn applied(lab: &Lab, router: &Router, options: &RuleOptions) -> Manager<Live> {
    let mut model = router_model(&"neutron-l3-agent".parse().unwrap(), options).unwrap();
    state_rules(&mut model, &[], &rules_of(router, options).router).unwrap();
    let mut manager = Manager::with_kernel(model, lab.kernel());
    settle(&mut manager);
    manager
}

#[test]
fn icehouse() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    let options = RuleOptions { release: Release::Icehouse, random_fully: false, ..RuleOptions::default() };
    let mut manager = applied(&lab, &example(), &options);
    compare(&lab.stock_save("iptables-nft-save"), "7.5.v4");
    // Without the first floating address three rules are gone, and nothing else is different.
    let fewer = Router { floating: example().floating.split_off(1), ..example() };
    let (old, new) = (rules_of(&example(), &options), rules_of(&fewer, &options));
    state_rules(manager.model_mut(), &old.router, &new.router).unwrap();
    settle(&mut manager);
    let mut wanted = golden("7.5.v4");
    wanted.values_mut().for_each(|rules| rules.retain(|rule| !rule.contains("10.1.0.11")));
    assert_eq!(read(&lab.stock_save("iptables-nft-save")), wanted);
}

#[test]
fn head() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    applied(&lab, &example(), &whole());
    compare(&lab.stock_save("iptables-nft-save"), "8.3.v4");
    compare(&lab.stock_save("ip6tables-nft-save"), "8.3.v6");
}

/// Tables that nothing needs are not made unless that is asked for; what is made is the same.
#[test]
fn tables_come_with_their_first_rule() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    applied(&lab, &example(), &RuleOptions::default());
    let shown = read(&lab.stock_save("iptables-nft-save"));
    let mut wanted = golden("8.3.v4");
    wanted.retain(|(table, _), _| table != "raw");
    assert_eq!(shown, wanted);
}

#[test]
fn scopes() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    applied(&lab, &scoped(), &whole());
    compare(&lab.stock_save("iptables-nft-save"), "8.3-scopes.v4");
}

#[test]
fn port_forwardings() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    let mut router = example();
    router.forwardings = vec![
        forwarding("0d1b5cc4-4a7c-4f3e", (13, 13), (10, 10)),
        PortForwarding { protocol: Protocol::UDP, ..forwarding("1e2c6dd5-4a7c-4f3e", (13, 15), (10, 12)) },
        PortForwarding {
            internal_address: [10, 2, 0, 12].into(),
            ..forwarding("2f3d7ee6-4a7c-4f3e", (20, 25), (22, 22))
        },
    ];
    applied(&lab, &router, &whole());
    compare(&lab.stock_save("iptables-nft-save"), "8.4.v4");
}

#[test]
fn metering() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    let rule = |direction, excluded, network: &str| MeteringRule {
        direction,
        excluded,
        traffic: Traffic::Of(network.parse().unwrap()),
    };
    let rules = vec![rule(Direction::Ingress, false, "10.1.0.0/24"), rule(Direction::Egress, true, "10.1.0.9/32")];
    let label = MeteringLabel { id: id("c5df2fe5-c600-4a2b-9c3d-4e5f60718293"), rules };
    let router = Router { labels: vec![label], ..example() };
    let options = whole();
    let mut model = metering_model(&"neutron-meter".parse().unwrap(), &options).unwrap();
    state_rules(&mut model, &[], &rules_of(&router, &options).metering).unwrap();
    settle(&mut Manager::with_kernel(model, lab.kernel()));
    compare(&lab.stock_save("iptables-nft-save"), "12.v4");
}
