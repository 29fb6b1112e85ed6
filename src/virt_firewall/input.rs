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

/// A tenant's rule with its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRule<'a> {
    /// The identifier.
    pub id: RuleId,
    /// What was written.
    pub input: RuleInput<'a>,
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
    /// No other side, where there has to be one.
    #[error("a rule has a prefix or a group, this one has neither")]
    NoRemote,
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
            Remote::Prefix(prefix) => Some(Family::of(prefix.ip())),
            Remote::Any | Remote::Group(_) => None,
        };
        if let (Some(ethertype), Some(prefix)) = (ethertype, prefix)
            && ethertype != prefix
        {
            return Err(Why::Family("the prefix", ethertype));
        }
        let family = ethertype.or(prefix);
        let service = self.service(family)?;
        let family = family.or_else(|| self.family_of_icmp(service));
        Ok(GroupRule { id: id.clone(), direction, family, service, remote })
    }

    /// Types of ICMP mean something else in ICMPv6, and who names ICMPv6 does not mean ICMP.
    fn family_of_icmp(&self, service: Service) -> Option<Family> {
        let Service::Icmp { kind, .. } = service else { return None };
        let text = self.protocol.unwrap_or_default().trim().to_ascii_lowercase();
        match &*text {
            "icmpv6" | "ipv6-icmp" | "58" => Some(Family::Ipv6),
            _ => kind.map(|_| Family::Ipv4),
        }
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
                // Not `06` or `+6`: who means a protocol with ports would get all of them.
                .or_else(|| other.parse::<u8>().ok().filter(|number| number.to_string() == other))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::Target;
    use crate::virt_firewall::service::Dialect;

    fn check(input: &RuleInput<'_>) -> Result<GroupRule, Why> {
        input.check(&"g".parse().unwrap(), &"r".parse().unwrap()).map_err(|rejected| rejected.why)
    }

    fn ports(protocol: &'static str, from: i64, to: i64) -> RuleInput<'static> {
        RuleInput { protocol: Some(protocol), from: Some(from), to: Some(to), ..RuleInput::default() }
    }

    #[test]
    fn ports_are_a_range_of_a_protocol_that_has_them() {
        let range = |from, to| PortRange::new(from, to);
        let tcp = |destination| Service::Ports { protocol: PortProtocol::Tcp, source: None, destination };
        assert_eq!(check(&ports("TCP", 80, 81)).unwrap().service, tcp(range(80, 81)));
        assert_eq!(check(&ports("6", -1, -1)).unwrap().service, tcp(None));
        for (from, to) in [(81, 80), (0, 65536), (-1, 80), (80, -1), (i64::MIN, i64::MAX)] {
            assert_eq!(check(&ports("tcp", from, to)), Err(Why::Ports { from, to }));
        }
        assert_eq!(check(&ports("any", 80, 80)), Err(Why::NoPorts));
        assert_eq!(check(&ports("gre", 80, 80)).unwrap().service, Service::Protocol(Protocol(47)));
        for number in ["256", "06", "+6", "00", "-1"] {
            assert!(matches!(check(&ports(number, 80, 80)), Err(Why::Protocol(_))), "{number}");
        }
    }

    #[test]
    fn types_of_icmp_are_of_their_family() {
        let icmp = |kind, code| Service::Icmp { kind, code };
        let echo = check(&ports("icmp", 8, -1)).unwrap();
        assert_eq!((echo.service, echo.family), (icmp(Some(8), None), Some(Family::Ipv4)));
        assert_eq!(check(&ports("icmp", -1, -1)).unwrap().family, None);
        assert_eq!(check(&ports("icmpv6", -1, -1)).unwrap().family, Some(Family::Ipv6));
        let six = RuleInput { prefix: Some("::/0"), ..ports("icmp", 128, 0) };
        assert_eq!(check(&six).unwrap().service, icmp(Some(128), Some(0)));
        let four = RuleInput { prefix: Some("10.0.0.0/8"), ..ports("icmpv6", 128, 0) };
        assert_eq!(check(&four), Err(Why::Family("protocol ICMPv6", Family::Ipv4)));
        for (kind, code) in [(256, -1), (-1, 0), (-2, -1), (8, 256)] {
            assert_eq!(check(&ports("icmp", kind, code)), Err(Why::Icmp { kind, code }));
        }
    }

    #[test]
    fn the_other_side_is_one_of_one_family() {
        let prefix = |text| RuleInput { prefix: Some(text), ..RuleInput::default() };
        let network = check(&prefix("10.1.1.1/8")).unwrap();
        assert_eq!(network.remote, Remote::Prefix("10.0.0.0/8".parse().unwrap()));
        assert_eq!(network.family, Some(Family::Ipv4));
        for bad in ["10.0.0.0/33", "10.0.0.0/8 -j ACCEPT", "", "::/129", "example.org"] {
            assert!(matches!(check(&prefix(bad)), Err(Why::Prefix(_))), "{bad}");
        }
        let six = RuleInput { ethertype: Some("IPv6"), ..prefix("10.0.0.0/8") };
        assert_eq!(check(&six), Err(Why::Family("the prefix", Family::Ipv6)));
        let two = RuleInput { group: Some("web"), ..prefix("10.0.0.0/8") };
        assert_eq!(check(&two), Err(Why::TwoRemotes));
        let group = |text| RuleInput { group: Some(text), ..RuleInput::default() };
        assert!(matches!(check(&group("web")).unwrap().remote, Remote::Group(_)));
        assert!(matches!(check(&group("web -j ACCEPT")), Err(Why::Group(_))));
        assert!(matches!(check(&RuleInput { direction: Some("in"), ..prefix("::/0") }), Err(Why::Direction(_))));
        assert!(matches!(check(&RuleInput { ethertype: Some("ipv4"), ..prefix("::/0") }), Err(Why::Ethertype(_))));
    }

    /// Text with a word that nothing of ours has, with and without what ends a line or a word.
    fn text() -> impl Strategy<Value = String> {
        ("[\\PC\n\r\t\0 ]{0,12}", "[\\PC\n\r\t\0 ]{0,12}").prop_map(|(a, b)| format!("{a}zqx{b}"))
    }

    proptest! {
        /// Whatever a tenant writes into whichever field: it is refused, or no rule has any of it. What is shown of it is
        /// one line.
        #[test]
        fn no_text_reaches_a_rule(
            texts in prop::array::uniform6(prop::option::of(text())),
            numbers in prop::array::uniform4(prop::option::of(any::<i64>())),
            good in prop::array::uniform4(any::<bool>()),
        ) {
            let [direction, ethertype, protocol, prefix, group, description] = &texts;
            let [from, to, source_from, source_to] = numbers;
            let or = |good: bool, fine: &'static str, text: &Option<String>| {
                if good { Some(fine.to_owned()) } else { text.clone() }
            };
            let (direction, ethertype) = (or(good[0], "ingress", direction), or(good[1], "IPv4", ethertype));
            let (protocol, prefix) = (or(good[2], "tcp", protocol), or(good[3], "10.0.0.0/8", prefix));
            let input = RuleInput {
                direction: direction.as_deref(),
                ethertype: ethertype.as_deref(),
                protocol: protocol.as_deref(),
                from, to, source_from, source_to,
                icmp_type: description.as_deref(),
                prefix: prefix.as_deref(),
                group: group.as_deref(),
                description: description.as_deref(),
            };
            match input.check(&"g".parse().unwrap(), &"r".parse().unwrap()) {
                Ok(rule) => {
                    for family in Family::BOTH {
                        let shown = rule.rule(family, Dialect::Nova, Target::Accept, |_| "set".parse().unwrap());
                        let shown = format!("{shown:?}");
                        prop_assert!(!shown.contains("zqx"), "{}", shown);
                    }
                }
                Err(rejected) => {
                    let shown = rejected.to_string();
                    prop_assert!(!shown.contains(char::is_control), "{}", shown);
                    prop_assert!(shown.len() < 1000);
                }
            }
        }
    }
}
