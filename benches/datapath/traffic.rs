//! Datagrams of the client, and what they took.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::support::failure::Failure;

/// A datagram as small as they come, so that the rules are what is measured.
const DATAGRAM: &[u8] = b"nftwrap";
/// Datagrams in flight on each socket while the rate is measured.
const IN_FLIGHT: usize = 4;

/// One at a time: how long each was on its way there and back. The sockets take turns.
pub(crate) fn round_trips(sockets: &[UdpSocket], time: Duration) -> Result<Vec<Duration>, Failure> {
    let mut buffer = [0; 64];
    let mut trips = Vec::new();
    let started = Instant::now();
    while started.elapsed() < time {
        for socket in sockets {
            let start = Instant::now();
            socket.send(DATAGRAM)?;
            socket.recv(&mut buffer)?;
            trips.push(start.elapsed());
        }
    }
    Ok(trips)
}

/// As many as get through with a few in flight: packets that the router forwards in a second, answers included.
pub(crate) fn rate(sockets: &[UdpSocket], time: Duration) -> Result<f64, Failure> {
    let mut buffer = [0; 64];
    for socket in sockets {
        for _ in 0..IN_FLIGHT {
            socket.send(DATAGRAM)?;
        }
    }
    let mut answers = 0_u32;
    let started = Instant::now();
    while started.elapsed() < time {
        for socket in sockets {
            socket.recv(&mut buffer)?;
            socket.send(DATAGRAM)?;
            answers += 1;
        }
    }
    let rate = 2.0 * f64::from(answers) / started.elapsed().as_secs_f64();
    for socket in sockets {
        for _ in 0..IN_FLIGHT {
            socket.recv(&mut buffer)?;
        }
    }
    Ok(rate)
}
