//! The leases that a starting dnsmasq is told by the lease script.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{FixedIp, HostName, Network, Settings};
use crate::name::MacAddress;

/// What the lease script prints for the action `init`: dnsmasq's lease file.
///
/// `<expiry> <mac> <address> <host or *> *` for each leased address, allocated or not. Each lease counts from `now`.
#[must_use]
pub fn leases(network: &Network, fixed_ips: &[FixedIp], settings: &Settings, now: SystemTime) -> String {
    let time = Duration::from_secs(settings.dhcp_lease_time.into());
    let leased = network.here(fixed_ips, settings).filter(|fixed_ip| fixed_ip.leased);
    let line = |one: &FixedIp| lease_line(now, time, one.mac, one.address, one.name.as_ref());
    leased.map(line).collect::<Vec<_>>().join("\n")
}

/// A line of the lease file. The client's own id is not known, hence the last star.
pub(in crate::linux_net) fn lease_line(
    now: SystemTime,
    time: Duration,
    mac: MacAddress,
    address: Ipv4Addr,
    name: Option<&HostName>,
) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (expiry, name) = (since.saturating_add(time).as_secs(), name.map_or("*", HostName::as_str));
    format!("{expiry} {mac} {address} {name} *")
}
