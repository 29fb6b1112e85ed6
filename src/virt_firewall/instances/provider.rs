//! What the provider forbids: one chain that every instance's traffic passes.
//!
//! Owns: such a rule, typed.
//! Never: lets anything pass: a packet that no rule forbids goes on to the instance's own rules.

use ipnetwork::IpNetwork;

use crate::rule::{Family, Rule};
use crate::virt_firewall::input::Why;
use crate::virt_firewall::service::{Dialect, Service};

/// One rule: what nobody may send to any instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderRule {
    /// From where.
    pub source: IpNetwork,
    /// What.
    pub service: Service,
}

impl ProviderRule {
    pub(super) fn check(&self) -> Result<(), Why> {
        self.service.check()?;
        if Family::BOTH.into_iter().any(|family| self.is_of(family)) { Ok(()) } else { Err(Why::NoFamily) }
    }

    pub(super) fn is_of(&self, family: Family) -> bool {
        self.source.is_ipv4() == (family == Family::Ipv4) && self.service.is_of(family)
    }

    pub(super) fn rule(&self, family: Family, dialect: Dialect) -> Rule {
        self.service.limit(Rule::new().source(self.source), family, dialect).discard()
    }
}
