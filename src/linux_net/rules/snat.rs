//! Source translation of a network, and what is exempt from it.
//!
//! Owns: the rules of a network in `snat`, and the exemptions in `POSTROUTING`.
//! Never: translates IPv6: nova has no IPv6 `nat`, so an IPv6 network gets no rules.
//!
//! `ACCEPT` in a chain of `nat` ends the translation of a connection: what goes to the metadata service, to a DMZ and
//! between instances keeps its source. A connection that was sent to a floating address is no such one: it has to be
//! translated, or the answer would bypass this host.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::group::{self, Placed};
use super::options::{Options, Release};
use crate::rule::matches::{Conntrack, CtStates};
use crate::rule::targets::Nat;
use crate::rule::{InterfaceMatch, Masked, Match, Not, Rule, Target};
use crate::wrap::{Model, ModelError};

/// Who is the gateway of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Gateway {
    /// This host.
    #[default]
    Internal,
    /// Another one: only `force_snat_range` is translated here.
    External,
}

/// Translates what the network sends out. Nothing without [`Options::routing_source`]. Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when IPv4 `nat` has no wrapped `snat`.
pub fn add_snat_rule(
    model: &mut Model,
    options: &Options,
    network: IpNetwork,
    gateway: Gateway,
) -> Result<bool, ModelError> {
    group::add(model, &snat(options, network, gateway))
}

/// Undoes [`add_snat_rule`]. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_snat_rule(
    model: &mut Model,
    options: &Options,
    network: IpNetwork,
    gateway: Gateway,
) -> Result<bool, ModelError> {
    group::remove(model, &snat(options, network, gateway))
}

/// All of a network: [`add_snat_rule`] and the exemptions. A metadata host or DMZ of the other family is left out.
/// Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when IPv4 `nat` has no wrapped `snat` or `POSTROUTING`.
pub fn init_host(
    model: &mut Model,
    options: &Options,
    network: IpNetwork,
    gateway: Gateway,
) -> Result<bool, ModelError> {
    group::add(model, &host(options, network, gateway))
}

/// Undoes [`init_host`], when a network goes. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_host(
    model: &mut Model,
    options: &Options,
    network: IpNetwork,
    gateway: Gateway,
) -> Result<bool, ModelError> {
    group::remove(model, &host(options, network, gateway))
}

fn snat(options: &Options, network: IpNetwork, gateway: Gateway) -> Vec<Placed> {
    let Some(source) = options.routing_source.filter(|_| network.is_ipv4()) else { return Vec::new() };
    let public = options.public_interface.clone().map(InterfaceMatch::Name);
    let forced = &options.force_snat_range;
    let (forced, output) = match (options.release, gateway) {
        (Release::Essex, _) => (false, None),
        (Release::Grizzly, _) => (!forced.is_empty(), public),
        (Release::Stein, Gateway::Internal) => (false, public),
        (Release::Stein, Gateway::External) => (true, None),
    };
    let mut from = Rule::new().source(network);
    if let Some(output) = output {
        from = from.output(output);
    }
    let place = |rule: Rule| Placed::nat("snat", rule.target(to_source(source)));
    if !forced {
        return vec![place(from)];
    }
    let ranges = options.force_snat_range.iter().filter(|range| range.is_ipv4());
    ranges.map(|&range| place(from.clone().destination(range))).collect()
}

fn host(options: &Options, network: IpNetwork, gateway: Gateway) -> Vec<Placed> {
    if !network.is_ipv4() {
        return Vec::new();
    }
    let mut rules = snat(options, network, gateway);
    let from = || Rule::new().source(network);
    if let IpAddr::V4(metadata) = options.metadata_host {
        rules.push(Placed::nat("POSTROUTING", from().destination(Masked::host(metadata.into())).accept()));
    }
    for &dmz in options.dmz.iter().filter(|dmz| dmz.is_ipv4()) {
        rules.push(Placed::nat("POSTROUTING", from().destination(dmz).accept()));
    }
    let within = from().destination(network).matching(translated(Not::not));
    rules.push(Placed::nat("POSTROUTING", within.accept()));
    rules
}

/// `-j SNAT --to-source`.
pub(super) fn to_source(address: Ipv4Addr) -> Target {
    let address = IpAddr::V4(address);
    Target::Snat(Box::new(Nat { addresses: Some((address, address)), ..Nat::default() }))
}

/// `-m conntrack --ctstate DNAT`: the connection's destination was translated, or was not.
pub(super) fn translated(is: impl FnOnce(CtStates) -> Not<CtStates>) -> Match {
    Match::Conntrack(Box::new(Conntrack { state: Some(is(CtStates::DNAT)), ..Conntrack::default() }))
}
