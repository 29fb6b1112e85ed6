//! `-m rpfilter`: `fib saddr . iif oif`, IPv4 only.
//!
//! Sources that are a broadcast address of the host are the one difference: xt finds no way back to them, `fib` does.
//! The routing code drops them right after (`fib_validate_source`), whatever the rule says.
//! For IPv6, xt lets all packets from `::` pass where `fib` does so for neighbour discovery only.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::nft::expr::{FibFlags, FibResult};
use crate::rule::matches::Rpfilter;
use crate::rule::{Family, Match};

pub(super) fn compile(m: Rpfilter, w: &mut Writer<'_>) -> Form {
    if w.family == Family::Ipv6 {
        return Form::Xt("for IPv6 fib treats packets from the unspecified address differently");
    }
    if m.contains(Rpfilter::ACCEPT_LOCAL) {
        return Form::Xt("fib has no way back to a local address");
    }
    let mut flags = FibFlags::SADDR;
    flags.set(FibFlags::MARK, m.contains(Rpfilter::VALID_MARK));
    flags.set(FibFlags::IIF, !m.contains(Rpfilter::LOOSE));
    // Interface 0 is none: there is no way back.
    w.test(Condition::equals(Field::Fib(FibResult::Oif, flags), !m.contains(Rpfilter::INVERT), [0; 4]));
    Form::Native
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let Field::Fib(FibResult::Oif, flags) = c.field else { return None };
    let (there_is, [0, 0, 0, 0], [0, 0, 0, 0]) = c.as_range()? else { return None };
    (FibFlags::SADDR | FibFlags::MARK | FibFlags::IIF).contains(flags).then_some(())?;
    flags.contains(FibFlags::SADDR).then_some(())?;
    let mut m = Rpfilter::empty();
    m.set(Rpfilter::LOOSE, !flags.contains(FibFlags::IIF));
    m.set(Rpfilter::VALID_MARK, flags.contains(FibFlags::MARK));
    m.set(Rpfilter::INVERT, !there_is);
    l.push(Match::Rpfilter(m))
}
