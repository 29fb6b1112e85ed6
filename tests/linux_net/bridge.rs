//! Bridges: nova 2.8, 6.3.41 to 6.3.43 and 6.3.46, and the defects 7.24 and 7.27.

use ipnetwork::IpNetwork;
use nftwrap::linux_net::Error;
use nftwrap::linux_net::bridge::{NetAttrs, ensure_bridge, remove_bridge};
use nftwrap::rtnl::kind::Data;
use nftwrap::rtnl::{Fault, Rtnl};

use crate::world::{Shown, World, name};

fn ensure(w: &mut World) -> Result<(), Error> {
    ensure_bridge(&mut w.rtnl, &name("br100"), Some(&name("eth0")), None)
}

fn remove(w: &mut World) -> Result<bool, Error> {
    remove_bridge(&mut w.rtnl, &name("br100"), Some(&name("eth0")), None)
}

fn attrs() -> NetAttrs {
    NetAttrs {
        cidr: "10.10.10.0/24".parse().unwrap(),
        broadcast: None,
        gateway: Some("10.10.10.1".parse().unwrap()),
        dhcp_server: Some("10.10.10.2".parse().unwrap()),
        cidr_v6: Some("fd00:10::/64".parse().unwrap()),
    }
}

/// Addresses and routes with everything that nova's parsing stumbled over.
const AWKWARD: &str = "
    ip addr add 172.16.5.10/24 brd + dev eth0 noprefixroute metric 100 valid_lft 4000 preferred_lft 3000
    ip addr add 172.16.6.10/24 dev eth0 label eth0:1
    ip addr add 172.16.6.11/24 dev eth0
    ip addr add 2001:db8::5/64 dev eth0 nodad
    ip addr add 2001:db8:1::5/64 dev eth0 nodad noprefixroute
    ip addr add 2001:db8:1::6/64 dev eth0 nodad valid_lft 5000 preferred_lft 4000
    ip route add 172.16.5.0/24 dev eth0 proto kernel scope link src 172.16.5.10 metric 100
    ip route add default via 172.16.5.1 dev eth0 proto dhcp src 172.16.5.10 metric 100
    ip route add 198.51.100.0/24 via 172.16.5.254 proto static
    ip route add 198.51.101.0/24 via 10.1.1.1 dev eth0 onlink table 1000
    ip route add 198.51.102.0/24 nexthop via 172.16.5.2 dev eth0 weight 3 nexthop via 172.16.6.2 dev eth0
    ip route add 198.51.103.0/24 dev eth0 scope link src 172.16.6.10
    ip -6 route add default via 2001:db8::1 dev eth0 metric 7
    ip -6 route add 2001:db8:7::/48 nexthop via 2001:db8::2 dev eth0 nexthop via 2001:db8::3 dev eth0
    ip -6 route add 2001:db8:1::/64 dev eth0 metric 99
";

/// What is shown of a device, as of another one: conditions and times left out.
fn on(w: &World, device: &str, other: &str) -> (Vec<String>, Vec<String>) {
    of(&w.shown(), device, other)
}

fn of(shown: &Shown, device: &str, other: &str) -> (Vec<String>, Vec<String>) {
    let edit = |line: String| {
        let line = line.replace(" linkdown", "").replace(&format!(" {device}"), &format!(" {other}"));
        let is_time = |word: &&str| word.ends_with("sec") && word.as_bytes()[0].is_ascii_digit();
        let words: Vec<&str> = line.split_whitespace().filter(|word| !is_time(word)).collect();
        words.join(" ")
    };
    let addresses = shown.addresses(device).into_iter().map(edit).collect();
    let mut routes: Vec<String> = shown
        .routes(device)
        .into_iter()
        .filter(|route| !route.starts_with("multicast") && !route.starts_with("fe80::/64"))
        .map(edit)
        .collect();
    routes.sort();
    (addresses, routes)
}

#[test]
fn the_interface_gives_the_bridge_its_addresses_routes_and_mac() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    let (addresses, routes) = on(&w, "eth0", "br100");
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "br100"), (addresses, routes));
    assert_eq!(on(&w, "eth0", "br100"), (vec![], vec![]));
    let (bridge, eth0) = (w.link("br100"), w.link("eth0"));
    assert!(bridge.up && eth0.up && eth0.master == Some(bridge.index));
    assert_eq!(bridge.mac, eth0.mac);
    let Data::Bridge(options) = bridge.data else { panic!("{bridge:?}") };
    assert_eq!((options.forward_delay, options.stp), (Some(0), Some(false)));

    w.wait_up("br100");
    let state = w.state();
    ensure(&mut w).unwrap();
    assert_eq!(w.state(), state, "twice is once");
}

#[test]
fn awkward_addresses_and_routes_move_without_loss_and_come_back() {
    let Some(mut w) = World::new() else { return };
    w.run(AWKWARD);
    let before = on(&w, "eth0", "eth0");
    let expected = on(&w, "eth0", "br100");
    assert_eq!((before.0.len(), before.1.len()), (6, 14), "{before:#?}");
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "br100"), expected);
    assert_eq!(on(&w, "eth0", "eth0"), (vec![], vec![]));
    assert!(remove(&mut w).unwrap());
    assert_eq!(on(&w, "eth0", "eth0"), before);
    assert_eq!(w.rtnl.link(&name("br100")).unwrap(), None);
    assert_eq!(w.link("eth0").master, None);
    assert!(!remove(&mut w).unwrap(), "twice is once");
}

#[test]
fn routes_of_a_dead_wire_move_too() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    w.run("ip link set wire down; until ip route | grep -q linkdown; do sleep 0.05; done");
    assert!(w.shown_routes("eth0").iter().any(|route| route.contains("linkdown")));
    let expected = on(&w, "eth0", "br100");
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "br100"), expected);
    remove(&mut w).unwrap();
    assert_eq!(on(&w, "eth0", "br100"), expected);
}

#[test]
fn an_interface_that_cannot_be_a_port_leaves_no_trace() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    let before = w.state();
    for bad in ["lo", "nowhere"] {
        let error = ensure_bridge(&mut w.rtnl, &name("br100"), Some(&name(bad)), None).unwrap_err();
        assert!(matches!(error, Error::Rtnl(_)), "{error}");
        assert_eq!(w.state(), before);
    }
}

#[test]
fn a_failure_in_the_middle_puts_everything_back() {
    let Some(mut w) = World::new() else { return };
    w.run(AWKWARD);
    // The bridge takes the IPv4 addresses and then no IPv6 address.
    w.run("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    let (state, before) = (w.state(), on(&w, "eth0", "eth0"));
    let error = ensure(&mut w).unwrap_err();
    assert!(matches!(error, Error::Rtnl(_)), "{error}");
    assert_eq!(on(&w, "eth0", "eth0"), before);
    assert_eq!(w.state(), state);

    w.run("echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "eth0"), before);
    // And on the way back.
    w.run("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6");
    w.wait_up("br100");
    let (state, moved) = (w.state(), on(&w, "br100", "br100"));
    assert!(matches!(remove(&mut w).unwrap_err(), Error::Rtnl(_)));
    assert_eq!(on(&w, "br100", "br100"), moved);
    assert_eq!(w.state(), state);
}

/// Addresses, routes and the places of the devices.
fn whole(w: &mut World) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut links = w.rtnl.links().unwrap();
    links.iter_mut().for_each(|link| link.running = false);
    let shown = w.shown();
    let bridged = links.iter().any(|link| link.is_bridge()).then(|| of(&shown, "br100", "br100"));
    (links.into_iter().filter(|link| !link.is_bridge()).collect::<Vec<_>>(), of(&shown, "eth0", "eth0"), bridged)
}

#[test]
fn each_change_may_fail_and_everything_is_put_back() {
    let Some(mut w) = World::new() else { return };
    w.run(AWKWARD);
    for change in [ensure, |w: &mut World| remove(w).map(drop)] {
        let before = whole(&mut w);
        let mut failed = 0;
        loop {
            w.rtnl.inject(Some(Fault { after: failed, lasting: false }));
            let Err(error) = change(&mut w) else { break };
            assert!(matches!(error, Error::Rtnl(_)), "change {failed}: {error}");
            w.rtnl.inject(None);
            assert_eq!(whole(&mut w), before, "change {failed}");
            failed += 1;
        }
        w.rtnl.inject(None);
        assert!(failed > 20, "{failed} changes");
    }
}

#[test]
fn a_program_may_end_after_each_change_and_the_next_one_goes_on() {
    let Some(mut w) = World::new() else { return };
    w.run(AWKWARD);
    let shown = w.shown();
    let (before, expected) = (of(&shown, "eth0", "eth0"), of(&shown, "eth0", "br100"));
    for after in 0.. {
        w.rtnl.inject(Some(Fault { after, lasting: true }));
        let first = ensure(&mut w);
        w.rtnl.inject(None);
        ensure(&mut w).unwrap();
        let shown = w.shown();
        assert_eq!(of(&shown, "br100", "br100"), expected, "change {after}");
        assert_eq!(of(&shown, "eth0", "eth0"), (vec![], vec![]), "change {after}");
        w.rtnl.inject(Some(Fault { after, lasting: true }));
        let second = remove(&mut w);
        w.rtnl.inject(None);
        remove(&mut w).unwrap();
        assert_eq!(on(&w, "eth0", "eth0"), before, "change {after}");
        if first.is_ok() && second.is_ok() {
            break;
        }
    }
}

#[test]
fn what_was_interrupted_is_finished() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    let expected = on(&w, "eth0", "br100");
    w.run("ip link add br100 type bridge forward_delay 0; ip link set eth0 master br100");
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "br100"), expected);
    // Between adding and deleting.
    remove(&mut w).unwrap();
    w.run(
        "ip link add br100 type bridge forward_delay 0; ip link set br100 up; ip link set eth0 master br100
         ip addr add 172.16.5.10/24 brd + dev br100
         ip route append default via 172.16.5.1 dev br100",
    );
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "br100"), expected);
    assert_eq!(on(&w, "eth0", "br100"), (vec![], vec![]));
    // And on the way back.
    w.run("ip addr add 172.16.5.10/24 brd + dev eth0; ip route append default via 172.16.5.1 dev eth0");
    remove(&mut w).unwrap();
    assert_eq!(on(&w, "eth0", "br100"), expected);
}

#[test]
fn the_port_of_another_bridge_is_left_to_it() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    w.run("ip link add other type bridge; ip link set eth0 master other");
    let before = w.state();
    let error = ensure(&mut w).unwrap_err();
    assert_eq!(error.to_string(), "eth0 cannot become a port of br100, because it is one of other");
    assert_eq!(w.state(), before);
    // Its address is not given to a port that is another bridge's, either.
    ensure_bridge(&mut w.rtnl, &name("br100"), None, Some(&attrs())).unwrap();
    remove(&mut w).unwrap();
    assert_eq!(w.state(), before);
}

#[test]
fn a_device_that_is_no_bridge_is_not_taken_for_one() {
    let Some(mut w) = World::new() else { return };
    w.run("ip link add br100 type veth peer name other");
    let before = w.state();
    assert!(matches!(ensure(&mut w), Err(Error::NotABridge { .. })));
    assert!(matches!(remove(&mut w), Err(Error::NotABridge { .. })));
    assert_eq!(w.state(), before);
}

#[test]
fn a_network_gives_the_bridge_addresses_that_go_with_it() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    let before = on(&w, "eth0", "eth0");
    for _ in 0..2 {
        ensure_bridge(&mut w.rtnl, &name("br100"), Some(&name("eth0")), Some(&attrs())).unwrap();
        let networks: Vec<IpNetwork> = w.addresses("br100").iter().map(|a| a.network).collect();
        let expected = ["10.10.10.1/24", "172.16.5.10/24", "fd00:10::/64"].map(|text| text.parse().unwrap());
        assert_eq!(
            networks.iter().filter(|n| !n.to_string().starts_with("fe80")).collect::<Vec<_>>(),
            expected.each_ref()
        );
        assert!(w.shown_addresses("br100")[0].contains("brd 10.10.10.255"));
    }
    remove_bridge(&mut w.rtnl, &name("br100"), Some(&name("eth0")), Some(&attrs())).unwrap();
    assert_eq!(on(&w, "eth0", "eth0"), before);
}

#[test]
fn two_agents_may_make_the_same_bridge_at_once() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    let expected = on(&w, "eth0", "br100");
    for _ in 0..20 {
        let agents: Vec<_> = (0..2).map(|_| Rtnl::open_in(&w.lab.0).unwrap()).collect();
        let threads: Vec<_> = agents
            .into_iter()
            .map(|mut rtnl| std::thread::spawn(move || ensure_bridge(&mut rtnl, &name("brq1234567-89"), None, None)))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        assert!(remove_bridge(&mut w.rtnl, &name("brq1234567-89"), None, None).unwrap());
    }
    ensure(&mut w).unwrap();
    assert_eq!(on(&w, "br100", "br100"), expected);
}
