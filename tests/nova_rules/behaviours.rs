//! Behaviours that nova's own unit tests check, by number (nova 6.2 and 6.3), on the model alone.

use std::net::IpAddr;

use nftwrap::linux_net::rules::*;
use nftwrap::rule::{ChainRef, Family, PortRange, Rule};
use nftwrap::wrap::{Model, ModelError, Place, Profile, TableKind};
use nftwrap_compat::parse;

use crate::{article, component, floating, interface, network};

/// The rules of a wrapped chain.
fn chain(model: &Model, family: Family, kind: TableKind, name: &str) -> Vec<Rule> {
    let table = model.table(family, kind).unwrap();
    table.chain(&format!("${name}")).unwrap().rules().map(|entry| (**entry.rule()).clone()).collect()
}

fn nat(model: &Model, name: &str) -> Vec<Rule> {
    chain(model, Family::Ipv4, TableKind::Nat, name)
}

fn rules(family: Family, texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| parse::rule(text, family).unwrap()).collect()
}

fn v4(texts: &[&str]) -> Vec<Rule> {
    rules(Family::Ipv4, texts)
}

/// Whether the change is one the first time and none the second.
#[track_caller]
fn once<T: PartialEq + std::fmt::Debug + Default>(
    model: &mut Model,
    change: impl Fn(&mut Model) -> Result<T, ModelError>,
) {
    assert_ne!(change(model).unwrap(), T::default(), "it changes something");
    model.mark_applied();
    assert_eq!(change(model).unwrap(), T::default(), "it changes nothing again");
    assert!(!model.is_dirty());
}

fn options() -> Options {
    Options { public_interface: Some(interface("eth0")), ..Options::for_host([10, 10, 10, 1].into()) }
}

/// 20 to 24.
#[test]
fn source_translation_follows_the_gateway_and_the_forced_range() {
    let everything = "-s 10.0.0.0/24 -d 0.0.0.0/0 -j SNAT --to-source 10.10.10.1 -o eth0";
    let forced = "-s 10.0.0.0/24 -d 10.10.10.0/24 -j SNAT --to-source 10.10.10.1";
    let old = "-s 10.0.0.0/24 -d 10.10.10.0/24 -j SNAT --to-source 10.10.10.1 -o eth0";
    let range = vec![network("10.10.10.0/24")];
    let stein = |forced: &[_]| Options { force_snat_range: forced.to_vec(), ..options() };
    let grizzly = |forced: &[_]| Options { release: Release::Grizzly, ..stein(forced) };
    for (number, options, gateway, expected) in [
        (20, stein(&[]), Gateway::Internal, &[everything][..]),
        (21, stein(&[]), Gateway::External, &[]),
        (22, stein(&range), Gateway::Internal, &[everything]),
        (23, stein(&range), Gateway::External, &[forced]),
        (24, grizzly(&range), Gateway::Internal, &[old]),
        (24, grizzly(&[]), Gateway::External, &[everything]),
        (0, Options { routing_source: None, ..stein(&range) }, Gateway::Internal, &[]),
        (
            0,
            Options { public_interface: None, ..stein(&[]) },
            Gateway::Internal,
            &["-s 10.0.0.0/24 -j SNAT --to-source 10.10.10.1"],
        ),
    ] {
        let mut model = component("nova-network");
        model.mark_applied();
        let changed = add_snat_rule(&mut model, &options, network("10.0.0.0/24"), gateway).unwrap();
        assert_eq!(changed, !expected.is_empty(), "{number}");
        assert_eq!(model.is_dirty(), changed, "{number}");
        assert!(!add_snat_rule(&mut model, &options, network("10.0.0.0/24"), gateway).unwrap());
        assert_eq!(nat(&model, "snat")[1..], v4(expected), "{number}");
        assert_eq!(remove_snat_rule(&mut model, &options, network("10.0.0.0/24"), gateway).unwrap(), changed);
        assert_eq!(nat(&model, "snat").len(), 1, "{number}");
    }
}

/// 25 to 28.
#[test]
fn the_metadata_port_is_let_in_in_its_hosts_family() {
    for (number, host, family, expected) in [
        (25, "10.10.10.1", Family::Ipv4, "-p tcp -m tcp --dport 8775 -d 10.10.10.1 -j ACCEPT"),
        (26, "2600::", Family::Ipv6, "-p tcp -m tcp --dport 8775 -d 2600:: -j ACCEPT"),
        (27, "127.0.0.1", Family::Ipv4, "-p tcp -m tcp --dport 8775 -m addrtype --dst-type LOCAL -j ACCEPT"),
        (28, "::1", Family::Ipv6, "-p tcp -m tcp --dport 8775 -m addrtype --dst-type LOCAL -j ACCEPT"),
    ] {
        let options = Options { metadata_host: host.parse().unwrap(), ..options() };
        let mut model = component("nova-api");
        once(&mut model, |model| metadata_accept(model, &options));
        for other in Family::BOTH {
            let expected = if other == family { rules(family, &[expected]) } else { Vec::new() };
            assert_eq!(chain(&model, other, TableKind::Filter, "INPUT"), expected, "{number}");
        }
        once(&mut model, |model| remove_metadata_accept(model, &options));
        assert_eq!(chain(&model, family, TableKind::Filter, "INPUT"), []);
    }
}

/// 29 and 30; and a host that IPv4 cannot be sent to.
#[test]
fn the_metadata_address_leads_to_the_service() {
    let asked = "-s 0.0.0.0/0 -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j";
    for (number, host, expected) in [
        (29, "10.10.10.1", Some("DNAT --to-destination 10.10.10.1:8775")),
        (30, "127.0.0.1", Some("REDIRECT --to-ports 8775")),
        (0, "2600::", None),
    ] {
        let options = Options { metadata_host: host.parse().unwrap(), ..options() };
        let mut model = component("nova-network");
        assert_eq!(metadata_forward(&mut model, &options).unwrap(), expected.is_some());
        assert!(!metadata_forward(&mut model, &options).unwrap());
        let expected: Vec<String> = expected.iter().map(|target| format!("{asked} {target}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(nat(&model, "PREROUTING"), v4(&expected), "{number}");
        assert_eq!(remove_metadata_forward(&mut model, &options).unwrap(), !expected.is_empty());
        assert_eq!(nat(&model, "PREROUTING"), [], "{number}");
    }
}

fn count(model: &Model) -> usize {
    model.table(Family::Ipv4, TableKind::Nat).unwrap().chains().map(|chain| chain.len()).sum()
}

/// 31, and each repetition.
#[test]
fn a_floating_address_moves_to_another_instance() {
    let options = options();
    let mut model = component("nova-network");
    let mut ensure = |address: &str, fixed: &str| {
        let floating = floating(address, fixed, Some("eth0"));
        once(&mut model, |model| ensure_floating_forward(model, &options, &floating));
        count(&model)
    };
    let one = ensure("10.10.10.10", "10.0.0.1");
    let two = ensure("10.10.10.11", "10.0.0.10");
    assert_eq!(two, one + 5);
    assert_eq!(ensure("10.10.10.10", "10.0.0.3"), two);
    let destinations = ["-d 10.10.10.11 -j DNAT --to 10.0.0.10", "-d 10.10.10.10 -j DNAT --to 10.0.0.3"];
    for name in ["PREROUTING", "OUTPUT"] {
        assert_eq!(nat(&model, name), v4(&destinations));
    }
    // The end of an association that is over already ends no other.
    let ends = |model: &mut Model, fixed: &str| {
        remove_floating_forward(model, "10.10.10.10".parse().unwrap(), fixed.parse().unwrap()).unwrap()
    };
    assert!(!ends(&mut model, "10.0.0.1"));
    assert!(ends(&mut model, "10.0.0.3"));
    assert!(!ends(&mut model, "10.0.0.3"));
    assert_eq!(count(&model), one);
}

/// The order and text of the rules, with and without an interface; a change of the interface is a change.
#[test]
fn the_rules_of_an_association() {
    let options = options();
    let mut model = component("nova-network");
    let with = |device| floating("10.10.10.10", "10.0.0.1", device);
    for (device, expected) in [
        (None, &["-s 10.0.0.1 -j SNAT --to 10.10.10.10"][..]),
        (
            Some("eth0"),
            &["-s 10.0.0.1 -j SNAT --to 10.10.10.10 -d 10.0.0.1", "-s 10.0.0.1 -j SNAT --to 10.10.10.10 -o eth0"],
        ),
        (
            Some("eth1"),
            &["-s 10.0.0.1 -j SNAT --to 10.10.10.10 -d 10.0.0.1", "-s 10.0.0.1 -j SNAT --to 10.10.10.10 -o eth1"],
        ),
    ] {
        once(&mut model, |model| ensure_floating_forward(model, &options, &with(device)));
        assert_eq!(nat(&model, "float-snat"), v4(expected));
        assert_eq!(nat(&model, "PREROUTING"), v4(&["-d 10.10.10.10 -j DNAT --to 10.0.0.1"]));
        assert_eq!(nat(&model, "OUTPUT"), v4(&["-d 10.10.10.10 -j DNAT --to 10.0.0.1"]));
        let shown = "-s 10.0.0.1 -m conntrack --ctstate DNAT -j SNAT --to-source 10.10.10.10";
        assert_eq!(nat(&model, "POSTROUTING"), v4(&[shown]));
    }
    // Two addresses of one instance.
    let second = floating("10.10.10.11", "10.0.0.1", Some("eth1"));
    ensure_floating_forward(&mut model, &options, &second).unwrap();
    assert!(remove_floating_forward(&mut model, second.floating, second.fixed).unwrap());
    assert_eq!(nat(&model, "float-snat").len(), 2);
}

/// nova 7.23: the VPN on that address, source translation to it, its exemption and rules of other kinds stay.
#[test]
fn rules_that_only_name_the_address_stay() {
    let address: std::net::Ipv4Addr = "192.168.1.233".parse().unwrap();
    let options = Options { routing_source: Some(address), metadata_host: address.into(), ..article() };
    let mut model = component("nova-network");
    init_host(&mut model, &options, network("10.0.0.0/8"), Gateway::Internal).unwrap();
    metadata_forward(&mut model, &options).unwrap();
    ensure_vpn_forward(&mut model, Vpn { public: address, port: 1000, private: "10.0.1.2".parse().unwrap() }).unwrap();
    let table = model.table_mut(Family::Ipv4, TableKind::Nat).unwrap();
    for (chain, text) in [
        ("$float-snat", "-s 10.0.0.0/8 -j SNAT --to-source 192.168.1.233"),
        ("$float-snat", "-s 10.0.0.9 -p tcp -j SNAT --to-source 192.168.1.233"),
        ("$float-snat", "-s 10.0.0.9 -j SNAT --to-source 192.168.1.233-192.168.1.234"),
        ("$float-snat", "! -s 10.0.0.9 -j SNAT --to-source 192.168.1.233"),
        ("$float-snat", "-s 10.0.0.9 -d 10.0.0.8 -j SNAT --to-source 192.168.1.233"),
        ("$POSTROUTING", "-s 10.0.0.9 -m conntrack ! --ctstate DNAT -j SNAT --to-source 192.168.1.233"),
        ("$PREROUTING", "-d 192.168.1.233 -i eth0 -j DNAT --to 10.0.0.9"),
        ("$PREROUTING", "-d 192.168.1.233 -p tcp -j DNAT --to 10.0.0.9:80"),
        ("$PREROUTING", "-d 192.168.1.233 -j ACCEPT"),
        ("$OUTPUT", "-d 192.168.1.232/31 -j DNAT --to 10.0.0.9"),
        ("PREROUTING", "-d 192.168.1.233 -j DNAT --to 10.0.0.9"),
    ] {
        table.add_rule(chain, parse::rule(text, Family::Ipv4).unwrap()).unwrap();
    }
    let before = count(&model);
    for fixed in ["10.0.0.9", "10.0.0.10"] {
        let floating = floating("192.168.1.233", fixed, Some("wlan0"));
        ensure_floating_forward(&mut model, &options, &floating).unwrap();
        assert_eq!(count(&model), before + 5);
    }
    assert!(remove_floating_forward(&mut model, address, "10.0.0.10".parse().unwrap()).unwrap());
    assert_eq!(count(&model), before);
}

/// 36.
#[test]
fn each_network_has_its_four_rules() {
    let options = Options { dmz: vec![network("10.6.1.0/24")], ..options() };
    let mut model = component("nova-network");
    let networks = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"];
    let (mut snat, mut exempt) = (vec!["-j $float-snat".to_owned()], Vec::new());
    for cidr in networks {
        once(&mut model, |model| init_host(model, &options, network(cidr), Gateway::Internal));
        snat.push(format!("-s {cidr} -d 0.0.0.0/0 -j SNAT --to-source 10.10.10.1 -o eth0"));
        exempt.push(format!("-s {cidr} -d 10.10.10.1/32 -j ACCEPT"));
        exempt.push(format!("-s {cidr} -d 10.6.1.0/24 -j ACCEPT"));
        exempt.push(format!("-s {cidr} -d {cidr} -m conntrack ! --ctstate DNAT -j ACCEPT"));
        let texts = |texts: &[String]| v4(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(nat(&model, "snat")[1..], texts(&snat[1..]));
        assert_eq!(nat(&model, "POSTROUTING"), texts(&exempt));
    }
    for cidr in networks {
        once(&mut model, |model| remove_host(model, &options, network(cidr), Gateway::Internal));
    }
    assert_eq!((nat(&model, "snat").len(), nat(&model, "POSTROUTING").len()), (1, 0));
}

/// 38, and the other forms.
#[test]
fn a_bridge_is_forwarded_unless_told_otherwise() {
    let bridge = interface("br100");
    let open = options();
    let only = Options { forward: ForwardTo::Only(vec![interface("eth0"), interface("eth1")]), ..options() };
    let logged = DropAction::Chain(ChainRef::new("LOGDROP").unwrap());
    let logging = Options { drop_action: logged, ..only.clone() };
    let mut model = component("nova-network");
    let accept = ["-i br100 -j ACCEPT", "-o br100 -j ACCEPT"];
    let drop = ["--in-interface br100 -j DROP", "--out-interface br100 -j DROP"];
    let log = ["-i br100 -j LOGDROP", "-o br100 -j LOGDROP"];
    let pairs = [
        "-i br100 -o eth0 -j ACCEPT",
        "-i eth0 -o br100 -j ACCEPT",
        "-i br100 -o eth1 -j ACCEPT",
        "-i eth1 -o br100 -j ACCEPT",
        "-i br100 -o br100 -j ACCEPT",
    ];
    let forward = |model: &Model| chain(model, Family::Ipv4, TableKind::Filter, "FORWARD");
    // What the bridge had in the other role is gone, and nothing stands behind a drop.
    for (options, role, expected) in [
        (&open, Role::Gateway, accept.to_vec()),
        (&open, Role::Closed, drop.to_vec()),
        (&open, Role::Gateway, accept.to_vec()),
        (&open, Role::Closed, drop.to_vec()),
        (&only, Role::Gateway, [&pairs[..], &drop].concat()),
        (&only, Role::Closed, drop.to_vec()),
        (&logging, Role::Closed, log.to_vec()),
        (&logging, Role::Gateway, [&pairs[..], &log].concat()),
    ] {
        once(&mut model, |model| ensure_bridge_rules(model, options, &bridge, role));
        assert_eq!(forward(&model), v4(&expected));
    }
    let other = interface("br101");
    ensure_bridge_rules(&mut model, &logging, &other, Role::Closed).unwrap();
    once(&mut model, |model| remove_bridge_rules(model, &logging, &bridge));
    assert_eq!(forward(&model), v4(&["-i br101 -j LOGDROP", "-o br101 -j LOGDROP"]));
    assert!(chain(&model, Family::Ipv6, TableKind::Filter, "FORWARD").is_empty());
}

/// nova 7.28: a VPN can be taken out again, and only its own rules go.
#[test]
fn a_vpn_comes_and_goes() {
    let mut model = component("nova-network");
    let vpn = |port| Vpn { public: "192.168.1.90".parse().unwrap(), port, private: "10.0.0.2".parse().unwrap() };
    let into = "-d 192.168.1.90 -p udp --dport 1000 -j DNAT --to 10.0.0.2:1194";
    let through = v4(&["-d 10.0.0.2 -p udp --dport 1194 -j ACCEPT"]);
    let forward = |model: &Model| chain(model, Family::Ipv4, TableKind::Filter, "FORWARD");
    once(&mut model, |model| ensure_vpn_forward(model, vpn(1000)));
    assert_eq!((nat(&model, "PREROUTING"), nat(&model, "OUTPUT")), (v4(&[into]), v4(&[into])));
    assert_eq!(forward(&model), through);
    // A second way to the same instance.
    ensure_vpn_forward(&mut model, vpn(1001)).unwrap();
    once(&mut model, |model| remove_vpn_forward(model, vpn(1001)));
    assert_eq!(forward(&model), through);
    once(&mut model, |model| remove_vpn_forward(model, vpn(1000)));
    assert_eq!((nat(&model, "PREROUTING"), nat(&model, "OUTPUT"), forward(&model)), (vec![], vec![], vec![]));
}

/// nova 2.13 and 2.12, step 2.
#[test]
fn dhcp_is_let_in_and_its_answers_are_whole() {
    let (mut model, options, device) = (component("nova-network"), options(), interface("br100"));
    once(&mut model, |model| add_dhcp_rules(model, &options, &device));
    let services = [("udp", 67), ("tcp", 67), ("udp", 53), ("tcp", 53)];
    let texts =
        services.map(|(protocol, port)| format!("-i br100 -p {protocol} -m {protocol} --dport {port} -j ACCEPT"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(chain(&model, Family::Ipv4, TableKind::Filter, "INPUT"), v4(&texts));
    assert!(chain(&model, Family::Ipv6, TableKind::Filter, "INPUT").is_empty());
    once(&mut model, |model| remove_dhcp_rules(model, &options, &device));
    once(&mut model, |model| add_checksum_rule(model, &device));
    let checksum = "-o br100 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill";
    assert_eq!(chain(&model, Family::Ipv4, TableKind::Mangle, "POSTROUTING"), v4(&[checksum]));
    once(&mut model, |model| remove_checksum_rule(model, &device));
    assert!(chain(&model, Family::Ipv4, TableKind::Mangle, "POSTROUTING").is_empty());
}

/// A model that lacks one of the chains gets none of the rules.
#[test]
fn what_fails_changes_nothing() {
    let mut model = Model::builder().component("agent".parse().unwrap()).profile(Profile::Bare).build().unwrap();
    model.table_mut(Family::Ipv4, TableKind::Nat).unwrap().add_chain("$PREROUTING").unwrap();
    model.mark_applied();
    let options = options();
    let network = network("10.0.0.0/24");
    let floating = floating("10.10.10.10", "10.0.0.1", Some("eth0"));
    let vpn = Vpn { public: [10, 10, 10, 1].into(), port: 1000, private: [10, 0, 0, 2].into() };
    assert!(init_host(&mut model, &options, network, Gateway::Internal).is_err());
    assert!(ensure_floating_forward(&mut model, &options, &floating).is_err());
    assert!(ensure_vpn_forward(&mut model, vpn).is_err());
    assert!(!remove_vpn_forward(&mut model, vpn).unwrap());
    assert!(!remove_host(&mut model, &options, network, Gateway::Internal).unwrap());
    let table = model.table(Family::Ipv4, TableKind::Nat).unwrap();
    assert!(table.chain("$PREROUTING").unwrap().is_empty());
    assert_eq!(table.dirty().count(), 0);
}

/// Whether a rule stands is asked of the rule, not of its text or its neighbours.
#[test]
fn a_rule_is_found_where_it_stands() {
    let mut model = component("nova-network");
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    let rule = |text| parse::rule(text, Family::Ipv4).unwrap();
    table.add_rule("$FORWARD", rule("-d 10.0.0.1 -j $local")).unwrap();
    let has = |chain: &str, text, place| table.has_rule(chain, &rule(text), place);
    assert!(has("$FORWARD", "-d 10.0.0.1/32 -j $local", Place::Normal));
    assert!(has("nova-network-FORWARD", "-d 10.0.0.1 -j nova-network-local", Place::Normal));
    assert!(!has("$FORWARD", "-d 10.0.0.1 -j $local", Place::Top));
    assert!(!has("$INPUT", "-d 10.0.0.1 -j $local", Place::Normal));
    assert!(!has("$nowhere", "-d 10.0.0.1 -j $local", Place::Normal));
    assert!(!has("$FORWARD", "-d 10.0.0.1 -m comment --comment x -j $local", Place::Normal));
}

/// nova's defaults.
#[test]
fn the_defaults_are_novas() {
    let options = Options::for_host([192, 0, 2, 1].into());
    assert_eq!(options.metadata_host, "192.0.2.1".parse::<IpAddr>().unwrap());
    assert_eq!(options.routing_source, Some([192, 0, 2, 1].into()));
    assert_eq!(options.public_interface, Some(interface("eth0")));
    assert_eq!((options.metadata_port, options.drop_action, options.forward), (8775, DropAction::Drop, ForwardTo::All));
    assert_eq!(PortRange::single(8775).first(), 8775);
}
