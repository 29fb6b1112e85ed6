//! Giving an address back on behalf of a guest that is gone: a DHCPRELEASE to the server of its network.
//!
//! The message comes from the host itself. That the socket is bound to the device is what makes the server take it for
//! one that came in there.
//!
//! Where the truth is: RFC 2131 2 and 4.4.6, RFC 2132 9.6 and 9.7; `dhcp_reply`, `src/rfc2131.c` of dnsmasq 2.90, which
//! wants its own address as the server's.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;

use super::{Dnsmasq, Network};
use crate::linux_net::files::Reason;
use crate::name::MacAddress;
use crate::netlink::namespace::NamespaceError;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// The shortest message that all relays take (RFC 1542 2.1).
const SHORTEST: usize = 300;

/// Why an address could not be given back.
#[derive(Debug, Error)]
#[error("Failed to release IP {address} with MAC {mac}: {problem}")]
pub struct ReleaseError {
    /// The address.
    pub address: Ipv4Addr,
    /// The hardware address that holds it.
    pub mac: MacAddress,
    problem: Problem,
}

impl ReleaseError {
    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match &self.problem {
            Problem::Namespace(error) => error.is_not_permitted(),
            Problem::Send { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        }
    }
}

#[derive(Debug, Error)]
enum Problem {
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error("cannot {action} on the device `{device}`: {}", Reason(source))]
    Send { action: &'static str, device: String, source: io::Error },
}

impl Dnsmasq {
    /// Tells the server of a network that a guest has given its address back. `false` without doing anything when the
    /// device of the network is not there.
    ///
    /// There is no answer: that the lease has ended is what the lease script is told, by `del`.
    ///
    /// # Errors
    /// [`ReleaseError`], when the message could not be sent.
    pub fn release(&self, network: &Network, address: Ipv4Addr, mac: MacAddress) -> Result<bool, ReleaseError> {
        let packet = message(network.dhcp_server, address, mac);
        let sent = self.namespace.run(|| send(network, &packet)).map_err(Problem::from).and_then(|sent| sent);
        sent.map_err(|problem| ReleaseError { address, mac, problem })
    }
}

fn send(network: &Network, packet: &[u8]) -> Result<bool, Problem> {
    let device = network.device.as_str();
    let failed = |action| move |source| Problem::Send { action, device: device.to_owned(), source };
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).map_err(failed("open a socket"))?;
    match socket.bind_device(Some(device.as_bytes())) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(false),
        bound => bound.map_err(failed("bind a socket"))?,
    }
    let from = |port| SockAddr::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    match socket.bind(&from(CLIENT_PORT)) {
        // The host's own client has it. A server does not look at the port that a release comes from.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => socket.bind(&from(0)),
        bound => bound,
    }
    .map_err(failed("bind a socket"))?;
    let to = SockAddr::from(SocketAddrV4::new(network.dhcp_server, SERVER_PORT));
    socket.send_to(packet, &to).map_err(failed("send"))?;
    Ok(true)
}

fn message(server: Ipv4Addr, address: Ipv4Addr, mac: MacAddress) -> Vec<u8> {
    const BOOTREQUEST: u8 = 1;
    const ETHERNET: u8 = 1;
    const HARDWARE: usize = 16;
    const NAMES: usize = 64 + 128;
    const MAGIC: [u8; 4] = [99, 130, 83, 99];
    const MESSAGE_TYPE: u8 = 53;
    const DHCPRELEASE: u8 = 7;
    const SERVER_IDENTIFIER: u8 = 54;
    const END: u8 = 255;
    let mac = mac.octets();
    let mut out = vec![BOOTREQUEST, ETHERNET, 6, 0];
    // The number of the exchange: there is no answer to tell from others.
    out.extend(address.octets());
    // No time since the start, no flags.
    out.extend([0; 4]);
    out.extend(address.octets());
    // Your, next server's and relay's address.
    out.extend([0; 12]);
    out.extend(mac);
    out.resize(out.len() + HARDWARE - mac.len() + NAMES, 0);
    out.extend(MAGIC);
    out.extend([MESSAGE_TYPE, 1, DHCPRELEASE, SERVER_IDENTIFIER, 4]);
    out.extend(server.octets());
    out.push(END);
    out.resize(SHORTEST.max(out.len()), 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_its_fields_where_the_standard_has_them() {
        let mac = MacAddress([0xde, 0xad, 0xbe, 0xef, 0, 1]);
        let out = message([10, 0, 0, 1].into(), [10, 0, 0, 7].into(), mac);
        assert_eq!(out.len(), SHORTEST);
        assert_eq!(out[..4], [1, 1, 6, 0]);
        assert_eq!(out[12..16], [10, 0, 0, 7]);
        assert_eq!(out[28..34], mac.octets());
        assert!(out[34..236].iter().all(|byte| *byte == 0));
        assert_eq!(out[236..250], [99, 130, 83, 99, 53, 1, 7, 54, 4, 10, 0, 0, 1, 255]);
    }
}
