//! The host stays reachable: a connection through the network card lives on while its addresses move.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nftwrap::linux_net::bridge::{NetAttrs, ensure_bridge, remove_bridge};
use nftwrap::linux_net::gateway::initialize_gateway_device;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rtnl::{Address, LinkChange, Rtnl};

use crate::world::{World, name, network};

/// The other end of the wire in a namespace of its own, with the router's addresses.
fn router(w: &mut World) -> Namespace {
    let there = Namespace::fresh().unwrap();
    let wire = w.link("wire");
    let change = LinkChange { namespace: Some(there.clone()), ..LinkChange::default() };
    w.rtnl.set_link(&wire, &change).unwrap();
    let mut rtnl = Rtnl::open_in(&there).unwrap();
    let wire = rtnl.require_link(&name("wire")).unwrap();
    rtnl.set_link(&wire, &LinkChange::up(true)).unwrap();
    rtnl.add_address(&Address::new(&wire, network("172.16.5.1/24"))).unwrap();
    there
}

/// A connection from the host's own address to the router, which sends back what it gets.
fn connection(w: &World, router: &Namespace) -> TcpStream {
    let listener = router.run(|| TcpListener::bind("172.16.5.1:7000")).unwrap().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap_or(0) == 1 && stream.write_all(&byte).is_ok() {}
    });
    let stream = w.lab.0.run(|| TcpStream::connect("172.16.5.1:7000")).unwrap().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn echo(stream: &mut TcpStream) {
    let mut byte = [0];
    stream.write_all(&[7]).unwrap();
    stream.read_exact(&mut byte).unwrap();
}

#[test]
fn a_connection_outlives_a_bridge_and_a_gateway() {
    let Some(mut w) = World::new() else { return };
    let router = router(&mut w);
    w.run("ip addr add 172.16.5.10/24 brd + dev eth0; ip route add default via 172.16.5.1");
    let mut stream = connection(&w, &router);
    echo(&mut stream);
    let attrs = NetAttrs {
        cidr: "10.10.10.0/24".parse().unwrap(),
        broadcast: None,
        gateway: None,
        dhcp_server: Some("10.10.10.1".parse().unwrap()),
        cidr_v6: None,
    };
    ensure_bridge(&mut w.rtnl, &name("br100"), Some(&name("eth0")), None).unwrap();
    echo(&mut stream);
    assert!(initialize_gateway_device(&mut w.rtnl, &name("br100"), &attrs).unwrap());
    assert!(w.shown_addresses("br100")[0].starts_with("inet 10.10.10.1/24 "));
    echo(&mut stream);
    remove_bridge(&mut w.rtnl, &name("br100"), Some(&name("eth0")), Some(&attrs)).unwrap();
    echo(&mut stream);
    assert_eq!(w.shown_addresses("eth0"), ["inet 172.16.5.10/24 brd 172.16.5.255 scope global eth0"]);
}
