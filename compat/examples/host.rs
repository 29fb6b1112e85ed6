//! A host of nova with its network and compute services, and real packets, in namespaces that vanish afterwards.
//!
//! `cargo run -p nftwrap-compat --example host` as root. Two networks and three instances: a security group is opened for
//! ping and ssh and closed again, a floating address comes and goes, an instance asks for its metadata and is deleted.
//!
//! ```text
//! outside 192.0.2.1 --- wan 192.0.2.2  host  br100 10.0.0.1 --- 10.0.0.2 instance 1
//!                                                           --- 10.0.0.3 instance 2
//!                                            br200 10.0.1.1 --- 10.0.1.2 instance 3
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::linux_net::bridge::NetAttrs;
use nftwrap::linux_net::host::{Host, HostOptions, Network};
use nftwrap::linux_net::interface::LinuxBridge;
use nftwrap::linux_net::l3::{L3Driver, LinuxL3};
use nftwrap::linux_net::rules::{METADATA_ADDRESS, Options};
use nftwrap::name::{InterfaceName, MacAddress};
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rtnl::{Address, Kind, LinkChange, NewLink, Peer, Route, Rtnl};
use nftwrap::virt_firewall::instances::{self, FirewallDriver, Instance, Interface, NftablesFirewallDriver, Subnet};
use nftwrap::virt_firewall::{GroupId, RuleId, RuleInput, TenantRule};
use nftwrap::wrap::{Model, Profile};
use nftwrap::writer::Pace;
use socket2::{Domain, Protocol, Socket, Type};

type Done<T> = Result<T, Box<dyn Error>>;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 101);
const GUESTS: [Ipv4Addr; 3] = [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3), Ipv4Addr::new(10, 0, 1, 2)];
/// Where the metadata service is, unless it is configured elsewhere.
const METADATA_PORT: u16 = 8775;
/// What is not there by then was dropped: the links are in memory.
const PATIENCE: Duration = Duration::from_millis(800);

#[allow(dead_code, reason = "the test that runs this file has a main of its own")]
fn main() -> Done<()> {
    run(Layout::native())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Does it all; what happened, a line each.
pub(crate) fn run(layout: Layout) -> Done<Vec<String>> {
    let host = Namespace::fresh()?;
    let outside = machine(&host, "wan", OUTSIDE, None)?;
    set_up(&host, "wan", HOST)?;
    let guests = [
        machine(&host, "tap1", GUESTS[0], Some(gateway(0)))?,
        machine(&host, "tap2", GUESTS[1], Some(gateway(0)))?,
        machine(&host, "tap3", GUESTS[2], Some(gateway(1)))?,
    ];
    let [first, second, third] = &guests;
    let mut told = Vec::new();

    // nova-network: the host is the gateway of both networks.
    let mut l3 = router(&host, layout.clone())?;
    l3.initialize(&[network(0)?, network(1)?])?;
    for (number, taps) in [(0, ["tap1", "tap2"].as_slice()), (1, &["tap3"])] {
        let bridge = l3.initialize_gateway(&network(number)?, None)?;
        join(&host, taps, &bridge)?;
    }

    // nova-compute: three instances of one security group, which is empty.
    let firewall = firewall(&host, layout)?;
    let group = GroupId::new("web")?;
    let instances = [instance(1, 0)?, instance(2, 0)?, instance(3, 1)?];
    for instance in &instances {
        firewall.setup_basic_filtering(instance)?;
        firewall.prepare_instance_filter(instance)?;
        firewall.apply_instance_filter(&instance.id)?;
    }
    expect(ping(first, GUESTS[1])?, "instance 2 answers its neighbour")?;
    expect(!ping(third, GUESTS[0])?, "instance 1 does not answer the other network")?;
    told.push("three instances, closed to other networks".to_owned());

    let (icmp, ssh_rule) = (rule("icmp", None)?, rule("tcp", Some(22))?);
    let mut bad = rule("tcp", Some(22))?;
    bad.input.prefix = Some("0.0.0.0/0\n-I INPUT -j ACCEPT");
    for rejected in firewall.refresh_security_group_rules(&group, &[icmp, bad, ssh_rule])? {
        told.push(format!("left out: {rejected}"));
    }
    expect(ping(third, GUESTS[0])? && ssh(third, first, GUESTS[0])?, "instance 1 is open to the other network")?;
    told.push("opened for ping and ssh".to_owned());
    firewall.refresh_security_group_rules(&group, &[])?;
    expect(!ping(third, GUESTS[0])? && !ssh(third, first, GUESTS[0])?, "instance 1 is closed again")?;
    told.push("closed again".to_owned());

    // A floating address, for an instance that answers pings and the tests' datagrams.
    firewall.refresh_security_group_rules(&group, &[rule("icmp", None)?, rule("udp", Some(5000))?])?;
    let wan = InterfaceName::new("wan")?;
    l3.add_floating_ip(FLOATING, GUESTS[0], &wan, Some(&network(0)?))?;
    let flow = Flow::new(&outside, first, FLOATING)?;
    expect(ping(&outside, FLOATING)? && flow.answers(), "the outside reaches instance 1")?;
    told.push(format!("instance 1 has the floating address {FLOATING}"));
    l3.remove_floating_ip(FLOATING, GUESTS[0], &wan, Some(&network(0)?))?;
    expect(!flow.answers(), "a connection that stood has ended")?;
    told.push("and it is gone, with its connections".to_owned());

    told.push(format!("instance 2 asks for its metadata: {}", metadata(&host, second)?));

    firewall.unfilter_instance(&instances[0])?;
    expect(!firewall.instance_filter_exists(&instances[0])?, "instance 1 has no filter")?;
    expect(firewall.instance_filter_exists(&instances[1])?, "instance 2 has one")?;
    expect(!ssh(third, second, GUESTS[1])?, "instance 2 is closed still")?;
    told.push("instance 1 is deleted".to_owned());
    Ok(told)
}

fn expect(is: bool, what: &str) -> Done<()> {
    if is { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

fn router(host: &Namespace, layout: Layout) -> Done<LinuxL3<Live, LinuxBridge>> {
    let model = Model::builder().component("nova-network".parse()?).profile(Profile::Nova).eager(true).build()?;
    let manager = Manager::with_kernel_and_layout(model, Live::open_in(host)?, layout);
    let rules = Options { public_interface: Some(InterfaceName::new("wan")?), ..Options::for_host(HOST) };
    let options = HostOptions { rules, announcements: 1, ..HostOptions::default() };
    Ok(LinuxL3::new(Host::new(host, manager, options)?, LinuxBridge))
}

fn firewall(host: &Namespace, layout: Layout) -> Done<NftablesFirewallDriver> {
    let model = Model::builder().component("nova-compute".parse()?).profile(Profile::Nova).build()?;
    let options = instances::Options::of(&layout);
    let manager = Manager::with_kernel_and_layout(model, Live::open_in(host)?, layout);
    Ok(NftablesFirewallDriver::start(manager, Live::open_in(host)?, options, Pace::default())?)
}

fn gateway(network: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, network, 1)
}

fn network(number: u8) -> Done<Network> {
    let attrs = NetAttrs {
        cidr: format!("10.0.{number}.0/24").parse()?,
        broadcast: None,
        gateway: Some(gateway(number)),
        dhcp_server: Some(gateway(number)),
        cidr_v6: None,
    };
    let bridge = InterfaceName::new(&format!("br{}", u32::from(number) * 100 + 100))?;
    let (share_address, enable_dhcp) = (false, true);
    Ok(Network { bridge, bridge_interface: None, vlan: None, attrs, mtu: None, share_address, enable_dhcp })
}

fn instance(number: u8, network: u8) -> Done<Instance> {
    let address = GUESTS.get(usize::from(number) - 1).copied().ok_or("there are three guests")?;
    let subnet = Subnet {
        cidr: format!("10.0.{network}.0/24").parse()?,
        gateway: Some(gateway(network).into()),
        dhcp_server: Some(gateway(network).into()),
        addresses: vec![address.into()],
    };
    let interface = Interface {
        device: InterfaceName::new(&format!("tap{number}"))?,
        mac: mac(number),
        network: instances::Network { subnets: vec![subnet] },
    };
    let (id, groups) = (number.to_string().parse()?, vec![GroupId::new("web")?]);
    Ok(Instance { id, name: format!("instance {number}"), is_vpn: false, interfaces: vec![interface], groups })
}

fn rule(protocol: &'static str, port: Option<i64>) -> Done<TenantRule<'static>> {
    let input =
        RuleInput { protocol: Some(protocol), from: port, to: port, prefix: Some("0.0.0.0/0"), ..RuleInput::default() };
    Ok(TenantRule { id: RuleId::new(protocol)?, input })
}

fn mac(instance: u8) -> MacAddress {
    MacAddress([0xfa, 0x16, 0x3e, 0, 0, instance])
}

/// A machine with one interface, whose other end is a device of the host, and a tap has its instance's number.
fn machine(host: &Namespace, device: &str, address: Ipv4Addr, gateway: Option<Ipv4Addr>) -> Done<Namespace> {
    let machine = Namespace::fresh()?;
    let mac = device.strip_prefix("tap").and_then(|number| number.parse().ok()).map(mac);
    let peer = Peer { name: InterfaceName::new("eth0")?, namespace: Some(machine.clone()), mac, mtu: None };
    let mut rtnl = Rtnl::open_in(host)?;
    rtnl.add_link(&NewLink::new(InterfaceName::new(device)?, Kind::Veth(peer)))?;
    let link = rtnl.require_link(&InterfaceName::new(device)?)?;
    rtnl.set_link(&link, &LinkChange::up(true))?;
    set_up(&machine, "eth0", address)?;
    if let Some(gateway) = gateway {
        let mut rtnl = Rtnl::open_in(&machine)?;
        let link = rtnl.require_link(&InterfaceName::new("eth0")?)?;
        rtnl.add_route(&Route::new("0.0.0.0/0".parse()?, link.index, Some(gateway.into())))?;
    }
    Ok(machine)
}

fn set_up(machine: &Namespace, device: &str, address: Ipv4Addr) -> Done<()> {
    let mut rtnl = Rtnl::open_in(machine)?;
    for (device, address) in [(device, Some(address)), ("lo", None)] {
        let link = rtnl.require_link(&InterfaceName::new(device)?)?;
        rtnl.set_link(&link, &LinkChange::up(true))?;
        if let Some(address) = address {
            rtnl.add_address(&Address::new(&link, format!("{address}/24").parse()?))?;
        }
    }
    Ok(())
}

/// Makes devices ports of a bridge.
fn join(host: &Namespace, taps: &[&str], bridge: &InterfaceName) -> Done<()> {
    let mut rtnl = Rtnl::open_in(host)?;
    let bridge = rtnl.require_link(bridge)?;
    for tap in taps {
        let link = rtnl.require_link(&InterfaceName::new(tap)?)?;
        rtnl.set_link(&link, &LinkChange { master: Some(Some(bridge.index)), ..LinkChange::default() })?;
    }
    Ok(())
}

/// Whether there is an answer to an ICMP echo request. Each has an identifier of its own: one that was answered before
/// would belong to a connection that stands, whatever the rules are now.
fn ping(from: &Namespace, to: Ipv4Addr) -> Done<bool> {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let socket = from.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    // Echo request (8, 0), its checksum, its identifier; the number in the sequence is left at none.
    let [id_high, id_low] = number.to_be_bytes();
    let [sum_high, sum_low] = (!(0x0800 + number)).to_be_bytes();
    let request = [8, 0, sum_high, sum_low, id_high, id_low, 0, 0];
    socket.send_to(&request, &SocketAddr::from((to, 0)).into())?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let mut buffer = [MaybeUninit::uninit(); 128];
        let Ok((len, who)) = socket.recv_from(&mut buffer) else { return Ok(false) };
        // After the twenty bytes of the IP header: echo reply, with what was sent.
        let from_there = who.as_socket().map(|address| address.ip()) == Some(IpAddr::V4(to));
        if from_there && len >= 28 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a connection to port 22 is accepted.
fn ssh(from: &Namespace, at: &Namespace, to: Ipv4Addr) -> Done<bool> {
    let _server = at.run(|| TcpListener::bind(("0.0.0.0", 22)))??;
    Ok(from.run(|| TcpStream::connect_timeout(&(to, 22).into(), PATIENCE))?.is_ok())
}

/// Datagrams there and back.
struct Flow {
    server: UdpSocket,
    client: UdpSocket,
}

impl Flow {
    fn new(from: &Namespace, at: &Namespace, to: Ipv4Addr) -> Done<Self> {
        let server = at.run(|| UdpSocket::bind(("0.0.0.0", 5000)))??;
        let client = from.run(|| UdpSocket::bind(("0.0.0.0", 0)))??;
        for socket in [&server, &client] {
            socket.set_read_timeout(Some(PATIENCE))?;
        }
        // Connected, so that an answer from another address than the one asked is none.
        client.connect((to, 5000))?;
        Ok(Self { server, client })
    }

    fn answers(&self) -> bool {
        let ask = || {
            self.client.send(b"question")?;
            let (_, who) = self.server.recv_from(&mut [0; 16])?;
            self.server.send_to(b"answer", who)?;
            self.client.recv(&mut [0; 16])
        };
        ask().is_ok()
    }
}

/// What an instance hears from the metadata service of the host.
fn metadata(host: &Namespace, from: &Namespace) -> Done<String> {
    let service = host.run(|| TcpListener::bind((HOST, METADATA_PORT)))??;
    let mut client = from.run(|| TcpStream::connect_timeout(&(METADATA_ADDRESS, 80).into(), PATIENCE))??;
    client.write_all(b"GET /latest/meta-data/local-ipv4 HTTP/1.0\r\n\r\n")?;
    let (mut stream, who) = service.accept()?;
    let mut line = [0; 128];
    let len = stream.read(&mut line)?;
    let asked =
        String::from_utf8_lossy(line.get(..len).unwrap_or_default()).lines().next().unwrap_or_default().to_owned();
    write!(stream, "HTTP/1.0 200 OK\r\n\r\n{}", who.ip())?;
    drop(stream);
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Ok(format!("{asked} -> {body}"))
}
