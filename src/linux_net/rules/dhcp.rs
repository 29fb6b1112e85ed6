//! What a DHCP and DNS server on an interface needs.
//!
//! Owns: letting its ports in, and filling the checksums of its answers.
//! Never: starts the server.

use super::group::{self, Placed};
use super::options::Options;
use crate::name::InterfaceName;
use crate::rule::{Family, InterfaceMatch, Protocol, Rule, Target};
use crate::wrap::{Model, ModelError};

const DNS: u16 = 53;
const DHCP: u16 = 67;
const DHCP_CLIENT: u16 = 68;
const DHCPV6: u16 = 547;

/// Lets DHCP and DNS in from the interface. Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when `filter` has no wrapped `INPUT`.
pub fn add_dhcp_rules(model: &mut Model, options: &Options, device: &InterfaceName) -> Result<bool, ModelError> {
    group::add(model, &accept(options, device))
}

/// Undoes [`add_dhcp_rules`]. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_dhcp_rules(model: &mut Model, options: &Options, device: &InterfaceName) -> Result<bool, ModelError> {
    group::remove(model, &accept(options, device))
}

/// Fills the UDP checksums of DHCP answers that leave by the interface: a virtual one may leave that to hardware which it
/// does not have, and DHCP clients look at the bytes. The target is one of xtables, which only the tables of iptables take:
/// in the native layout the component's `mangle` then stands with those of iptables. Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when IPv4 `mangle` has no wrapped `POSTROUTING`.
pub fn add_checksum_rule(model: &mut Model, device: &InterfaceName) -> Result<bool, ModelError> {
    group::add(model, &checksum(device))
}

/// Undoes [`add_checksum_rule`]. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_checksum_rule(model: &mut Model, device: &InterfaceName) -> Result<bool, ModelError> {
    group::remove(model, &checksum(device))
}

fn accept(options: &Options, device: &InterfaceName) -> Vec<Placed> {
    let v4 = [DHCP, DNS].into_iter().flat_map(|port| [(port, Protocol::UDP), (port, Protocol::TCP)]);
    let v6 = [(DHCPV6, Protocol::UDP), (DNS, Protocol::UDP), (DNS, Protocol::TCP)];
    let v6 = v6.into_iter().filter(|_| options.ipv6);
    let place = |family, (port, protocol): (u16, Protocol)| {
        let rule = Rule::new().input(InterfaceMatch::Name(device.clone())).protocol(protocol).dport(port);
        Placed::filter(family, "INPUT", rule.accept())
    };
    v4.map(|service| place(Family::Ipv4, service)).chain(v6.map(|service| place(Family::Ipv6, service))).collect()
}

fn checksum(device: &InterfaceName) -> [Placed; 1] {
    let answers = Rule::new().output(InterfaceMatch::Name(device.clone())).udp().dport(DHCP_CLIENT);
    [Placed::mangle("POSTROUTING", answers.target(Target::Checksum))]
}
