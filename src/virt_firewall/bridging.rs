//! Whether what a bridge forwards from port to port meets the tables at all.
//!
//! Owns: the question, for each family, and for each bridge, which may be told otherwise by itself.
//! Never: switches it on: that changes what other programs' rules see. Never an error of a firewall's: where packets are routed
//! to instances, nobody needs it.
//!
//! Without it rules for two instances of one bridge are void, and nothing fails (nova 7.32, neutron D31): a firewall says it once, and an
//! agent can ask at its start. Rules of the bridge family, as those against spoofing, need no such setting.
//!
//! Where the truth is: `br_nf_pre_routing`, `br_netfilter_sysctl_table` in `net/bridge/br_netfilter_hooks.c`;
//! `IFLA_BR_NF_CALL_IPTABLES` (Linux v6.12).
//! How it is tested: `tests/virt_firewall` with packets between ports of a bridge, in each setting.

use std::fmt;
use std::io::ErrorKind;

use crate::linux_net::{Error, sysctl};
use crate::name::InterfaceName;
use crate::netlink::namespace::Namespace;
use crate::rtnl::Rtnl;
use crate::rtnl::kind::Data;
use crate::rule::Family;

/// Whether packets of bridges pass the tables of a family, as the namespace is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Of all bridges.
    On,
    /// Of those that say so by themselves.
    Off,
    /// Of none: the module `br_netfilter` is not loaded, or this namespace has no such setting.
    Missing,
}

impl Setting {
    /// Reads `net.bridge.bridge-nf-call-iptables`, or `-ip6tables`.
    ///
    /// # Errors
    /// [`Error`] when the setting is there and cannot be read.
    pub fn read(namespace: &Namespace, family: Family) -> Result<Self, Error> {
        match sysctl::read(namespace, &name(family).replace('.', "/")) {
            Ok(value) if value.trim() == "0" => Ok(Self::Off),
            Ok(_) => Ok(Self::On),
            Err(Error::Setting { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Self::Missing),
            Err(error) => Err(error),
        }
    }
}

fn name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "net.bridge.bridge-nf-call-iptables",
        Family::Ipv6 => "net.bridge.bridge-nf-call-ip6tables",
    }
}

/// A bridge that says by itself whether its packets pass the tables (`nf_call_iptables` of `ip link`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSetting {
    /// The bridge.
    pub bridge: InterfaceName,
    /// Those of IPv4.
    pub ipv4: bool,
    /// Those of IPv6.
    pub ipv6: bool,
}

/// What bridges of a namespace show the tables. Shown, it is the warning for whoever runs the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeFiltering {
    /// For IPv4.
    pub ipv4: Setting,
    /// For IPv6.
    pub ipv6: Setting,
    /// The bridges that there are.
    pub bridges: Vec<OwnSetting>,
}

impl BridgeFiltering {
    /// As it is now.
    ///
    /// # Errors
    /// [`Error`] when a setting is there and cannot be read, or devices cannot be listed.
    pub fn read(namespace: &Namespace) -> Result<Self, Error> {
        let [ipv4, ipv6] = Family::BOTH.map(|family| Setting::read(namespace, family));
        let links = Rtnl::open_in(namespace)?.links()?;
        let bridges = links.into_iter().filter_map(|link| match link.data {
            Data::Bridge(bridge) => Some(OwnSetting {
                bridge: link.name,
                ipv4: bridge.nf_call_iptables == Some(true),
                ipv6: bridge.nf_call_ip6tables == Some(true),
            }),
            _ => None,
        });
        Ok(Self { ipv4: ipv4?, ipv6: ipv6?, bridges: bridges.collect() })
    }

    /// The setting of a family.
    #[must_use]
    pub fn setting(&self, family: Family) -> Setting {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }

    /// Whether packets between the bridge's ports meet the tables of the family; `None` for a bridge that is not there.
    #[must_use]
    pub fn passes(&self, bridge: &InterfaceName, family: Family) -> Option<bool> {
        self.bridges.iter().find(|own| own.bridge == *bridge).map(|own| self.shows(own, family))
    }

    /// The bridges whose packets pass by the tables of the family.
    pub fn unseen(&self, family: Family) -> impl Iterator<Item = &InterfaceName> {
        self.bridges.iter().filter(move |own| !self.shows(own, family)).map(|own| &own.bridge)
    }

    /// Whether what each bridge forwards meets the tables of both families.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        Family::BOTH.into_iter().all(|family| self.unseen(family).next().is_none())
    }

    fn shows(&self, own: &OwnSetting, family: Family) -> bool {
        let by_itself = if family == Family::Ipv4 { own.ipv4 } else { own.ipv6 };
        match self.setting(family) {
            Setting::On => true,
            Setting::Off => by_itself,
            // A bridge can be told so all the same; nobody listens.
            Setting::Missing => false,
        }
    }
}

impl fmt::Display for BridgeFiltering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_complete() {
            return f.write_str("packets between ports of bridges meet the rules of IPv4 and IPv6");
        }
        let unseen = Family::BOTH.map(|family| (family, self.unseen(family).collect::<Vec<_>>()));
        for (number, (family, bridges)) in unseen.iter().filter(|(_, bridges)| !bridges.is_empty()).enumerate() {
            let start = if number == 0 { "" } else { "; " };
            write!(f, "{start}{family} packets between two ports of ")?;
            for (number, bridge) in bridges.iter().enumerate() {
                write!(f, "{}{bridge}", if number == 0 { "" } else { ", " })?;
            }
            let remedy = if self.setting(*family) == Setting::Missing { "load br_netfilter and set" } else { "set" };
            write!(f, " meet no rule: {remedy} {} to 1", name(*family))?;
        }
        f.write_str("; what is routed is filtered all the same")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_can_say_so_by_itself() {
        let own = |bridge: &str, ipv4, ipv6| OwnSetting { bridge: bridge.parse().unwrap(), ipv4, ipv6 };
        let bridges = vec![own("br0", false, false), own("br1", true, false)];
        let set = |ipv4, ipv6| BridgeFiltering { ipv4, ipv6, bridges: bridges.clone() };
        assert!(set(Setting::On, Setting::On).is_complete());
        let off = set(Setting::Off, Setting::Missing);
        assert_eq!(
            off.to_string(),
            "IPv4 packets between two ports of br0 meet no rule: set net.bridge.bridge-nf-call-iptables to 1; IPv6 packets \
             between two ports of br0, br1 meet no rule: load br_netfilter and set net.bridge.bridge-nf-call-ip6tables to 1; \
             what is routed is filtered all the same"
        );
        assert_eq!(off.passes(&"br1".parse().unwrap(), Family::Ipv4), Some(true));
        assert_eq!(off.passes(&"br2".parse().unwrap(), Family::Ipv4), None);
        let missing = set(Setting::Missing, Setting::On);
        assert_eq!(missing.unseen(Family::Ipv4).count(), 2, "nobody listens to the bridge");
        assert!(!missing.is_complete());
        assert!(BridgeFiltering { bridges: Vec::new(), ..missing }.is_complete(), "a host that routes");
    }
}
