//! The one place where a router's names are made.
//!
//! Owns: names of namespaces, devices and chains.
//! Never: gives two things one name. A name has room for the start of an identifier only; where two identifiers start
//! alike, devices are refused, as others look for them under that very name, and chains are named by a hash instead.
//!
//! Invariant: names depend on the state alone, so that another process gives the same ones.
//!
//! Where the truth is: neutron's `agent/l3` and its drivers: `qr-` and `qg-` with 11 characters, `pf-` with 8, `cth-`
//! with 7, labels with 12.
//!
//! How it is tested: here, and by `tests/l3_router`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::state::{Id, Role, Router, StateError};
use crate::name::InterfaceName;

/// What devices in networks of guests are called, as a prefix.
pub(super) const INTERNAL: &str = "qr-";
const INTERNAL_AT_SNAT: &str = "sg-";
const EXTERNAL: &str = "qg-";
/// How much of a port's identifier is in the name of its device.
const DEVICE: usize = 11;
/// The longest own part of a wrapped chain: what the 28 characters of iptables leave behind `neutron-l3-agent-`.
const CHAIN: usize = 11;
/// How much of a label's identifier is in the names of its chains.
const LABEL: usize = 12;

/// The names of what a router has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The namespace.
    pub namespace: String,
    /// The device that leads outside.
    pub external: Option<InterfaceName>,
    /// The ports' devices, in the ports' order.
    pub ports: Vec<InterfaceName>,
    /// The forwardings' chains, in their order.
    pub forwardings: Vec<String>,
    /// The helpers' chains, in their order.
    pub helpers: Vec<String>,
    /// The labels' parts of their chains' names (`l-` and `r-` stand in front), in their order.
    pub labels: Vec<String>,
}

impl Names {
    /// The names of a router's things.
    ///
    /// # Errors
    /// [`StateError::Device`] and [`StateError::Chain`].
    pub fn of(router: &Router) -> Result<Self, StateError> {
        let (namespace, internal) = match router.role {
            Role::Snat => ("snat-", INTERNAL_AT_SNAT),
            Role::Centralized | Role::Compute { .. } => ("qrouter-", INTERNAL),
        };
        let external = match (&router.role, &router.gateway) {
            (Role::Compute { external }, _) => external.clone(),
            (_, Some(gateway)) => Some(device(EXTERNAL, &gateway.id)?),
            (_, None) => None,
        };
        let ports = router.ports.iter().map(|port| device(internal, &port.id)).collect::<Result<Vec<_>, _>>()?;
        for (at, device) in ports.iter().enumerate() {
            if let Some(before) = ports.iter().take(at).position(|other| other == device) {
                let id = |at: usize| router.ports.get(at).map_or(&router.id, |port| &port.id).clone();
                return Err(StateError::Device { device: device.clone(), first: id(before), second: id(at) });
            }
        }
        let forwardings: Vec<&Id> = router.forwardings.iter().map(|forwarding| &forwarding.id).collect();
        let helpers: Vec<&Id> = router.helpers.iter().map(|helper| &helper.id).collect();
        let labels: Vec<&Id> = router.labels.iter().map(|label| &label.id).collect();
        Ok(Self {
            namespace: format!("{namespace}{}", router.id),
            external,
            ports,
            forwardings: unique("pf-", &forwardings, CHAIN)?,
            helpers: unique("cth-", &helpers, CHAIN)?,
            labels: unique("", &labels, LABEL)?,
        })
    }
}

fn device(prefix: &str, id: &Id) -> Result<InterfaceName, StateError> {
    Ok(InterfaceName::new(&format!("{prefix}{}", id.first(DEVICE)))?)
}

/// For each identifier the prefix and its start, as long as there is room. Those that start alike have a hash of the whole
/// identifier instead, each of them: the names do not depend on which was first.
fn unique(prefix: &str, ids: &[&Id], room: usize) -> Result<Vec<String>, StateError> {
    let width = room.saturating_sub(prefix.len());
    let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in ids {
        *starts.entry(id.first(width)).or_default() += 1;
    }
    let mut taken: BTreeMap<String, &Id> = BTreeMap::new();
    let mut names = Vec::with_capacity(ids.len());
    for id in ids {
        let start = id.first(width);
        let own = if starts.get(start) == Some(&1) { start.to_owned() } else { hash(id, width) };
        let name = format!("{prefix}{own}");
        if let Some(first) = taken.insert(name.clone(), id) {
            return Err(StateError::Chain { chain: name, first: first.clone(), second: (*id).clone() });
        }
        names.push(name);
    }
    Ok(names)
}

/// Hexadecimal digits that tell an identifier from others.
fn hash(id: &Id, width: usize) -> String {
    let mut text = String::with_capacity(width + 1);
    for byte in Sha256::digest(id.as_str()) {
        if text.len() >= width {
            break;
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(width);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<Id> {
        texts.iter().map(|text| Id::new(text).unwrap()).collect()
    }

    #[test]
    fn a_name_is_the_start_of_its_identifier() {
        let ids = ids(&["0d1b5cc4-1111", "1d1b5cc4-2222"]);
        let names = unique("pf-", &ids.iter().collect::<Vec<_>>(), CHAIN).unwrap();
        assert_eq!(names, ["pf-0d1b5cc4", "pf-1d1b5cc4"]);
        assert_eq!(unique("cth-", &[&ids[0]], CHAIN).unwrap(), ["cth-0d1b5cc"]);
    }

    #[test]
    fn names_that_would_be_cut_to_the_same_are_hashes() {
        let ids = ids(&["0d1b5cc4-1111", "0d1b5cc4-2222", "other"]);
        let all: Vec<&Id> = ids.iter().collect();
        let names = unique("pf-", &all, CHAIN).unwrap();
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() <= CHAIN && name.starts_with("pf-")), "{names:?}");
        assert_eq!(names[2], "pf-other");
        let turned = unique("pf-", &[all[1], all[0]], CHAIN).unwrap();
        assert_eq!((&turned[0], &turned[1]), (&names[1], &names[0]), "whatever the order");
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let ids = ids(&["one", "one"]);
        assert!(matches!(unique("pf-", &[&ids[0], &ids[1]], CHAIN), Err(StateError::Chain { .. })));
    }
}
