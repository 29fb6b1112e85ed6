//! Packets over a bridge, in both layouts (neutron 83 to 86).
//!
//! ```text
//! first  10.0.0.11 --- tapc0ffee01-1a +----------------+
//! second 10.0.0.12 --- tapdeadbe02-5a | brq77aa88bb-00 | uplink --- 10.0.0.9 outside
//!                                     +----------------+
//! ```

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nftwrap::Manager;
use nftwrap::conntrack::{Conntrack, Ends, Filter};
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::RuleInput;
use nftwrap::virt_firewall::ports::{self, Driver, Port, PortFirewall, Settings, bridge};

use crate::lab::{Lab, bound, skip_unless};
use crate::world::*;

const TOOLS: &[&str] = &["ip", "sleep"];
const FIRST: &str = "10.0.0.11";
const SECOND: &str = "10.0.0.12";
const OUTSIDE: &str = "10.0.0.9";
/// What is not there by then was dropped: the links are in memory.
const LOST: Duration = Duration::from_millis(400);
const TRIES: usize = 8;

struct Net {
    host: Lab,
    first: Lab,
    second: Lab,
    outside: Lab,
}

impl Net {
    fn new() -> Option<Self> {
        let lab = || Lab::new(TOOLS);
        let net = Self { host: lab()?, first: lab()?, second: lab()?, outside: lab()? };
        if !bridge::passes_tables(&net.host.0, Family::Ipv4).unwrap() {
            let reason = "packets of bridges do not pass iptables here: the module br_netfilter";
            skip_unless(&["NFTWRAP_REQUIRE_BRIDGE"], reason);
            return None;
        }
        net.host.run("ip link add brq77aa88bb-00 type bridge forward_delay 0; ip link set brq77aa88bb-00 up");
        for (device, lab, mac, address) in [
            ("tapc0ffee01-1a", &net.first, "fa:16:3e:11:11:11", FIRST),
            ("tapdeadbe02-5a", &net.second, "fa:16:3e:22:22:22", SECOND),
            ("uplink", &net.outside, "02:00:00:00:00:09", OUTSIDE),
        ] {
            net.host.link(device, lab, "eth0");
            net.host.run(&format!("ip link set {device} master brq77aa88bb-00 up"));
            lab.run(&format!(
                "ip link set lo up; ip link set eth0 address {mac} up; ip address add {address}/24 dev eth0"
            ));
        }
        assert!(passes(&net.outside, OUTSIDE, &net.first, FIRST, 5000), "the bridge works");
        Some(net)
    }

    /// The two ports, behind the one bridge of their network.
    fn filter(&self, layout: Layout, inputs: &[RuleInput<'_>]) -> PortFirewall<Live> {
        let settings = settings(&layout, Driver::Plain);
        self.filter_so(layout, settings, inputs)
    }

    fn filter_so(&self, layout: Layout, settings: Settings, inputs: &[RuleInput<'_>]) -> PortFirewall<Live> {
        let model = ports::model(COMPONENT, true).unwrap();
        let manager = Manager::with_kernel_and_layout(model, self.host.kernel(), layout);
        let connections = Conntrack::open_in(&self.host.0).unwrap();
        let firewall = PortFirewall::start(manager, settings, Some(Box::new(connections))).unwrap();
        let deferral = firewall.defer();
        let _ = firewall.update_security_group_rules(group(GROUP, inputs));
        let two = Port { allowed_pairs: Vec::new(), ..port_b() };
        let tickets = firewall.prepare_all([port_a(), two]);
        drop(deferral);
        for (_, ticket) in tickets {
            ticket.unwrap().wait().unwrap();
        }
        firewall
    }
}

/// Whether one datagram gets there.
fn arrives(from: &Lab, source: (&str, u16), to: &Lab, destination: (&str, u16)) -> bool {
    let server = to.0.run(|| bound(|| UdpSocket::bind(("0.0.0.0", destination.1)))).unwrap();
    server.set_read_timeout(Some(LOST)).unwrap();
    let client = from.0.run(|| bound(|| UdpSocket::bind(source))).unwrap();
    client.set_broadcast(true).unwrap();
    client.send_to(b"x", destination).is_ok() && server.recv(&mut [0; 8]).is_ok()
}

fn passes(from: &Lab, source: &str, to: &Lab, destination: &str, port: u16) -> bool {
    (0..TRIES).any(|_| arrives(from, (source, 0), to, (destination, port)))
}

fn stops(from: &Lab, source: &str, to: &Lab, destination: &str, port: u16) -> bool {
    !arrives(from, (source, 0), to, (destination, port))
}

fn layouts() -> [Layout; 2] {
    [Layout::Iptables, Layout::native()]
}

fn udp(port: i64) -> RuleInput<'static> {
    ports(ingress("IPv4", "udp"), port, port)
}

/// 83.
#[test]
fn a_port_sends_as_itself_and_receives_what_its_rules_say() {
    for layout in layouts() {
        let Some(net) = Net::new() else { return };
        let (first, outside) = (&net.first, &net.outside);
        let _firewall = net.filter(layout, &[udp(5001), egress("IPv4", "")]);
        assert!(passes(first, FIRST, outside, OUTSIDE, 5000));
        assert!(passes(outside, OUTSIDE, first, FIRST, 5001));
        for neighbour in [5000, 5002] {
            assert!(stops(outside, OUTSIDE, first, FIRST, neighbour));
        }
        // The way to another port of this host leads through both.
        assert!(passes(first, FIRST, &net.second, SECOND, 5001));
        assert!(stops(first, FIRST, &net.second, SECOND, 5002));
        // A client of DHCP, and no server.
        let broadcast = "255.255.255.255";
        assert!((0..TRIES).any(|_| arrives(first, (FIRST, 68), outside, (broadcast, 67))));
        assert!(!arrives(first, (FIRST, 67), outside, (broadcast, 68)));
        // An error that belongs to what was sent.
        let client = first.0.run(|| bound(|| UdpSocket::bind((FIRST, 0)))).unwrap();
        client.connect((OUTSIDE, 5999)).unwrap();
        client.set_read_timeout(Some(LOST)).unwrap();
        let refused = |_| {
            let _ = client.send(b"x");
            matches!(client.recv(&mut [0; 8]), Err(error) if error.kind() == ErrorKind::ConnectionRefused)
        };
        assert!((0..TRIES).any(refused));
        // Another address, and another hardware address.
        first.run("ip address add 10.0.0.77/24 dev eth0");
        assert!(stops(first, "10.0.0.77", outside, OUTSIDE, 5000));
        assert!(passes(first, FIRST, outside, OUTSIDE, 5000));
        first.run("ip link set eth0 address 02:00:00:00:00:77");
        assert!(stops(first, FIRST, outside, OUTSIDE, 5000));
    }
}

/// 84: while rules come and go, not one packet of what is closed passes, and what is open stays open.
#[test]
fn nothing_blinks_while_rules_change() {
    for layout in layouts() {
        let Some(net) = Net::new() else { return };
        let firewall = net.filter(layout, &[udp(5001)]);
        assert!(passes(&net.outside, OUTSIDE, &net.first, FIRST, 5001));
        let (ends, received) = (AtomicBool::new(false), AtomicUsize::new(0));
        let bind = |lab: &Lab, address: &'static str, port: u16| {
            lab.0.run(|| bound(|| UdpSocket::bind((address, port)))).unwrap()
        };
        let (open, closed) = (bind(&net.first, FIRST, 5001), bind(&net.first, FIRST, 5002));
        let client = bind(&net.outside, OUTSIDE, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    for port in [5001, 5002] {
                        let _ = client.send_to(b"x", (FIRST, port));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            scope.spawn(|| {
                open.set_read_timeout(Some(LOST)).unwrap();
                while !ends.load(Ordering::Relaxed) {
                    received.fetch_add(usize::from(open.recv(&mut [0; 8]).is_ok()), Ordering::Relaxed);
                }
            });
            for round in 0..20 {
                let mut rules = vec![udp(5001)];
                rules.extend((0..round % 4).map(|n| ports(ingress("IPv4", "tcp"), n + 1, n + 20)));
                firewall.update_security_group_rules(group(GROUP, &rules)).wait().unwrap();
                if round % 5 == 4 {
                    firewall.remove(&id(B)).unwrap().wait().unwrap();
                    firewall.prepare(Port { allowed_pairs: Vec::new(), ..port_b() }).unwrap().wait().unwrap();
                }
                let before = received.load(Ordering::Relaxed);
                let flows = |_| {
                    std::thread::sleep(Duration::from_millis(5));
                    received.load(Ordering::Relaxed) > before
                };
                assert!((0..1000).any(flows), "round {round}");
            }
            ends.store(true, Ordering::Relaxed);
        });
        closed.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(closed.recv(&mut [0; 8]).is_err(), "a packet passed");
    }
}

/// 85.
#[test]
fn members_of_a_group_may_what_its_rule_says() {
    for layout in with_sets() {
        let Some(net) = Net::new() else { return };
        let of_group = RuleInput { group: Some(GROUP), ..ports(ingress("IPv4", "udp"), 6000, 6000) };
        let firewall = net.filter(layout, &[of_group, egress("IPv4", "")]);
        assert!(stops(&net.second, SECOND, &net.first, FIRST, 6000), "nobody is a member");
        let members = |members: &[&str]| {
            let members = members.iter().map(|member| member.parse().unwrap());
            firewall.update_security_group_members(&group_id(GROUP), members).wait().unwrap();
            firewall.wait_for_connections();
        };
        members(&["10.0.0.12"]);
        assert!(passes(&net.second, SECOND, &net.first, FIRST, 6000));
        assert!(stops(&net.second, SECOND, &net.first, FIRST, 6001));
        assert!(stops(&net.outside, OUTSIDE, &net.first, FIRST, 6000));
        members(&["10.0.0.9"]);
        assert!(stops(&net.second, SECOND, &net.first, FIRST, 6000));
        assert!(passes(&net.outside, OUTSIDE, &net.first, FIRST, 6000));
        // A prefix beside an address, and without it again.
        members(&["10.0.0.12", "10.0.0.8/30"]);
        assert!(passes(&net.second, SECOND, &net.first, FIRST, 6000));
        assert!(passes(&net.outside, OUTSIDE, &net.first, FIRST, 6000));
        members(&["10.0.0.12"]);
        assert!(passes(&net.second, SECOND, &net.first, FIRST, 6000));
        assert!(stops(&net.outside, OUTSIDE, &net.first, FIRST, 6000));
        assert!(firewall.connection_errors().is_empty());
    }
}

/// 86: here a connection ends with the rule that had allowed it; others stay.
#[test]
fn connections_end_with_their_rule_and_no_others() {
    for layout in layouts() {
        let Some(net) = Net::new() else { return };
        let firewall = net.filter(layout, &[udp(5001), egress("IPv4", "")]);
        assert!(passes(&net.outside, OUTSIDE, &net.first, FIRST, 5001));
        assert!(passes(&net.outside, OUTSIDE, &net.second, SECOND, 5001));
        assert!(passes(&net.first, FIRST, &net.outside, OUTSIDE, 5003));
        let zone = firewall.zone(&id(A));
        assert_eq!((zone, zone), (Some(4097), firewall.zone(&id(B))), "one for the network");
        let mut conntrack = Conntrack::open_in(&net.host.0).unwrap();
        let mut count = |port: u16| {
            let original = Ends { destination_port: Some(port), ..Ends::default() };
            conntrack.list(&Filter { zone, original, ..Filter::default() }).unwrap().len()
        };
        assert_eq!((count(5001) >= 2, count(5003) >= 1), (true, true));
        firewall.update_security_group_rules(group(GROUP, &[egress("IPv4", "")])).wait().unwrap();
        firewall.wait_for_connections();
        assert_eq!(count(5001), 0);
        assert!(count(5003) >= 1);
        assert!(stops(&net.outside, OUTSIDE, &net.first, FIRST, 5001));
        firewall.remove(&id(A)).unwrap().wait().unwrap();
        firewall.wait_for_connections();
        assert_eq!(count(5003), 0);
        assert!(firewall.connection_errors().is_empty());
    }
}

/// What a port sends to the host itself is checked; the reference's own rule lets all of it pass.
#[test]
fn packets_to_the_host_are_checked() {
    for layout in layouts() {
        for host_input in [true, false] {
            let Some(net) = Net::new() else { return };
            net.host.run("ip address add 10.0.0.1/24 dev brq77aa88bb-00");
            net.first.run("ip address add 10.0.0.77/24 dev eth0");
            let settings = Settings { host_input, ..settings(&layout, Driver::Plain) };
            let _firewall = net.filter_so(layout.clone(), settings, &[egress("IPv4", "")]);
            assert!(passes(&net.first, FIRST, &net.host, "10.0.0.1", 5000));
            let spoofed = (0..2).any(|_| arrives(&net.first, ("10.0.0.77", 0), &net.host, ("10.0.0.1", 5000)));
            assert_eq!(spoofed, !host_input, "{layout:?}");
        }
    }
}

/// D31.
#[test]
fn whether_packets_of_bridges_come_by_is_known() {
    let Some(net) = Net::new() else { return };
    net.host.run("echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables");
    let passes = |family| bridge::passes_tables(&net.host.0, family).unwrap();
    assert_eq!(Family::BOTH.map(passes), [false, true]);
}
