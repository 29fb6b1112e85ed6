//! A tenant's rule as it was written, and what is wrong with it.
//!
//! Owns: the check of every field: what comes out is typed, or rejected by group and rule.
//! Never: guesses. A field that says nothing is absent, one that cannot be understood is refused.
//! Never: takes a field and leaves it without effect: what the protocol has no use for is refused, too, as the rule would open
//! more than was asked for, or nothing.
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
    /// A name or a number; absent, empty, `any` or `0` is every protocol. Spaces around it count for nothing.
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
    /// Ports of a protocol without any, or of every protocol. For ICMP these are source ports.
    #[error("ports need a protocol that has them: tcp, udp, sctp, dccp or udplite")]
    NoPorts,
    /// A type of ICMP of another protocol.
    #[error("the ICMP type `{0}` needs the protocol icmp or icmpv6")]
    NoIcmp(String),
    /// A type of ICMP by name, and by number beside it.
    #[error("the ICMP type is `{0}` by name and has numbers beside it; leave out one of them")]
    TwoIcmp(String),
    /// A header that stands before the protocol, so that no packet of IPv6 is of it.
    #[error("`{0}` is a header that stands before the protocol in IPv6; no packet has it as protocol")]
    Header(String),
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
    /// Addresses of IPv4 in the form of IPv6, which no packet has.
    #[error("`{0}` is an IPv4 prefix in IPv6 form, which no packet has; write it as IPv4")]
    Mapped(String),
    /// The parts are of different families.
    #[error("{0} does not fit {1}")]
    Family(&'static str, Family),
    /// No packet of either family is what the rule allows.
    #[error("prefix, protocol and ethertype are of different families")]
    NoFamily,
    /// From the instance, where only what is sent to it is filtered.
    #[error("rules for egress have no effect: instances may send everything that their addresses allow")]
    Egress,
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
        let (service, family) = self.service(family)?;
        Ok(GroupRule { id: id.clone(), direction, family, service, remote })
    }

    fn remote(&self) -> Result<Remote, Why> {
        match (self.prefix, self.group) {
            (Some(_), Some(_)) => Err(Why::TwoRemotes),
            (Some(text), None) => {
                let prefix: IpNetwork = text.parse().map_err(|_| Why::Prefix(shown(text)))?;
                if let IpNetwork::V6(six) = prefix
                    && six.prefix() >= 96
                    && six.ip().to_ipv4_mapped().is_some()
                {
                    return Err(Why::Mapped(shown(text)));
                }
                // With the host bits gone, as the kernel compares.
                let network = IpNetwork::new(prefix.network(), prefix.prefix());
                network.map(Remote::Prefix).map_err(|_| Why::Prefix(shown(text)))
            }
            (None, Some(text)) => GroupId::new(text).map(Remote::Group).map_err(|_| Why::Group(shown(text))),
            (None, None) => Ok(Remote::Any),
        }
    }

    /// What is allowed, and the family when the rule or its protocol says one.
    fn service(&self, family: Option<Family>) -> Result<(Service, Option<Family>), Why> {
        let text = self.protocol.unwrap_or_default().trim().to_ascii_lowercase();
        match &*text {
            "" | "any" | "all" | "0" => {
                self.has_no_type()?;
                self.has_no_ports()?;
                Ok((Service::Any, family))
            }
            "icmp" | "1" => self.icmp(family),
            "icmpv6" | "ipv6-icmp" | "58" => match family {
                Some(Family::Ipv4) => Err(Why::Family("protocol ICMPv6", Family::Ipv4)),
                Some(Family::Ipv6) | None => self.icmp(Some(Family::Ipv6)),
            },
            "tcp" | "6" => Ok((self.ports(PortProtocol::Tcp)?, family)),
            "udp" | "17" => Ok((self.ports(PortProtocol::Udp)?, family)),
            "sctp" | "132" => Ok((self.ports(PortProtocol::Sctp)?, family)),
            "dccp" | "33" => Ok((self.ports(PortProtocol::Dccp)?, family)),
            "udplite" | "136" => Ok((self.ports(PortProtocol::UdpLite)?, family)),
            other => self.whole_protocol(other, family),
        }
    }

    fn ports(&self, protocol: PortProtocol) -> Result<Service, Why> {
        self.has_no_type()?;
        let source = range(self.source_from, self.source_to)?;
        Ok(Service::Ports { protocol, source, destination: range(self.from, self.to)? })
    }

    /// A protocol that has neither ports nor types.
    fn whole_protocol(&self, text: &str, family: Option<Family>) -> Result<(Service, Option<Family>), Why> {
        let known = PROTOCOLS.iter().find(|(name, ..)| *name == text).map(|(_, number, own)| (*number, *own));
        // Not `06` or `+6`: who means a protocol with ports would get all of them.
        let number =
            || text.parse::<u8>().ok().filter(|number| number.to_string() == text).map(|number| (number, None));
        let (number, own) = known.or_else(number).ok_or_else(|| Why::Protocol(shown(text)))?;
        self.has_no_type()?;
        self.has_no_ports()?;
        if let (Some(own), Some(family)) = (own, family)
            && own != family
        {
            return Err(Why::Family("the protocol", family));
        }
        let family = family.or(own);
        if family == Some(Family::Ipv6) && HEADERS6.contains(&number) {
            return Err(Why::Header(shown(text)));
        }
        Ok((Service::Protocol(Protocol(number)), family))
    }

    fn has_no_type(&self) -> Result<(), Why> {
        self.icmp_type.map_or(Ok(()), |name| Err(Why::NoIcmp(shown(name))))
    }

    fn has_no_ports(&self) -> Result<(), Why> {
        if is_any([self.from, self.to, self.source_from, self.source_to]) { Ok(()) } else { Err(Why::NoPorts) }
    }

    /// Types of ICMP mean something else in ICMPv6: one without a family is of ICMP.
    fn icmp(&self, family: Option<Family>) -> Result<(Service, Option<Family>), Why> {
        if !is_any([self.source_from, self.source_to]) {
            return Err(Why::NoPorts);
        }
        if let Some(name) = self.icmp_type {
            if !is_any([self.from, self.to]) {
                return Err(Why::TwoIcmp(shown(name)));
            }
            let named = family.and_then(|family| icmp::named(name, family));
            let (kind, code) = named.ok_or_else(|| Why::IcmpName(shown(name)))?;
            return Ok((Service::Icmp { kind: Some(kind), code }, family));
        }
        let (kind, code) = (self.from.unwrap_or(-1), self.to.unwrap_or(-1));
        let wrong = Why::Icmp { kind, code };
        let part = |value: i64| match value {
            -1 => Ok(None),
            value => u8::try_from(value).map(Some).map_err(|_| wrong.clone()),
        };
        match (part(kind)?, part(code)?) {
            (None, Some(_)) => Err(wrong),
            (kind, code) => Ok((Service::Icmp { kind, code }, family.or(kind.map(|_| Family::Ipv4)))),
        }
    }
}

fn is_any<const N: usize>(numbers: [Option<i64>; N]) -> bool {
    numbers.into_iter().flatten().all(|number| number == -1)
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

/// Protocols without ports that tenants name, by the names that the networking API takes, and the family that the name says.
const PROTOCOLS: [(&str, u8, Option<Family>); 19] = [
    ("ah", 51, None),
    ("egp", 8, None),
    ("encap", 98, None),
    ("esp", 50, None),
    ("gre", 47, None),
    ("igmp", 2, None),
    ("ipcomp", 108, None),
    ("ipencap", 4, None),
    ("ipip", 4, None),
    ("ipv4", 4, None),
    ("ipv6-encap", 41, None),
    ("ipv6-frag", 44, Some(Family::Ipv6)),
    ("ipv6-nonxt", 59, Some(Family::Ipv6)),
    ("ipv6-opts", 60, Some(Family::Ipv6)),
    ("ipv6-route", 43, Some(Family::Ipv6)),
    ("ospf", 89, None),
    ("pgm", 113, None),
    ("rsvp", 46, None),
    ("vrrp", 112, None),
];

/// What `-p` never matches in IPv6, as the kernel goes past it to the protocol behind: routing, fragment, authentication and
/// destination options (`is_exthdr` of ip6tables, which warns).
const HEADERS6: [u8; 4] = [43, 44, 51, 60];

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
        assert_eq!(check(&ports("gre", -1, -1)).unwrap().service, Service::Protocol(Protocol(47)));
        assert_eq!(check(&ports("tcp", 0, 65535)).unwrap().service, tcp(range(0, 65535)));
        assert_eq!(check(&ports("tcp", 0, 0)).unwrap().service, tcp(range(0, 0)), "port 0 is one port, not all");
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

    /// What would be without effect, one line each: nothing of a rule is ignored in silence.
    #[test]
    fn no_field_is_ignored() {
        let of = |protocol| RuleInput { protocol: Some(protocol), prefix: Some("10.0.0.0/8"), ..RuleInput::default() };
        let six = |protocol| RuleInput { prefix: Some("fd00::/8"), ..of(protocol) };
        let typed = |input| RuleInput { icmp_type: Some("echo-request"), ..input };
        let source = |input, from, to| RuleInput { source_from: from, source_to: to, ..input };
        let target = |input, from, to| RuleInput { from, to, ..input };
        // A type of ICMP elsewhere.
        for protocol in ["tcp", "17", "sctp", "dccp", "udplite", "gre", "any", "0", ""] {
            assert_eq!(check(&typed(of(protocol))), Err(Why::NoIcmp("echo-request".into())), "{protocol}");
        }
        assert_eq!(check(&RuleInput { protocol: None, ..typed(of("")) }), Err(Why::NoIcmp("echo-request".into())));
        // One by name and by number.
        for (from, to) in [(Some(8), None), (None, Some(0)), (Some(8), Some(-1)), (Some(-2), None)] {
            assert_eq!(check(&target(typed(of("icmp")), from, to)), Err(Why::TwoIcmp("echo-request".into())));
        }
        assert!(check(&target(typed(of("icmp")), Some(-1), Some(-1))).is_ok());
        // Ports of what has none.
        for protocol in ["gre", "47", "esp", "112", "any", ""] {
            for (from, to) in [(Some(80), Some(80)), (Some(0), None), (None, Some(0)), (Some(-2), Some(-2))] {
                assert_eq!(check(&target(of(protocol), from, to)), Err(Why::NoPorts), "{protocol} {from:?} {to:?}");
                assert_eq!(check(&source(of(protocol), from, to)), Err(Why::NoPorts), "{protocol} {from:?} {to:?}");
            }
            assert!(check(&source(target(of(protocol), Some(-1), Some(-1)), Some(-1), None)).is_ok());
        }
        for input in [of("icmp"), of("1"), six("icmp"), six("icmpv6"), six("58"), typed(of("icmp"))] {
            assert_eq!(check(&source(input.clone(), Some(80), Some(80))), Err(Why::NoPorts));
            assert_eq!(check(&source(input, None, Some(0))), Err(Why::NoPorts));
        }
        // Ports that are none.
        for (from, to) in
            [(Some(80), None), (None, Some(80)), (Some(90), Some(80)), (Some(-2), Some(-2)), (Some(65536), Some(65536))]
        {
            let wrong = Err(Why::Ports { from: from.unwrap_or(-1), to: to.unwrap_or(-1) });
            assert_eq!(check(&target(of("udp"), from, to)), wrong);
            assert_eq!(check(&source(of("udp"), from, to)), wrong);
        }
        // What no packet has as its protocol, and what one family has not.
        for name in ["ah", "51", "43", "44", "60", "ipv6-route", "ipv6-frag", "ipv6-opts"] {
            assert_eq!(check(&six(name)), Err(Why::Header(name.into())), "{name}");
        }
        let both = |protocol| RuleInput { prefix: None, ..of(protocol) };
        for name in ["ipv6-route", "ipv6-frag", "ipv6-opts"] {
            assert_eq!(check(&both(name)), Err(Why::Header(name.into())), "{name}");
            assert_eq!(check(&of(name)), Err(Why::Family("the protocol", Family::Ipv4)), "{name}");
        }
        assert_eq!(check(&of("ipv6-nonxt")), Err(Why::Family("the protocol", Family::Ipv4)));
        assert_eq!(check(&both("ipv6-nonxt")).unwrap().family, Some(Family::Ipv6));
        assert_eq!(check(&both("ah")).unwrap().family, None);
        assert!(check(&of("ipv6-encap")).is_ok() && check(&of("ah")).is_ok());
        assert_eq!(check(&of("icmpv6")), Err(Why::Family("protocol ICMPv6", Family::Ipv4)));
        for mapped in ["::ffff:10.0.0.0/104", "::ffff:0:0/96", "::ffff:10.1.1.1"] {
            assert_eq!(check(&RuleInput { prefix: Some(mapped), ..of("tcp") }), Err(Why::Mapped(mapped.into())));
        }
        for plain in ["::/0", "::/95", "::1"] {
            assert!(check(&RuleInput { prefix: Some(plain), ..of("tcp") }).is_ok(), "{plain}");
        }
    }

    /// Text that is nearly right is refused, and shown in one line of bounded length.
    #[test]
    fn text_is_taken_as_it_stands() {
        let tcp =
            |protocol| check(&RuleInput { protocol: Some(protocol), ..RuleInput::default() }).map(|rule| rule.service);
        for spelling in ["tcp", " tcp", "TCP\t", "tcp\n", "6"] {
            assert_eq!(tcp(spelling), tcp("tcp"), "{spelling:?}");
        }
        let long = "tcp".repeat(100_000);
        let bad =
            ["t cp", "tcp,udp", "tcp\0", "\0", "!tcp", "tcp;", "256", "06", "+6", "00", "-1", "6.0", "\u{ff16}", &long];
        for protocol in bad {
            let why = tcp(protocol).unwrap_err();
            assert!(matches!(why, Why::Protocol(_)), "{why}");
            let said = why.to_string();
            assert!(said.len() < 1000 && !said.contains(char::is_control), "{said}");
        }
        type With = fn(&str) -> RuleInput<'_>;
        let fields: [With; 5] = [
            |text| RuleInput { direction: Some(text), ..RuleInput::default() },
            |text| RuleInput { ethertype: Some(text), ..RuleInput::default() },
            |text| RuleInput { prefix: Some(text), ..RuleInput::default() },
            |text| RuleInput { group: Some(text), ..RuleInput::default() },
            |text| RuleInput {
                icmp_type: Some(text),
                protocol: Some("icmp"),
                ethertype: Some("IPv4"),
                ..RuleInput::default()
            },
        ];
        let near = [
            "",
            " ",
            "ingress ",
            "Ingress",
            "IPV4",
            "IPv4\n",
            " 10.0.0.0/8",
            "10.0.0.0/8\0",
            "010.0.0.0/8",
            "10.0.0.0/-1",
        ];
        let more = ["10.0.0.0/", "fe80::1%eth0", "a b", "a\nb", "echo-request ", "ECHO-REQUEST", "\u{202e}", &long];
        for with in fields {
            for text in near.into_iter().chain(more) {
                match check(&with(text)) {
                    // A group can be called so.
                    Ok(rule) => assert_eq!(rule.remote, Remote::Group(text.parse().unwrap())),
                    Err(why) => {
                        let said = why.to_string();
                        assert!(said.len() < 1000 && !said.contains(char::is_control), "{said}");
                    }
                }
            }
        }
        let described = RuleInput { description: Some("\0\n-j ACCEPT"), ..RuleInput::default() };
        assert_eq!(check(&described), check(&RuleInput::default()));
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
