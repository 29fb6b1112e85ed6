//! Connection tracking: real connections end when their entries are deleted, and others do not.
//!
//! ```text
//! client 192.0.2.1 --- host 192.0.2.2, floating 192.0.2.101 and .102 --- 10.0.0.2 and 10.0.0.3 instances
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use lab::Lab;
use nftwrap::Manager;
use nftwrap::conntrack::{Conntrack, Direction, Ends, Entry, Family, Filter, Icmp, Mark};
use nftwrap::kernel::Live;
use nftwrap::linux_net::rules::{Floating, Options, ensure_floating_forward, remove_floating_forward};
use nftwrap::wrap::Profile;

const TOOLS: &[&str] = &["ip", "sleep", "conntrack"];
const PATIENCE: Duration = Duration::from_secs(2);
/// What has not arrived by then was dropped; the links are in memory.
const LOST: Duration = Duration::from_millis(500);
const FIRST: (&str, &str) = ("192.0.2.101", "10.0.0.2");
const SECOND: (&str, &str) = ("192.0.2.102", "10.0.0.3");

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What the stock tool shows: the lines of both families.
fn stock(lab: &Lab) -> Vec<String> {
    let list = |family: &str| lab.feed(&["conntrack", "-L", "-f", family], "").1;
    (list("ipv4") + &list("ipv6")).lines().map(str::to_owned).collect()
}

/// All entries, each of which the stock tool shows as well.
#[track_caller]
fn entries(lab: &Lab, filter: &Filter) -> Vec<Entry> {
    let entries = Conntrack::open_in(&lab.0).unwrap().list(filter).unwrap();
    let lines = stock(lab);
    for entry in &entries {
        let has = |line: &String| line.contains(&entry.original.to_string()) && line.contains(&entry.reply.to_string());
        assert!(lines.iter().any(has), "{entry} is not in {lines:#?}");
    }
    if *filter == Filter::default() {
        assert_eq!(entries.len(), lines.len(), "{lines:#?}");
    }
    entries
}

struct Net {
    client: Lab,
    host: Lab,
    instances: Lab,
    manager: Manager<Live>,
}

fn link(from: &Lab, name: &str, to: &Lab, peer: &str) {
    from.link(name, to, peer);
    from.run(&format!("ip link set lo up; ip link set {name} up"));
    to.run(&format!("ip link set lo up; ip link set {peer} up"));
}

impl Net {
    fn new() -> Option<Self> {
        let (client, host, instances) = (Lab::new(TOOLS)?, Lab::new(TOOLS)?, Lab::new(TOOLS)?);
        link(&host, "wan", &client, "eth0");
        link(&host, "lan", &instances, "eth0");
        client.run("ip address add 192.0.2.1/24 dev eth0; ip address add 2001:db8::1/64 dev eth0 nodad");
        client.run("ip -6 route add default via 2001:db8::2");
        host.run(
            "ip address add 192.0.2.2/24 dev wan; ip address add 192.0.2.101/32 dev wan
             ip address add 192.0.2.102/32 dev wan; ip address add 10.0.0.1/24 dev lan
             ip address add 2001:db8::2/64 dev wan nodad; ip address add fd00::1/64 dev lan nodad
             echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
        );
        instances.run(
            "ip address add 10.0.0.2/24 dev eth0; ip address add 10.0.0.3/24 dev eth0
             ip route add default via 10.0.0.1
             ip address add fd00::2/64 dev eth0 nodad; ip address add fd00::3/64 dev eth0 nodad
             ip -6 route add default via fd00::1",
        );
        let component = "nova-network".parse().unwrap();
        let model = nftwrap::wrap::Model::builder().component(component).profile(Profile::Nova).build().unwrap();
        let manager = Manager::with_kernel(model, host.kernel());
        let mut net = Self { client, host, instances, manager };
        // Connections of IPv6 are tracked from the first rule on that asks for it.
        let track =
            nftwrap_compat::parse::rule("-m state --state INVALID -j DROP", nftwrap::rule::Family::Ipv6).unwrap();
        net.manager.model_mut().filter().v6().chain("FORWARD").unwrap().append(track).unwrap();
        net.associate(FIRST.0, FIRST.1);
        net.associate(SECOND.0, SECOND.1);
        Some(net)
    }

    fn associate(&mut self, floating: &str, fixed: &str) {
        let floating = Floating {
            floating: floating.parse().unwrap(),
            fixed: fixed.parse().unwrap(),
            device: Some("wan".parse().unwrap()),
        };
        ensure_floating_forward(self.manager.model_mut(), &Options::default(), &floating).unwrap();
        self.manager.apply().unwrap();
    }

    fn disassociate(&mut self, (floating, fixed): (&str, &str)) {
        let (floating, fixed) = (floating.parse().unwrap(), fixed.parse().unwrap());
        assert!(remove_floating_forward(self.manager.model_mut(), floating, fixed).unwrap());
        self.manager.apply().unwrap();
    }

    fn server(&self, at: &str) -> UdpSocket {
        let socket = self.instances.0.run(|| UdpSocket::bind((at, 5000)).unwrap()).unwrap();
        socket.set_read_timeout(Some(LOST)).unwrap();
        socket
    }

    fn client(&self, to: &str) -> UdpSocket {
        let any = if to.contains(':') { "::" } else { "0.0.0.0" };
        let socket = self.client.0.run(|| UdpSocket::bind((any, 0)).unwrap()).unwrap();
        socket.connect((to, 5000)).unwrap();
        socket.set_read_timeout(Some(LOST)).unwrap();
        socket
    }

    fn clean(&self, fixed: &str) -> usize {
        Conntrack::open_in(&self.host.0).unwrap().clean(address(fixed)).unwrap()
    }
}

/// Whether a question arrives at the server and its answer at the client.
fn talks(client: &UdpSocket, server: &UdpSocket) -> bool {
    // An error about an earlier packet is no answer.
    let _ = client.take_error();
    let _ = client.send(b"x");
    match server.recv_from(&mut [0; 8]) {
        Ok((_, from)) => server.send_to(b"y", from).is_ok() && client.recv(&mut [0; 8]).is_ok(),
        Err(_) => false,
    }
}

/// nova 3.1: an association that ended goes on for those who have a connection, until its entries are deleted.
#[test]
fn translated_connections_end_with_their_entries() {
    let Some(mut net) = Net::new() else { return };
    let (first, second) = (net.server(FIRST.1), net.server(SECOND.1));
    let (client, other) = (net.client(FIRST.0), net.client(SECOND.0));
    assert!(talks(&client, &first) && talks(&other, &second));
    let before = entries(&net.host, &Filter::answers_from(address(SECOND.1)));
    assert_eq!(before.len(), 1);
    let entry = &entries(&net.host, &Filter::answers_from(address(FIRST.1)))[0];
    assert_eq!((entry.original.destination, entry.reply.source), (address(FIRST.0), address(FIRST.1)));
    assert_eq!((entry.original.protocol, entry.original.destination_port), (17, Some(5000)));

    net.disassociate(FIRST);
    assert!(talks(&client, &first), "the rules are for new connections");
    assert_eq!(net.clean(FIRST.1), 1);
    assert!(!talks(&client, &first));
    assert_eq!(net.clean(FIRST.1), 0, "twice is once");
    // The other one goes on, as the same entry.
    assert!(talks(&other, &second));
    let after = entries(&net.host, &Filter::answers_from(address(SECOND.1)));
    assert_eq!((after.len(), after[0].id), (1, before[0].id));
    // What the client sent meanwhile made a connection with the host itself; deleted, the same socket reaches whoever has
    // the address now.
    net.associate(FIRST.0, SECOND.1);
    let host = Filter {
        original: Ends { destination: Some(address(FIRST.0).into()), ..Ends::default() },
        ..Filter::default()
    };
    Conntrack::open_in(&net.host.0).unwrap().delete(&host).unwrap();
    assert!(talks(&client, &second));
    assert!(talks(&other, &second));
}

/// A stream that is translated stops, and a new one starts where the address leads to now.
#[test]
fn streams_end_with_their_entries() {
    let Some(mut net) = Net::new() else { return };
    let listen = |at: &'static str| net.instances.0.run(|| TcpListener::bind((at, 6000)).unwrap()).unwrap();
    let (first, second) = (listen(FIRST.1), listen(SECOND.1));
    let connect = |net: &Net| {
        let to = format!("{}:6000", FIRST.0).parse().unwrap();
        let stream = net.client.0.run(|| TcpStream::connect_timeout(&to, PATIENCE)).unwrap().unwrap();
        stream.set_read_timeout(Some(LOST)).unwrap();
        stream
    };
    let mut stream = connect(&net);
    let (mut peer, _) = first.accept().unwrap();
    peer.set_read_timeout(Some(LOST)).unwrap();
    stream.write_all(b"one").unwrap();
    let mut text = [0; 3];
    peer.read_exact(&mut text).unwrap();
    let tcp = Filter { protocol: Some(6), ..Filter::answers_from(address(FIRST.1)) };
    let entry = &entries(&net.host, &tcp)[0];
    assert_eq!(entry.reply.source_port, Some(6000));

    net.associate(FIRST.0, SECOND.1);
    assert_eq!(net.clean(FIRST.1), 1);
    let _ = stream.write_all(b"two");
    assert!(peer.read_exact(&mut text).is_err(), "nothing arrives any more");
    let mut fresh = connect(&net);
    let (mut peer, _) = second.accept().unwrap();
    fresh.write_all(b"new").unwrap();
    peer.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"new");
}

#[test]
fn ipv6_connections_are_deleted_by_address() {
    let Some(net) = Net::new() else { return };
    let (first, second) = (net.server("fd00::2"), net.server("fd00::3"));
    let (client, other) = (net.client("fd00::2"), net.client("fd00::3"));
    // It may take seconds until the link-local addresses can be used, without which there are no neighbours.
    assert!((0..12).any(|_| talks(&client, &first)) && (0..12).any(|_| talks(&other, &second)));
    let filter = Filter { protocol: Some(17), ..Filter::answers_from(address("fd00::2")) };
    let found = entries(&net.host, &filter);
    assert_eq!((found.len(), found[0].family()), (1, Family::Ipv6));
    assert!(net.clean("fd00::2") >= 1);
    assert!(entries(&net.host, &filter).is_empty());
    assert_eq!(entries(&net.host, &Filter { protocol: Some(17), ..Filter::answers_from(address("fd00::3")) }).len(), 1);
}

/// Entries that the stock tool makes, of many kinds: each filter takes those that it should, and these alone go.
#[test]
fn filters_take_what_they_say() {
    let Some(lab) = Lab::new(TOOLS) else { return };
    let make = |text: &str| lab.run(&format!("conntrack -I {text} -t 600 >/dev/null 2>&1"));
    let all = || {
        Conntrack::open_in(&lab.0).unwrap().delete(&Filter::default()).unwrap();
        make(
            "-p udp -s 192.0.2.1 -d 192.0.2.101 --sport 1000 --dport 53 -r 10.0.0.2 -q 192.0.2.1 --reply-port-src 53 --reply-port-dst 1000",
        );
        make("-p udp -s 192.0.2.1 -d 192.0.2.101 --sport 1001 --dport 53 -m 0x12");
        make("-p udp -s 192.0.2.1 -d 192.0.2.101 --sport 1000 --dport 53 -w 5");
        make("-p udp -s 192.0.2.1 -d 192.0.2.101 --sport 1000 --dport 53 --orig-zone 6");
        make("-p udp -s 192.0.2.1 -d 192.0.2.102 --sport 1000 --dport 53 --reply-zone 7");
        make("-p tcp -s 192.0.2.1 -d 192.0.2.101 --sport 1000 --dport 80 --state ESTABLISHED");
        make("-p icmp -s 192.0.2.1 -d 192.0.2.101 --icmp-type 8 --icmp-code 0 --icmp-id 77");
        make("-s 2001:db8::1 -d fd00::2 -p udp --sport 1000 --dport 53");
        make("-s 2001:db8::1 -d fd00::2 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 78");
    };
    all();
    let whole = entries(&lab, &Filter::default());
    assert_eq!(whole.len(), 9);
    let zones: Vec<_> = whole.iter().filter(|e| e.zone != 0).map(|e| (e.zone, e.zone_direction)).collect();
    for zone in [(5, None), (6, Some(Direction::Original)), (7, Some(Direction::Reply))] {
        assert!(zones.contains(&zone), "{zones:?}");
    }
    let icmp: Vec<_> = whole.iter().filter_map(|e| e.original.icmp).collect();
    assert!(icmp.contains(&Icmp { id: 77, kind: 8, code: 0 }) && icmp.contains(&Icmp { id: 78, kind: 128, code: 0 }));

    let any = Filter::default();
    let original = |source: Option<&str>, port| {
        let source = source.map(|source| source.parse().unwrap());
        Filter { original: Ends { source, source_port: port, ..Ends::default() }, ..any.clone() }
    };
    for (filter, count) in [
        (Filter { family: Some(Family::Ipv6), ..any.clone() }, 2),
        (Filter { family: Some(Family::Ipv4), ..any.clone() }, 7),
        (Filter { zone: Some(5), ..any.clone() }, 1),
        (Filter { zone: Some(6), ..any.clone() }, 1),
        (Filter { zone: Some(7), ..any.clone() }, 1),
        (Filter { zone: Some(0), ..any.clone() }, 6),
        (Filter { protocol: Some(1), ..any.clone() }, 1),
        (Filter { protocol: Some(6), ..any.clone() }, 1),
        (Filter { mark: Some(Mark { value: 0x12, mask: u32::MAX }), ..any.clone() }, 1),
        (Filter { mark: Some(Mark { value: 0x02, mask: 0x0f }), ..any.clone() }, 1),
        (original(None, Some(1000)), 6),
        (original(Some("192.0.2.0/24"), None), 7),
        (original(Some("2001:db8::/32"), Some(1000)), 1),
        (Filter::answers_from(address("10.0.0.2")), 1),
        (Filter::answers_from(address("192.0.2.101")), 5),
        (Filter::answers_from(address("192.0.2.99")), 0),
    ] {
        all();
        assert_eq!(entries(&lab, &filter).len(), count, "{filter:?}");
        let mut conntrack = Conntrack::open_in(&lab.0).unwrap();
        assert_eq!(conntrack.delete(&filter).unwrap(), count, "{filter:?}");
        assert_eq!(conntrack.delete(&filter).unwrap(), 0, "{filter:?}");
        let left = entries(&lab, &Filter::default());
        assert_eq!(left.len(), 9 - count, "{filter:?}");
        assert!(!left.iter().any(|entry| filter.takes(entry)));
    }
}

/// A namespace in which nothing is tracked has no entries, and that is no error.
#[test]
fn a_namespace_without_connections_has_none() {
    let Some(lab) = Lab::new(&[]) else { return };
    let mut conntrack = Conntrack::open_in(&lab.0).unwrap();
    assert_eq!(conntrack.list(&Filter::default()).unwrap(), []);
    assert_eq!(conntrack.clean(address("10.0.0.2")).unwrap(), 0);
}
