//! The messages of the ipset protocol.
//!
//! Numbers have [`NET`] set in their type, which the kernel asks for (`ip_set_attr_netorder`).

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{Content, Family, Form, Order};
use crate::name::IpsetName;
use crate::netlink::attr::{Attr, AttrError, Reader, Writer};
use crate::netlink::header::FamilyHeader;
use crate::netlink::message::{self, Message, MessageError};

const NFNL_SUBSYS_IPSET: u8 = 6;
/// `IPSET_PROTOCOL_MIN`, which every kernel speaks.
const PROTOCOL: u8 = 6;

const IPSET_CMD_CREATE: u8 = 2;
const IPSET_CMD_DESTROY: u8 = 3;
const IPSET_CMD_SWAP: u8 = 6;
const IPSET_CMD_LIST: u8 = 7;
const IPSET_CMD_ADD: u8 = 9;
const IPSET_CMD_DEL: u8 = 10;

const IPSET_ATTR_PROTOCOL: u16 = 1;
const IPSET_ATTR_SETNAME: u16 = 2;
const IPSET_ATTR_TYPENAME: u16 = 3;
const IPSET_ATTR_SETNAME2: u16 = IPSET_ATTR_TYPENAME;
const IPSET_ATTR_REVISION: u16 = 4;
const IPSET_ATTR_FAMILY: u16 = 5;
const IPSET_ATTR_DATA: u16 = 7;
const IPSET_ATTR_ADT: u16 = 8;
const IPSET_ATTR_LINENO: u16 = 9;
// Within a nest of data.
const IPSET_ATTR_IP: u16 = 1;
const IPSET_ATTR_CIDR: u16 = 3;
const IPSET_ATTR_CADT_FLAGS: u16 = 8;
const IPSET_ATTR_MAXELEM: u16 = 19;
// Within an address.
const IPSET_ATTR_IPADDR_IPV4: u16 = 1;
const IPSET_ATTR_IPADDR_IPV6: u16 = 2;

/// `IPSET_FLAG_NOMATCH`, in the flags of a member.
const FLAG_NOMATCH: u32 = 1 << 2;

/// `NLA_F_NET_BYTEORDER`.
const NET: u16 = 1 << 14;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
/// `NLM_F_CREATE | NLM_F_EXCL`: a set that is there is an error.
const CREATE_NEW: u16 = 0x600;

/// What asks for one set with its members.
pub(super) fn list(set: &IpsetName, seq: u32) -> Result<Vec<u8>, MessageError> {
    append(IPSET_CMD_LIST, REQUEST | ACK | DUMP, set, seq, Family::Ipv4, |_| {})
}

/// An order without members.
pub(super) fn order(order: &Order, seq: u32) -> Result<Vec<u8>, MessageError> {
    let set = order.set();
    let flags = REQUEST | ACK;
    match order {
        Order::Create(_, form) => {
            append(IPSET_CMD_CREATE, flags | CREATE_NEW, set, seq, form.family, |w| create(form, w))
        }
        Order::Swap(_, other) => append(IPSET_CMD_SWAP, flags, set, seq, Family::Ipv4, |w| {
            w.string(IPSET_ATTR_SETNAME2, other.as_str());
        }),
        Order::Destroy(_) => append(IPSET_CMD_DESTROY, flags, set, seq, Family::Ipv4, |_| {}),
        Order::Add(_, list) => members(true, set, list, seq),
        Order::Delete(_, list) => members(false, set, list, seq),
    }
}

fn create(form: &Form, w: &mut Writer<'_>) {
    w.string(IPSET_ATTR_TYPENAME, form.kind.name());
    w.u8(IPSET_ATTR_REVISION, form.kind.revision());
    w.u8(IPSET_ATTR_FAMILY, form.family.number());
    w.nest(IPSET_ATTR_DATA, |w| w.u32_be(IPSET_ATTR_MAXELEM | NET, form.maxelem));
}

/// Members to be added or deleted. Without `NLM_F_EXCL` it is no error that they are there, or not there.
pub(super) fn members(add: bool, set: &IpsetName, list: &[IpNetwork], seq: u32) -> Result<Vec<u8>, MessageError> {
    let command = if add { IPSET_CMD_ADD } else { IPSET_CMD_DEL };
    let family = if list.first().is_some_and(IpNetwork::is_ipv6) { Family::Ipv6 } else { Family::Ipv4 };
    append(command, REQUEST | ACK, set, seq, family, |w| {
        // A list needs it; it would say which member is refused.
        w.u32_be(IPSET_ATTR_LINENO | NET, 0);
        w.nest(IPSET_ATTR_ADT, |w| {
            for network in list {
                w.nest(IPSET_ATTR_DATA, |w| member(*network, w));
            }
        });
    })
}

fn member(network: IpNetwork, w: &mut Writer<'_>) {
    w.nest(IPSET_ATTR_IP, |w| match network.ip() {
        IpAddr::V4(ip) => w.bytes(IPSET_ATTR_IPADDR_IPV4 | NET, &ip.octets()),
        IpAddr::V6(ip) => w.bytes(IPSET_ATTR_IPADDR_IPV6 | NET, &ip.octets()),
    });
    let host = if network.is_ipv4() { 32 } else { 128 };
    if network.prefix() < host {
        w.u8(IPSET_ATTR_CIDR, network.prefix());
    }
}

fn append(
    command: u8,
    flags: u16,
    set: &IpsetName,
    seq: u32,
    family: Family,
    fill: impl FnOnce(&mut Writer<'_>),
) -> Result<Vec<u8>, MessageError> {
    let mut bytes = Vec::new();
    let kind = u16::from_be_bytes([NFNL_SUBSYS_IPSET, command]);
    message::append(&mut bytes, kind, flags, seq, FamilyHeader::new(family.number()), |w| {
        w.u8(IPSET_ATTR_PROTOCOL, PROTOCOL);
        w.string(IPSET_ATTR_SETNAME, set.as_str());
        fill(w);
    })?;
    Ok(bytes)
}

/// A part of a listing: the first has what the set is, and each has members.
pub(super) fn decode(message: &Message<'_>) -> Result<Content, MessageError> {
    let mut content = Content::default();
    for attr in message.family()?.1 {
        let attr = attr?;
        match attr.kind {
            IPSET_ATTR_TYPENAME => content.type_name = attr.string()?.into_owned(),
            IPSET_ATTR_FAMILY => content.family = Family::of(attr.u8()?),
            IPSET_ATTR_DATA => {
                for attr in attr.attrs() {
                    let attr = attr?;
                    if attr.kind == IPSET_ATTR_MAXELEM {
                        content.maxelem = Some(attr.u32_be()?);
                    }
                }
            }
            IPSET_ATTR_ADT => {
                for attr in attr.attrs() {
                    decode_member(attr?.attrs(), &mut content)?;
                }
            }
            _ => {}
        }
    }
    Ok(content)
}

fn decode_member(attributes: Reader<'_>, content: &mut Content) -> Result<(), MessageError> {
    let (mut ip, mut cidr, mut excluded) = (None, None, false);
    for attr in attributes {
        let attr = attr?;
        match attr.kind {
            IPSET_ATTR_IP => ip = decode_address(attr)?,
            IPSET_ATTR_CIDR => cidr = Some(attr.u8()?),
            IPSET_ATTR_CADT_FLAGS => excluded = attr.u32_be()? & FLAG_NOMATCH != 0,
            _ => {}
        }
    }
    let Some(ip) = ip else { return Ok(()) };
    let cidr = cidr.unwrap_or(if ip.is_ipv4() { 32 } else { 128 });
    if let Ok(network) = IpNetwork::new(ip, cidr) {
        if excluded { content.exceptions.push(network) } else { content.members.push(network) }
    }
    Ok(())
}

fn decode_address(attr: Attr<'_>) -> Result<Option<IpAddr>, AttrError> {
    for attr in attr.attrs() {
        let attr = attr?;
        let bad = |want| AttrError::BadSize { kind: attr.kind, want, got: attr.payload.len() };
        match attr.kind {
            IPSET_ATTR_IPADDR_IPV4 => {
                return Ok(Some(<[u8; 4]>::try_from(attr.payload).map_err(|_| bad(4))?.into()));
            }
            IPSET_ATTR_IPADDR_IPV6 => {
                return Ok(Some(<[u8; 16]>::try_from(attr.payload).map_err(|_| bad(16))?.into()));
            }
            _ => {}
        }
    }
    Ok(None)
}
