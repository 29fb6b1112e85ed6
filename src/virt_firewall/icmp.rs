//! Types of ICMP by name.
//!
//! Owns: the names that iptables knows, without the rare ones of its table.
//! Never: takes a name of the other family: the same word is another number there.

use crate::rule::Family;

/// The name, the type and, unless any will do, the code.
type Name = (&'static str, u8, Option<u8>);

const NAMES4: [Name; 20] = [
    ("echo-reply", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("communication-prohibited", 3, Some(13)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("parameter-problem", 12, None),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

const NAMES6: [Name; 18] = [
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("parameter-problem", 4, None),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None),
    ("redirect", 137, None),
];

/// Type and code of a name.
pub(super) fn named(name: &str, family: Family) -> Option<(u8, Option<u8>)> {
    let names: &[Name] = match family {
        Family::Ipv4 => &NAMES4,
        Family::Ipv6 => &NAMES6,
    };
    names.iter().find(|(known, ..)| *known == name).map(|(_, kind, code)| (*kind, *code))
}
