//! Which entries are meant.
//!
//! Owns: the conditions, all of which have to hold.
//! Never: leaves a condition to the kernel alone: kernels pass over attributes that they do not know.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::entry::{Entry, Tuple};
use crate::netlink::family::Family;

/// Conditions on entries; one that is `None` takes all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// The family.
    pub family: Option<Family>,
    /// The zone; 0 is that of all connections that were given none.
    pub zone: Option<u16>,
    /// The protocol's number: 6 for TCP, 17 for UDP.
    pub protocol: Option<u8>,
    /// The way that the first packet went.
    pub original: Ends,
    /// The way that answers go.
    pub reply: Ends,
    /// The mark.
    pub mark: Option<Mark>,
}

/// Conditions on one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ends {
    /// The source address, or a network that it is in.
    pub source: Option<IpNetwork>,
    /// The destination address, or a network that it is in.
    pub destination: Option<IpNetwork>,
    /// The source port; a protocol without ports has none.
    pub source_port: Option<u16>,
    /// The destination port.
    pub destination_port: Option<u16>,
}

/// A mark and the bits of it that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The mark.
    pub value: u32,
    /// The bits that count.
    pub mask: u32,
}

impl Filter {
    /// Entries whose answers come from this address.
    #[must_use]
    pub fn answers_from(address: IpAddr) -> Self {
        let reply = Ends { source: Some(address.into()), ..Ends::default() };
        Self { family: Some(Family::of(address)), reply, ..Self::default() }
    }

    /// Whether all conditions hold.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        let Self { family, zone, protocol, original, reply, mark } = self;
        family.is_none_or(|family| family == entry.family())
            && zone.is_none_or(|zone| zone == entry.zone)
            && protocol.is_none_or(|protocol| protocol == entry.original.protocol)
            && mark.is_none_or(|Mark { value, mask }| entry.mark & mask == value & mask)
            && original.take(&entry.original)
            && reply.take(&entry.reply)
    }
}

impl Ends {
    fn take(&self, tuple: &Tuple) -> bool {
        let Self { source, destination, source_port, destination_port } = self;
        source.is_none_or(|source| source.contains(tuple.source))
            && destination.is_none_or(|destination| destination.contains(tuple.destination))
            && (source_port.is_none() || *source_port == tuple.source_port)
            && (destination_port.is_none() || *destination_port == tuple.destination_port)
    }
}
