//! Metadata: guests' questions to a fixed address, which a program in the router's namespace answers.
//!
//! Owns: `INPUT` and, as long as nothing answers, `metadata` of `filter`; the last rule of `PREROUTING` of `mangle`.
//!
//! Questions are marked before their destination becomes the program's; with the mark they come in, and nothing else may
//! ask at the program's port. While the program is not there, what is marked is dropped, in a chain that no other feature
//! empties, so that questions never leave the router.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Chains, Context, jump, router_mark, set_mark};
use crate::l3_router::names::INTERNAL;
use crate::l3_router::state::{Metadata, Role, StateError};
use crate::name::InterfaceName;
use crate::rule::targets::PortNat;
use crate::rule::{Family, InterfaceMatch, Masked, PortRange, Rule, Target};
use crate::wrap::TableKind::{Filter, Mangle, Nat};

/// Where guests ask, in IPv4.
pub const METADATA_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Where guests ask, in IPv6.
pub const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe);
const HTTP: u16 = 80;

/// A guest's question.
fn question(family: Family) -> Result<Rule, StateError> {
    let address: IpAddr = match family {
        Family::Ipv4 => METADATA_V4.into(),
        Family::Ipv6 => METADATA_V6.into(),
    };
    let guests = InterfaceMatch::Prefix(InterfaceName::new(INTERNAL)?);
    Ok(Rule::new().destination(Masked::host(address)).input(guests).tcp().dport(HTTP))
}

pub(super) fn redirect(rule: Rule, port: u16) -> Rule {
    rule.target(Target::Redirect(PortNat { ports: Some(PortRange::single(port)), ..PortNat::default() }))
}

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    for &family in context.families() {
        chains.declare(family, Filter, "INPUT");
        chains.declare(family, Nat, "PREROUTING");
        let Some(port) = context.router.metadata.port().filter(|_| context.router.role != Role::Snat) else { continue };
        let mark = router_mark(context.options.metadata_mark);
        chains.push(family, Mangle, "PREROUTING", set_mark(question(family)?, mark));
        chains.push(family, Filter, "INPUT", Rule::new().mark(mark).accept());
        chains.push(family, Filter, "INPUT", Rule::new().tcp().dport(port).discard());
        match context.router.metadata {
            Metadata::Redirected { port } => {
                chains.push(family, Nat, "PREROUTING", redirect(question(family)?, port));
            }
            _ => {
                chains.push(family, Filter, "FORWARD", jump(Rule::new(), "metadata")?);
                chains.push(family, Filter, "metadata", Rule::new().mark(mark).discard());
            }
        }
    }
    Ok(())
}
