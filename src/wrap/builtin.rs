//! The tables of iptables and their built-in chains.
//!
//! Owns: which table has which built-in chains, at which hook and priority, of which nf_tables type.
//! Never: decides when a base chain is created.
//!
//! Invariant: the order of [`TableKind::ALL`] is the order in which every walk over a model sees its tables.
//!
//! Where the truth is: `xtables_ipv4` in iptables 1.8.9 (`iptables/nft.c`) and `enum nf_ip_hook_priorities`
//! (`include/uapi/linux/netfilter_ipv4.h`, Linux v6.12); the IPv6 tables are the same.

use std::fmt;

use crate::name::TableName;
use crate::rule::Family;

/// A table of iptables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableKind {
    /// `raw`: before connection tracking.
    Raw,
    /// `mangle`: changes packets.
    Mangle,
    /// `nat`: translates the addresses of new connections.
    Nat,
    /// `filter`: accepts and drops.
    Filter,
    /// `security`: mandatory access control, after `filter`.
    Security,
}

/// A hook of the IP families, by its kernel number `NF_INET_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Hook {
    /// `NF_INET_PRE_ROUTING`.
    Prerouting = 0,
    /// `NF_INET_LOCAL_IN`.
    Input = 1,
    /// `NF_INET_FORWARD`.
    Forward = 2,
    /// `NF_INET_LOCAL_OUT`.
    Output = 3,
    /// `NF_INET_POST_ROUTING`.
    Postrouting = 4,
}

/// A built-in chain: in the kernel, a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Builtin {
    /// `INPUT`, `FORWARD`, ...
    pub name: &'static str,
    /// Where it hangs.
    pub hook: Hook,
    /// When it runs among the base chains of that hook: lower runs earlier.
    pub priority: i32,
    /// The nf_tables chain type: `filter`, `nat` or `route`.
    pub kind: &'static str,
}

const fn builtin(hook: Hook, priority: i32, kind: &'static str) -> Builtin {
    let name = match hook {
        Hook::Prerouting => "PREROUTING",
        Hook::Input => "INPUT",
        Hook::Forward => "FORWARD",
        Hook::Output => "OUTPUT",
        Hook::Postrouting => "POSTROUTING",
    };
    Builtin { name, hook, priority, kind }
}

const RAW: [Builtin; 2] = [builtin(Hook::Prerouting, -300, "filter"), builtin(Hook::Output, -300, "filter")];
// A packet whose mark or address changed on its way out is routed again: that is what type `route` does.
const MANGLE: [Builtin; 5] = [
    builtin(Hook::Prerouting, -150, "filter"),
    builtin(Hook::Input, -150, "filter"),
    builtin(Hook::Forward, -150, "filter"),
    builtin(Hook::Output, -150, "route"),
    builtin(Hook::Postrouting, -150, "filter"),
];
// Destinations are translated before routing, sources after it.
const NAT: [Builtin; 4] = [
    builtin(Hook::Prerouting, -100, "nat"),
    builtin(Hook::Input, 100, "nat"),
    builtin(Hook::Output, -100, "nat"),
    builtin(Hook::Postrouting, 100, "nat"),
];
const FILTER: [Builtin; 3] =
    [builtin(Hook::Input, 0, "filter"), builtin(Hook::Forward, 0, "filter"), builtin(Hook::Output, 0, "filter")];
const SECURITY: [Builtin; 3] =
    [builtin(Hook::Input, 50, "filter"), builtin(Hook::Forward, 50, "filter"), builtin(Hook::Output, 50, "filter")];

impl TableKind {
    /// All tables, in the order in which a packet meets them.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Mangle, Self::Nat, Self::Filter, Self::Security];

    /// The table of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name that iptables and, in `Layout::Iptables`, the kernel know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Mangle => "mangle",
            Self::Nat => "nat",
            Self::Filter => "filter",
            Self::Security => "security",
        }
    }

    /// [`name`](TableKind::name), as the kernel's tables are named.
    #[must_use]
    pub fn table_name(self) -> TableName {
        TableName::fixed(self.name())
    }

    /// The table's built-in chains, in the order of their hooks.
    #[must_use]
    pub const fn builtins(self) -> &'static [Builtin] {
        match self {
            Self::Raw => &RAW,
            Self::Mangle => &MANGLE,
            Self::Nat => &NAT,
            Self::Filter => &FILTER,
            Self::Security => &SECURITY,
        }
    }

    /// The table's built-in chain of that name.
    #[must_use]
    pub fn builtin(self, name: &str) -> Option<&'static Builtin> {
        self.builtins().iter().find(|b| b.name == name)
    }
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One table of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Which table.
    pub kind: TableKind,
}

impl TableId {
    /// The table `kind` of `family`.
    #[must_use]
    pub const fn new(family: Family, kind: TableKind) -> Self {
        Self { family, kind }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_tables_and_back() {
        for kind in TableKind::ALL {
            assert_eq!(TableKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(TableKind::from_name("FILTER"), None);
    }

    #[test]
    fn hooks_ascend_and_only_mangle_output_reroutes() {
        for kind in TableKind::ALL {
            assert!(kind.builtins().is_sorted_by_key(|b| b.hook), "{kind}");
            for b in kind.builtins() {
                assert_eq!(b.kind == "route", kind == TableKind::Mangle && b.name == "OUTPUT");
                assert_eq!(b.kind == "nat", kind == TableKind::Nat);
            }
        }
        assert_eq!(TableKind::Nat.builtin("POSTROUTING").map(|b| b.priority), Some(100));
        assert_eq!(TableKind::Filter.builtin("PREROUTING"), None);
    }
}
