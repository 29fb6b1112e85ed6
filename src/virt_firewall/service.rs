//! What a security-group rule allows: protocol, ports, ICMP type.
//!
//! Owns: the value, and the matches that it is, in the form that nova or neutron give it.
//! Never: holds ports of a protocol without ports.

use super::input::Why;
use crate::rule::matches::{IcmpType, Multiport, MultiportSide};
use crate::rule::{Family, Match, Not, PortRange, Protocol, Rule};

/// Whose form of a rule: they mean the same, and their dumps differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A range of ports is `-m multiport` alone.
    Nova,
    /// A range of ports is `-m multiport` after the protocol's match.
    Neutron,
}

/// A protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// DCCP.
    Dccp,
    /// UDP-Lite.
    UdpLite,
}

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Service {
    /// Everything.
    #[default]
    Any,
    /// A protocol as a whole.
    Protocol(Protocol),
    /// Ports of a protocol; `None` is all.
    Ports {
        /// The protocol.
        protocol: PortProtocol,
        /// Source ports.
        source: Option<PortRange>,
        /// Destination ports.
        destination: Option<PortRange>,
    },
    /// ICMP in IPv4, ICMPv6 in IPv6.
    Icmp {
        /// The type; `None` is any.
        kind: Option<u8>,
        /// The code, of a type; `None` is any.
        code: Option<u8>,
    },
}

impl PortProtocol {
    /// Its number.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::TCP,
            Self::Udp => Protocol::UDP,
            Self::Sctp => Protocol::SCTP,
            Self::Dccp => Protocol::DCCP,
            Self::UdpLite => Protocol::UDPLITE,
        }
    }
}

impl Service {
    /// Whether packets of the family can be it.
    #[must_use]
    pub fn is_of(self, family: Family) -> bool {
        match (self, family) {
            (Self::Protocol(Protocol::ICMP), Family::Ipv6) | (Self::Protocol(Protocol::ICMPV6), Family::Ipv4) => false,
            (Self::Any | Self::Protocol(_) | Self::Ports { .. } | Self::Icmp { .. }, _) => true,
        }
    }

    /// Whether its parts fit together.
    pub(super) fn check(self) -> Result<(), Why> {
        match self {
            Self::Icmp { kind: None, code: Some(code) } => Err(Why::Icmp { kind: -1, code: code.into() }),
            Self::Any | Self::Protocol(_) | Self::Ports { .. } | Self::Icmp { .. } => Ok(()),
        }
    }

    /// The rule, for packets of this service only.
    pub(super) fn limit(self, rule: Rule, family: Family, dialect: Dialect) -> Rule {
        match self {
            Self::Any => rule,
            Self::Protocol(protocol) => rule.protocol(protocol),
            Self::Ports { protocol, source, destination } => {
                let rule = rule.protocol(protocol.protocol());
                let ports = [(MultiportSide::Source, source), (MultiportSide::Destination, destination)];
                ports.into_iter().fold(rule, |rule, (side, ports)| match ports {
                    Some(ports) => limit_ports(rule, protocol, side, ports, dialect),
                    None => rule,
                })
            }
            Self::Icmp { kind, code } => {
                let kind = kind.map(|kind| Not::is(code.map_or(IcmpType::new(kind), |c| IcmpType::with_code(kind, c))));
                let (protocol, of): (_, fn(Not<IcmpType>) -> Match) = match family {
                    Family::Ipv4 => (Protocol::ICMP, Match::Icmp),
                    Family::Ipv6 => (Protocol::ICMPV6, Match::Icmp6),
                };
                kind.into_iter().fold(rule.protocol(protocol), |rule, kind| rule.matching(of(kind)))
            }
        }
    }
}

fn limit_ports(rule: Rule, protocol: PortProtocol, side: MultiportSide, ports: PortRange, dialect: Dialect) -> Rule {
    let own = protocol != PortProtocol::UdpLite;
    if own && ports.is_single() {
        return match side {
            MultiportSide::Source => rule.sport(ports),
            MultiportSide::Destination | MultiportSide::Either => rule.dport(ports),
        };
    }
    let rule = if own && dialect == Dialect::Neutron { with_own_match(rule, protocol) } else { rule };
    rule.matching(Match::Multiport(Multiport { side, negated: false, ports: vec![ports] }))
}

/// With the protocol's match, if it is not there yet: `-m tcp`.
fn with_own_match(rule: Rule, protocol: PortProtocol) -> Rule {
    let own = match protocol {
        PortProtocol::Tcp => Match::Tcp(Default::default()),
        PortProtocol::Udp => Match::Udp(Default::default()),
        PortProtocol::Sctp => Match::Sctp(Default::default()),
        PortProtocol::Dccp => Match::Dccp(Default::default()),
        PortProtocol::UdpLite => return rule,
    };
    let same = |m: &Match| std::mem::discriminant(m) == std::mem::discriminant(&own);
    if rule.matches.iter().any(same) { rule } else { rule.matching(own) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(service: Service, family: Family, dialect: Dialect) -> Vec<Match> {
        service.limit(Rule::new(), family, dialect).matches
    }

    fn tcp(from: u16, to: u16) -> Service {
        Service::Ports { protocol: PortProtocol::Tcp, source: None, destination: PortRange::new(from, to) }
    }

    /// nova 93.
    #[test]
    fn types_of_icmp_are_matched_with_their_code() {
        let icmp = |kind, code| Service::Icmp { kind, code };
        assert_eq!(limited(icmp(None, None), Family::Ipv4, Dialect::Nova), []);
        let plain = Match::Icmp(Not::is(IcmpType::new(123)));
        assert_eq!(limited(icmp(Some(123), None), Family::Ipv4, Dialect::Nova), [plain]);
        let six = Match::Icmp6(Not::is(IcmpType::with_code(123, 45)));
        assert_eq!(limited(icmp(Some(123), Some(45)), Family::Ipv6, Dialect::Nova), [six]);
        assert_eq!(icmp(None, None).limit(Rule::new(), Family::Ipv6, Dialect::Nova), Rule::new().icmpv6());
    }

    /// nova 94.
    #[test]
    fn one_port_is_the_protocols_match_and_several_are_multiport() {
        assert_eq!(tcp(123, 123).limit(Rule::new(), Family::Ipv4, Dialect::Nova), Rule::new().tcp().dport(123));
        let range =
            |side| Match::Multiport(Multiport { side, negated: false, ports: vec![PortRange::new(123, 456).unwrap()] });
        let destination = range(MultiportSide::Destination);
        assert_eq!(limited(tcp(123, 456), Family::Ipv4, Dialect::Nova), std::slice::from_ref(&destination));
        let own = Match::Tcp(Default::default());
        assert_eq!(limited(tcp(123, 456), Family::Ipv4, Dialect::Neutron), [own.clone(), destination.clone()]);
        let both = Service::Ports {
            protocol: PortProtocol::Tcp,
            source: PortRange::new(123, 456),
            destination: PortRange::new(123, 456),
        };
        let source = range(MultiportSide::Source);
        assert_eq!(limited(both, Family::Ipv6, Dialect::Neutron), [own, source, destination]);
    }

    /// Its own match has no ports in the kernel's tables.
    #[test]
    fn a_port_of_udp_lite_is_multiport() {
        let lite =
            Service::Ports { protocol: PortProtocol::UdpLite, source: None, destination: Some(PortRange::single(9)) };
        assert!(matches!(limited(lite, Family::Ipv4, Dialect::Neutron)[..], [Match::Multiport(_)]));
        assert_eq!(lite.limit(Rule::new(), Family::Ipv4, Dialect::Nova).protocol, Some(Not::is(Protocol::UDPLITE)));
    }

    #[test]
    fn protocols_are_of_their_family() {
        assert!(!Service::Protocol(Protocol::ICMP).is_of(Family::Ipv6));
        assert!(!Service::Protocol(Protocol::ICMPV6).is_of(Family::Ipv4));
        assert!(Service::Any.is_of(Family::Ipv6) && tcp(1, 2).is_of(Family::Ipv4));
    }
}
