//! Port forwardings: ports of an outside address that lead to ports of guests.
//!
//! Owns: `fip-pf` and `pf-...` of `nat`, and the last rule of `PREROUTING`.

use super::{Chains, Context, jump};
use crate::l3_router::state::{PortForwarding, StateError};
use crate::rule::targets::Nat as Translation;
use crate::rule::{Family, Masked, Rule, Target};
use crate::wrap::TableKind::Nat;

const ALL: &str = "fip-pf";

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    const V4: Family = Family::Ipv4;
    if context.router.forwardings.is_empty() || context.external().is_none() {
        return Ok(());
    }
    chains.push(V4, Nat, "PREROUTING", jump(Rule::new(), ALL)?);
    for (forwarding, chain) in context.router.forwardings.iter().zip(&context.names.forwardings) {
        if forwarding.sizes_differ() {
            log::warn!("port forwarding {}: as many ports outside as inside would be usual", forwarding.id);
        }
        chains.push(V4, Nat, ALL, jump(Rule::new(), chain)?);
        let asked = Rule::new().destination(Masked::host(forwarding.floating.into()));
        let asked = asked.protocol(forwarding.protocol).dport(forwarding.external);
        chains.push(V4, Nat, chain, asked.target(target(forwarding)));
    }
    Ok(())
}

/// Of a range the first port outside is where counting begins, so that each port leads to its own; a single port outside
/// may become any of a range inside.
fn target(forwarding: &PortForwarding) -> Target {
    let PortForwarding { internal_address, internal, external, .. } = forwarding;
    let address = (*internal_address).into();
    let counted = !internal.is_single() && !external.is_single();
    Target::Dnat(Box::new(Translation {
        addresses: Some((address, address)),
        ports: Some(*internal),
        base_port: counted.then_some(external.first()),
        ..Translation::default()
    }))
}
