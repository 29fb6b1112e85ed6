//! Real packets: both encodings of a rule, one after the other at the same hook, count the same.
//!
//! Two namespaces, joined by a veth pair: packets leave one and come in to the other, where both rules stand.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use nftwrap::compile::Program;
use nftwrap::kernel::{Kernel, Live};
use nftwrap::netlink::namespace::Namespace;
use nftwrap::nft::expr::Expr;
use nftwrap::rule::{Family, Rule};
use nftwrap::transaction::Batch;
use nftwrap_compat::parse;

use crate::kernel::{add_rule, add_table, both, programs};
use crate::lab::Lab;

const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

/// Rules about what comes in, none of which decides: every packet meets all of them.
const INCOMING: &[&str] = &[
    "-p udp -m udp --dport 5000",
    "-p udp -m udp ! --dport 5000",
    "-p udp -m udp --dport 5001:5002",
    "-p udp -m udp ! --dport 5001:5002",
    "-p udp -m udp --dport 0:65535",
    "-p tcp -m tcp --dport 6000",
    "-p tcp -m tcp --syn",
    "-p tcp -m tcp ! --syn",
    "-p tcp -m tcp --tcp-option 2",
    "-p tcp -m tcp ! --tcp-option 2",
    "-p tcp -m tcp --tcp-flags FIN,ACK ACK",
    "-p udp -m multiport --dports 5000",
    "-p udp -m multiport --dports 5000,5002",
    "-p udp -m multiport ! --dports 5000,5002",
    "-p udp -m multiport --dports 5001:5002,5003:5004,7",
    "-p udp -m multiport ! --dports 5001:5002,5003:5004,7",
    "-p udp -m multiport --ports 5000,5002:5003",
    "-p udp -m multiport ! --ports 5000,5002:5003",
    "-p icmp -m icmp --icmp-type 8",
    "-p icmp -m icmp ! --icmp-type 8",
    "-p icmp -m icmp --icmp-type any",
    "-p icmp -m icmp --icmp-type 3/3",
    "-p icmp -m icmp ! --icmp-type 3/3",
    "-m state --state NEW",
    "-m state ! --state NEW",
    "-m state --state ESTABLISHED,RELATED",
    "-m state --state INVALID,UNTRACKED",
    "-m conntrack --ctstate NEW --ctproto 17",
    "-m conntrack ! --ctstate NEW --ctproto 17",
    "-m conntrack --ctorigsrc 192.0.2.0/24 --ctdir ORIGINAL",
    "-m conntrack --ctorigsrc 192.0.2.0/25 --ctdir REPLY",
    "-p udp -m conntrack --ctorigdstport 5000:5001",
    "-p udp -m conntrack ! --ctorigdstport 5000:5001",
    "-m conntrack --ctstatus SEEN_REPLY",
    "-m conntrack ! --ctstatus ASSURED",
    "-m conntrack --ctstatus NONE",
    "-m conntrack --ctexpire 10:60",
    "-m conntrack ! --ctexpire 10:60",
    "-m mark --mark 0x0",
    "-m mark ! --mark 0x1/0xff",
    "-m connmark --mark 0x0/0xffff",
    "-m iprange --src-range 192.0.2.1-192.0.2.9",
    "-m iprange ! --src-range 192.0.2.1-192.0.2.9",
    "-m iprange --src-range 192.0.2.3-192.0.2.9",
    "-m length --length 28:40",
    "-m length ! --length 28:40",
    "-m ttl --ttl-eq 64",
    "-m ttl --ttl-lt 64",
    "-m ttl --ttl-gt 63",
    "-m ttl ! --ttl-eq 64",
    "-m mac --mac-source 02:00:00:00:00:01",
    "-m mac ! --mac-source 02:00:00:00:00:01",
    "-m pkttype --pkt-type unicast",
    "-m pkttype ! --pkt-type unicast",
    "-m tos --tos 0x00/0xff",
    "-m dscp ! --dscp 0",
    "-m addrtype --dst-type LOCAL",
    "-m addrtype ! --src-type LOCAL,BROADCAST",
    "-s 192.0.2.0/28",
    "! -s 192.0.2.0/28",
    "! -s 0.0.0.0/0",
    "-s 192.0.0.1/255.0.0.255",
    "-i veth+",
    "! -i veth+",
    "! -i +",
    "! -p udp",
    "-p udp -m udp",
];

/// Rules that meet fragments. None may ask connection tracking, which would put the packets together first.
const FRAGMENTS: &[&str] = &[
    "-f",
    "! -f",
    "-p udp",
    "-p udp -m udp",
    "-p udp -m udp --dport 5000",
    "-p udp -m udp ! --dport 5000",
    "-p udp -m udp --dport 5000:5001",
    "-p udp -m multiport --dports 5000,5001",
    "-p udp -m multiport ! --sports 5000,5001",
    "-m length --length 1000:65535",
];

/// Rules that must count something, lest a test without packets pass.
const BUSY: [&str; 4] = ["-p udp -m udp --dport 5000", "-m state --state NEW", "-p tcp -m tcp --syn", "-f"];

/// Rules about what goes out.
const OUTGOING: &[&str] = &[
    "-m owner --uid-owner 0",
    "-m owner ! --uid-owner 0",
    "-m owner --uid-owner 1-9",
    "-m owner --uid-owner 0-9 --gid-owner 0",
    "-o veth+",
    "-m conntrack --ctdir REPLY",
    "-p udp -m udp --sport 1:65535",
];

/// What makes the link.
const TOOLS: &[&str] = &["ip", "sleep"];

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Two namespaces with a link between them, or `None` after printing that the test is skipped.
fn pair() -> Option<(Namespace, Namespace)> {
    let (Lab(here), Lab(there)) = (Lab::new(TOOLS)?, Lab::new(TOOLS)?);
    // A process of the other namespace stands for it while the link is made.
    let mut stand_in = there.run(|| Command::new("sleep").arg("60").spawn().unwrap()).unwrap();
    here.run(|| ip(&format!("link add veth0 type veth peer name veth1 netns {}", stand_in.id()))).unwrap();
    stand_in.kill().unwrap();
    stand_in.wait().unwrap();
    for (namespace, device, mac, address) in [(&here, "veth0", 1, HERE), (&there, "veth1", 2, THERE)] {
        namespace
            .run(|| {
                ip(&format!("link set {device} address 02:00:00:00:00:0{mac}"));
                ip(&format!("address add {address}/24 dev {device}"));
                ip(&format!("link set {device} up"));
                ip("link set lo up");
            })
            .unwrap();
    }
    Some((here, there))
}

/// UDP to open and closed ports, to one more than a packet holds, TCP, and ICMP errors both ways.
fn traffic(here: &Namespace, there: &Namespace) {
    let (udp, tcp) =
        there.run(|| (UdpSocket::bind((THERE, 5000)).unwrap(), TcpListener::bind((THERE, 6000)).unwrap())).unwrap();
    let answers = std::thread::spawn(move || {
        udp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = vec![0; 8000];
        for _ in 0..4 {
            let (len, from) = udp.recv_from(&mut buffer).unwrap();
            udp.send_to(&buffer[..len.min(20)], from).unwrap();
        }
        let (mut stream, _) = tcp.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
    });
    here.run(|| {
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 100];
        for size in [0, 10, 100, 4000] {
            socket.send_to(&vec![7; size], (THERE, 5000)).unwrap();
            socket.recv_from(&mut buffer).unwrap();
        }
        for port in 5001..5005 {
            let _ = socket.send_to(b"closed", (THERE, port));
        }
        let mut stream = TcpStream::connect((THERE, 6000)).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let _ = TcpStream::connect((THERE, 6001));
    })
    .unwrap();
    answers.join().unwrap();
    there.run(|| knock(HERE)).unwrap();
    here.run(|| knock(THERE)).unwrap();
}

/// A datagram to a port that nobody listens to makes the other side answer with an ICMP error.
fn knock(address: &str) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect((address, 9)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let _ = socket.send(b"anybody?");
    let _ = socket.recv(&mut [0; 10]);
}

/// Loads both encodings of each rule into a chain, each after the other so that they see the same packets.
fn load(namespace: &Namespace, hook: u32, rules: &[&str]) -> Live {
    load_both(namespace, hook, rules, |text| text.to_owned())
}

/// The same, where the rule to compare with says it in other words.
fn load_both(namespace: &Namespace, hook: u32, rules: &[&str], stock: fn(&str) -> String) -> Live {
    let mut batch = Batch::begin(None);
    for (number, table) in ["filter", "native"].into_iter().enumerate() {
        add_table(&mut batch, Family::Ipv4, table, (hook, 0, "filter"));
        let mut id = u32::try_from(number).unwrap() * 10_000;
        for text in rules {
            let text = if table == "native" { (*text).to_owned() } else { stock(text) };
            let rule: Rule = parse::rule(&text, Family::Ipv4).unwrap_or_else(|e| panic!("{text}: {e}"));
            let [native, stock] = both(&rule, Family::Ipv4);
            let program = if table == "native" { native } else { stock };
            add_rule(&mut batch, Family::Ipv4, table, &program, &mut id);
        }
    }
    let mut live = Live::open_in(namespace).unwrap();
    live.commit(&batch.seal().unwrap()).unwrap();
    live
}

fn counts(live: &mut Live, table: &str) -> Vec<(u64, u64)> {
    let count = |program: Program| {
        let counter = program.expressions.into_iter().find_map(|e| match e {
            Expr::Counter(counter) => Some((counter.packets, counter.bytes)),
            _ => None,
        });
        counter.unwrap()
    };
    programs(live, Family::Ipv4, table).into_iter().map(count).collect()
}

fn compare(live: &mut Live, rules: &[&str]) -> usize {
    let (stock, native) = (counts(live, "filter"), counts(live, "native"));
    let mut wrong = Vec::new();
    for ((rule, stock), native) in rules.iter().zip(&stock).zip(&native) {
        if stock != native {
            wrong.push(format!("{rule}: stock counts {stock:?}, native {native:?}"));
        }
        if BUSY.contains(rule) {
            assert_ne!(stock.0, 0, "no packet for {rule}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stock.iter().filter(|c| c.0 > 0).count()
}

#[test]
fn both_encodings_count_the_same_packets() {
    let Some((here, there)) = pair() else { return };
    let mut incoming = load(&there, 0, INCOMING);
    let mut answers = load(&here, 1, INCOMING);
    traffic(&here, &there);
    let busy = compare(&mut incoming, INCOMING);
    assert!(busy > INCOMING.len() / 2, "only {busy} rules met a packet");
    assert_eq!(counts(&mut answers, "filter"), counts(&mut answers, "native"));
}

#[test]
fn both_encodings_count_the_same_packets_on_the_way_out() {
    let Some((here, there)) = pair() else { return };
    let mut outgoing = load(&here, 3, OUTGOING);
    traffic(&here, &there);
    assert!(compare(&mut outgoing, OUTGOING) >= 4);
}

/// In iptables-nft's encoding, ports are read in the data of later fragments; `! -f` leaves these out.
#[test]
fn a_later_fragment_has_no_ports() {
    let Some((here, there)) = pair() else { return };
    let mut incoming = load_both(&there, 0, FRAGMENTS, |text| {
        let ports = text.contains("port");
        if ports { format!("! -f {text}") } else { text.to_owned() }
    });
    traffic(&here, &there);
    assert!(compare(&mut incoming, FRAGMENTS) >= 7);
}
