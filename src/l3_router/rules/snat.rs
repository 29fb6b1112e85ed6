//! Source translation: what guests are seen under.
//!
//! Owns: `snat` and `POSTROUTING` of `nat`, `mark` and `POSTROUTING` of `mangle`.
//!
//! Floating addresses come first, in a chain of their own. What is sent from inside to a floating address comes back by
//! the router too (hairpin), or the guest would get its answer from an address that it never asked.

use super::scope::{connection, save};
use super::{Chains, Context, from, jump, out_by, router_mark, set_mark, translated};
use crate::l3_router::state::{Role, StateError};
use crate::rule::{Family, InterfaceMatch, Not, Rule};
use crate::wrap::TableKind::{Mangle, Nat};

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    const V4: Family = Family::Ipv4;
    for (table, chain) in [(Nat, "POSTROUTING"), (Nat, "snat"), (Mangle, "mark"), (Mangle, "POSTROUTING")] {
        chains.declare(V4, table, chain);
    }
    let ingress = router_mark(context.options.ingress_mark);
    let compute = matches!(context.router.role, Role::Compute { .. });
    if !compute || context.floating().next().is_some() {
        chains.push(V4, Nat, "snat", jump(Rule::new(), "float-snat")?);
    }
    let (Some(gateway), Some(device)) = (&context.router.gateway, context.external()) else { return Ok(()) };
    // Packets that do not leave by the gateway keep their source, unless they were sent to a floating address.
    let stays = Rule::new().output(Not::not(InterfaceMatch::Name(device.clone())));
    let stays = stays.matching(translated(Not::not)).accept();
    if compute {
        // What has no floating address leaves by the host that has the source translation.
        if context.floating().next().is_some() {
            chains.push(V4, Nat, "POSTROUTING", stays);
        }
        return Ok(());
    }
    let Some(source) = gateway.source() else { return Ok(()) };
    if gateway.snat {
        chains.push(V4, Mangle, "POSTROUTING", save(out_by(device)));
        if let Some(scope) = gateway.scopes.of(V4) {
            let same = out_by(device).matching(connection(context.marks.of(Some(scope))));
            chains.push(V4, Nat, "snat", same.accept());
        }
        chains.push(V4, Nat, "snat", out_by(device).target(context.to_source(source)));
    }
    chains.push(V4, Nat, "POSTROUTING", stays);
    let hairpin = Rule::new().mark(Not::not(ingress)).matching(translated(Not::is));
    chains.push(V4, Nat, "snat", hairpin.target(context.to_source(source)));
    chains.push(V4, Mangle, "mark", set_mark(from(device), ingress));
    Ok(())
}
