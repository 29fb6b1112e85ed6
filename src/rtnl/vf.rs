//! Virtual functions of a network card (SR-IOV), which their physical function's device is told about.
//!
//! Where the truth is: `IFLA_VFINFO_LIST` and `IFLA_VF_*` in `include/uapi/linux/if_link.h`, `do_setvfinfo` in
//! `net/core/rtnetlink.c` (Linux v6.12).

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Ifla, RtaType, Rtm};
use neli::neli_enum;

use super::attr::Writer;
use super::link::{Link, message};
use super::{Doing, Error, Rtnl};
use crate::name::MacAddress;

/// `IFLA_VF_INFO`.
#[neli_enum(serialized_type = "u16")]
enum IflaVfInfo {
    Info = 1,
}

/// `IFLA_VF_*`.
#[neli_enum(serialized_type = "u16")]
enum IflaVf {
    /// `IFLA_VF_MAC`.
    Mac = 1,
    /// `IFLA_VF_VLAN`.
    Vlan = 2,
    /// `IFLA_VF_TRUST`.
    Trust = 9,
}

impl RtaType for IflaVfInfo {}
impl RtaType for IflaVf {}

/// What is to change on a virtual function; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VfChange {
    /// Its Ethernet address, also for a guest that has the whole function.
    pub mac: Option<MacAddress>,
    /// The VLAN that the card tags its frames with, below 4,095; 0 for none.
    pub vlan: Option<u16>,
    /// The priority that goes into the tag, together with a VLAN.
    pub qos: u8,
    /// Whether its driver may change what the host has set, such as the address (since Linux 4.4).
    pub trusted: Option<bool>,
}

impl VfChange {
    fn encode(&self, number: u32, w: &mut Writer<Ifla>) {
        /// `MAX_ADDR_LEN`, the room for an address.
        const ADDRESS: usize = 32;
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        w.nest(Ifla::VfinfoList, |list| {
            list.nest(IflaVfInfo::Info, |info| {
                if let Some(mac) = self.mac {
                    let mut bytes = words(&[number]);
                    bytes.extend(mac.octets());
                    bytes.resize(size_of::<u32>() + ADDRESS, 0);
                    info.put(IflaVf::Mac, bytes);
                }
                if let Some(vlan) = self.vlan {
                    info.put(IflaVf::Vlan, words(&[number, vlan.into(), self.qos.into()]));
                }
                if let Some(trusted) = self.trusted {
                    info.put(IflaVf::Trust, words(&[number, trusted.into()]));
                }
            });
        });
    }
}

impl Rtnl {
    /// Changes a virtual function of a device, in one request.
    ///
    /// # Errors
    /// [`Error`]; `EOPNOTSUPP` when the device has none, `EINVAL` when it has not this one.
    pub fn set_vf(&mut self, link: &Link, number: u32, change: &VfChange) -> Result<(), Error> {
        let object = format!("{number} of {}", link.name);
        let doing = Doing { operation: "change virtual function", object: &object };
        let mut attributes = Writer::new();
        change.encode(number, &mut attributes);
        let request = message(link.index, Iff::empty(), Iff::empty(), attributes).ok_or_else(|| doing.too_long())?;
        self.execute(doing, Rtm::Newlink, NlmF::empty(), request)
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    fn bytes(change: VfChange) -> String {
        let mut writer = Writer::new();
        change.encode(3, &mut writer);
        let bytes = writer.bytes().unwrap();
        bytes.chunks(4).map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + " ").collect()
    }

    /// What `ip link set eth0 vf 3 mac fa:16:3e:00:00:01 vlan 100 qos 5` of iproute2 6.1 sends behind the header.
    #[test]
    fn an_address_and_a_vlan_are_what_ip_sends() {
        let mac = Some(MacAddress([0xfa, 0x16, 0x3e, 0, 0, 1]));
        let change = VfChange { mac, vlan: Some(100), qos: 5, trusted: None };
        let wanted = "40001600 3c000100 28000100 03000000 fa163e00 00010000 00000000 00000000 00000000 00000000 \
                      00000000 00000000 10000200 03000000 64000000 05000000 ";
        assert_eq!(bytes(change), wanted);
    }

    /// `ip link set eth0 vf 3 trust on`, and `off`.
    #[test]
    fn trust_is_what_ip_sends() {
        let trust = |trusted| bytes(VfChange { trusted: Some(trusted), ..VfChange::default() });
        assert_eq!(trust(true), "14001600 10000100 0c000900 03000000 01000000 ");
        assert_eq!(trust(false), "14001600 10000100 0c000900 03000000 00000000 ");
    }
}
