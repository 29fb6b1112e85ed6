//! What the stock `iptables-save` shows after each step, beside the dumps of the original (`tests/dumps`).

use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::linux_net::rules::{self as nova_network, Role, ensure_bridge_rules};
use nftwrap::virt_firewall::instances::{Options, ProviderRule};
use nftwrap::virt_firewall::{FirewallDriver, NftablesFirewallDriver, PortProtocol, Service};

use crate::dump::{compare, golden, read};
use crate::lab::Lab;
use crate::{driver, first, group, groups, id, tenants};

const TOOLS: &[&str] = &["iptables-save", "ip6tables-save"];

struct Host {
    lab: Lab,
    driver: NftablesFirewallDriver<Live>,
}

impl Host {
    /// A compute host with its bridge plugged.
    fn new(options: Options) -> Option<Self> {
        let lab = Lab::new(TOOLS)?;
        let driver = driver(lab.kernel(), lab.kernel(), Layout::Iptables, options);
        let bridge = "br100".parse().unwrap();
        let host = nova_network::Options::for_host([192, 168, 1, 90].into());
        driver
            .visit(move |manager| ensure_bridge_rules(manager.model_mut(), &host, &bridge, Role::Gateway).map(drop))
            .unwrap()
            .unwrap();
        Some(Self { lab, driver })
    }

    #[track_caller]
    fn shows(&self, v4: &str, v6: &str) {
        compare(&self.lab.stock_save("iptables-save"), v4);
        compare(&self.lab.stock_save("ip6tables-save"), v6);
    }
}

/// nova 5.4, 5.5 and 5.8; each step done twice is done once.
#[test]
fn an_instance_boots_gets_rules_and_goes() {
    let Some(host) = Host::new(Options::nova()) else { return };
    let firewall = &host.driver;
    firewall.setup_basic_filtering(&first(&[])).unwrap();
    for _ in 0..2 {
        firewall.prepare_instance_filter(&first(&[])).unwrap();
        firewall.apply_instance_filter(&id("1")).unwrap();
        host.shows("5.4.v4", "5.4.v6");
    }
    let rules = tenants(&["icmp -1 -1 0.0.0.0/0", "tcp 22 22 0.0.0.0/0", "tcp 22 22 ::/0"]);
    assert_eq!(firewall.refresh_security_group_rules(&group("default"), &rules).unwrap(), []);
    host.shows("5.4.v4", "5.4.v6");
    for _ in 0..2 {
        firewall.refresh_instance_security_rules(&id("1"), &groups(&["default"])).unwrap();
        host.shows("5.5.v4", "5.5.v6");
    }
    // Nothing was to do, so nothing was sent.
    for tickets in [firewall.prepare(&first(&["default"])), firewall.change_groups(&id("1"), &groups(&["default"]))] {
        assert!(tickets.unwrap().wait().unwrap().iter().all(|report| report.messages == 0));
    }
    // The two rules of DHCP go with the last instance that needs them, where nova keeps them for ever.
    firewall.unfilter_instance(&first(&[])).unwrap();
    let mut wanted = read(&golden("5.8.v4"));
    wanted.retain(|(table, _), _| table == "filter");
    for chain in ["nova-compute-INPUT", "nova-compute-FORWARD"] {
        let rules = wanted.get_mut(&("filter".into(), chain.into())).unwrap();
        assert!(rules.pop().unwrap().ends_with("--sport 68 --dport 67 -j ACCEPT"));
    }
    let mut shown = read(&host.lab.stock_save("iptables-save"));
    shown.retain(|(table, _), _| table == "filter");
    assert_eq!(shown, wanted);
    compare(&host.lab.stock_save("ip6tables-save"), "5.8.v6");
}

/// nova 5.4 of kilo and liberty.
#[test]
fn the_provider_forbids_something() {
    let Some(host) = Host::new(Options { provider: true, ..Options::nova() }) else { return };
    let all = nftwrap::rule::PortRange::new(1, 65535);
    let tcp = Service::Ports { protocol: PortProtocol::Tcp, source: None, destination: all };
    let rules = [
        ProviderRule { source: "10.99.99.99/32".parse().unwrap(), service: tcp },
        ProviderRule {
            source: "10.98.0.0/16".parse().unwrap(),
            service: Service::Icmp { kind: Some(8), code: Some(0) },
        },
    ];
    host.driver.prepare_instance_filter(&first(&[])).unwrap();
    host.driver.refresh_provider_fw_rules(&rules).unwrap();
    compare(&host.lab.stock_save("iptables-save"), "5.4-kilo.v4");
}

/// nova 5.9: with the two other components on one host, in their order of starting.
#[test]
fn three_components_share_a_host() {
    use nftwrap::Manager;
    use nftwrap::wrap::{Model, Profile};
    let Some(lab) = Lab::new(TOOLS) else { return };
    let options = nova_network::Options::for_host([192, 168, 1, 90].into());
    let component = |name: &str| Model::builder().component(name.parse().unwrap()).profile(Profile::Nova).eager(true);
    let mut api = component("nova-api").build().unwrap();
    nova_network::metadata_accept(&mut api, &options).unwrap();
    let mut network = component("nova-network").build().unwrap();
    nova_network::metadata_forward(&mut network, &options).unwrap();
    let _managers = [api, network].map(|model| {
        let mut manager = Manager::with_kernel(model, lab.kernel());
        manager.apply().unwrap();
        manager
    });
    let firewall = driver(lab.kernel(), lab.kernel(), Layout::Iptables, Options::nova());
    firewall.prepare_instance_filter(&first(&[])).unwrap();
    let (shown, wanted) = (read(&lab.stock_save("iptables-save")), read(&golden("5.9.v4")));
    for ((_, chain), rules) in &wanted {
        let of_chain = |rules: &[String]| -> Vec<String> {
            let mut rules: Vec<_> = rules.iter().filter(|rule| rule.starts_with(chain.as_str())).cloned().collect();
            // Components stand in the order of starting, which is stable; nova's turns with each application.
            rules.sort();
            rules
        };
        let found = shown.iter().filter(|((_, other), _)| other == chain).flat_map(|(_, rules)| of_chain(rules));
        let found: Vec<_> = found.collect();
        assert!(of_chain(rules).iter().all(|rule| found.contains(rule)), "{chain}: {found:#?}");
    }
    let forward = &shown[&("filter".to_owned(), "FORWARD".to_owned())];
    assert_eq!(forward[1], "FORWARD -j nova-filter-top");
    // Instance chains are this component's: the others' application leaves them.
    drop(_managers);
    assert!(shown.contains_key(&("filter".to_owned(), "nova-compute-inst-1".to_owned())));
}
