//! Real packets while processes come and go, layouts change, and components share a group.
//!
//! Two namespaces, joined by a veth pair: a client, and a server whose tables decide.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::wrap::Model;

use crate::lab::Lab;
use crate::world::*;

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "192.0.2.2";
const TOOLS: &[&str] = &["ip", "sleep"];
/// A packet that was sent before another one that has arrived is there by then, or was dropped.
const PATIENCE: Duration = Duration::from_millis(50);
/// A port that nobody drops.
const MARKER: u16 = 4998;
/// An answer that is not there by then never comes, however busy the machine is.
const LOST: Duration = Duration::from_secs(5);
/// The port that is always open, and the one that never is.
const OPEN: u16 = 5000;
const CLOSED: u16 = 5001;

/// A client and a server.
struct Net {
    client: Lab,
    server: Lab,
}

/// What became of a stream of packets.
#[derive(Debug, Default)]
struct Stream {
    sent: u32,
    lost: u32,
    leaked: u32,
}

impl Net {
    fn new() -> Option<Self> {
        let (client, server) = (Lab::new(TOOLS)?, Lab::new(TOOLS)?);
        client.link("veth0", &server, "veth1");
        for (lab, device, address) in [(&client, "veth0", CLIENT), (&server, "veth1", SERVER)] {
            lab.run(&format!("ip address add {address}/24 dev {device}; ip link set {device} up; ip link set lo up"));
        }
        let net = Self { client, server };
        // It may take a second until the link is up.
        assert!((0..20).any(|_| net.answers(Duration::from_millis(250))), "the link works");
        Some(net)
    }

    fn server(&self, port: u16) -> UdpSocket {
        self.server.0.run(|| UdpSocket::bind((SERVER, port)).unwrap()).unwrap()
    }

    fn client(&self) -> UdpSocket {
        self.client.0.run(|| UdpSocket::bind((CLIENT, 0)).unwrap()).unwrap()
    }

    fn answers(&self, within: Duration) -> bool {
        let socket = self.server(MARKER);
        socket.set_read_timeout(Some(within)).unwrap();
        self.client().send_to(b"x", (SERVER, MARKER)).is_ok() && socket.recv(&mut [0; 8]).is_ok()
    }

    /// Whether a datagram from the client reaches the server.
    fn passes(&self, port: u16) -> bool {
        let (socket, marker) = (self.server(port), self.server(MARKER));
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        marker.set_read_timeout(Some(LOST)).unwrap();
        let client = self.client();
        client.send_to(b"x", (SERVER, port)).unwrap();
        client.send_to(b"x", (SERVER, MARKER)).unwrap();
        marker.recv(&mut [0; 8]).unwrap();
        socket.recv(&mut [0; 8]).is_ok()
    }

    /// Sends to both ports, one question to the open one after the other, until `work` is done, which is given the number
    /// of questions so far.
    fn during(&self, work: impl FnOnce(&AtomicU32)) -> Stream {
        let (done, over, sent) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU32::new(0));
        let (echo, closed) = (self.server(OPEN), self.server(CLOSED));
        echo.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        closed.set_nonblocking(true).unwrap();
        let client = self.client();
        client.set_read_timeout(Some(LOST)).unwrap();
        let is_done = || done.load(Ordering::Relaxed);
        let mut stream = std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut stream = Stream::default();
                while !is_done() {
                    let _ = client.send_to(b"x", (SERVER, CLOSED));
                    stream.sent += 1;
                    let question = stream.sent.to_ne_bytes();
                    // A send that a rule refuses is a loss as well.
                    let asked = client.send_to(&question, (SERVER, OPEN)).is_ok();
                    let mut answer = [0; 4];
                    let answered = asked && client.recv(&mut answer).is_ok() && answer == question;
                    stream.lost += u32::from(!answered);
                    sent.store(stream.sent, Ordering::Relaxed);
                }
                over.store(true, Ordering::Relaxed);
                stream
            });
            scope.spawn(|| {
                let mut question = [0; 4];
                while !over.load(Ordering::Relaxed) {
                    if let Ok((len, from)) = echo.recv_from(&mut question) {
                        let _ = echo.send_to(&question[..len], from);
                    }
                }
            });
            // Also when the work fails, so that the scope ends.
            let end = End(&done);
            work(&sent);
            drop(end);
            sender.join().unwrap()
        });
        while closed.recv(&mut [0; 8]).is_ok() {
            stream.leaked += 1;
        }
        stream
    }
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A server with a chain for each peer, reached by the peer's address; the client is one of them.
fn server(round: u16) -> Model {
    let mut model = bare("agent");
    add_chain(&mut model, "$in");
    for peer in 1..12 + round % 4 {
        let chain = format!("$peer-{peer}");
        add_chain(&mut model, &chain);
        // The client's own chain is another one in each round, alone or with others.
        if peer <= 2 || round % 3 == 1 {
            add(&mut model, &chain, &format!("-p tcp --dport {} -j ACCEPT", 80 + round));
        }
        let port = if peer < 8 { OPEN } else { OPEN + round };
        add(&mut model, &chain, &format!("-p udp --dport {port} -j ACCEPT"));
        add(&mut model, &chain, "-j DROP");
        add(&mut model, "$in", &format!("-s 192.0.2.{peer} -j {chain}"));
    }
    add(&mut model, "$in", "-j DROP");
    add_chain(&mut model, "$top");
    add(&mut model, "INPUT", "-j $top");
    add(&mut model, "INPUT", "-j $in");
    model
}

#[track_caller]
fn unharmed(stream: &Stream, at_least: u32) {
    assert!(stream.sent >= at_least, "{stream:?}");
    assert_eq!((stream.lost, stream.leaked), (0, 0), "{stream:?}");
}

/// The process ends and another one takes its tables over, with and without changes: nothing that may pass is lost, and
/// nothing passes that may not.
#[test]
fn filtering_goes_on_across_restarts() {
    let Some(net) = Net::new() else { return };
    let mut manager = native(server(0), net.server.kernel());
    manager.apply().unwrap();
    let stream = net.during(|_| {
        for round in 0..24_u16 {
            let (model, kernel) = manager.into_parts();
            // Nobody owns the tables now.
            drop(kernel);
            std::thread::sleep(Duration::from_millis(5));
            let model = if round % 2 == 0 { model } else { server(round) };
            manager = native(model, net.server.kernel());
            manager.apply().unwrap();
        }
        settle(&mut manager);
    });
    unharmed(&stream, 100);
}

/// Changes in place: instances come and go, bodies change for one and for all.
#[test]
fn filtering_goes_on_while_rules_change() {
    let Some(net) = Net::new() else { return };
    let mut manager = native(server(0), net.server.kernel());
    manager.apply().unwrap();
    let stream = net.during(|_| {
        for round in 0..30_u16 {
            let rule = format!("-p tcp --dport {} -j ACCEPT", 7000 + round);
            // Of all chains that are the client's, too: the one that they share is filled anew.
            for peer in 1..8 {
                add(manager.model_mut(), &format!("$peer-{peer}"), &rule);
            }
            manager.apply().unwrap();
            for peer in 30..36 {
                let rule = format!("-s 192.0.2.{peer} -j $peer-{}", 1 + peer % 11);
                match round % 2 {
                    0 => add(manager.model_mut(), "$top", &rule),
                    _ => remove(manager.model_mut(), "$top", &rule),
                };
                manager.apply().unwrap();
            }
        }
    });
    unharmed(&stream, 100);
}

/// From one layout to the other and back: packets meet one of them, but for the very few that are on their way.
#[test]
fn filtering_goes_on_when_the_layout_changes() {
    let Some(net) = Net::new() else { return };
    let mut first = native(server(0), net.server.kernel());
    first.apply().unwrap();
    let changes = 12;
    let stream = net.during(|sent| {
        let mut kernel = first.into_parts().1;
        for round in 0..changes {
            // Packets flow between changes, also after one that was waited for in vain.
            let next = sent.load(Ordering::Relaxed) + 10;
            while sent.load(Ordering::Relaxed) < next {
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut manager = if round % 2 == 0 {
                Manager::with_kernel(server(round), kernel)
            } else {
                native(server(round), kernel)
            };
            manager.apply().unwrap();
            kernel = manager.into_parts().1;
        }
    });
    // A packet that was given its hooks before the new ones came, and goes on after the old ones have lost their rules, meets
    // neither: the kernel does not wait for it.
    assert!(stream.sent > 100 && stream.leaked <= 1 + stream.sent / 2_000, "{stream:?}");
    // A packet that is in a table while it goes finds its maps empty, and is dropped at the chain's end.
    assert!(stream.lost <= u32::from(changes), "{stream:?}");
}

/// A part of a group: an unwrapped chain that all parts share, and a wrapped one that drops a port.
fn part(component: &str, port: u16) -> Model {
    let mut model = bare(component);
    add_chain(&mut model, "common-top");
    add_chain(&mut model, "$in");
    add(&mut model, "INPUT", "-j common-top");
    add(&mut model, "common-top", "-j $in");
    add(&mut model, "$in", &format!("-p udp --dport {port} -j DROP"));
    model
}

/// Components of one group: what each of them drops is dropped, whoever came first, and what is left when one goes is the
/// other's.
#[test]
fn components_of_a_group_filter_together() {
    let Some(net) = Net::new() else { return };
    for order in [["one", "two"], ["two", "one"]] {
        let port = |name: &str| if name == "one" { 6001 } else { 6002 };
        let ports = || [net.passes(6000), net.passes(6001), net.passes(6002)];
        let start = |name: &str| -> Manager<Live> {
            let mut manager = sharing(part(name, port(name)), net.server.kernel());
            manager.apply().unwrap();
            manager
        };
        let mut managers: Vec<_> = order.map(start).into();
        assert_eq!(ports(), [true, false, false], "{order:?}");
        managers.iter_mut().for_each(|manager| drop(settle(manager)));
        // The first one goes while the other stays, which then changes something.
        managers[0].flush().unwrap();
        assert_eq!(ports(), [true, order[0] == "one", order[0] == "two"], "{order:?}");
        add(managers[1].model_mut(), "$in", "-p udp --dport 6000 -j DROP");
        managers[1].apply().unwrap();
        assert_eq!(ports(), [false, order[0] == "one", order[0] == "two"], "{order:?}");
        // It comes back, as a new process.
        let mut again = start(order[0]);
        assert_eq!(ports(), [false, false, false], "{order:?}");
        again.flush().unwrap();
        managers[1].refresh();
        managers[1].flush().unwrap();
        assert_eq!(ports(), [true, true, true], "{order:?}");
        assert_eq!(table_names(&mut net.server.kernel()), [""; 0]);
    }
}
