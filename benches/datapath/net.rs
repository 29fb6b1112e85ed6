//! A client, a router and a server, each a network namespace, in a row: the rules stand in the router.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nftwrap::netlink::namespace::Namespace;

use crate::support::failure::Failure;

/// In the network that instances accept everything from.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 31, 255, 1);
/// In no network that an instance accepts anything from.
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const PORT: u16 = 7777;
/// A packet that is not there by then was dropped: the links are in memory.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a thread of the server looks whether it is to end.
const TICK: Duration = Duration::from_millis(100);

/// The namespaces, and the server's threads, which end with the value.
#[derive(Debug)]
pub(crate) struct Net {
    client: Namespace,
    pub(crate) router: Namespace,
    server: Namespace,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Net {
    /// Links, addresses and routes; the server has every address of an instance.
    pub(crate) fn new() -> Result<Self, Failure> {
        let (client, router, server) = (Namespace::fresh()?, Namespace::fresh()?, Namespace::fresh()?);
        link(&client, &router, "uplink")?;
        link(&server, &router, "guests")?;
        let up =
            |device: &str, address: &str| format!("ip address add {address} dev {device}; ip link set {device} up");
        let run = |namespace: &Namespace, script: &str| {
            let script = format!("ip link set lo up; {script}");
            namespace.run(|| shell(&script))?
        };
        run(
            &client,
            &format!(
                "{}; ip address add {STRANGER}/32 dev lo; ip route add default via 10.31.255.2",
                up("eth0", "10.31.255.1/30")
            ),
        )?;
        run(
            &router,
            &format!(
                "{}; {}; ip route add 10.16.0.0/16 via 10.31.255.6; ip route add {STRANGER} via {CLIENT}; \
                 echo 1 >/proc/sys/net/ipv4/ip_forward; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done",
                up("uplink", "10.31.255.2/30"),
                up("guests", "10.31.255.5/30")
            ),
        )?;
        run(
            &server,
            &format!(
                "{}; ip route add local 10.16.0.0/16 dev lo; ip route add default via 10.31.255.5",
                up("eth0", "10.31.255.6/30")
            ),
        )?;
        Ok(Self { client, router, server, stop: Arc::default(), threads: Vec::new() })
    }

    /// Lets the server answer at these addresses.
    pub(crate) fn serve(&mut self, addresses: &[Ipv4Addr]) -> Result<(), Failure> {
        for &address in addresses {
            let socket = self.server.run(|| UdpSocket::bind((address, PORT)))??;
            socket.set_read_timeout(Some(TICK))?;
            let stop = self.stop.clone();
            self.threads.push(thread::spawn(move || echo(&socket, &stop)));
        }
        Ok(())
    }

    /// A socket of the client for each of these addresses.
    pub(crate) fn connect(&self, addresses: &[Ipv4Addr]) -> Result<Vec<UdpSocket>, Failure> {
        addresses.iter().map(|&address| self.socket(CLIENT, address)).collect()
    }

    /// Whether the rules stand: what an instance accepts from nobody does not get through.
    pub(crate) fn filters(&self, address: Ipv4Addr) -> Result<bool, Failure> {
        let socket = self.socket(STRANGER, address)?;
        socket.send(b"x")?;
        Ok(socket.recv(&mut [0; 8]).is_err())
    }

    fn socket(&self, from: Ipv4Addr, to: Ipv4Addr) -> Result<UdpSocket, Failure> {
        let socket = self.client.run(|| UdpSocket::bind((from, 0)))??;
        socket.connect((to, PORT))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It ends when it looks the next time, and has nothing to say.
            let _ = thread.join();
        }
    }
}

fn echo(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // A client that is gone wants no answer.
            let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), from);
        }
    }
}

/// A veth pair: `eth0` in one namespace, `name` in the router.
fn link(one: &Namespace, router: &Namespace, name: &str) -> Result<(), Failure> {
    // A process of the other namespace stands for it while the link is made.
    let mut stand_in = router.run(|| Command::new("sleep").arg("60").spawn())??;
    let made = one.run(|| shell(&format!("ip link add eth0 type veth peer name {name} netns {}", stand_in.id())));
    stand_in.kill()?;
    stand_in.wait()?;
    made?
}

fn shell(script: &str) -> Result<(), Failure> {
    let output = Command::new("/bin/sh").args(["-ec", script]).stdout(Stdio::null()).output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Failure(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}
