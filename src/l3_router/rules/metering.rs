//! Metering: a chain for each label that only counts, and one that decides what comes there.
//!
//! Owns: `l-...`, `r-...` and `FORWARD` of `filter`, of the component `neutron-meter`.
//!
//! What is left out returns before anything is counted, so those rules stand first, the last of the label in front.

use std::net::IpAddr;

use super::{Chains, Context, from, jump, out_by};
use crate::l3_router::state::{Direction, MeteringRule, StateError};
use crate::rule::{Family, Rule};
use crate::wrap::TableKind::Filter;

/// The chain that counts.
pub(in crate::l3_router) fn counting(label: &str) -> String {
    format!("l-{label}")
}

fn deciding(label: &str) -> String {
    format!("r-{label}")
}

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    for &family in context.families() {
        for (label, name) in context.router.labels.iter().zip(&context.names.labels) {
            let (counting, deciding) = (counting(name), deciding(name));
            chains.push(family, Filter, "FORWARD", jump(Rule::new(), &deciding)?);
            chains.push(family, Filter, &counting, Rule::new());
            chains.declare(family, Filter, &deciding);
            let left_out = label.rules.iter().filter(|rule| rule.excluded).rev();
            for rule in left_out.chain(label.rules.iter().filter(|rule| !rule.excluded)) {
                let Some(taken) = taken(context, family, rule) else { continue };
                let rule = if rule.excluded { taken.ret() } else { jump(taken, &counting)? };
                chains.push(family, Filter, &deciding, rule);
            }
        }
    }
    Ok(())
}

/// What a rule takes; nothing of a router without a way out, or of another family.
fn taken(context: &Context<'_>, family: Family, rule: &MeteringRule) -> Option<Rule> {
    let device = context.external()?;
    let (source, destination) = rule.traffic.ends(rule.direction);
    let is = |ip: IpAddr| ip.is_ipv4() == (family == Family::Ipv4);
    if ![source, destination].into_iter().flatten().all(|network| is(network.ip())) {
        return None;
    }
    let mut taken = match rule.direction {
        Direction::Ingress => from(device),
        Direction::Egress => out_by(device),
    };
    if let Some(source) = source {
        taken = taken.source(source);
    }
    if let Some(destination) = destination {
        taken = taken.destination(destination);
    }
    Some(taken)
}
