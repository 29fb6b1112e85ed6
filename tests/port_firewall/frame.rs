//! The chains of one port (neutron 55, 64, 65, 66; 9.2 to 9.6).

use nftwrap::kernel::Fake;
use nftwrap::layout::Layout;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::ports::{AddressPair, Driver, Path, Port, Settings, Unaddressed};
use nftwrap::wrap::TableKind;

use crate::world::*;

/// The port of the reference's tests.
fn fake_port(ips: &[&str]) -> Port {
    let mut port = port("fake-port", "ff:ff:ff:ff:ff:ff", ips);
    port.device = "tapfake_dev".parse().unwrap();
    port.network = "fake_net".parse().unwrap();
    port.groups.clear();
    port
}

fn plain(port: Port) -> World {
    let world = World::of(Driver::Plain);
    world.prepare(port);
    world
}

/// 55.
#[test]
fn a_port_without_rules() {
    let world = plain(fake_port(&["10.0.0.1", "fe80::1"]));
    let bridged = |way: &str| format!("-m physdev --physdev-{way} tapfake_dev --physdev-is-bridged");
    let (out, into) = (bridged("out"), bridged("in"));
    for family in Family::BOTH {
        let filter = |chain| world.rules(family, TableKind::Filter, chain);
        assert_eq!(filter("sg-fallback"), ["-j DROP"]);
        assert_eq!(filter("FORWARD"), [format!("{out} -j $sg-chain"), format!("{into} -j $sg-chain")]);
        let chains = [format!("{out} -j $ifake_dev"), format!("{into} -j $ofake_dev"), "-j ACCEPT".to_owned()];
        assert_eq!(filter("sg-chain"), chains);
        assert_eq!(filter("INPUT"), [format!("{into} -j $ofake_dev")]);
        let nat = world.rules(family, TableKind::Nat, "PREROUTING");
        assert_eq!(nat, ["out", "in"].map(|way| format!("-m physdev --physdev-{way} tapfake_dev -j ACCEPT")));
        let raw = world.rules(family, TableKind::Raw, "PREROUTING");
        let devices = ["-m physdev --physdev-in brqfake_net", "-i brqfake_net", "-m physdev --physdev-in tapfake_dev"];
        assert_eq!(raw, devices.map(|device| format!("{device} -j CT --zone 4097")));
    }
    let known = "-m state --state RELATED,ESTABLISHED -j RETURN";
    let invalid = "-m state --state INVALID -j DROP";
    assert_eq!(world.v4("ifake_dev"), [known, invalid, "-j $sg-fallback"]);
    let icmp6 = |kind: u8, end: &str| format!("-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j {end}");
    let needed = [130, 135, 136].map(|kind| icmp6(kind, "RETURN"));
    assert_eq!(world.v6("ifake_dev"), [&needed[..], &[known, invalid, "-j $sg-fallback"].map(String::from)].concat());
    assert_eq!(
        world.v4("ofake_dev"),
        [
            "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j RETURN",
            "-j $sfake_dev",
            "-p udp -m udp --sport 68 --dport 67 -j RETURN",
            "-p udp -m udp --sport 67 --dport 68 -j DROP",
            known,
            invalid,
            "-j $sg-fallback",
        ]
    );
    let bare = [131, 135, 143].map(|kind| format!("-s ::/128 -d ff02::/16 {}", icmp6(kind, "RETURN")));
    let rest = [
        "-j $sfake_dev",
        &icmp6(134, "DROP"),
        "-p ipv6-icmp -j RETURN",
        "-p udp -m udp --sport 546 --dport 547 -j RETURN",
        "-p udp -m udp --sport 547 --dport 546 -j DROP",
        known,
        invalid,
        "-j $sg-fallback",
    ];
    assert_eq!(world.v6("ofake_dev"), [&bare[..], &rest.map(String::from)].concat());
}

fn from(address: &str, mac: &str) -> String {
    format!("-s {address} -m mac --mac-source {mac} -j RETURN")
}

const MAC: &str = "ff:ff:ff:ff:ff:ff";
const LINK_LOCAL: &str = "fe80::fdff:ffff:feff:ffff/128";

/// 64, 65, 66: pairs in their order, the link-local address of each hardware address once.
#[test]
fn a_port_sends_from_its_pairs_only() {
    let mut many = fake_port(&["10.0.0.1", "10.0.0.2", "fe80::1", "2001:db8::1"]);
    many.allowed_pairs = [("ffff-ff0f-ffff", "10.2.0.0/24"), ("ffff-ff0f-ffff", "2001:db8:2::/64")]
        .map(|(pair, address)| AddressPair { mac: mac(pair), address: net(address) })
        .to_vec();
    let world = plain(many);
    let other = "ff:ff:ff:0f:ff:ff";
    let v4 = [from("10.2.0.0/24", other), from("10.0.0.1/32", MAC), from("10.0.0.2/32", MAC), "-j DROP".into()];
    assert_eq!(world.v4("sfake_dev"), v4);
    let v6 = [
        from("2001:db8:2::/64", other),
        from("fe80::fdff:ffff:fe0f:ffff/128", other),
        from("fe80::1/128", MAC),
        from(LINK_LOCAL, MAC),
        from("2001:db8::1/128", MAC),
        "-j DROP".into(),
    ];
    assert_eq!(world.v6("sfake_dev"), v6);
}

/// D24: no address, no traffic; and the end of 65, where it is asked for.
#[test]
fn a_port_without_addresses_is_closed_unless_it_is_asked_for() {
    let world = plain(fake_port(&["10.0.0.1"]));
    assert_eq!(world.v6("sfake_dev"), ["-j DROP"], "a family without addresses");
    let world = plain(fake_port(&[]));
    assert_eq!((world.v4("sfake_dev"), world.v6("sfake_dev")), (vec!["-j DROP".into()], vec!["-j DROP".into()]));
    assert!(world.v4("ofake_dev").contains(&"-j $sfake_dev".to_owned()));
    let settings = Settings { comments: false, ..settings(&Layout::Iptables, Driver::Plain) };
    let settings = Settings { unaddressed: Unaddressed::ByMac, ..settings };
    let world = World::over(Fake::new(), Layout::Iptables, settings);
    let mut bare = fake_port(&[]);
    bare.allowed_pairs = vec![AddressPair { mac: bare.mac, address: net("10.0.0.9/32") }];
    world.prepare(bare);
    let any = format!("-m mac --mac-source {MAC} -j RETURN");
    assert_eq!(world.v4("sfake_dev"), [from("10.0.0.9/32", MAC), any.clone(), "-j DROP".into()]);
    assert_eq!(world.v6("sfake_dev"), [any, "-j DROP".into()]);
}

/// 9.3: the provider's rules stand at the front of the user rules, each once.
#[test]
fn the_providers_rules_come_first() {
    let mut port = fake_port(&["10.0.0.1", "2001:db8::1"]);
    port.fixed = port.provider_rules();
    port.fixed.extend(port.provider_rules());
    port.groups = vec![group_id(GROUP)];
    let world = World::of(Driver::Plain);
    world.rules_of(&[ports(ingress("IPv4", "tcp"), 22, 22)]);
    world.prepare(port);
    let dhcp =
        |to: &str, from: u16, port: u16| format!("-d {to} -p udp -m udp --sport {from} --dport {port} -j RETURN");
    assert_eq!(
        world.v4("ifake_dev")[1..4],
        [
            dhcp("10.0.0.1/32", 67, 68),
            dhcp("255.255.255.255/32", 67, 68),
            "-p tcp -m tcp --dport 22 -j RETURN".to_owned(),
        ]
    );
    assert_eq!(
        world.v6("ifake_dev")[4..7],
        [
            "-p ipv6-icmp -m icmp6 --icmpv6-type 134 -j RETURN".to_owned(),
            dhcp("2001:db8::1/128", 547, 546),
            dhcp("fe80::/64", 547, 546),
        ]
    );
    assert!(!world.v4("ofake_dev").iter().any(|rule| rule.contains("255.255.255.255/32 -p udp -m udp --sport 67")));
}

/// 9.6: the first group decides; ports of the network are always tracked.
#[test]
fn a_stateless_group_takes_ports_from_tracking() {
    let raw = |world: &World| world.rules(Family::Ipv4, TableKind::Raw, "PREROUTING");
    let world = World::new();
    let mut stateless = group(GROUP, &example_rules());
    stateless.stateful = false;
    world.firewall.update_security_group_rules(stateless.clone()).wait().unwrap();
    let owned = |owner: &str| Port { device_owner: owner.to_owned(), ..port_a() };
    world.prepare(owned("compute:nova"));
    assert_eq!(raw(&world).len(), 3);
    assert!(raw(&world).iter().all(|rule| rule.ends_with("-j CT --notrack")), "{:?}", raw(&world));
    for owner in ["network:dhcp", "neutron:LOADBALANCERV2"] {
        world.prepare(owned(owner));
        assert!(raw(&world).iter().all(|rule| rule.ends_with("-j CT --zone 4097")), "{:?}", raw(&world));
    }
    world.prepare(owned(""));
    stateless.stateful = true;
    world.firewall.update_security_group_rules(stateless).wait().unwrap();
    assert!(raw(&world).iter().all(|rule| rule.ends_with("-j CT --zone 4097")), "the group changed alone");
    let commented = Settings { comments: true, ..settings(&Layout::Iptables, Driver::Plain) };
    let world = World::over(Fake::new(), Layout::Iptables, commented);
    let mut stateless = group(GROUP, &[]);
    stateless.stateful = false;
    world.firewall.update_security_group_rules(stateless).wait().unwrap();
    world.prepare(port_a());
    let last =
        "-m physdev --physdev-in tapc0ffee01-1a -m comment --comment \"Make 0ffee01-1a stateless\" -j CT --notrack";
    assert_eq!(raw(&world)[2], last);
}

/// Where packets are routed, ports are known by interfaces, in both layouts.
#[test]
fn routed_ports_are_known_by_their_interfaces() {
    for layout in [Layout::Iptables, Layout::native()] {
        let settings = Settings { path: Path::Routed, comments: false, ..settings(&layout, Driver::Hybrid) };
        let world = World::over(Fake::new(), layout, settings);
        world.prepare(port_a());
        world.prepare(port_b());
        let (a, b) = ("tapc0ffee01-1a", "tapdeadbe02-5a");
        assert_eq!(
            world.v4("sg-chain"),
            [
                format!("-o {a} -j $ic0ffee01-1"),
                format!("-o {b} -j $ideadbe02-5"),
                format!("-i {a} -j $oc0ffee01-1"),
                format!("-i {b} -j $odeadbe02-5"),
                "-j ACCEPT".to_owned(),
            ]
        );
        let raw = world.rules(Family::Ipv6, TableKind::Raw, "PREROUTING");
        assert_eq!(raw, [format!("-i {a} -j CT --zone 4097"), format!("-i {b} -j CT --zone 4098")]);
        let nat = world.rules(Family::Ipv4, TableKind::Nat, "PREROUTING");
        assert_eq!(nat, [format!("-i {a} -j ACCEPT"), format!("-i {b} -j ACCEPT")]);
    }
}
