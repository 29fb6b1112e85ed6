//! `-m tos` and `-m dscp`: bits of the type-of-service byte, which in IPv6 lies across two bytes.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::PayloadBase;
use crate::rule::matches::Tos;
use crate::rule::{Family, Match, Not};

/// `struct iphdr`: `tos`.
const TOS: Field = Field::Payload { base: PayloadBase::Network, offset: 1, len: 1 };
/// `struct ipv6hdr`: version, traffic class and the start of the flow label.
const TRAFFIC_CLASS: Field = Field::Payload { base: PayloadBase::Network, offset: 0, len: 2 };
/// The bits of the code point (`XT_DSCP_MASK`).
const DSCP: u8 = 0xfc;

pub(super) fn compile(m: Not<Tos>, w: &mut Writer<'_>) -> Form {
    let Not { negated, value: Tos { value, mask } } = m;
    let across = |byte: u8| (u16::from(byte) << 4).to_be_bytes();
    w.test(match (w.family, mask) {
        (Family::Ipv4, u8::MAX) => Condition::equals(TOS, negated, [value]),
        (Family::Ipv4, mask) => Condition::masked(TOS, negated, [mask], [value]),
        (Family::Ipv6, mask) => Condition::masked(TRAFFIC_CLASS, negated, across(mask), across(value)),
    });
    Form::Native
}

pub(super) fn compile_dscp(m: Not<u8>, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    if m.value > 63 {
        return Err(CompileError::Value { field: "--dscp", reason: "0 to 63" });
    }
    Ok(compile(Not { negated: m.negated, value: Tos { value: m.value << 2, mask: DSCP } }, w))
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let (negated, mask, value) = match l.family {
        Family::Ipv4 if c.field == TOS => {
            let (negated, [mask], [value]) = c.as_masked()?;
            (negated, mask, value)
        }
        Family::Ipv6 if c.field == TRAFFIC_CLASS => {
            let (negated, mask, value) = c.as_masked()?;
            let byte = |word: [u8; 2]| {
                let word = u16::from_be_bytes(word);
                u8::try_from(word >> 4).ok().filter(|_| word & 0xf == 0)
            };
            (negated, byte(mask)?, byte(value)?)
        }
        _ => return None,
    };
    l.push(match mask {
        DSCP if value & !DSCP == 0 => Match::Dscp(Not { negated, value: value >> 2 }),
        mask => Match::Tos(Not { negated, value: Tos { value, mask } }),
    })
}
