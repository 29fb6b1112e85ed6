//! `limit`: native.

use crate::compile::CompileError;
use crate::nft::expr::{self, Expr, LimitKind};
use crate::rule::Match;
use crate::rule::matches::{Limit, RateUnit};

/// `XT_LIMIT_SCALE`: parts of a second in which iptables keeps the time between two packets.
const SCALE: u32 = 10_000;

/// Largest unit first, as iptables picks it.
const UNITS: [RateUnit; 4] = [RateUnit::Day, RateUnit::Hour, RateUnit::Minute, RateUnit::Second];

/// The rate goes through the time between two packets and comes back in another unit: 120/minute is 2/second.
pub(super) fn compile(m: &Limit) -> Result<Expr, CompileError> {
    let period = (SCALE * m.unit.seconds()).checked_div(m.rate).filter(|&p| p > 0);
    let Some(period) = period else {
        return Err(CompileError::Value { field: "--limit", reason: "takes 1 to 10000 packets a second" });
    };
    let per = |unit: RateUnit| SCALE * unit.seconds();
    let (mut unit, mut divides) = (RateUnit::Day, true);
    for smaller in UNITS.into_iter().skip(1) {
        divides = divides && period <= per(smaller) && per(smaller) / period >= per(smaller) % period;
        if divides {
            unit = smaller;
        }
    }
    Ok(Expr::Limit(expr::Limit {
        rate: u64::from(per(unit) / period),
        unit: u64::from(unit.seconds()),
        burst: if m.burst == 0 { Limit::DEFAULT_BURST } else { m.burst },
        kind: LimitKind::Packets,
        over: false,
    }))
}

pub(in crate::compile::stock) fn lift(limit: &expr::Limit) -> Result<Match, &'static str> {
    let expr::Limit { rate, unit, burst, kind: LimitKind::Packets, over: false } = *limit else {
        return Err("iptables only limits packets, and from above");
    };
    let unit = UNITS.into_iter().find(|u| u64::from(u.seconds()) == unit).ok_or("iptables has no such unit")?;
    let rate = u32::try_from(rate).map_err(|_| "iptables has no such rate")?;
    Ok(Match::Limit(Limit { rate, unit, burst }))
}
