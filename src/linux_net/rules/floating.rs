//! Floating addresses: an outside address that is an instance's.
//!
//! Owns: the five rules of an association, and finding those of an earlier one.
//! Never: gives the address to an interface, or tells the neighbours.
//!
//! Invariant: a rule is known as one of an association by its chain and its fields. Others that only name the address
//! (a VPN on a port of it, a network's source translation to it, an exemption) are never touched.
//! Invariant: an association costs what it changes, however many there are ([`Table::rules_about`](crate::wrap::Table)).

use std::net::{IpAddr, Ipv4Addr};

use super::group::{self, Placed};
use super::options::{Options, Release};
use super::snat::{to_source, translated};
use crate::name::InterfaceName;
use crate::rule::targets::Nat;
use crate::rule::{Family, InterfaceMatch, Masked, Not, Rule, Target};
use crate::wrap::{ChainKey, Model, ModelError, Place, TableKind};

/// The chains that hold rules of associations, in the order in which nova writes them.
const CHAINS: [&str; 4] = ["float-snat", "PREROUTING", "OUTPUT", "POSTROUTING"];

/// An association.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Floating {
    /// The outside address.
    pub floating: Ipv4Addr,
    /// The instance's address.
    pub fixed: Ipv4Addr,
    /// The interface that has the outside address; `None` translates whatever way a packet leaves.
    pub device: Option<InterfaceName>,
}

/// What [`ensure_floating_forward`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FloatingChange {
    /// Whether anything changed.
    pub changed: bool,
    /// How many rules of an earlier association of the same outside address went.
    pub stale: usize,
}

/// Associates the addresses; an earlier association of the outside address ends. Several outside addresses may be one
/// instance's.
///
/// # Errors
/// [`ModelError::UnknownChain`] when IPv4 `nat` lacks a wrapped `PREROUTING`, `OUTPUT`, `POSTROUTING` or `float-snat`.
pub fn ensure_floating_forward(
    model: &mut Model,
    options: &Options,
    floating: &Floating,
) -> Result<FloatingChange, ModelError> {
    let wanted = rules(options, floating);
    let mut stale = of_address(model, floating.floating, None);
    stale.retain(|rule| !wanted.contains(rule));
    let changed = group::replace(model, &wanted, &stale)?;
    if !stale.is_empty() {
        log::warn!("{} had {} rules of an earlier association", floating.floating, stale.len());
    }
    Ok(FloatingChange { changed, stale: stale.len() })
}

/// Ends the association, whatever interface and release it was made with. One of the outside address to another instance
/// stays. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_floating_forward(model: &mut Model, floating: Ipv4Addr, fixed: Ipv4Addr) -> Result<bool, ModelError> {
    let rules = of_address(model, floating, Some(fixed));
    group::remove(model, &rules)
}

/// Whether the outside address is associated with another instance than this one.
pub(in crate::linux_net) fn is_anothers(model: &mut Model, floating: Ipv4Addr, fixed: Ipv4Addr) -> bool {
    let own = of_address(model, floating, Some(fixed)).len();
    of_address(model, floating, None).len() > own
}

fn rules(options: &Options, Floating { floating, fixed, device }: &Floating) -> Vec<Placed> {
    let from = || Rule::new().source(host(*fixed));
    let snat = to_source(*floating);
    let out = match device {
        Some(device) if options.release != Release::Essex => from().output(InterfaceMatch::Name(device.clone())),
        _ => from(),
    };
    let into = Rule::new().destination(host(*floating)).target(to_destination(*fixed));
    let out = Placed::nat("float-snat", out.target(snat.clone()));
    let (forwarded, sent) = (Placed::nat("PREROUTING", into.clone()), Placed::nat("OUTPUT", into));
    if options.release == Release::Essex {
        return vec![forwarded, sent, out];
    }
    let mut rules = Vec::with_capacity(5);
    if device.is_some() {
        // An instance that asks for its own outside address.
        rules.push(Placed::nat("float-snat", from().destination(host(*fixed)).target(snat.clone())));
    }
    // An instance that asks for another's shows its own.
    let shown = Placed::nat("POSTROUTING", from().matching(translated(Not::is)).target(snat));
    rules.extend([out, forwarded, sent, shown]);
    rules
}

/// The rules of an outside address's associations: all of them, or only those with one instance.
fn of_address(model: &mut Model, floating: Ipv4Addr, fixed: Option<Ipv4Addr>) -> Vec<Placed> {
    let mut found = Vec::new();
    // A table that is not there is not made for that.
    if model.table(Family::Ipv4, TableKind::Nat).is_none() {
        return found;
    }
    let Ok(table) = model.table_mut(Family::Ipv4, TableKind::Nat) else { return found };
    for name in CHAINS {
        let mut entries = table.rules_about(ChainKey::Wrapped(name), floating.into());
        entries.retain(|entry| {
            let instance = instance(name, entry.rule(), floating);
            entry.place() == Place::Normal && instance.is_some_and(|found| fixed.is_none_or(|fixed| fixed == found))
        });
        found.extend(entries.iter().map(|entry| Placed::nat(name, (**entry.rule()).clone())));
    }
    found
}

/// The instance with which the rule associates the outside address, if that is what it does.
fn instance(chain: &str, rule: &Rule, floating: Ipv4Addr) -> Option<Ipv4Addr> {
    // What is asked first is what most rules fail.
    let fixed = match &rule.target {
        Some(Target::Snat(nat)) if **nat == translation(floating) => single(rule.source.as_ref()?)?,
        Some(Target::Dnat(nat)) if rule.destination == Some(Not::is(host(floating))) => match nat.addresses? {
            (IpAddr::V4(fixed), _) => fixed,
            (IpAddr::V6(_), _) => return None,
        },
        _ => return None,
    };
    let own = Rule { output: None, ..rule.clone() };
    let (from, snat) = (Rule::new().source(host(fixed)), to_source(floating));
    let is = match chain {
        // By any interface, or by none; and to itself.
        "float-snat" => own == from.clone().target(snat.clone()) || *rule == from.destination(host(fixed)).target(snat),
        "POSTROUTING" => *rule == from.matching(translated(Not::is)).target(snat),
        _ => *rule == Rule::new().destination(host(floating)).target(to_destination(fixed)),
    };
    is.then_some(fixed)
}

/// The address, when it is one.
fn single(masked: &Not<Masked>) -> Option<Ipv4Addr> {
    match *masked {
        Not { negated: false, value: Masked::V4 { addr, mask: Ipv4Addr::BROADCAST } } => Some(addr),
        _ => None,
    }
}

fn host(address: Ipv4Addr) -> Masked {
    Masked::host(address.into())
}

fn translation(address: Ipv4Addr) -> Nat {
    Nat { addresses: Some((address.into(), address.into())), ..Nat::default() }
}

fn to_destination(address: Ipv4Addr) -> Target {
    Target::Dnat(Box::new(translation(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrap::Profile;

    /// The fault that a start with many associations took their number squared: each looks at what came since the last.
    #[test]
    fn an_association_costs_what_it_changes() {
        let mut model =
            Model::builder().component("nova-network".parse().unwrap()).profile(Profile::Nova).build().unwrap();
        let options = Options::default();
        let association = |number: u32| Floating {
            floating: (0xcb00_7100 + number).into(),
            fixed: (0x0a00_0000 + number).into(),
            device: Some("eth0".parse().unwrap()),
        };
        const MANY: u32 = 500;
        for number in 0..MANY {
            assert!(ensure_floating_forward(&mut model, &options, &association(number)).unwrap().changed);
        }
        for number in 0..MANY {
            let again = ensure_floating_forward(&mut model, &options, &association(number)).unwrap();
            assert_eq!(again, FloatingChange::default());
        }
        // Another instance's from now on.
        let moved = Floating { fixed: [10, 9, 9, 9].into(), ..association(7) };
        assert_eq!(ensure_floating_forward(&mut model, &options, &moved).unwrap().stale, 5);
        let table = model.table(Family::Ipv4, TableKind::Nat).unwrap();
        let rules: usize = CHAINS.iter().map(|chain| table.chain(ChainKey::Wrapped(chain)).unwrap().len()).sum();
        let looked_at: usize = CHAINS.iter().map(|chain| table.looked_at(ChainKey::Wrapped(chain))).sum();
        assert!(looked_at <= rules + 10, "{looked_at} for {rules} rules");
    }
}
