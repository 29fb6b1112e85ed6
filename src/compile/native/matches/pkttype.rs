//! `-m pkttype`: `meta pkttype`; looped packets count as multicast or broadcast in both.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::nft::expr::MetaKey;
use crate::rule::matches::Pkttype;
use crate::rule::{Match, Not};

/// In the order of `PACKET_*`.
const TYPES: [Pkttype; 3] = [Pkttype::Unicast, Pkttype::Broadcast, Pkttype::Multicast];

pub(super) fn compile(m: Not<Pkttype>, w: &mut Writer<'_>) -> Form {
    let number = match m.value {
        Pkttype::Unicast => 0,
        Pkttype::Broadcast => 1,
        Pkttype::Multicast => 2,
    };
    w.test(Condition::equals(Field::Meta(MetaKey::PKTTYPE), m.negated, [number]));
    Form::Native
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let (negated, [number], [last]) = c.as_range()?;
    (number == last).then_some(())?;
    l.push(Match::Pkttype(Not { negated, value: *TYPES.get(usize::from(number))? }))
}
