//! Security groups, typed.
//!
//! Owns: groups and rules that fit together: no port without a protocol that has ports, no
//! prefix of the other family.
//! Never: reads a tenant's text ([`input`](super::input) does).

use ipnetwork::IpNetwork;

use super::identifier::identifier;
use super::input::Why;
use super::service::{Dialect, Service};
use crate::name::IpsetName;
use crate::rule::matches::{Set, SetDirection};
use crate::rule::{Family, Match, Not, Rule, Target};

identifier!(
    /// A security group's identifier, usually a UUID.
    GroupId,
    "group id"
);
identifier!(
    /// The identifier of a group's rule.
    RuleId,
    "rule id"
);

/// Seen from the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Direction {
    /// To the instance.
    #[default]
    Ingress,
    /// From the instance.
    Egress,
}

/// The other side of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Remote {
    /// Anybody.
    #[default]
    Any,
    /// Addresses in a prefix.
    Prefix(IpNetwork),
    /// The members of a group.
    Group(GroupId),
}

/// One rule: what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupRule {
    /// Its identifier, for messages.
    pub id: RuleId,
    /// To the instance, or from it.
    pub direction: Direction,
    /// The family; `None` is both, which a rule with a prefix never is.
    pub family: Option<Family>,
    /// What is allowed.
    pub service: Service,
    /// With whom.
    pub remote: Remote,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its identifier.
    pub id: GroupId,
    /// Its rules, in order.
    pub rules: Vec<GroupRule>,
    /// Whether replies are allowed without a rule. Without, connections of its ports are not tracked.
    pub stateful: bool,
}

impl SecurityGroup {
    /// A stateful group.
    #[must_use]
    pub fn new(id: GroupId, rules: Vec<GroupRule>) -> Self {
        Self { id, rules, stateful: true }
    }

    /// The groups whose members its rules name.
    pub fn remote_groups(&self) -> impl Iterator<Item = &GroupId> {
        self.rules.iter().filter_map(|rule| match &rule.remote {
            Remote::Group(group) => Some(group),
            Remote::Any | Remote::Prefix(_) => None,
        })
    }
}

impl GroupRule {
    /// Whether it says anything about the family.
    #[must_use]
    pub fn is_of(&self, family: Family) -> bool {
        let prefix = match &self.remote {
            Remote::Prefix(prefix) => Some(Family::of(prefix.ip())),
            Remote::Any | Remote::Group(_) => None,
        };
        let said = [self.family, prefix].into_iter().flatten();
        said.into_iter().all(|own| own == family) && self.service.is_of(family)
    }

    /// Whether its parts fit together, so that there are packets that it allows.
    ///
    /// # Errors
    /// [`Why`] names the part that does not fit.
    pub fn check(&self) -> Result<(), Why> {
        self.service.check()?;
        if Family::BOTH.into_iter().any(|family| self.is_of(family)) { Ok(()) } else { Err(Why::NoFamily) }
    }

    /// The rule of iptables, when it is of the family. `set` names the set of a group's members.
    pub fn rule(
        &self,
        family: Family,
        dialect: Dialect,
        target: Target,
        set: impl FnOnce(&GroupId) -> IpsetName,
    ) -> Option<Rule> {
        if !self.is_of(family) {
            return None;
        }
        let mut rule = Rule::new();
        if let Remote::Prefix(prefix) = self.remote {
            rule = match self.direction {
                Direction::Ingress => rule.source(prefix),
                Direction::Egress => rule.destination(prefix),
            };
        }
        rule = self.service.limit(rule, family, dialect);
        if let Remote::Group(group) = &self.remote {
            let direction = match self.direction {
                Direction::Ingress => SetDirection::Source,
                Direction::Egress => SetDirection::Destination,
            };
            rule = rule.matching(member_of(set(group), direction));
        }
        Some(rule.target(target))
    }
}

/// `-m set --match-set NAME src` or `dst`.
fn member_of(name: IpsetName, direction: SetDirection) -> Match {
    Match::Set(Box::new(Set {
        name: Not::is(name),
        directions: vec![direction],
        return_nomatch: false,
        keep_counters: false,
        keep_subcounters: false,
        packets: None,
        bytes: None,
    }))
}
