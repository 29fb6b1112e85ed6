//! `-m length`: `meta length`.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::nft::expr::MetaKey;
use crate::rule::{Match, Not};

pub(super) fn compile(m: Not<(u16, u16)>, w: &mut Writer<'_>) -> Form {
    let Not { negated, value: (first, last) } = m;
    w.test(Condition::host_range(Field::Meta(MetaKey::LEN), negated, first.into(), last.into()));
    Form::Native
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let (negated, first, last) = c.as_host_range()?;
    l.push(Match::Length(Not { negated, value: (first.try_into().ok()?, last.try_into().ok()?) }))
}
