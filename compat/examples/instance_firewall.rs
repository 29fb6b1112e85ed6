//! The firewall of nova-compute, with real packets, in namespaces that vanish afterwards.
//!
//! `cargo run -p nftwrap-compat --example instance_firewall` as root. Two networks and three instances; a security group
//! opens ping and SSH and closes them again, and an instance goes.
//!
//! ```text
//! outside 203.0.113.1 --- wan  host  br1 10.1.0.1 -+- 10.1.0.11 instance 1
//!                                                  +- 10.1.0.12 instance 2
//!                                    br2 10.2.0.1 --- 10.2.0.13 instance 3
//! ```

use std::error::Error;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nftwrap::Manager;
use nftwrap::conntrack::Conntrack;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::name::{InterfaceName, MacAddress};
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rtnl::{Address, Bridge, Kind, LinkChange, NewLink, Peer, Route, Rtnl};
use nftwrap::virt_firewall::instances::{Instance, Interface, Network, Options, Subnet};
use nftwrap::virt_firewall::{FirewallDriver, GroupId, NftablesFirewallDriver, RuleId, RuleInput, TenantRule};
use nftwrap::wrap::{Model, Profile};
use nftwrap::writer::Pace;
use socket2::{Domain, Protocol, Socket, Type};

type Done<T> = Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_millis(500);
/// Number, bridge and address of each instance.
const INSTANCES: [(u8, &str, Ipv4Addr); 3] = [
    (1, "br1", Ipv4Addr::new(10, 1, 0, 11)),
    (2, "br1", Ipv4Addr::new(10, 1, 0, 12)),
    (3, "br2", Ipv4Addr::new(10, 2, 0, 13)),
];

#[allow(dead_code, reason = "the test that runs this file has a main of its own")]
fn main() -> Done<()> {
    for line in run(Layout::native())? {
        println!("{line}");
    }
    Ok(())
}

/// Does it all; what happened, a line each.
pub(crate) fn run(layout: Layout) -> Done<Vec<String>> {
    let mut told = Vec::new();
    let host = Namespace::fresh()?;
    let outside = machine(&host, "wan", None, "203.0.113.1/24", [203, 0, 113, 2].into())?;
    for (bridge, address) in [("br1", "10.1.0.1/24"), ("br2", "10.2.0.1/24")] {
        let kind = Kind::Bridge(Bridge { forward_delay: Some(0), ..Bridge::default() });
        Rtnl::open_in(&host)?.add_link(&NewLink { up: true, ..NewLink::new(bridge.parse()?, kind) })?;
        own_address(&host, bridge, address)?;
    }
    own_address(&host, "wan", "203.0.113.2/24")?;
    host.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))??;
    let mut machines = Vec::new();
    for (number, bridge, address) in INSTANCES {
        let [a, b, ..] = address.octets();
        let machine = machine(
            &host,
            &format!("tap{number}"),
            Some((bridge, mac(number))),
            &format!("{address}/24"),
            [a, b, 0, 1].into(),
        )?;
        machines.push(machine);
    }
    settle(&outside, &INSTANCES.map(|(_, _, address)| address))?;

    let model = Model::builder().component("nova-compute".parse()?).profile(Profile::Nova).build()?;
    let options = Options { same_network: false, ..Options::of(&layout) };
    let manager = Manager::with_kernel_and_layout(model, Live::open_in(&host)?, layout);
    let firewall = NftablesFirewallDriver::start(manager, Live::open_in(&host)?, options, Pace::default())?
        .in_namespace(host.clone())
        .ending_connections(Box::new(Conntrack::open_in(&host)?))?;
    for (number, _, address) in INSTANCES {
        let instance = instance(number, address)?;
        firewall.setup_basic_filtering(&instance)?;
        firewall.prepare_instance_filter(&instance)?;
        firewall.apply_instance_filter(&instance.id)?;
    }
    let state = |when: &str| -> Done<String> {
        let mut line = format!("{when}:");
        for ((number, _, address), machine) in INSTANCES.iter().zip(&machines) {
            let shown = |open| if open { "open" } else { "closed" };
            let (ping, ssh) = (ping(&outside, *address)?, connects(&outside, machine, *address, 22)?);
            line.push_str(&format!(" {number} ping {} ssh {};", shown(ping), shown(ssh)));
        }
        Ok(line)
    };
    told.push(state("three instances")?);

    let web: GroupId = "web".parse()?;
    let ping_rule = rule("1", "icmp", 8, -1)?;
    let ssh_rule = rule("2", "tcp", 22, 22)?;
    let broken = rule("3", "tcp\n-I INPUT -j ACCEPT", 1, 1)?;
    for rejected in firewall.refresh_security_group_rules(&web, &[ping_rule, broken, ssh_rule])? {
        told.push(format!("rejected: {rejected}"));
    }
    told.push(state("the group is open")?);
    firewall.refresh_security_group_rules(&web, &[])?;
    told.push(state("the group is closed")?);
    firewall.unfilter_instance(&instance(3, INSTANCES[2].2)?)?;
    told.push(state("instance 3 is gone")?);
    Ok(told)
}

/// Instances 1 and 3 are of the group `web`.
fn instance(number: u8, address: Ipv4Addr) -> Done<Instance> {
    let [a, b, ..] = address.octets();
    let gateway = IpAddr::from([a, b, 0, 1]);
    let subnet = Subnet {
        cidr: format!("{a}.{b}.0.0/24").parse()?,
        gateway: Some(gateway),
        dhcp_server: Some(gateway),
        addresses: vec![address.into()],
    };
    let device = format!("tap{number}").parse()?;
    let interface = Interface { device, mac: mac(number), network: Network { subnets: vec![subnet] } };
    let groups = if number == 2 { Vec::new() } else { vec!["web".parse()?] };
    let (id, name) = (number.to_string().parse()?, format!("instance {number}"));
    Ok(Instance { id, name, is_vpn: false, interfaces: vec![interface], groups })
}

fn rule(id: &str, protocol: &'static str, from: i64, to: i64) -> Done<TenantRule<'static>> {
    let (protocol, prefix) = (Some(protocol), Some("0.0.0.0/0"));
    let input = RuleInput { protocol, from: Some(from), to: Some(to), prefix, ..RuleInput::default() };
    Ok(TenantRule { id: RuleId::new(id)?, input })
}

fn mac(number: u8) -> MacAddress {
    MacAddress([0xfa, 0x16, 0x3e, 0, 0, number])
}

/// A machine with one interface, whose other end is a device of the host, which may be a port of a bridge.
fn machine(
    host: &Namespace,
    device: &str,
    port: Option<(&str, MacAddress)>,
    address: &str,
    gateway: Ipv4Addr,
) -> Done<Namespace> {
    let machine = Namespace::fresh()?;
    let eth0 = InterfaceName::new("eth0")?;
    let peer = Peer { name: eth0.clone(), namespace: Some(machine.clone()), mac: port.map(|(_, mac)| mac), mtu: None };
    let mut rtnl = Rtnl::open_in(host)?;
    let name = InterfaceName::new(device)?;
    rtnl.add_link(&NewLink { up: true, ..NewLink::new(name.clone(), Kind::Veth(peer)) })?;
    if let Some((bridge, _)) = port {
        let bridge = rtnl.require_link(&bridge.parse()?)?.index;
        let link = rtnl.require_link(&name)?;
        rtnl.set_link(&link, &LinkChange::master(Some(bridge)))?;
    }
    own_address(&machine, "eth0", address)?;
    let mut rtnl = Rtnl::open_in(&machine)?;
    let link = rtnl.require_link(&eth0)?;
    rtnl.add_route(&Route::new("0.0.0.0/0".parse()?, link.index, Some(gateway.into())))?;
    Ok(machine)
}

/// Sets a device up, with an address.
fn own_address(namespace: &Namespace, device: &str, address: &str) -> Done<()> {
    let mut rtnl = Rtnl::open_in(namespace)?;
    let link = rtnl.require_link(&device.parse()?)?;
    rtnl.set_link(&link, &LinkChange::up(true))?;
    rtnl.add_address(&Address::new(&link, address.parse()?))?;
    Ok(())
}

/// Waits until the links are up, as long as nothing is filtered.
fn settle(outside: &Namespace, addresses: &[Ipv4Addr]) -> Done<()> {
    for address in addresses {
        if !(0..40).any(|_| ping(outside, *address).unwrap_or_default()) {
            return Err(format!("{address} is not to be reached").into());
        }
    }
    Ok(())
}

/// Whether an echo request is answered.
fn ping(from: &Namespace, to: Ipv4Addr) -> Done<bool> {
    let mut socket = from.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    // Each is a connection of its own: type 8 with its number and the checksum of both.
    static NUMBER: AtomicU16 = AtomicU16::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let ([a, b], [c, d]) = ((!(0x0800 + number)).to_be_bytes(), number.to_be_bytes());
    socket.send_to(&[8, 0, a, b, c, d, 0, 0], &SocketAddr::new(to.into(), 0).into())?;
    let mut answer = [0; 64];
    while let Ok(length) = socket.read(&mut answer) {
        // Behind the header, whose source is at 12.
        if answer.get(12..16) == Some(&to.octets()[..]) && length > 20 && answer.get(20) == Some(&0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a connection is made.
fn connects(from: &Namespace, at: &Namespace, to: Ipv4Addr, port: u16) -> Done<bool> {
    let _listener = at.run(|| TcpListener::bind((to, port)))??;
    Ok(from.run(|| TcpStream::connect_timeout(&(to, port).into(), PATIENCE).is_ok())?)
}
