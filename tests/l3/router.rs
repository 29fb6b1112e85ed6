//! Gateways and floating addresses.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use nftwrap::layout::Layout;
use nftwrap::linux_net::host::HostError;
use nftwrap::linux_net::interface::LinuxBridge;
use nftwrap::linux_net::l3::{L3Driver, LinuxL3, NullL3};
use nftwrap::linux_net::rules::Vpn;
use nftwrap::rtnl::Fault;

use crate::lab::Lab;
use crate::{HOST, TOOLS, host, interface, network, options};

/// What is not there by then was dropped: the links are in memory.
const PATIENCE: Duration = Duration::from_secs(2);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 101);
const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

struct Net {
    outside: Lab,
    host: Lab,
    guest: Lab,
}

impl Net {
    fn new() -> Option<Self> {
        let net = Self { outside: Lab::new(TOOLS)?, host: Lab::new(TOOLS)?, guest: Lab::new(TOOLS)? };
        net.host.link("wan", &net.outside, "eth0");
        net.host.link("tap0", &net.guest, "eth0");
        for lab in [&net.outside, &net.host, &net.guest] {
            lab.run("ip link set lo up; for dev in eth0 wan tap0; do ip link set $dev up 2>/dev/null || true; done");
        }
        net.outside.run("ip address add 192.0.2.1/24 dev eth0");
        net.host.run(&format!("ip address add {HOST}/24 dev wan"));
        net.guest.run(&format!("ip address add {FIXED}/24 dev eth0; ip route add default via 10.0.0.1"));
        Some(net)
    }

    /// The host as the guest's router.
    fn router(&self, layout: Layout) -> LinuxL3<nftwrap::kernel::Live, LinuxBridge> {
        let mut l3 = LinuxL3::new(host(&self.host, layout, options()), LinuxBridge);
        l3.initialize(&[network()]).unwrap();
        assert_eq!(l3.initialize_gateway(&network(), None).unwrap(), interface("br100"));
        self.host.run("ip link set tap0 master br100");
        l3
    }

    fn addresses(&self) -> String {
        self.host.run("ip -o -4 address show | awk '{print $2, $4}'")
    }
}

/// A flow of datagrams between two machines.
struct Flow {
    server: UdpSocket,
    client: UdpSocket,
}

impl Flow {
    fn new(from: &Lab, at: &Lab, to: Ipv4Addr) -> Self {
        // Any port: a process that another test starts has the last one's socket for a moment.
        let server = at.0.run(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap()).unwrap();
        let client = from.0.run(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap()).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        // Connected, so that an answer from another address than the one asked is none.
        client.connect((to, server.local_addr().unwrap().port())).unwrap();
        Self { server, client }
    }

    /// Who the server sees; `None` when it sees nobody, or its answer does not come back.
    fn ask(&self) -> Option<Ipv4Addr> {
        self.client.send(b"x").ok()?;
        let (_, who) = self.server.recv_from(&mut [0; 8]).ok()?;
        self.server.send_to(b"y", who).unwrap();
        self.client.recv(&mut [0; 8]).ok()?;
        match who.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }
}

/// Whether it is so before long.
fn comes(wanted: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(30);
    while !wanted() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// The outside reaches the guest by its floating address and gets answers from it; when the address goes, so do
/// connections that stand. Each step may be made twice.
#[test]
fn a_floating_address_comes_and_goes_with_its_connections() {
    for layout in [Layout::Iptables, Layout::native()] {
        let Some(net) = Net::new() else { return };
        let mut l3 = net.router(layout.clone());
        let before = net.addresses();
        let outside = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(Flow::new(&net.guest, &net.outside, outside).ask(), Some(HOST), "{layout:?}: its router's address");
        for _ in 0..2 {
            l3.add_floating_ip(FLOATING, FIXED, &interface("wan"), Some(&network())).unwrap();
            assert_eq!(net.addresses(), before.replace("br100", &format!("wan {FLOATING}/32\nbr100")));
        }
        let flow = Flow::new(&net.outside, &net.guest, FLOATING);
        assert_eq!(flow.ask(), Some(outside), "{layout:?}");
        assert_eq!(Flow::new(&net.guest, &net.outside, outside).ask(), Some(FLOATING), "{layout:?}");
        assert_eq!(flow.ask(), Some(outside), "{layout:?}: the flow stands");
        for _ in 0..2 {
            l3.remove_floating_ip(FLOATING, FIXED, &interface("wan"), Some(&network())).unwrap();
            assert_eq!(net.addresses(), before);
        }
        assert_eq!(flow.ask(), None, "{layout:?}: the flow has ended");
        assert_eq!(Flow::new(&net.guest, &net.outside, outside).ask(), Some(HOST), "{layout:?}");
    }
}

/// An address that went from one guest to another stays when the first one's end comes late.
#[test]
fn the_late_end_of_an_association_leaves_the_next_one_alone() {
    let Some(net) = Net::new() else { return };
    let mut l3 = net.router(Layout::Iptables);
    let wan = interface("wan");
    l3.add_floating_ip(FLOATING, Ipv4Addr::new(10, 0, 0, 3), &wan, Some(&network())).unwrap();
    l3.add_floating_ip(FLOATING, FIXED, &wan, Some(&network())).unwrap();
    let before = (net.addresses(), net.host.stock_save("iptables-nft-save"));
    l3.remove_floating_ip(FLOATING, Ipv4Addr::new(10, 0, 0, 3), &wan, Some(&network())).unwrap();
    assert_eq!((net.addresses(), net.host.stock_save("iptables-nft-save")), before);
    assert_eq!(Flow::new(&net.outside, &net.guest, FLOATING).ask(), Some(Ipv4Addr::new(192, 0, 2, 1)));
}

/// nova says `Interface nosuch0 not found.`; rules and addresses are what they were.
#[test]
fn a_device_that_is_not_there_changes_nothing() {
    let Some(net) = Net::new() else { return };
    let mut l3 = net.router(Layout::Iptables);
    let before = (net.addresses(), net.host.stock_save("iptables-nft-save"));
    let error = l3.add_floating_ip(FLOATING, FIXED, &interface("nosuch0"), Some(&network())).unwrap_err();
    assert!(matches!(error, HostError::NoInterface { .. }), "{error}");
    assert!(error.to_string().starts_with("interface nosuch0 not found"), "{error}");
    assert_eq!((net.addresses(), net.host.stock_save("iptables-nft-save")), before);
}

/// Both families: a neighbour that knew another place learns where the address is now.
#[test]
fn an_outside_address_is_bound_and_announced() {
    let Some(net) = Net::new() else { return };
    let mut host = host(&net.host, Layout::Iptables, options());
    let mac = host.rtnl.require_link(&interface("wan")).unwrap().mac.unwrap().to_string();
    net.outside.run("ip address add 2001:db8::1/64 dev eth0 nodad");
    // Before that, multicast is not taken from the link.
    assert!(comes(|| net.outside.run("ip -6 route show table local dev eth0").contains("ff00::/8")));
    for address in [FLOATING.into(), "2001:db8::7".parse::<IpAddr>().unwrap()] {
        net.outside.run(&format!("ip neigh add {address} lladdr 02:00:00:00:00:99 nud stale dev eth0"));
        for _ in 0..2 {
            host.bind_floating_ip(&interface("wan"), address).unwrap();
            assert!(net.host.run("ip -o address show dev wan").contains(&format!(" {address}/")));
        }
        let learned = || net.outside.run(&format!("ip neigh show {address} dev eth0")).contains(&mac);
        assert!(comes(learned), "{address}");
        assert!(host.unbind_floating_ip(&interface("wan"), address).unwrap());
        assert!(!host.unbind_floating_ip(&interface("wan"), address).unwrap());
    }
}

/// nova 2.1: that neighbours cannot be told of an address is no reason not to have it.
#[test]
fn a_device_that_is_down_takes_the_address() {
    let Some(net) = Net::new() else { return };
    let mut l3 = net.router(Layout::Iptables);
    net.host.run("ip link set wan down");
    l3.add_floating_ip(FLOATING, FIXED, &interface("wan"), None).unwrap();
    assert!(net.addresses().contains(&FLOATING.to_string()));
}

/// nova 6.2.32: the address is bound when its rules stand, so that the host never answers for it itself.
#[test]
fn translation_stands_before_the_address() {
    let Some(net) = Net::new() else { return };
    let mut l3 = net.router(Layout::Iptables);
    l3.host_mut().rtnl.inject(Some(Fault { after: 0, lasting: false }));
    let error = l3.add_floating_ip(FLOATING, FIXED, &interface("wan"), None).unwrap_err();
    assert!(error.to_string().contains("a fault was injected"), "{error}");
    let rules = net.host.stock_save("iptables-nft-save");
    assert!(rules.contains(&format!("-A nova-network-PREROUTING -d {FLOATING}/32 -j DNAT")), "{rules}");
    assert!(!net.addresses().contains(&FLOATING.to_string()));
    l3.add_floating_ip(FLOATING, FIXED, &interface("wan"), None).unwrap();
    assert!(net.addresses().contains(&FLOATING.to_string()));
}

/// nova 2.4, step 2: a network whose guests leave it elsewhere is translated here towards the forced range, so what goes
/// there is taken from the bridge; and a floating address's rule goes also when its bridge has gone.
#[test]
fn the_forced_range_is_routed_while_the_host_has_the_network() {
    let Some(net) = Net::new() else { return };
    let mut options = options();
    options.rules.force_snat_range = vec!["10.40.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()];
    let mut l3 = LinuxL3::new(host(&net.host, Layout::Iptables, options), LinuxBridge);
    let mut external = network();
    external.attrs.gateway = Some(Ipv4Addr::new(10, 0, 0, 254));
    let shown = || net.host.run("nft list ruleset bridge");
    let routed = |from: &str, op: &str, to: &str| {
        let lines = shown();
        lines.lines().any(|line| {
            let line = line.trim();
            line.contains(&format!("ip saddr {from} ip daddr {op}{to} ")) && line.contains(" accept")
        })
    };
    for _ in 0..2 {
        l3.initialize_gateway(&external, None).unwrap();
        net.host.run("ip link set tap0 master br100");
        l3.initialize_gateway(&external, None).unwrap();
        assert!(routed("10.0.0.0/24", "", "10.40.0.0/16"), "{}", shown());
        l3.add_floating_ip(FLOATING, FIXED, &interface("wan"), Some(&external)).unwrap();
        assert!(routed("10.0.0.2", "!= ", "10.0.0.0/24"), "{}", shown());
        l3.remove_gateway(&external).unwrap();
        assert!(!shown().contains("10.40.0.0/16"), "{}", shown());
        l3.remove_floating_ip(FLOATING, FIXED, &interface("wan"), Some(&external)).unwrap();
        assert_eq!(shown(), "");
    }
    // One whose guests leave it here is translated whatever it asks for.
    l3.initialize_gateway(&network(), None).unwrap();
    assert_eq!(shown(), "");
}

/// The second call finds all of it, and one of another process as well.
#[test]
fn a_gateway_twice_is_a_gateway_once() {
    let Some(net) = Net::new() else { return };
    let state = || (net.addresses(), net.host.stock_save("iptables-nft-save"), net.host.run("ip -4 route"));
    let mut l3 = net.router(Layout::Iptables);
    let before = state();
    assert!(before.0.contains("br100 10.0.0.1/24"), "{}", before.0);
    assert!(before.0.contains("lo 169.254.169.254/32"), "{}", before.0);
    l3.initialize(&[]).unwrap();
    l3.initialize_gateway(&network(), None).unwrap();
    assert_eq!(state(), before);
    drop(l3);
    let mut l3 = net.router(Layout::Iptables);
    assert_eq!(state(), before);
    assert_eq!(l3.remove_gateway(&network()).unwrap(), interface("br100"));
    assert!(!net.addresses().contains("10.0.0.1") && !net.host.run("ip -o link").contains("br100"));
    assert!(!state().1.contains("br100"), "{}", state().1);
    l3.remove_gateway(&network()).unwrap();
}

/// Rules that lead to a guest's VPN come and go.
#[test]
fn a_vpn_leads_to_its_guest() {
    let Some(net) = Net::new() else { return };
    let mut l3 = net.router(Layout::Iptables);
    let before = net.host.stock_save("iptables-nft-save");
    let vpn = Vpn { public: HOST, port: 1000, private: FIXED };
    l3.add_vpn(vpn).unwrap();
    assert!(net.host.stock_save("iptables-nft-save").contains("--to-destination 10.0.0.2:1194"));
    l3.remove_vpn(vpn).unwrap();
    assert_eq!(net.host.stock_save("iptables-nft-save"), before);
}

/// A host that routes nothing takes every order.
#[test]
fn the_driver_of_a_host_that_routes_nothing_does_nothing() {
    let mut l3: Box<dyn L3Driver> = Box::new(NullL3);
    let wan = interface("wan");
    assert!(l3.is_initialized());
    l3.initialize(&[network()]).unwrap();
    l3.initialize_network(&network()).unwrap();
    assert_eq!(l3.initialize_gateway(&network(), None).unwrap(), interface("br100"));
    l3.add_floating_ip(FLOATING, FIXED, &wan, None).unwrap();
    l3.remove_floating_ip(FLOATING, FIXED, &wan, None).unwrap();
    assert_eq!(l3.clean_conntrack(FIXED.into()).unwrap(), 0);
}
