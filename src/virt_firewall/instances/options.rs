//! How instances are firewalled.
//!
//! Owns: the choices, and which of them give nova's own dumps.

use crate::layout::Layout;
use crate::rule::Family;
use crate::virt_firewall::groups::Form;

/// How instances are firewalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the rules of security groups stand.
    pub form: Form,
    /// Whether instances of a network may send each other everything (`allow_same_net_traffic`).
    pub same_network: bool,
    /// Whether IPv6 is let through where rules allow it; otherwise none of it reaches an instance.
    pub ipv6: bool,
    /// Whether there are rules of the provider.
    pub provider: bool,
    /// Whether what instances send is held to their addresses.
    pub anti_spoofing: bool,
    /// Whether the rules hold for an instance's link-local address, too, as which nova lets everything in.
    pub link_local: bool,
    /// Whether connections that a group had let in end when nothing allows them any more; nova lets them go on.
    pub end_connections: bool,
}

impl Options {
    /// What nova's own dumps show: the default in the tables of iptables.
    #[must_use]
    pub fn nova() -> Self {
        let form = Form::Inline;
        Self {
            form,
            same_network: true,
            ipv6: true,
            provider: false,
            anti_spoofing: true,
            link_local: false,
            end_connections: true,
        }
    }

    /// One chain for each list of groups, and link-local addresses: the default in the native layout.
    #[must_use]
    pub fn native() -> Self {
        Self { form: Form::Lists, link_local: true, ..Self::nova() }
    }

    /// The defaults for a layout.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        match layout {
            Layout::Iptables => Self::nova(),
            Layout::Native(_) => Self::native(),
        }
    }

    pub(super) fn filters(&self, family: Family) -> bool {
        family == Family::Ipv4 || self.ipv6
    }
}
