//! As much of a DHCP client as it takes to be given an address (RFC 2131), over plain sockets: replies are broadcast.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use nftwrap::name::MacAddress;
use nftwrap::netlink::namespace::Namespace;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

const MAGIC: [u8; 4] = [99, 130, 83, 99];
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    pub(crate) server: Ipv4Addr,
    pub(crate) router: Option<Ipv4Addr>,
    pub(crate) mask: Option<Ipv4Addr>,
    pub(crate) domain: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) seconds: u32,
}

pub(crate) struct Client {
    socket: UdpSocket,
}

impl Client {
    pub(crate) fn new(namespace: &Namespace, device: &str) -> Self {
        let socket = namespace
            .run(|| {
                let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
                socket.set_broadcast(true).unwrap();
                socket.bind_device(Some(device.as_bytes())).unwrap();
                socket.bind(&SockAddr::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68))).unwrap();
                socket
            })
            .unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        Self { socket: socket.into() }
    }

    /// The address of this guest; `None` when no server offers one in this time.
    pub(crate) fn ask(&self, mac: MacAddress, patience: Duration) -> Option<Lease> {
        let offer = self.exchange(mac, DISCOVER, &[], OFFER, patience)?;
        let mut wanted = vec![50, 4];
        wanted.extend(offer.address.octets());
        wanted.extend([54, 4]);
        wanted.extend(offer.server.octets());
        let lease = self.exchange(mac, REQUEST, &wanted, ACK, patience)?;
        assert_eq!(lease.address, offer.address);
        Some(lease)
    }

    fn exchange(&self, mac: MacAddress, kind: u8, more: &[u8], answer: u8, patience: Duration) -> Option<Lease> {
        let mut packet = vec![1, 1, 6, 0];
        packet.extend([0x12, 0x34, kind, mac.octets()[5]]);
        packet.extend([0, 0, 0x80, 0]);
        packet.extend([0; 16]);
        packet.extend(mac.octets());
        packet.resize(236, 0);
        packet.extend(MAGIC);
        packet.extend([53, 1, kind, 55, 6, 1, 3, 6, 12, 15, 51]);
        packet.extend(more);
        packet.push(255);
        let end = Instant::now() + patience;
        while Instant::now() < end {
            self.socket.send_to(&packet, (Ipv4Addr::BROADCAST, 67)).unwrap();
            while let Some(reply) = self.receive() {
                let own = reply.get(4..8) == packet.get(4..8) && reply.get(28..34) == Some(&mac.octets());
                if let Some(lease) = parse(&reply, answer).filter(|_| own) {
                    return Some(lease);
                }
            }
        }
        None
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let len = self.socket.recv(&mut buffer).ok()?;
        Some(buffer[..len].to_vec())
    }
}

/// The options of a reply, when it is of this kind.
fn parse(reply: &[u8], kind: u8) -> Option<Lease> {
    let address = |bytes: &[u8]| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let mut lease = Lease {
        address: address(&reply[16..])?,
        server: Ipv4Addr::UNSPECIFIED,
        router: None,
        mask: None,
        domain: None,
        name: None,
        seconds: 0,
    };
    let mut kind_seen = None;
    let mut rest = reply.get(236..)?.strip_prefix(&MAGIC)?;
    while let [code, after @ ..] = rest {
        match code {
            0 => {
                rest = after;
                continue;
            }
            255 => break,
            _ => {}
        }
        let len = usize::from(*after.first()?);
        let value = after.get(1..=len)?;
        match code {
            1 => lease.mask = address(value),
            3 => lease.router = address(value),
            12 => lease.name = text(value),
            15 => lease.domain = text(value),
            51 => lease.seconds = u32::from_be_bytes(value.try_into().ok()?),
            53 => kind_seen = value.first().copied(),
            54 => lease.server = address(value)?,
            _ => {}
        }
        rest = &after[1 + len..];
    }
    (kind_seen == Some(kind)).then_some(lease)
}
