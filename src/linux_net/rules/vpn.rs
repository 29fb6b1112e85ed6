//! A VPN instance, reached by a port of the host.
//!
//! Owns: its three rules.
//! Never: finds a free port.

use std::net::{IpAddr, Ipv4Addr};

use super::group::{self, Placed};
use crate::rule::targets::Nat;
use crate::rule::{Family, Masked, PortRange, Rule, Target};
use crate::wrap::{ChainKey, Model, ModelError, TableKind};

/// The port on which the instance listens.
const PORT: u16 = 1194;

/// A VPN instance and how it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vpn {
    /// The host's address.
    pub public: Ipv4Addr,
    /// The host's UDP port.
    pub port: u16,
    /// The instance's address.
    pub private: Ipv4Addr,
}

/// Makes the instance reachable. Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when IPv4 `filter` has no wrapped `FORWARD`, or `nat` no `PREROUTING` or `OUTPUT`.
pub fn ensure_vpn_forward(model: &mut Model, vpn: Vpn) -> Result<bool, ModelError> {
    group::add(model, &rules(vpn))
}

/// Undoes [`ensure_vpn_forward`]; nova cannot. What lets packets through to the instance stays as long as another port
/// leads there. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_vpn_forward(model: &mut Model, vpn: Vpn) -> Result<bool, ModelError> {
    let [through, forwarded, sent] = rules(vpn);
    let changed = group::remove(model, &[forwarded, sent])?;
    if is_reached(model, vpn.private) {
        return Ok(changed);
    }
    Ok(group::remove(model, &[through])? || changed)
}

/// Whether a port of the host leads to the instance.
fn is_reached(model: &Model, private: Ipv4Addr) -> bool {
    let nat = model.table(Family::Ipv4, TableKind::Nat);
    let chain = nat.and_then(|table| table.chain(ChainKey::Wrapped("PREROUTING")));
    let target = Some(to_vpn(private));
    chain.is_some_and(|chain| chain.rules().any(|entry| entry.rule().target == target))
}

fn to_vpn(private: Ipv4Addr) -> Target {
    let (address, ports) = (IpAddr::from(private), Some(PortRange::single(PORT)));
    Target::Dnat(Box::new(Nat { addresses: Some((address, address)), ports, ..Nat::default() }))
}

fn rules(Vpn { public, port, private }: Vpn) -> [Placed; 3] {
    let into = Rule::new().destination(Masked::host(public.into())).udp().dport(port).target(to_vpn(private));
    let through = Rule::new().destination(Masked::host(private.into())).udp().dport(PORT).accept();
    [
        Placed::filter(Family::Ipv4, "FORWARD", through),
        Placed::nat("PREROUTING", into.clone()),
        Placed::nat("OUTPUT", into),
    ]
}
