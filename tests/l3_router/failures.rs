//! An update that fails changes nothing.

use nftwrap::l3_router::state::*;
use nftwrap::l3_router::{FloatingStatus, RouterError};
use nftwrap::layout::Layout;
use nftwrap::rtnl::Fault;
use nftwrap::rule::Protocol;

use crate::world::{World, layouts, same};
use crate::{FLOATING, example, forwarding, id, plain};

/// A helper that no kernel has.
fn unknown_helper() -> ConntrackHelper {
    let helper = HelperName::new("nosuchhelper").unwrap();
    ConntrackHelper { id: id("c5df2fe5"), protocol: Protocol::UDP, port: 69, helper }
}

fn plain_with(change: impl FnOnce(&mut Router)) -> Router {
    let mut router = plain();
    change(&mut router);
    router
}

#[test]
fn a_bad_state_is_refused_by_name() {
    let Some(world) = World::with(Layout::Iptables, &plain()) else { return };
    let before = world.snapshot(&plain());
    for (bad, message) in [
        (
            plain_with(|r| r.floating = vec![FloatingIp::new(FLOATING, [10, 1, 0, 11].into()); 2]),
            "floating address `203.0.113.101` is there twice",
        ),
        (
            plain_with(|r| r.ports[1].id = id("aa11bb22-cc99")),
            "ports aa11bb22-cc33-4d44-8e55-6f6677889900 and aa11bb22-cc99 would both have the device qr-aa11bb22-cc",
        ),
        (
            plain_with(|r| r.floating = vec![FloatingIp::new([203, 0, 113, 10].into(), [10, 1, 0, 11].into())]),
            "floating address `203.0.113.10` is the router's own",
        ),
        (
            plain_with(|r| r.forwardings = vec![forwarding("a", (5, 9), (5, 9)), forwarding("b", (9, 9), (1, 1))]),
            "port forwarding `b` has an outside port of another",
        ),
        (
            plain_with(|r| {
                r.forwardings = vec![PortForwarding { protocol: Protocol::ICMP, ..forwarding("a", (5, 9), (5, 9)) }]
            }),
            "protocol `1` has no ports",
        ),
        (plain_with(|r| r.forwardings = vec![forwarding("a", (0, 9), (5, 9))]), "port forwarding `a` has port 0"),
        (
            plain_with(|r| {
                r.routes = vec![StaticRoute {
                    destination: "192.0.2.0/24".parse().unwrap(),
                    next_hop: "192.0.2.1".parse().unwrap(),
                }]
            }),
            "route `192.0.2.0/24 via 192.0.2.1` leads to no network of the router",
        ),
        (
            plain_with(|r| r.ports[1].addresses = vec!["10.1.0.1/24".parse().unwrap()]),
            "address `10.1.0.1` is there twice",
        ),
    ] {
        let error = world.routers.update(&bad).unwrap_err();
        assert!(matches!(error, RouterError::State(_)), "{error}");
        assert_eq!(error.to_string(), message);
    }
    same(&world.snapshot(&plain()), &before, "");
}

/// 45. The kernel refuses one rule; all the others, and all addresses, stay as they were.
#[test]
fn a_refused_rule_changes_nothing() {
    for layout in layouts() {
        let Some(world) = World::with(layout.clone(), &plain()) else { return };
        let before = world.snapshot(&plain());
        let bad = Router { helpers: vec![unknown_helper()], ..example() };
        let error = world.routers.update(&bad).unwrap_err();
        assert!(matches!(error, RouterError::Apply(_)), "{error}");
        if layout == Layout::Iptables {
            assert!(error.to_string().contains("neutron-l3-agent-cth-c5df2fe"), "the rule at fault is named: {error}");
        }
        same(&world.snapshot(&plain()), &before, &layout);
        let status = |world: &World| world.routers.with(&plain().id, |own| own.floating()).unwrap();
        assert!(status(&world).iter().all(|(_, status)| *status == FloatingStatus::Error) && status(&world).len() == 2);
        assert!(world.routers.update(&plain()).unwrap().is_idle(), "{layout:?}");
        assert!(status(&world).is_empty());
        world.update(&example());
        assert_eq!(status(&world)[0], (FLOATING, FloatingStatus::Active));
    }
}

/// Each change of devices, addresses and routes in turn is refused.
#[test]
fn a_refused_address_changes_nothing() {
    let mut from = example();
    from.routes =
        vec![StaticRoute { destination: "192.0.2.0/24".parse().unwrap(), next_hop: "10.1.0.7".parse().unwrap() }];
    let mut to = plain();
    to.floating = vec![FloatingIp::new([203, 0, 113, 104].into(), [10, 2, 0, 12].into())];
    to.ports[0].addresses.push("10.3.0.1/24".parse().unwrap());
    to.ports[0].mtu = Some(1400);
    to.routes =
        vec![StaticRoute { destination: "198.51.100.0/24".parse().unwrap(), next_hop: "10.3.0.7".parse().unwrap() }];
    let Some(world) = World::with(Layout::Iptables, &from) else { return };
    let before = world.snapshot(&from);
    let mut refused = 0;
    loop {
        let inject = |fault| world.routers.with(&from.id, |own| own.rtnl_mut().inject(fault)).unwrap();
        inject(Some(Fault { after: refused, lasting: false }));
        let outcome = world.routers.update(&to);
        inject(None);
        match outcome {
            Ok(outcome) if outcome.warnings.is_empty() => break,
            Ok(outcome) => panic!("change {refused}: {:?}", outcome.warnings),
            Err(error) => assert!(matches!(error, RouterError::Net(_)), "{error}"),
        }
        same(&world.snapshot(&from), &before, refused);
        refused += 1;
    }
    assert!(refused >= 7, "{refused} changes");
    world.update(&from);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| line.replace("mtu 1400", "mtu 1500")).collect();
        lines.sort();
        lines.join("\n")
    };
    same(&sorted(&world.snapshot(&from)), &sorted(&before), "the way back");
}

/// A router that cannot be made leaves nothing.
#[test]
fn a_router_that_cannot_be_made_leaves_nothing() {
    for layout in layouts() {
        let Some(world) = World::new(layout) else { return };
        let host = world.host.run("ip -o link | cut -d: -f2");
        let files = || std::fs::read_dir(&world.options.directory).unwrap().count();
        let bad = Router { helpers: vec![unknown_helper()], ..example() };
        assert!(matches!(world.routers.add(&bad).unwrap_err(), RouterError::Apply(_)));
        assert_eq!((files(), world.host.run("ip -o link | cut -d: -f2")), (0, host), "devices are given back");
        let mut bad = example();
        bad.ports.push(InternalPort::new(id("nosuchport"), vec!["10.9.0.1/24".parse().unwrap()]));
        let error = world.routers.add(&bad).unwrap_err();
        assert_eq!(error.to_string(), "device qr-nosuchport not found, for port nosuchport");
        assert_eq!(files(), 0);
        let distributed = Router { role: Role::Snat, ..example() };
        assert!(matches!(world.routers.add(&distributed), Err(RouterError::NotSupported { .. })));
        assert_eq!((files(), world.routers.ids().len()), (0, 0));
    }
}
