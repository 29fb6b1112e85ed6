//! The managers' flows: what the stock `iptables-save` shows after each, beside the dumps of `tests/dumps` (nova 3.4), and
//! that a second call leaves everything as it is.

use nftwrap::kernel::Kernel;
use nftwrap::layout::Layout;
use nftwrap::linux_net::Error;
use nftwrap::linux_net::dhcpbridge::LeaseBook;
use nftwrap::linux_net::host::{HostError, HostOptions, Network};
use nftwrap::linux_net::managers::{Addressing, Bound, Served};
use nftwrap::linux_net::rules::{Options, Vpn};
use nftwrap::linux_net::vlan::{Vlan, ensure_vlan, remove_vlan};
use nftwrap::rtnl::Rtnl;

use crate::dump::compare;
use crate::lab::{has, skip_unless};
use crate::manager::{manager_with, served, world};
use crate::world::{World, guest};

const TOOLS: &[&str] = &["iptables-save", "ip6tables-save"];

/// The host of the dumps.
fn options() -> HostOptions {
    let rules = Options {
        public_interface: Some("wlan0".parse().unwrap()),
        dmz: vec!["10.128.0.0/24".parse().unwrap()],
        ..Options::for_host([192, 168, 1, 90].into())
    };
    HostOptions { rules, ..HostOptions::default() }
}

#[track_caller]
fn shows(world: &World, v4: &str) {
    compare(&world.host.stock_save("iptables-save"), v4);
    compare(&world.host.stock_save("ip6tables-save"), "5.2.v6");
}

/// All that a second call may not touch: rules with their place in time, devices, addresses, routes, the DHCP server.
fn state(world: &World, served: &Served) -> (u32, String, Option<i32>) {
    let generation = world.host.kernel().generation().unwrap();
    let links = world.host.run(
        "ip -o link | sed 's/ qlen .*//; s/state [A-Z]*//; s/LOWER_UP//'; ip -o -4 addr; ip -4 route show table all",
    );
    let process = world.dnsmasq().running(&served.dhcp.device).unwrap();
    (generation, links, process.map(|process| process.pid()))
}

/// Sets a network up twice and tears it down twice.
fn comes_and_goes(world: &World, addressing: Addressing, served: &Served, dump: &str) {
    let mut manager = manager_with(world, addressing, Layout::Iptables, options());
    let guests = [guest(1)];
    manager.start(&[(served.clone(), guests.to_vec())], &[]).unwrap();
    shows(world, dump);
    let before = state(world, served);
    for _ in 0..2 {
        manager.setup(served, &guests).unwrap();
        assert_eq!(state(world, served), before);
    }
    // Another process, which knows nothing yet.
    let mut other = manager_with(world, addressing, Layout::Iptables, options());
    other.start(&[(served.clone(), guests.to_vec())], &[]).unwrap();
    shows(world, dump);
    assert_eq!(state(world, served), before);
    let book = LeaseBook::new(&world.settings().networks_path).unwrap();
    std::fs::write(book.path(&served.dhcp.id), "").unwrap();
    other.teardown(served).unwrap();
    shows(world, "3.4-torn-down.v4");
    assert!(!book.path(&served.dhcp.id).exists());
    let after = state(world, served);
    assert!(!after.1.contains("br100") && !after.1.contains("vlan100") && after.2.is_none(), "{after:?}");
    other.teardown(served).unwrap();
    assert_eq!(state(world, served), after);
    other.setup(served, &guests).unwrap();
    shows(world, dump);
    other.teardown(served).unwrap();
}

#[test]
fn a_flat_dhcp_network_comes_and_goes() {
    let Some(world) = world().filter(|_| has(TOOLS)) else { return };
    comes_and_goes(&world, Addressing::FlatDhcp, &served(&world), "3.4-flat-dhcp.v4");
}

/// Where the kernel can make a VLAN's device.
#[test]
fn a_vlan_network_comes_and_goes() {
    let Some(world) = world().filter(|_| has(TOOLS)) else { return };
    let flat = served(&world);
    let interface = "wan".parse().unwrap();
    let network = Network { bridge_interface: Some(interface), vlan: Some(100), ..flat.network.clone() };
    let vpn = Vpn { public: [192, 168, 1, 90].into(), port: 1000, private: [192, 168, 0, 2].into() };
    let mac = Some("fa:16:3e:00:00:64".parse().unwrap());
    let vlan = Served { network, mac, vpn: Some(vpn), ..flat };
    let mut rtnl = Rtnl::open_in(&world.host.0).unwrap();
    let device = Vlan { number: 100, base: "wan".parse().unwrap(), mac: None, mtu: None, name: None };
    match ensure_vlan(&mut rtnl, &device) {
        Ok(_) => drop(remove_vlan(&mut rtnl, 100).unwrap()),
        Err(error) if error.is_not_supported() => {
            skip_unless(&["NFTWRAP_REQUIRE_VLAN"], error);
            return is_refused(&world, &vlan);
        }
        Err(error) => panic!("{error}"),
    }
    comes_and_goes(&world, Addressing::Vlan, &vlan, "3.4-vlan.v4");
}

/// Another device of the VLAN's name is neither used nor deleted.
fn is_refused(world: &World, served: &Served) {
    let mut manager = manager_with(world, Addressing::Vlan, Layout::Iptables, options());
    world.host.run("ip link add vlan100 type veth peer name far100");
    let refused = |outcome: Result<(), HostError>| {
        assert!(matches!(outcome, Err(HostError::Net(Error::NotAVlan { .. }))), "{outcome:?}");
        assert!(world.host.run("ip -o link").contains("vlan100@far100"));
    };
    refused(manager.start(&[(served.clone(), vec![guest(1)])], &[]));
    refused(manager.teardown(served));
}

/// No rule, no device, no address: not even metadata (nova 3.3).
#[test]
fn a_flat_network_leaves_no_trace() {
    let Some(world) = world().filter(|_| has(TOOLS)) else { return };
    let served = served(&world);
    let before = state(&world, &served);
    let mut manager = manager_with(&world, Addressing::Flat, Layout::Iptables, options());
    manager.start(&[(served.clone(), vec![guest(1)])], &[]).unwrap();
    manager.setup(&served, &[guest(1)]).unwrap();
    manager.update(&served, &[guest(1)]).unwrap();
    manager.release(&served, &[], guest(1).address, guest(1).mac).unwrap();
    manager.teardown(&served).unwrap();
    assert_eq!(state(&world, &served), before);
}

/// nova 6.2.35: whatever a host has, its start is one transaction.
#[test]
fn a_start_with_floating_addresses_is_one_transaction() {
    let Some(world) = world() else { return };
    let served = served(&world);
    let wan = "wan".parse().unwrap();
    let bound = |last: u8| Bound {
        floating: [192, 0, 2, last].into(),
        fixed: guest(last).address,
        device: &wan,
        network: None,
    };
    let mut manager = manager_with(&world, Addressing::FlatDhcp, Layout::Iptables, options());
    let generation = || world.host.kernel().generation().unwrap();
    let before = generation();
    manager.start(&[(served.clone(), vec![guest(1), guest(2)])], &[bound(1), bound(2)]).unwrap();
    assert_eq!(generation(), before + 1);
    let rules = world.host.run("nft list ruleset");
    assert!(rules.contains("192.0.2.1") && rules.contains("192.0.2.2") && rules.contains("br100"), "{rules}");
}

/// nova 6.4.78: what cannot be sent is no error, and nothing is sent without the device.
#[test]
fn an_address_is_given_back_if_it_can_be() {
    let Some(world) = world() else { return };
    let served = served(&world);
    let mut manager = manager_with(&world, Addressing::FlatDhcp, Layout::Iptables, options());
    manager.release(&served, &[], guest(1).address, guest(1).mac).unwrap();
    assert!(world.dnsmasq().running(&served.dhcp.device).unwrap().is_none(), "nothing is started for it");
    manager.start(&[(served.clone(), vec![guest(1)])], &[]).unwrap();
    world.host.run("ip link set tap1 master br100");
    let client = crate::client::Client::new(&world.guests.0, "tap0");
    client.ask(guest(1).mac, std::time::Duration::from_secs(10)).unwrap();
    manager.release(&served, &[], guest(1).address, guest(1).mac).unwrap();
    assert!(world.called(&format!("del {} {} guest1", guest(1).mac, guest(1).address)), "{}", world.calls());
    world.host.run("ip link set br100 down");
    manager.release(&served, &[], guest(1).address, guest(1).mac).unwrap();
    manager.teardown(&served).unwrap();
}
