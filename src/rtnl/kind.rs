//! Kinds of devices and the options that belong to them; attribute types that neli does not have.
//!
//! Where the truth is: `include/uapi/linux/if_link.h`, `net/bridge/br_netlink.c`, `drivers/net/veth.c`,
//! `net/8021q/vlan_netlink.c` (Linux v6.12).

use neli::consts::rtnl::{Ifla, IflaInfo, IflaVlan, RtaType};
use neli::neli_enum;

use super::attr::{BadPayload, Received, Writer};
use crate::name::{InterfaceName, MacAddress};
use crate::netlink::namespace::Namespace;

/// Options of a bridge: `IFLA_BR_*`.
#[neli_enum(serialized_type = "u16")]
pub enum IflaBr {
    /// `IFLA_BR_FORWARD_DELAY`, in hundredths of a second.
    ForwardDelay = 1,
    /// `IFLA_BR_AGEING_TIME`, in hundredths of a second.
    AgeingTime = 4,
    /// `IFLA_BR_STP_STATE`.
    StpState = 5,
    /// `IFLA_BR_VLAN_FILTERING`.
    VlanFiltering = 7,
    /// `IFLA_BR_GROUP_FWD_MASK`.
    GroupFwdMask = 9,
    /// `IFLA_BR_MCAST_SNOOPING`.
    McastSnooping = 23,
    /// `IFLA_BR_NF_CALL_IPTABLES`.
    NfCallIptables = 36,
    /// `IFLA_BR_NF_CALL_IP6TABLES`.
    NfCallIp6tables = 37,
}

/// Options of a bridge's port: `IFLA_BRPORT_*`.
#[neli_enum(serialized_type = "u16")]
pub enum IflaBrport {
    /// `IFLA_BRPORT_MODE`: hairpin.
    Mode = 4,
    /// `IFLA_BRPORT_LEARNING`.
    Learning = 8,
    /// `IFLA_BRPORT_UNICAST_FLOOD`.
    UnicastFlood = 9,
    /// `IFLA_BRPORT_ISOLATED` (since Linux 4.18).
    Isolated = 33,
}

/// The other end of a pair: `VETH_INFO_*`.
#[neli_enum(serialized_type = "u16")]
pub enum VethInfo {
    /// `VETH_INFO_PEER`: an `ifinfomsg` and its attributes.
    Peer = 1,
}

impl RtaType for IflaBr {}
impl RtaType for IflaBrport {}
impl RtaType for VethInfo {}

/// Options of a bridge; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bridge {
    /// How long a port listens and learns before it forwards, in hundredths of a second.
    pub forward_delay: Option<u32>,
    /// Whether the bridge takes part in the spanning-tree protocol.
    pub stp: Option<bool>,
    /// How long an address is remembered that was not seen, in hundredths of a second.
    pub ageing_time: Option<u32>,
    /// Whether ports tell VLANs apart.
    pub vlan_filtering: Option<bool>,
    /// Link-local groups that are forwarded against the standard, one bit each.
    pub group_forward_mask: Option<u16>,
    /// Whether multicast goes only to ports that asked for it.
    pub multicast_snooping: Option<bool>,
    /// Whether its packets of IPv4 pass the tables, also where the namespace's setting says no; `None` in a kernel without
    /// bridge netfilter.
    pub nf_call_iptables: Option<bool>,
    /// The same for IPv6.
    pub nf_call_ip6tables: Option<bool>,
}

impl Bridge {
    fn decode(data: &[Received<'_>]) -> Result<Self, BadPayload> {
        let mut bridge = Self::default();
        for attribute in data {
            match IflaBr::from(attribute.kind) {
                IflaBr::ForwardDelay => bridge.forward_delay = Some(attribute.u32()?),
                IflaBr::AgeingTime => bridge.ageing_time = Some(attribute.u32()?),
                IflaBr::StpState => bridge.stp = Some(attribute.u32()? != 0),
                IflaBr::VlanFiltering => bridge.vlan_filtering = Some(attribute.u8()? != 0),
                IflaBr::GroupFwdMask => bridge.group_forward_mask = Some(attribute.u16()?),
                IflaBr::McastSnooping => bridge.multicast_snooping = Some(attribute.u8()? != 0),
                IflaBr::NfCallIptables => bridge.nf_call_iptables = Some(attribute.u8()? != 0),
                IflaBr::NfCallIp6tables => bridge.nf_call_ip6tables = Some(attribute.u8()? != 0),
                IflaBr::UnrecognizedConst(_) => {}
            }
        }
        Ok(bridge)
    }

    pub(super) fn encode(&self, w: &mut Writer<IflaBr>) {
        if let Some(delay) = self.forward_delay {
            w.u32(IflaBr::ForwardDelay, delay);
        }
        if let Some(time) = self.ageing_time {
            w.u32(IflaBr::AgeingTime, time);
        }
        if let Some(on) = self.stp {
            w.u32(IflaBr::StpState, on.into());
        }
        if let Some(on) = self.vlan_filtering {
            w.u8(IflaBr::VlanFiltering, on.into());
        }
        if let Some(mask) = self.group_forward_mask {
            w.u16(IflaBr::GroupFwdMask, mask);
        }
        if let Some(on) = self.multicast_snooping {
            w.u8(IflaBr::McastSnooping, on.into());
        }
        if let Some(on) = self.nf_call_iptables {
            w.u8(IflaBr::NfCallIptables, on.into());
        }
        if let Some(on) = self.nf_call_ip6tables {
            w.u8(IflaBr::NfCallIp6tables, on.into());
        }
    }
}

/// Options of a bridge's port; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Port {
    /// Whether a frame may go back to the port that it came from.
    pub hairpin: Option<bool>,
    /// Whether source addresses are learned here.
    pub learning: Option<bool>,
    /// Whether frames to unknown addresses go out here.
    pub flood: Option<bool>,
    /// Whether frames of other isolated ports are kept out (since Linux 4.18).
    pub isolated: Option<bool>,
}

impl Port {
    pub(super) fn decode(data: &[Received<'_>]) -> Result<Self, BadPayload> {
        let mut port = Self::default();
        for attribute in data {
            let field = match IflaBrport::from(attribute.kind) {
                IflaBrport::Mode => &mut port.hairpin,
                IflaBrport::Learning => &mut port.learning,
                IflaBrport::UnicastFlood => &mut port.flood,
                IflaBrport::Isolated => &mut port.isolated,
                IflaBrport::UnrecognizedConst(_) => continue,
            };
            *field = Some(attribute.u8()? != 0);
        }
        Ok(port)
    }

    pub(super) fn encode(&self, w: &mut Writer<IflaBrport>) {
        let options = [
            (IflaBrport::Mode, self.hairpin),
            (IflaBrport::Learning, self.learning),
            (IflaBrport::UnicastFlood, self.flood),
            (IflaBrport::Isolated, self.isolated),
        ];
        for (kind, on) in options {
            if let Some(on) = on {
                w.u8(kind, on.into());
            }
        }
    }
}

/// The other end of a veth pair that is to be made.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its name.
    pub name: InterfaceName,
    /// Its namespace; `None` for that of the first end.
    pub namespace: Option<Namespace>,
    /// Its Ethernet address; `None` for a random one.
    pub mac: Option<MacAddress>,
    /// Its MTU; `None` for 1500.
    pub mtu: Option<u32>,
}

/// What kind of device is to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Kind {
    /// A bridge.
    Bridge(Bridge),
    /// The frames of a device that carry a VLAN tag.
    Vlan {
        /// The device, by its index.
        parent: u32,
        /// The tag's number, below 4,095.
        id: u16,
    },
    /// A pair of devices, each of which receives what the other sends.
    Veth(Peer),
    /// A device that drops what it sends.
    Dummy,
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bridge(_) => "bridge",
            Self::Vlan { .. } => "vlan",
            Self::Veth(_) => "veth",
            Self::Dummy => "dummy",
        }
    }

    pub(super) fn encode(&self, w: &mut Writer<Ifla>) {
        if let Self::Vlan { parent, .. } = self {
            w.u32(Ifla::Link, *parent);
        }
        w.nest(Ifla::Linkinfo, |info| {
            info.string(IflaInfo::Kind, self.name());
            match self {
                Self::Bridge(bridge) => info.nest(IflaInfo::Data, |data| bridge.encode(data)),
                Self::Vlan { id, .. } => info.nest(IflaInfo::Data, |data| data.u16(IflaVlan::Id, *id)),
                Self::Veth(peer) => info.nest(IflaInfo::Data, |data: &mut Writer<VethInfo>| peer.encode(data)),
                Self::Dummy => {}
            }
        });
    }
}

impl Peer {
    fn encode(&self, w: &mut Writer<VethInfo>) {
        /// The size of an `ifinfomsg`, of which the peer takes the defaults.
        const IFINFOMSG: usize = 16;
        let mut inner = Writer::new();
        inner.string(Ifla::Ifname, self.name.as_str());
        if let Some(mac) = self.mac {
            inner.put(Ifla::Address, mac.0);
        }
        if let Some(mtu) = self.mtu {
            inner.u32(Ifla::Mtu, mtu);
        }
        if let Some(fd) = self.namespace.as_ref().and_then(Namespace::descriptor) {
            inner.put(Ifla::NetNsFd, fd.to_ne_bytes());
        }
        let mut bytes = vec![0; IFINFOMSG];
        bytes.extend(inner.bytes().unwrap_or_default());
        w.put(VethInfo::Peer, bytes);
    }
}

/// What a device is and how it is set, as the kernel shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// A bridge.
    Bridge(Bridge),
    /// A VLAN of another device.
    Vlan {
        /// The tag's number.
        id: u16,
    },
    /// Any other device.
    #[default]
    Other,
}

impl Data {
    pub(super) fn decode(kind: &str, data: &[Received<'_>]) -> Result<Self, BadPayload> {
        Ok(match kind {
            "bridge" => Self::Bridge(Bridge::decode(data)?),
            "vlan" => match data.iter().find(|a| a.kind == u16::from(IflaVlan::Id)) {
                Some(id) => Self::Vlan { id: id.u16()? },
                None => Self::Other,
            },
            _ => Self::Other,
        })
    }
}
