//! Packets to instances in both layouts: an outside machine, the host, and two instances behind it.
//!
//! ```text
//! outside 192.0.2.1 --- 192.0.2.2 host 10.0.0.1 --- 10.0.0.2 first instance
//!         2001:db8::1      ::2         10.0.1.1 --- 10.0.1.2 second instance
//! ```

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::virt_firewall::instances::{Instance, Options, ProviderRule};
use nftwrap::virt_firewall::{FirewallDriver, Form, NftablesFirewallDriver, Service};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Lab, bound};
use crate::{group, groups, id, instance, interface, ip, tenants};

const TOOLS: &[&str] = &["ip", "sleep"];
/// What is not there by then was dropped: the links are in memory.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

pub(crate) struct Net {
    pub(crate) outside: Lab,
    pub(crate) host: Lab,
    pub(crate) first: Lab,
    second: Lab,
}

impl Net {
    pub(crate) fn new() -> Option<Self> {
        let lab = || Lab::new(TOOLS);
        let net = Self { outside: lab()?, host: lab()?, first: lab()?, second: lab()? };
        net.host.link("wan", &net.outside, "eth0");
        net.host.link("lan0", &net.first, "eth0");
        net.host.link("lan1", &net.second, "eth0");
        for lab in [&net.outside, &net.host, &net.first, &net.second] {
            lab.run(
                "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
                 for dev in lo eth0 wan lan0 lan1; do
                   echo 0 >/proc/sys/net/ipv6/conf/$dev/accept_dad 2>/dev/null || true
                   ip link set $dev up 2>/dev/null || true
                 done",
            );
        }
        let addresses = |lab: &Lab, device: &str, four: &str, six: &str| {
            lab.run(&format!("ip address add {four} dev {device}; ip -6 address add {six} dev {device} nodad"));
        };
        addresses(&net.outside, "eth0", "192.0.2.1/24", "2001:db8::1/64");
        addresses(&net.host, "wan", "192.0.2.2/24", "2001:db8::2/64");
        addresses(&net.host, "lan0", "10.0.0.1/24", "fd00:0:0:1::1/64");
        addresses(&net.host, "lan1", "10.0.1.1/24", "fd00:0:0:2::1/64");
        addresses(&net.first, "eth0", "10.0.0.2/24", "fd00:0:0:1::2/64");
        addresses(&net.second, "eth0", "10.0.1.2/24", "fd00:0:0:2::2/64");
        for (lab, four, six) in [
            (&net.outside, "192.0.2.2", "2001:db8::2"),
            (&net.first, "10.0.0.1", "fd00:0:0:1::1"),
            (&net.second, "10.0.1.1", "fd00:0:0:2::1"),
        ] {
            lab.run(&format!("ip route add default via {four}; ip -6 route add default via {six}"));
        }
        net.host.run("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        let ready = |to: &str| (0..40).any(|_| answers(&net.outside, to));
        assert!([FIRST.0, FIRST.1, SECOND.0, SECOND.1].into_iter().all(ready), "the host forwards");
        Some(net)
    }

    pub(crate) fn driver(&self, layout: &Layout, options: Options) -> NftablesFirewallDriver<Live> {
        let options = Options { anti_spoofing: false, same_network: false, ..options };
        crate::driver(self.host.kernel(), self.host.kernel(), layout.clone(), options)
    }
}

pub(crate) const FIRST: (&str, &str) = ("10.0.0.2", "fd00:0:0:1::2");
const SECOND: (&str, &str) = ("10.0.1.2", "fd00:0:0:2::2");

pub(crate) fn one(groups: &[&str]) -> Instance {
    let subnets = ["10.0.0.0/24 dhcp 10.0.0.1 has 10.0.0.2", "fd00:0:0:1::/64 via fd00:0:0:1::1 has fd00:0:0:1::2"];
    instance("1", vec![interface("lan0", "fa:16:3e:00:00:01", &subnets)], groups)
}

/// Whether an echo request is answered.
fn answers(from: &Lab, to: &str) -> bool {
    let to: IpAddr = to.parse().unwrap();
    let (domain, protocol, request, reply) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8_u8, 0_u8),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128, 129),
    };
    let socket = from.0.run(|| Socket::new(domain, Type::RAW, Some(protocol))).unwrap().unwrap();
    // Each is a connection of its own.
    static NUMBER: AtomicU16 = AtomicU16::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut echo = [request, 0, 0, 0, 0, 0, 0, 0];
    echo[4..6].copy_from_slice(&number.to_be_bytes());
    // For IPv6 the kernel writes the checksum.
    if to.is_ipv4() {
        echo[2..4].copy_from_slice(&(!(u16::from(request) * 256 + number)).to_be_bytes());
    }
    if socket.send_to(&echo, &SocketAddr::new(to, 0).into()).is_err() {
        return false;
    }
    let end = Instant::now() + PATIENCE;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).unwrap();
        let mut answer = [0; 256];
        let Ok(length) = (&socket).read(&mut answer) else { return false };
        // IPv4 comes with its header; what else is heard are requests and questions for neighbours.
        let at = if to.is_ipv4() { 20 } else { 0 };
        if answer[..length].get(at) == Some(&reply) {
            return true;
        }
    }
    false
}

/// Whether a connection is made.
fn connects(from: &Lab, at: &Lab, to: &str, port: u16) -> bool {
    let to: IpAddr = to.parse().unwrap();
    let listener = at.0.run(|| bound(|| TcpListener::bind((to, port)))).unwrap();
    from.0.run(|| TcpStream::connect_timeout(&(to, port).into(), PATIENCE).is_ok()).unwrap() && {
        drop(listener);
        true
    }
}

/// Whether a datagram gets there from a port.
fn reaches(from: &Lab, source: (&str, u16), at: &Lab, to: (&str, u16)) -> bool {
    let server = at.0.run(|| bound(|| UdpSocket::bind(to))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = from.0.run(|| bound(|| UdpSocket::bind(source))).unwrap();
    client.send_to(b"x", to).is_ok() && server.recv(&mut [0; 8]).is_ok()
}

/// Both layouts, in each with the rules of groups in both forms.
fn cases() -> Vec<(Layout, Options)> {
    let other = |options: Options| {
        let form = if options.form == Form::Inline { Form::Lists } else { Form::Inline };
        Options { form, ..options }
    };
    vec![
        (Layout::Iptables, Options::nova()),
        (Layout::native(), Options::native()),
        (Layout::Iptables, other(Options::nova())),
        (Layout::native(), other(Options::native())),
    ]
}

/// Ping and SSH are opened by a group and closed again; a connection that is there goes on; an instance that is ended is
/// not filtered any more.
#[test]
fn a_group_opens_an_instance_and_closes_it() {
    for (layout, options) in cases() {
        let Some(net) = Net::new() else { return };
        let driver = net.driver(&layout, options);
        let open = || {
            [FIRST.0, FIRST.1].map(|to| {
                (
                    answers(&net.outside, to),
                    connects(&net.outside, &net.first, to, 22),
                    connects(&net.outside, &net.first, to, 23),
                )
            })
        };
        driver.prepare_instance_filter(&one(&["shell"])).unwrap();
        assert_eq!(open(), [(false, false, false); 2], "{layout:?}");
        // The instance asks, and is answered.
        assert!(answers(&net.first, "192.0.2.1") && answers(&net.first, "2001:db8::1"), "{layout:?}");
        let four = ["icmp -1 -1 0.0.0.0/0", "tcp 22 22 0.0.0.0/0"];
        let six = ["icmpv6 128 -1 ::/0", "tcp 22 22 ::/0"];
        let shell = group("shell");
        driver.refresh_security_group_rules(&shell, &tenants(&four)).unwrap();
        assert_eq!(open(), [(true, true, false), (false, false, false)], "{layout:?}");
        driver.refresh_security_group_rules(&shell, &tenants(&[four, six].concat())).unwrap();
        assert_eq!(open(), [(true, true, false); 2], "{layout:?}");
        let listener = net.first.0.run(|| bound(|| TcpListener::bind((FIRST.0, 22)))).unwrap();
        let kept = net.outside.0.run(|| TcpStream::connect((FIRST.0, 22)).unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        drop(listener);
        driver.refresh_security_group_rules(&shell, &[]).unwrap();
        assert_eq!(open(), [(false, false, false); 2], "{layout:?}");
        std::io::Write::write_all(&mut &kept, b"still here").unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(peer.read(&mut [0; 16]).unwrap(), 10, "{layout:?}");
        // Another list of groups opens it again.
        driver.refresh_security_group_rules(&group("other"), &tenants(&six)).unwrap();
        driver.refresh_instance_security_rules(&id("1"), &groups(&["shell", "other"])).unwrap();
        assert_eq!(open(), [(false, false, false), (true, true, false)], "{layout:?}");
        driver.unfilter_instance(&one(&[])).unwrap();
        assert_eq!(open(), [(true, true, true); 2], "{layout:?}");
    }
}

/// Members of a group get in, of both families, and get out of it again.
#[test]
fn members_of_a_group_get_in() {
    for (layout, options) in cases() {
        let Some(net) = Net::new() else { return };
        let driver = net.driver(&layout, options);
        driver.refresh_security_group_rules(&group("db"), &tenants(&["tcp 80 80 @friends"])).unwrap();
        driver.prepare_instance_filter(&one(&["db"])).unwrap();
        let gets_in = || [FIRST.0, FIRST.1].map(|to| connects(&net.second, &net.first, to, 80));
        assert_eq!(gets_in(), [false; 2], "{layout:?}");
        let friends = group("friends");
        driver.refresh_security_group_members(&friends, &[ip(SECOND.0), ip("10.0.9.9")]).unwrap();
        assert_eq!(gets_in(), [true, false], "{layout:?}");
        driver.refresh_security_group_members(&friends, &[ip(SECOND.0), ip(SECOND.1)]).unwrap();
        assert_eq!(gets_in(), [true; 2], "{layout:?}");
        assert!(!connects(&net.outside, &net.first, FIRST.0, 80), "{layout:?}");
        assert!(!connects(&net.second, &net.first, FIRST.0, 81), "{layout:?}");
        driver.refresh_security_group_members(&friends, &[ip(SECOND.1)]).unwrap();
        assert_eq!(gets_in(), [false, true], "{layout:?}");
        // No rule names the group any more, so its set goes.
        driver.refresh_security_group_rules(&group("db"), &[]).unwrap();
        assert_eq!(gets_in(), [false; 2], "{layout:?}");
        driver.unfilter_instance(&one(&[])).unwrap();
        assert_eq!(gets_in(), [true; 2], "{layout:?}");
    }
}

/// An instance gets answers of its DHCP server and of no other; the provider's rules come before those of groups.
#[test]
fn servers_and_the_provider_have_their_say() {
    for layout in [Layout::Iptables, Layout::native()] {
        let Some(net) = Net::new() else { return };
        let driver = net.driver(&layout, Options { provider: true, ..Options::of(&layout) });
        driver.prepare_instance_filter(&one(&["all"])).unwrap();
        let client = (FIRST.0, 68);
        assert!(reaches(&net.host, ("10.0.0.1", 67), &net.first, client), "{layout:?}");
        assert!(!reaches(&net.host, ("10.0.1.1", 67), &net.first, client), "{layout:?}");
        assert!(!reaches(&net.second, (SECOND.0, 67), &net.first, client), "{layout:?}");
        driver.refresh_security_group_rules(&group("all"), &tenants(&["any -1 -1 0.0.0.0/0"])).unwrap();
        assert!(reaches(&net.second, (SECOND.0, 5000), &net.first, (FIRST.0, 5000)), "{layout:?}");
        let everything = ProviderRule { source: "10.0.1.0/24".parse().unwrap(), service: Service::Any };
        driver.refresh_provider_fw_rules(&[everything]).unwrap();
        assert!(!reaches(&net.second, (SECOND.0, 5001), &net.first, (FIRST.0, 5001)), "{layout:?}");
        assert!(reaches(&net.outside, ("192.0.2.1", 5001), &net.first, (FIRST.0, 5001)), "{layout:?}");
        driver.refresh_provider_fw_rules(&[]).unwrap();
        assert!(reaches(&net.second, (SECOND.0, 5002), &net.first, (FIRST.0, 5002)), "{layout:?}");
    }
}
