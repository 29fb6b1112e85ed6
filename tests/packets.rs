//! Real packets through wrapped chains: what a rule says is what happens, and goes on while rules change.
//!
//! Two namespaces, joined by a veth pair: a client, and a server whose wrapped chains decide.
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

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::Lab;
use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::{Layout, Native, Passes};
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, Place, TableKind};
use nftwrap_compat::parse;

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "192.0.2.2";
const TOOLS: &[&str] = &["ip", "sleep"];
/// What has not arrived by then was dropped: the link is in memory. It is long for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between packets that are sent without waiting for an answer, for the sake of other tests.
const BREATH: Duration = Duration::from_micros(100);

/// A client and a server, and the server's wrapped chains.
struct Net {
    client: Lab,
    server: Lab,
}

impl Net {
    fn new() -> Option<Self> {
        let (client, server) = (Lab::new(TOOLS)?, Lab::new(TOOLS)?);
        client.link("veth0", &server, "veth1");
        for (lab, device, address) in [(&client, "veth0", CLIENT), (&server, "veth1", SERVER)] {
            lab.run(&format!("ip address add {address}/24 dev {device}; ip link set {device} up; ip link set lo up"));
        }
        let net = Self { client, server };
        assert!((0..5).any(|_| net.udp(4999)) && net.tcp(4999) && net.icmp(), "the link works");
        Some(net)
    }

    /// Whether a datagram from the client reaches the server.
    fn udp(&self, port: u16) -> bool {
        let socket = self.server.0.run(|| UdpSocket::bind((SERVER, port)).unwrap()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        self.client.0.run(|| UdpSocket::bind((CLIENT, 0)).unwrap().send_to(b"x", (SERVER, port)).ok()).unwrap();
        socket.recv(&mut [0; 8]).is_ok()
    }

    /// Whether the client can connect to the server.
    fn tcp(&self, port: u16) -> bool {
        let _listener = self.server.0.run(|| TcpListener::bind((SERVER, port)).unwrap()).unwrap();
        let to: SocketAddr = format!("{SERVER}:{port}").parse().unwrap();
        self.client.0.run(|| TcpStream::connect_timeout(&to, PATIENCE).is_ok()).unwrap()
    }

    /// Whether the server's ICMP error about a closed port reaches the client.
    fn icmp(&self) -> bool {
        let answer = self.client.0.run(|| {
            let socket = UdpSocket::bind((CLIENT, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.connect((SERVER, 9)).unwrap();
            socket.send(b"x").unwrap();
            socket.recv(&mut [0; 8]).map_err(|error| error.kind())
        });
        answer.unwrap() == Err(ErrorKind::ConnectionRefused)
    }
}

/// A component with wrapped INPUT and OUTPUT chains in `filter`, and INPUT in `mangle`.
fn agent(lab: &Lab) -> Manager<Live> {
    let mut model = Model::builder().component("agent".parse().unwrap()).build().unwrap();
    for (kind, chains) in [(TableKind::Filter, &["INPUT", "OUTPUT"][..]), (TableKind::Mangle, &["INPUT"])] {
        for chain in chains {
            let table = model.table_mut(Family::Ipv4, kind).unwrap();
            table.add_chain(&format!("${chain}")).unwrap();
            table.add_rule(*chain, parse::rule(&format!("-j ${chain}"), Family::Ipv4).unwrap()).unwrap();
        }
    }
    Manager::with_kernel(model, lab.kernel())
}

fn change(manager: &mut Manager<Live>, kind: TableKind, chain: &str, rules: &[&str]) {
    let rules = rules.iter().map(|text| parse::rule(text, Family::Ipv4).unwrap());
    manager.model_mut().table_mut(Family::Ipv4, kind).unwrap().replace_chain(chain, rules).unwrap();
    manager.apply().unwrap();
}

/// neutron 14, item 34: drops by protocol, with and without a port, in both directions, and open again after removal.
#[test]
fn a_rule_drops_and_its_removal_opens_again() {
    let Some(net) = Net::new() else { return };
    let mut server = agent(&net.server);
    let states = || (net.udp(5000), net.udp(5001), net.tcp(5000), net.tcp(5001));
    for (chain, rule, expected) in [
        ("$INPUT", "-p udp -j DROP", (false, false, true, true)),
        ("$INPUT", "-p udp -m udp --dport 5000 -j DROP", (false, true, true, true)),
        ("$INPUT", "-p tcp -j DROP", (true, true, false, false)),
        ("$INPUT", "-p tcp --dport 5001 -j DROP", (true, true, true, false)),
        ("$INPUT", "-s 192.0.2.0/30 -p tcp -m multiport --dports 4000:5000 -j DROP", (true, true, false, true)),
        ("$INPUT", "! -s 192.0.2.1 -j DROP", (true, true, true, true)),
        ("$OUTPUT", "-p tcp --sport 5000 -j DROP", (true, true, false, true)),
    ] {
        change(&mut server, TableKind::Filter, chain, &[rule]);
        assert_eq!(states(), expected, "{chain} {rule}");
        change(&mut server, TableKind::Filter, chain, &[]);
    }
    assert_eq!(states(), (true, true, true, true));
}

#[test]
fn icmp_is_dropped_and_passes_again() {
    let Some(net) = Net::new() else { return };
    let mut client = agent(&net.client);
    change(&mut client, TableKind::Filter, "$INPUT", &["-p icmp -j DROP"]);
    assert!(!net.icmp() && net.udp(5000));
    change(&mut client, TableKind::Filter, "$INPUT", &["-p icmp -m icmp --icmp-type 8 -j DROP"]);
    assert!(net.icmp());
}

/// neutron 14, item 34: a mark that `mangle` sets and `filter` reads, both from one transaction each.
#[test]
fn a_mark_of_mangle_is_seen_by_filter() {
    let Some(net) = Net::new() else { return };
    let mut server = agent(&net.server);
    change(&mut server, TableKind::Mangle, "$INPUT", &["-p udp --dport 5000 -j MARK --set-xmark 0x1/0xffff"]);
    assert!(net.udp(5000));
    change(&mut server, TableKind::Filter, "$INPUT", &["-m mark --mark 0x1/0xffff -j DROP"]);
    assert!(!net.udp(5000) && net.udp(5001));
}

/// An established connection goes on where new ones are refused.
#[test]
fn established_connections_pass_where_new_ones_do_not() {
    let Some(net) = Net::new() else { return };
    let mut server = agent(&net.server);
    // The kernel tracks connections from the first rule on that asks for it.
    change(&mut server, TableKind::Filter, "$INPUT", &["-m state --state RELATED,ESTABLISHED -j ACCEPT"]);
    let listener = net.server.0.run(|| TcpListener::bind((SERVER, 5000)).unwrap()).unwrap();
    let mut stream = net.client.0.run(|| TcpStream::connect((SERVER, 5000)).unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let rules = ["-m state --state RELATED,ESTABLISHED -j ACCEPT", "-p tcp -j DROP"];
    change(&mut server, TableKind::Filter, "$INPUT", &rules);
    peer.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(b"still here").unwrap();
    let mut text = [0; 10];
    peer.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"still here");
    assert!(!net.tcp(5001));
}

/// Ends the senders, also when the test fails.
struct Finish<'a>(&'a AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// neutron 14, item 84: while other rules come, go and are replaced, what is blocked stays blocked, without a blink.
#[test]
fn not_one_packet_passes_while_rules_change() {
    let Some(net) = Net::new() else { return };
    let mut server = agent(&net.server);
    change(&mut server, TableKind::Filter, "$INPUT", &["-p udp -j DROP"]);
    let socket = net.server.0.run(|| UdpSocket::bind((SERVER, 5000)).unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let done = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let finish = Finish(&done);
        let sender = scope.spawn(|| {
            let socket = net.client.0.run(|| UdpSocket::bind((CLIENT, 0)).unwrap()).unwrap();
            let mut sent = 0_u32;
            while !done.load(Ordering::Relaxed) {
                sent += u32::from(socket.send_to(b"x", (SERVER, 5000)).is_ok());
                std::thread::sleep(BREATH);
            }
            sent
        });
        for round in 0..60_u16 {
            let other = format!("-p tcp --dport {} -j ACCEPT", 6000 + round);
            let place = if round % 3 == 0 { vec!["-p udp -j DROP", &other] } else { vec![&*other, "-p udp -j DROP"] };
            change(&mut server, TableKind::Filter, "$INPUT", &place);
            if round % 10 == 9 {
                // A restarted agent brings the same state, over what stands.
                let (model, kernel) = std::mem::replace(&mut server, agent(&net.server)).into_parts();
                server = Manager::with_kernel(model, kernel);
                server.apply().unwrap();
            }
        }
        drop(finish);
        sender.join().unwrap()
    });
    assert!(sent > 100, "{sent} packets were sent meanwhile");
    assert!(socket.recv(&mut [0; 8]).is_err(), "a packet passed");
}

/// How a host keeps closed what no instance opens.
#[derive(Clone, Copy)]
enum Closed {
    /// By the policy: what goes astray is lost.
    ByPolicy,
    /// By the last rule of each instance: what goes astray passes.
    ByInstances,
}

/// A host of the native layout with some instances. The client is instance 1, which may send to port 5001.
fn host(closed: Closed) -> Model {
    let mut model = Model::builder().component("agent".parse().unwrap()).ipv6(false).build().unwrap();
    if let Closed::ByPolicy = closed {
        let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
        table.set_policy("INPUT", nftwrap::nft::Policy::Drop, None).unwrap();
    }
    (1..20).for_each(|number| boot(&mut model, closed, number, &[]));
    model
}

/// An instance, reached by its address, with one port open to it and more rules before that.
fn boot(model: &mut Model, closed: Closed, number: u32, rules: &[&str]) {
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    let chain = format!("$inst-{number}");
    let known = table.has_chain(&*chain);
    table.add_chain(&*chain).unwrap();
    let open = format!("-p udp --dport {} -j ACCEPT", if number == 1 { 5001 } else { 7000 + number % 3 });
    let last: &[&str] = match closed {
        Closed::ByPolicy => &[],
        Closed::ByInstances => &["-j DROP"],
    };
    let rules = rules.iter().copied().chain([&*open]).chain(last.iter().copied());
    let rules = rules.map(|rule| parse::rule(rule, Family::Ipv4).unwrap());
    table.replace_chain(&*chain, rules).unwrap();
    if !known {
        let jump = parse::rule(&format!("-s 192.0.2.{number} -j {chain}"), Family::Ipv4).unwrap();
        table.add_rule("INPUT", jump).unwrap();
    }
}

/// What became of packets that were sent during changes.
struct Fate {
    /// How many were sent that are to be dropped, and which passed.
    blocked: u32,
    leaked: Vec<u32>,
    /// How many were sent that are to pass, and how many did so only when they were sent again.
    through: u32,
    lost: u32,
}

/// Sends packets while instances come and go, rules change, and one process after another takes the tables over, whatever
/// its passes.
fn packets_meanwhile(closed: Closed) -> Option<Fate> {
    let net = Net::new()?;
    let start = |model: Model, passes: Passes| {
        let layout = Layout::Native(Native { passes, ..Native::default() });
        let mut manager = Manager::with_kernel_and_layout(model, net.server.kernel(), layout);
        let report = manager.apply().unwrap();
        (manager, report)
    };
    let (mut manager, _) = start(host(closed), Passes::all());
    let bind = |port: u16| net.server.0.run(|| UdpSocket::bind((SERVER, port)).unwrap()).unwrap();
    let (shut, open) = (bind(5000), bind(5001));
    shut.set_nonblocking(true).unwrap();
    open.set_read_timeout(Some(PATIENCE)).unwrap();
    let done = AtomicBool::new(false);
    let mut fate = Fate { blocked: 0, leaked: Vec::new(), through: 0, lost: 0 };
    std::thread::scope(|scope| {
        let finish = Finish(&done);
        let socket = || net.client.0.run(|| UdpSocket::bind((CLIENT, 0)).unwrap()).unwrap();
        let (done, blocked) = (&done, socket());
        let blocked = scope.spawn(move || {
            let (mut sent, mut leaked) = (0_u32, Vec::new());
            while !done.load(Ordering::Relaxed) {
                let arrived = blocked.send_to(&sent.to_be_bytes(), (SERVER, 5000)).is_ok();
                sent += u32::from(arrived);
                std::thread::sleep(BREATH);
                let mut number = [0; 4];
                while shut.recv(&mut number).is_ok() {
                    leaked.push(u32::from_be_bytes(number));
                }
            }
            (sent, leaked)
        });
        let through = socket();
        let through = scope.spawn(move || {
            let arrives = |number: u32| {
                through.send_to(&number.to_be_bytes(), (SERVER, 5001)).unwrap();
                let mut arrived = [0; 4];
                // One that was late may come before its repetition.
                while open.recv(&mut arrived).is_ok() {
                    if arrived == number.to_be_bytes() {
                        return true;
                    }
                }
                false
            };
            let (mut sent, mut lost) = (0_u32, 0_u32);
            while !done.load(Ordering::Relaxed) {
                if !arrives(sent) {
                    lost += 1;
                    assert!(arrives(sent), "packet {sent} was lost twice");
                }
                sent += 1;
            }
            (sent, lost)
        });
        for round in 0..60_u32 {
            let model = manager.model_mut();
            let rule = format!("-p tcp --dport {} -j ACCEPT", 6000 + round % 7);
            let rules = [&*rule];
            boot(model, closed, 1, &rules);
            boot(model, closed, 20 + round, if round % 2 == 0 { &rules } else { &[] });
            model
                .table_mut(Family::Ipv4, TableKind::Filter)
                .unwrap()
                .remove_chain(&*format!("$inst-{}", 10 + round))
                .unwrap();
            if round % 3 == 0 {
                manager.apply().unwrap();
            }
            if round % 10 == 9 {
                // What was not applied yet is the next process's.
                let (model, kernel) = manager.into_parts();
                drop(kernel);
                let passes = if round % 20 == 9 { Passes::empty() } else { Passes::all() };
                (manager, _) = start(model.clone(), passes);
                let (_, kernel) = manager.into_parts();
                drop(kernel);
                let report;
                (manager, report) = start(model, passes);
                assert_eq!((report.rules_added, report.rules_deleted, report.elements), (0, 0, 0), "{report:?}");
            }
        }
        drop(finish);
        (fate.blocked, fate.leaked) = blocked.join().unwrap();
        (fate.through, fate.lost) = through.join().unwrap();
    });
    assert!(fate.blocked > 100 && fate.through > 100, "{} and {} packets were sent", fate.blocked, fate.through);
    Some(fate)
}

/// No packet passes that is to be dropped, and none is lost that is to pass; but the kernel has two generations only, and
/// a machine that takes the processor away in the middle of a packet can let it meet a third (`manual::native_layout`).
#[test]
fn filtering_has_no_gap_while_processes_come_and_go() {
    let Some(fate) = packets_meanwhile(Closed::ByPolicy) else { return };
    assert_eq!(fate.leaked, [0; 0], "packets passed");
    assert!(fate.lost <= 1, "{} packets of {} were lost", fate.lost, fate.through);
}

/// The same where everything is open that no instance closes.
#[test]
fn what_instances_close_stays_closed_while_processes_come_and_go() {
    let Some(fate) = packets_meanwhile(Closed::ByInstances) else { return };
    assert!(fate.leaked.len() <= 1, "{:?} of {} passed", fate.leaked, fate.blocked);
    assert!(fate.lost <= 1, "{} packets of {} were lost", fate.lost, fate.through);
}

/// A rule at the top decides before one that was there first.
#[test]
fn a_top_rule_decides_first() {
    let Some(net) = Net::new() else { return };
    let mut server = agent(&net.server);
    change(&mut server, TableKind::Filter, "$INPUT", &["-p udp -j ACCEPT"]);
    let rule = parse::rule("-p udp --dport 5000 -j DROP", Family::Ipv4).unwrap();
    let top = nftwrap::wrap::Addition::new(rule).place(Place::Top);
    server.model_mut().table_mut(Family::Ipv4, TableKind::Filter).unwrap().add_rule("$INPUT", top).unwrap();
    server.apply().unwrap();
    assert!(!net.udp(5000) && net.udp(5001));
}
