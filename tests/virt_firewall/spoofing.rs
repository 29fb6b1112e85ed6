//! Forged and honest frames over a bridge (nova 4.8, and 103 and 104 of 6.5).
//!
//! ```text
//! instance eth0 --- tap1 [ br0 ] uplink --- eth0 elsewhere
//! ```
//!
//! Frames are put together here and sent as they are, so that each differs from an honest one in what it is about.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::Layout;
use nftwrap::netlink::packet::PacketSocket;
use nftwrap::nft::Family;
use nftwrap::virt_firewall::FirewallDriver;
use nftwrap::virt_firewall::instances::{Instance, Options};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::Lab;
use crate::{fake, first, instance, interface};

const TOOLS: &[&str] = &["ip", "sleep"];
/// What is not there by then was dropped: the links are in memory.
const LOST: Duration = Duration::from_millis(150);
const MAC: &str = "fa:16:3e:00:00:01";
const OWN: [u8; 6] = [0xfa, 0x16, 0x3e, 0, 0, 1];
const OTHER: [u8; 6] = [0xfa, 0x16, 0x3e, 0, 0, 2];
const ALL: [u8; 6] = [0xff; 6];
const IP: u16 = 0x0800;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
const VLAN: u16 = 0x8100;
const IPV6: u16 = 0x86dd;

struct Net {
    host: Lab,
    instance: Lab,
    elsewhere: Lab,
}

impl Net {
    fn new() -> Option<Self> {
        let lab = || Lab::new(TOOLS);
        let net = Self { host: lab()?, instance: lab()?, elsewhere: lab()? };
        net.host.run(
            "ip link add br0 type bridge forward_delay 0 mcast_snooping 0
             for all in all default; do echo 1 >/proc/sys/net/ipv6/conf/$all/disable_ipv6; done; ip link set br0 up",
        );
        for (device, lab) in [("tap1", &net.instance), ("uplink", &net.elsewhere)] {
            net.host.link(device, lab, "eth0");
            // Who was seen where is of no account: forged frames would decide where honest ones go.
            net.host.run(&format!(
                "ip link set {device} master br0 up; ip link set {device} type bridge_slave learning off"
            ));
            lab.run("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set eth0 promisc on up");
        }
        // It may take a second until the links are up.
        let hello = eth(ALL, OTHER, 0x88b5, &[]);
        assert!((0..40).any(|_| arrives(&net.instance, &hello, &net.elsewhere)), "the bridge works");
        Some(net)
    }

    fn out(&self, frame: &[u8]) -> bool {
        arrives(&self.instance, frame, &self.elsewhere)
    }

    fn inward(&self, frame: &[u8]) -> bool {
        arrives(&self.elsewhere, frame, &self.instance)
    }
}

/// Whether the frame gets there. It ends with a number of its own, by which it is known.
fn arrives(from: &Lab, frame: &[u8], at: &Lab) -> bool {
    static NUMBER: AtomicU32 = AtomicU32::new(0x6e66_7400);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let everything = Protocol::from(i32::from(3_u16.to_be()));
    let mut ear = at.0.run(|| Socket::new(Domain::PACKET, Type::RAW, Some(everything))).unwrap().unwrap();
    let socket = PacketSocket::open_in(&from.0, &"eth0".parse().unwrap()).unwrap();
    socket.send(&[frame, &number].concat()).unwrap();
    let end = Instant::now() + LOST;
    let mut heard = [0; 2048];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        ear.set_read_timeout(Some(left)).unwrap();
        match std::io::Read::read(&mut ear, &mut heard) {
            Ok(length) if heard[..length].windows(4).any(|bytes| bytes == number) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn eth(to: [u8; 6], from: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), payload].concat()
}

fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()
}

/// A datagram; the number behind the frame is part of it.
fn udp(from: &str, to: &str, ports: (u16, u16)) -> Vec<u8> {
    let datagram = [&ports.0.to_be_bytes()[..], &ports.1.to_be_bytes(), &[0, 12, 0, 0]].concat();
    match (from.parse().unwrap(), to.parse().unwrap()) {
        (std::net::IpAddr::V4(from), std::net::IpAddr::V4(to)) => {
            let mut header = [&[0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0][..], &from.octets(), &to.octets()].concat();
            let sum = sum(&header).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            [header, datagram].concat()
        }
        (std::net::IpAddr::V6(from), std::net::IpAddr::V6(to)) => {
            [&[0x60, 0, 0, 0, 0, 12, 17, 255][..], &from.octets(), &to.octets(), &datagram].concat()
        }
        _ => panic!("two families"),
    }
}

/// A neighbour message, or another that is as long.
fn icmpv6(from: &str, to: &str, kind: u8, target: &str) -> Vec<u8> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &address(target)].concat();
    [&[0x60, 0, 0, 0, 0, 28, 58, 255][..], &address(from), &address(to), &message].concat()
}

fn arp(sender: [u8; 6], address: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, 2][..], &sender, &address, &[0; 6], &[10, 0, 0, 9]].concat()
}

fn guarded(subnets: &[&str]) -> Instance {
    instance("1", vec![interface("tap1", MAC, subnets)], &[])
}

const FOUR: &str = "10.0.0.0/24 via 10.0.0.1 dhcp 10.0.0.1 has 10.0.0.2";
const SIX: &str = "fd00::/64 via fe80::1 has fd00::2";
const LINK_LOCAL: &str = "fe80::f816:3eff:fe00:1";

fn ip4(mac: [u8; 6], from: &str, ports: (u16, u16)) -> Vec<u8> {
    eth(OTHER, mac, IP, &udp(from, "10.0.0.9", ports))
}

fn ip6(from: &str, kind: u8, target: &str) -> Vec<u8> {
    eth([0x33, 0x33, 0, 0, 0, 1], OWN, IPV6, &icmpv6(from, "ff02::1", kind, target))
}

/// What an instance can send: the frame, and whether it passes for an interface with both families and DHCP.
fn sent() -> Vec<(&'static str, Vec<u8>, bool)> {
    let request = |from: &str, to: &str, ports| eth(ALL, OWN, IP, &udp(from, to, ports));
    vec![
        ("honest IPv4", ip4(OWN, "10.0.0.2", (5000, 5000)), true),
        ("another's hardware address", ip4(OTHER, "10.0.0.2", (5000, 5000)), false),
        ("another's IPv4 address", ip4(OWN, "10.0.0.3", (5000, 5000)), false),
        ("no IPv4 address", ip4(OWN, "0.0.0.0", (5000, 5000)), false),
        ("a DHCP request", request("0.0.0.0", "255.255.255.255", (68, 67)), true),
        ("a DHCP renewal", ip4(OWN, "10.0.0.2", (68, 67)), true),
        ("a DHCP answer", ip4(OWN, "10.0.0.2", (67, 68)), false),
        ("honest ARP", eth(ALL, OWN, ARP, &arp(OWN, [10, 0, 0, 2])), true),
        ("a probe by ARP", eth(ALL, OWN, ARP, &arp(OWN, [0; 4])), true),
        ("another's address by ARP", eth(ALL, OWN, ARP, &arp(OWN, [10, 0, 0, 3])), false),
        ("another's hardware address by ARP", eth(ALL, OWN, ARP, &arp(OTHER, [10, 0, 0, 2])), false),
        ("ARP of other lengths", eth(ALL, OWN, ARP, &[0, 1, 8, 0, 6, 16, 0, 2]), false),
        ("RARP", eth(ALL, OWN, RARP, &arp(OWN, [0; 4])), true),
        ("RARP of another", eth(ALL, OTHER, RARP, &arp(OTHER, [0; 4])), false),
        ("another protocol", eth(ALL, OWN, 0x88b5, &[]), false),
        (
            "another's address behind a tag",
            eth(OTHER, OWN, VLAN, &[&[0, 7, 8, 0][..], &udp("10.0.0.3", "10.0.0.9", (1, 1))].concat()),
            false,
        ),
        ("honest IPv6", eth(OTHER, OWN, IPV6, &udp("fd00::2", "fd00::9", (5000, 5000))), true),
        ("another's IPv6 address", eth(OTHER, OWN, IPV6, &udp("fd00::3", "fd00::9", (5000, 5000))), false),
        ("its link-local address", eth(OTHER, OWN, IPV6, &udp(LINK_LOCAL, "fe80::9", (5000, 5000))), true),
        ("another's link-local address", eth(OTHER, OWN, IPV6, &udp("fe80::7", "fe80::9", (5000, 5000))), false),
        ("a DHCPv6 request", eth(OTHER, OWN, IPV6, &udp(LINK_LOCAL, "ff02::1:2", (546, 547))), true),
        ("a DHCPv6 answer", eth(OTHER, OWN, IPV6, &udp("fd00::2", "fd00::9", (547, 546))), false),
        ("an advertisement of its own", ip6("fd00::2", 136, "fd00::2"), true),
        ("another's advertisement", ip6("fd00::2", 136, "fd00::3"), false),
        ("a question for a neighbour", ip6("fd00::2", 135, "fd00::3"), true),
        ("a question whether its own is free", ip6("::", 135, "fd00::2"), true),
        ("a question whether another's is free", ip6("::", 135, "fd00::3"), false),
        ("a router's advertisement", ip6(LINK_LOCAL, 134, "::"), false),
        ("a redirect", ip6(LINK_LOCAL, 137, "::"), false),
        ("a question for routers", ip6(LINK_LOCAL, 133, "::"), true),
    ]
}

/// What an instance can be sent.
fn received() -> Vec<(&'static str, Vec<u8>, bool)> {
    let to = |from: [u8; 6], source: &str, target: &str, ports| eth(OWN, from, IP, &udp(source, target, ports));
    let six = |from: [u8; 6], source: &str, kind| {
        eth([0x33, 0x33, 0, 0, 0, 1], from, IPV6, &icmpv6(source, "ff02::1", kind, "fd00::2"))
    };
    vec![
        ("IPv4", to(OTHER, "10.0.0.9", "10.0.0.2", (5000, 5000)), true),
        ("IPv4 to another's address", to(OTHER, "10.0.0.9", "10.0.0.3", (5000, 5000)), false),
        ("IPv4 to all", eth(ALL, OTHER, IP, &udp("10.0.0.9", "255.255.255.255", (5000, 5000))), true),
        ("an answer of its DHCP server", to(OTHER, "10.0.0.1", "10.0.0.2", (67, 68)), true),
        ("an offer of its DHCP server", to(OTHER, "10.0.0.1", "10.0.0.7", (67, 68)), true),
        ("an answer of another DHCP server", to(OTHER, "10.0.0.9", "10.0.0.2", (67, 68)), false),
        ("ARP", eth(ALL, OTHER, ARP, &arp(OTHER, [10, 0, 0, 9])), true),
        ("an advertisement of its router", six(OTHER, "fe80::1", 134), true),
        ("an advertisement of another router", six(OTHER, "fe80::9", 134), false),
        ("a question of a neighbour", six(OTHER, "fe80::9", 135), true),
        ("its own question, sent back", six(OWN, "fe80::9", 135), false),
        ("IPv6", eth(OWN, OTHER, IPV6, &udp("fd00::9", "fd00::2", (5000, 5000))), true),
        ("IPv6 to its link-local address", eth(OWN, OTHER, IPV6, &udp("fe80::9", LINK_LOCAL, (5000, 5000))), true),
        ("IPv6 to another's address", eth(OWN, OTHER, IPV6, &udp("fd00::9", "fd00::3", (5000, 5000))), false),
        ("an answer by DHCPv6", eth(OWN, OTHER, IPV6, &udp("fe80::9", LINK_LOCAL, (547, 546))), false),
    ]
}

/// Sends all of them; `differ` names those that pass, or do not, against the list.
#[track_caller]
fn check(net: &Net, differ: &[&str]) {
    for (name, frame, passes) in sent() {
        assert_eq!(net.out(&frame), passes != differ.contains(&name), "sent: {name}");
    }
    for (name, frame, passes) in received() {
        assert_eq!(net.inward(&frame), passes != differ.contains(&name), "received: {name}");
    }
}

/// Each forged frame is dropped and each honest one passes; without the rules all of them do.
#[test]
fn an_instance_is_held_to_its_addresses() {
    let Some(net) = Net::new() else { return };
    let driver = crate::driver(net.host.kernel(), net.host.kernel(), Layout::Iptables, Options::nova());
    let one = guarded(&[FOUR, SIX]);
    assert!(!driver.instance_filter_exists(&one).unwrap());
    driver.setup_basic_filtering(&one).unwrap();
    driver.prepare_instance_filter(&guarded(&[])).unwrap();
    check(&net, &[]);
    // Again is once.
    let generation = net.host.kernel().generation().unwrap();
    driver.setup_basic_filtering(&one).unwrap();
    assert_eq!(net.host.kernel().generation().unwrap(), generation);
    assert!(driver.instance_filter_exists(&one).unwrap());
    assert!(!driver.instance_filter_exists(&guarded(&[FOUR])).unwrap());
    // Without DHCP it is nova-nodhcp.
    driver.setup_basic_filtering(&guarded(&[&FOUR.replace(" dhcp 10.0.0.1", ""), SIX])).unwrap();
    let dhcp = ["a DHCP request", "a DHCPv6 request"];
    let answers = ["an answer of its DHCP server", "an offer of its DHCP server"];
    // DHCPv6 goes out as any datagram from its own address.
    check(&net, &[&dhcp[..1], &answers].concat());
    driver.unfilter_instance(&one).unwrap();
    assert!(net.host.kernel().tables(Family::Bridge).unwrap().is_empty(), "the table goes with the last one");
    for (name, frame, _) in sent() {
        assert!(net.out(&frame), "sent: {name}");
    }
    for (name, frame, _) in received() {
        assert!(net.inward(&frame), "received: {name}");
    }
}

/// Without an address nothing gets through but DHCP, ARP and the discovery of neighbours.
#[test]
fn an_interface_without_addresses_is_closed() {
    let Some(net) = Net::new() else { return };
    let driver = crate::driver(net.host.kernel(), net.host.kernel(), Layout::Iptables, Options::nova());
    let bare = ["10.0.0.0/24 via 10.0.0.1 dhcp 10.0.0.1 has", "fd00::/64 via fe80::1 has"];
    driver.setup_basic_filtering(&guarded(&bare)).unwrap();
    let sent = [
        "honest IPv4",
        "a DHCP renewal",
        "honest ARP",
        "honest IPv6",
        "its link-local address",
        "an advertisement of its own",
        "a question for a neighbour",
        "a question whether its own is free",
    ];
    let received = ["IPv4", "IPv4 to all", "IPv6", "IPv6 to its link-local address"];
    check(&net, &[&sent[..], &received].concat());
}

/// One that passes on what others send, and one without IPv6.
#[test]
fn a_gateway_to_a_private_network_is_free_but_for_dhcp() {
    let Some(net) = Net::new() else { return };
    let driver = crate::driver(net.host.kernel(), net.host.kernel(), Layout::Iptables, Options::nova());
    driver.setup_basic_filtering(&Instance { is_vpn: true, ..guarded(&[FOUR, SIX]) }).unwrap();
    for (name, frame, _) in sent() {
        assert!(net.out(&frame), "sent: {name}");
    }
    let stopped = ["an answer of another DHCP server", "an answer by DHCPv6"];
    for (name, frame, _) in received() {
        assert_eq!(net.inward(&frame), !stopped.contains(&name), "received: {name}");
    }
    let options = Options { ipv6: false, ..Options::nova() };
    let driver = crate::driver(net.host.kernel(), net.host.kernel(), Layout::Iptables, options);
    driver.setup_basic_filtering(&guarded(&[FOUR, SIX])).unwrap();
    assert!(net.out(&ip4(OWN, "10.0.0.2", (5000, 5000))));
    assert!(!net.out(&eth(OTHER, OWN, IPV6, &udp("fd00::2", "fd00::9", (5000, 5000)))));
    assert!(!net.inward(&eth(OWN, OTHER, IPV6, &udp("fd00::9", "fd00::2", (5000, 5000)))));
}

/// The chains and keys of a table, and the chain that each device leads to.
fn senders(kernel: &Fake) -> Vec<String> {
    let table = "nova-compute-spoofing".parse().unwrap();
    let elements = kernel.connect().elements(Family::Bridge, &table, &"senders".parse().unwrap()).unwrap();
    let show = |element: &nftwrap::nft::Element| {
        let key = String::from_utf8_lossy(element.key.as_deref().unwrap()).trim_end_matches('\0').to_owned();
        let data = format!("{:?}", element.data);
        format!("{key} {}", if data.contains("nova-base") { "nova-base" } else { "nova-nodhcp" })
    };
    let mut shown: Vec<_> = elements.iter().map(show).collect();
    shown.sort();
    shown
}

/// 103 and 104: which interface may ask for addresses; each comes, changes and goes by itself.
#[test]
fn each_interface_is_elements() {
    let (driver, kernel) = fake(Options::nova());
    let two = |second: &str| {
        let subnets = [FOUR, "10.1.0.0/24 has 10.1.0.2"];
        let interfaces =
            vec![interface("tap1", MAC, &subnets[..1]), interface(second, "fa:16:3e:00:00:02", &subnets[1..])];
        instance("1", interfaces, &[])
    };
    driver.setup_basic_filtering(&two("tap2")).unwrap();
    assert_eq!(senders(&kernel), ["tap1 nova-base", "tap2 nova-nodhcp"]);
    let commits = kernel.stats().commits;
    driver.setup_basic_filtering(&two("tap2")).unwrap();
    assert_eq!(kernel.stats().commits, commits);
    // One more comes alone.
    let plugged = instance("1", vec![interface("tap3", "fa:16:3e:00:00:03", &[SIX])], &[]);
    driver.setup_basic_filtering(&plugged).unwrap();
    assert_eq!(senders(&kernel), ["tap1 nova-base", "tap2 nova-nodhcp", "tap3 nova-nodhcp"]);
    // A new process finds what stands, and changes nothing.
    driver.stop();
    let driver = crate::driver(kernel.connect(), kernel.connect(), Layout::Iptables, Options::nova());
    let commits = kernel.stats().commits;
    driver.setup_basic_filtering(&two("tap2")).unwrap();
    driver.setup_basic_filtering(&plugged).unwrap();
    assert_eq!(kernel.stats().commits, commits);
    // A device that the instance has no more goes when it is prepared again.
    driver.prepare_instance_filter(&two("tap2")).unwrap();
    driver.setup_basic_filtering(&two("tap9")).unwrap();
    driver.prepare_instance_filter(&two("tap9")).unwrap();
    assert_eq!(senders(&kernel), ["tap1 nova-base", "tap3 nova-nodhcp", "tap9 nova-nodhcp"]);
    // All of an instance goes with it, also what was plugged later; again is none.
    driver.unfilter_instance(&two("tap9")).unwrap();
    assert!(kernel.connect().tables(Family::Bridge).unwrap().is_empty());
    driver.unfilter_instance(&plugged).unwrap();
}

/// Somebody flushes the table: the next change makes it whole, with what was known to stand before.
#[test]
fn a_table_that_is_not_whole_is_made_anew() {
    use nftwrap::transaction::{Batch, Origin};
    let (driver, kernel) = fake(Options::nova());
    driver.setup_basic_filtering(&first(&[])).unwrap();
    let table = "nova-compute-spoofing".parse().unwrap();
    let rules = |kernel: &Fake| kernel.connect().rules(Family::Bridge, &table, None).unwrap().len();
    let whole = rules(&kernel);
    let mut batch = Batch::begin(None);
    batch.flush_chain(Family::Bridge, &table, &"from-arp".parse().unwrap(), Origin(0));
    kernel.connect().commit(&batch.seal().unwrap()).unwrap();
    assert!(rules(&kernel) < whole);
    assert!(!driver.instance_filter_exists(&first(&[])).unwrap());
    driver.setup_basic_filtering(&first(&[])).unwrap();
    assert_eq!((rules(&kernel), senders(&kernel)), (whole, vec!["tap1 nova-base".to_owned()]));
}

/// As people see it.
#[test]
fn the_stock_tool_lists_the_table() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let driver = crate::driver(lab.kernel(), lab.kernel(), Layout::Iptables, Options::nova());
    driver.setup_basic_filtering(&guarded(&[FOUR, SIX])).unwrap();
    let shown = lab.quietly(&["nft", "list", "table", "bridge", "nova-compute-spoofing"], "");
    for part in ["iifname . ether saddr != @macs drop", "goto nova-nodhcp", "@addresses6", "hook postrouting"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}
