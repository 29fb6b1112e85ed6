//! The fields that folding can make a set of, and taking them out of a rule.
//!
//! Owns: [`Axis`] and [`Split`]: the values that a rule asks of each field, and the rule without them.
//! Never: compares rules.
//!
//! Invariant: a split rule matches a packet exactly when what is left matches it and each value holds the packet's
//! field. A match that only asked for ports goes as a whole: whoever loads a port asks for the header, too
//! (`compile/native/matches/ports.rs`).
//!
//! Negated parts, masks with holes and interface prefixes (`eth+`) are no values; they stay in what is left.

use std::mem;

use super::span::Span;
use crate::layout::native::field::{Field, name_bytes};
use crate::rule::matches::{Dccp, Multiport, MultiportSide, Sctp, Tcp, Udp};
use crate::rule::{Family, InterfaceMatch, Masked, Match, Not, PortRange, Protocol, Rule};

/// A field that rules of one fold may differ in, in the order of [`Field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Axis {
    Input,
    Output,
    Source,
    Destination,
    Mac,
    SourcePort,
    DestinationPort,
}

impl Axis {
    pub(super) const ALL: [Self; 7] = [
        Self::Input,
        Self::Output,
        Self::Source,
        Self::Destination,
        Self::Mac,
        Self::SourcePort,
        Self::DestinationPort,
    ];

    /// The field as a set has it: addresses whole.
    pub(super) fn field(self, family: Family) -> Field {
        let bits = match family {
            Family::Ipv4 => 32,
            Family::Ipv6 => 128,
        };
        match self {
            Self::Input => Field::Input,
            Self::Output => Field::Output,
            Self::Source => Field::Source(bits),
            Self::Destination => Field::Destination(bits),
            Self::Mac => Field::Mac,
            Self::SourcePort => Field::SourcePort,
            Self::DestinationPort => Field::DestinationPort,
        }
    }
}

/// A rule without the values that it asks of the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    /// What is left, with target and comment.
    pub(super) rest: Rule,
    /// By [`Axis`]; empty where the rule asks nothing, or nothing that is a value.
    values: [Vec<Span>; Axis::ALL.len()],
}

impl Split {
    pub(super) fn of(rule: &Rule, family: Family) -> Self {
        let mut rest = rule.clone();
        let values = Axis::ALL.map(|axis| take(&mut rest, axis, family));
        Self { rest, values }
    }

    pub(super) fn values(&self, axis: Axis) -> &[Span] {
        self.values.get(axis as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether both ask values of the same fields, and the same besides.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let shape = self.values.iter().map(Vec::is_empty).eq(other.values.iter().map(Vec::is_empty));
        shape && self.rest == other.rest
    }

    /// The fields whose values differ.
    pub(super) fn differs<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Axis> + 'a {
        Axis::ALL.into_iter().filter(|&axis| self.values(axis) != other.values(axis))
    }
}

/// The rule that asks all but these fields, for which a set is asked.
pub(super) fn without(rule: &Rule, axes: &[Axis], family: Family) -> Rule {
    let mut left = rule.clone();
    for &axis in axes {
        take(&mut left, axis, family);
    }
    left
}

/// Takes the values of a field out of the rule; returns none when it has none.
fn take(rule: &mut Rule, axis: Axis, family: Family) -> Vec<Span> {
    match axis {
        Axis::Input => take_interface(&mut rule.input),
        Axis::Output => take_interface(&mut rule.output),
        Axis::Source => take_address(&mut rule.source, family),
        Axis::Destination => take_address(&mut rule.destination, family),
        Axis::Mac => take_mac(&mut rule.matches),
        Axis::SourcePort => take_ports(rule, MultiportSide::Source),
        Axis::DestinationPort => take_ports(rule, MultiportSide::Destination),
    }
}

fn take_interface(place: &mut Option<Not<InterfaceMatch>>) -> Vec<Span> {
    match place {
        Some(Not { negated: false, value: InterfaceMatch::Name(name) }) => {
            let span = Span::one(u128::from_be_bytes(name_bytes(name)));
            *place = None;
            vec![span]
        }
        _ => Vec::new(),
    }
}

fn take_address(place: &mut Option<Not<Masked>>, family: Family) -> Vec<Span> {
    let Some(Not { negated: false, value }) = *place else { return Vec::new() };
    if value.family() != family || value.is_any() || value.prefix_len().is_none() {
        return Vec::new();
    }
    *place = None;
    let (first, mask, all) = match value {
        Masked::V4 { addr, mask } => (u32::from(addr).into(), u32::from(mask).into(), u32::MAX.into()),
        Masked::V6 { addr, mask } => (u128::from(addr), u128::from(mask), u128::MAX),
    };
    vec![Span { first, last: first | (all & !mask) }]
}

fn take_mac(matches: &mut Vec<Match>) -> Vec<Span> {
    let found = matches.iter().enumerate().find_map(|(at, m)| match m {
        Match::Mac(Not { negated: false, value }) => Some((at, *value)),
        _ => None,
    });
    let Some((at, [a, b, c, d, e, f])) = found else { return Vec::new() };
    matches.remove(at);
    vec![Span::one(u64::from_be_bytes([0, 0, a, b, c, d, e, f]).into())]
}

/// Takes the first condition on the ports of a side. Another one stays, and must hold as well.
fn take_ports(rule: &mut Rule, side: MultiportSide) -> Vec<Span> {
    // Without its protocol a match of ports is an error, which whoever compiles the rule is to find.
    let Some(Not { negated: false, value: protocol }) = rule.protocol else { return Vec::new() };
    let span = |ports: PortRange| Span { first: ports.first().into(), last: ports.last().into() };
    for at in 0..rule.matches.len() {
        let Some(m) = rule.matches.get_mut(at) else { break };
        if let Match::Multiport(list) = m {
            if list.side == side && is_plain_list(list, protocol) {
                let spans = list.ports.iter().copied().map(span).collect();
                rule.matches.remove(at);
                return super::span::joined(spans);
            }
            continue;
        }
        let Some(ports) = place(m, side, protocol) else { continue };
        if let Some(Not { negated: false, value }) = *ports {
            *ports = None;
            if is_empty(m) {
                rule.matches.remove(at);
            }
            return vec![span(value)];
        }
    }
    Vec::new()
}

/// Whether a list can be compiled, so that taking it out hides no error.
fn is_plain_list(list: &Multiport, protocol: Protocol) -> bool {
    let known = [Protocol::TCP, Protocol::UDP, Protocol::UDPLITE, Protocol::SCTP, Protocol::DCCP];
    !list.negated && !list.ports.is_empty() && list.slots() <= Multiport::SLOTS && known.contains(&protocol)
}

/// Where the match of that protocol has the ports of a side.
fn place(m: &mut Match, side: MultiportSide, of: Protocol) -> Option<&mut Option<Not<PortRange>>> {
    let (protocol, sport, dport) = match m {
        Match::Tcp(Tcp { sport, dport, .. }) => (Protocol::TCP, sport, dport),
        Match::Udp(Udp { sport, dport }) => (Protocol::UDP, sport, dport),
        Match::Sctp(Sctp { sport, dport }) => (Protocol::SCTP, sport, dport),
        Match::Dccp(Dccp { sport, dport }) => (Protocol::DCCP, sport, dport),
        _ => return None,
    };
    (protocol == of).then_some(())?;
    match side {
        MultiportSide::Source => Some(sport),
        MultiportSide::Destination => Some(dport),
        MultiportSide::Either => None,
    }
}

/// Whether a match asks for nothing but the header.
fn is_empty(m: &Match) -> bool {
    let empty = match m {
        Match::Tcp(_) => Match::Tcp(Tcp::default()),
        Match::Udp(_) => Match::Udp(Udp::default()),
        Match::Sctp(_) => Match::Sctp(Sctp::default()),
        Match::Dccp(_) => Match::Dccp(Dccp::default()),
        _ => return false,
    };
    mem::discriminant(m) == mem::discriminant(&empty) && *m == empty
}
