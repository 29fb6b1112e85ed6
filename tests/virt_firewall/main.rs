//! The firewall of instances: what a host shows after each of nova's steps, what its packets do, and nova's own tests.
//!
//! | nova 6.5 | here |
//! |---|---|
//! | 79 to 83 | `behaviours`: a driver that starts, defers, unfilters, prepares with DHCP and without |
//! | 84 to 92 | `behaviours`: jumps, subnets, families, names, basic, DHCP, network and router rules |
//! | 93, 94 | `groups`: types of ICMP, ports |
//! | 95, 97, 98 | `behaviours`: no group, the rules of instance 7, interfaces by number |
//! | 96, 101 | `behaviours`: one that is gone comes back by no refresh; members are given, so none can vanish meanwhile |
//! | 99, 100 | `behaviours`: a refresh applies, for those who use the group |
//! | 102 | `behaviours`: provider rules |
//! | 103, 104 | `spoofing`: which interface may do what |
//! | 105, 106 | none: rules that are replaced in one transaction are never in use, and have no identifier to collide |
//! | 107, 108 | `linux_net::plan`: what follows from the range of a network; keeping networks is the database's |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "../support/dump.rs"]
mod dump;
#[path = "../support/lab.rs"]
mod lab;

mod behaviours;
mod bridging;
mod connections;
mod devices;
mod dumps;
mod packets;
mod spoofing;

use std::net::IpAddr;

use nftwrap::Manager;
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::Layout;
use nftwrap::rule::{Family, Rule};
use nftwrap::virt_firewall::instances::{Instance, InstanceId, Interface, Network, Options, Subnet};
use nftwrap::virt_firewall::{GroupId, NftablesFirewallDriver, RuleInput, TenantRule};
use nftwrap::wrap::{Model, Profile, TableKind};
use nftwrap::writer::Pace;

fn model() -> Model {
    Model::builder().component("nova-compute".parse().unwrap()).profile(Profile::Nova).eager(true).build().unwrap()
}

/// With two ways to one kernel.
fn driver<K: Kernel + Send + 'static>(
    kernel: K,
    bridge: K,
    layout: Layout,
    options: Options,
) -> NftablesFirewallDriver<K> {
    let manager = Manager::with_kernel_and_layout(model(), kernel, layout);
    NftablesFirewallDriver::start(manager, bridge, options, Pace::default()).unwrap()
}

fn fake(options: Options) -> (NftablesFirewallDriver<Fake>, Fake) {
    let kernel = Fake::new();
    (driver(kernel.connect(), kernel.connect(), Layout::Iptables, options), kernel)
}

fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

fn group(text: &str) -> GroupId {
    text.parse().unwrap()
}

fn groups(texts: &[&str]) -> Vec<GroupId> {
    texts.iter().map(|text| group(text)).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `10.0.0.0/24 via 10.0.0.1 dhcp 10.0.0.1 has 10.0.0.2 10.0.0.3`.
fn subnet(text: &str) -> Subnet {
    let mut words = text.split(' ');
    let cidr = words.next().unwrap().parse().unwrap();
    let mut subnet = Subnet { cidr, gateway: None, dhcp_server: None, addresses: Vec::new() };
    while let Some(word) = words.next() {
        match word {
            "via" => subnet.gateway = Some(ip(words.next().unwrap())),
            "dhcp" => subnet.dhcp_server = Some(ip(words.next().unwrap())),
            "has" => {}
            address => subnet.addresses.push(ip(address)),
        }
    }
    subnet
}

fn interface(device: &str, mac: &str, subnets: &[&str]) -> Interface {
    let subnets = subnets.iter().map(|text| subnet(text)).collect();
    Interface { device: device.parse().unwrap(), mac: mac.parse().unwrap(), network: Network { subnets } }
}

fn instance(name: &str, interfaces: Vec<Interface>, groups: &[&str]) -> Instance {
    Instance { id: id(name), name: format!("i-{name}"), is_vpn: false, interfaces, groups: self::groups(groups) }
}

/// Instance 1 of the article.
fn first(groups: &[&str]) -> Instance {
    let v4 = "10.10.10.0/24 via 10.10.10.1 dhcp 10.10.10.1 has 10.10.10.2";
    let v6 = "fd00:10::/64 via fe80::1 has fd00:10::f816:3eff:fe00:1";
    instance("1", vec![interface("tap1", "fa:16:3e:00:00:01", &[v4, v6])], groups)
}

/// An instance with one address.
fn small(name: &str, address: &str, groups: &[&str]) -> Instance {
    let last = address.rsplit('.').next().unwrap().parse::<u8>().unwrap();
    let mac = format!("fa:16:3e:00:01:{last:02x}");
    instance(name, vec![interface(&format!("tap{name}"), &mac, &[&format!("10.0.0.0/16 has {address}")])], groups)
}

/// A rule with a prefix: `tcp 22 22 0.0.0.0/0`, or with a group: `tcp 22 22 @web`.
fn tenant<'a>(name: &str, text: &'a str) -> TenantRule<'a> {
    let [protocol, from, to, remote] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let group = remote.strip_prefix('@');
    let input = RuleInput {
        protocol: Some(protocol),
        from: from.parse().ok(),
        to: to.parse().ok(),
        prefix: group.is_none().then_some(remote),
        group,
        ..RuleInput::default()
    };
    TenantRule { id: name.parse().unwrap(), input }
}

fn tenants<'a>(texts: &[&'a str]) -> Vec<TenantRule<'a>> {
    texts.iter().enumerate().map(|(number, text)| tenant(&format!("r{number}"), text)).collect()
}

/// The rules of a chain, as the model has them; `None` when it is not there.
fn chain<K: Kernel + Send + 'static>(
    driver: &NftablesFirewallDriver<K>,
    family: Family,
    name: &str,
) -> Option<Vec<Rule>> {
    let name = name.to_owned();
    let look = move |manager: &mut Manager<K>| {
        let table = manager.model().table(family, TableKind::Filter).unwrap();
        let there = table.has_chain(name.as_str());
        there.then(|| table.chain(name.as_str()).unwrap().rules().map(|entry| (**entry.rule()).clone()).collect())
    };
    driver.visit(look).unwrap()
}
