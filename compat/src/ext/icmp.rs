//! `-m icmp` and `-m icmp6`: type and code.

use nftwrap::rule::matches::IcmpType;
use nftwrap::rule::{Family, Match, Not, Protocol};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::{ErrorKind, ParseError};
use crate::value::{self, Fault};

pub(crate) static ICMP: Extension = Extension {
    name: "icmp",
    family: Some(Family::Ipv4),
    options: &[OptionSpec::value(&["icmp-type"], &["name|type[/code]"]).negatable()],
    summary: "type and code of an ICMP message",
    parse: Parse::Match(parse4),
};

pub(crate) static ICMP6: Extension = Extension {
    name: "icmp6",
    family: Some(Family::Ipv6),
    options: &[OptionSpec::value(&["icmpv6-type"], &["name|type[/code]"]).negatable()],
    summary: "type and code of an ICMPv6 message",
    parse: Parse::Match(parse6),
};

/// A name, the type and, unless any will do, the code.
type Name = (&'static str, u8, Option<u8>);

const NAMES4: [Name; 40] = [
    ("any", 255, None),
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)),
    ("TOS-network-unreachable", 3, Some(11)),
    ("TOS-host-unreachable", 3, Some(12)),
    ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)),
    ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("network-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("TOS-network-redirect", 5, Some(2)),
    ("TOS-host-redirect", 5, Some(3)),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

const NAMES6: [Name; 32] = [
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)),
    ("reject-route", 1, Some(6)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)),
    ("parameter-problem", 4, None),
    ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)),
    ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("pong", 129, None),
    ("mld-listener-query", 130, None),
    ("mld-listener-report", 131, None),
    ("mld-listener-done", 132, None),
    ("mld-listener-reduction", 132, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None),
    ("redirect", 137, None),
];

fn parse4(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&[Protocol::ICMP], "`-p icmp'")?;
    let kind = o.negatable("icmp-type", |text| icmp_type(text, &NAMES4, "ICMP"))?;
    kind.map(Match::Icmp).ok_or_else(|| o.missing("icmp-type"))
}

fn parse6(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&[Protocol::ICMPV6], "`-p icmpv6'")?;
    let kind = o.negatable("icmpv6-type", |text| icmp_type(text, &NAMES6, "ICMPv6"))?;
    kind.map(Match::Icmp6).ok_or_else(|| o.missing("icmpv6-type"))
}

fn icmp_type(text: &str, names: &[Name], extension: &'static str) -> Result<IcmpType, Fault> {
    let starts = |name: &str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    let mut found = names.iter().filter(|(name, ..)| !text.is_empty() && starts(name));
    match (found.next(), found.next()) {
        (Some(&(_, kind, code)), None) => {
            return Ok(code.map_or(IcmpType::new(kind), |code| IcmpType::with_code(kind, code)));
        }
        (Some(&(first, ..)), Some(&(second, ..))) => {
            return Err(ErrorKind::AmbiguousIcmpType { extension, value: text.into(), first, second }.into());
        }
        (None, _) => {}
    }
    let unknown = |_| Fault::from(ErrorKind::UnknownIcmpType { extension, value: text.into() });
    match text.split_once('/') {
        None => value::u8(text).map(IcmpType::new).map_err(unknown),
        Some((kind, code)) => {
            let (kind, code) = (value::u8(kind).map_err(unknown)?, value::u8(code).map_err(unknown)?);
            Ok(IcmpType::with_code(kind, code))
        }
    }
}

pub(super) fn print(icmp: &Not<IcmpType>, extension: &Extension, out: &mut String) {
    out.push_str(" -m ");
    out.push_str(extension.name);
    let any = extension.family == Some(Family::Ipv4) && icmp.value == IcmpType::ANY;
    option(icmp.negated, if any { "icmp-type any" } else { spec(extension) }, out);
    if any {
        return;
    }
    value::print(out, format_args!(" {}", icmp.value.kind));
    match icmp.value.codes {
        (0, u8::MAX) => {}
        // The tools write one code; a range can only come from elsewhere.
        (code, _) => value::print(out, format_args!("/{code}")),
    }
}

fn spec(extension: &Extension) -> &'static str {
    extension.options.first().map_or("", OptionSpec::name)
}
