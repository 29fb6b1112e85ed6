//! `-m limit`: the `limit` expression, as iptables-nft itself writes it.

use super::super::{Form, Writer};
use crate::nft::expr::{Expr, Limit, LimitKind};
use crate::rule::matches::{Limit as Match, RateUnit};

pub(super) fn compile(m: Match, w: &mut Writer<'_>) -> Form {
    w.push(Expr::Limit(Limit {
        rate: m.rate.into(),
        unit: m.unit.seconds().into(),
        burst: m.burst,
        kind: LimitKind::Packets,
        over: false,
    }));
    Form::Native
}

pub(in super::super) fn lift(limit: &Limit) -> Option<Match> {
    let units = [RateUnit::Second, RateUnit::Minute, RateUnit::Hour, RateUnit::Day];
    let unit = units.into_iter().find(|u| u64::from(u.seconds()) == limit.unit)?;
    (limit.kind == LimitKind::Packets && !limit.over).then_some(())?;
    Some(Match { rate: limit.rate.try_into().ok()?, unit, burst: limit.burst })
}
