//! Expressions that load something about the packet into a register.
//!
//! Owns: payload, meta, ct, fib and TCP option loads.
//!
//! Where the truth is: `nft_payload.c` with `nft_payload_fast_eval` (`nf_tables_core.c`), `nft_meta.c`, `nft_ct.c`,
//! `nft_fib.c`, `nft_exthdr.c` (Linux v6.12).

use std::net::IpAddr;

use super::connection::Tuple;
use super::outcome::{Error, Way};
use super::packet::{Device, Packet};
use super::wire::Wire;
use crate::nft;
use crate::nft::expr::{CtDirection, CtKey, Exthdr, ExthdrOp, FibFlags, FibResult, MetaKey, PayloadBase};
use crate::rule::{Family, Protocol, matches};

/// What a load gives: bytes for the register, or `None` when it ends the rule (`NFT_BREAK`).
pub(super) type Loaded = Result<Option<Vec<u8>>, Error>;

/// Packet bytes.
pub(super) fn payload(wire: &Wire, base: PayloadBase, offset: u32, len: u32) -> Loaded {
    let (offset, len) = (offset as usize, len as usize);
    let bytes = match base {
        PayloadBase::Link => wire.link.as_ref().and_then(|link| {
            // What stands after the Ethernet header is the network header.
            let mut all = link.to_vec();
            all.extend(&wire.network);
            all.get(offset..offset + len).map(<[u8]>::to_vec)
        }),
        PayloadBase::Network => wire.network.get(offset..offset + len).map(<[u8]>::to_vec),
        PayloadBase::Transport => {
            // The fast path does not ask whether it is a fragment.
            let fast = matches!(len, 1 | 2 | 4) && offset.is_multiple_of(len);
            let start = wire.transport + offset;
            if wire.is_later_fragment && !fast {
                None
            } else {
                wire.network.get(start..start + len).map(<[u8]>::to_vec)
            }
        }
        PayloadBase::Inner => return Err(Error::unknown("payload", "inner headers are not known here")),
    };
    Ok(bytes)
}

/// Meta data.
pub(super) fn meta(key: MetaKey, packet: &Packet, way: &Way, wire: &Wire) -> Loaded {
    let name = |device: &Option<Device>| {
        let mut bytes = vec![0; 16];
        let name = device.as_ref().map(|device| device.name.as_str()).unwrap_or_default();
        bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        bytes
    };
    let kind = |device: &Option<Device>| device.as_ref().map(|device| device.kind.to_ne_bytes().to_vec());
    Ok(match key {
        MetaKey::LEN => Some(u32::try_from(wire.network.len()).unwrap_or(u32::MAX).to_ne_bytes().to_vec()),
        MetaKey::PROTOCOL => Some(match packet.family() {
            Family::Ipv4 => vec![0x08, 0x00],
            Family::Ipv6 => vec![0x86, 0xdd],
        }),
        MetaKey::NFPROTO => Some(vec![nft::Family::from(packet.family()).nfproto()]),
        MetaKey::L4PROTO => Some(vec![wire.protocol.0]),
        MetaKey::PRIORITY => Some(way.priority.to_ne_bytes().to_vec()),
        MetaKey::MARK => Some(way.mark.to_ne_bytes().to_vec()),
        MetaKey::IIFNAME => Some(name(&packet.input)),
        MetaKey::OIFNAME => Some(name(&packet.output)),
        MetaKey::IIFTYPE => kind(&packet.input),
        MetaKey::OIFTYPE => kind(&packet.output),
        MetaKey::SKUID => packet.owner.as_ref().map(|owner| owner.uid.to_ne_bytes().to_vec()),
        MetaKey::SKGID => packet.owner.as_ref().map(|owner| owner.gid.to_ne_bytes().to_vec()),
        MetaKey::PKTTYPE => Some(vec![packet.kind]),
        MetaKey(number) => return Err(Error::unknown(format!("meta key {number}"), "it is not known here")),
    })
}

/// Connection tracking data.
pub(super) fn ct(key: CtKey, direction: Option<CtDirection>, packet: &Packet, way: &Way) -> Loaded {
    if key == CtKey::STATE {
        return Ok(Some(u32::from(way.tracking.state().bits()).to_ne_bytes().to_vec()));
    }
    let known = [
        CtKey::DIRECTION,
        CtKey::STATUS,
        CtKey::MARK,
        CtKey::EXPIRATION,
        CtKey::PROTOCOL,
        CtKey::L3PROTOCOL,
        CtKey::PROTO_SRC,
        CtKey::PROTO_DST,
        CtKey::SRC_IP,
        CtKey::DST_IP,
        CtKey::SRC_IP6,
        CtKey::DST_IP6,
    ];
    if !known.contains(&key) {
        return Err(Error::unknown(format!("ct key {}", key.0), "it is not known here"));
    }
    // A template is no connection here.
    let Some(connection) = way.tracking.connection() else { return Ok(None) };
    let tuple: &Tuple = match direction {
        Some(CtDirection::Reply) => &connection.reply,
        Some(CtDirection::Original) | None => &connection.original,
    };
    let address = |address: IpAddr, family| match (address, family) {
        (IpAddr::V4(v4), Family::Ipv4) => Some(v4.octets().to_vec()),
        (IpAddr::V6(v6), Family::Ipv6) => Some(v6.octets().to_vec()),
        _ => None,
    };
    Ok(match key {
        CtKey::DIRECTION => Some(vec![u8::from(connection.direction == matches::CtDirection::Reply)]),
        CtKey::STATUS => Some(connection.status.to_ne_bytes().to_vec()),
        CtKey::MARK => Some(connection.mark.to_ne_bytes().to_vec()),
        CtKey::EXPIRATION => Some(connection.expires.to_ne_bytes().to_vec()),
        CtKey::PROTOCOL => Some(vec![connection.protocol.0]),
        CtKey::L3PROTOCOL => Some(vec![nft::Family::from(packet.family()).nfproto()]),
        CtKey::PROTO_SRC => Some(tuple.source_port.to_be_bytes().to_vec()),
        CtKey::PROTO_DST => Some(tuple.destination_port.to_be_bytes().to_vec()),
        CtKey::SRC_IP => address(tuple.source, Family::Ipv4),
        CtKey::DST_IP => address(tuple.destination, Family::Ipv4),
        CtKey::SRC_IP6 => address(tuple.source, Family::Ipv6),
        CtKey::DST_IP6 => address(tuple.destination, Family::Ipv6),
        _ => None,
    })
}

/// A routing lookup.
pub(super) fn fib(result: FibResult, flags: FibFlags, packet: &Packet) -> Loaded {
    let routes = packet.routes;
    let back = FibFlags::SADDR | FibFlags::IIF | FibFlags::MARK;
    let number: u32 = match (result, flags) {
        (FibResult::AddrType, FibFlags::SADDR) if packet.family() == Family::Ipv4 => routes.source.into(),
        (FibResult::AddrType, FibFlags::DADDR) if packet.family() == Family::Ipv4 => routes.destination.into(),
        // Any interface but none, which is 0.
        (FibResult::Oif, flags) if flags.contains(FibFlags::SADDR) && back.contains(flags) => {
            u32::from(if flags.contains(FibFlags::IIF) { routes.back_by_input } else { routes.back }) * 7
        }
        _ => return Err(Error::unknown("fib", "such a lookup is not known here")),
    };
    Ok(Some(number.to_ne_bytes().to_vec()))
}

/// A TCP option, or whether it is there.
pub(super) fn option(load: &Exthdr, wire: &Wire) -> Loaded {
    let Exthdr::Load { kind, offset, len, op: ExthdrOp::TcpOpt, present, .. } = *load else {
        return Err(Error::unknown("exthdr", "only loads of TCP options are known here"));
    };
    let (offset, len) = (offset as usize, len as usize);
    let missing = present.then(|| vec![0]);
    if wire.protocol != Protocol::TCP || wire.is_later_fragment {
        return Ok(missing);
    }
    let tcp = wire.network.get(wire.transport..).unwrap_or_default();
    let end = usize::from(tcp.get(12).copied().unwrap_or(0) >> 4) * 4;
    let mut at = 20;
    // The last byte of the header is not looked at.
    while at + 1 < end {
        let found = tcp.get(at).copied().unwrap_or(0);
        let size = match tcp.get(at + 1).copied().unwrap_or(0) {
            0 => 1,
            _ if found <= 1 => 1,
            size => usize::from(size),
        };
        if found == kind {
            if at + size > end || len + offset > size {
                break;
            }
            let bytes = tcp.get(at + offset..at + offset + len);
            return Ok(if present { Some(vec![1]) } else { bytes.map(<[u8]>::to_vec) });
        }
        at += size;
    }
    Ok(missing)
}
