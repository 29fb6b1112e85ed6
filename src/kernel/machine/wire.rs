//! The bytes of a packet.
//!
//! Owns: link, network and transport headers as they go over the wire.
//! Never: computes checksums: no rule looks at one.
//!
//! Invariant: a packet with a link header has one of 14 bytes; the IP header has no options or extension headers.

use std::net::IpAddr;

use super::packet::{Packet, Transport};
use crate::rule::{Family, Protocol};

/// The headers of a packet as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The Ethernet header, if there is one.
    pub link: Option<[u8; 14]>,
    /// From the IP header on.
    pub network: Vec<u8>,
    /// Where the transport header starts in [`network`](Wire::network).
    pub transport: usize,
    /// The layer-4 protocol.
    pub protocol: Protocol,
    /// Whether it is a fragment but not the first, so that there is data where the transport header would be.
    pub is_later_fragment: bool,
}

/// What the data of a packet is made of; not zero, so that a load from the wrong place is seen.
const FILL: u8 = 0xd7;

impl Wire {
    pub(super) fn new(packet: &Packet) -> Self {
        let mut body = transport(&packet.transport);
        if packet.fragment != 0 {
            body = vec![FILL; body.len().max(8)];
        }
        body.resize(body.len() + usize::from(packet.data), FILL);
        let protocol = packet.protocol();
        let mut network = match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = vec![0x45, packet.tos];
                header.extend(u16::try_from(20 + body.len()).unwrap_or(u16::MAX).to_be_bytes());
                header.extend([0x12, 0x34]);
                header.extend((packet.fragment & 0x1fff).to_be_bytes());
                header.extend([packet.hops, protocol.0, 0, 0]);
                header.extend(source.octets());
                header.extend(destination.octets());
                header
            }
            (source, destination) => {
                let octets = |address: IpAddr| match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                    IpAddr::V6(v6) => v6.octets(),
                };
                let mut header = vec![0x60 | packet.tos >> 4, packet.tos << 4, 0, 0];
                header.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
                header.extend([protocol.0, packet.hops]);
                header.extend(octets(source));
                header.extend(octets(destination));
                header
            }
        };
        let at = network.len();
        network.extend(body);
        let kind: [u8; 2] = match packet.family() {
            Family::Ipv4 => [0x08, 0x00],
            Family::Ipv6 => [0x86, 0xdd],
        };
        let link = packet.mac.map(|[a, b, c, d, e, f]| [2, 0, 0, 0, 0, 0xfe, a, b, c, d, e, f, kind[0], kind[1]]);
        Self { link, network, transport: at, protocol, is_later_fragment: packet.fragment != 0 }
    }
}

fn transport(header: &Transport) -> Vec<u8> {
    match header {
        Transport::Tcp { ports, flags, options } => {
            let mut bytes = Vec::with_capacity(20 + options.len());
            bytes.extend(ports.source.to_be_bytes());
            bytes.extend(ports.destination.to_be_bytes());
            bytes.extend([1, 2, 3, 4, 5, 6, 7, 8]);
            let words = 5 + u8::try_from(options.len().div_ceil(4)).unwrap_or(10).min(10);
            bytes.extend([words << 4, *flags, 0xff, 0xff, 0, 0, 0, 0]);
            bytes.extend(options);
            bytes.resize(usize::from(words) * 4, 0);
            bytes
        }
        Transport::Ports(protocol, ports) => {
            // SCTP and DCCP have twelve bytes at least, the UDPs eight.
            let len = if [Protocol::UDP, Protocol::UDPLITE].contains(protocol) { 8 } else { 12 };
            let mut bytes = Vec::with_capacity(len);
            bytes.extend(ports.source.to_be_bytes());
            bytes.extend(ports.destination.to_be_bytes());
            bytes.resize(len, 0);
            bytes
        }
        Transport::Icmp { kind, code } => vec![*kind, *code, 0, 0, 0, 1, 0, 1],
        Transport::Other(_) => vec![FILL; 8],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::machine::Ports;

    fn bytes(packet: &Packet) -> Vec<u8> {
        packet.wire().network
    }

    #[test]
    fn headers_are_where_the_kernel_looks_for_them() {
        let ports = Ports { source: 0x0102, destination: 0x0304 };
        let v4 = Packet { tos: 0xb8, hops: 9, data: 5, ..Packet::udp([1, 2, 3, 4].into(), [5, 6, 7, 8].into(), ports) };
        let wire = bytes(&v4);
        assert_eq!(wire.len(), 33);
        assert_eq!((wire[1], wire[3], wire[8], wire[9]), (0xb8, 33, 9, 17));
        assert_eq!(wire[12..24], [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4]);
        let v6 = Packet { source: "2001:db8::1".parse().unwrap(), destination: "2001:db8::2".parse().unwrap(), ..v4 };
        let wire = bytes(&v6);
        assert_eq!((wire[0], wire[1], wire[6], wire[7], wire[23], wire[39]), (0x6b, 0x80, 17, 9, 1, 2));
        assert_eq!((v6.wire().transport, wire.len()), (40, 53));
    }

    #[test]
    fn a_later_fragment_has_data_where_the_ports_would_be() {
        let ports = Ports { source: 1, destination: 2 };
        let packet = Packet { fragment: 3, ..Packet::udp([1, 2, 3, 4].into(), [5, 6, 7, 8].into(), ports) };
        let wire = packet.wire();
        assert!(wire.is_later_fragment);
        assert_eq!((wire.network[7], wire.network[20]), (3, FILL));
    }

    #[test]
    fn tcp_options_are_in_the_header() {
        let ports = Ports { source: 1, destination: 2 };
        let mut packet = Packet::tcp([1, 2, 3, 4].into(), [5, 6, 7, 8].into(), ports, 2);
        let Transport::Tcp { options, .. } = &mut packet.transport else { panic!() };
        *options = vec![2, 4, 5, 0xb4, 1];
        let wire = packet.wire().network;
        assert_eq!((wire[32] >> 4, wire[33], wire.len()), (7, 2, 48));
        assert_eq!(wire[40..48], [2, 4, 5, 0xb4, 1, 0, 0, 0]);
    }
}
