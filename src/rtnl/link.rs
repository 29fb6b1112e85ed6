//! Links: network devices.

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Arphrd, Iff, Ifla, IflaInfo, RtAddrFamily, Rtm};
use neli::rtnl::{Ifinfomsg, IfinfomsgBuilder};

use super::attr::{BadPayload, Received, Writer, received};
use super::kind::{Bridge, Data, IflaBr, IflaBrport, Kind, Port};
use super::{Doing, Error, Rtnl, decode_as};
use crate::name::{InterfaceName, MacAddress};
use crate::netlink::errno::Errno;
use crate::netlink::namespace::Namespace;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in the namespace.
    pub index: u32,
    /// Its name.
    pub name: InterfaceName,
    /// Whether it is up, as the administrator wants it.
    pub up: bool,
    /// Whether it has a carrier and can carry packets.
    pub running: bool,
    /// Whether it was told to take all frames, whoever they are for. What a bridge does with its ports does not count.
    pub promiscuous: bool,
    /// Its Ethernet address, if it has one.
    pub mac: Option<MacAddress>,
    /// The longest packet that it sends, in bytes.
    pub mtu: u32,
    /// The bridge or bond that it is a port of.
    pub master: Option<u32>,
    /// The device that it stands on, or a veth's other end; it may be in another namespace.
    pub parent: Option<u32>,
    /// `bridge`, `vlan`, `veth`, `tun`, ...; `None` for hardware.
    pub kind: Option<String>,
    /// What it is and how it is set.
    pub data: Data,
    /// How it is set as a bridge's port; `None` when it is none.
    pub port: Option<Port>,
}

impl Link {
    /// Whether it is a bridge.
    #[must_use]
    pub fn is_bridge(&self) -> bool {
        self.kind.as_deref() == Some("bridge")
    }

    fn decode(message: &Ifinfomsg) -> Result<Option<Self>, BadPayload> {
        let Ok(index) = u32::try_from(*message.ifi_index()) else { return Ok(None) };
        let flags = *message.ifi_flags();
        let mut link = Self {
            index,
            name: InterfaceName::from_kernel(""),
            up: flags.contains(Iff::UP),
            running: flags.contains(Iff::RUNNING),
            promiscuous: flags.contains(Iff::PROMISC),
            mac: None,
            mtu: 0,
            master: None,
            parent: None,
            kind: None,
            data: Data::Other,
            port: None,
        };
        for attribute in received(message.rtattrs()) {
            match Ifla::from(attribute.kind) {
                Ifla::Ifname => link.name = InterfaceName::from_kernel(&attribute.string()),
                // Tunnels and InfiniBand have addresses of other lengths.
                Ifla::Address => link.mac = attribute.array().ok().map(MacAddress),
                Ifla::Mtu => link.mtu = attribute.u32()?,
                Ifla::Master => link.master = Some(attribute.u32()?).filter(|index| *index != 0),
                Ifla::Link => link.parent = Some(attribute.u32()?).filter(|index| *index != 0),
                Ifla::Linkinfo => link.read_info(&attribute.nest()?)?,
                _ => {}
            }
        }
        Ok(Some(link))
    }

    fn read_info(&mut self, info: &[Received<'_>]) -> Result<(), BadPayload> {
        let find = |kind: IflaInfo| info.iter().find(|a| a.kind == u16::from(kind));
        if let Some(kind) = find(IflaInfo::Kind) {
            let kind = kind.string();
            // Other kinds' data need not even be attributes.
            if let (Some(data), "bridge" | "vlan") = (find(IflaInfo::Data), kind.as_str()) {
                self.data = Data::decode(&kind, &data.nest()?)?;
            }
            self.kind = Some(kind);
        }
        if find(IflaInfo::SlaveKind).is_some_and(|kind| kind.string() == "bridge") {
            let data = find(IflaInfo::SlaveData).map(Received::nest).transpose()?;
            self.port = Some(Port::decode(&data.unwrap_or_default())?);
        }
        Ok(())
    }
}

/// A device that is to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// Its name.
    pub name: InterfaceName,
    /// What it is.
    pub kind: Kind,
    /// Its Ethernet address; `None` for the kernel's choice.
    pub mac: Option<MacAddress>,
    /// Its MTU; `None` for the kernel's choice.
    pub mtu: Option<u32>,
    /// Whether it is up from the start.
    pub up: bool,
}

impl NewLink {
    /// One with the kernel's choice of everything, down.
    #[must_use]
    pub fn new(name: InterfaceName, kind: Kind) -> Self {
        Self { name, kind, mac: None, mtu: None, up: false }
    }
}

/// What is to change on a device; `None` and `default()` leave everything as it is.
#[derive(Debug, Clone, Default)]
pub struct LinkChange {
    /// Up or down.
    pub up: Option<bool>,
    /// Take all frames, or only its own.
    pub promiscuous: Option<bool>,
    /// The Ethernet address.
    pub mac: Option<MacAddress>,
    /// The longest packet, in bytes.
    pub mtu: Option<u32>,
    /// The bridge that it is to be a port of, by its index; `Some(None)` takes it out of any.
    pub master: Option<Option<u32>>,
    /// The name. The device must be down for it on kernels before 6.2.
    pub name: Option<InterfaceName>,
    /// The namespace that it moves to. It loses its addresses and routes.
    pub namespace: Option<Namespace>,
    /// Options of a bridge.
    pub bridge: Option<Bridge>,
    /// Options of a bridge's port.
    pub port: Option<Port>,
}

impl LinkChange {
    /// Up or down and nothing else.
    #[must_use]
    pub fn up(up: bool) -> Self {
        Self { up: Some(up), ..Self::default() }
    }

    /// Into a bridge or out of it, and nothing else.
    #[must_use]
    pub fn master(master: Option<u32>) -> Self {
        Self { master: Some(master), ..Self::default() }
    }

    fn encode(&self, w: &mut Writer<Ifla>) {
        if let Some(mac) = self.mac {
            w.put(Ifla::Address, mac.0);
        }
        if let Some(mtu) = self.mtu {
            w.u32(Ifla::Mtu, mtu);
        }
        if let Some(master) = self.master {
            w.u32(Ifla::Master, master.unwrap_or(0));
        }
        if let Some(name) = &self.name {
            w.string(Ifla::Ifname, name.as_str());
        }
        if let Some(fd) = self.namespace.as_ref().and_then(Namespace::descriptor) {
            w.put(Ifla::NetNsFd, fd.to_ne_bytes());
        }
        if let Some(bridge) = &self.bridge {
            w.nest(Ifla::Linkinfo, |info| {
                info.string(IflaInfo::Kind, "bridge");
                info.nest(IflaInfo::Data, |data: &mut Writer<IflaBr>| bridge.encode(data));
            });
        }
        if let Some(port) = &self.port {
            w.nest(Ifla::Linkinfo, |info| {
                info.string(IflaInfo::SlaveKind, "bridge");
                info.nest(IflaInfo::SlaveData, |data: &mut Writer<IflaBrport>| port.encode(data));
            });
        }
    }
}

/// `ifinfomsg` with these attributes; `None` when they do not fit.
pub(super) fn message(index: u32, flags: Iff, change: Iff, attributes: Writer<Ifla>) -> Option<Ifinfomsg> {
    IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .ifi_type(Arphrd::from(0))
        .ifi_index(i32::try_from(index).ok()?)
        .ifi_flags(flags)
        .ifi_change(change)
        .rtattrs(attributes.finish()?)
        .build()
        .ok()
}

impl Rtnl {
    /// All devices, in the order of their indices.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked, or refuses.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = || message(0, Iff::empty(), Iff::empty(), Writer::new());
        self.dump("list devices", Rtm::Getlink, request, Link::decode)
    }

    /// The device of this name; `None` when there is none.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked, or refuses.
    pub fn link(&mut self, name: &InterfaceName) -> Result<Option<Link>, Error> {
        match self.require_link(name) {
            Err(error) if error.is_missing() => Ok(None),
            other => other.map(Some),
        }
    }

    /// The device of this name, which must be there.
    ///
    /// # Errors
    /// [`Error`] with `ENODEV` when it is not, and those of [`link`](Rtnl::link).
    pub fn require_link(&mut self, name: &InterfaceName) -> Result<Link, Error> {
        let doing = Doing { operation: "find device", object: name };
        let mut attributes = Writer::new();
        attributes.string(Ifla::Ifname, name.as_str());
        self.ask_link(doing, 0, attributes)
    }

    /// An error about something that is of a device, with the name of the device.
    pub(super) fn on_device(&mut self, error: Error, index: u32) -> Error {
        match error {
            Error::Refused { operation, object, errno, text } => {
                let found = self.ask_link(Doing { operation: "find device", object: &index }, index, Writer::new());
                let device = found.map_or_else(|_| format!("device {index}"), |link| link.name.to_string());
                Error::Refused { operation, object: format!("{object} on {device}"), errno, text }
            }
            other => other,
        }
    }

    /// The device of this index, or with 0 of the name in the attributes.
    fn ask_link(&mut self, doing: Doing<'_>, index: u32, attributes: Writer<Ifla>) -> Result<Link, Error> {
        let request = message(index, Iff::empty(), Iff::empty(), attributes).ok_or_else(|| doing.too_long())?;
        let mut answer = None;
        self.ask(doing, Rtm::Getlink, NlmF::ACK, request, |object| answer = Some(object))?;
        let link = answer.map(|object| decode_as(doing, &object, Link::decode)).transpose()?.flatten();
        link.ok_or_else(|| doing.refused(-Errno::NODEV.0, None))
    }

    /// Makes a device.
    ///
    /// # Errors
    /// [`Error`]; `EEXIST` when the name is taken, `EOPNOTSUPP` when the kernel has no such kind.
    pub fn add_link(&mut self, link: &NewLink) -> Result<(), Error> {
        let doing = Doing { operation: "add device", object: &link.name };
        let flags = if link.up { Iff::UP } else { Iff::empty() };
        let mut attributes = Writer::new();
        attributes.string(Ifla::Ifname, link.name.as_str());
        if let Some(mac) = link.mac {
            attributes.put(Ifla::Address, mac.0);
        }
        if let Some(mtu) = link.mtu {
            attributes.u32(Ifla::Mtu, mtu);
        }
        let mut kind = link.kind.clone();
        if let Kind::Veth(peer) = &mut kind {
            peer.namespace = peer.namespace.as_ref().map(Namespace::with_descriptor).transpose()?;
        }
        kind.encode(&mut attributes);
        let request = message(0, flags, flags, attributes).ok_or_else(|| doing.too_long())?;
        self.execute(doing, Rtm::Newlink, NlmF::CREATE | NlmF::EXCL, request)
    }

    /// Changes a device, in one request.
    ///
    /// # Errors
    /// [`Error`]; `ENODEV` when it is not there.
    pub fn set_link(&mut self, link: &Link, change: &LinkChange) -> Result<(), Error> {
        let doing = Doing { operation: "change device", object: &link.name };
        let mut flags = Iff::empty();
        let mut mask = Iff::empty();
        for (flag, wanted) in [(Iff::UP, change.up), (Iff::PROMISC, change.promiscuous)] {
            mask.set(flag, wanted.is_some());
            flags.set(flag, wanted == Some(true));
        }
        // The descriptor must stay open until the request was sent.
        let namespace = change.namespace.as_ref().map(Namespace::with_descriptor).transpose()?;
        let mut attributes = Writer::new();
        LinkChange { namespace: namespace.clone(), ..change.clone() }.encode(&mut attributes);
        let request = message(link.index, flags, mask, attributes).ok_or_else(|| doing.too_long())?;
        self.execute(doing, Rtm::Newlink, NlmF::empty(), request)
    }

    /// Deletes a device.
    ///
    /// # Errors
    /// [`Error`]; `ENODEV` when it is not there.
    pub fn delete_link(&mut self, link: &Link) -> Result<(), Error> {
        let doing = Doing { operation: "delete device", object: &link.name };
        let request = message(link.index, Iff::empty(), Iff::empty(), Writer::new()).ok_or_else(|| doing.too_long())?;
        self.execute(doing, Rtm::Dellink, NlmF::empty(), request)
    }
}
