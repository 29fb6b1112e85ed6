//! dnsmasq for the guests of a network: fixed addresses by DHCP, names by DNS.
//!
//! Owns: what dnsmasq is told (hosts, options, leases, its command line), and its life in a namespace.
//! Never: pastes text of a tenant; each word is a checked type ([`label`]), so that it stays one field of one line.
//! Never: lets packets in. The rules that accept DHCP and DNS on the device, and the one that fills in checksums of the
//! replies, are the caller's: before a start and after it, as `linux_net::rules` has them.
//!
//! Invariant: the text of a file depends on its arguments only, and has one line for each guest that it is about.
//!
//! Where the truth is: `dnsmasq(8)` and `src/option.c` of dnsmasq 2.90; nova's files as nova 2.11 has them.
//! How tested: `tests/dhcp`, with goldens and a real dnsmasq.

mod hosts;
pub mod label;
mod leases;
mod options;
mod process;
mod release;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnetwork::Ipv4Network;
use thiserror::Error;

use crate::name::{InterfaceName, MacAddress};

pub use hosts::{dhcp_hosts, dns_hosts};
pub use label::{Domain, HostName, Label, LabelError, NetworkId};
pub(super) use leases::lease_line;
pub use leases::leases;
pub use options::dhcp_options;
pub use process::{Dnsmasq, Outcome, Paths, command_line};
pub use release::ReleaseError;

/// What holds for all networks of a host. The default is nova's.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory of the files of all networks; an absolute path.
    pub networks_path: PathBuf,
    /// The lease script, which dnsmasq runs with `init`, `add`, `old` and `del`.
    pub dhcpbridge: PathBuf,
    /// Configuration files of the lease script.
    pub dhcpbridge_flagfile: Vec<String>,
    /// dnsmasq's own configuration file. Empty keeps it from reading the one of the system.
    pub dnsmasq_config_file: PathBuf,
    /// DNS servers for names that dnsmasq does not know, in order. Empty: those of the host.
    pub dns_server: Vec<IpAddr>,
    /// Also those of the network, after these.
    pub use_network_dns_servers: bool,
    /// Guests have a router on their first interface only.
    pub use_single_default_gateway: bool,
    /// All hosts of a network have the same DHCP address.
    pub share_dhcp_address: bool,
    /// The domain of the guests.
    pub dhcp_domain: Option<Domain>,
    /// Seconds that a lease lasts.
    pub dhcp_lease_time: u32,
    /// The name of this host, for networks that have a DHCP server on each.
    pub host: String,
    /// The program to start, as a path or a name to look for in `PATH`.
    pub program: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            networks_path: "/var/lib/nova/networks".into(),
            dhcpbridge: "/usr/bin/nova-dhcpbridge".into(),
            dhcpbridge_flagfile: vec!["/etc/nova/nova-dhcpbridge.conf".to_owned()],
            dnsmasq_config_file: PathBuf::new(),
            dns_server: Vec::new(),
            use_network_dns_servers: false,
            use_single_default_gateway: false,
            share_dhcp_address: false,
            dhcp_domain: Some(Domain::novalocal()),
            dhcp_lease_time: 86_400,
            host: String::new(),
            program: "dnsmasq".into(),
        }
    }
}

impl Settings {
    /// `<host>.<domain>`. Without a domain the dot stays: it makes `ignore`, `1h` and `10.0.0.1` names, which they would
    /// not be for dnsmasq otherwise.
    fn full_name(&self, fixed_ip: &FixedIp) -> Option<String> {
        let domain = self.dhcp_domain.as_ref().map_or("", |domain| domain.as_str());
        fixed_ip.name.as_ref().map(|name| format!("{name}.{domain}"))
    }
}

/// A network as its DHCP server sees it.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its id, for the lease script.
    pub id: NetworkId,
    /// Its name.
    pub label: Label,
    /// The device that serves it, a bridge mostly.
    pub device: InterfaceName,
    /// Its prefix.
    pub cidr: Ipv4Network,
    /// Where its addresses for guests start.
    pub dhcp_start: Ipv4Addr,
    /// The address of its DHCP server, on this host.
    pub dhcp_server: Ipv4Addr,
    /// The router that guests are told.
    pub gateway: Option<Ipv4Addr>,
    /// Each host has a DHCP server and is the router of its own guests.
    pub multi_host: bool,
    /// All hosts have the same DHCP address, and guests the network's own gateway.
    pub share_address: bool,
    /// Its DNS servers.
    pub dns: [Option<IpAddr>; 2],
}

impl Network {
    /// The addresses that this host serves.
    fn here<'a>(&self, fixed_ips: &'a [FixedIp], settings: &Settings) -> impl Iterator<Item = &'a FixedIp> {
        let only = self.multi_host.then(|| settings.host.clone());
        fixed_ips.iter().filter(move |fixed_ip| only.as_ref().is_none_or(|host| *host == fixed_ip.host))
    }

    fn guests_gateway(&self, settings: &Settings) -> Option<Ipv4Addr> {
        if self.multi_host && !(self.share_address || settings.share_dhcp_address) {
            Some(self.dhcp_server)
        } else {
            self.gateway
        }
    }
}

/// An address of a network, and the guest that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedIp {
    /// The address.
    pub address: Ipv4Addr,
    /// The hardware address of the guest's interface.
    pub mac: MacAddress,
    /// The id of the guest's interface.
    pub interface: u64,
    /// The interface is the first of its guest.
    pub first_interface: bool,
    /// The name of the guest.
    pub name: Option<HostName>,
    /// The address belongs to the guest.
    pub allocated: bool,
    /// The guest was given the address by DHCP and has not given it back.
    pub leased: bool,
    /// The host that runs the guest.
    pub host: String,
}

/// A guest that dnsmasq cannot be told about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the guest with address {address} and MAC {mac}: {source}")]
pub struct GuestError {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: MacAddress,
    /// Which field, and what is wrong with it.
    pub source: LabelError,
}

impl FixedIp {
    /// An address that is allocated and not leased, on the first interface of a guest without a name.
    #[must_use]
    pub fn new(address: Ipv4Addr, mac: MacAddress, interface: u64) -> Self {
        Self {
            address,
            mac,
            interface,
            first_interface: true,
            name: None,
            allocated: true,
            leased: false,
            host: String::new(),
        }
    }

    /// The same with the name that the tenant chose.
    ///
    /// # Errors
    /// [`GuestError`] when it is no host name.
    pub fn named(mut self, name: &str) -> Result<Self, GuestError> {
        let name = HostName::new(name);
        self.name = Some(name.map_err(|source| GuestError { address: self.address, mac: self.mac, source })?);
        Ok(self)
    }

    /// The same on this host.
    #[must_use]
    pub fn on(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// dnsmasq's tag for the guest's interface.
    fn tag(&self) -> String {
        format!("NW-{}", self.interface)
    }
}
