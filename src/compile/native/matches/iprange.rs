//! `-m iprange`: `ip saddr a-b`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::base::Side;
use super::super::condition::{Condition, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{CmpOp, Data};
use crate::rule::matches::Iprange;
use crate::rule::{Family, Match, Not};

pub(super) fn compile(m: &Iprange, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    for (range, side, option) in
        [(&m.source, Side::Source, "--src-range"), (&m.destination, Side::Destination, "--dst-range")]
    {
        let Some(Not { negated, value: (first, last) }) = *range else { continue };
        let family = Family::of(first);
        w.only(family, option)?;
        let (from, to): (Data, Data) = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (first.octets().into(), last.octets().into()),
            (IpAddr::V6(first), IpAddr::V6(last)) => (first.octets().into(), last.octets().into()),
            _ => return Err(CompileError::Value { field: option, reason: "both ends must be of one family" }),
        };
        let len = if family == Family::Ipv4 { 4 } else { 16 };
        // A range of one address stays a range: it would read as `-s`.
        w.test(Condition::new(side.field(family, len), Test::Range { negated, from, to }));
    }
    Ok(Form::Native)
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let side = Side::of(c.field, l.family)?;
    (!matches!(c.test, Test::Cmp(CmpOp::Eq | CmpOp::Neq, _))).then_some(())?;
    let (negated, first, last): (bool, IpAddr, IpAddr) = match l.family {
        Family::Ipv4 => {
            let (negated, first, last) = c.as_range::<4>()?;
            (negated, Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into())
        }
        Family::Ipv6 => {
            let (negated, first, last) = c.as_range::<16>()?;
            (negated, Ipv6Addr::from(first).into(), Ipv6Addr::from(last).into())
        }
    };
    let range = Some(Not { negated, value: (first, last) });
    match (side, l.rule.matches.last_mut()) {
        (Side::Destination, Some(Match::Iprange(m))) if m.destination.is_none() => {
            m.destination = range;
            Some(())
        }
        (Side::Source, _) => l.push(Match::Iprange(Box::new(Iprange { source: range, destination: None }))),
        (Side::Destination, _) => l.push(Match::Iprange(Box::new(Iprange { source: None, destination: range }))),
    }
}
