//! One entry: two tuples, and what names it in the kernel.
//!
//! Owns: the attributes `CTA_*` as a value.
//! Never: builds a tuple: what the kernel sent is what names an entry to it, protocols that are not known here included.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::netlink::attr::{Attr, AttrError, Reader, Writer, required};
use crate::netlink::family::Family;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_TIMEOUT: u16 = 7;
const CTA_MARK: u16 = 8;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;

const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_TUPLE_ZONE: u16 = 3;

const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;

const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_PROTO_ICMP_ID: u16 = 4;
const CTA_PROTO_ICMP_TYPE: u16 = 5;
const CTA_PROTO_ICMP_CODE: u16 = 6;
const CTA_PROTO_ICMPV6_ID: u16 = 7;
const CTA_PROTO_ICMPV6_TYPE: u16 = 8;
const CTA_PROTO_ICMPV6_CODE: u16 = 9;

/// A way of a connection's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// As the first packet went.
    Original,
    /// As answers go.
    Reply,
}

/// What the packets of one direction have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The protocol's number.
    pub protocol: u8,
    /// The source port, of protocols that have ports.
    pub source_port: Option<u16>,
    /// The destination port.
    pub destination_port: Option<u16>,
    /// What ICMP has in their place.
    pub icmp: Option<Icmp>,
}

/// What tells ICMP exchanges apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Icmp {
    /// The identifier.
    pub id: u16,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The way that the first packet went.
    pub original: Tuple,
    /// The way that answers go; where it is not the reverse of the original, addresses or ports are translated.
    pub reply: Tuple,
    /// The zone, 0 if none was given.
    pub zone: u16,
    /// The one direction that is in the zone; `None` when both are.
    pub zone_direction: Option<Direction>,
    /// The mark.
    pub mark: u32,
    /// `CTA_STATUS`: bits `IPS_*`.
    pub status: u32,
    /// Seconds that it stays when no more packets come; `None` for one that does not go by itself.
    pub timeout: Option<u32>,
    /// The number that no other entry has as long as this one is there.
    pub id: Option<u32>,
    /// `CTA_TUPLE_ORIG` as the kernel sent it.
    key: Box<[u8]>,
}

impl Entry {
    /// The family.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.original.source)
    }

    /// Reads the attributes of a message about an entry; `None` when it is of a family without addresses.
    pub(super) fn decode(family: u8, attributes: Reader<'_>) -> Result<Option<Self>, AttrError> {
        if Family::from_number(family).is_none() {
            return Ok(None);
        }
        let (mut original, mut reply, mut zone) = (None, None, None);
        let (mut mark, mut status, mut timeout, mut id) = (0, 0, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                CTA_TUPLE_ORIG => original = Some((tuple(&attribute)?, attribute.payload)),
                CTA_TUPLE_REPLY => reply = Some(tuple(&attribute)?),
                CTA_STATUS => status = attribute.u32_be()?,
                CTA_TIMEOUT => timeout = Some(attribute.u32_be()?),
                CTA_MARK => mark = attribute.u32_be()?,
                CTA_ID => id = Some(attribute.u32_be()?),
                CTA_ZONE => zone = Some(attribute.u16_be()?),
                _ => {}
            }
        }
        let ((original, original_zone), key) = required(original, CTA_TUPLE_ORIG, "CTA_TUPLE_ORIG")?;
        let (reply, reply_zone) = required(reply, CTA_TUPLE_REPLY, "CTA_TUPLE_REPLY")?;
        let (zone, zone_direction) = match (zone, original_zone, reply_zone) {
            (Some(zone), _, _) => (zone, None),
            (None, Some(zone), _) => (zone, Some(Direction::Original)),
            (None, None, Some(zone)) => (zone, Some(Direction::Reply)),
            (None, None, None) => (0, None),
        };
        Ok(Some(Self { original, reply, zone, zone_direction, mark, status, timeout, id, key: key.into() }))
    }

    /// Writes what names this entry and no other.
    pub(super) fn encode_key(&self, w: &mut Writer<'_>) {
        w.nest(CTA_TUPLE_ORIG, |w| w.raw(&self.key));
        if self.zone != 0 && self.zone_direction.is_none() {
            w.u16_be(CTA_ZONE, self.zone);
        }
        if let Some(id) = self.id {
            w.u32_be(CTA_ID, id);
        }
    }
}

/// A tuple, and its zone if it has one of its own.
fn tuple(attribute: &Attr<'_>) -> Result<(Tuple, Option<u16>), AttrError> {
    let (mut ip, mut protocol, mut zone) = (None, None, None);
    for attribute in attribute.attrs() {
        let attribute = attribute?;
        match attribute.kind {
            CTA_TUPLE_IP => ip = Some(attribute.attrs()),
            CTA_TUPLE_PROTO => protocol = Some(attribute.attrs()),
            CTA_TUPLE_ZONE => zone = Some(attribute.u16_be()?),
            _ => {}
        }
    }
    let (source, destination) = addresses(required(ip, CTA_TUPLE_IP, "CTA_TUPLE_IP")?)?;
    let unspecified = Tuple { source, destination, protocol: 0, source_port: None, destination_port: None, icmp: None };
    let mut tuple = unspecified;
    for attribute in required(protocol, CTA_TUPLE_PROTO, "CTA_TUPLE_PROTO")? {
        let attribute = attribute?;
        let icmp = || tuple.icmp.unwrap_or_default();
        match attribute.kind {
            CTA_PROTO_NUM => tuple.protocol = attribute.u8()?,
            CTA_PROTO_SRC_PORT => tuple.source_port = Some(attribute.u16_be()?),
            CTA_PROTO_DST_PORT => tuple.destination_port = Some(attribute.u16_be()?),
            CTA_PROTO_ICMP_ID | CTA_PROTO_ICMPV6_ID => tuple.icmp = Some(Icmp { id: attribute.u16_be()?, ..icmp() }),
            CTA_PROTO_ICMP_TYPE | CTA_PROTO_ICMPV6_TYPE => tuple.icmp = Some(Icmp { kind: attribute.u8()?, ..icmp() }),
            CTA_PROTO_ICMP_CODE | CTA_PROTO_ICMPV6_CODE => tuple.icmp = Some(Icmp { code: attribute.u8()?, ..icmp() }),
            _ => {}
        }
    }
    Ok((tuple, zone))
}

fn addresses(attributes: Reader<'_>) -> Result<(IpAddr, IpAddr), AttrError> {
    let (mut source, mut destination) = (None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            CTA_IP_V4_SRC | CTA_IP_V6_SRC => source = Some(address(&attribute)?),
            CTA_IP_V4_DST | CTA_IP_V6_DST => destination = Some(address(&attribute)?),
            _ => {}
        }
    }
    let source = required(source, CTA_IP_V4_SRC, "CTA_IP_V4_SRC")?;
    Ok((source, required(destination, CTA_IP_V4_DST, "CTA_IP_V4_DST")?))
}

fn address(attribute: &Attr<'_>) -> Result<IpAddr, AttrError> {
    if let Ok(v4) = <[u8; 4]>::try_from(attribute.payload) {
        return Ok(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(attribute.payload);
    let bad = |_| AttrError::BadSize { kind: attribute.kind, want: 16, got: attribute.payload.len() };
    Ok(Ipv6Addr::from(v6.map_err(bad)?).into())
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, source_port, destination_port, .. } = self;
        write!(f, "src={source} dst={destination}")?;
        if let Some(port) = source_port {
            write!(f, " sport={port}")?;
        }
        destination_port.map_or(Ok(()), |port| write!(f, " dport={port}"))?;
        self.icmp.map_or(Ok(()), |icmp| write!(f, " type={} code={} id={}", icmp.kind, icmp.code, icmp.id))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol {} {} {}", self.original.protocol, self.original, self.reply)?;
        if self.zone != 0 {
            write!(f, " zone={}", self.zone)?;
        }
        Ok(())
    }
}
