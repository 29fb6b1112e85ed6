//! Whether packets that cross a bridge pass the tables at all.
//!
//! Owns: the question, for each family.
//! Never: switches it on: that changes what other programs' rules see.
//!
//! Without it every rule of a bridged port is void, and nothing fails (neutron D31): an agent asks at its start.

use crate::linux_net::{Error, sysctl};
use crate::netlink::namespace::Namespace;
use crate::rule::Family;

/// Whether packets of bridges pass the tables of a family in this namespace (`net.bridge.bridge-nf-call-iptables`); no
/// where the kernel has no bridge netfilter loaded.
///
/// # Errors
/// [`Error`] when the setting is there and cannot be read.
pub fn passes_tables(namespace: &Namespace, family: Family) -> Result<bool, Error> {
    let name = match family {
        Family::Ipv4 => "net/bridge/bridge-nf-call-iptables",
        Family::Ipv6 => "net/bridge/bridge-nf-call-ip6tables",
    };
    match sysctl::read(namespace, name) {
        Ok(value) => Ok(value.trim() != "0"),
        Err(Error::Setting { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
