//! The rules of the release of 2014.
//!
//! Owns: all chains of that release.
//!
//! Each network inside is translated by a rule of its own; nothing is marked, and what is sent from inside to a floating
//! address is not translated back.

use std::net::Ipv4Addr;

use super::metadata::{METADATA_V4, redirect};
use super::{Chains, Context, floating, jump, translated};
use crate::l3_router::state::{Metadata, Role, StateError};
use crate::rule::{Family, InterfaceMatch, Masked, Not, Rule};
use crate::wrap::TableKind::{Filter, Nat};

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    const V4: Family = Family::Ipv4;
    let router = context.router;
    let later = [
        ("role", router.role != Role::Centralized),
        ("port forwarding", !router.forwardings.is_empty()),
        ("conntrack helper", !router.helpers.is_empty()),
        ("metadata that are blocked", matches!(router.metadata, Metadata::Blocked { .. })),
    ];
    if let Some((what, _)) = later.into_iter().find(|(_, asked)| *asked) {
        let value = router.id.to_string();
        return Err(StateError::Bad { what, value, problem: "is not of this release" });
    }
    chains.declare(V4, Filter, "INPUT");
    if let Metadata::Redirected { port } = router.metadata {
        let own = Rule::new().destination(Masked::host(Ipv4Addr::LOCALHOST.into()));
        chains.push(V4, Filter, "INPUT", own.tcp().dport(port).accept());
        let question = Rule::new().destination(Masked::host(METADATA_V4.into())).tcp().dport(80);
        chains.push(V4, Nat, "PREROUTING", redirect(question, port));
    }
    floating::write(context, chains)?;
    chains.declare(V4, Nat, "POSTROUTING");
    chains.push(V4, Nat, "snat", jump(Rule::new(), "float-snat")?);
    let Some((gateway, device)) = router.gateway.as_ref().zip(context.external()) else { return Ok(()) };
    let Some(source) = gateway.source().filter(|_| gateway.snat) else { return Ok(()) };
    let not_by = || Not::not(InterfaceMatch::Name(device.clone()));
    let inside = Rule::new().input(not_by()).output(not_by()).matching(translated(Not::not));
    chains.push(V4, Nat, "POSTROUTING", inside.accept());
    for network in router.ports.iter().flat_map(|port| &port.addresses).filter(|network| network.is_ipv4()) {
        let sent = Rule::new().source(*network);
        chains.push(V4, Nat, "snat", sent.target(context.to_source(source)));
    }
    Ok(())
}
