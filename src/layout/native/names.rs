//! The names that the compiler gives.
//!
//! Owns: how tables, bodies and sets are called.
//! Never: gives a name twice; numbers come from those who make the things.
//!
//! Invariant: what the compiler names has a slash after the first part, and no chain of a model that
//! [`Names::is_ours`] refuses does.

use super::hash::Hash;
use crate::name::{ChainName, IpsetName, NameError, SetName, TableName, WrapName};
use crate::wrap::{SetKind, TableKind};

/// What is in front of names when the model has no component.
const WITHOUT_COMPONENT: &str = "nftwrap";

/// What the name of a chain has in which another one goes on.
const REST: &str = "/rest/";

/// Whether another chain goes on in the chain of that name.
pub(super) fn is_rest(name: &ChainName) -> bool {
    name.as_str().contains(REST)
}

/// The name that rules have for a set of their table, of whatever component.
pub(super) fn named_set(set: &str) -> Option<IpsetName> {
    let (_, rest) = set.split_once('/')?;
    let (kind, name) = rest.split_once('/')?;
    let is_kind = [SetKind::Addresses, SetKind::Prefixes].into_iter().any(|known| known.to_string() == kind);
    is_kind.then(|| IpsetName::new(name).ok()).flatten()
}

/// The names of one component in one group.
#[derive(Debug, Clone)]
pub(super) struct Names {
    group: String,
    prefix: String,
}

impl Names {
    pub(super) fn new(group: Option<&WrapName>, component: Option<&WrapName>) -> Self {
        let prefix = component.map_or(WITHOUT_COMPONENT, WrapName::as_str).to_owned();
        let group = group.map_or_else(|| prefix.clone(), |group| group.as_str().to_owned());
        Self { group, prefix }
    }

    /// The table of that kind, in both families.
    pub(super) fn table(&self, kind: TableKind) -> Result<TableName, NameError> {
        TableName::new(&format!("{}-{}", self.group, kind.name()))
    }

    /// The body of that number.
    pub(super) fn body(&self, number: u32) -> Option<ChainName> {
        ChainName::new(&format!("{}/{number}", self.prefix)).ok()
    }

    /// The verdict map of the choice map of that number.
    pub(super) fn actions(&self, number: u32) -> Result<SetName, NameError> {
        SetName::new(&format!("{}/actions/{number}", self.prefix))
    }

    /// What a chain that was cut goes on in, told by what it is the rest of.
    pub(super) fn rest(&self, what: &impl std::hash::Hash) -> Option<ChainName> {
        let Hash([a, b, c, d, e, f, g, h, ..]) = Hash::of(what);
        // A name of the model can be longer than what the directory holds. No number is to be read from it.
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        ChainName::new(&format!("{}{REST}x{hash:016x}", self.prefix)).ok()
    }

    /// The directory of chains.
    pub(super) fn directory(&self) -> Result<SetName, NameError> {
        SetName::new(&format!("{}/chains", self.prefix))
    }

    /// The map or set of a run.
    pub(super) fn run(&self, number: u32) -> Result<SetName, NameError> {
        SetName::new(&format!("{}/map/{number}", self.prefix))
    }

    /// A constant set.
    pub(super) fn constant(&self, number: u32) -> Result<SetName, NameError> {
        SetName::new(&format!("{}/set/{number}", self.prefix))
    }

    /// The set or map of a family.
    pub(super) fn family(&self, number: u32) -> Result<SetName, NameError> {
        SetName::new(&format!("{}/family/{number}", self.prefix))
    }

    /// A set that rules name.
    pub(super) fn named(&self, kind: SetKind, name: &IpsetName) -> Result<SetName, NameError> {
        SetName::new(&format!("{}/{kind}/{name}", self.prefix))
    }

    /// Whether a chain's name is one that the compiler could give.
    pub(super) fn is_ours(&self, chain: &ChainName) -> bool {
        chain.as_str().strip_prefix(self.prefix.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}
