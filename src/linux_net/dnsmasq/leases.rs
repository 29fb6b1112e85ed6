//! The leases that a starting dnsmasq is told by the lease script.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{FixedIp, Network, Settings};

/// What the lease script prints for the action `init`: dnsmasq's lease file.
///
/// `<expiry> <mac> <address> <host or *> *` for each leased address, allocated or not. Each lease counts from `now`.
#[must_use]
pub fn leases(network: &Network, fixed_ips: &[FixedIp], settings: &Settings, now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let expiry = since.as_secs().saturating_add(settings.dhcp_lease_time.into());
    let leased = network.here(fixed_ips, settings).filter(|fixed_ip| fixed_ip.leased);
    let lines: Vec<String> = leased
        .map(|fixed_ip| {
            let name = fixed_ip.name.as_ref().map_or("*", |name| name.as_str());
            format!("{expiry} {} {} {name} *", fixed_ip.mac, fixed_ip.address)
        })
        .collect();
    lines.join("\n")
}
