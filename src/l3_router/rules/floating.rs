//! Floating addresses: an outside address that is a guest's.
//!
//! Owns: `float-snat` and `OUTPUT` of `nat`, and the first rules of `PREROUTING`.

use super::{Chains, Context, from, to_destination};
use crate::l3_router::state::{Role, StateError};
use crate::rule::{Family, Masked, Rule};
use crate::wrap::TableKind::Nat;

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    const V4: Family = Family::Ipv4;
    for chain in ["PREROUTING", "OUTPUT", "float-snat"] {
        chains.declare(V4, Nat, chain);
    }
    for ip in context.floating() {
        let asked = || Rule::new().destination(Masked::host(ip.floating.into()));
        match (&context.router.role, context.external()) {
            (Role::Compute { .. }, Some(device)) => {
                let asked = from(device).destination(Masked::host(ip.floating.into()));
                chains.push(V4, Nat, "PREROUTING", asked.target(to_destination(ip.fixed)));
            }
            _ => {
                chains.push(V4, Nat, "PREROUTING", asked().target(to_destination(ip.fixed)));
                chains.push(V4, Nat, "OUTPUT", asked().target(to_destination(ip.fixed)));
            }
        }
        let sent = Rule::new().source(Masked::host(ip.fixed.into()));
        chains.push(V4, Nat, "float-snat", sent.target(context.to_source(ip.floating)));
    }
    Ok(())
}
