//! Neighbours: which Ethernet address an IP address of a wire has.

use std::fmt;
use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Nda, Ntf, Nud, RtAddrFamily, Rtm, Rtn};
use neli::rtnl::{Ndmsg, NdmsgBuilder};

use super::attr::{BadPayload, Writer, received};
use super::{Doing, Error, Family, Rtnl};
use crate::name::MacAddress;

/// An entry of a device's neighbour table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The device, by its index.
    pub link: u32,
    /// The IP address.
    pub ip: IpAddr,
    /// Its Ethernet address; `None` while it is not known, and for a proxy entry.
    pub mac: Option<MacAddress>,
    /// Whether it stays until it is deleted. Entries that are added stay.
    pub permanent: bool,
    /// Whether this host answers for the address (proxy ARP).
    pub proxy: bool,
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)
    }
}

impl Neighbour {
    fn decode(message: &Ndmsg) -> Result<Option<Self>, BadPayload> {
        let Ok(link) = u32::try_from(*message.ndm_index()) else { return Ok(None) };
        let (mut ip, mut mac) = (None, None);
        for attribute in received(message.rtattrs()) {
            match Nda::from(attribute.kind) {
                Nda::Dst => ip = attribute.ip().ok(),
                Nda::Lladdr => mac = attribute.array().ok().map(MacAddress),
                _ => {}
            }
        }
        let permanent = message.ndm_state().contains(Nud::PERMANENT);
        let proxy = message.ndm_flags().contains(Ntf::PROXY);
        Ok(ip.map(|ip| Self { link, ip, mac, permanent, proxy }))
    }

    fn encode(&self) -> Option<Ndmsg> {
        let mut w = Writer::new();
        w.ip(Nda::Dst, self.ip);
        if let Some(mac) = self.mac {
            w.put(Nda::Lladdr, mac.0);
        }
        NdmsgBuilder::default()
            .ndm_family(Family::of(self.ip).number().into())
            .ndm_index(i32::try_from(self.link).ok()?)
            .ndm_state(Nud::PERMANENT)
            .ndm_flags(if self.proxy { Ntf::PROXY } else { Ntf::empty() })
            .ndm_type(Rtn::Unspec)
            .rtattrs(w.finish()?)
            .build()
            .ok()
    }
}

impl Rtnl {
    /// All neighbours of all devices, without proxy entries.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked, or refuses.
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, Error> {
        let request = || {
            NdmsgBuilder::default()
                .ndm_family(RtAddrFamily::Unspecified)
                .ndm_index(0)
                .ndm_state(Nud::empty())
                .ndm_type(Rtn::Unspec)
                .rtattrs(Writer::new().finish()?)
                .build()
                .ok()
        };
        self.dump("list neighbours", Rtm::Getneigh, request, Neighbour::decode)
    }

    /// Adds a permanent entry, or makes one permanent that is there.
    ///
    /// # Errors
    /// [`Error`]; `ENODEV` when there is no such device.
    pub fn set_neighbour(&mut self, neighbour: &Neighbour) -> Result<(), Error> {
        let doing = Doing { operation: "set neighbour", object: neighbour };
        let request = neighbour.encode().ok_or_else(|| doing.too_long())?;
        let done = self.execute(doing, Rtm::Newneigh, NlmF::CREATE | NlmF::REPLACE, request);
        done.map_err(|error| self.on_device(error, neighbour.link))
    }

    /// Deletes an entry.
    ///
    /// # Errors
    /// [`Error`]; `ENOENT` when it is not there, `ENODEV` when there is no such device.
    pub fn delete_neighbour(&mut self, neighbour: &Neighbour) -> Result<(), Error> {
        let doing = Doing { operation: "delete neighbour", object: neighbour };
        let request = neighbour.encode().ok_or_else(|| doing.too_long())?;
        let done = self.execute(doing, Rtm::Delneigh, NlmF::empty(), request);
        done.map_err(|error| self.on_device(error, neighbour.link))
    }
}
