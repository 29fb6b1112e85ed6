//! Addresses of devices.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use bitflags::bitflags;
use ipnetwork::IpNetwork;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, IfaF, RtAddrFamily, RtScope, Rtm};
use neli::rtnl::{Ifaddrmsg, IfaddrmsgBuilder};

use super::attr::{BadPayload, RawAttribute, Writer, received};
use super::{Doing, Error, Family, Link, Rtnl};

/// `IFA_RT_PRIORITY` (since Linux 4.18), which neli does not have.
const IFA_RT_PRIORITY: u16 = 9;
/// `IFA_PROTO` (since Linux 5.18).
const IFA_PROTO: u16 = 11;

/// How far an address or route reaches: `RT_SCOPE_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(pub u8);

impl Scope {
    /// Everywhere.
    pub const GLOBAL: Self = Self(0);
    /// This site, an IPv6 notion that is no longer used.
    pub const SITE: Self = Self(200);
    /// The wire that the device is on.
    pub const LINK: Self = Self(253);
    /// This host.
    pub const HOST: Self = Self(254);
    /// Nowhere; as a route's scope in a deletion it means any.
    pub const NOWHERE: Self = Self(255);
}

bitflags! {
    /// `IFA_F_*`. Bits that this version does not know are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct AddressFlags: u32 {
        /// Not the first IPv4 address of its network; for IPv6: a temporary address.
        const SECONDARY = 0x01;
        /// No duplicate address detection.
        const NODAD = 0x02;
        /// Used while its uniqueness is still being checked.
        const OPTIMISTIC = 0x04;
        /// Another host has it.
        const DADFAILED = 0x08;
        /// A mobile host's home address.
        const HOMEADDRESS = 0x10;
        /// Not used for new connections.
        const DEPRECATED = 0x20;
        /// Its uniqueness is still being checked.
        const TENTATIVE = 0x40;
        /// Without an end.
        const PERMANENT = 0x80;
        /// The kernel makes temporary addresses after this one.
        const MANAGETEMPADDR = 0x100;
        /// The kernel makes no route to its network.
        const NOPREFIXROUTE = 0x200;
        /// Its multicast group is joined on Ethernet.
        const MCAUTOJOIN = 0x400;
        /// Made from a secret, not from the Ethernet address.
        const STABLE_PRIVACY = 0x800;
        const _ = !0;
    }
}

impl AddressFlags {
    /// What the kernel states and nobody can ask for.
    const STATE: Self = Self::SECONDARY
        .union(Self::DADFAILED)
        .union(Self::DEPRECATED)
        .union(Self::TENTATIVE)
        .union(Self::PERMANENT)
        .union(Self::STABLE_PRIVACY);
}

/// How long an address is used, in seconds from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lifetimes {
    /// For new connections.
    pub preferred: u32,
    /// At all; it is gone after that.
    pub valid: u32,
}

impl Lifetimes {
    /// Without an end.
    pub const FOREVER: Self = Self { preferred: u32::MAX, valid: u32::MAX };
}

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The device, by its index.
    pub link: u32,
    /// The address, and how much of it its network shares.
    pub network: IpNetwork,
    /// The other end's address, whose network the prefix length is then about.
    pub peer: Option<IpAddr>,
    /// How far it reaches. The kernel decides that for IPv6.
    pub scope: Scope,
    /// What is asked for and what the kernel states; only the former is sent.
    pub flags: AddressFlags,
    /// IPv4 only: an old-fashioned name, the device's or that followed by a colon and more; `None` is the device's.
    pub label: Option<String>,
    /// IPv4 only: the address of all hosts of its network.
    pub broadcast: Option<Ipv4Addr>,
    /// How long it is used.
    pub lifetimes: Lifetimes,
    /// The metric of the route to its network; `None` for the kernel's choice (since Linux 4.18).
    pub metric: Option<u32>,
    /// Who made it, a number (since Linux 5.18).
    pub protocol: Option<u8>,
    /// Attributes that this version does not know.
    pub other: Vec<RawAttribute>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network.fmt(f)?;
        self.peer.map_or(Ok(()), |peer| write!(f, " peer {peer}"))
    }
}

impl Address {
    /// One with the kernel's defaults: global, without an end.
    #[must_use]
    pub fn new(link: &Link, network: IpNetwork) -> Self {
        Self {
            link: link.index,
            network,
            peer: None,
            scope: Scope::GLOBAL,
            flags: AddressFlags::empty(),
            label: None,
            broadcast: None,
            lifetimes: Lifetimes::FOREVER,
            metric: None,
            protocol: None,
            other: Vec::new(),
        }
    }

    /// The family of the address.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.network.ip())
    }

    /// Whether the kernel takes both for the same address when both are on one device.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let network = |address: &Self| match (address.peer, address.network) {
            // IPv6 has one network a device for an address, whatever the prefix length.
            (_, IpNetwork::V6(_)) => None,
            (peer, network) => Some((peer.unwrap_or_else(|| network.network()), network.prefix())),
        };
        self.network.ip() == other.network.ip() && network(self) == network(other)
    }

    fn decode(message: &Ifaddrmsg) -> Result<Option<Self>, BadPayload> {
        if Family::from_number((*message.ifa_family()).into()).is_none() {
            return Ok(None);
        }
        let (mut address, mut local) = (None, None);
        let mut decoded = Self {
            link: *message.ifa_index(),
            network: IpNetwork::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            peer: None,
            scope: Scope(u8::from(*message.ifa_scope())),
            flags: AddressFlags::from_bits_retain(u8::from(*message.ifa_flags()).into()),
            label: None,
            broadcast: None,
            lifetimes: Lifetimes::FOREVER,
            metric: None,
            protocol: None,
            other: Vec::new(),
        };
        for attribute in received(message.rtattrs()) {
            match Ifa::from(attribute.kind) {
                Ifa::Address => address = Some(attribute.ip()?),
                Ifa::Local => local = Some(attribute.ip()?),
                Ifa::Label => decoded.label = Some(attribute.string()),
                Ifa::Broadcast => decoded.broadcast = Some(attribute.array::<4>()?.into()),
                Ifa::Flags => decoded.flags = AddressFlags::from_bits_retain(attribute.u32()?),
                Ifa::Cacheinfo => {
                    let [preferred, valid] = attribute.words()?;
                    decoded.lifetimes = Lifetimes { preferred, valid };
                }
                _ => match attribute.kind {
                    IFA_RT_PRIORITY => decoded.metric = Some(attribute.u32()?),
                    IFA_PROTO => decoded.protocol = Some(attribute.u8()?),
                    _ => decoded.other.push(attribute.raw()),
                },
            }
        }
        let bad = BadPayload(Ifa::Address.into());
        let ip = local.or(address).ok_or(bad)?;
        decoded.peer = address.filter(|address| *address != ip);
        decoded.network = IpNetwork::new(ip, *message.ifa_prefixlen()).map_err(|_| bad)?;
        Ok(Some(decoded))
    }

    /// The request; without what does not identify the address when that is all it is for.
    fn encode(&self, whole: bool) -> Option<Ifaddrmsg> {
        let flags = self.flags.difference(AddressFlags::STATE);
        let mut w = Writer::new();
        w.ip(Ifa::Local, self.network.ip());
        w.ip(Ifa::Address, self.peer.unwrap_or_else(|| self.network.ip()));
        if whole {
            w.u32(Ifa::Flags, flags.bits());
            if let Some(label) = &self.label {
                w.string(Ifa::Label, label);
            }
            if let Some(broadcast) = self.broadcast {
                w.put(Ifa::Broadcast, broadcast.octets());
            }
            if self.lifetimes != Lifetimes::FOREVER {
                // Of four words the last two are times of changes, which are the kernel's.
                let valid = self.lifetimes.valid.max(1);
                let words = [self.lifetimes.preferred.min(valid), valid, 0, 0];
                w.put(Ifa::Cacheinfo, words.map(u32::to_ne_bytes).concat());
            }
            if let Some(metric) = self.metric {
                w.u32(Ifa::from(IFA_RT_PRIORITY), metric);
            }
            if let Some(protocol) = self.protocol {
                w.u8(Ifa::from(IFA_PROTO), protocol);
            }
            w.raw(&self.other);
        }
        IfaddrmsgBuilder::default()
            .ifa_family(self.family().number().into())
            .ifa_prefixlen(self.network.prefix())
            .ifa_flags(IfaF::empty())
            .ifa_scope(RtScope::from(self.scope.0))
            .ifa_index(self.link)
            .rtattrs(w.finish()?)
            .build()
            .ok()
    }
}

impl Rtnl {
    /// All addresses of all devices; those of one device and family in the order in which the kernel uses them. An IPv4
    /// address that is added comes last of its scope, an IPv6 address first.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked, or refuses.
    pub fn addresses(&mut self) -> Result<Vec<Address>, Error> {
        let request = || {
            IfaddrmsgBuilder::default()
                .ifa_family(RtAddrFamily::Unspecified)
                .ifa_prefixlen(0)
                .ifa_scope(RtScope::Universe)
                .ifa_index(0)
                .rtattrs(Writer::new().finish()?)
                .build()
                .ok()
        };
        self.dump("list addresses", Rtm::Getaddr, request, Address::decode)
    }

    /// The addresses of one device.
    ///
    /// # Errors
    /// As [`addresses`](Rtnl::addresses).
    pub fn addresses_of(&mut self, link: u32) -> Result<Vec<Address>, Error> {
        let mut addresses = self.addresses()?;
        addresses.retain(|address| address.link == link);
        Ok(addresses)
    }

    /// Adds an address.
    ///
    /// # Errors
    /// [`Error`]; `EEXIST` when the device has it, `ENODEV` when there is no such device.
    pub fn add_address(&mut self, address: &Address) -> Result<(), Error> {
        self.address(Doing { operation: "add address", object: address }, Rtm::Newaddr, ADD, address, true)
    }

    /// Adds an address, or changes what is different of one that is there (lifetimes, metric).
    ///
    /// # Errors
    /// [`Error`]; `ENODEV` when there is no such device.
    pub fn replace_address(&mut self, address: &Address) -> Result<(), Error> {
        let flags = NlmF::CREATE | NlmF::REPLACE;
        self.address(Doing { operation: "set address", object: address }, Rtm::Newaddr, flags, address, true)
    }

    /// Deletes an address. For IPv4 that takes the others of its network with it, unless the device's
    /// `promote_secondaries` is set.
    ///
    /// # Errors
    /// [`Error`]; `EADDRNOTAVAIL` when the device does not have it, `ENODEV` when there is no such device.
    pub fn delete_address(&mut self, address: &Address) -> Result<(), Error> {
        let doing = Doing { operation: "delete address", object: address };
        self.address(doing, Rtm::Deladdr, NlmF::empty(), address, false)
    }

    fn address(
        &mut self,
        doing: Doing<'_>,
        kind: Rtm,
        flags: NlmF,
        address: &Address,
        whole: bool,
    ) -> Result<(), Error> {
        let request = address.encode(whole).ok_or_else(|| doing.too_long())?;
        self.execute(doing, kind, flags, request).map_err(|error| self.on_device(error, address.link))
    }
}

const ADD: NlmF = NlmF::CREATE.union(NlmF::EXCL);
