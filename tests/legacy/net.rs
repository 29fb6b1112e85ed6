//! A router with twelve devices, and a namespace behind them that sends whatever it likes.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nftwrap::kernel::Kernel;
use nftwrap::kernel::machine::{Packet, Transport};
use nftwrap::name::{SetName, TableName};
use nftwrap::nft::Family;
use nftwrap::nft::expr::Expr;
use nftwrap::rule;
use nftwrap::wrap::Hook;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::Lab;
use crate::random::packet::Shot;

/// Devices, of the names and with the MACs that rules ask for.
const DEVICES: usize = 12;
/// The identification or flow label of the packets that count: answers have others.
const OURS: u16 = 0xbeef;

/// Counts what comes in, and what is left of it behind the rules, with the marks that it has there. And it has the kernel
/// track connections and bind addresses, whether the rules of the model ask for that or not: what is remembered of one
/// model's packets is there for those of the next.
const WATCH: &str = "
table FAMILY watch {
    set marks { type mark . inet_proto; flags dynamic; size 4096; }
    chain arrived { type filter hook prerouting priority -1000; OURS counter; }
    chain input { type filter hook input priority 1000; OURS add @marks { meta mark . meta l4proto } counter; }
    chain forward { type filter hook forward priority 1000; OURS add @marks { meta mark . meta l4proto } counter; }
    chain output { type filter hook output priority 1000; OURS add @marks { meta mark . meta l4proto } counter; }
    chain sent { type filter hook postrouting priority 1000; OURS counter; ct state established counter; }
    chain bound_first { type nat hook prerouting priority 500; }
    chain bound_last { type nat hook postrouting priority 500; }
}
";

/// A router and what is behind it.
pub(crate) struct Net {
    pub(crate) router: Lab,
    /// Sockets behind each of the devices.
    behind: Vec<[Socket; 2]>,
    /// The router's own.
    here: [Socket; 2],
    _client: Lab,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    arrived: u64,
    input: u64,
    forward: u64,
    output: u64,
    sent: u64,
    pub(crate) marks: BTreeSet<Vec<u8>>,
}

impl Seen {
    /// Whether something came through since then.
    pub(crate) fn left(&self, before: &Self) -> bool {
        (self.input, self.forward, self.sent) != (before.input, before.forward, before.sent)
    }
}

impl Net {
    pub(crate) fn new(tools: &[&str]) -> Option<Self> {
        let (client, router) = (Lab::new(tools)?, Lab::new(tools)?);
        router.stand_in(|pid| {
            let mut links = String::new();
            for n in 0..DEVICES {
                let mac = format!("address fa:16:3e:00:00:{n:02x}");
                writeln!(links, "link add tap{n} {mac} type veth peer name tap{n} {mac} netns {pid}").unwrap();
            }
            client.quietly(&["ip", "-batch", "-"], &links);
        });
        let mut both = String::from("link set lo up\n");
        for n in 0..DEVICES {
            // Without ARP a frame goes to the device's own MAC, which is the other's, too.
            writeln!(both, "link set tap{n} arp off up").unwrap();
        }
        let mut routes = both.clone();
        for n in 0..DEVICES {
            writeln!(routes, "route add 198.18.0.0/16 dev tap{n} metric {}", n + 1).unwrap();
            writeln!(routes, "route add 2001:db8:0:1::/64 dev tap{n} metric {}", n + 1).unwrap();
        }
        client.quietly(&["ip", "-batch", "-"], &routes);
        let mut routes = both;
        for n in 16..32 {
            writeln!(routes, "address add 198.18.0.{n}/32 dev lo").unwrap();
            writeln!(routes, "address add 2001:db8:0:1::{n:x}/128 dev lo").unwrap();
        }
        for n in (0..16).chain(32..64) {
            writeln!(routes, "route add 198.18.0.{n}/32 dev tap{}", n % DEVICES).unwrap();
            writeln!(routes, "route add 2001:db8:0:1::{n:x}/128 dev tap{}", n % DEVICES).unwrap();
        }
        routes.push_str("route add 198.18.0.0/16 dev tap0\nroute add 2001:db8:0:1::/64 dev tap0\n");
        router.quietly(&["ip", "-batch", "-"], &routes);
        router.run(
            "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; cd /proc/sys/net/ipv4; echo 1 >ip_forward; cd conf
            for name in *; do echo 0 >$name/rp_filter; echo 1 >$name/accept_local; echo 0 >$name/send_redirects; done",
        );
        let socket = |domain| {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(255))).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let sockets = || [socket(Domain::IPV4), socket(Domain::IPV6)];
        let bound = |n: usize| {
            let sockets = sockets();
            for socket in &sockets {
                socket.bind_device(Some(format!("tap{n}").as_bytes())).unwrap();
            }
            sockets
        };
        let behind = client.0.run(|| (0..DEVICES).map(bound).collect()).unwrap();
        let here = router.0.run(sockets).unwrap();
        Some(Self { router, behind, here, _client: client })
    }

    /// Starts anew: nothing in nf_tables but the counters.
    pub(crate) fn watch(&self) {
        let tables = [("ip", "ip id 48879"), ("ip6", "ip6 flowlabel 48879")]
            .map(|(family, ours)| WATCH.replace("FAMILY", family).replace("OURS", ours));
        self.router.quietly(&["nft", "-f", "-"], &format!("flush ruleset\n{}", tables.concat()));
    }

    /// What was counted so far.
    pub(crate) fn seen(&self, family: rule::Family) -> Seen {
        let family = Family::from(family);
        let (mut kernel, table) = (self.router.kernel(), TableName::new("watch").unwrap());
        let rules = kernel.rules(family, &table, None).unwrap();
        let count = |chain: &str| {
            let rule = rules.iter().find(|rule| rule.chain.as_str() == chain).unwrap();
            let counted = rule.expressions.iter().find_map(|expr| match expr {
                Expr::Counter(counter) => Some(counter.packets),
                _ => None,
            });
            counted.unwrap()
        };
        let marks = kernel.elements(family, &table, &SetName::new("marks").unwrap()).unwrap();
        Seen {
            arrived: count("arrived"),
            input: count("input"),
            forward: count("forward"),
            output: count("output"),
            sent: count("sent"),
            marks: marks.into_iter().map(|element| element.key.unwrap().to_vec()).collect(),
        }
    }

    /// Sends a packet by the device and to the hook that the shot says, as near as a router can.
    pub(crate) fn send(&self, shot: &Shot) {
        let Shot { hook, packet } = shot;
        let input = packet.input.as_ref().and_then(|device| device.name.as_str().strip_prefix("tap")?.parse().ok());
        let socket = match hook {
            Hook::Output | Hook::Postrouting => &self.here,
            _ => &self.behind[input.unwrap_or(0_usize) % DEVICES],
        };
        // What comes in with a MAC comes by the device that has it.
        let socket = match (hook, packet.mac) {
            (Hook::Prerouting | Hook::Input | Hook::Forward, Some(mac)) if input.is_none() => {
                &self.behind[usize::from(mac[5]) % DEVICES]
            }
            _ => socket,
        };
        // The router's own addresses are those from 16 to 31.
        let to = match (hook, packet.destination) {
            (Hook::Input, IpAddr::V4(to)) => Ipv4Addr::from(0xc612_0010 | u32::from(to) & 0xf).into(),
            (Hook::Input, IpAddr::V6(to)) => {
                Ipv6Addr::from(u128::from(to) & !0xffff | u128::from(to) & 0xf | 0x10).into()
            }
            (_, to) => to,
        };
        let socket = &socket[usize::from(to.is_ipv6())];
        // A packet that has nowhere to go from here is not sent.
        let _ = socket.send_to(&bytes(packet, to), &SockAddr::from(SocketAddr::new(to, 0)));
    }
}

/// What both have counted, once they agree or nothing more comes.
pub(crate) fn settled(one: &Net, other: &Net, family: rule::Family) -> (Seen, Seen) {
    for wait in [0, 0, 1, 5, 20, 100] {
        std::thread::sleep(Duration::from_millis(wait));
        let (wanted, found) = (one.seen(family), other.seen(family));
        if wanted == found && one.seen(family) == wanted && other.seen(family) == found {
            return (wanted, found);
        }
    }
    (one.seen(family), other.seen(family))
}

/// A packet's bytes, with the checksums that connection tracking asks for.
fn bytes(packet: &Packet, destination: IpAddr) -> Vec<u8> {
    let addresses: Vec<u8> = match (packet.source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
        other => panic!("{other:?}"),
    };
    let mut body = Vec::new();
    let data = vec![0; usize::from(packet.data)];
    let checksum_at = match &packet.transport {
        Transport::Tcp { ports, flags, options } => {
            body.extend(ports.source.to_be_bytes());
            body.extend(ports.destination.to_be_bytes());
            body.extend([0, 0, 0, 1, 0, 0, 0, 0, (5 + options.len() as u8 / 4) << 4, *flags, 4, 0, 0, 0, 0, 0]);
            body.extend(options);
            Some(16)
        }
        Transport::Ports(protocol, ports) => {
            body.extend(ports.source.to_be_bytes());
            body.extend(ports.destination.to_be_bytes());
            body.extend((8 + packet.data).to_be_bytes());
            body.extend([0, 0]);
            assert_eq!(*protocol, rule::Protocol::UDP);
            Some(6)
        }
        Transport::Icmp { kind, code } => {
            body.extend([*kind, *code, 0, 0, 0, 1, 0, 1]);
            Some(2)
        }
        Transport::Other(_) => None,
    };
    body.extend(data);
    if let Some(at) = checksum_at {
        let pseudo: u32 = match packet.transport {
            Transport::Icmp { .. } if destination.is_ipv4() => 0,
            _ => sum(&addresses) + u32::from(packet.protocol().0) + body.len() as u32,
        };
        let sum = checksum(&body, pseudo);
        body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let mut out = Vec::new();
    let hops = packet.hops.max(2);
    if destination.is_ipv4() {
        out.extend([0x45, packet.tos & 0xfc]);
        out.extend((20 + body.len() as u16).to_be_bytes());
        out.extend(OURS.to_be_bytes());
        out.extend([0, 0, hops, packet.protocol().0, 0, 0]);
        out.extend(&addresses);
        let sum = checksum(&out, 0);
        out[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        out.extend((6 << 28 | u32::from(packet.tos & 0xfc) << 20 | u32::from(OURS)).to_be_bytes());
        out.extend((body.len() as u16).to_be_bytes());
        out.extend([packet.protocol().0, hops]);
        out.extend(&addresses);
    }
    out.extend(body);
    out
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn checksum(bytes: &[u8], start: u32) -> u16 {
    let mut sum = start + sum(bytes);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
