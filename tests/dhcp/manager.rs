//! A host starts, serves a network and lets go of it: bridge, rules, dnsmasq and a guest that asks.

use std::time::Duration;

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::linux_net::bridge::NetAttrs;
use nftwrap::linux_net::dnsmasq;
use nftwrap::linux_net::host::{Host, HostOptions, Network};
use nftwrap::linux_net::interface::LinuxBridge;
use nftwrap::linux_net::l3::LinuxL3;
use nftwrap::linux_net::managers::{Addressing, Bound, NetworkManager, Served};
use nftwrap::linux_net::radvd::{self, Radvd};
use nftwrap::wrap::{Model, Profile};

use crate::client::Client;
use crate::fixture::mac;
use crate::world::{World, guest};

const PATIENCE: Duration = Duration::from_secs(10);

/// A host whose bridge the manager makes; `tap1` waits for it.
pub(crate) fn world() -> Option<World> {
    let world = World::new()?;
    world.host.run("ip link delete br0");
    world.host.link("tap1", &world.guests, "tap0");
    world.host.run("ip link set tap1 up; ip link add name wan type veth peer name far; ip link set wan up");
    world.guests.run("ip link set tap0 up");
    Some(world)
}

pub(crate) fn served(world: &World) -> Served {
    let attrs = NetAttrs {
        cidr: world.network.cidr,
        broadcast: None,
        gateway: world.network.gateway,
        dhcp_server: Some(world.network.dhcp_server),
        cidr_v6: None,
    };
    let bridge: nftwrap::name::InterfaceName = "br100".parse().unwrap();
    let network = Network {
        bridge: bridge.clone(),
        bridge_interface: None,
        vlan: None,
        attrs,
        mtu: None,
        share_address: false,
        enable_dhcp: true,
    };
    Served { network, dhcp: dnsmasq::Network { device: bridge, ..world.network.clone() }, mac: None, vpn: None }
}

fn manager(world: &World, addressing: Addressing, layout: Layout) -> NetworkManager<Live, LinuxBridge> {
    manager_with(world, addressing, layout, HostOptions::default())
}

pub(crate) fn manager_with(
    world: &World,
    addressing: Addressing,
    layout: Layout,
    options: HostOptions,
) -> NetworkManager<Live, LinuxBridge> {
    let component = "nova-network".parse().unwrap();
    let model = Model::builder().component(component).profile(Profile::Nova).eager(true).build().unwrap();
    let manager = Manager::with_kernel_and_layout(model, world.host.kernel(), layout);
    let host = Host::new(&world.host.0, manager, options).unwrap();
    let settings = radvd::Settings { networks_path: world.folder.join("networks"), ..radvd::Settings::default() };
    let radvd = Radvd::new(settings, world.host.0.clone());
    NetworkManager::new(addressing, LinuxL3::new(host, LinuxBridge), world.dnsmasq(), radvd)
}

/// Twice started, once served, twice given up: each leaves what it should.
#[test]
fn a_host_serves_a_network_from_start_to_end() {
    for layout in [Layout::Iptables, Layout::native()] {
        let Some(world) = world() else { return };
        let (served, wan) = (served(&world), "wan".parse().unwrap());
        let floating =
            |device| Bound { floating: [192, 0, 2, 7].into(), fixed: guest(1).address, device, network: None };
        let missing = "nosuch0".parse().unwrap();
        let mut manager = manager(&world, Addressing::FlatDhcp, layout.clone());
        let networks = [(served.clone(), vec![guest(1)])];
        for _ in 0..2 {
            manager.start(&networks, &[floating(&wan), floating(&missing)]).unwrap();
        }
        world.host.run("ip link set tap1 master br100");
        let addresses = world.host.run("ip -o -4 address show");
        assert!(addresses.contains("192.168.0.1/24") && addresses.contains("192.0.2.7/32"), "{layout:?}: {addresses}");
        let ask = |number| Client::new(&world.guests.0, "tap0").ask(mac(number), PATIENCE);
        assert_eq!(ask(1).map(|lease| lease.address), Some(guest(1).address), "{layout:?}");
        // A guest that comes is told of without a new start.
        manager.setup(&served, &[guest(1), guest(2)]).unwrap();
        assert_eq!(ask(2).map(|lease| lease.address), Some(guest(2).address), "{layout:?}");
        manager.release(&served, &[guest(1)], guest(2).address, mac(2)).unwrap();
        for _ in 0..2 {
            manager.teardown(&served).unwrap();
        }
        assert!(!world.host.run("ip -o link").contains("br100"));
        assert!(world.dnsmasq().running(&served.dhcp.device).unwrap().is_none());
        let rules = world.host.run("nft list ruleset");
        assert!(!rules.contains("br100"), "{layout:?}: {rules}");
    }
}
