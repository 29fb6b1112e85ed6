//! What is read is what `ip` shows, and what was read can be sent back.

use nftwrap::netlink::errno::Errno;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rtnl::kind::Data;
use nftwrap::rtnl::{
    Address, AddressFlags, Bridge, Error, Kind, LinkChange, Neighbour, NewLink, Peer, Port, Route, Rtnl,
};

use crate::world::{World, name, network};

#[test]
fn links_are_made_changed_read_and_deleted() {
    let Some(mut w) = World::new() else { return };
    let options = Bridge { forward_delay: Some(0), stp: Some(false), ageing_time: Some(100), ..Bridge::default() };
    let bridge = NewLink { mtu: Some(1400), up: true, ..NewLink::new(name("br100"), Kind::Bridge(options)) };
    w.rtnl.add_link(&bridge).unwrap();
    assert!(w.rtnl.add_link(&bridge).unwrap_err().is_exists());
    let link = w.link("br100");
    assert!(link.up && link.is_bridge() && link.mtu == 1400);
    let Data::Bridge(read) = link.data else { panic!("{link:?}") };
    assert_eq!((read.forward_delay, read.stp, read.ageing_time), (Some(0), Some(false), Some(100)));

    let eth0 = w.link("eth0");
    assert_eq!(eth0.mac.unwrap().to_string(), "02:00:00:00:00:01");
    assert_eq!((eth0.kind.as_deref(), eth0.parent), (Some("veth"), Some(w.link("wire").index)));
    let change = LinkChange {
        promiscuous: Some(true),
        mac: Some("02:00:00:00:00:aa".parse().unwrap()),
        mtu: Some(1300),
        master: Some(Some(link.index)),
        ..LinkChange::default()
    };
    w.rtnl.set_link(&eth0, &change).unwrap();
    let hairpin = Port { hairpin: Some(true), isolated: Some(true), ..Port::default() };
    w.rtnl.set_link(&eth0, &LinkChange { port: Some(hairpin), ..LinkChange::default() }).unwrap();
    let changed = w.link("eth0");
    assert_eq!((changed.mtu, changed.master, changed.promiscuous), (1300, Some(link.index), true));
    assert_eq!(changed.mac.unwrap().to_string(), "02:00:00:00:00:aa");
    let port = changed.port.unwrap();
    assert_eq!((port.hairpin, port.isolated, port.learning), (Some(true), Some(true), Some(true)));
    assert!(w.run("ip -d link show eth0").contains("hairpin on"));

    let on = Bridge { stp: Some(true), ..Bridge::default() };
    w.rtnl.set_link(&link, &LinkChange { bridge: Some(on), ..LinkChange::default() }).unwrap();
    assert!(w.run("ip -d link show br100").contains("stp_state 1"));
    w.rtnl.set_link(&changed, &LinkChange::master(None)).unwrap();
    assert_eq!(w.link("eth0").master, None);
    assert_eq!(w.link("eth0").port, None);
    w.rtnl.set_link(&link, &LinkChange::up(false)).unwrap();
    assert!(!w.link("br100").up);
    w.rtnl.delete_link(&link).unwrap();
    assert_eq!(w.rtnl.link(&name("br100")).unwrap(), None);
    assert!(w.rtnl.delete_link(&link).unwrap_err().is_missing());
}

#[test]
fn a_veth_pair_reaches_into_another_namespace_and_devices_move() {
    let Some(mut w) = World::new() else { return };
    let other = Namespace::fresh().unwrap();
    let mac = "02:00:00:00:00:0b".parse().unwrap();
    let peer = Peer { name: name("b"), namespace: Some(other.clone()), mac: Some(mac), mtu: Some(1280) };
    w.rtnl.add_link(&NewLink::new(name("a"), Kind::Veth(peer))).unwrap();
    let mut there = Rtnl::open_in(&other).unwrap();
    let b = there.require_link(&name("b")).unwrap();
    assert_eq!((b.mac, b.mtu), (Some(mac), 1280));
    assert_eq!(w.rtnl.link(&name("b")).unwrap(), None);

    let change = LinkChange { namespace: Some(w.lab.0.clone()), name: Some(name("c")), ..LinkChange::default() };
    there.set_link(&b, &change).unwrap();
    assert_eq!(w.link("c").mac, Some(mac));
    assert_eq!(w.link("a").parent, Some(w.link("c").index));
}

#[test]
fn a_missing_kind_of_device_is_not_supported() {
    let Some(mut w) = World::new() else { return };
    let added = w.rtnl.add_link(&NewLink::new(name("d0"), Kind::Dummy));
    match added {
        Ok(()) => assert_eq!(w.link("d0").kind.as_deref(), Some("dummy")),
        Err(error) => assert!(error.is_not_supported(), "{error}"),
    }
}

#[test]
fn addresses_survive_their_deletion_without_loss() {
    let Some(mut w) = World::new() else { return };
    w.run(
        "ip addr add 172.16.5.10/24 brd 172.16.5.200 dev eth0 noprefixroute metric 77
         ip addr add 172.16.6.10/24 brd + dev eth0 label eth0:1 valid_lft 3000 preferred_lft 2000
         ip addr add 172.16.6.11/24 dev eth0
         ip addr add 10.9.0.1 peer 10.9.0.2 dev eth0 scope link
         ip addr add 2001:db8::5/64 dev eth0 nodad noprefixroute
         ip addr add 2001:db8:1::5/64 dev eth0 valid_lft 5000 preferred_lft 0
         ip addr add 2001:db8:2::5 peer 2001:db8:2::6 dev eth0",
    );
    let before = w.run("ip -o addr show dev eth0 | sed 's/_lft [0-9]*sec/_lft some/g; s/ tentative//'");
    let addresses = w.addresses("eth0");
    assert_eq!(addresses.len(), 7);
    assert_eq!(w.shown_addresses("eth0").len(), 6, "one is of link scope");
    assert!(addresses.iter().any(|a| a.metric == Some(77) && a.flags.contains(AddressFlags::NOPREFIXROUTE)));
    for address in &addresses {
        match w.rtnl.delete_address(address) {
            // It went with the first of its network.
            Err(error) if address.flags.contains(AddressFlags::SECONDARY) => assert!(error.is_missing(), "{error}"),
            other => other.unwrap(),
        }
    }
    assert_eq!(w.addresses("eth0"), []);
    // The kernel shows the newest IPv6 address first.
    let newest_first = addresses.iter().filter(|a| a.network.is_ipv6()).rev();
    for address in addresses.iter().filter(|a| a.network.is_ipv4()).chain(newest_first) {
        w.rtnl.add_address(address).unwrap();
        assert!(w.rtnl.add_address(address).unwrap_err().is_exists());
    }
    assert_eq!(w.run("ip -o addr show dev eth0 | sed 's/_lft [0-9]*sec/_lft some/g; s/ tentative//'"), before);
}

#[test]
fn routes_survive_their_deletion_without_loss() {
    let Some(mut w) = World::new() else { return };
    w.run(
        "ip addr add 172.16.5.10/24 dev eth0
         ip addr add 2001:db8::5/64 dev eth0 nodad
         ip link add eth1 type veth peer name wire1; ip link set eth1 up; ip link set eth1 addrgenmode none
         ip addr add 172.16.7.10/24 dev eth1
         ip route add default via 172.16.5.1 dev eth0
         ip route add 198.51.100.0/24 via 172.16.5.254 src 172.16.5.10 proto static metric 5 mtu 1300 advmss 1200
         ip route add 198.51.101.0/24 via 10.1.1.1 dev eth0 onlink table 1000
         ip route add 198.51.102.0/24 tos 0x10 via 172.16.5.254
         ip route add 198.51.103.0/24 nexthop via 172.16.5.2 weight 3 nexthop via 172.16.7.2 dev eth1 weight 7
         ip route add 198.51.104.0/24 dev eth0 scope link proto 99
         ip route add 198.51.105.0/24 via inet6 fe80::1 dev eth0
         ip -6 route add default via 2001:db8::1 dev eth0 metric 7 pref high
         ip -6 route add 2001:db8:7::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3
         ip -6 route add 2001:db8:8::/48 via fe80::1 dev eth0 expires 500 table 77
         ip -6 route add 2001:db8:9::/48 dev eth0 mtu 1290
         ip link set wire down
         for d in eth0 eth1; do until ip link show $d | grep -q LOWERLAYERDOWN; do sleep 0.05; done; done",
    );
    let before = w.state();
    assert!(before.contains("linkdown"), "{before}");
    assert!(w.shown_routes("eth0").len() > 10);
    let asked = |state: &str| state.replace(" linkdown", "");
    let routes = w.routes("eth0");
    let (kept, moved): (Vec<Route>, Vec<Route>) = routes.into_iter().partition(|route| route.protocol == 2);
    assert_eq!(moved.len(), 11, "{kept:?}");
    for route in &moved {
        w.rtnl.delete_route(route).unwrap();
        assert!(w.rtnl.delete_route(route).unwrap_err().is_missing());
    }
    assert_eq!(w.routes("eth0").len(), kept.len());
    for route in &moved {
        w.rtnl.add_route(route).unwrap();
        assert!(w.rtnl.add_route(route).unwrap_err().is_exists(), "{route}");
    }
    assert_eq!(asked(&w.state()), asked(&before));
}

#[test]
fn errors_name_operation_object_and_reason() {
    let Some(mut w) = World::new() else { return };
    let mut address = Address::new(&w.link("eth0"), network("10.0.0.1/24"));
    let error = w.rtnl.delete_address(&address).unwrap_err();
    assert!(error.is_missing());
    let printed = error.to_string();
    assert!(
        printed.starts_with("cannot delete address 10.0.0.1/24 on eth0: no such address (EADDRNOTAVAIL)"),
        "{printed}"
    );
    address.link = 4711;
    let error = w.rtnl.add_address(&address).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::NODEV));
    assert!(error.to_string().starts_with("cannot add address 10.0.0.1/24 on device 4711: "), "{error}");

    let lost = Route::new(network("198.51.100.0/24"), w.link("eth0").index, Some("192.0.2.1".parse().unwrap()));
    let error = w.rtnl.add_route(&lost).unwrap_err();
    let Error::Refused { errno, text, .. } = &error else { panic!("{error}") };
    assert_eq!((*errno, text.as_deref()), (Errno::NETUNREACH, Some("Nexthop has invalid gateway")));
    assert!(error.to_string().starts_with("cannot add route 198.51.100.0/24 via 192.0.2.1 on eth0: "), "{error}");
    assert!(!error.is_missing() && !error.is_not_permitted());
}

#[test]
fn neighbours_are_set_and_deleted() {
    let Some(mut w) = World::new() else { return };
    let link = w.link("eth0").index;
    let mac = Some("02:00:00:00:00:77".parse().unwrap());
    for ip in ["172.16.5.7", "2001:db8::7"] {
        let neighbour = Neighbour { link, ip: ip.parse().unwrap(), mac, permanent: true, proxy: false };
        w.rtnl.set_neighbour(&neighbour).unwrap();
        w.rtnl.set_neighbour(&neighbour).unwrap();
        assert!(w.rtnl.neighbours().unwrap().contains(&neighbour));
        w.rtnl.delete_neighbour(&neighbour).unwrap();
        assert!(!w.rtnl.neighbours().unwrap().contains(&neighbour));
    }
}

#[test]
fn a_dump_of_many_devices_is_whole() {
    let Some(mut w) = World::new() else { return };
    let before = w.rtnl.links().unwrap().len();
    for i in 0..300 {
        let bridge = Kind::Bridge(Bridge::default());
        w.rtnl.add_link(&NewLink::new(name(&format!("br{i}")), bridge)).unwrap();
    }
    let links = w.rtnl.links().unwrap();
    assert_eq!(links.len(), before + 300);
    assert!(links.iter().any(|link| link.name == name("br299")));
}
