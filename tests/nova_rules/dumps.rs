//! What the stock `iptables-save` shows after each step, beside the dumps of the original (`tests/dumps`).

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::linux_net::rules::*;
use nftwrap::rule::{ChainRef, Family};
use nftwrap::wrap::{Model, TableKind};

use crate::dump::{Dump, compare, golden, read};
use crate::lab::Lab;
use crate::{article, component, floating, interface, network};

const TOOLS: &[&str] = &["iptables-save", "ip6tables-save", "iptables", "ip6tables"];

struct Host {
    lab: Lab,
}

impl Host {
    fn new() -> Option<Self> {
        Some(Self { lab: Lab::new(TOOLS)? })
    }

    /// Applies the model twice; the second time there is nothing to do.
    fn manager(&self, model: Model) -> Manager<Live> {
        let mut manager = Manager::with_kernel(model, self.lab.kernel());
        settle(&mut manager);
        manager
    }

    #[track_caller]
    fn shows(&self, v4: &str, v6: Option<&str>) {
        compare(&self.lab.stock_save("iptables-save"), v4);
        if let Some(v6) = v6 {
            compare(&self.lab.stock_save("ip6tables-save"), v6);
        }
    }
}

#[track_caller]
fn settle(manager: &mut Manager<Live>) {
    manager.apply().unwrap();
    assert_eq!(manager.apply().unwrap().messages, 0);
}

/// nova-network after its start.
fn started(options: &Options) -> Model {
    let mut model = component("nova-network");
    init_host(&mut model, options, network("10.0.0.0/8"), Gateway::Internal).unwrap();
    metadata_forward(&mut model, options).unwrap();
    model
}

/// nova 5.1.
#[test]
fn nova_api_starts() {
    let Some(host) = Host::new() else { return };
    let mut model = component("nova-api");
    metadata_accept(&mut model, &article()).unwrap();
    host.manager(model);
    host.shows("5.1.v4", Some("5.1.v6"));
}

/// nova 5.1, with a metadata host that is this one's IPv6 loopback address.
#[test]
fn nova_api_starts_with_an_ipv6_metadata_host() {
    let Some(host) = Host::new() else { return };
    let mut model = component("nova-api");
    metadata_accept(&mut model, &Options { metadata_host: "::1".parse().unwrap(), ..article() }).unwrap();
    host.manager(model);
    let v6 = host.lab.stock_save("ip6tables-save");
    assert!(
        v6.contains("-A nova-api-INPUT -p tcp -m tcp --dport 8775 -m addrtype --dst-type LOCAL -j ACCEPT\n"),
        "{v6}"
    );
    let v4 = host.lab.stock_save("iptables-save");
    assert!(!v4.contains("-A nova-api-INPUT"), "{v4}");
}

/// nova 5.2.
#[test]
fn nova_network_starts() {
    let Some(host) = Host::new() else { return };
    host.manager(started(&article()));
    host.shows("5.2.v4", Some("5.2.v6"));
}

/// nova 5.3, and back to 5.2.
#[test]
fn a_network_is_used_and_goes() {
    let Some(host) = Host::new() else { return };
    let (options, bridge) = (article(), interface("br100"));
    let mut manager = host.manager(started(&options));
    let model = manager.model_mut();
    ensure_bridge_rules(model, &options, &bridge, Role::Gateway).unwrap();
    add_checksum_rule(model, &bridge).unwrap();
    add_dhcp_rules(model, &options, &bridge).unwrap();
    settle(&mut manager);
    host.shows("5.3.v4", Some("5.3.v6"));
    let model = manager.model_mut();
    assert!(remove_dhcp_rules(model, &options, &bridge).unwrap());
    assert!(remove_checksum_rule(model, &bridge).unwrap());
    assert!(remove_bridge_rules(model, &options, &bridge).unwrap());
    settle(&mut manager);
    host.shows("5.2.v4", Some("5.2.v6"));
}

/// nova 5.6 and 5.7, with all of the original's repetitions.
#[test]
fn a_floating_address_comes_and_goes() {
    let Some(host) = Host::new() else { return };
    let options = article();
    let bridge = interface("br100");
    let mut model = started(&options);
    ensure_bridge_rules(&mut model, &options, &bridge, Role::Gateway).unwrap();
    add_checksum_rule(&mut model, &bridge).unwrap();
    add_dhcp_rules(&mut model, &options, &bridge).unwrap();
    let mut manager = host.manager(model);
    let address = floating("192.168.1.233", "10.10.10.2", Some("wlan0"));
    let change = ensure_floating_forward(manager.model_mut(), &options, &address).unwrap();
    assert_eq!(change, FloatingChange { changed: true, stale: 0 });
    settle(&mut manager);
    host.shows("5.6.v4", None);
    let change = ensure_floating_forward(manager.model_mut(), &options, &address).unwrap();
    assert_eq!(change, FloatingChange::default());
    assert_eq!(manager.apply().unwrap().messages, 0);
    assert!(remove_floating_forward(manager.model_mut(), address.floating, address.fixed).unwrap());
    settle(&mut manager);
    host.shows("5.3.v4", None);
}

/// nova 5.6, as the article has it.
#[test]
fn a_floating_address_of_the_first_release() {
    let Some(host) = Host::new() else { return };
    let options = Options { release: Release::Essex, ..article() };
    let mut model = started(&options);
    ensure_floating_forward(&mut model, &options, &floating("192.168.1.233", "10.10.10.2", Some("wlan0"))).unwrap();
    host.manager(model);
    host.shows("5.6-seed.v4", None);
}

/// nova 5.9: whoever applies first, shared chains begin and end as they should.
#[test]
fn three_components_share_a_host() {
    let Some(host) = Host::new() else { return };
    let options = article();
    let mut api = component("nova-api");
    metadata_accept(&mut api, &options).unwrap();
    let mut compute = component("nova-compute");
    ensure_bridge_rules(&mut compute, &options, &interface("br100"), Role::Gateway).unwrap();
    let _managers = [api, started(&options), compute].map(|model| host.manager(model));
    let shown = read(&host.lab.stock_save("iptables-save"));
    let wanted = read(&golden("5.9.v4"));
    let shared = |dump: &Dump| -> Dump {
        let shared = dump.iter().filter(|((_, chain), _)| {
            ["INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "nova-filter-top", "nova-postrouting-bottom"]
                .contains(&chain.as_str())
        });
        let sorted = shared.map(|(key, rules)| {
            let mut rules = rules.clone();
            rules.sort();
            (key.clone(), rules)
        });
        sorted.collect()
    };
    let (of_shown, of_wanted) = (shared(&shown), shared(&wanted));
    for (key, rules) in &of_wanted {
        // The dump leaves out what is the same everywhere.
        let rules: Vec<&String> = rules.iter().filter(|rule| rule.starts_with(&key.1)).collect();
        if !rules.is_empty() {
            let found: Vec<&String> = of_shown[key].iter().filter(|rule| rule.starts_with(&key.1)).collect();
            assert_eq!(found, rules, "{key:?}");
        }
    }
    let rules = |table: &str, chain: &str| shown[&(table.to_owned(), chain.to_owned())][1..].to_vec();
    for chain in ["FORWARD", "OUTPUT"] {
        assert_eq!(rules("filter", chain)[0], format!("{chain} -j nova-filter-top"));
    }
    assert_eq!(rules("nat", "POSTROUTING").last().unwrap(), "POSTROUTING -j nova-postrouting-bottom");
    // A stable order: a component that applies again does not go to the front.
    let order = rules("filter", "INPUT");
    let mut again = host.manager(started(&options));
    again.refresh();
    again.apply().unwrap();
    let shown = read(&host.lab.stock_save("iptables-save"));
    assert_eq!(shown[&("filter".to_owned(), "INPUT".to_owned())][1..], order);
}

/// nova 5.10.
#[test]
fn a_vlan_network_with_restrictions() {
    let Some(host) = Host::new() else { return };
    host.lab.run("iptables -N LOGDROP");
    let options = Options {
        public_interface: Some(interface("eth0")),
        forward: ForwardTo::Only(vec![interface("eth0")]),
        drop_action: DropAction::Chain(ChainRef::new("LOGDROP").unwrap()),
        force_snat_range: vec![network("10.40.0.0/16")],
        ..article()
    };
    let (network, bridge) = (network("10.0.1.0/24"), interface("br100"));
    let vpn = Vpn { public: "192.168.1.90".parse().unwrap(), port: 1000, private: "10.0.1.2".parse().unwrap() };
    let mut model = component("nova-network");
    init_host(&mut model, &options, network, Gateway::External).unwrap();
    ensure_vpn_forward(&mut model, vpn).unwrap();
    ensure_bridge_rules(&mut model, &options, &bridge, Role::Gateway).unwrap();
    let mut manager = host.manager(model);
    host.shows("5.10.v4", None);
    let model = manager.model_mut();
    assert!(remove_vpn_forward(model, vpn).unwrap());
    assert!(remove_bridge_rules(model, &options, &bridge).unwrap());
    assert!(remove_host(model, &options, network, Gateway::External).unwrap());
    settle(&mut manager);
    let shown = host.lab.stock_save("iptables-save");
    assert_eq!(shown.lines().filter(|line| line.starts_with("-A nova-network-")).count(), 1, "{shown}");
    assert!(shown.contains("-A nova-network-snat -j nova-network-float-snat"), "{shown}");
}

/// nova 7.5: nothing of an IPv6 metadata host reaches an IPv4 table, and the rest is applied.
#[test]
fn an_ipv6_metadata_host_leaves_the_ipv4_rules_whole() {
    let Some(host) = Host::new() else { return };
    let options = Options { metadata_host: "2600::".parse().unwrap(), ..article() };
    let mut model = started(&options);
    metadata_accept(&mut model, &options).unwrap();
    init_host(&mut model, &options, network("fd00:10::/64"), Gateway::Internal).unwrap();
    host.manager(model);
    let shown = read(&host.lab.stock_save("iptables-save"));
    let mut wanted = read(&golden("5.2.v4"));
    wanted.get_mut(&("nat".into(), "nova-network-POSTROUTING".into())).unwrap().remove(1);
    wanted.get_mut(&("nat".into(), "nova-network-PREROUTING".into())).unwrap().truncate(1);
    assert_eq!(shown, wanted);
    let v6 = host.lab.stock_save("ip6tables-save");
    assert!(v6.contains("-A nova-network-INPUT -d 2600::/128 -p tcp -m tcp --dport 8775 -j ACCEPT\n"), "{v6}");
}

/// The other rules of a bridge and of DHCP that nova has no IPv6 ones of (7.20), where they are asked for.
#[test]
fn ipv6_has_its_own_when_asked_for() {
    let Some(host) = Host::new() else { return };
    let options = Options { ipv6: true, ..article() };
    let mut model = component("nova-network");
    ensure_bridge_rules(&mut model, &options, &interface("br100"), Role::Closed).unwrap();
    add_dhcp_rules(&mut model, &options, &interface("br100")).unwrap();
    assert_eq!(model.table(Family::Ipv6, TableKind::Filter).unwrap().chain("$INPUT").unwrap().len(), 3);
    host.manager(model);
    let shown = read(&host.lab.stock_save("ip6tables-save"));
    let chain = |name: &str| shown[&("filter".to_owned(), format!("nova-network-{name}"))][1..].to_vec();
    assert_eq!(
        chain("FORWARD"),
        ["-i br100 -j DROP", "-o br100 -j DROP"].map(|rule| format!("nova-network-FORWARD {rule}"))
    );
    let services = ["udp -m udp --dport 547", "udp -m udp --dport 53", "tcp -m tcp --dport 53"];
    assert_eq!(chain("INPUT"), services.map(|rule| format!("nova-network-INPUT -i br100 -p {rule} -j ACCEPT")));
}
