//! Tells the neighbours of a device where an address is now: gratuitous ARP, and unsolicited neighbour advertisements.
//!
//! Owns: the frames, and the thread that repeats them.
//! Never: puts the address on the device; waits for the repetitions.
//!
//! A floating address that moves from host to host is useless until routers forget where it was. One frame can be lost,
//! so it is sent a few times, an interval apart. The first goes out before the call returns, so that a device that is not
//! there is an error of the call; the others are sent by one thread for all announcements.
//!
//! Where the truth is: RFC 826 and RFC 5227 (ARP; a reply, as `arping -A` sends it, which also those take that ignore
//! requests); RFC 4861, 4.4 and 7.2.6 (neighbour advertisement with the override flag).
//!
//! How it is tested: `tests/announce.rs`: a neighbour that knew another hardware address learns the new one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error as ThisError;

use super::files::Reason;
use crate::name::{InterfaceName, MacAddress};
use crate::netlink::namespace::Namespace;
use crate::netlink::packet::PacketSocket;

/// Between two frames about one address.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// An address that was not announced.
#[derive(Debug, ThisError)]
#[error("announcing {address} on {device}: {}", Reason(source))]
pub struct AnnounceError {
    /// The device.
    pub device: InterfaceName,
    /// The address.
    pub address: IpAddr,
    /// What the kernel says.
    pub source: io::Error,
}

impl AnnounceError {
    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// Announces addresses, and repeats that in the background.
#[derive(Debug, Default)]
pub struct Announcer {
    worker: Option<Worker>,
}

#[derive(Debug)]
struct Worker {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

/// Frames that are still to be sent.
#[derive(Debug)]
struct Job {
    socket: PacketSocket,
    frame: Vec<u8>,
    device: InterfaceName,
    address: IpAddr,
    left: u32,
    due: Instant,
    interval: Duration,
}

impl Announcer {
    /// One that has nothing to do yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces an address that the device has, `count` times, [`INTERVAL`] apart. The first frame is sent at once; when a
    /// later one cannot be sent, that is logged, and the rest is given up.
    ///
    /// # Errors
    /// [`AnnounceError`] when the device is not there, is down or has no Ethernet address, or `CAP_NET_RAW` is missing.
    pub fn announce(
        &mut self,
        namespace: &Namespace,
        device: &InterfaceName,
        address: IpAddr,
        count: u32,
    ) -> Result<(), AnnounceError> {
        self.announce_every(namespace, device, address, count, INTERVAL)
    }

    /// The same, with another interval.
    ///
    /// # Errors
    /// As [`announce`](Announcer::announce).
    pub fn announce_every(
        &mut self,
        namespace: &Namespace,
        device: &InterfaceName,
        address: IpAddr,
        count: u32,
        interval: Duration,
    ) -> Result<(), AnnounceError> {
        let Some(left) = count.checked_sub(1) else { return Ok(()) };
        let error = |source| AnnounceError { device: device.clone(), address, source };
        let socket = PacketSocket::open_in(namespace, device).map_err(error)?;
        let frame = frame(socket.address(), address);
        socket.send(&frame).map_err(error)?;
        if left > 0 {
            let due = Instant::now() + interval;
            let job = Job { socket, frame, device: device.clone(), address, left, due, interval };
            self.repeat(job).map_err(error)?;
        }
        Ok(())
    }

    /// Hands a job to the thread, which is started with the first.
    fn repeat(&mut self, job: Job) -> io::Result<()> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => {
                let (jobs, received) = channel();
                let thread = Builder::new().name("announcer".into()).spawn(move || work(&received))?;
                none.insert(Worker { jobs, thread })
            }
        };
        worker.jobs.send(job).map_err(|_| io::Error::other("the thread that repeats announcements has ended"))
    }

    /// Waits until everything is announced as often as was asked. A program that ends calls it; when the announcer is only
    /// dropped, its thread goes on with what it has.
    pub fn finish(mut self) {
        if let Some(Worker { jobs, thread }) = self.worker.take() {
            drop(jobs);
            // Its panic would be one of this module, and is printed already.
            let _ = thread.join();
        }
    }
}

/// Sends what is due, until there is nothing left and nothing more can come.
fn work(received: &Receiver<Job>) {
    let mut jobs: Vec<Job> = Vec::new();
    let mut open = true;
    while open || !jobs.is_empty() {
        let next = jobs.iter().map(|job| job.due).min();
        let received = match next {
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => received.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match (received, next) {
            (Ok(job), _) => jobs.push(job),
            (Err(RecvTimeoutError::Timeout), _) => {}
            (Err(RecvTimeoutError::Disconnected), next) => {
                open = false;
                if let Some(due) = next {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            }
        }
        let now = Instant::now();
        jobs.retain_mut(|job| job.due > now || job.send());
    }
}

impl Job {
    /// Sends one frame. Returns whether more are to follow.
    fn send(&mut self) -> bool {
        if let Err(error) = self.socket.send(&self.frame) {
            log::warn!("announcing {} on {} again: {error}", self.address, self.device);
            return false;
        }
        self.left -= 1;
        self.due += self.interval;
        self.left > 0
    }
}

fn frame(mac: MacAddress, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => arp(mac, address),
        IpAddr::V6(address) => advertisement(mac, address),
    }
}

/// `struct ethhdr`.
fn ethernet(to: [u8; 6], from: MacAddress, protocol: u16) -> Vec<u8> {
    [&to[..], &from.octets(), &protocol.to_be_bytes()].concat()
}

/// A gratuitous ARP reply to everybody.
fn arp(mac: MacAddress, address: Ipv4Addr) -> Vec<u8> {
    const ETH_P_ARP: u16 = 0x0806;
    let mut frame = ethernet([0xff; 6], mac, ETH_P_ARP);
    // Ethernet, IPv4, the lengths of their addresses, ARPOP_REPLY.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 2]);
    for _ in ["sender", "target"] {
        frame.extend(mac.octets());
        frame.extend(address.octets());
    }
    frame
}

/// An unsolicited neighbour advertisement to all nodes.
fn advertisement(mac: MacAddress, address: Ipv6Addr) -> Vec<u8> {
    const ETH_P_IPV6: u16 = 0x86dd;
    const ICMPV6: u8 = 58;
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    // Type 136 (advertisement), code, checksum to be filled in, and the override flag.
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    // Option 2 (target's link-layer address), one unit of eight bytes.
    message.extend([2, 1]);
    message.extend(mac.octets());
    let length = u16::try_from(message.len()).unwrap_or_default().to_be_bytes();
    let [high, low] = length;
    let pseudo = [&address.octets()[..], &all_nodes.octets(), &[0, 0, high, low, 0, 0, 0, ICMPV6]].concat();
    let sum = checksum(pseudo.iter().chain(&message));
    message.splice(2..4, sum.to_be_bytes());
    let mut frame = ethernet([0x33, 0x33, 0, 0, 0, 1], mac, ETH_P_IPV6);
    frame.extend([0x60, 0, 0, 0, high, low, ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(all_nodes.octets());
    frame.extend(message);
    frame
}

/// The checksum of RFC 1071, of an even number of bytes.
fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u16 {
    let weight = |(at, byte): (usize, &u8)| u32::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
    let mut sum: u32 = bytes.enumerate().map(weight).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x2a]);

    #[test]
    fn an_arp_reply_names_the_device_twice() {
        let expected =
            "ffffffffffff 02000000002a 0806 0001 0800 06 04 0002 02000000002a c0000207 02000000002a c0000207";
        assert_eq!(hex(&frame(MAC, [192, 0, 2, 7].into())), expected.replace(' ', ""));
    }

    #[test]
    fn an_advertisement_overrides_and_its_checksum_is_right() {
        let address: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let frame = frame(MAC, address.into());
        let (header, message) = frame.split_at(14 + 40);
        assert_eq!(hex(&header[..22]), "33330000000102000000002a86dd60000000".to_owned() + "00203aff");
        // What a receiver does: the sum over all of it with its checksum is all ones.
        let all_nodes: Ipv6Addr = "ff02::1".parse().unwrap();
        let pseudo = [&address.octets()[..], &all_nodes.octets(), &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
        assert_eq!(checksum(pseudo.iter().chain(message)), 0);
        assert_eq!(hex(&message[..8]), format!("8800{:02x}{:02x}20000000", message[2], message[3]));
        assert_eq!(hex(&message[24..]), "020102000000002a");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
