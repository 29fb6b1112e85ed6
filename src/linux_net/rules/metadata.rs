//! The metadata service: what instances ask at a fixed address, wherever it runs.
//!
//! Owns: letting its port in, and sending the fixed address there.
//! Never: gives the fixed address to an interface.

use std::net::{IpAddr, Ipv4Addr};

use super::group::{self, Placed};
use super::options::Options;
use crate::rule::matches::{AddrTypes, Addrtype};
use crate::rule::targets::{Nat, PortNat};
use crate::rule::{Family, Masked, Match, Not, PortRange, Rule, Target};
use crate::wrap::{Model, ModelError};

/// Where instances ask.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Lets the metadata service's port in, in its host's family: to that host, or on a loopback address to all of this host's.
/// Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when `filter` has no wrapped `INPUT`.
pub fn metadata_accept(model: &mut Model, options: &Options) -> Result<bool, ModelError> {
    group::add(model, &accept(options))
}

/// Undoes [`metadata_accept`]. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_metadata_accept(model: &mut Model, options: &Options) -> Result<bool, ModelError> {
    group::remove(model, &accept(options))
}

/// Sends what instances ask of [`METADATA_ADDRESS`] to the metadata service. IPv4 cannot be sent to an IPv6 host: for such
/// a one there is no rule, and no error. Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when IPv4 `nat` has no wrapped `PREROUTING`.
pub fn metadata_forward(model: &mut Model, options: &Options) -> Result<bool, ModelError> {
    group::add(model, &forward(options))
}

/// Undoes [`metadata_forward`]. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_metadata_forward(model: &mut Model, options: &Options) -> Result<bool, ModelError> {
    group::remove(model, &forward(options))
}

fn accept(options: &Options) -> [Placed; 1] {
    let host = options.metadata_host;
    let family = Family::of(host);
    let port = Rule::new().tcp().dport(options.metadata_port);
    // nova takes these two for loopback and no others.
    let rule = if host == Ipv4Addr::LOCALHOST || host == std::net::Ipv6Addr::LOCALHOST {
        let local = Addrtype { destination: Some(Not::is(AddrTypes::LOCAL)), ..Addrtype::default() };
        port.matching(Match::Addrtype(local))
    } else {
        port.destination(host)
    };
    [Placed::filter(family, "INPUT", rule.accept())]
}

fn forward(options: &Options) -> Vec<Placed> {
    let IpAddr::V4(host) = options.metadata_host else { return Vec::new() };
    let ports = Some(PortRange::single(options.metadata_port));
    let target = if host == Ipv4Addr::LOCALHOST {
        Target::Redirect(PortNat { ports, ..PortNat::default() })
    } else {
        Target::Dnat(Box::new(Nat { addresses: Some((host.into(), host.into())), ports, ..Nat::default() }))
    };
    let asked = Rule::new().destination(Masked::host(METADATA_ADDRESS.into())).tcp().dport(80);
    vec![Placed::nat("PREROUTING", asked.target(target))]
}
