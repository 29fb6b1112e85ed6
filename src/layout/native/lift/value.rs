//! From a value in a set to the part of a rule that asks for it.
//!
//! Owns: the inverse of what [`analysis`](super::super::analysis) and folding take out of a rule.
//! Never: loses a range: one of addresses that is no prefix reads as `-m iprange`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::field::Field;
use crate::name::InterfaceName;
use crate::rule::matches::{Dccp, Iprange, Multiport, MultiportSide, Sctp, Tcp, Udp};
use crate::rule::{Family, InterfaceMatch, Masked, Match, Not, PortRange, Protocol, Rule};

/// Puts a field into a rule: equal to a value, or between two. `None` when the bytes are none of the field's, or the rule
/// asks for the field already.
pub(super) fn put(rule: &mut Rule, field: Field, first: &[u8], last: &[u8], family: Family) -> Option<()> {
    match field {
        Field::Input => once(&mut rule.input, interface(first, last)?),
        Field::Output => once(&mut rule.output, interface(first, last)?),
        Field::Source(prefix) => match addresses(first, last, prefix, family)? {
            Ok(masked) => once(&mut rule.source, Not::is(masked)),
            Err(range) => {
                rule.matches.insert(0, iprange(Some(range), None));
                Some(())
            }
        },
        Field::Destination(prefix) => match addresses(first, last, prefix, family)? {
            Ok(masked) => once(&mut rule.destination, Not::is(masked)),
            Err(range) => {
                rule.matches.insert(0, iprange(None, Some(range)));
                Some(())
            }
        },
        Field::Mac => {
            (first == last).then_some(())?;
            rule.matches.insert(0, Match::Mac(Not::is(first.try_into().ok()?)));
            Some(())
        }
        Field::SourcePort => ports(rule, range(first, last)?, true),
        Field::DestinationPort => ports(rule, range(first, last)?, false),
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.is_none().then(|| *place = Some(value))
}

fn interface(first: &[u8], last: &[u8]) -> Option<Not<InterfaceMatch>> {
    (first == last).then_some(())?;
    let end = first.iter().position(|&b| b == 0).unwrap_or(first.len());
    let name = std::str::from_utf8(first.get(..end)?).ok()?;
    Some(Not::is(InterfaceMatch::Name(InterfaceName::new(name).ok()?)))
}

fn iprange(source: Option<(IpAddr, IpAddr)>, destination: Option<(IpAddr, IpAddr)>) -> Match {
    Match::Iprange(Box::new(Iprange { source: source.map(Not::is), destination: destination.map(Not::is) }))
}

/// One prefix, or two ends.
fn addresses(first: &[u8], last: &[u8], prefix: u8, family: Family) -> Option<Result<Masked, (IpAddr, IpAddr)>> {
    // As numbers, an IPv4 address in the first four of sixteen bytes.
    let number = |bytes: &[u8]| -> Option<u128> {
        let mut all = [0; 16];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u128::from_be_bytes(all))
    };
    let bits: u32 = if family == Family::Ipv4 { 32 } else { 128 };
    let (from, to) = (number(first)?, number(last)?);
    let used = u128::MAX << (128 - bits);
    let mask = if from == to {
        mask_of(u32::from(prefix).min(bits))
    } else {
        // What both ends have in common, if the range is all addresses that have it.
        let common = mask_of((from ^ to).leading_zeros());
        if from & !common != 0 || to & !common != !common & used {
            return Some(Err((address(from, family), address(to, family))));
        }
        common
    };
    Some(Ok(match (address(from, family), address(mask, family)) {
        (IpAddr::V4(addr), IpAddr::V4(mask)) => Masked::v4(addr, mask),
        (IpAddr::V6(addr), IpAddr::V6(mask)) => Masked::v6(addr, mask),
        _ => return None,
    }))
}

fn mask_of(len: u32) -> u128 {
    if len == 0 { 0 } else { u128::MAX << 128_u32.saturating_sub(len) }
}

fn address(number: u128, family: Family) -> IpAddr {
    match (family, number.to_be_bytes()) {
        (Family::Ipv4, [a, b, c, d, ..]) => Ipv4Addr::new(a, b, c, d).into(),
        (Family::Ipv6, octets) => Ipv6Addr::from(octets).into(),
    }
}

fn range(first: &[u8], last: &[u8]) -> Option<PortRange> {
    let port = |bytes: &[u8]| bytes.try_into().ok().map(u16::from_be_bytes);
    PortRange::new(port(first)?, port(last)?)
}

/// Ports go to the protocol's own match: one that is there and has none on that side, or a new one.
fn ports(rule: &mut Rule, range: PortRange, source: bool) -> Option<()> {
    let protocol = rule.protocol.filter(|p| !p.negated)?.value;
    let free =
        rule.matches.iter_mut().find_map(|m| match (m, source) {
            (Match::Tcp(Tcp { sport: place @ None, .. }), true)
            | (Match::Tcp(Tcp { dport: place @ None, .. }), false) => Some(place),
            (Match::Udp(Udp { sport: place @ None, .. }), true)
            | (Match::Udp(Udp { dport: place @ None, .. }), false) => Some(place),
            (Match::Sctp(Sctp { sport: place @ None, .. }), true)
            | (Match::Sctp(Sctp { dport: place @ None, .. }), false) => Some(place),
            (Match::Dccp(Dccp { sport: place @ None, .. }), true)
            | (Match::Dccp(Dccp { dport: place @ None, .. }), false) => Some(place),
            _ => None,
        });
    if let Some(place) = free {
        *place = Some(Not::is(range));
        return Some(());
    }
    let port = Some(Not::is(range));
    let (sport, dport) = if source { (port, None) } else { (None, port) };
    let side = if source { MultiportSide::Source } else { MultiportSide::Destination };
    let own = match protocol {
        Protocol::TCP => Match::Tcp(Tcp { sport, dport, ..Tcp::default() }),
        Protocol::UDP => Match::Udp(Udp { sport, dport }),
        Protocol::SCTP => Match::Sctp(Sctp { sport, dport }),
        Protocol::DCCP => Match::Dccp(Dccp { sport, dport }),
        _ => Match::Multiport(Multiport { side, negated: false, ports: vec![range] }),
    };
    rule.matches.insert(0, own);
    Some(())
}
