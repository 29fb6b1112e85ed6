//! Whether packets that cross a bridge pass the tables at all.
//!
//! Owns: the question, for each family.
//! Never: switches it on: that changes what other programs' rules see.
//!
//! Without it every rule of a bridged port is void, and nothing fails (neutron D31): an agent asks at its start.

use super::super::bridging::Setting;
use crate::linux_net::Error;
use crate::netlink::namespace::Namespace;
use crate::rule::Family;

/// Whether packets of bridges pass the tables of a family in this namespace (`net.bridge.bridge-nf-call-iptables`); no
/// where the kernel has no bridge netfilter loaded.
///
/// # Errors
/// [`Error`] when the setting is there and cannot be read.
pub fn passes_tables(namespace: &Namespace, family: Family) -> Result<bool, Error> {
    Ok(Setting::read(namespace, family)? == Setting::On)
}
