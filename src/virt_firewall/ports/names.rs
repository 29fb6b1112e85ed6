//! The one place where names of ports' chains, devices, sets and zones are made.
//!
//! Owns: the two drivers' ways of naming, and who has which name.
//! Never: lets two ports, or two groups, have one name. neutron cuts names and looks no further; here the second port gets a
//! name made of a digest, and a device that another port has is refused.
//!
//! Invariant: names are functions of the port, but for the second one of a pair that is cut to the same.
//! Invariant: the name of a set is a function of group, family and kind; for a UUID in the tables of iptables it is what
//! neutron cuts, until a second group is cut to the same ([`groups`](super::super::groups)).

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::group::GroupId;
use super::PortError;
use super::port::{Port, PortId, cut, device};
use crate::name::{ChainName, InterfaceName, IpsetName};
use crate::rule::{ChainRef, Family};
use crate::wrap::SetKind;

/// Whose names and zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Driver {
    /// Each port has a bridge of its own before the switch: names of the port's identifier, a zone for each port.
    Hybrid,
    /// Ports of a network are on one bridge: names of the device, a zone for each network.
    Plain,
}

/// How packets of ports come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// Over a bridge, whose packets pass iptables (`net.bridge.bridge-nf-call-iptables`). A port is `-m physdev`, which
    /// nf_tables has no expression for: every packet passes a rule for each port.
    Bridged,
    /// Routed by the host. A port is `-i` and `-o`, which the native layout looks up.
    Routed,
}

/// What a zone is for: the device of a port, or the bridge of a network.
///
/// The whole name counts, and not the 11 characters that neutron keeps of it: ports whose devices are alike in these would
/// have one zone. A restart finds the device in the rule that gives the zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneKey(InterfaceName);

impl ZoneKey {
    /// The key of a device.
    #[must_use]
    pub fn new(device: InterfaceName) -> Self {
        Self(device)
    }
}

/// The longest own part of a chain's name with its letter in front.
const OWN: usize = 11;
/// The prefixes of devices have so many characters.
const PREFIX: usize = 3;
/// The longest part of a group's identifier in the name of a set, whose 29 characters leave room for two more.
const SET_ID: usize = 24;

fn without_prefix(device: &InterfaceName) -> &str {
    device.as_str().get(PREFIX..).unwrap_or_default()
}

impl Driver {
    /// The device between the port's bridge and the rest.
    pub(super) fn bridge_side(self, port: &Port) -> InterfaceName {
        match self {
            Self::Hybrid => device("qvb", port.id.as_str()),
            Self::Plain => device("brq", port.network.as_str()),
        }
    }

    /// The key of the port's zone.
    pub(super) fn zone_key(self, path: Path, port: &Port) -> ZoneKey {
        match (self, path) {
            (Self::Plain, Path::Bridged) => ZoneKey::new(self.bridge_side(port)),
            _ => ZoneKey::new(port.device.clone()),
        }
    }

    /// The key of the zone that a device's rule gives, if the driver reads it from this rule.
    pub(super) fn recovered_key(self, bridge_port: bool, path: Path, device: &InterfaceName) -> Option<ZoneKey> {
        let read = match (path, self) {
            (Path::Bridged, Self::Hybrid) => bridge_port && !device.as_str().starts_with("qvb"),
            (Path::Bridged, Self::Plain) => bridge_port && device.as_str().starts_with("brq"),
            (Path::Routed, _) => !bridge_port,
        };
        read.then(|| ZoneKey::new(device.clone()))
    }

    /// How comments call the port. A device loses four characters, as neutron has it: the comment is for people, and the
    /// same text for the same port is what keeps its rules in place when agents change.
    pub(super) fn shown(self, port: &Port) -> &str {
        let name = match self {
            Self::Hybrid => port.id.as_str(),
            Self::Plain => port.device.as_str(),
        };
        name.starts_with("tap").then(|| name.get(PREFIX + 1..)).flatten().unwrap_or(name)
    }

    fn suffix(self, port: &Port) -> &str {
        let name = match self {
            Self::Hybrid => port.id.as_str(),
            Self::Plain => without_prefix(&port.device),
        };
        cut(name, OWN - 1)
    }
}

/// The set of a group's members, under a name that no other group has: its identifier in full, or else a digest.
///
/// No identifier makes it the name of a digest, one that neutron cuts ([`cut_set_name`]), or one that an ipset has while it
/// is exchanged: a set's name with `-n` behind it.
pub(super) fn set_name(family: Family, kind: SetKind, group: &GroupId) -> IpsetName {
    let start = match kind {
        SetKind::Prefixes => 'N',
        SetKind::Addresses => 'H',
    };
    let id = group.as_str();
    let is_clear = id.len() <= SET_ID && !id.ends_with('-') && !id.ends_with("-n");
    // Identifiers have no character that a set cannot have.
    IpsetName::from_kernel(&if is_clear {
        format!("{start}{family}{id}")
    } else {
        let number = if family == Family::Ipv4 { 4 } else { 6 };
        // 104 bits.
        format!("{start}{number}{}", digest(id, 26))
    })
}

/// neutron's name of a set: the first 24 characters of an identifier, which has to be a UUID. There may be another with the
/// same.
pub(super) fn cut_set_name(family: Family, group: &GroupId) -> Option<IpsetName> {
    let id = group.as_str();
    let of_uuid = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let is_uuid = id.len() == 36 && id.bytes().enumerate().all(of_uuid);
    is_uuid.then(|| IpsetName::from_kernel(&format!("N{family}{}", cut(id, SET_ID))))
}

/// What a port's chains are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chains(Arc<str>);

/// Which of a port's chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChainOf {
    Ingress,
    Egress,
    AntiSpoof,
}

impl Chains {
    fn own(&self, chain: ChainOf) -> String {
        let letter = match chain {
            ChainOf::Ingress => 'i',
            ChainOf::Egress => 'o',
            ChainOf::AntiSpoof => 's',
        };
        format!("{letter}{}", self.0)
    }

    /// As the owner of the chain names it.
    pub(super) fn key(&self, chain: ChainOf) -> String {
        format!("${}", self.own(chain))
    }

    /// As a jump names it.
    pub(super) fn reference(&self, chain: ChainOf) -> ChainRef {
        ChainRef::Wrapped(ChainName::from_kernel(&self.own(chain)))
    }
}

/// Who has which name.
#[derive(Debug, Default)]
pub(super) struct Taken {
    chains: HashMap<Arc<str>, PortId>,
    devices: HashMap<InterfaceName, PortId>,
    of: HashMap<PortId, (Arc<str>, Vec<InterfaceName>)>,
}

impl Taken {
    /// The names of a port; a port that has some already may get others. When it is refused, nothing changes.
    pub(super) fn claim(&mut self, driver: Driver, port: &Port) -> Result<Chains, PortError> {
        let mut devices = vec![port.device.clone()];
        if driver == Driver::Hybrid {
            devices.push(driver.bridge_side(port));
        }
        for device in &devices {
            if let Some(other) = self.devices.get(device).filter(|other| **other != port.id) {
                let (port, device) = (port.id.clone(), device.clone());
                return Err(PortError::DeviceTaken { port, device, other: other.clone() });
            }
        }
        let free = |suffix: &str| self.chains.get(suffix).is_none_or(|owner| *owner == port.id) && !is_ours(suffix);
        let (short, long) = (driver.suffix(port).to_owned(), digest(port.id.as_str(), OWN - 1));
        let Some(suffix) = [short, long].into_iter().find(|suffix| free(suffix)) else {
            return Err(PortError::NameTaken { port: port.id.clone() });
        };
        self.release(&port.id);
        let suffix: Arc<str> = suffix.into();
        self.chains.insert(Arc::clone(&suffix), port.id.clone());
        self.devices.extend(devices.iter().map(|device| (device.clone(), port.id.clone())));
        self.of.insert(port.id.clone(), (Arc::clone(&suffix), devices));
        Ok(Chains(suffix))
    }

    pub(super) fn release(&mut self, id: &PortId) {
        if let Some((suffix, devices)) = self.of.remove(id) {
            self.chains.remove(&suffix);
            for device in &devices {
                self.devices.remove(device);
            }
        }
    }
}

/// Whether a port's chain would be called as one of ours: `sg-chain`, `sgi-0`.
fn is_ours(suffix: &str) -> bool {
    suffix.is_empty() || ["g-", "gi-", "ge-"].iter().any(|ours| suffix.starts_with(ours))
}

/// So many hexadecimal digits, an even number, of an identifier's digest.
fn digest(id: &str, digits: usize) -> String {
    Sha256::digest(id.as_bytes()).iter().take(digits / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::MacAddress;

    fn port(id: &str) -> Port {
        Port::new(id.parse().unwrap(), MacAddress([2, 0, 0, 0, 0, 1]), "77aa88bb-00cc".parse().unwrap())
    }

    #[test]
    fn names_are_cut_as_neutron_cuts_them() {
        let mut taken = Taken::default();
        let one = port("c0ffee01-1a2b-4c3d-8e4f-000000000001");
        for driver in [Driver::Hybrid, Driver::Plain] {
            let chains = taken.claim(driver, &one).unwrap();
            assert_eq!(chains.key(ChainOf::Ingress), "$ic0ffee01-1");
            assert_eq!(chains.reference(ChainOf::AntiSpoof).name().as_str(), "sc0ffee01-1");
        }
        assert_eq!(one.device.as_str(), "tapc0ffee01-1a");
        assert_eq!(Driver::Hybrid.bridge_side(&one).as_str(), "qvbc0ffee01-1a");
        assert_eq!(Driver::Plain.bridge_side(&one).as_str(), "brq77aa88bb-00");
        assert_eq!(Driver::Plain.shown(&one), "0ffee01-1a");
        assert_eq!(Driver::Hybrid.shown(&one), "c0ffee01-1a2b-4c3d-8e4f-000000000001");
        let group = "5f7f4c1e-9a3b-4c8d-8e21-0d4b6a7c9e10".parse().unwrap();
        assert_eq!(cut_set_name(Family::Ipv4, &group).unwrap().as_str(), "NIPv45f7f4c1e-9a3b-4c8d-8e21-");
        assert_eq!(set_name(Family::Ipv6, SetKind::Prefixes, &"default".parse().unwrap()).as_str(), "NIPv6default");
    }

    /// neutron D2, and the last part of 79.
    #[test]
    fn what_is_cut_to_the_same_is_told_apart_or_refused() {
        let mut taken = Taken::default();
        let first = taken.claim(Driver::Hybrid, &port("c0ffee01-1a2b")).unwrap();
        let second = taken.claim(Driver::Hybrid, &port("c0ffee01-1b2b")).unwrap();
        assert_ne!(first, second);
        assert!(second.key(ChainOf::Egress).len() <= 1 + OWN);
        assert_eq!(taken.claim(Driver::Hybrid, &port("c0ffee01-1b2b")).unwrap(), second);
        let error = taken.claim(Driver::Hybrid, &port("c0ffee01-1a2c")).unwrap_err();
        assert!(matches!(&error, PortError::DeviceTaken { other, .. } if other.as_str() == "c0ffee01-1a2b"), "{error}");
        let mut odd = port("c0ffee02");
        odd.device = "tapg-chain".parse().unwrap();
        assert_ne!(taken.claim(Driver::Plain, &odd).unwrap().key(ChainOf::AntiSpoof), "$sg-chain");
        taken.release(&first_id());
        assert!(taken.claim(Driver::Hybrid, &port("c0ffee01-1a2c")).is_ok());
    }

    /// But for what neutron cuts, which is dealt with where sets come and go, every set has a name of its own.
    #[test]
    fn sets_of_two_groups_never_have_one_name() {
        let uuid = "5f7f4c1e-9a3b-4c8d-8e21-0d4b6a7c9e10";
        let group = |id: &str| -> GroupId { id.parse().unwrap() };
        let mut ids: Vec<GroupId> = ["a", "a-n", "a-", "a-n-n", "N4", "default", uuid].map(group).to_vec();
        ids.extend([&uuid[..24], &uuid[..23], &uuid.to_uppercase(), &uuid.replace("9e10", "9e11")].map(group));
        ids.extend(
            [&"x".repeat(24), &"x".repeat(25), &"x".repeat(64), &format!("{}-n", "x".repeat(22))].map(|id| group(id)),
        );
        // An identifier that is the name of another's set.
        let name = |id: &str| set_name(Family::Ipv4, SetKind::Prefixes, &group(id));
        ids.extend([name(uuid).as_str(), &name(uuid).as_str()[2..], name("default").as_str()].map(group));
        let kinds = [SetKind::Addresses, SetKind::Prefixes];
        let mut names: Vec<IpsetName> = Vec::new();
        for id in &ids {
            names.extend(kinds.iter().flat_map(|kind| Family::BOTH.map(|family| set_name(family, *kind, id))));
        }
        names.extend([Family::Ipv4, Family::Ipv6].map(|family| cut_set_name(family, &group(uuid)).unwrap()));
        // What an ipset is called while it is exchanged.
        let exchanged: Vec<IpsetName> = names.iter().map(|name| format!("{name}-n").parse().unwrap()).collect();
        names.extend(exchanged);
        let once: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(once.len(), names.len());
        for other in [&uuid[..24], &uuid.to_uppercase(), "x", &uuid.replace('-', "_")] {
            assert_eq!(cut_set_name(Family::Ipv4, &group(other)), None, "{other}");
        }
    }

    /// neutron 79: a network's zone is that of its bridge, whose name has 11 characters of it.
    #[test]
    fn a_zone_is_of_a_device() {
        let of = |network: &str| Port { network: network.parse().unwrap(), ..port("c0ffee01") };
        let key = |path, port: &Port| Driver::Plain.zone_key(path, port);
        assert_eq!(key(Path::Bridged, &of("12345678901234567")), key(Path::Bridged, &of("12345678901")));
        assert_ne!(key(Path::Bridged, &of("12345678901")), key(Path::Bridged, &of("12345678902")));
        assert_eq!(key(Path::Routed, &of("1")), key(Path::Routed, &of("2")));
    }

    fn first_id() -> PortId {
        "c0ffee01-1a2b".parse().unwrap()
    }
}
