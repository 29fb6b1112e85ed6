//! The one place where a router's names are made.
//!
//! Owns: names of namespaces, devices and chains.
//! Never: gives two things one name. A name has room for the start of an identifier only; where two identifiers start
//! alike, devices are refused, as others look for them under that very name, and chains are named by a hash instead.
//!
//! Invariant: a thing that stands keeps its name, whatever comes beside it: the chain of a label has its counters. A new thing's
//! name depends on its identifier and on what is there. Another process finds out from the chains that stand who has a
//! hash ([`Given::found`]), and gives everything the name that it had.
//!
//! Where the truth is: neutron's `agent/l3` and its drivers: `qr-` and `qg-` with 11 characters, `pf-` with 8, `cth-`
//! with 7, labels with 12.
//!
//! How it is tested: here, and by `tests/l3_router`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::rules::counting_chain;
use super::state::{Id, Role, Router, StateError};
use crate::name::InterfaceName;

/// What devices in networks of guests are called, as a prefix.
pub(super) const INTERNAL: &str = "qr-";
const INTERNAL_AT_SNAT: &str = "sg-";
const EXTERNAL: &str = "qg-";
const FORWARDING: &str = "pf-";
const HELPER: &str = "cth-";
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

/// Names that chains have already, by identifier.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    forwardings: BTreeMap<Id, String>,
    helpers: BTreeMap<Id, String>,
    labels: BTreeMap<Id, String>,
}

impl Given {
    /// The names of what stands.
    pub(super) fn standing(router: &Router, names: &Names) -> Self {
        let zip = |ids: Vec<&Id>, names: &[String]| ids.into_iter().cloned().zip(names.iter().cloned()).collect();
        Self {
            forwardings: zip(forwardings(router), &names.forwardings),
            helpers: zip(helpers(router), &names.helpers),
            labels: zip(labels(router), &names.labels),
        }
    }

    /// The names that an earlier process has given, as far as its chains tell: those that are hashes. A name that is the start of
    /// several identifiers could be any one's, and is nobody's.
    pub(super) fn found(router: &Router, stands: impl Fn(&str) -> bool) -> Self {
        let hashed = |prefix: &str, ids: Vec<&Id>, room: usize, chain: &dyn Fn(&str) -> bool| {
            let named = ids.into_iter().map(|id| (id.clone(), format!("{prefix}{}", hash(id, room - prefix.len()))));
            named.filter(|(_, name)| chain(name)).collect()
        };
        Self {
            forwardings: hashed(FORWARDING, forwardings(router), CHAIN, &stands),
            helpers: hashed(HELPER, helpers(router), CHAIN, &stands),
            labels: hashed("", labels(router), LABEL, &|name| stands(&counting_chain(name))),
        }
    }
}

fn forwardings(router: &Router) -> Vec<&Id> {
    router.forwardings.iter().map(|forwarding| &forwarding.id).collect()
}

fn helpers(router: &Router) -> Vec<&Id> {
    router.helpers.iter().map(|helper| &helper.id).collect()
}

fn labels(router: &Router) -> Vec<&Id> {
    router.labels.iter().map(|label| &label.id).collect()
}

impl Names {
    /// The names of a router's things, of which nothing stands.
    ///
    /// # Errors
    /// [`StateError::Device`] and [`StateError::Chain`].
    pub fn of(router: &Router) -> Result<Self, StateError> {
        Self::beside(router, &Given::default())
    }

    /// The names of a router's things, of which some have names already.
    ///
    /// # Errors
    /// As [`of`](Names::of).
    pub(super) fn beside(router: &Router, given: &Given) -> Result<Self, StateError> {
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
        Ok(Self {
            namespace: format!("{namespace}{}", router.id),
            external,
            ports,
            forwardings: unique(FORWARDING, &forwardings(router), CHAIN, &given.forwardings)?,
            helpers: unique(HELPER, &helpers(router), CHAIN, &given.helpers)?,
            labels: unique("", &labels(router), LABEL, &given.labels)?,
        })
    }
}

fn device(prefix: &str, id: &Id) -> Result<InterfaceName, StateError> {
    Ok(InterfaceName::new(&format!("{prefix}{}", id.first(DEVICE)))?)
}

/// For each identifier the name that it has, or the prefix and its start, as long as there is room. Where that is another one's,
/// or several that come start alike, each of these has a hash of the whole identifier instead: the names of what comes together
/// do not depend on the order.
fn unique(prefix: &str, ids: &[&Id], room: usize, given: &BTreeMap<Id, String>) -> Result<Vec<String>, StateError> {
    let width = room.saturating_sub(prefix.len());
    let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in ids.iter().filter(|id| !given.contains_key(id)) {
        *starts.entry(id.first(width)).or_default() += 1;
    }
    let held: BTreeSet<&str> = ids.iter().filter_map(|id| given.get(id)).map(String::as_str).collect();
    let mut taken: BTreeMap<String, &Id> = BTreeMap::new();
    let mut names = Vec::with_capacity(ids.len());
    for id in ids {
        let start = id.first(width);
        let name = match (given.get(id), format!("{prefix}{start}")) {
            (Some(name), _) => name.clone(),
            (None, name) if starts.get(start) == Some(&1) && !held.contains(&*name) => name,
            (None, _) => format!("{prefix}{}", hash(id, width)),
        };
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
    use crate::l3_router::state::MeteringLabel;

    fn unique(prefix: &str, ids: &[&Id], room: usize) -> Result<Vec<String>, StateError> {
        super::unique(prefix, ids, room, &BTreeMap::new())
    }

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

    /// The fault that a label's chain, with what it had counted, went when another of the same start came.
    #[test]
    fn what_stands_keeps_its_name() {
        let label = |name: &str| MeteringLabel { id: Id::new(name).unwrap(), rules: Vec::new() };
        let with = |labels: &[&str]| Router {
            labels: labels.iter().map(|name| label(name)).collect(),
            ..Router::new(Id::new("r").unwrap())
        };
        let (one, two, three) = ("c5df2fe5-c600-1", "c5df2fe5-c600-2", "c5df2fe5-c600-3");
        let first = with(&[one]);
        let names = Names::of(&first).unwrap();
        let both = with(&[two, one]);
        let given = Given::standing(&first, &names);
        let later = Names::beside(&both, &given).unwrap();
        assert_eq!(later.labels[1], names.labels[0]);
        assert_ne!(later.labels[0], later.labels[1]);
        // Another process, which finds these chains.
        let stands = |name: &str| later.labels.iter().any(|label| counting_chain(label) == name);
        let again = |router: &Router| Names::beside(router, &Given::found(router, stands)).unwrap();
        assert_eq!(again(&both), later);
        assert_eq!(again(&with(&[two])).labels, later.labels[..1]);
        assert_eq!(again(&with(&[one])).labels, later.labels[1..]);
        // Whose the start is cannot be told when another came meanwhile: it is nobody's.
        let all = again(&with(&[one, two, three]));
        assert_eq!(all.labels[1], later.labels[0]);
        assert!(![&all.labels[0], &all.labels[2]].contains(&&later.labels[1]));
        // In one that knows, the second keeps its name when the first goes.
        let left = with(&[two]);
        assert_eq!(Names::beside(&left, &Given::standing(&both, &later)).unwrap().labels, later.labels[..1]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let ids = ids(&["one", "one"]);
        assert!(matches!(unique("pf-", &[&ids[0], &ids[1]], CHAIN), Err(StateError::Chain { .. })));
    }
}
