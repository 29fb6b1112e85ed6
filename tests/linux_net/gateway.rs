//! Gateways: nova 2.7 and 6.3.54 to 6.3.58, and the defect 7.24.

use nftwrap::linux_net::bridge::NetAttrs;
use nftwrap::linux_net::gateway::initialize_gateway_device;
use nftwrap::linux_net::{Error, sysctl};

use nftwrap::rtnl::Fault;

use crate::world::{World, name};

fn network() -> NetAttrs {
    NetAttrs {
        cidr: "192.168.1.0/24".parse().unwrap(),
        broadcast: Some("192.168.1.255".parse().unwrap()),
        gateway: Some("192.168.1.1".parse().unwrap()),
        dhcp_server: Some("192.168.1.1".parse().unwrap()),
        cidr_v6: Some("2001:db8::/64".parse().unwrap()),
    }
}

fn initialize(w: &mut World) -> Result<bool, Error> {
    initialize_gateway_device(&mut w.rtnl, &name("eth0"), &network())
}

/// IPv4 addresses and routes, without what passes.
fn shown(w: &World) -> (Vec<String>, Vec<String>) {
    let v4 = |line: &String| line.starts_with("inet ");
    let shown = w.shown();
    let mut routes = shown.routes("eth0");
    routes.retain(|route| !route.starts_with("multicast") && !route.contains("2001:db8"));
    routes.sort();
    (shown.addresses("eth0").into_iter().filter(v4).collect(), routes)
}

#[test]
fn the_wanted_address_comes_first_and_the_others_keep_their_order() {
    let Some(mut w) = World::new() else { return };
    w.run(
        "ip addr add 192.168.0.1/24 brd 192.168.0.255 dev eth0
         ip addr add 172.16.6.1/24 dev eth0 noprefixroute valid_lft 4000 preferred_lft 3000
         ip addr add 192.168.0.2/24 dev eth0 label eth0:2
         ip route add default via 192.168.0.1 src 192.168.0.2
         ip route add 192.168.100.0/24 via 192.168.0.254 dev eth0 proto static",
    );
    let before = shown(&w);
    assert!(initialize(&mut w).unwrap());
    let after = shown(&w);
    assert_eq!(after.0[0], "inet 192.168.1.1/24 brd 192.168.1.255 scope global eth0");
    assert_eq!(after.0[1..], before.0);
    let kept: Vec<_> = after.1.iter().filter(|route| !route.starts_with("192.168.1.0/24")).cloned().collect();
    assert_eq!(kept, before.1);
    assert!(w.shown_addresses("eth0").iter().any(|line| line.starts_with("inet6 2001:db8::/64 ")));
    assert_eq!(sysctl::read(&w.lab.0, "net/ipv4/ip_forward").unwrap(), "1");
    assert!(!w.run("ip -o addr show dev eth0").contains("/32"), "no spare is left");

    let state = w.state();
    assert!(!initialize(&mut w).unwrap());
    assert_eq!(w.state(), state, "twice is once");
}

#[test]
fn an_address_of_the_same_network_steps_back() {
    for promote in ["0", "1"] {
        let Some(mut w) = World::new() else { return };
        w.run(&format!("echo {promote} > /proc/sys/net/ipv4/conf/eth0/promote_secondaries"));
        w.run(
            "ip addr add 192.168.1.9/24 dev eth0; ip addr add 192.168.1.8/24 dev eth0
             ip addr add 192.168.1.1/24 brd + dev eth0; ip route add default via 192.168.1.254 src 192.168.1.9",
        );
        let before = shown(&w);
        initialize(&mut w).unwrap();
        let (addresses, routes) = shown(&w);
        let starts = |n: usize, start: &str| assert!(addresses[n].starts_with(start), "{promote}: {addresses:?}");
        starts(0, "inet 192.168.1.1/24 ");
        starts(1, "inet 192.168.1.9/24 ");
        starts(2, "inet 192.168.1.8/24 ");
        assert_eq!(addresses.len(), 3);
        let defaults =
            |routes: &[String]| routes.iter().filter(|r| r.starts_with("default")).cloned().collect::<Vec<_>>();
        assert_eq!(defaults(&routes), defaults(&before.1));
        assert!(routes.iter().any(|route| route.starts_with("192.168.1.0/24")), "{routes:?}");
    }
}

#[test]
fn a_wanted_address_that_is_first_changes_nothing_of_ipv4() {
    let Some(mut w) = World::new() else { return };
    w.run("ip addr add 192.168.1.1/24 dev eth0; ip addr add 192.168.0.1/24 dev eth0");
    let before = shown(&w);
    assert!(!initialize(&mut w).unwrap());
    assert_eq!(shown(&w), before);
    assert!(w.shown_addresses("eth0").iter().any(|line| line.starts_with("inet6 2001:db8::/64 ")));
}

#[test]
fn a_device_without_addresses_gets_the_wanted_one() {
    let Some(mut w) = World::new() else { return };
    initialize(&mut w).unwrap();
    assert_eq!(shown(&w).0, ["inet 192.168.1.1/24 brd 192.168.1.255 scope global eth0"]);
}

#[test]
fn a_failure_leaves_addresses_and_routes_as_they_were() {
    let Some(mut w) = World::new() else { return };
    w.run("ip addr add 192.168.0.1/24 dev eth0; ip route add default via 192.168.0.254");
    w.run("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6");
    let before = w.state();
    let none = NetAttrs { dhcp_server: None, ..network() };
    assert!(matches!(initialize_gateway_device(&mut w.rtnl, &name("eth0"), &none), Err(Error::BadValue { .. })));
    let error = initialize(&mut w).unwrap_err();
    assert!(matches!(error, Error::Rtnl(_)), "{error}");
    assert_eq!(w.state(), before);
    assert!(initialize_gateway_device(&mut w.rtnl, &name("nowhere"), &network()).unwrap_err().is_missing());
    assert_eq!(w.state(), before);
}

#[test]
fn each_change_may_fail_and_the_order_is_what_it_was() {
    let Some(mut w) = World::new() else { return };
    w.run(
        "ip addr add 192.168.0.1/24 dev eth0; ip addr add 192.168.1.9/24 dev eth0; ip addr add 192.168.0.2/24 dev eth0
         ip addr add 192.168.7.7/32 dev eth0; ip route add default via 192.168.0.254 src 192.168.0.2",
    );
    let before = shown(&w);
    let mut failed = 0;
    loop {
        w.rtnl.inject(Some(Fault { after: failed, lasting: false }));
        let Err(error) = initialize(&mut w) else { break };
        assert!(matches!(error, Error::Rtnl(_)), "change {failed}: {error}");
        w.rtnl.inject(None);
        assert_eq!(shown(&w), before, "change {failed}");
        failed += 1;
    }
    w.rtnl.inject(None);
    assert!(failed > 10, "{failed} changes");
    assert!(!initialize(&mut w).unwrap());
}

/// A program that can do nothing any more says why it failed as well as what it could not put back, and the next one goes on.
#[test]
fn a_way_back_that_fails_does_not_hide_what_failed_first() {
    let Some(mut w) = World::new() else { return };
    w.run("ip addr add 192.168.0.1/24 dev eth0; ip route add default via 192.168.0.254");
    // The first change sets the IPv6 address, and the second adds the wanted one.
    w.rtnl.inject(Some(Fault { after: 1, lasting: true }));
    let error = initialize(&mut w).unwrap_err();
    w.rtnl.inject(None);
    let Error::NotUndone { source, failures } = &error else { panic!("{error}") };
    assert!(source.to_string().starts_with("cannot add address 192.168.1.1/24 on eth0: "), "{error}");
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.iter().any(|failure| failure.starts_with("cannot delete address 2001:db8::/64 on eth0: ")),
        "{error}"
    );
    assert!(initialize(&mut w).unwrap());
    assert!(shown(&w).0[0].starts_with("inet 192.168.1.1/24 "));
}
