//! The namespace of a router.
//!
//! Owns: its file, its settings, and whether it is still there.
//! Never: takes a namespace for the router's because of its name alone, once it has a handle.

use std::path::PathBuf;

use super::{RouterError, RouterOptions};
use crate::linux_net::sysctl;
use crate::name::InterfaceName;
use crate::netlink::namespace::{Namespace, NamespaceError, unmount};
use crate::rtnl::{LinkChange, Rtnl};

/// What makes a namespace a router: the value of each setting.
const SETTINGS: [(&str, &str); 4] = [
    ("net/ipv4/ip_forward", "1"),
    // An address is answered for on its own device only, and asked from an address of that device.
    ("net/ipv4/conf/all/arp_ignore", "1"),
    ("net/ipv4/conf/all/arp_announce", "2"),
    // Connections whose answers go another way are still connections. The kernel has this with connection tracking only.
    ("net/netfilter/nf_conntrack_tcp_be_liberal", "1"),
];
const SETTING_V6: (&str, &str) = ("net/ipv6/conf/all/forwarding", "1");

/// A router's namespace.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    pub(super) namespace: Namespace,
    /// Whether it was there before.
    pub(super) adopted: bool,
}

impl Place {
    /// The namespace of that name; it is made if it is not there.
    pub(super) fn open(name: &str, options: &RouterOptions) -> Result<Self, RouterError> {
        let path = options.directory.join(name);
        match Namespace::path(&path) {
            Ok(namespace) => return Ok(Self { path, namespace, adopted: true }),
            // A file without a namespace is what a process leaves that ends in between.
            Err(NamespaceError::Missing { .. } | NamespaceError::NotANamespace { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let namespace = Namespace::fresh()?;
        namespace.mount(&path)?;
        Ok(Self { path, namespace, adopted: false })
    }

    /// Makes it a router's. What the kernel does not have is left out; a kernel without IPv6 forwards none.
    pub(super) fn prepare(&self, rtnl: &mut Rtnl, options: &RouterOptions) -> Result<(), RouterError> {
        let v6 = options.rules.ipv6.then_some(SETTING_V6);
        for (name, value) in SETTINGS.into_iter().chain(v6) {
            match sysctl::ensure(&self.namespace, name, value) {
                Err(error) if error.is_missing() => log::debug!("{error}"),
                done => drop(done?),
            }
        }
        let lo = InterfaceName::new("lo").map_err(super::state::StateError::from)?;
        if let Some(lo) = rtnl.link(&lo)?.filter(|lo| !lo.up) {
            rtnl.set_link(&lo, &LinkChange::up(true))?;
        }
        Ok(())
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// [`RouterError::Gone`] when it is not.
    pub(super) fn check(&self) -> Result<(), RouterError> {
        if self.namespace.is_mounted_at(&self.path)? { Ok(()) } else { Err(self.gone()) }
    }

    pub(super) fn gone(&self) -> RouterError {
        RouterError::Gone { path: self.path.clone() }
    }

    /// Takes it away, unless somebody has, or has put another there.
    pub(super) fn remove(&self) -> Result<(), RouterError> {
        if self.namespace.is_mounted_at(&self.path)? {
            unmount(&self.path)?;
        }
        Ok(())
    }
}
