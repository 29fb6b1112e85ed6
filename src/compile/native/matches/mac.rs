//! `-m mac`: `ether saddr`, on Ethernet devices only.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::nft::expr::{MetaKey, PayloadBase};
use crate::rule::{Match, Not};

/// `struct ethhdr`: `h_source`.
pub(in super::super) const SOURCE: Field = Field::Payload { base: PayloadBase::Link, offset: 6, len: 6 };
const DEVICE_TYPE: Field = Field::Meta(MetaKey::IIFTYPE);
/// `ARPHRD_ETHER`.
const ETHERNET: [u8; 2] = 1u16.to_ne_bytes();

/// The packet came in over Ethernet.
pub(in super::super) fn on_ethernet() -> Condition {
    Condition::equals(DEVICE_TYPE, false, ETHERNET)
}

pub(super) fn compile(m: Not<[u8; 6]>, w: &mut Writer<'_>) -> Form {
    // Also when negated: a packet of another kind of device has no such address.
    w.test(on_ethernet());
    w.test(Condition::equals(SOURCE, m.negated, m.value));
    Form::Native
}

/// The device type says nothing that the address after it does not say.
pub(super) fn lift_ethernet(c: &Condition) -> Option<()> {
    (*c == on_ethernet()).then_some(())
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let (negated, value, last) = c.as_range()?;
    (c.field == SOURCE && value == last).then_some(())?;
    l.push(Match::Mac(Not { negated, value }))
}
