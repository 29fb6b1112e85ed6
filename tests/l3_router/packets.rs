//! What a router does with packets, in both layouts.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nftwrap::l3_router::state::*;
use nftwrap::rule::{PortRange, Protocol};

use crate::flow::{Flow, PORT, seen};
use crate::lab::{Lab, bound};
use crate::world::{ONE, OUTSIDE, OWN, TWO, World, clean, layouts};
use crate::{FLOATING, example, forwarding, id, plain, scoped};

/// Guests are seen under the router's address, and reach each other under their own.
#[test]
fn source_translation() {
    for layout in layouts() {
        let Some(world) = World::with(layout.clone(), &plain()) else { return };
        assert_eq!(seen(&world.one, &world.outside, OUTSIDE), Some(OWN), "{layout:?}");
        assert_eq!(seen(&world.two, &world.outside, OUTSIDE), Some(OWN), "{layout:?}");
        assert_eq!(seen(&world.one, &world.two, TWO), Some(ONE), "{layout:?}: not between guests");
        // Without it they are seen under their own.
        world.outside.run(&format!("ip route add 10.0.0.0/8 via {OWN}"));
        let mut router = plain();
        router.gateway.as_mut().unwrap().snat = false;
        world.update(&router);
        assert_eq!(seen(&world.one, &world.outside, OUTSIDE), Some(ONE), "{layout:?}");
        // Without a gateway they are seen nowhere.
        world.update(&Router { gateway: None, ..plain() });
        assert_eq!(seen(&world.one, &world.outside, OUTSIDE), None, "{layout:?}");
        assert_eq!(seen(&world.one, &world.two, TWO), Some(ONE), "{layout:?}");
    }
}

/// In and out, and from inside by the outside address; when it goes, so do its connections.
#[test]
fn floating_addresses() {
    for layout in layouts() {
        let Some(world) = World::with(layout.clone(), &plain()) else { return };
        let router = Router { floating: vec![FloatingIp::new(FLOATING, ONE)], ..plain() };
        world.update(&router);
        let inward = Flow::new(&world.outside, (&world.one, PORT), (FLOATING, PORT));
        assert_eq!(inward.ask(), Some(OUTSIDE.into()), "{layout:?}");
        let outward = Flow::new(&world.one, (&world.outside, PORT), (OUTSIDE, PORT));
        assert_eq!(outward.ask(), Some(FLOATING.into()), "{layout:?}");
        assert_eq!(seen(&world.two, &world.one, FLOATING), Some(OWN), "{layout:?}: hairpin");
        let two: Ipv4Addr = [203, 0, 113, 102].into();
        let mut both = router.clone();
        both.floating.push(FloatingIp::new(two, TWO));
        let outcome = world.update(&both);
        assert_eq!((outcome.addresses, outcome.connections), (1, 0), "{outcome:?}");
        assert_eq!(seen(&world.two, &world.one, FLOATING), Some(two), "{layout:?}: hairpin of one that has its own");
        assert_eq!(inward.ask(), Some(OUTSIDE.into()), "{layout:?}: what stands is not touched");
        let outcome = world.update(&plain());
        assert!(outcome.connections >= 2, "{outcome:?}");
        assert_eq!(inward.ask(), None, "{layout:?}: the connection has ended");
        assert_eq!(outward.ask(), Some(OWN.into()), "{layout:?}");
    }
}

/// The address of one guest becomes another's: not even a connection that stands leads to the first.
#[test]
fn a_floating_address_moves() {
    for layout in layouts() {
        let router = Router { floating: vec![FloatingIp::new(FLOATING, ONE)], ..plain() };
        let Some(world) = World::with(layout.clone(), &router) else { return };
        let old = Flow::new(&world.outside, (&world.one, PORT), (FLOATING, PORT));
        assert_eq!(old.ask(), Some(OUTSIDE.into()), "{layout:?}");
        let outcome = world.update(&Router { floating: vec![FloatingIp::new(FLOATING, TWO)], ..plain() });
        assert_eq!((outcome.addresses, outcome.connections), (0, 1), "{outcome:?}");
        assert_eq!(old.ask(), None, "{layout:?}");
        assert_eq!(seen(&world.outside, &world.two, FLOATING), Some(OUTSIDE), "{layout:?}");
        let down = FloatingIp { state: FloatingState::Down, ..FloatingIp::new(FLOATING, TWO) };
        world.update(&Router { floating: vec![down], ..plain() });
        assert_eq!(seen(&world.outside, &world.two, FLOATING), None, "{layout:?}");
    }
}

/// Asks a server of the router's namespace; what it answers.
fn answer(from: &Lab, to: SocketAddr) -> Option<String> {
    let stream = from.0.run(|| TcpStream::connect_timeout(&to, Duration::from_millis(700))).unwrap().ok();
    let mut stream = stream?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Guests reach a server of the router's namespace by the metadata address and by no other.
#[test]
fn metadata() {
    for layout in layouts() {
        let blocked = Router { metadata: Metadata::Blocked { port: Metadata::PORT }, ..plain() };
        let Some(world) = World::with(layout.clone(), &blocked) else { return };
        // A router elsewhere would answer, if the question came that far.
        world.outside.run("ip address add 169.254.169.254/32 dev lo");
        let elsewhere = world.outside.0.run(|| bound(|| TcpListener::bind("169.254.169.254:80"))).unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let asked: SocketAddr = "169.254.169.254:80".parse().unwrap();
        assert_eq!(answer(&world.one, asked), None, "{layout:?}");
        assert!(elsewhere.accept().is_err(), "{layout:?}: questions do not leave the router");
        let inside = world.inside(&blocked);
        let listener = inside.0.run(|| bound(|| TcpListener::bind(("0.0.0.0", Metadata::PORT)))).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, who) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 64]).unwrap() > 0);
            stream.write_all(who.ip().to_string().as_bytes()).unwrap();
        });
        assert_eq!(answer(&world.one, asked), None, "{layout:?}: blocked as long as the state says so");
        world.update(&plain());
        assert_eq!(answer(&world.two, SocketAddr::from(([10, 2, 0, 1], Metadata::PORT))), None, "{layout:?}");
        assert_eq!(answer(&world.two, asked).as_deref(), Some("10.2.0.12"), "{layout:?}");
        server.join().unwrap();
    }
}

/// Between scopes packets pass only by a floating address; within one they pass untranslated, outside too.
#[test]
fn address_scopes() {
    for layout in layouts() {
        let Some(world) = World::with(layout.clone(), &Router { floating: Vec::new(), ..scoped() }) else { return };
        assert_eq!(seen(&world.one, &world.two, TWO), None, "{layout:?}: from A to E");
        assert_eq!(seen(&world.two, &world.one, ONE), None, "{layout:?}: from E to A");
        world.outside.run(&format!("ip route add 10.0.0.0/8 via {OWN}"));
        assert_eq!(seen(&world.two, &world.outside, OUTSIDE), Some(TWO), "{layout:?}: within E");
        assert_eq!(seen(&world.outside, &world.two, TWO), Some(OUTSIDE), "{layout:?}: within E");
        assert_eq!(seen(&world.one, &world.outside, OUTSIDE), Some(OWN), "{layout:?}: translated");
        assert_eq!(seen(&world.outside, &world.one, ONE), None, "{layout:?}: from E to A");
        world.update(&scoped());
        assert_eq!(seen(&world.outside, &world.one, FLOATING), Some(OUTSIDE), "{layout:?}: by its floating address");
        assert_eq!(seen(&world.one, &world.outside, OUTSIDE), Some(FLOATING), "{layout:?}");
        // All in one scope again.
        world.update(&plain());
        assert_eq!(seen(&world.one, &world.two, TWO), Some(ONE), "{layout:?}");
    }
}

/// The same for IPv6, where nothing is translated.
#[test]
fn address_scopes_of_ipv6() {
    for layout in layouts() {
        let mut router = plain();
        for (port, address) in router.ports.iter_mut().zip(["2001:db8:1::1/64", "2001:db8:2::1/64"]) {
            port.addresses.push(address.parse().unwrap());
        }
        let Some(world) = World::with(layout.clone(), &router) else { return };
        let guests = [(&world.one, 1), (&world.two, 2)];
        for (guest, net) in guests {
            guest.run(&format!(
                "ip address add 2001:db8:{net}::5/64 dev eth0 nodad; ip route add default via 2001:db8:{net}::1"
            ));
        }
        let to: IpAddr = "2001:db8:2::5".parse().unwrap();
        let ask = || Flow::new(&world.one, (&world.two, PORT), (to, PORT)).ask();
        // The router's addresses are used once nobody else was found to have them.
        let first = (0..10).find_map(|_| ask());
        assert_eq!(first, Some("2001:db8:1::5".parse().unwrap()), "{layout:?}");
        router.ports[0].scopes.v6 = Some(id("S"));
        world.update(&router);
        assert_eq!(ask(), None, "{layout:?}");
        assert_eq!(seen(&world.one, &world.two, TWO), Some(ONE), "{layout:?}: IPv4 has other scopes");
    }
}

/// Ports lead inside, a range port by port; a forwarding that goes takes its connections along.
#[test]
fn port_forwardings() {
    for layout in layouts() {
        let udp = |one: PortForwarding| PortForwarding { protocol: Protocol::UDP, ..one };
        let single = udp(forwarding("0d1b5cc4-4a7c", (13, 13), (5000, 5000)));
        let range =
            PortForwarding { internal_address: TWO, ..udp(forwarding("1e2c6dd5-4a7c", (6000, 6002), (7000, 7002))) };
        let outside = single.floating;
        let router = Router { forwardings: vec![single.clone(), range.clone()], ..plain() };
        let Some(world) = World::with(layout.clone(), &router) else { return };
        let flow = Flow::new(&world.outside, (&world.one, 5000), (outside, 13));
        assert_eq!(flow.ask(), Some(OUTSIDE.into()), "{layout:?}");
        for offset in [0, 1, 2] {
            let flow = Flow::new(&world.outside, (&world.two, 7000 + offset), (outside, 6000 + offset));
            assert_eq!(flow.ask(), Some(OUTSIDE.into()), "{layout:?}, port {offset} of the range");
        }
        assert_eq!(Flow::new(&world.outside, (&world.one, 5003), (outside, 14)).ask(), None, "{layout:?}");
        let moved = PortForwarding { internal: PortRange::single(5001), ..single };
        let outcome = world.update(&Router { forwardings: vec![moved.clone(), range], ..plain() });
        assert_eq!(outcome.connections, 1, "{outcome:?}");
        assert_eq!(flow.ask(), None, "{layout:?}: the connection has ended");
        let flow = Flow::new(&world.outside, (&world.one, 5001), (outside, 13));
        assert_eq!(flow.ask(), Some(OUTSIDE.into()), "{layout:?}");
        // In the native layout `nat` moves with the last range, but only once everything is read again.
        let outcome = world.routers.update(&Router { forwardings: vec![moved], ..plain() }).unwrap();
        clean(&outcome);
        assert_eq!(outcome.connections, 3, "{outcome:?}");
        let flow = Flow::new(&world.outside, (&world.one, 5002), (outside, 13));
        assert_eq!(flow.ask(), None, "{layout:?}");
    }
}

/// Everything at once is the same as one after the other.
#[test]
fn all_of_it_together() {
    for layout in layouts() {
        let one = PortForwarding { protocol: Protocol::UDP, ..forwarding("0d1b5cc4-4a7c", (13, 13), (5000, 5000)) };
        let router = Router { forwardings: vec![one.clone()], ..example() };
        let Some(world) = World::with(layout.clone(), &router) else { return };
        assert_eq!(seen(&world.outside, &world.one, FLOATING), Some(OUTSIDE), "{layout:?}");
        let flow = Flow::new(&world.outside, (&world.one, 5000), (one.floating, 13));
        assert_eq!(flow.ask(), Some(OUTSIDE.into()), "{layout:?}");
        assert_eq!(seen(&world.one, &world.outside, OUTSIDE), Some(FLOATING), "{layout:?}");
    }
}
