//! Address scopes: what comes from one scope does not go to another, unless it is translated.
//!
//! Owns: `scope` of `mangle` and `filter`, `floatingip` of `mangle`, `float-snat` of `mangle`, and what jumps there.
//!
//! A packet is marked with the scope of the device that it came by; a device lets out packets with its own scope's mark
//! only. The connection keeps the mark that its first packet had, so answers pass as well. A floating address stands for a
//! guest of another scope, so its packets get the mark of the guest's; MARK goes on to the next rule, so that this comes
//! after the connection's own.

use super::{Chains, Context, from, jump, out_by, set_mark};
use crate::l3_router::marks::MASK;
use crate::l3_router::state::{Role, StateError, has_family};
use crate::name::InterfaceName;
use crate::rule::targets::{Connmark, ConnmarkOp};
use crate::rule::{Family, MarkMask, Masked, Match, Not, Rule, Target};
use crate::wrap::TableKind::{Filter, Mangle};

/// The connection has no scope yet.
pub(super) const NONE: MarkMask = MarkMask { value: 0, mask: MASK };

/// `-m connmark`.
pub(super) fn connection(mark: impl Into<Not<MarkMask>>) -> Match {
    Match::Connmark(mark.into())
}

/// The packet's scope becomes the connection's, if that has none.
pub(super) fn save(rule: Rule) -> Rule {
    let op = ConnmarkOp::Save { nfmask: MASK, ctmask: MASK };
    rule.matching(connection(NONE)).target(Target::Connmark(Connmark { op, shift: 0 }))
}

fn restore() -> Rule {
    let op = ConnmarkOp::Restore { nfmask: MASK, ctmask: MASK };
    Rule::new().matching(connection(Not::not(NONE))).target(Target::Connmark(Connmark { op, shift: 0 }))
}

/// The chains, and the way there.
pub(super) fn frame(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    for &family in context.families() {
        let v4 = family == Family::Ipv4;
        if v4 {
            chains.push(family, Mangle, "PREROUTING", jump(Rule::new(), "mark")?);
        }
        chains.push(family, Mangle, "PREROUTING", jump(Rule::new(), "scope")?);
        chains.push(family, Mangle, "PREROUTING", restore());
        chains.declare(family, Mangle, "scope");
        chains.declare(family, Filter, "scope");
        chains.push(family, Filter, "FORWARD", jump(Rule::new(), "scope")?);
        if v4 {
            chains.push(family, Mangle, "PREROUTING", jump(Rule::new(), "floatingip")?);
            chains.push(family, Mangle, "float-snat", save(Rule::new()));
            chains.declare(family, Mangle, "floatingip");
            chains.declare(family, Mangle, "FORWARD");
        }
    }
    Ok(())
}

/// What marks and drops.
pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    for &family in context.families() {
        for (device, mark) in devices(context, family) {
            chains.push(family, Mangle, "scope", set_mark(from(device), mark));
            // What leaves by the gateway is translated, and has an address of the outside network then.
            let leaves = context.external() == Some(device) && family == Family::Ipv4 && snats(context);
            if !leaves {
                chains.push(family, Filter, "scope", out_by(device).mark(Not::not(mark)).discard());
            }
        }
    }
    floating(context, chains)
}

fn snats(context: &Context<'_>) -> bool {
    context.router.gateway.as_ref().is_some_and(|gateway| gateway.snat)
}

/// The devices with an address of the family and their marks, the gateway's last.
fn devices<'a>(context: &'a Context<'_>, family: Family) -> Vec<(&'a InterfaceName, MarkMask)> {
    let ports = context.router.ports.iter().zip(&context.names.ports);
    let ports = ports.filter(|(port, _)| has_family(&port.addresses, family));
    let ports = ports.map(|(port, device)| (device, context.marks.of(port.scopes.of(family))));
    let gateway = context.router.gateway.as_ref().filter(|gateway| has_family(&gateway.addresses, family));
    let gateway = gateway.zip(context.external());
    let gateway = gateway.map(|(gateway, device)| (device, context.marks.of(gateway.scopes.of(family))));
    ports.chain(gateway).collect()
}

/// Floating addresses of guests in another scope than the outside network's.
fn floating(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    let (Some(gateway), Some(device)) = (&context.router.gateway, context.external()) else { return Ok(()) };
    let outside = gateway.scopes.of(Family::Ipv4);
    let other: Vec<_> = context.floating().filter(|ip| ip.fixed_scope.as_ref() != outside).collect();
    if other.is_empty() {
        return Ok(());
    }
    let ports = context.router.ports.iter().zip(&context.names.ports);
    let inside = ports.filter(|(port, _)| port.scopes.of(Family::Ipv4) == outside).map(|(_, device)| device);
    for device in [device].into_iter().chain(inside) {
        chains.push(Family::Ipv4, Mangle, "float-snat", set_mark(out_by(device), context.marks.of(outside)));
    }
    for ip in other {
        let asked = match context.router.role {
            Role::Compute { .. } => from(device),
            Role::Centralized | Role::Snat => Rule::new(),
        };
        let asked = asked.destination(Masked::host(ip.floating.into()));
        chains.push(Family::Ipv4, Mangle, "floatingip", set_mark(asked, context.marks.of(ip.fixed_scope.as_ref())));
        let answer = Rule::new().source(Masked::host(ip.fixed.into()));
        chains.push(Family::Ipv4, Mangle, "FORWARD", jump(answer, "float-snat")?);
    }
    Ok(())
}
