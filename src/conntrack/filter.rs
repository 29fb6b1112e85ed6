//! Which entries are meant.
//!
//! Owns: the conditions, all of which have to hold.
//! Never: leaves a condition to the kernel alone: kernels pass over attributes that they do not know.

use std::collections::HashMap;
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

/// Many filters, found by an address of an entry: most say one that a connection has to have, so that a look at a table costs its
/// entries and not these times the filters.
#[derive(Debug)]
pub(super) struct AnyOf<'a> {
    by_reply_source: HashMap<IpAddr, Vec<&'a Filter>>,
    by_source: HashMap<IpAddr, Vec<&'a Filter>>,
    by_destination: HashMap<IpAddr, Vec<&'a Filter>>,
    rest: Vec<&'a Filter>,
}

impl<'a> AnyOf<'a> {
    pub(super) fn new(filters: &'a [Filter]) -> Self {
        let (by_source, by_destination) = (HashMap::new(), HashMap::new());
        let mut any = Self { by_reply_source: HashMap::new(), by_source, by_destination, rest: Vec::new() };
        for filter in filters {
            let place = if let Some(address) = host(filter.reply.source) {
                any.by_reply_source.entry(address).or_default()
            } else if let Some(address) = host(filter.original.source) {
                any.by_source.entry(address).or_default()
            } else if let Some(address) = host(filter.original.destination) {
                any.by_destination.entry(address).or_default()
            } else {
                &mut any.rest
            };
            place.push(filter);
        }
        any
    }

    /// Whether one of them takes the entry.
    pub(super) fn take(&self, entry: &Entry) -> bool {
        let places = [
            self.by_reply_source.get(&entry.reply.source),
            self.by_source.get(&entry.original.source),
            self.by_destination.get(&entry.original.destination),
            Some(&self.rest),
        ];
        places.into_iter().flatten().flatten().any(|filter| filter.takes(entry))
    }
}

/// The address of a network that is one host.
fn host(network: Option<IpNetwork>) -> Option<IpAddr> {
    let network = network?;
    let bits = if network.is_ipv4() { 32 } else { 128 };
    (network.prefix() == bits).then_some(network.ip())
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
