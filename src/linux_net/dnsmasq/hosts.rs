//! The lines that tie a guest's hardware address to its address, and those that give it a name in the DNS.

use std::collections::HashSet;

use super::{FixedIp, Network, Settings};

/// The text for `--dhcp-hostsfile`: a line for the first address of each hardware address, allocated ones only.
///
/// Each line is `<mac>,<host>.<domain>,<address>`, and with a single default gateway `,net:NW-<interface>` after it. An
/// address without a name has none in its line.
#[must_use]
pub fn dhcp_hosts(network: &Network, fixed_ips: &[FixedIp], settings: &Settings) -> String {
    let mut seen = HashSet::new();
    let mut lines = Vec::new();
    for fixed_ip in network.here(fixed_ips, settings).filter(|fixed_ip| fixed_ip.allocated) {
        if !seen.insert(fixed_ip.mac) {
            continue;
        }
        let mut fields = vec![fixed_ip.mac.to_string()];
        fields.extend(settings.full_name(fixed_ip));
        fields.push(fixed_ip.address.to_string());
        if settings.use_single_default_gateway {
            fields.push(format!("net:{}", fixed_ip.tag()));
        }
        lines.push(fields.join(","));
    }
    lines.join("\n")
}

/// The text for `--addn-hosts`: `<address>` tab `<host>.<domain>` for each allocated address that has a name, of guests on
/// all hosts.
#[must_use]
pub fn dns_hosts(fixed_ips: &[FixedIp], settings: &Settings) -> String {
    let allocated = fixed_ips.iter().filter(|fixed_ip| fixed_ip.allocated);
    let lines: Vec<String> = allocated
        .filter_map(|fixed_ip| Some(format!("{}\t{}", fixed_ip.address, settings.full_name(fixed_ip)?)))
        .collect();
    lines.join("\n")
}
