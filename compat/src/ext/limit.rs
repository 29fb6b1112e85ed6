//! `-m limit`: a token bucket for packets.
//!
//! The kernel counts in ten-thousandths of a second between packets, so that a rate is only known by its
//! [`reduced`] form: 120 a minute is 2 a second. Rules are kept in that form, which is also what iptables sends.

use nftwrap::rule::Match;
use nftwrap::rule::matches::{Limit, RateUnit};

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::{ErrorKind, ParseError};
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "limit",
    family: None,
    options: &[
        OptionSpec::value(&["limit"], &["rate[/second|minute|hour|day]"]),
        OptionSpec::value(&["limit-burst"], &["0-10000"]),
    ],
    summary: "at most so many packets in a unit of time, 3 an hour unless given; a burst of 5 unless given",
    parse: Parse::Match(parse),
};

/// Units from long to short, and how the printed form names them.
const UNITS: [(RateUnit, &str, &str); 4] = [
    (RateUnit::Day, "day", "day"),
    (RateUnit::Hour, "hour", "hour"),
    (RateUnit::Minute, "minute", "min"),
    (RateUnit::Second, "second", "sec"),
];
/// `XT_LIMIT_SCALE`: the kernel's clock ticks in a second.
const SCALE: u32 = 10_000;

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let (rate, unit) = o.value("limit", rate)?.unwrap_or((3, RateUnit::Hour));
    let burst = o.value("limit-burst", |text| value::number(text, 0, 10_000))?.filter(|&burst| burst != 0);
    let burst = burst.and_then(|burst| u32::try_from(burst).ok()).unwrap_or(Limit::DEFAULT_BURST);
    Ok(Match::Limit(Limit { rate, unit, burst }))
}

fn rate(text: &str) -> Result<(u32, RateUnit), Fault> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "second"));
    let starts = |name: &str| !unit.is_empty() && name.get(..unit.len()).is_some_and(|s| s.eq_ignore_ascii_case(unit));
    let unit = UNITS.iter().find(|(_, name, _)| starts(name)).map(|&(unit, ..)| unit).ok_or(Fault::Bad)?;
    let rate: u32 = number.parse().ok().filter(|&n| n > 0 && !number.starts_with('+')).ok_or(Fault::Bad)?;
    if SCALE * unit.seconds() / rate == 0 {
        return Err(ErrorKind::RateTooFast { rate: text.into() }.into());
    }
    Ok(reduced(rate, unit))
}

/// The rate in the largest unit that divides well, as iptables sends and prints it.
pub(crate) fn reduced(rate: u32, unit: RateUnit) -> (u32, RateUnit) {
    let period = (SCALE * unit.seconds() / rate.max(1)).max(1);
    let ticks = |unit: RateUnit| SCALE * unit.seconds();
    let fits = |&(unit, ..): &(RateUnit, _, _)| {
        let ticks = ticks(unit);
        period <= ticks && ticks / period >= ticks % period
    };
    // The first unit always stands; each shorter one must divide as well as those before it.
    let [(longest, ..), shorter @ ..] = &UNITS;
    let unit = shorter.iter().take_while(|u| fits(u)).last().map_or(*longest, |&(unit, ..)| unit);
    (ticks(unit) / period, unit)
}

pub(super) fn print(limit: &Limit, out: &mut String) {
    let (rate, unit) = reduced(limit.rate, limit.unit);
    let name = UNITS.iter().find(|(u, ..)| *u == unit).map_or("sec", |&(.., name)| name);
    value::print(out, format_args!(" -m limit --limit {rate}/{name}"));
    if limit.burst != Limit::DEFAULT_BURST {
        value::print(out, format_args!(" --limit-burst {}", limit.burst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_in_its_reduced_form() {
        for (text, reduced) in [
            ("120/minute", (2, RateUnit::Second)),
            ("90/m", (90, RateUnit::Minute)),
            ("3/hour", (3, RateUnit::Hour)),
            ("1/d", (1, RateUnit::Day)),
            ("10000/s", (10_000, RateUnit::Second)),
            ("7", (7, RateUnit::Second)),
        ] {
            assert_eq!(rate(text).unwrap(), reduced, "{text}");
        }
        for bad in ["0", "", "/s", "5/", "5/x", "10001/s", "-1/s", "1/s/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
