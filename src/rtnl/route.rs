//! Routes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bitflags::bitflags;
use ipnetwork::IpNetwork;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::{RtAddrFamily, RtScope, RtTable, Rta, Rtm, RtmF, Rtn, Rtprot};
use neli::rtnl::{Rtmsg, RtmsgBuilder};

use super::address::Scope;
use super::attr::{BadPayload, RawAttribute, Received, Writer, parse, received};
use super::{Doing, Error, Family, Rtnl};

/// Attribute types that neli has for some C libraries only.
const RTA_VIA: u16 = 18;
const RTA_EXPIRES: u16 = 23;
const RTA_PAD: u16 = 24;
/// A nexthop object (since Linux 5.3).
const RTA_NH_ID: u16 = 30;
/// Hundredths of a second, in which the kernel shows times to programs (`USER_HZ`).
const USER_HZ: u32 = 100;

/// What a route does with a packet: `RTN_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteKind(pub u8);

impl RouteKind {
    /// Sends it on.
    pub const UNICAST: Self = Self(1);
    /// Takes it.
    pub const LOCAL: Self = Self(2);
    /// Drops it without a word.
    pub const BLACKHOLE: Self = Self(6);
    /// Says that its destination is unreachable.
    pub const UNREACHABLE: Self = Self(7);
}

bitflags! {
    /// `RTNH_F_*`. Bits that this version does not know are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct HopFlags: u32 {
        /// Not usable.
        const DEAD = 0x01;
        /// No further lookup of the gateway.
        const PERVASIVE = 0x02;
        /// The gateway is on the wire, whatever its address.
        const ONLINK = 0x04;
        /// In hardware.
        const OFFLOAD = 0x08;
        /// The device has no carrier.
        const LINKDOWN = 0x10;
        const _ = !0;
    }
}

impl HopFlags {
    /// What can be asked for; all else is a condition.
    const ASKED: Self = Self::ONLINK.union(Self::PERVASIVE);
}

/// One of the ways of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The device, by its index.
    pub link: Option<u32>,
    /// The next router; `None` when the destination is on the wire. One of the other family comes as `RTA_VIA` in
    /// [`other`](Hop::other).
    pub gateway: Option<IpAddr>,
    /// Its share of the traffic beside other ways, from 1 to 256.
    pub weight: u16,
    /// What is asked for and what the kernel states; only the former is sent.
    pub flags: HopFlags,
    /// Attributes that this version does not know: tunnels, realms.
    pub other: Vec<RawAttribute>,
}

impl Hop {
    /// Whether it leads to a router.
    #[must_use]
    pub fn has_gateway(&self) -> bool {
        self.gateway.is_some() || self.other.iter().any(|a| a.kind == RTA_VIA)
    }

    fn attributes(&self, w: &mut Writer<Rta>) {
        if let Some(gateway) = self.gateway {
            w.ip(Rta::Gateway, gateway);
        }
        w.raw(&self.other);
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where to; a prefix length of 0 is the default route.
    pub destination: IpNetwork,
    /// Only for packets from here; IPv6 only.
    pub source: Option<IpNetwork>,
    /// The routing table: 254 is the main one, 255 the local one.
    pub table: u32,
    /// What it does.
    pub kind: RouteKind,
    /// How far the destination is.
    pub scope: Scope,
    /// Who made it: `RTPROT_*`; 2 is the kernel, 3 boot, 4 static.
    pub protocol: u8,
    /// Only for packets of this type of service; IPv4 only.
    pub tos: u8,
    /// The metric: of equal routes the one with the lowest is used.
    pub priority: Option<u32>,
    /// The source address of packets that have none yet.
    pub preferred_source: Option<IpAddr>,
    /// Seconds until it is gone; IPv6 only.
    pub expires: Option<u32>,
    /// `RTA_METRICS`: MTU, window and so on, as the kernel sent them.
    pub metrics: Option<Vec<u8>>,
    /// The ways that packets take. None for one that drops them.
    pub hops: Vec<Hop>,
    /// Whether the ways were given as a list, even if it has only one.
    pub multipath: bool,
    /// The nexthop object that has the ways (since Linux 5.3).
    pub nexthop: Option<u32>,
    /// Attributes that this version does not know.
    pub other: Vec<RawAttribute>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.destination.fmt(f)?;
        for gateway in self.hops.iter().filter_map(|hop| hop.gateway) {
            write!(f, " via {gateway}")?;
        }
        if self.table == Self::MAIN { Ok(()) } else { write!(f, " table {}", self.table) }
    }
}

impl Route {
    /// The routing table that is used unless a rule says otherwise.
    pub const MAIN: u32 = 254;
    /// The routing table of the host's own addresses, which the kernel keeps.
    pub const LOCAL: u32 = 255;

    /// A static route of the main table through a device, to a router or to the wire.
    #[must_use]
    pub fn new(destination: IpNetwork, link: u32, gateway: Option<IpAddr>) -> Self {
        let hop = Hop { link: Some(link), gateway, weight: 1, flags: HopFlags::empty(), other: Vec::new() };
        let is_wire = gateway.is_none() && destination.is_ipv4();
        Self {
            destination,
            source: None,
            table: Self::MAIN,
            kind: RouteKind::UNICAST,
            scope: if is_wire { Scope::LINK } else { Scope::GLOBAL },
            protocol: u8::from(Rtprot::Static),
            tos: 0,
            priority: None,
            preferred_source: None,
            expires: None,
            metrics: None,
            hops: vec![hop],
            multipath: false,
            nexthop: None,
            other: Vec::new(),
        }
    }

    /// The family of the destination.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.destination.ip())
    }

    /// Whether one of its ways is through this device.
    #[must_use]
    pub fn uses(&self, link: u32) -> bool {
        self.hops.iter().any(|hop| hop.link == Some(link))
    }

    /// Whether one of its ways leads to a router.
    #[must_use]
    pub fn has_gateway(&self) -> bool {
        self.hops.iter().any(Hop::has_gateway)
    }

    /// The same route with the ways through one device going through another. A nexthop object belongs to its device, so
    /// the ways that it stands for are written out.
    #[must_use]
    pub fn moved(&self, from: u32, to: u32) -> Self {
        let mut moved = self.clone();
        for hop in moved.hops.iter_mut().filter(|hop| hop.link == Some(from)) {
            hop.link = Some(to);
        }
        moved.nexthop = None;
        moved
    }

    /// Whether both ask for the same, whatever condition they are in.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let asked = |route: &Self| {
            let mut route = route.clone();
            route.expires = None;
            for hop in &mut route.hops {
                hop.flags &= HopFlags::ASKED;
            }
            route
        };
        asked(self) == asked(other)
    }

    fn decode(message: &Rtmsg) -> Result<Option<Self>, BadPayload> {
        let Some(family) = Family::from_number((*message.rtm_family()).into()) else { return Ok(None) };
        let mut hop = Hop {
            link: None,
            gateway: None,
            weight: 1,
            // The condition of a single way stands in the route's own flags.
            flags: HopFlags::from_bits_retain(u32::from(*message.rtm_flags()) & 0xff),
            other: Vec::new(),
        };
        let any: IpAddr = match family {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let (mut destination, mut source, mut ways) = (any, None, None);
        let mut route = Self {
            destination: IpNetwork::from(any),
            source: None,
            table: u8::from(*message.rtm_table()).into(),
            kind: RouteKind(u8::from(*message.rtm_type())),
            scope: Scope(u8::from(*message.rtm_scope())),
            protocol: u8::from(*message.rtm_protocol()),
            tos: *message.rtm_tos(),
            priority: None,
            preferred_source: None,
            expires: None,
            metrics: None,
            hops: Vec::new(),
            multipath: false,
            nexthop: None,
            other: Vec::new(),
        };
        for attribute in received(message.rtattrs()) {
            match Rta::from(attribute.kind) {
                Rta::Dst => destination = attribute.ip()?,
                Rta::Src => source = Some(attribute.ip()?),
                Rta::Table => route.table = attribute.u32()?,
                Rta::Oif => hop.link = Some(attribute.u32()?),
                Rta::Gateway => hop.gateway = Some(attribute.ip()?),
                Rta::Priority => route.priority = Some(attribute.u32()?),
                Rta::Prefsrc => route.preferred_source = Some(attribute.ip()?),
                Rta::Metrics => route.metrics = Some(attribute.payload.to_vec()),
                Rta::Multipath => ways = Some(hops(attribute)?),
                // Only when it ends is a wish; the rest are statistics.
                Rta::Cacheinfo => route.expires = expiry(attribute),
                _ => match attribute.kind {
                    RTA_NH_ID => route.nexthop = Some(attribute.u32()?),
                    RTA_EXPIRES | RTA_PAD => {}
                    // A tunnel belongs to the way, not to the route; both are sent at the same place.
                    _ => hop.other.push(attribute.raw()),
                },
            }
        }
        let bad = BadPayload(Rta::Dst.into());
        let network = |ip: IpAddr, length: u8| IpNetwork::new(ip, length).map_err(|_| bad);
        route.destination = network(destination, *message.rtm_dst_len())?;
        route.source = source.map(|ip| network(ip, *message.rtm_src_len())).transpose()?;
        match ways {
            Some(ways) => {
                (route.hops, route.multipath) = (ways, true);
                route.other = hop.other;
            }
            None if hop.link.is_some() || hop.has_gateway() => route.hops = vec![hop],
            None => route.other = hop.other,
        }
        Ok(Some(route))
    }

    fn encode(&self) -> Option<Rtmsg> {
        let mut w = Writer::new();
        if self.destination.prefix() != 0 {
            w.ip(Rta::Dst, self.destination.ip());
        }
        if let Some(source) = self.source {
            w.ip(Rta::Src, source.ip());
        }
        w.u32(Rta::Table, self.table);
        if let Some(priority) = self.priority {
            w.u32(Rta::Priority, priority);
        }
        if let Some(source) = self.preferred_source {
            w.ip(Rta::Prefsrc, source);
        }
        if let Some(metrics) = &self.metrics {
            w.put(Rta::Metrics, metrics.clone());
        }
        if let Some(seconds) = self.expires {
            w.u32(Rta::from(RTA_EXPIRES), seconds.max(1));
        }
        w.raw(&self.other);
        let mut flags = HopFlags::empty();
        if let Some(nexthop) = self.nexthop {
            w.u32(Rta::from(RTA_NH_ID), nexthop);
        } else if self.multipath {
            w.put(Rta::Multipath, multipath(&self.hops)?);
        } else if let Some(hop) = self.hops.first() {
            if let Some(link) = hop.link {
                w.u32(Rta::Oif, link);
            }
            hop.attributes(&mut w);
            flags = hop.flags & HopFlags::ASKED;
        }
        RtmsgBuilder::default()
            .rtm_family(self.family().number().into())
            .rtm_dst_len(self.destination.prefix())
            .rtm_src_len(self.source.map_or(0, |source| source.prefix()))
            .rtm_tos(self.tos)
            .rtm_table(RtTable::from(u8::try_from(self.table).unwrap_or(0)))
            .rtm_protocol(Rtprot::from(self.protocol))
            .rtm_scope(RtScope::from(self.scope.0))
            .rtm_type(Rtn::from(self.kind.0))
            .rtm_flags(RtmF::from_bits_retain(flags.bits()))
            .rtattrs(w.finish()?)
            .build()
            .ok()
    }
}

/// `rta_expires` of a `struct rta_cacheinfo`, its third word, which is signed and 0 for never.
fn expiry(attribute: Received<'_>) -> Option<u32> {
    let [_, _, expires] = attribute.words().ok()?;
    let ticks = expires.cast_signed();
    u32::try_from(ticks).ok().filter(|ticks| *ticks > 0).map(|ticks| ticks.div_ceil(USER_HZ))
}

/// The `struct rtnexthop`s of an `RTA_MULTIPATH`.
fn hops(attribute: Received<'_>) -> Result<Vec<Hop>, BadPayload> {
    let bad = BadPayload(attribute.kind);
    let mut bytes = attribute.payload;
    let mut hops = Vec::new();
    while let Some(([a, b, flags, hops_less_one, c, d, e, g], _)) = bytes.split_first_chunk::<8>() {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        let attributes = bytes.get(8..length).and_then(parse).ok_or(bad)?;
        let mut hop = Hop {
            link: Some(u32::from_ne_bytes([*c, *d, *e, *g])).filter(|link| *link != 0),
            gateway: None,
            weight: u16::from(*hops_less_one) + 1,
            flags: HopFlags::from_bits_retain((*flags).into()),
            other: Vec::new(),
        };
        for attribute in attributes {
            match Rta::from(attribute.kind) {
                Rta::Gateway => hop.gateway = Some(attribute.ip()?),
                _ => hop.other.push(attribute.raw()),
            }
        }
        hops.push(hop);
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
    }
    if bytes.is_empty() { Ok(hops) } else { Err(bad) }
}

fn multipath(hops: &[Hop]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for hop in hops {
        let mut inner = Writer::new();
        hop.attributes(&mut inner);
        let inner = inner.bytes()?;
        bytes.extend(u16::try_from(8 + inner.len()).ok()?.to_ne_bytes());
        bytes.push(u8::try_from((hop.flags & HopFlags::ASKED).bits()).ok()?);
        bytes.push(u8::try_from(hop.weight.saturating_sub(1)).ok()?);
        bytes.extend(hop.link.unwrap_or(0).to_ne_bytes());
        bytes.extend(inner);
    }
    Some(bytes)
}

impl Rtnl {
    /// All routes of all tables of both families, in the kernel's order. Cached ones are left out.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked, or refuses.
    pub fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in Family::BOTH {
            routes.extend(self.dump("list routes", Rtm::Getroute, || list(family.number().into()), Route::decode)?);
        }
        Ok(routes)
    }

    /// The routes that have a way through a device, without those of the local table.
    ///
    /// # Errors
    /// As [`routes`](Rtnl::routes).
    pub fn routes_of(&mut self, link: u32) -> Result<Vec<Route>, Error> {
        let mut routes = self.routes()?;
        routes.retain(|route| route.uses(link) && route.table != Route::LOCAL);
        Ok(routes)
    }

    /// Adds a route that is not there.
    ///
    /// # Errors
    /// [`Error`]; `EEXIST` when there is one with the same destination, metric and type of service.
    pub fn add_route(&mut self, route: &Route) -> Result<(), Error> {
        self.route(Doing { operation: "add route", object: route }, Rtm::Newroute, NlmF::CREATE | NlmF::EXCL, route)
    }

    /// Adds a route behind those with the same destination, metric and type of service. For IPv6, it becomes one more way
    /// of the route that is there.
    ///
    /// # Errors
    /// [`Error`]; `EEXIST` when the very same route is there.
    pub fn append_route(&mut self, route: &Route) -> Result<(), Error> {
        self.route(Doing { operation: "add route", object: route }, Rtm::Newroute, NlmF::CREATE | NlmF::APPEND, route)
    }

    /// Adds a route, in place of the first one with the same destination, metric and type of service.
    ///
    /// # Errors
    /// [`Error`].
    pub fn replace_route(&mut self, route: &Route) -> Result<(), Error> {
        let flags = NlmF::CREATE | NlmF::REPLACE;
        self.route(Doing { operation: "set route", object: route }, Rtm::Newroute, flags, route)
    }

    /// Deletes a route.
    ///
    /// # Errors
    /// [`Error`]; `ESRCH` when it is not there.
    pub fn delete_route(&mut self, route: &Route) -> Result<(), Error> {
        self.route(Doing { operation: "delete route", object: route }, Rtm::Delroute, NlmF::empty(), route)
    }

    fn route(&mut self, doing: Doing<'_>, kind: Rtm, flags: NlmF, route: &Route) -> Result<(), Error> {
        let request = route.encode().ok_or_else(|| doing.too_long())?;
        self.execute(doing, kind, flags, request).map_err(|error| match route.hops.iter().find_map(|hop| hop.link) {
            Some(link) => self.on_device(error, link),
            None => error,
        })
    }
}

/// Asks for the routes of a family.
fn list(family: RtAddrFamily) -> Option<Rtmsg> {
    RtmsgBuilder::default()
        .rtm_family(family)
        .rtm_dst_len(0)
        .rtm_src_len(0)
        .rtm_tos(0)
        .rtm_table(RtTable::Unspec)
        .rtm_protocol(Rtprot::Unspec)
        .rtm_scope(RtScope::Universe)
        .rtm_type(Rtn::Unspec)
        .rtattrs(Writer::new().finish()?)
        .build()
        .ok()
}
