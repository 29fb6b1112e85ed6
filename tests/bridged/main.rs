//! Rules of bridges: what does not cross, and what is routed instead.
//!
//! ```text
//! instance 10.0.0.2 --- tap [ br0 10.0.0.1, .5 ] uplink --- elsewhere 10.0.0.9
//!                           [ host      wan    ] ---------- outside 192.0.2.1
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "../support/lab.rs"]
mod lab;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use lab::{Lab, skip_unless};
use nftwrap::kernel::{Errno, Fake, Kernel, Live};
use nftwrap::linux_net::BridgeError;
use nftwrap::linux_net::isolation::{isolate_dhcp_address, remove_isolate_dhcp_address};
use nftwrap::linux_net::redirect::{
    Destination, Ingress, Redirect, ensure_redirect, has_bridge_names, remove_redirect,
};
use nftwrap::name::{InterfaceName, MacAddress, WrapName};
use nftwrap::nft::Family;

const TOOLS: &[&str] = &["ip", "sleep"];
/// What is not there by then was dropped: the links are in memory.
const LOST: Duration = Duration::from_millis(400);
const SHARED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The bridge's hardware address.
const ADDRESS: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

struct Net {
    host: Lab,
    instance: Lab,
    elsewhere: Lab,
    outside: Lab,
}

fn link(from: &Lab, name: &str, to: &Lab) {
    from.link(name, to, "eth0");
    from.run(&format!("ip link set {name} up"));
    to.run("ip link set lo up; ip link set eth0 up");
}

/// A process that another test starts has the socket before this one for a moment, and the port is not free meanwhile.
fn listen(at: &Lab, port: u16) -> UdpSocket {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match at.0.run(|| UdpSocket::bind(("0.0.0.0", port))).unwrap() {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done.unwrap(),
        }
    }
}

impl Net {
    fn new() -> Option<Self> {
        let lab = || Lab::new(TOOLS);
        let net = Self { host: lab()?, instance: lab()?, elsewhere: lab()?, outside: lab()? };
        net.host.run("ip link set lo up; ip link add br0 address 02:00:00:00:00:01 type bridge forward_delay 0");
        link(&net.host, "tap", &net.instance);
        link(&net.host, "uplink", &net.elsewhere);
        link(&net.host, "wan", &net.outside);
        net.host.run(
            "ip link set tap master br0; ip link set uplink master br0; ip link set br0 up
             ip address add 10.0.0.1/24 dev br0; ip address add 10.0.0.5/24 dev br0; ip address add 192.0.2.2/24 dev wan
             echo 1 >/proc/sys/net/ipv4/ip_forward",
        );
        net.instance.run("ip address add 10.0.0.2/24 dev eth0; ip route add default via 10.0.0.9");
        net.elsewhere.run("ip address add 10.0.0.9/24 dev eth0; ip route add default dev eth0");
        net.outside.run("ip address add 192.0.2.1/24 dev eth0; ip route add 10.0.0.0/24 via 192.0.2.2");
        // It may take a second until the links are up.
        assert!(
            (0..20).any(|_| net.reaches(&net.instance, "10.0.0.2", &net.elsewhere, "10.0.0.9", 69)),
            "the bridge works"
        );
        Some(net)
    }

    /// Whether a datagram gets there, when nobody knows hardware addresses yet.
    fn reaches(&self, from: &Lab, source: &str, to: &Lab, destination: &str, port: u16) -> bool {
        for lab in [&self.host, &self.instance, &self.elsewhere] {
            lab.run("ip neigh flush all");
        }
        let server = listen(to, port);
        server.set_read_timeout(Some(LOST)).unwrap();
        let client = from.0.run(|| UdpSocket::bind((source, 0)).unwrap()).unwrap();
        client.set_broadcast(true).unwrap();
        client.send_to(b"x", (destination, port)).is_ok() && server.recv(&mut [0; 8]).is_ok()
    }

    fn kernel(&self) -> Live {
        self.host.kernel()
    }

    /// What passes: to the shared address from the instance and from elsewhere, to another address of the host from
    /// elsewhere; from these to elsewhere; broadcasts of DHCP and others in both ways, and to the host.
    fn passes(&self) -> [bool; 10] {
        let (host, instance, elsewhere) = (&self.host, &self.instance, &self.elsewhere);
        let all = "255.255.255.255";
        [
            self.reaches(instance, "10.0.0.2", host, "10.0.0.1", 5000),
            self.reaches(elsewhere, "10.0.0.9", host, "10.0.0.1", 5000),
            self.reaches(elsewhere, "10.0.0.9", host, "10.0.0.5", 5000),
            self.reaches(host, "10.0.0.1", elsewhere, "10.0.0.9", 5000),
            self.reaches(host, "10.0.0.5", elsewhere, "10.0.0.9", 5000),
            self.reaches(instance, "10.0.0.2", elsewhere, all, 67),
            self.reaches(elsewhere, "10.0.0.9", instance, all, 68),
            self.reaches(instance, "10.0.0.2", elsewhere, all, 69),
            self.reaches(elsewhere, "10.0.0.9", instance, all, 69),
            self.reaches(instance, "10.0.0.2", host, all, 67),
        ]
    }
}

fn component() -> WrapName {
    "nova-network".parse().unwrap()
}

fn interface(name: &str) -> InterfaceName {
    name.parse().unwrap()
}

/// nova 2.9: the shared address and DHCP stay on their side of the interface; the rest crosses, and all of it afterwards.
#[test]
fn a_shared_dhcp_address_does_not_cross() {
    let Some(net) = Net::new() else { return };
    let (mut kernel, component, uplink) = (net.kernel(), component(), interface("uplink"));
    assert_eq!(net.passes(), [true; 10]);
    assert!(isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    assert_eq!(net.passes(), [true, false, true, false, true, false, false, true, true, true]);
    assert!(remove_isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    assert_eq!(net.passes(), [true; 10]);
    assert!(kernel.tables(Family::Bridge).unwrap().is_empty());
}

/// Twice is once, by whatever process; each interface and address is for itself; a foreign rule stays.
fn groups_are_put_in_once<K: Kernel>(connect: impl Fn() -> K) {
    let (component, uplink) = (component(), interface("uplink"));
    let rules = || {
        let mut kernel = connect();
        let table = "nova-network-bridge".parse().unwrap();
        let rules = kernel.rules(Family::Bridge, &table, None).unwrap();
        rules.iter().map(|rule| (rule.chain.as_str().to_owned(), rule.handle.unwrap())).collect::<Vec<_>>()
    };
    let generation = |kernel: &mut K| kernel.generation().unwrap();
    assert!(rules().is_empty());
    let before = {
        let mut kernel = connect();
        assert!(!remove_isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
        assert!(isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
        generation(&mut kernel)
    };
    let first = rules();
    let chains: Vec<&str> = first.iter().map(|(chain, _)| chain.as_str()).collect();
    assert_eq!(chains.len(), 4);
    assert_eq!(chains.iter().filter(|chain| **chain == "FORWARD").count(), 2);
    let mut kernel = connect();
    assert!(!isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    assert_eq!(generation(&mut kernel), before);
    assert_eq!(rules(), first);
    assert!(isolate_dhcp_address(&mut kernel, &component, &interface("vlan100"), SHARED).unwrap());
    assert!(isolate_dhcp_address(&mut kernel, &component, &uplink, Ipv4Addr::new(10, 1, 0, 1)).unwrap());
    assert_eq!(rules().len(), 12);
    let other = "other".parse().unwrap();
    assert!(isolate_dhcp_address(&mut kernel, &other, &uplink, SHARED).unwrap());
    assert!(remove_isolate_dhcp_address(&mut kernel, &component, &uplink, Ipv4Addr::new(10, 1, 0, 1)).unwrap());
    assert!(remove_isolate_dhcp_address(&mut kernel, &component, &interface("vlan100"), SHARED).unwrap());
    assert_eq!(rules(), first);
    assert!(remove_isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    let tables = kernel.tables(Family::Bridge).unwrap();
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["other-bridge"]);
}

#[test]
fn groups_are_put_in_once_in_the_fake() {
    let fake = Fake::new();
    groups_are_put_in_once(|| fake.connect());
}

#[test]
fn groups_are_put_in_once_in_the_kernel() {
    let Some(lab) = Lab::new(&[]) else { return };
    groups_are_put_in_once(|| lab.kernel());
}

/// As people see it; and a rule that somebody else put in the table stays, and keeps the table.
#[test]
fn the_stock_tool_reads_the_rules() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let (mut kernel, component, uplink) = (lab.kernel(), component(), interface("uplink"));
    isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap();
    let shown = lab.quietly(&["nft", "list", "table", "bridge", "nova-network-bridge"], "");
    let arp = "arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp";
    for (chain, rule) in [
        ("input priority filter;", format!("iifname \"uplink\" {arp} daddr ip 10.0.0.1 drop")),
        ("output priority 200;", format!("oifname \"uplink\" {arp} saddr ip 10.0.0.1 drop")),
        ("forward priority filter;", "iifname \"uplink\" ether type ip udp dport 67-68 drop".to_owned()),
        ("forward priority filter;", "oifname \"uplink\" ether type ip udp dport 67-68 drop".to_owned()),
    ] {
        let chain = shown.split("\tchain ").find(|text| text.contains(chain)).unwrap_or_else(|| panic!("{shown}"));
        assert!(chain.contains(&rule), "{rule}\n{shown}");
    }
    assert!(!shown.contains("prerouting"), "{shown}");
    lab.run("nft add rule bridge nova-network-bridge FORWARD counter");
    assert!(!isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    assert!(remove_isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    let shown = lab.quietly(&["nft", "list", "table", "bridge", "nova-network-bridge"], "");
    assert!(shown.contains("counter") && !shown.contains("uplink"), "{shown}");
}

/// Somebody else changes the ruleset between reading and writing: it is read again.
#[test]
fn a_change_meanwhile_is_seen() {
    let fake = Fake::new();
    let mut kernel = fake.connect();
    let (component, uplink) = (component(), interface("uplink"));
    let mut others = vec!["other-1", "other-2"];
    kernel.before_commit(move |fake| {
        if let Some(name) = others.pop() {
            isolate_dhcp_address(fake, &name.parse().unwrap(), &interface("uplink"), SHARED).unwrap();
        }
    });
    assert!(isolate_dhcp_address(&mut kernel, &component, &uplink, SHARED).unwrap());
    assert_eq!(fake.connect().tables(Family::Bridge).unwrap().len(), 3);
}

/// nova 6.3.50 to 6.3.53, where another ebtables in the way is a generation that moved: one transaction when nobody is,
/// another try for each time that somebody was faster, up to a number, and none for anything else.
#[test]
fn only_a_race_is_tried_again() {
    let attempt = |failures: u32, errno| {
        let mut kernel = Fake::new();
        kernel.fail_next(failures, errno);
        let done = isolate_dhcp_address(&mut kernel, &component(), &interface("uplink"), SHARED);
        (done, kernel.stats().batches, kernel.rules(Family::Bridge, &"nova-network-bridge".parse().unwrap(), None))
    };
    let (done, batches, rules) = attempt(0, Errno::RESTART);
    assert_eq!((done.unwrap(), batches, rules.unwrap().len()), (true, 1, 4));
    let (done, batches, rules) = attempt(u32::MAX, Errno::RESTART);
    assert!(done.unwrap_err().is_stale());
    assert_eq!((batches, rules.unwrap().len()), (10, 0));
    let (done, batches, rules) = attempt(1, Errno::RESTART);
    assert_eq!((done.unwrap(), batches, rules.unwrap().len()), (true, 2, 4));
    for errno in [Errno::PERM, Errno::NOMEM, Errno::BUSY] {
        let (done, batches, rules) = attempt(1, errno);
        let error = done.unwrap_err();
        assert_eq!(error.is_not_permitted(), errno == Errno::PERM, "{error}");
        assert!(!error.is_stale() && error.to_string().contains("nova-network-bridge"), "{error}");
        assert_eq!((batches, rules.unwrap().len()), (1, 0));
    }
}

fn redirect(ingress: Ingress, destination: Destination) -> Redirect {
    let (bridge, source) = (interface("br0"), "10.0.0.2/32".parse().unwrap());
    Redirect { bridge, address: ADDRESS, ingress, source, destination }
}

/// What an instance sends out of its network is routed by this host, though its gateway is elsewhere; what stays within
/// crosses the bridge as before.
fn packets_are_routed(ingress: &Ingress) {
    let Some(net) = Net::new() else { return };
    let (mut kernel, component) = (net.kernel(), component());
    let out = |net: &Net| net.reaches(&net.instance, "10.0.0.2", &net.outside, "192.0.2.1", 5000);
    let within = |net: &Net| net.reaches(&net.instance, "10.0.0.2", &net.elsewhere, "10.0.0.9", 5000);
    assert!(!out(&net) && within(&net));
    for destination in
        [Destination::Outside("10.0.0.0/24".parse().unwrap()), Destination::Inside("192.0.2.0/24".parse().unwrap())]
    {
        let redirect = redirect(ingress.clone(), destination);
        assert!(ensure_redirect(&mut kernel, &component, &redirect).unwrap());
        assert!(!ensure_redirect(&mut kernel, &component, &redirect).unwrap());
        assert!(out(&net), "{destination:?}");
        // What is routed does not pass now; what crosses does.
        net.host.run("echo 0 >/proc/sys/net/ipv4/ip_forward");
        assert!(!out(&net) && within(&net), "{destination:?}");
        net.host.run("echo 1 >/proc/sys/net/ipv4/ip_forward");
        assert!(remove_redirect(&mut kernel, &component, &redirect).unwrap());
        assert!(!remove_redirect(&mut kernel, &component, &redirect).unwrap());
        assert!(!out(&net) && within(&net), "{destination:?}");
    }
    // Of others, and to elsewhere than the range, nothing is routed.
    let other = Redirect {
        source: "10.0.0.3/32".parse().unwrap(),
        ..redirect(ingress.clone(), Destination::Outside("10.0.0.0/24".parse().unwrap()))
    };
    let range = redirect(ingress.clone(), Destination::Inside("198.51.100.0/24".parse().unwrap()));
    for redirect in [other, range] {
        assert!(ensure_redirect(&mut kernel, &component, &redirect).unwrap());
        assert!(!out(&net));
    }
}

#[test]
fn packets_of_a_port_are_routed() {
    packets_are_routed(&Ingress::Ports(vec![interface("uplink"), interface("tap")]));
}

/// Where the kernel knows the bridges of ports; where not, that is said, and nothing is changed.
#[test]
fn packets_of_a_bridge_are_routed() {
    let Some(lab) = Lab::new(&[]) else { return };
    let mut kernel = lab.kernel();
    if has_bridge_names(&mut kernel).unwrap() {
        return packets_are_routed(&Ingress::Bridge);
    }
    let redirect = redirect(Ingress::Bridge, Destination::Outside("10.0.0.0/24".parse().unwrap()));
    let error = ensure_redirect(&mut kernel, &component(), &redirect).unwrap_err();
    assert!(matches!(&error, BridgeError::NoBridgeName { bridge } if bridge.as_str() == "br0"));
    assert!(error.is_not_supported() && !error.is_not_permitted());
    assert!(error.to_string().contains("CONFIG_NFT_BRIDGE_META"), "{error}");
    assert!(kernel.tables(Family::Bridge).unwrap().is_empty());
    assert!(!remove_redirect(&mut kernel, &component(), &redirect).unwrap());
    skip_unless(&["NFTWRAP_REQUIRE_IBRNAME"], "this kernel has no `meta ibrname`");
}
