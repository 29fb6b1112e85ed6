//! An agent ends, and another begins (neutron 79, 80; D22).

use nftwrap::Manager;
use nftwrap::kernel::{Fake, Kernel, Live};
use nftwrap::layout::Layout;
use nftwrap::virt_firewall::ports::{self, Driver, Path, Port, PortError, PortFirewall, Settings, ZoneKey, Zones};

use crate::lab::Lab;
use crate::world::*;

/// Applies these ports together; the report of the transaction.
fn begin<K: Kernel + Send + 'static>(world: &World<K>, ports: &[Port]) -> nftwrap::apply::Report {
    let deferral = world.firewall.defer();
    let _ = world.firewall.update_security_group_rules(group(GROUP, &example_rules()));
    let tickets = ports.iter().map(|port| world.firewall.prepare(port.clone()).unwrap()).collect::<Vec<_>>();
    drop(deferral);
    let reports: Vec<_> = tickets.iter().map(|ticket| ticket.wait().unwrap()).collect();
    (*reports[0]).clone()
}

/// Everything is as it was: zones, and nothing is sent but what takes a table over.
fn zones_survive<K: Kernel + Send + 'static>(connect: impl Fn() -> K) {
    for (driver, path) in
        [(Driver::Hybrid, Path::Bridged), (Driver::Plain, Path::Bridged), (Driver::Hybrid, Path::Routed)]
    {
        for layout in [Layout::Iptables, Layout::native()] {
            let settings = Settings { path, ..settings(&layout, driver) };
            let start = || World::over(connect(), layout.clone(), settings);
            let elsewhere = Port { network: "99aa88bb-00cc".parse().unwrap(), ..port_b() };
            let first = start();
            begin(&first, &[port_a(), elsewhere.clone()]);
            let zones = |world: &World<K>| [A, B].map(|port| world.firewall.zone(&id(port)));
            assert_eq!(zones(&first), [Some(4097), Some(4098)]);
            first.firewall.stop().unwrap();

            let second = start();
            let report = begin(&second, &[port_a(), elsewhere.clone()]);
            assert_eq!(zones(&second), [Some(4097), Some(4098)]);
            let sent = (report.rules_added, report.rules_deleted, report.chains, report.elements, report.sets);
            assert_eq!(sent, (0, 0, 0, 0, 0), "{driver:?} {path:?} {report:?}");
            if layout == Layout::Iptables {
                assert_eq!(report.messages, 0);
            }
            second.firewall.stop().unwrap();

            // In another order, and with one port less at first: still the zones that they had.
            let third = start();
            begin(&third, std::slice::from_ref(&elsewhere));
            third.firewall.prepare(port_a()).unwrap().wait().unwrap();
            assert_eq!(zones(&third), [Some(4097), Some(4098)]);
            third.settled();
            let other =
                Port { network: "88aa88bb-00cc".parse().unwrap(), ..port("eeeeeeee-00", "02:00:00:00:00:09", &[]) };
            third.firewall.prepare(other.clone()).unwrap().wait().unwrap();
            assert_eq!(third.firewall.zone(&other.id), Some(4099));
            for port in [id(A), id(B), other.id] {
                third.firewall.remove(&port).unwrap().wait().unwrap();
            }
            let mut manager = third.firewall.stop().unwrap();
            manager.flush().unwrap();
        }
    }
}

#[test]
fn zones_survive_a_restart_in_the_fake() {
    let fake = Fake::new();
    zones_survive(|| fake.connect());
}

#[test]
fn zones_survive_a_restart_in_the_kernel() {
    let Some(lab) = Lab::new(&[]) else { return };
    zones_survive(|| -> Live { lab.kernel() });
}

/// Devices that are alike in the eleven characters that neutron keeps, or but for the prefix that it drops, are two.
#[test]
fn devices_that_are_alike_have_zones_of_their_own() {
    let of = |name: &str, device: &str| Port {
        device: device.parse().unwrap(),
        ..port(name, "02:00:00:00:00:09", &["10.0.0.9"])
    };
    let alike = [of("one", "tap12345678901a"), of("two", "tap12345678901b"), of("three", "eth12345678901a")];
    let fake = Fake::new();
    for path in [Path::Bridged, Path::Routed] {
        for layout in [Layout::Iptables, Layout::native()] {
            let settings = Settings { path, ..settings(&layout, Driver::Hybrid) };
            let start = || World::over(fake.connect(), layout.clone(), settings);
            let zones = |world: &World| alike.each_ref().map(|port| world.firewall.zone(&port.id).unwrap());
            let first = start();
            begin(&first, &alike);
            assert_eq!(zones(&first), [4097, 4098, 4099]);
            first.firewall.stop().unwrap();
            let second = start();
            begin(&second, &[alike[2].clone(), alike[1].clone(), alike[0].clone()]);
            assert_eq!(zones(&second), [4097, 4098, 4099], "{path:?}");
            second.firewall.stop().unwrap().flush().unwrap();
        }
    }
}

/// An agent that begins to use the other layout keeps its zones, too.
#[test]
fn zones_survive_a_change_of_the_layout() {
    let fake = Fake::new();
    let mut layouts = [Layout::Iptables, Layout::native(), Layout::Iptables].into_iter();
    let start = |layout: Layout| {
        let settings = settings(&layout, Driver::Hybrid);
        World::over(fake.connect(), layout, settings)
    };
    let first = start(layouts.next().unwrap());
    begin(&first, &[port_a(), port_b()]);
    first.firewall.stop().unwrap();
    for layout in layouts {
        let world = start(layout);
        begin(&world, &[port_b(), port_a()]);
        assert_eq!(world.firewall.zone(&id(A)), Some(4097));
        assert_eq!(world.firewall.zone(&id(B)), Some(4098));
        world.firewall.stop().unwrap();
    }
}

/// Nothing changes in the kernel before the first port: what stands goes on filtering.
#[test]
fn a_start_changes_nothing() {
    let fake = Fake::new();
    let start = || World::over(fake.connect(), Layout::Iptables, settings(&Layout::Iptables, Driver::Hybrid));
    let first = start();
    begin(&first, &[port_a()]);
    first.firewall.stop().unwrap();
    let before = (fake.to_string(), fake.stats().commits);
    let second = start();
    second.firewall.stop().unwrap();
    assert_eq!((fake.to_string(), fake.stats().commits), before);
}

/// 80: firewalls of one namespace share the zones; what is left over is said when there is none.
#[test]
fn firewalls_share_zones_until_there_is_none() {
    let zones = Zones::new();
    let start = |zones: &Zones| {
        let manager = Manager::with_kernel(ports::model(COMPONENT, true).unwrap(), Fake::new());
        let settings = settings(&Layout::Iptables, Driver::Hybrid);
        PortFirewall::start_with_zones(manager, settings, None, zones.clone()).unwrap()
    };
    let (one, two) = (start(&zones), start(&zones));
    one.prepare(port_a()).unwrap().wait().unwrap();
    two.prepare(port_b()).unwrap().wait().unwrap();
    assert_eq!((one.zone(&id(A)), two.zone(&id(B))), (Some(4097), Some(4098)));
    let others =
        (4099..=65535).all(|number| zones.claim(&ZoneKey::new(format!("k{number}").parse().unwrap())).is_some());
    assert!(others);
    let late = port("eeeeeeee-00", "02:00:00:00:00:09", &[]);
    let error = one.prepare(late.clone()).unwrap_err();
    assert!(matches!(&error, PortError::NoZone { port } if *port == late.id), "{error}");
    assert_eq!(one.ports(), [id(A)]);
    two.remove(&id(B)).unwrap().wait().unwrap();
    one.prepare(late.clone()).unwrap().wait().unwrap();
    assert_eq!(one.zone(&late.id), Some(4098), "that of the port that is gone");
}
