//! A flow of datagrams between two machines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::lab::{Lab, bound};

/// What is not there by then was dropped: the links are in memory.
const PATIENCE: Duration = Duration::from_millis(700);
/// The port that servers have unless it matters.
pub(crate) const PORT: u16 = 5000;

pub(crate) struct Flow {
    server: UdpSocket,
    client: UdpSocket,
}

impl Flow {
    /// From one machine to a server that another one has at its port; the client asks `to`.
    pub(crate) fn new(from: &Lab, at: (&Lab, u16), to: impl Into<SocketAddr>) -> Self {
        let to = to.into();
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        let server = at.0.0.run(|| bound(|| UdpSocket::bind((any, at.1)))).unwrap();
        let client = from.0.run(|| bound(|| UdpSocket::bind((any, 0)))).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        // Connected, so that an answer from another address than the one asked is none.
        client.connect(to).unwrap();
        Self { server, client }
    }

    /// Who the server sees; `None` when it sees nobody, or its answer does not come back.
    pub(crate) fn ask(&self) -> Option<IpAddr> {
        self.client.send(b"x").ok()?;
        let (_, who) = self.server.recv_from(&mut [0; 8]).ok()?;
        self.server.send_to(b"y", who).unwrap();
        self.client.recv(&mut [0; 8]).ok()?;
        Some(who.ip())
    }
}

/// Who a server of a machine sees when another one asks for `to`; at a port that nobody else has.
pub(crate) fn seen(from: &Lab, at: &Lab, to: Ipv4Addr) -> Option<Ipv4Addr> {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    match Flow::new(from, (at, port), (to, port)).ask() {
        Some(IpAddr::V4(who)) => Some(who),
        _ => None,
    }
}
