//! Ports and groups of the tests, and a firewall over the fake kernel.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ipnetwork::IpNetwork;
use nftwrap::Manager;
use nftwrap::conntrack::{self, Filter};
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::Layout;
use nftwrap::name::MacAddress;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::ports::{self, AddressPair, Connections, Driver, Port, PortFirewall, PortId, Settings};
use nftwrap::virt_firewall::{GroupId, GroupRule, RuleId, RuleInput, SecurityGroup};
use nftwrap::wrap::TableKind;
use nftwrap_compat::print;

pub(crate) const COMPONENT: &str = "neutron-openvswi";
pub(crate) const GROUP: &str = "5f7f4c1e-9a3b-4c8d-8e21-0d4b6a7c9e10";
pub(crate) const NETWORK: &str = "77aa88bb-00cc-4c3d-8e4f-0000000000aa";
pub(crate) const A: &str = "c0ffee01-1a2b-4c3d-8e4f-000000000001";
pub(crate) const B: &str = "deadbe02-5a6b-4c7d-9e8f-000000000002";

pub(crate) fn id(text: &str) -> PortId {
    text.parse().unwrap()
}

pub(crate) fn group_id(text: &str) -> GroupId {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

pub(crate) fn mac(text: &str) -> MacAddress {
    MacAddress::in_any_notation(text).unwrap()
}

/// A port of the group.
pub(crate) fn port(name: &str, address: &str, ips: &[&str]) -> Port {
    let mut port = Port::new(id(name), mac(address), NETWORK.parse().unwrap());
    port.fixed_ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
    port.groups = vec![group_id(GROUP)];
    port
}

/// The two ports of the reference's example.
pub(crate) fn port_a() -> Port {
    port(A, "fa:16:3e:11:11:11", &["10.0.0.11", "2001:db8::11"])
}

pub(crate) fn port_b() -> Port {
    let mut port = port(B, "fa:16:3e:22:22:22", &["10.0.0.12", "2001:db8::12"]);
    port.allowed_pairs = vec![AddressPair { mac: port.mac, address: net("10.0.0.100/32") }];
    port
}

/// A group of rules as they are written.
pub(crate) fn group(name: &str, inputs: &[RuleInput<'_>]) -> SecurityGroup {
    let id = group_id(name);
    let check = |(number, input): (usize, &RuleInput<'_>)| -> GroupRule {
        input.check(&id, &RuleId::new(&format!("rule-{number}")).unwrap()).unwrap()
    };
    let rules = inputs.iter().enumerate().map(check).collect();
    SecurityGroup::new(id.clone(), rules)
}

pub(crate) fn ingress<'a>(ethertype: &'a str, protocol: &'a str) -> RuleInput<'a> {
    RuleInput { ethertype: Some(ethertype), protocol: Some(protocol), ..RuleInput::default() }
}

pub(crate) fn egress<'a>(ethertype: &'a str, protocol: &'a str) -> RuleInput<'a> {
    RuleInput { direction: Some("egress"), ..ingress(ethertype, protocol) }
}

pub(crate) fn ports<'a>(input: RuleInput<'a>, from: i64, to: i64) -> RuleInput<'a> {
    RuleInput { from: Some(from), to: Some(to), ..input }
}

/// The group of the example but for the rules that name its own members.
pub(crate) fn example_rules() -> Vec<RuleInput<'static>> {
    vec![
        RuleInput { prefix: Some("192.0.2.0/24"), ..ports(ingress("IPv4", "tcp"), 22, 22) },
        RuleInput { prefix: Some("::/0"), ..ports(ingress("IPv6", "tcp"), 8000, 8100) },
        egress("IPv4", ""),
        egress("IPv6", ""),
    ]
}

/// The rules that name its own members.
pub(crate) fn own_members() -> Vec<RuleInput<'static>> {
    ["IPv4", "IPv6"].map(|family| RuleInput { group: Some(GROUP), ..ingress(family, "") }).to_vec()
}

/// Notes what is to be deleted.
#[derive(Clone, Default)]
pub(crate) struct Deleted(pub(crate) Arc<Mutex<Vec<Vec<Filter>>>>);

impl Connections for Deleted {
    fn delete(&mut self, filters: &[Filter]) -> Result<usize, conntrack::Error> {
        let once: HashSet<&Filter> = filters.iter().collect();
        assert_eq!(once.len(), filters.len(), "each filter once");
        self.0.lock().unwrap().push(filters.to_vec());
        Ok(filters.len())
    }
}

pub(crate) fn settings(layout: &Layout, driver: Driver) -> Settings {
    Settings { driver, ..Settings::for_layout(layout) }
}

/// The layouts that bring sets to the kernel.
pub(crate) fn with_sets() -> Vec<Layout> {
    vec![Layout::Iptables, Layout::native()]
}

/// A firewall, the kernel below it, and what it deletes.
pub(crate) struct World<K = Fake> {
    pub(crate) firewall: PortFirewall<K>,
    pub(crate) deleted: Deleted,
}

impl World<Fake> {
    pub(crate) fn new() -> Self {
        Self::of(Driver::Hybrid)
    }

    /// In the form that the reference writes.
    pub(crate) fn of(driver: Driver) -> Self {
        let settings = Settings { comments: false, ..settings(&Layout::Iptables, driver) };
        Self::over(Fake::new(), Layout::Iptables, settings)
    }
}

impl<K: Kernel + Send + 'static> World<K> {
    pub(crate) fn over(kernel: K, layout: Layout, settings: Settings) -> Self {
        let model = ports::model(COMPONENT, true).unwrap();
        let manager = Manager::with_kernel_and_layout(model, kernel, layout);
        let deleted = Deleted::default();
        let firewall = PortFirewall::start(manager, settings, Some(Box::new(deleted.clone()))).unwrap();
        Self { firewall, deleted }
    }

    /// The rules of a chain in the model, as text.
    pub(crate) fn rules(&self, family: Family, kind: TableKind, chain: &str) -> Vec<String> {
        let key = format!("${chain}");
        let look = move |manager: &mut Manager<K>| {
            let table = manager.model().table(family, kind)?;
            let rules = table.chain(&key)?.rules();
            Some(rules.map(|entry| print::rule(entry.rule(), family)).collect())
        };
        let rules: Option<Vec<String>> = self.firewall.visit(look).unwrap();
        rules.unwrap_or_default().iter().map(|rule| rule.replace(&format!("{COMPONENT}-"), "$")).collect()
    }

    pub(crate) fn v4(&self, chain: &str) -> Vec<String> {
        self.rules(Family::Ipv4, TableKind::Filter, chain)
    }

    pub(crate) fn v6(&self, chain: &str) -> Vec<String> {
        self.rules(Family::Ipv6, TableKind::Filter, chain)
    }

    /// The chains of a table, by name.
    pub(crate) fn chains(&self, family: Family, kind: TableKind) -> Vec<String> {
        let look = move |manager: &mut Manager<K>| {
            let table = manager.model().table(family, kind);
            let chains = table.into_iter().flat_map(|table| table.chains());
            chains.map(|chain| chain.name().as_str().to_owned()).collect()
        };
        let chains: Vec<String> = self.firewall.visit(look).unwrap();
        let own = chains.iter().filter_map(|name| name.strip_prefix(&format!("{COMPONENT}-")));
        own.map(str::to_owned).collect()
    }

    pub(crate) fn prepare(&self, port: Port) {
        self.firewall.prepare(port).unwrap().wait().unwrap();
        self.settled();
    }

    /// Another application changes nothing, also when all is read anew.
    #[track_caller]
    pub(crate) fn settled(&self) {
        let apply = |manager: &mut Manager<K>| {
            manager.refresh();
            manager.apply().unwrap()
        };
        assert_eq!(self.firewall.visit(apply).unwrap().messages, 0);
    }

    pub(crate) fn rules_of(&self, inputs: &[RuleInput<'_>]) {
        self.firewall.update_security_group_rules(group(GROUP, inputs)).wait().unwrap();
        self.settled();
    }

    /// What was deleted since the last call, in words.
    pub(crate) fn deleted(&self) -> Vec<String> {
        self.firewall.wait_for_connections();
        let filters: Vec<Filter> = self.deleted.0.lock().unwrap().drain(..).flatten().collect();
        let end = |name: &str, end: Option<IpNetwork>| end.map(|end| format!(" {name} {end}")).unwrap_or_default();
        let words = filters.iter().map(|filter| {
            let protocol = filter.protocol.map(|p| format!(" -p {p}")).unwrap_or_default();
            let zone = filter.zone.map(|zone| format!(" -w {zone}")).unwrap_or_default();
            let ends = end("-s", filter.original.source) + &end("-d", filter.original.destination);
            format!("{:?}{protocol}{ends}{zone}", filter.family.unwrap())
        });
        let mut words: Vec<String> = words.collect();
        words.sort();
        words
    }
}
