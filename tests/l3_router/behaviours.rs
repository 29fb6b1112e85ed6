//! The rules of a router, without a kernel.

use nftwrap::l3_router::rules::{RuleOptions, RuleSet};
use nftwrap::l3_router::state::*;
use nftwrap::l3_router::{metering_model, router_model, state_rules};
use nftwrap::rule::{Family, Protocol};
use nftwrap::wrap::{ChainKey, Model, TableKind};
use nftwrap_compat::print;

use Family::{Ipv4, Ipv6};
use TableKind::{Filter, Mangle, Nat, Raw};

use crate::{FIXED, QG, QR1, QR2, example, forwarding, id, plain, rules_of, scoped};

fn options() -> RuleOptions {
    RuleOptions::default()
}

fn agent(rules: &RuleSet) -> Model {
    let mut model = router_model(&"neutron-l3-agent".parse().unwrap(), &options()).unwrap();
    state_rules(&mut model, &[], &rules.router).unwrap();
    model
}

fn meter(rules: &RuleSet) -> Model {
    let mut model = metering_model(&"neutron-meter".parse().unwrap(), &options()).unwrap();
    state_rules(&mut model, &[], &rules.metering).unwrap();
    model
}

fn model(router: &Router) -> Model {
    agent(&rules_of(router, &options()))
}

/// The rules of a wrapped chain as text; `W` stands for the component.
fn chain(model: &Model, family: Family, kind: TableKind, name: &str) -> Vec<String> {
    let component = format!("{}-", model.component().unwrap());
    let Some(chain) = model.table(family, kind).and_then(|table| table.chain(ChainKey::Wrapped(name))) else {
        return Vec::new();
    };
    let line = |entry: &nftwrap::wrap::Entry| {
        let mut line = String::new();
        print::rule_into(&mut line, entry.rule(), family);
        line.trim_start().replace(&component, "W-")
    };
    chain.rules().map(line).collect()
}

/// 36, 37.
#[test]
fn metadata_is_marked_let_in_and_redirected() {
    let model = model(&plain());
    for (family, address) in [(Ipv4, "169.254.169.254/32"), (Ipv6, "fe80::a9fe:a9fe/128")] {
        let input = ["-m mark --mark 0x1/0xffff -j ACCEPT", "-p tcp -m tcp --dport 9697 -j DROP"];
        assert_eq!(chain(&model, family, Filter, "INPUT"), input);
        let redirect = format!("-d {address} -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697");
        assert_eq!(chain(&model, family, Nat, "PREROUTING"), [redirect]);
    }
}

/// As long as nothing answers, questions are dropped in a chain that scopes do not empty.
#[test]
fn metadata_that_are_blocked_are_dropped() {
    let router = Router { metadata: Metadata::Blocked { port: 9697 }, ..scoped() };
    let model = model(&router);
    for family in Family::BOTH {
        assert_eq!(chain(&model, family, Filter, "FORWARD"), ["-j W-scope", "-j W-metadata"]);
        assert_eq!(chain(&model, family, Filter, "metadata"), ["-m mark --mark 0x1/0xffff -j DROP"]);
        assert!(!chain(&model, family, Nat, "PREROUTING").iter().any(|rule| rule.contains("REDIRECT")));
    }
    let open = self::model(&Router { metadata: Metadata::Off, ..plain() });
    assert!(chain(&open, Ipv4, Filter, "INPUT").is_empty());
    assert!(!chain(&open, Ipv4, Mangle, "PREROUTING").iter().any(|rule| rule.contains("169.254")));
}

/// 38.
#[test]
fn metadata_stays_as_it_is() {
    let (old, new) = (rules_of(&plain(), &options()), rules_of(&example(), &options()));
    let mut model = agent(&old);
    model.mark_applied();
    state_rules(&mut model, &old.router, &new.router).unwrap();
    let dirty: Vec<String> = model.dirty().map(|(_, name)| name.to_string()).collect();
    let nat = ["OUTPUT", "PREROUTING", "float-snat"].map(|name| format!("neutron-l3-agent-{name}"));
    assert_eq!(dirty, nat, "the chains of floating addresses change, and no other");
    assert_eq!(chain(&model, Ipv4, Filter, "INPUT").len(), 2);
    state_rules(&mut model, &new.router, &new.router).unwrap();
    assert_eq!(chain(&model, Ipv4, Filter, "INPUT").len(), 2);
}

/// 39, 40.
#[test]
fn source_translation() {
    let model = model(&plain());
    let snat = [
        "-j W-float-snat".to_owned(),
        format!("-o {QG} -j SNAT --to-source 203.0.113.10 --random-fully"),
        "-m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT -j SNAT --to-source 203.0.113.10 --random-fully"
            .into(),
    ];
    assert_eq!(chain(&model, Ipv4, Nat, "snat"), snat);
    let mark = format!("-i {QG} -j MARK --set-xmark 0x2/0xffff");
    assert_eq!(chain(&model, Ipv4, Mangle, "mark"), [mark]);
    // A gateway that has IPv6 only translates nothing.
    let mut router = plain();
    router.gateway.as_mut().unwrap().addresses = vec!["2001:db8::10/64".parse().unwrap()];
    router.gateway.as_mut().unwrap().next_hops.clear();
    let model = self::model(&router);
    assert_eq!(chain(&model, Ipv4, Nat, "snat"), ["-j W-float-snat"]);
    assert!(chain(&model, Ipv4, Nat, "POSTROUTING").is_empty());
}

/// 41.
#[test]
fn switching_source_translation_is_two_rules() {
    for random_fully in [true, false] {
        let options = RuleOptions { random_fully, ..options() };
        let mut off = example();
        off.gateway.as_mut().unwrap().snat = false;
        let flat = |router: &Router| -> Vec<_> {
            let rules = rules_of(router, &options).router.into_iter();
            rules.flat_map(|chain| chain.rules.into_iter().map(move |rule| (chain.family, chain.table, rule))).collect()
        };
        let (on, off) = (flat(&example()), flat(&off));
        let lost: Vec<TableKind> = on.iter().filter(|rule| !off.contains(rule)).map(|(_, table, _)| *table).collect();
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(lost.contains(&Nat) && lost.contains(&Mangle));
        // The gateway lets out any scope while it translates.
        let came: Vec<TableKind> = off.iter().filter(|rule| !on.contains(rule)).map(|(_, table, _)| *table).collect();
        assert_eq!(came, [Filter]);
        let shown = format!("{on:?}");
        assert_eq!(shown.contains("RANDOM_FULLY"), random_fully);
    }
}

/// 42, 43.
#[test]
fn floating_addresses_replace_each_other() {
    let sets = [plain(), example(), plain()].map(|router| rules_of(&router, &options()));
    let mut model = agent(&sets[0]);
    assert!(chain(&model, Ipv4, Nat, "float-snat").is_empty());
    state_rules(&mut model, &sets[0].router, &sets[1].router).unwrap();
    let asked = |floating: &str, fixed: &str| format!("-d {floating}/32 -j DNAT --to-destination {fixed}");
    let output = [asked("203.0.113.101", "10.1.0.11"), asked("203.0.113.102", "10.2.0.12")];
    assert_eq!(chain(&model, Ipv4, Nat, "OUTPUT"), output);
    assert_eq!(chain(&model, Ipv4, Nat, "PREROUTING")[..2], output);
    let sent = |fixed: &str, floating: &str| format!("-s {fixed}/32 -j SNAT --to-source {floating} --random-fully");
    let float_snat = [sent("10.1.0.11", "203.0.113.101"), sent("10.2.0.12", "203.0.113.102")];
    assert_eq!(chain(&model, Ipv4, Nat, "float-snat"), float_snat);
    state_rules(&mut model, &sets[1].router, &sets[2].router).unwrap();
    assert!(chain(&model, Ipv4, Nat, "float-snat").is_empty() && chain(&model, Ipv4, Nat, "OUTPUT").is_empty());
}

/// 44.
#[test]
fn floating_addresses_of_another_scope() {
    let model = model(&scoped());
    let marked = "-d 203.0.113.101/32 -j MARK --set-xmark 0x4020000/0xffff0000";
    assert_eq!(chain(&model, Ipv4, Mangle, "floatingip"), [marked]);
    assert_eq!(chain(&model, Ipv4, Mangle, "FORWARD"), ["-s 10.1.0.11/32 -j W-float-snat"]);
    let leaves = |device: &str| format!("-o {device} -j MARK --set-xmark 0x4010000/0xffff0000");
    assert_eq!(chain(&model, Ipv4, Mangle, "float-snat")[1..], [leaves(QG), leaves(QR2)]);
    let same = self::model(&example());
    assert!(chain(&same, Ipv4, Mangle, "floatingip").is_empty());
    assert!(chain(&same, Ipv4, Mangle, "FORWARD").is_empty());
    let gone = self::model(&Router { floating: Vec::new(), ..scoped() });
    assert!(chain(&gone, Ipv4, Mangle, "floatingip").is_empty());
    assert_eq!(chain(&gone, Ipv4, Mangle, "float-snat").len(), 1);
}

/// 46.
#[test]
fn each_router_counts_scopes_anew() {
    let expected = format!("-i {QR1} -j MARK --set-xmark 0x4020000/0xffff0000");
    for _ in 0..2 {
        assert_eq!(chain(&model(&scoped()), Ipv4, Mangle, "scope")[0], expected);
    }
}

/// 47.
#[test]
fn the_frame_of_scopes() {
    let restore =
        "-m connmark ! --mark 0x0/0xffff0000 -j CONNMARK --restore-mark --nfmask 0xffff0000 --ctmask 0xffff0000";
    let save = "-m connmark --mark 0x0/0xffff0000 -j CONNMARK --save-mark --nfmask 0xffff0000 --ctmask 0xffff0000";
    for role in [Role::Centralized, Role::Snat] {
        let model = model(&Router { role, metadata: Metadata::Off, floating: Vec::new(), ..plain() });
        let v4 = ["-j W-mark", "-j W-scope", restore, "-j W-floatingip"];
        assert_eq!(chain(&model, Ipv4, Mangle, "PREROUTING"), v4);
        assert_eq!(chain(&model, Ipv6, Mangle, "PREROUTING"), ["-j W-scope", restore]);
        assert_eq!(chain(&model, Ipv4, Mangle, "float-snat"), [save]);
        for family in Family::BOTH {
            assert_eq!(chain(&model, family, Filter, "FORWARD"), ["-j W-scope"]);
        }
    }
}

/// Both families are written from one description.
#[test]
fn scopes_of_ipv6() {
    let mut router = plain();
    for port in &mut router.ports {
        port.addresses.push("2001:db8:1::1/64".parse().unwrap());
        port.scopes.v6 = Some(id("S"));
    }
    router.ports[1].addresses[1] = "2001:db8:2::1/64".parse().unwrap();
    let gateway = router.gateway.as_mut().unwrap();
    gateway.addresses.push("2001:db8::10/64".parse().unwrap());
    let model = model(&router);
    let mark = |device: &str, mark: &str| format!("-i {device} -j MARK --set-xmark {mark}/0xffff0000");
    let expected = [mark(QR1, "0x4010000"), mark(QR2, "0x4010000"), mark(QG, "0x4000000")];
    assert_eq!(chain(&model, Ipv6, Mangle, "scope"), expected);
    let leave = |device: &str, mark: &str| format!("-o {device} -m mark ! --mark {mark}/0xffff0000 -j DROP");
    let expected = [leave(QR1, "0x4010000"), leave(QR2, "0x4010000"), leave(QG, "0x4000000")];
    assert_eq!(chain(&model, Ipv6, Filter, "scope"), expected, "IPv6 is not translated, so the gateway drops as well");
    assert_eq!(chain(&model, Ipv4, Filter, "scope").len(), 2);
}

/// 49. Rules of a gateway that went with the last floating address go with it.
#[test]
fn chains_without_a_gateway_are_empty() {
    let with = rules_of(&example(), &options());
    let without = rules_of(&Router { gateway: None, ..example() }, &options());
    let mut model = agent(&with);
    for name in ["POSTROUTING", "snat", "float-snat"] {
        assert!(!chain(&model, Ipv4, Nat, name).is_empty(), "{name}");
    }
    state_rules(&mut model, &with.router, &without.router).unwrap();
    for name in ["POSTROUTING", "float-snat", "OUTPUT"] {
        assert!(chain(&model, Ipv4, Nat, name).is_empty(), "{name}");
    }
    assert_eq!(chain(&model, Ipv4, Nat, "snat"), ["-j W-float-snat"]);
    assert_eq!(chain(&model, Ipv4, Nat, "PREROUTING").len(), 1, "metadata stay");
    assert!(chain(&model, Ipv4, Mangle, "mark").is_empty());
}

fn on_a_compute_node(external: Option<&str>) -> Router {
    let external = external.map(|name| name.parse().unwrap());
    Router { role: Role::Compute { external }, ..scoped() }
}

/// 50.
#[test]
fn floating_addresses_on_a_compute_node() {
    let mut router = on_a_compute_node(Some("rfp-6b3d5a1e-8"));
    router.floating[1].at_snat = true;
    let model = model(&router);
    let asked = "-d 203.0.113.101/32 -i rfp-6b3d5a1e-8 -j DNAT --to-destination 10.1.0.11";
    assert_eq!(chain(&model, Ipv4, Nat, "PREROUTING")[0], asked);
    assert!(chain(&model, Ipv4, Nat, "OUTPUT").is_empty());
    let sent = "-s 10.1.0.11/32 -j SNAT --to-source 203.0.113.101 --random-fully";
    assert_eq!(chain(&model, Ipv4, Nat, "float-snat"), [sent]);
    let marked = "-d 203.0.113.101/32 -i rfp-6b3d5a1e-8 -j MARK --set-xmark 0x4020000/0xffff0000";
    assert_eq!(chain(&model, Ipv4, Mangle, "floatingip"), [marked]);
    let nowhere = self::model(&on_a_compute_node(None));
    assert!(chain(&nowhere, Ipv4, Nat, "float-snat").is_empty());
    assert!(!chain(&nowhere, Ipv4, Nat, "PREROUTING").iter().any(|rule| rule.contains("DNAT")));
    // Those that the other part translates are there, with OUTPUT.
    let snat = self::model(&Router { role: Role::Snat, ..router });
    assert_eq!(chain(&snat, Ipv4, Nat, "OUTPUT"), ["-d 203.0.113.102/32 -j DNAT --to-destination 10.2.0.12"]);
    assert_eq!(chain(&snat, Ipv4, Nat, "snat").len(), 4);
}

/// 51.
#[test]
fn no_source_translation_on_a_compute_node() {
    let rfp = "rfp-6b3d5a1e-8";
    let with = model(&on_a_compute_node(Some(rfp)));
    assert_eq!(chain(&with, Ipv4, Nat, "snat"), ["-j W-float-snat"]);
    let stays = format!("! -o {rfp} -m conntrack ! --ctstate DNAT -j ACCEPT");
    assert_eq!(chain(&with, Ipv4, Nat, "POSTROUTING"), [stays]);
    for router in [
        Router { floating: Vec::new(), ..on_a_compute_node(Some(rfp)) },
        Router { gateway: None, ..on_a_compute_node(Some(rfp)) },
        on_a_compute_node(None),
    ] {
        let model = model(&router);
        assert!(chain(&model, Ipv4, Nat, "snat").is_empty() && chain(&model, Ipv4, Nat, "POSTROUTING").is_empty());
    }
}

/// 52.
#[test]
fn port_forwardings() {
    for (internal, external, asked, target) in [
        ((10, 10), (13, 13), "13", "10"),
        ((10, 12), (13, 15), "13:15", "10-12/13"),
        ((10, 12), (13, 16), "13:16", "10-12/13"),
        ((9, 12), (13, 15), "13:15", "9-12/13"),
        ((10, 10), (13, 15), "13:15", "10"),
        ((10, 12), (13, 13), "13", "10-12"),
    ] {
        let router = Router { forwardings: vec![forwarding("0d1b5cc4-4a7c", external, internal)], ..plain() };
        let model = model(&router);
        assert_eq!(chain(&model, Ipv4, Nat, "PREROUTING").last().unwrap(), "-j W-fip-pf");
        assert_eq!(chain(&model, Ipv4, Nat, "fip-pf"), ["-j W-pf-0d1b5cc4"]);
        let rule =
            format!("-d 203.0.113.103/32 -p tcp -m tcp --dport {asked} -j DNAT --to-destination {FIXED}:{target}");
        assert_eq!(chain(&model, Ipv4, Nat, "pf-0d1b5cc4"), [rule]);
        let differ = [((10, 12), (13, 16)), ((9, 12), (13, 15))].contains(&(internal, external));
        assert_eq!(router.forwardings[0].sizes_differ(), differ);
    }
}

/// Chains of forwardings whose identifiers start alike are two all the same, and go with them.
#[test]
fn chains_are_not_cut_to_the_same_name() {
    let (one, two) = (forwarding("0d1b5cc4-1111", (1, 1), (1, 1)), forwarding("0d1b5cc4-2222", (2, 2), (2, 2)));
    let sets = [vec![one.clone()], vec![one, two], Vec::new()];
    let sets = sets.map(|forwardings| rules_of(&Router { forwardings, ..plain() }, &options()));
    let mut model = agent(&sets[0]);
    state_rules(&mut model, &sets[0].router, &sets[1].router).unwrap();
    let jumps = chain(&model, Ipv4, Nat, "fip-pf");
    assert_eq!(jumps.len(), 2);
    assert_ne!(jumps[0], jumps[1]);
    assert!(chain(&model, Ipv4, Nat, "pf-0d1b5cc4").is_empty());
    state_rules(&mut model, &sets[1].router, &sets[2].router).unwrap();
    let table = model.table(Ipv4, Nat).unwrap();
    assert!(!table.chains().any(|chain| chain.name().as_str().contains("pf")), "{table:?}");
    assert!(model.check(|_, _| false).is_ok());
}

/// 54.
#[test]
fn conntrack_helpers() {
    let helper = ConntrackHelper {
        id: id("c5df2fe5-c600-4a2b"),
        protocol: Protocol::UDP,
        port: 69,
        helper: HelperName::new("tftp").unwrap(),
    };
    let model = model(&Router { helpers: vec![helper], ..plain() });
    for family in Family::BOTH {
        assert_eq!(chain(&model, family, Raw, "PREROUTING"), ["-j W-cth"]);
        assert_eq!(chain(&model, family, Raw, "cth"), ["-j W-cth-c5df2fe"]);
        assert_eq!(chain(&model, family, Raw, "cth-c5df2fe"), ["-p udp -m udp --dport 69 -j CT --helper tftp"]);
    }
}

fn label(rules: Vec<MeteringRule>) -> Vec<MeteringLabel> {
    vec![MeteringLabel { id: id("c5df2fe5-c600-4a2b-9c3d"), rules }]
}

fn metered(direction: Direction, excluded: bool, network: &str) -> MeteringRule {
    MeteringRule { direction, excluded, traffic: Traffic::Of(network.parse().unwrap()) }
}

/// 91.
#[test]
fn metering_has_a_component_of_its_own() {
    let router = Router { labels: label(Vec::new()), ..example() };
    let rules = rules_of(&router, &options());
    let model = meter(&rules);
    assert!(model.table(Ipv4, Mangle).is_none() && model.table(Ipv4, Nat).is_none());
    assert!(rules_of(&example(), &options()).metering.is_empty(), "nothing to count, nothing is made");
    for role in [Role::Compute { external: Some("rfp-1".parse().unwrap()) }, Role::Snat] {
        assert!(!rules_of(&Router { role, ..router.clone() }, &options()).metering.is_empty());
    }
}

/// 92.
#[test]
fn metering_labels() {
    let rules = vec![
        metered(Direction::Ingress, false, "10.0.0.0/24"),
        metered(Direction::Egress, false, "20.0.0.0/24"),
        metered(Direction::Ingress, true, "10.0.0.9/32"),
        MeteringRule {
            direction: Direction::Egress,
            excluded: false,
            traffic: Traffic::Between {
                source: Some("10.0.0.0/24".parse().unwrap()),
                destination: Some("192.0.2.0/24".parse().unwrap()),
            },
        },
        metered(Direction::Ingress, false, "2001:db8::/64"),
    ];
    let model = meter(&rules_of(&Router { labels: label(rules), ..example() }, &options()));
    assert_eq!(chain(&model, Ipv4, Filter, "FORWARD"), ["-j W-r-c5df2fe5-c60"]);
    assert_eq!(chain(&model, Ipv4, Filter, "l-c5df2fe5-c60"), [""], "one rule that only counts");
    let expected = [
        format!("-d 10.0.0.9/32 -i {QG} -j RETURN"),
        format!("-d 10.0.0.0/24 -i {QG} -j W-l-c5df2fe5-c60"),
        format!("-s 20.0.0.0/24 -o {QG} -j W-l-c5df2fe5-c60"),
        format!("-s 10.0.0.0/24 -d 192.0.2.0/24 -o {QG} -j W-l-c5df2fe5-c60"),
    ];
    assert_eq!(chain(&model, Ipv4, Filter, "r-c5df2fe5-c60"), expected);
    let v6 = format!("-d 2001:db8::/64 -i {QG} -j W-l-c5df2fe5-c60");
    assert_eq!(chain(&model, Ipv6, Filter, "r-c5df2fe5-c60"), [v6]);
}

/// 93.
#[test]
fn metering_without_a_gateway() {
    let labels = label(vec![metered(Direction::Ingress, false, "10.0.0.0/24")]);
    let model = meter(&rules_of(&Router { labels, gateway: None, ..example() }, &options()));
    assert_eq!(chain(&model, Ipv4, Filter, "FORWARD"), ["-j W-r-c5df2fe5-c60"]);
    assert!(chain(&model, Ipv4, Filter, "r-c5df2fe5-c60").is_empty());
}

/// 94.
#[test]
fn metering_rules_replace_each_other() {
    let sets = ["10.0.0.0/24", "20.0.0.0/24"].map(|network| {
        let labels = label(vec![metered(Direction::Ingress, false, network)]);
        rules_of(&Router { labels, ..example() }, &options())
    });
    let mut model = meter(&sets[0]);
    model.mark_applied();
    state_rules(&mut model, &sets[0].metering, &sets[1].metering).unwrap();
    let dirty: Vec<String> = model.dirty().map(|(_, name)| name.to_string()).collect();
    assert_eq!(dirty, ["neutron-meter-r-c5df2fe5-c60"], "the chain that counts is not touched");
    state_rules(&mut model, &sets[1].metering, &[]).unwrap();
    assert!(chain(&model, Ipv4, Filter, "FORWARD").is_empty());
    assert!(!model.table(Ipv4, Filter).unwrap().has_chain("$l-c5df2fe5-c60"));
}
