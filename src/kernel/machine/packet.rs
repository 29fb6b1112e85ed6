//! A packet and what the kernel knows about it besides its bytes.
//!
//! Owns: everything that a rule of our language can ask of a packet, as typed values; `wire.rs` makes the bytes of them.
//! Never: checks that a packet makes sense: what no network would send may be asked, too.

use std::net::IpAddr;

use super::connection::{Connection, Tracking};
use super::wire::Wire;
use crate::name::{InterfaceName, IpsetName};
use crate::rule::{Family, Protocol};

/// A packet. Build one with [`Packet::udp`] and its like and set what differs from the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Source address. Its family is the packet's.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// What the IP packet carries.
    pub transport: Transport,
    /// Bytes after the transport header.
    pub data: u16,
    /// Hops left: `ttl` or `hop_limit`.
    pub hops: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// IPv4: the offset of a later fragment, in units of eight bytes; 0 for whole packets and first fragments.
    pub fragment: u16,
    /// The device that it came in by.
    pub input: Option<Device>,
    /// The device that it goes out by.
    pub output: Option<Device>,
    /// Source address of the Ethernet header; `None` for packets without one.
    pub mac: Option<[u8; 6]>,
    /// Bridge ports that it came in by and goes out by, when it is bridged.
    pub bridge: Option<(Option<InterfaceName>, Option<InterfaceName>)>,
    /// `PACKET_*`: 0 to this host, 1 broadcast, 2 multicast.
    pub kind: u8,
    /// `skb->mark`.
    pub mark: u32,
    /// `skb->priority`.
    pub priority: u32,
    /// What is attached to it when it comes to the hook.
    pub tracking: Tracking,
    /// The connection that tracking finds or makes for it, where it runs on the way: in PREROUTING and OUTPUT, after
    /// `raw` and before `mangle`. `None`: the packet makes no sense to it.
    pub connection: Option<Box<Connection>>,
    /// The sending socket's owner, for local packets.
    pub owner: Option<Owner>,
    /// What routing says about its addresses.
    pub routes: Routes,
    /// The ipsets of other programs in which it is, whichever of its fields a rule looks up.
    pub ipsets: Vec<IpsetName>,
}

/// Transport headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Ports.
        ports: Ports,
        /// Flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
        flags: u8,
        /// The options as they stand in the header, padded to a multiple of four bytes; 40 at most.
        options: Vec<u8>,
    },
    /// A protocol that starts with two ports: UDP, UDP-Lite, SCTP, DCCP.
    Ports(Protocol, Ports),
    /// ICMP, or ICMPv6 in an IPv6 packet.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Any other protocol, of which only the number is known.
    Other(Protocol),
}

/// Two ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: InterfaceName,
    /// `ARPHRD_*`: 1 Ethernet, 772 loopback.
    pub kind: u16,
}

impl Device {
    /// `ARPHRD_ETHER`.
    pub const ETHERNET: u16 = 1;

    /// An Ethernet device.
    #[must_use]
    pub fn ethernet(name: InterfaceName) -> Self {
        Self { name, kind: Self::ETHERNET }
    }
}

/// Who owns the socket that a local packet comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What routing lookups about a packet's addresses give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routes {
    /// `RTN_*` of the source.
    pub source: u8,
    /// `RTN_*` of the destination.
    pub destination: u8,
    /// Answers to the source would leave by the device that the packet came in by.
    pub back_by_input: bool,
    /// There is a way back to the source by some device.
    pub back: bool,
}

impl Default for Routes {
    /// Unicast to this host, with a way back.
    fn default() -> Self {
        Self { source: 1, destination: 2, back_by_input: true, back: true }
    }
}

impl Packet {
    /// A packet with this transport header.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, transport: Transport) -> Self {
        Self {
            source,
            destination,
            transport,
            data: 0,
            hops: 64,
            tos: 0,
            fragment: 0,
            input: None,
            output: None,
            mac: None,
            bridge: None,
            kind: 0,
            mark: 0,
            priority: 0,
            tracking: Tracking::None,
            connection: None,
            owner: None,
            routes: Routes::default(),
            ipsets: Vec::new(),
        }
    }

    /// A UDP datagram.
    #[must_use]
    pub fn udp(source: IpAddr, destination: IpAddr, ports: Ports) -> Self {
        Self::new(source, destination, Transport::Ports(Protocol::UDP, ports))
    }

    /// A TCP segment with these flags.
    #[must_use]
    pub fn tcp(source: IpAddr, destination: IpAddr, ports: Ports, flags: u8) -> Self {
        Self::new(source, destination, Transport::Tcp { ports, flags, options: Vec::new() })
    }

    /// An ICMP message.
    #[must_use]
    pub fn icmp(source: IpAddr, destination: IpAddr, kind: u8, code: u8) -> Self {
        Self::new(source, destination, Transport::Icmp { kind, code })
    }

    /// Came in by this device.
    #[must_use]
    pub fn from_device(self, device: Device) -> Self {
        Self { input: Some(device), ..self }
    }

    /// Goes out by this device.
    #[must_use]
    pub fn to_device(self, device: Device) -> Self {
        Self { output: Some(device), ..self }
    }

    /// Its family.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// The layer-4 protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match (&self.transport, self.family()) {
            (Transport::Tcp { .. }, _) => Protocol::TCP,
            (Transport::Ports(protocol, _) | Transport::Other(protocol), _) => *protocol,
            (Transport::Icmp { .. }, Family::Ipv4) => Protocol::ICMP,
            (Transport::Icmp { .. }, Family::Ipv6) => Protocol::ICMPV6,
        }
    }

    /// The ports, of a protocol that has them.
    #[must_use]
    pub fn ports(&self) -> Option<Ports> {
        match self.transport {
            Transport::Tcp { ports, .. } | Transport::Ports(_, ports) => Some(ports),
            Transport::Icmp { .. } | Transport::Other(_) => None,
        }
    }

    /// The bytes that payload loads read.
    #[must_use]
    pub fn wire(&self) -> Wire {
        Wire::new(self)
    }
}
