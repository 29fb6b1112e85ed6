//! The router that guests are told.

use std::net::Ipv4Addr;

use super::{FixedIp, Network, Settings};

/// The text for `--dhcp-optsfile`: DHCP option 3, the router.
///
/// One for all guests; or with a single default gateway one line for each allocated address, which is empty for all but
/// the first interface of a guest, so that a guest on several networks has one default route.
#[must_use]
pub fn dhcp_options(network: &Network, fixed_ips: &[FixedIp], settings: &Settings) -> String {
    let gateway = network.guests_gateway(settings);
    if !settings.use_single_default_gateway {
        return router(None, gateway);
    }
    let allocated = network.here(fixed_ips, settings).filter(|fixed_ip| fixed_ip.allocated);
    let lines: Vec<String> =
        allocated.map(|fixed_ip| router(Some(fixed_ip), gateway.filter(|_| fixed_ip.first_interface))).collect();
    lines.join("\n")
}

fn router(only: Option<&FixedIp>, gateway: Option<Ipv4Addr>) -> String {
    let tag = only.map(|fixed_ip| format!("{},", fixed_ip.tag())).unwrap_or_default();
    match gateway {
        Some(gateway) => format!("{tag}3,{gateway}"),
        None => format!("{tag}3"),
    }
}
