//! `-m rpfilter`: `fib saddr . iif oif`.
//!
//! Two kinds of packets are the difference, and the routing code drops both right after, whatever the rule says
//! (`fib_validate_source`, `ip6_route_input`): from a broadcast address of the host, to which xt finds no way back and
//! `fib` does; and in IPv6 from `::` when it is not neighbour discovery, which xt lets pass and `fib` does not. The xt
//! match is no way out: the kernel takes it in tables called `raw` and `mangle` only.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::nft::expr::{FibFlags, FibResult};
use crate::rule::Match;
use crate::rule::matches::Rpfilter;

pub(super) fn compile(m: Rpfilter, w: &mut Writer<'_>) -> Form {
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
