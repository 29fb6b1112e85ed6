//! What a component's tables hold from the start.
//!
//! Owns: the skeletons of the nova and the neutron iptables managers, rule for rule in their order.
//! Never: installs a table that the component does not use, unless the model was told to.
//!
//! Invariant: applying a skeleton twice changes nothing the second time.
//!
//! Where the truth is: `nova/network/linux_net.py` (stable/stein) and `neutron/agent/linux/iptables_manager.py`; the
//! differences are in [`manual::parity`](crate::manual::parity).

use super::builtin::{TableId, TableKind};
use super::entry::Addition;
use super::error::ModelError;
use super::table::Table;
use crate::name::{ChainName, Comment};
use crate::rule::{ChainRef, Family, Rule};

/// Whose skeleton the tables start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// Nothing.
    #[default]
    Bare,
    /// nova: `nova-filter-top`, `local`, wrapped built-in chains, `nova-postrouting-bottom`, `snat`, `float-snat`.
    Nova,
    /// neutron: the same under neutron's names, with `raw`, `mangle` and IPv6.
    Neutron,
}

/// The skeleton with its variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skeleton {
    pub(super) profile: Profile,
    /// neutron: `mangle`, and the whole of `nat`.
    pub(super) mangle: bool,
    pub(super) full_nat: bool,
    /// neutron: rules of the skeleton carry their comments.
    pub(super) comments: bool,
}

impl Skeleton {
    /// The tables that the reference makes at start.
    pub(super) fn tables(self, ipv6: bool) -> Vec<TableId> {
        let (v4, v6): (&[TableKind], &[TableKind]) = match self.profile {
            Profile::Bare => (&[], &[]),
            Profile::Nova => (&[TableKind::Filter, TableKind::Nat, TableKind::Mangle], &[TableKind::Filter]),
            Profile::Neutron if self.mangle => {
                let all = &[TableKind::Filter, TableKind::Nat, TableKind::Mangle, TableKind::Raw];
                (all, all)
            }
            Profile::Neutron => {
                let all = &[TableKind::Filter, TableKind::Nat, TableKind::Raw];
                (all, all)
            }
        };
        let v4 = v4.iter().map(|&kind| TableId::new(Family::Ipv4, kind));
        let v6 = v6.iter().map(|&kind| TableId::new(Family::Ipv6, kind)).filter(|_| ipv6);
        v4.chain(v6).collect()
    }

    /// Adds what the table is to hold from the start.
    pub(super) fn apply(self, table: &mut Table) -> Result<(), ModelError> {
        let TableId { family, kind } = table.id();
        let v4 = family == Family::Ipv4;
        match (self.profile, kind) {
            (Profile::Nova, TableKind::Filter) => filter(table, "nova-filter-top"),
            (Profile::Nova, TableKind::Nat) if v4 => {
                wrap(table, &["PREROUTING", "OUTPUT", "POSTROUTING"])?;
                nat(table, "nova-postrouting-bottom", None)
            }
            (Profile::Nova, TableKind::Mangle) if v4 => wrap(table, &["POSTROUTING"]),
            (Profile::Neutron, TableKind::Filter) => filter(table, "neutron-filter-top"),
            (Profile::Neutron, TableKind::Raw) => wrap(table, &["PREROUTING", "OUTPUT"]),
            (Profile::Neutron, TableKind::Nat) if v4 && self.full_nat => {
                wrap(table, &["PREROUTING", "OUTPUT", "POSTROUTING"])?;
                let comment = self.comments.then_some("Perform source NAT on outgoing traffic.");
                nat(table, "neutron-postrouting-bottom", comment)
            }
            (Profile::Neutron, TableKind::Nat) => wrap(table, &["PREROUTING"]),
            (Profile::Neutron, TableKind::Mangle) => {
                wrap(table, &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"])?;
                if v4 {
                    table.add_chain("$mark")?;
                    table.add_rule("$PREROUTING", jump("$mark")?)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn jump(chain: &str) -> Result<Rule, ModelError> {
    Ok(Rule::new().jump(ChainRef::new(chain)?))
}

/// A wrapped chain for each of the built-in chains, and the jump into it.
fn wrap(table: &mut Table, builtins: &[&str]) -> Result<(), ModelError> {
    for &name in builtins {
        let wrapped = ChainRef::Wrapped(ChainName::new(name)?);
        table.add_chain(&wrapped)?;
        table.add_rule(name, Rule::new().jump(wrapped))?;
    }
    Ok(())
}

/// Forwarded and host-sent packets pass the shared top chain first; what each component has there is its `local`.
fn filter(table: &mut Table, top: &str) -> Result<(), ModelError> {
    table.add_chain(top)?;
    table.add_rule("FORWARD", Addition::new(jump(top)?).top())?;
    table.add_rule("OUTPUT", Addition::new(jump(top)?).top())?;
    table.add_chain("$local")?;
    table.add_rule(top, jump("$local")?)?;
    wrap(table, &["INPUT", "OUTPUT", "FORWARD"])
}

/// Source translation comes after every component's POSTROUTING, floating addresses before the general one.
fn nat(table: &mut Table, bottom: &str, comment: Option<&str>) -> Result<(), ModelError> {
    table.add_chain(bottom)?;
    table.add_rule("POSTROUTING", Addition::new(jump(bottom)?).bottom())?;
    table.add_chain("$snat")?;
    let mut into_snat = Rule::new();
    if let Some(text) = comment {
        into_snat = into_snat.comment(Comment::new(text)?);
    }
    table.add_rule(bottom, into_snat.jump(ChainRef::new("$snat")?))?;
    table.add_chain("$float-snat")?;
    table.add_rule("$snat", jump("$float-snat")?)?;
    Ok(())
}
