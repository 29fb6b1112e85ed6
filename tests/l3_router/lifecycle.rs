//! Routers come, go, are taken over, and are worked on side by side.

use std::process::Command;

use nftwrap::l3_router::rules::RuleOptions;
use nftwrap::l3_router::state::*;
use nftwrap::l3_router::{RouterError, RouterOptions, Routers};
use nftwrap::layout::Layout;
use nftwrap::netlink::namespace::{Namespace, unmount};
use nftwrap::rule::Protocol;

use crate::flow::{Flow, PORT};
use crate::lab::Lab;
use crate::world::{Directory, ONE, OUTSIDE, OWN, TOOLS, TWO, World, adopted, clean, layouts, same};
use crate::{FLOATING, QG, QR1, example, forwarding, id, plain, scoped};

/// Set when a test runs itself again.
const INSIDE: &str = "NFTWRAP_TEST_INSIDE";

/// A new process finds what an earlier one left, and sends nothing.
#[test]
fn a_restart_sends_nothing() {
    for layout in layouts() {
        let mut router = scoped();
        router.forwardings = vec![forwarding("0d1b5cc4", (13, 15), (10, 12))];
        router.routes =
            vec![StaticRoute { destination: "192.0.2.0/24".parse().unwrap(), next_hop: "10.1.0.7".parse().unwrap() }];
        let Some(mut world) = World::with(layout.clone(), &router) else { return };
        let before = world.snapshot(&router);
        world.restart();
        adopted(&world.routers.add(&router).unwrap());
        assert!(world.routers.update(&router).unwrap().is_idle(), "{layout:?}");
        same(&world.snapshot(&router), &before, &layout);
        assert_eq!(crate::flow::seen(&world.outside, &world.one, FLOATING), Some(OUTSIDE), "{layout:?}");
        // What the earlier process had beside it goes.
        world.restart();
        world.routers.add(&plain()).unwrap();
        let outcome = world.update(&plain());
        assert!(outcome.is_idle(), "{outcome:?}");
        assert!(!world.snapshot(&plain()).contains("203.0.113.101"), "{layout:?}");
    }
}

/// The fault that `nat` of the native layout moved with a look, after the last forwarding of a counted range was gone.
#[test]
fn nothing_moves_when_all_is_read_again() {
    for layout in layouts() {
        let router = Router { forwardings: vec![forwarding("0d1b5cc4", (13, 15), (10, 12))], ..plain() };
        let Some(world) = World::with(layout.clone(), &router) else { return };
        world.update(&plain());
        world.routers.with(&plain().id, |own| own.refresh()).unwrap();
        let outcome = world.update(&plain());
        assert!(outcome.is_idle(), "{layout:?}: {outcome:?}");
    }
}

/// What went while no agent ran: its connections end with the first update, and those of what stays go on.
#[test]
fn connections_of_what_went_meanwhile_end() {
    for layout in layouts() {
        let mut router = plain();
        let (stays, goes) = (FLOATING, [203, 0, 113, 102].into());
        router.floating = vec![FloatingIp::new(stays, ONE), FloatingIp::new(goes, TWO)];
        router.forwardings = vec![PortForwarding {
            protocol: Protocol::UDP,
            internal_address: ONE,
            ..forwarding("0d1b5cc4", (PORT, PORT), (PORT + 1, PORT + 1))
        }];
        let forwarded = router.forwardings[0].floating;
        let Some(mut world) = World::with(layout.clone(), &router) else { return };
        let flows = [(stays, (&world.one, PORT)), (goes, (&world.two, PORT)), (forwarded, (&world.one, PORT + 1))];
        let flows = flows.map(|(address, at)| Flow::new(&world.outside, at, (address, PORT)));
        let outward = Flow::new(&world.two, (&world.outside, PORT), (OUTSIDE, PORT));
        assert_eq!(flows.each_ref().map(Flow::ask), [Some(OUTSIDE.into()); 3], "{layout:?}");
        assert_eq!(outward.ask(), Some(goes.into()), "{layout:?}");
        let mut left = router.clone();
        left.floating.pop();
        left.forwardings.clear();
        world.restart();
        world.routers.add(&left).unwrap();
        assert_eq!(flows.each_ref().map(Flow::ask), [Some(OUTSIDE.into()), None, None], "{layout:?}");
        assert_eq!(outward.ask(), Some(OWN.into()), "{layout:?}");
    }
}

/// Marks are those of the earlier process, also when a new one would give others.
#[test]
fn scopes_keep_their_marks_over_a_restart() {
    for layout in layouts() {
        let Some(mut world) = World::with(layout.clone(), &plain()) else { return };
        let mark = |world: &World, scope: &str| {
            world.routers.with(&plain().id, |own| own.marks().of(Some(&id(scope))).value).unwrap()
        };
        // The scope of the second port is the first to be known.
        let mut router = plain();
        router.ports[1].scopes.v4 = Some(id("E"));
        world.update(&router);
        router.ports[0].scopes.v4 = Some(id("A"));
        world.update(&router);
        assert_eq!((mark(&world, "E"), mark(&world, "A")), (0x401_0000, 0x402_0000));
        world.restart();
        adopted(&world.routers.add(&router).unwrap());
        assert_eq!((mark(&world, "E"), mark(&world, "A")), (0x401_0000, 0x402_0000), "{layout:?}");
    }
}

/// 48, and D37: nothing is tried again, and nothing is made in its place.
#[test]
fn a_namespace_that_is_gone_is_a_final_answer() {
    let Some(world) = World::with(Layout::Iptables, &plain()) else { return };
    let path = world.options.directory.join(format!("qrouter-{}", plain().id));
    unmount(&path).unwrap();
    for _ in 0..2 {
        let error = world.routers.update(&example()).unwrap_err();
        assert!(error.is_gone(), "{error}");
        assert!(world.routers.traffic(&plain().id, false).unwrap_err().is_gone());
    }
    // Another one at its place is not the router's.
    Namespace::fresh().unwrap().mount(&path).unwrap();
    assert!(world.routers.update(&example()).unwrap_err().is_gone());
    unmount(&path).unwrap();
    world.routers.remove(&plain().id).unwrap();
    world.routers.remove(&plain().id).unwrap();
    assert!(matches!(world.routers.update(&plain()), Err(RouterError::Unknown { .. })));
}

/// Devices that were given are given back; those that were made are gone, as is the namespace.
#[test]
fn a_router_that_is_removed_leaves_nothing() {
    let Some(mut world) = World::new(Layout::Iptables) else { return };
    let before = world.host.run("ip -o link | cut -d: -f2 | sort");
    let mut router = plain();
    let peer = "tap-dd44ee55".parse().unwrap();
    router.ports[1] = InternalPort {
        plug: Plug::Veth { peer, bridge: Some("br0".parse().unwrap()) },
        mtu: Some(1400),
        mac: Some("fa:16:3e:00:00:01".parse().unwrap()),
        ..InternalPort::new(id("99887766-5544"), vec!["10.2.0.1/24".parse().unwrap()])
    };
    world.host.run("ip link add br0 type bridge; ip link set br0 up");
    clean(&world.routers.add(&router).unwrap());
    assert!(world.routers.update(&router).unwrap().is_idle());
    let shown = world.inside(&router).run("ip -o link show qr-99887766-55");
    assert!(shown.contains("mtu 1400") && shown.contains("fa:16:3e:00:00:01"), "{shown}");
    assert!(world.host.run("ip -o link show master br0").contains("tap-dd44ee55"));
    // A port that goes takes its device along.
    let mut fewer = router.clone();
    let gone = fewer.ports.split_off(1);
    assert_eq!(world.update(&fewer).devices, 1);
    assert!(!world.host.run("ip -o link").contains("tap-"));
    fewer.ports.extend(gone);
    world.update(&fewer);
    // Another process may remove what this one made.
    world.restart();
    world.routers.remove(&router.id).unwrap();
    assert_eq!(std::fs::read_dir(&world.options.directory).unwrap().count(), 0);
    world.host.run("ip link del br0");
    let after = world.host.run("ip -o link | cut -d: -f2 | sort");
    assert!(!after.contains("tap-"), "{after}");
    let _ = before;
}

/// A device that was given is in the host's namespace again when its port goes.
#[test]
fn given_devices_are_given_back() {
    let Some(world) = World::with(Layout::Iptables, &plain()) else { return };
    assert!(!world.host.run("ip -o link").contains(QR1));
    let mut fewer = plain();
    fewer.ports.remove(0);
    world.update(&fewer);
    assert!(world.host.run("ip -o link").contains(QR1));
    world.routers.remove(&plain().id).unwrap();
    assert!(world.host.run("ip -o link").contains(QG));
}

/// 53.
#[test]
fn addresses_that_nobody_asks_for_go() {
    let mut router = Router { forwardings: vec![forwarding("0d1b5cc4", (13, 13), (10, 10))], ..example() };
    router.gateway.as_mut().unwrap().addresses.push("203.0.113.11/24".parse().unwrap());
    let Some(world) = World::with(Layout::Iptables, &router) else { return };
    let inside = world.inside(&router);
    let addresses = || inside.run(&format!("ip -o -4 address show dev {QG} | awk '{{print $4}}' | sort"));
    let expected = "203.0.113.10/24\n203.0.113.101/32\n203.0.113.102/32\n203.0.113.103/32\n203.0.113.11/24\n";
    assert_eq!(addresses(), expected);
    inside.run(&format!("ip address add 203.0.113.99/32 dev {QG}; ip address add 192.0.2.1/24 dev {QR1}"));
    assert_eq!(world.update(&router).addresses, 2);
    assert_eq!(addresses(), expected);
    world.update(&Router { floating: Vec::new(), ..router.clone() });
    assert_eq!(addresses(), "203.0.113.10/24\n203.0.113.103/32\n203.0.113.11/24\n");
}

/// Whoever breaks a rule in between: the next look repairs it.
#[test]
fn a_look_repairs_what_others_have_done() {
    let Some(world) = World::with(Layout::Iptables, &example()) else { return };
    let inside = world.inside(&example());
    let before = inside.stock_save("iptables-nft-save");
    inside.run("iptables-nft -t nat -F neutron-l3-agent-float-snat");
    world.routers.with(&example().id, |own| own.refresh()).unwrap();
    assert!(world.routers.update(&example()).unwrap().rules.rules_added >= 2);
    let rules = |text: &str| text.lines().filter(|line| line.starts_with('-')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rules(&inside.stock_save("iptables-nft-save")), rules(&before));
}

/// Settings and routes of a router's namespace.
#[test]
fn the_namespace_is_a_routers() {
    let Some(world) = World::with(Layout::Iptables, &plain()) else { return };
    let inside = world.inside(&plain());
    for (name, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/arp_ignore", "1"),
        ("ipv4/conf/all/arp_announce", "2"),
        ("ipv6/conf/all/forwarding", "1"),
        ("netfilter/nf_conntrack_tcp_be_liberal", "1"),
    ] {
        assert_eq!(inside.run(&format!("cat /proc/sys/net/{name}")).trim(), value, "{name}");
    }
    assert_eq!(inside.run("ip route show default").trim(), format!("default via {OUTSIDE} dev {QG} proto static"));
    // A router outside of the gateway's network is on the wire nevertheless.
    let mut elsewhere = plain();
    elsewhere.gateway.as_mut().unwrap().next_hops = vec!["198.51.100.1".parse().unwrap()];
    world.update(&elsewhere);
    let route = format!("default via 198.51.100.1 dev {QG} proto static onlink");
    assert_eq!(inside.run("ip route show default").trim(), route);
}

/// Threads work on their own routers; the rules of each are its own.
#[test]
fn many_routers_side_by_side() {
    let Some(host) = Lab::new(TOOLS) else { return };
    let directory = Directory::new();
    let rules = RuleOptions { ipv6: false, ..RuleOptions::default() };
    let options = RouterOptions { directory: directory.0.clone(), rules, ..RouterOptions::for_host(host.0.clone()) };
    let routers = Routers::new(options);
    let router = |n: u8| {
        let peer = format!("tap{n}").parse().unwrap();
        let plug = Plug::Veth { peer, bridge: None };
        let address = format!("10.{n}.0.1/24").parse().unwrap();
        let port = InternalPort { plug, ..InternalPort::new(id(&format!("port{n}")), vec![address]) };
        Router { ports: vec![port], ..Router::new(id(&format!("router{n}"))) }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (routers, router) = (&routers, &router);
            scope.spawn(move || {
                for n in (thread * 4..thread * 4 + 4).chain([99]) {
                    routers.add(&router(n)).unwrap();
                    assert!(routers.update(&router(n)).unwrap().is_idle());
                }
            });
        }
    });
    assert_eq!(routers.ids().len(), 17);
    std::thread::scope(|scope| {
        for n in (0..16).chain([99]) {
            let (routers, router) = (&routers, &router);
            scope.spawn(move || routers.remove(&router(n).id).unwrap());
        }
    });
    assert_eq!((routers.ids().len(), std::fs::read_dir(&directory.0).unwrap().count()), (0, 0));
    assert!(!host.run("ip -o link").contains("tap"));
}

/// In the directory of `ip netns`; the test runs itself in a mount namespace of its own, where that is empty.
#[test]
fn ip_netns_sees_a_router() {
    if std::env::var_os(INSIDE).is_some() {
        let run = |script: &str| {
            let done = Command::new("/bin/sh").args(["-ec", script]).output().unwrap();
            assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8_lossy(&done.stdout).into_owned()
        };
        let routers = Routers::new(RouterOptions::new().unwrap());
        let router = Router::new(id("6b3d5a1e"));
        routers.add(&router).unwrap();
        assert_eq!(run("ip netns list").split_whitespace().next(), Some("qrouter-6b3d5a1e"));
        assert_eq!(run("ip netns exec qrouter-6b3d5a1e cat /proc/sys/net/ipv4/ip_forward").trim(), "1");
        routers.remove(&router.id).unwrap();
        assert_eq!(run("ip netns list"), "");
        // One that `ip netns` made is taken over.
        run("ip netns add qrouter-6b3d5a1e");
        routers.add(&router).unwrap();
        run("ip netns del qrouter-6b3d5a1e");
        assert!(routers.update(&router).unwrap_err().is_gone());
        return;
    }
    if Lab::new(&["ip", "unshare", "mount"]).is_none() {
        return;
    }
    let script = "mount --make-rprivate / && mount -t tmpfs none /run && exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["-m", "-n", "/bin/sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::ip_netns_sees_a_router", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}
