//! A tenant's rule as it was written, and what is wrong with it.
//!
//! Owns: the check of every field: what comes out is typed, or rejected by group and rule.
//! Never: guesses. A field that says nothing is absent, one that cannot be understood is refused.
//!
//! Numbers may be -1 for "any", as the databases have it.

use ipnetwork::IpNetwork;
use thiserror::Error;

use super::group::{Direction, GroupId, GroupRule, Remote, RuleId};
use super::icmp;
use super::service::{PortProtocol, Service};
use crate::rule::{Family, PortRange, Protocol};

/// A rule as a tenant wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleInput<'a> {
    /// `ingress` or `egress`; absent is `ingress`.
    pub direction: Option<&'a str>,
    /// `IPv4` or `IPv6`; absent is what the prefix says, else both.
    pub ethertype: Option<&'a str>,
    /// A name or a number; absent, empty, `any` or `0` is every protocol.
    pub protocol: Option<&'a str>,
    /// The first port, or the ICMP type.
    pub from: Option<i64>,
    /// The last port, or the ICMP code.
    pub to: Option<i64>,
    /// The ICMP type by name, in place of type and code: `echo-request`. Such a rule says its family.
    pub icmp_type: Option<&'a str>,
    /// The first source port.
    pub source_from: Option<i64>,
    /// The last source port.
    pub source_to: Option<i64>,
    /// The other side's addresses: an address or a prefix, whose host bits count for nothing.
    pub prefix: Option<&'a str>,
    /// The group whose members are the other side.
    pub group: Option<&'a str>,
    /// A text for people. It reaches neither a rule nor a log.
    pub description: Option<&'a str>,
}

/// A rule that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("rule {rule} of security group {group}: {why}")]
pub struct Rejected {
    /// The group.
    pub group: GroupId,
    /// The rule.
    pub rule: RuleId,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a rule. Text of the tenant's is escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Why {
    /// Neither `ingress` nor `egress`.
    #[error("direction `{0}` is neither ingress nor egress")]
    Direction(String),
    /// Neither `IPv4` nor `IPv6`.
    #[error("ethertype `{0}` is neither IPv4 nor IPv6")]
    Ethertype(String),
    /// No protocol of that name or number.
    #[error("there is no protocol `{0}`; give its number")]
    Protocol(String),
    /// Not from 0 to 65535, or descending, or only one end is there.
    #[error("ports {from} to {to} are not a range from 0 to 65535")]
    Ports {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// Ports of no protocol.
    #[error("ports need a protocol that has them")]
    NoPorts,
    /// Not from 0 to 255, or a code without a type.
    #[error("ICMP type {kind} with code {code} does not exist; both go from 0 to 255, -1 is any")]
    Icmp {
        /// The type.
        kind: i64,
        /// The code.
        code: i64,
    },
    /// No type of ICMP in the rule's family.
    #[error("`{0}` is no type of ICMP in the family of the rule")]
    IcmpName(String),
    /// No address and no prefix.
    #[error("`{0}` is neither an address nor a prefix")]
    Prefix(String),
    /// The parts are of different families.
    #[error("{0} does not fit {1}")]
    Family(&'static str, Family),
    /// Two other sides.
    #[error("a rule has a prefix or a group, not both")]
    TwoRemotes,
    /// Not an identifier.
    #[error("`{0}` is no group id")]
    Group(String),
}

/// What is shown of a tenant's text.
const SHOWN: usize = 64;

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).flat_map(char::escape_default).collect()
}

impl RuleInput<'_> {
    /// The rule, typed.
    ///
    /// # Errors
    /// [`Rejected`] names group, rule and field.
    pub fn check(&self, group: &GroupId, rule: &RuleId) -> Result<GroupRule, Rejected> {
        self.typed(rule).map_err(|why| Rejected { group: group.clone(), rule: rule.clone(), why })
    }

    fn typed(&self, id: &RuleId) -> Result<GroupRule, Why> {
        let direction = match self.direction {
            None | Some("ingress") => Direction::Ingress,
            Some("egress") => Direction::Egress,
            Some(other) => return Err(Why::Direction(shown(other))),
        };
        let ethertype = match self.ethertype {
            None => None,
            Some("IPv4") => Some(Family::Ipv4),
            Some("IPv6") => Some(Family::Ipv6),
            Some(other) => return Err(Why::Ethertype(shown(other))),
        };
        let remote = self.remote()?;
        let prefix = match &remote {
            Remote::Prefix(prefix) => Some(if prefix.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }),
            Remote::Any | Remote::Group(_) => None,
        };
        if let (Some(ethertype), Some(prefix)) = (ethertype, prefix)
            && ethertype != prefix
        {
            return Err(Why::Family("the prefix", ethertype));
        }
        let family = ethertype.or(prefix);
        let service = self.service(family)?;
        Ok(GroupRule { id: id.clone(), direction, family, service, remote })
    }

    fn remote(&self) -> Result<Remote, Why> {
        match (self.prefix, self.group) {
            (Some(_), Some(_)) => Err(Why::TwoRemotes),
            (Some(text), None) => {
                let prefix: IpNetwork = text.parse().map_err(|_| Why::Prefix(shown(text)))?;
                // With the host bits gone, as the kernel compares.
                let network = IpNetwork::new(prefix.network(), prefix.prefix());
                network.map(Remote::Prefix).map_err(|_| Why::Prefix(shown(text)))
            }
            (None, Some(text)) => GroupId::new(text).map(Remote::Group).map_err(|_| Why::Group(shown(text))),
            (None, None) => Ok(Remote::Any),
        }
    }

    fn service(&self, family: Option<Family>) -> Result<Service, Why> {
        let text = self.protocol.unwrap_or_default().trim().to_ascii_lowercase();
        let ports = |protocol| {
            let source = range(self.source_from, self.source_to)?;
            Ok(Service::Ports { protocol, source, destination: range(self.from, self.to)? })
        };
        let number = match &*text {
            "" | "any" | "all" | "0" => return self.anything(),
            "icmp" | "1" | "icmpv6" | "ipv6-icmp" | "58" => {
                if family == Some(Family::Ipv4) && matches!(&*text, "icmpv6" | "ipv6-icmp" | "58") {
                    return Err(Why::Family("protocol ICMPv6", Family::Ipv4));
                }
                return self.icmp(family);
            }
            "tcp" | "6" => return ports(PortProtocol::Tcp),
            "udp" | "17" => return ports(PortProtocol::Udp),
            "sctp" | "132" => return ports(PortProtocol::Sctp),
            "dccp" | "33" => return ports(PortProtocol::Dccp),
            "udplite" | "136" => return ports(PortProtocol::UdpLite),
            other => PROTOCOLS
                .iter()
                .find_map(|(name, number)| (*name == other).then_some(*number))
                .or_else(|| other.parse::<u8>().ok())
                .ok_or_else(|| Why::Protocol(shown(other)))?,
        };
        // Ports of a protocol without any are left out, as the networking API does.
        Ok(Service::Protocol(Protocol(number)))
    }

    /// Every protocol. Ports without one would open more than was asked for.
    fn anything(&self) -> Result<Service, Why> {
        let ports = [self.from, self.to, self.source_from, self.source_to];
        if ports.into_iter().flatten().any(|port| port != -1) { Err(Why::NoPorts) } else { Ok(Service::Any) }
    }

    fn icmp(&self, family: Option<Family>) -> Result<Service, Why> {
        if let Some(name) = self.icmp_type {
            let named = family.and_then(|family| icmp::named(name, family));
            let (kind, code) = named.ok_or_else(|| Why::IcmpName(shown(name)))?;
            return Ok(Service::Icmp { kind: Some(kind), code });
        }
        let (kind, code) = (self.from.unwrap_or(-1), self.to.unwrap_or(-1));
        let wrong = Why::Icmp { kind, code };
        let part = |value: i64| match value {
            -1 => Ok(None),
            value => u8::try_from(value).map(Some).map_err(|_| wrong.clone()),
        };
        match (part(kind)?, part(code)?) {
            (None, Some(_)) => Err(wrong),
            (kind, code) => Ok(Service::Icmp { kind, code }),
        }
    }
}

/// A range of ports; both ends -1 or absent is all.
fn range(from: Option<i64>, to: Option<i64>) -> Result<Option<PortRange>, Why> {
    let (from, to) = (from.unwrap_or(-1), to.unwrap_or(-1));
    if (from, to) == (-1, -1) {
        return Ok(None);
    }
    let wrong = Why::Ports { from, to };
    let port = |port: i64| u16::try_from(port).map_err(|_| wrong.clone());
    PortRange::new(port(from)?, port(to)?).map(Some).ok_or_else(|| wrong.clone())
}

/// Protocols without ports that tenants name, by the names that the networking API takes.
const PROTOCOLS: [(&str, u8); 19] = [
    ("ah", 51),
    ("egp", 8),
    ("encap", 98),
    ("esp", 50),
    ("gre", 47),
    ("igmp", 2),
    ("ipcomp", 108),
    ("ipencap", 4),
    ("ipip", 4),
    ("ipv4", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("vrrp", 112),
];
