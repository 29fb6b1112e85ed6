//! What the stock tools show, beside the reference's example (9.8), and what each change sends (81, 82).

use std::path::PathBuf;

use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::virt_firewall::RuleInput;
use nftwrap::virt_firewall::ports::{Driver, Port};

use crate::dump::{Dump, read};
use crate::lab::Lab;
use crate::world::*;

const TOOLS: &[&str] = &["iptables-save", "ip6tables-save", "ipset"];
const SAVE: [(&str, &str); 2] = [("iptables-save", "v4"), ("ip6tables-save", "v6")];

struct Host {
    world: World<Live>,
    lab: Lab,
}

impl Host {
    /// The two ports of the example, applied together.
    fn example(driver: Driver) -> Option<Self> {
        let lab = Lab::new(TOOLS)?;
        let world = World::over(lab.kernel(), Layout::Iptables, settings(&Layout::Iptables, driver));
        let host = Self { world, lab };
        let mut rules = example_rules();
        rules.splice(2..2, own_members());
        let firewall = &host.world.firewall;
        let deferral = firewall.defer();
        let _ = firewall.update_security_group_rules(group(GROUP, &rules));
        let members = ["10.0.0.11", "10.0.0.12", "2001:db8::11", "2001:db8::12"].map(net);
        let _ = firewall.update_security_group_members(&group_id(GROUP), members);
        let tickets = firewall.prepare_all([port_b(), port_a()]);
        drop(deferral);
        for (_, ticket) in tickets {
            ticket.unwrap().wait().unwrap();
        }
        host.world.settled();
        Some(host)
    }

    fn dumps(&self) -> [Dump; 2] {
        SAVE.map(|(command, _)| read(&self.lab.stock_save(command)))
    }
}

fn golden(family: &str) -> Dump {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dumps/neutron-9.8.{family}.save"));
    read(&std::fs::read_to_string(file).unwrap())
}

/// The dumps of the example, but for tables that it leaves out.
#[track_caller]
fn compare(shown: [Dump; 2], change: impl Fn(&mut Dump)) {
    for (mut shown, (_, family)) in shown.into_iter().zip(SAVE) {
        let mut wanted = golden(family);
        change(&mut wanted);
        shown.retain(|(table, _), _| wanted.keys().any(|(other, _)| other == table));
        assert_eq!(shown, wanted, "{family}");
    }
}

/// 9.8.
#[test]
fn two_ports_of_the_hybrid_driver() {
    let Some(host) = Host::example(Driver::Hybrid) else { return };
    compare(host.dumps(), |_| {});
    let sets = host.lab.quietly(&["ipset", "save"], "");
    let mut lines: Vec<String> = sets.lines().map(|line| line.split(" hashsize").next().unwrap().to_owned()).collect();
    lines.sort();
    let name = |family: &str| format!("N{family}5f7f4c1e-9a3b-4c8d-8e21-");
    let (four, six) = (name("IPv4"), name("IPv6"));
    let wanted = [
        format!("add {four} 10.0.0.11"),
        format!("add {four} 10.0.0.12"),
        format!("add {six} 2001:db8::11"),
        format!("add {six} 2001:db8::12"),
        format!("create {four} hash:net family inet"),
        format!("create {six} hash:net family inet6"),
    ];
    assert_eq!(lines, wanted);
}

/// 9.8, its second half: other bridge devices, one zone, other comments.
#[test]
fn two_ports_of_the_plain_driver() {
    let Some(host) = Host::example(Driver::Plain) else { return };
    compare(host.dumps(), |wanted| {
        for ((table, _), rules) in wanted {
            if table == "raw" {
                for rule in rules {
                    for (from, to) in [
                        ("qvbc0ffee01-1a", "brq77aa88bb-00"),
                        ("qvbdeadbe02-5a", "brq77aa88bb-00"),
                        ("4098", "4097"),
                        (&format!("for {A}"), "for 0ffee01-1a"),
                        (&format!("for {B}"), "for eadbe02-5a"),
                    ] {
                        *rule = rule.replace(from, to);
                    }
                }
            }
        }
    });
}

/// 9.8, deltas: a port removed; port security switched off; the last member gone.
#[test]
fn a_change_sends_what_changes() {
    let Some(host) = Host::example(Driver::Hybrid) else { return };
    let firewall = &host.world.firewall;
    let report = firewall.remove(&id(A)).unwrap().wait().unwrap();
    // 5 rules in chains that stay, 2 in nat and 3 in raw, in each family; the three chains go whole.
    assert_eq!((report.rules_added, report.rules_deleted), (0, 2 * (5 + 2 + 3)));
    assert_eq!(report.chains, 2 * 3);
    for dump in host.dumps() {
        assert!(!format!("{dump:?}").contains("c0ffee01-1"));
    }
    let off = Port { port_security: false, ..port_b() };
    let report = firewall.update(off).unwrap().unwrap().wait().unwrap();
    assert_eq!((report.rules_added, report.rules_deleted), (2 * 3, 2 * (5 + 3)));
    for dump in host.dumps() {
        assert!(!format!("{dump:?}").contains("sdeadbe02"));
        let text = format!("{dump:?}");
        assert_eq!(text.matches("Accept all packets when port security is disabled.").count(), 3, "{text}");
    }
    assert!(host.lab.quietly(&["ipset", "save"], "").is_empty(), "the sets went after the rules");
    host.world.settled();
}

/// 9.7: a rule that goes from a group of two ports is two deletions; 81: one that takes another's place is one of each.
#[test]
fn a_rule_of_a_group_is_sent_for_each_port() {
    let Some(host) = Host::example(Driver::Hybrid) else { return };
    let firewall = &host.world.firewall;
    let rules = |inputs: &[RuleInput<'_>]| {
        let reports = firewall.update_security_group_rules(group(GROUP, inputs)).wait().unwrap();
        let [report] = &*reports else { panic!("{reports:?}") };
        host.world.settled();
        (report.rules_added, report.rules_deleted)
    };
    let mut inputs = example_rules();
    inputs.splice(2..2, own_members());
    inputs.remove(0);
    assert_eq!(rules(&inputs), (0, 2));
    firewall.remove(&id(B)).unwrap().wait().unwrap();
    let mut every: Vec<RuleInput<'_>> = Vec::new();
    for protocol in ["tcp", "udp", "sctp", "dccp", "udplite"] {
        for (from, to) in [(10, 10), (10, 100), (0, 100), (0, 65535)] {
            every.push(ports(ingress("IPv4", protocol), from, to));
            every.push(ports(ingress("IPv6", protocol), from, to));
        }
    }
    for protocol in ["", "icmp", "1", "vrrp", "encap", "98", "4", "94", "ah", "gre", "rsvp"] {
        every.push(ingress("IPv4", protocol));
    }
    rules(&every);
    let mut tcp: Vec<_> = (1..=11).map(|n| ports(ingress("IPv4", "tcp"), n, n)).collect();
    rules(&tcp);
    tcp[5] = ports(ingress("IPv4", "udp"), 6, 6);
    assert_eq!(rules(&tcp), (1, 1));
    let [v4, _] = host.dumps();
    let chain = &v4[&("filter".to_owned(), format!("{COMPONENT}-ic0ffee01-1"))];
    assert!(chain[7].contains("-p udp -m udp --dport 6 "), "{chain:?}");
}

/// 82: rules stand in their order, without others between, however they came there.
#[test]
fn rules_of_a_group_keep_their_order() {
    let Some(host) = Host::example(Driver::Hybrid) else { return };
    let shows = |numbers: &[i64]| {
        let rules: Vec<_> = numbers.iter().map(|&n| ports(ingress("IPv4", "tcp"), n, n)).collect();
        host.world.rules_of(&rules);
        let [v4, _] = host.dumps();
        let chain = &v4[&("filter".to_owned(), format!("{COMPONENT}-ic0ffee01-1"))];
        let wanted: Vec<String> =
            numbers.iter().map(|n| format!("{COMPONENT}-ic0ffee01-1 -p tcp -m tcp --dport {n} -j RETURN")).collect();
        assert_eq!(chain[2..chain.len() - 2], wanted);
    };
    let mut numbers: Vec<i64> = (1..=11).collect();
    shows(&numbers);
    numbers.remove(5);
    numbers.insert(2, 99);
    shows(&numbers);
    numbers.reverse();
    shows(&numbers);
}
