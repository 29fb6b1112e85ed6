//! `-m addrtype`: `fib saddr type`, IPv4 only.
//!
//! For IPv6 the xt match is another question altogether: several types must all hold, unicast and multicast are read
//! off the address, and a link-local address is looked up on all devices where `fib` takes the one it came in on
//! (`match_type6` in `xt_addrtype.c`, `__nft_fib6_eval_type`). With an interface the xt match follows the device's VRF.

use super::super::condition::{Condition, Field, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::{AnonymousSet, sets};
use crate::nft::expr::{FibFlags, FibResult};
use crate::rule::matches::{AddrTypes, Addrtype};
use crate::rule::{Family, Match, Not};

pub(super) fn compile(m: &Addrtype, w: &mut Writer<'_>) -> Form {
    if w.family == Family::Ipv6 {
        return Form::Xt("for IPv6 its types mean something else than fib's");
    }
    if m.limit.is_some() {
        return Form::Xt("fib leaves out the VRF of the interface");
    }
    if [m.source, m.destination].into_iter().flatten().any(|t| t.value.is_empty()) {
        return Form::Xt("fib compares with at least one type");
    }
    for (types, flags) in [(m.source, FibFlags::SADDR), (m.destination, FibFlags::DADDR)] {
        let Some(Not { negated, value }) = types else { continue };
        let field = Field::Fib(FibResult::AddrType, flags);
        let mut numbers = (0..u16::BITS).filter(|n| value.bits() & 1 << n != 0);
        let condition = match (numbers.next(), value.bits().count_ones()) {
            (Some(only), 1) => Condition::equals(field, negated, only.to_ne_bytes()),
            (first, _) => {
                let all = first.into_iter().chain(numbers);
                let set = w.set(|id| AnonymousSet::of_u32(id, sets::key::FIB_ADDR, all));
                Condition::new(field, Test::Lookup { negated, set })
            }
        };
        w.test(condition);
    }
    Form::Native
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let Field::Fib(FibResult::AddrType, flags) = c.field else { return None };
    let (negated, numbers) = match c.test {
        Test::Lookup { .. } => {
            let (negated, set) = l.set(c)?;
            (negated, set.to_u32()?)
        }
        _ => {
            let (negated, only, _) = c.as_range::<4>()?;
            (negated, vec![u32::from_ne_bytes(only)])
        }
    };
    let bits = numbers.iter().try_fold(0u16, |bits, n| Some(bits | 1u16.checked_shl(*n)?))?;
    let types = Some(Not { negated, value: AddrTypes::from_bits_retain(bits) });
    match (flags, l.rule.matches.last_mut()) {
        (FibFlags::DADDR, Some(Match::Addrtype(m))) if m.destination.is_none() && m.limit.is_none() => {
            m.destination = types;
            Some(())
        }
        (FibFlags::SADDR, _) => l.push(Match::Addrtype(Addrtype { source: types, ..Addrtype::default() })),
        (FibFlags::DADDR, _) => l.push(Match::Addrtype(Addrtype { destination: types, ..Addrtype::default() })),
        _ => None,
    }
}
