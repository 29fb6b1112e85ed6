//! Packets through a network host in both layouts: an outside machine, the host, and two instances behind it.
//!
//! ```text
//! outside 192.0.2.1 --- 192.0.2.2 host 10.0.0.1 -+- 10.0.0.2 first instance, floating 192.0.2.101
//!                                                +- 10.0.1.2 second instance, floating 192.0.2.102
//! ```

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::linux_net::rules::*;

use crate::lab::Lab;
use crate::{component, floating, interface, network};

const TOOLS: &[&str] = &["ip", "sleep"];
/// What is not there by then was dropped: the links are in memory.
const PATIENCE: Duration = Duration::from_secs(2);
const OUTSIDE: &str = "192.0.2.1";
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const FIRST: (&str, &str) = ("192.0.2.101", "10.0.0.2");
const SECOND: (&str, &str) = ("192.0.2.102", "10.0.1.2");

struct Net {
    outside: Lab,
    host: Lab,
    first: Lab,
    second: Lab,
}

impl Net {
    fn new() -> Option<Self> {
        let lab = || Lab::new(TOOLS);
        let net = Self { outside: lab()?, host: lab()?, first: lab()?, second: lab()? };
        net.host.link("wan", &net.outside, "eth0");
        net.host.link("lan0", &net.first, "eth0");
        net.host.link("lan1", &net.second, "eth0");
        for lab in [&net.outside, &net.host, &net.first, &net.second] {
            lab.run(
                "ip link set lo up; for dev in eth0 wan lan0 lan1; do ip link set $dev up 2>/dev/null || true; done",
            );
        }
        net.outside.run(&format!("ip address add {OUTSIDE}/24 dev eth0"));
        net.host.run(&format!(
            "ip address add {HOST}/24 dev wan; ip address add 10.0.0.1/24 dev lan0; ip address add 10.0.1.1/24 dev lan1;
             ip address add {}/32 dev wan; ip address add {}/32 dev wan; echo 1 >/proc/sys/net/ipv4/ip_forward",
            FIRST.0, SECOND.0
        ));
        net.first.run("ip address add 10.0.0.2/24 dev eth0; ip route add default via 10.0.0.1");
        net.second.run("ip address add 10.0.1.2/24 dev eth0; ip route add default via 10.0.1.1");
        Some(net)
    }

    /// nova-network's rules for this host.
    fn manager(&self, layout: Layout, options: &Options) -> Manager<Live> {
        let mut model = component("nova-network");
        init_host(&mut model, options, network("10.0.0.0/16"), Gateway::Internal).unwrap();
        metadata_forward(&mut model, options).unwrap();
        let mut manager = Manager::with_kernel_and_layout(model, self.host.kernel(), layout);
        manager.apply().unwrap();
        manager
    }
}

fn options() -> Options {
    Options { public_interface: Some(interface("wan")), ..Options::for_host(HOST) }
}

/// Who a server in `at` sees, when a client in `from` asks `to`; `None` when no answer comes back from there.
fn seen(from: &Lab, at: &Lab, to: &str) -> Option<String> {
    // Any port: a process that another test starts has the last one's socket for a moment.
    let server = at.0.run(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap()).unwrap();
    let client = from.0.run(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap()).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    // Connected, so that an answer from another address than the one asked is none.
    client.connect((to, server.local_addr().unwrap().port())).unwrap();
    client.send(b"who am I?").ok()?;
    let (_, who) = server.recv_from(&mut [0; 16]).ok()?;
    server.send_to(who.ip().to_string().as_bytes(), who).unwrap();
    let mut answer = [0; 64];
    let length = client.recv(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// A service that answers one request with the address that it sees.
fn metadata(at: &Lab, address: &str) -> std::thread::JoinHandle<()> {
    let listener = at.0.run(|| TcpListener::bind((address, 8775)).unwrap()).unwrap();
    std::thread::spawn(move || {
        let (mut stream, who) = listener.accept().unwrap();
        let mut request = [0; 256];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /latest/"));
        let body = who.ip().to_string();
        write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    })
}

/// What the instance gets from the metadata address.
fn ask_metadata(from: &Lab) -> Option<String> {
    let to = SocketAddr::from((METADATA_ADDRESS, 80));
    let mut stream = from.0.run(|| TcpStream::connect_timeout(&to, PATIENCE)).unwrap().ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /latest/meta-data HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.rsplit("\r\n").next().unwrap().to_owned())
}

fn layouts() -> [Layout; 2] {
    [Layout::Iptables, Layout::native()]
}

/// The outside reaches an instance by its floating address and sees answers from it; an instance shows its floating
/// address to whomever it asks, also another instance and itself; after the end of the association it does not.
#[test]
fn a_floating_address_leads_to_its_instance_and_back() {
    for layout in layouts() {
        let Some(net) = Net::new() else { return };
        let options = options();
        let mut manager = net.manager(layout.clone(), &options);
        let host = HOST.to_string();
        // The general source translation, and none between instances.
        assert_eq!(seen(&net.first, &net.outside, OUTSIDE).as_deref(), Some(&*host), "{layout:?}");
        assert_eq!(seen(&net.first, &net.second, SECOND.1).as_deref(), Some(FIRST.1), "{layout:?}");
        for (address, fixed) in [FIRST, SECOND] {
            let floating = floating(address, fixed, Some("wan"));
            ensure_floating_forward(manager.model_mut(), &options, &floating).unwrap();
        }
        manager.apply().unwrap();
        assert_eq!(seen(&net.outside, &net.first, FIRST.0).as_deref(), Some(OUTSIDE), "{layout:?}");
        assert_eq!(seen(&net.outside, &net.second, SECOND.0).as_deref(), Some(OUTSIDE), "{layout:?}");
        // From the host, which has the address and so asks under it.
        assert_eq!(seen(&net.host, &net.first, FIRST.0).as_deref(), Some(FIRST.0), "{layout:?}");
        assert_eq!(seen(&net.first, &net.outside, OUTSIDE).as_deref(), Some(FIRST.0), "{layout:?}");
        // Between instances: by floating addresses these are seen, by fixed ones those.
        assert_eq!(seen(&net.first, &net.second, SECOND.0).as_deref(), Some(FIRST.0), "{layout:?}");
        assert_eq!(seen(&net.first, &net.second, SECOND.1).as_deref(), Some(FIRST.1), "{layout:?}");
        // To itself.
        assert_eq!(seen(&net.first, &net.first, FIRST.0).as_deref(), Some(FIRST.0), "{layout:?}");
        let ends = |manager: &mut Manager<Live>, (address, fixed): (&str, &str)| {
            remove_floating_forward(manager.model_mut(), address.parse().unwrap(), fixed.parse().unwrap()).unwrap();
            manager.apply().unwrap();
        };
        ends(&mut manager, FIRST);
        assert_eq!(seen(&net.outside, &net.first, FIRST.0), None, "{layout:?}");
        assert_eq!(seen(&net.outside, &net.second, SECOND.0).as_deref(), Some(OUTSIDE), "{layout:?}");
        assert_eq!(seen(&net.first, &net.outside, OUTSIDE).as_deref(), Some(&*host), "{layout:?}");
    }
}

/// The metadata address leads to a service elsewhere, which sees the instance's own address; and to one of this host.
#[test]
fn the_metadata_address_leads_to_its_service() {
    for layout in layouts() {
        let Some(net) = Net::new() else { return };
        net.outside.run("ip route add 10.0.0.0/16 via 192.0.2.2");
        for (host, at, address) in [
            (OUTSIDE, &net.outside, OUTSIDE),
            ("192.0.2.2", &net.host, "192.0.2.2"),
            ("127.0.0.1", &net.host, "0.0.0.0"),
        ] {
            let options = Options { metadata_host: host.parse().unwrap(), ..options() };
            let manager = net.manager(layout.clone(), &options);
            let service = metadata(at, address);
            assert_eq!(ask_metadata(&net.first).as_deref(), Some(FIRST.1), "{host} {layout:?}");
            service.join().unwrap();
            drop(manager);
        }
    }
}

/// A port of the host leads to a VPN instance, also where only such packets are forwarded, and no longer after removal.
#[test]
fn a_vpn_is_reached_by_a_port_of_the_host() {
    for layout in layouts() {
        let Some(net) = Net::new() else { return };
        let mut manager = net.manager(layout.clone(), &options());
        let bridge = interface("lan0");
        let vpn = Vpn { public: HOST, port: 1000, private: FIRST.1.parse().unwrap() };
        // One socket: a process that another test starts has it for a moment, and its port is not free meanwhile.
        let server = net.first.0.run(|| UdpSocket::bind(("0.0.0.0", 1194)).unwrap()).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let reached = || {
            let client = net.outside.0.run(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap()).unwrap();
            client.send_to(b"x", (HOST, 1000)).unwrap();
            server.recv(&mut [0; 8]).is_ok()
        };
        let change = |manager: &mut Manager<Live>, vpn_first: bool| {
            let model = manager.model_mut();
            remove_bridge_rules(model, &options(), &bridge).unwrap();
            if vpn_first {
                ensure_vpn_forward(model, vpn).unwrap();
            } else {
                remove_vpn_forward(model, vpn).unwrap();
            }
            ensure_bridge_rules(model, &options(), &bridge, Role::Closed).unwrap();
            manager.apply().unwrap();
        };
        assert!(!reached());
        change(&mut manager, true);
        assert!(reached(), "{layout:?}");
        // Nothing else is forwarded.
        assert_eq!(seen(&net.second, &net.first, FIRST.1), None, "{layout:?}");
        change(&mut manager, false);
        assert!(!reached(), "{layout:?}");
    }
}
