//! What packets took, as tables, JSON lines, a plot and a section of the README.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::failure::Failure;
use crate::support::numbers::{Spread, human, ratio, thousands, us};
use crate::support::plot::{Panel, Unit, draw};
use crate::support::record::Output;

/// One candidate at one size.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) candidate: &'static str,
    pub(crate) instances: u32,
    pub(crate) outcome: Result<Numbers, Failure>,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) round_trip: Spread,
    /// Packets a second: median of the runs, least, most.
    pub(crate) rate: [f64; 3],
}

/// The size that the others are compared with.
fn base<'a>(measured: &'a [Measured], candidate: &str) -> Option<&'a Numbers> {
    measured.iter().find(|one| one.candidate == candidate && one.outcome.is_ok())?.outcome.as_ref().ok()
}

/// Says one; `before` has the smaller sizes.
pub(crate) fn say(one: &Measured, before: &[Measured], output: &mut Output) {
    let Measured { candidate, instances, outcome } = one;
    let numbers = match outcome {
        Ok(numbers) => numbers,
        Err(Failure(reason)) => {
            output.text(&format!("  {candidate:<28}{reason}"));
            return output.line(&json!({"candidate": candidate, "instances": instances, "remark": reason}));
        }
    };
    let Numbers { round_trip, rate: [rate, least, most] } = *numbers;
    let base = base(before, candidate).copied().unwrap_or(*numbers);
    let (slower, fewer) = (ratio(round_trip.median, base.round_trip.median), rate / base.rate[0]);
    output.text(&format!(
        "  {candidate:<28}{:>10} ({:>8}){slower:>8.2}x{:>12} ({} .. {}){fewer:>8.2}x",
        human(round_trip.median),
        human(round_trip.p99),
        per_second(rate),
        per_second(least),
        per_second(most)
    ));
    output.line(&json!({
        "candidate": candidate, "instances": instances, "round_trip_p50_us": us(round_trip.median),
        "round_trip_p99_us": us(round_trip.p99), "samples": round_trip.samples, "ratio_to_smallest": slower,
        "packets_per_second": rate.round(), "least_per_second": least.round(), "most_per_second": most.round(),
        "rate_ratio_to_smallest": fewer,
    }));
}

/// The line above the candidates of one size.
pub(crate) fn title(instances: u32, smallest: u32, output: &mut Output) {
    let (instances, smallest) = (thousands(instances), thousands(smallest));
    output.text(&format!(
        "\n{instances} instances; round trip p50 (p99), ratio to {smallest} instances; packets a second (least .. most), ratio"
    ));
}

fn per_second(rate: f64) -> String {
    if rate >= 1e4 { format!("{:.0}k/s", rate / 1e3) } else { format!("{:.1}k/s", rate / 1e3) }
}

/// Draws it.
pub(crate) fn plot(path: &Path, candidates: &[&'static str], measured: &[Measured]) -> Result<(), Failure> {
    let panel = |title: &str, unit, value: &dyn Fn(&Numbers) -> f64| {
        let line = |candidate: &&str| {
            let own = measured.iter().filter(|one| one.candidate == *candidate);
            own.filter_map(|one| Some((f64::from(one.instances), value(one.outcome.as_ref().ok()?)))).collect()
        };
        Panel { title: title.to_owned(), unit, series: candidates.iter().map(line).collect() }
    };
    let panels = [
        panel("round trip through the router", Unit::Time, &|one| one.round_trip.median.as_secs_f64()),
        panel("packets a second, 32 in flight", Unit::PacketsPerSecond, &|one| one.rate[0]),
    ];
    draw(path, candidates, &panels)
}

/// The section of the README.
pub(crate) fn section(machine: &str, candidates: &[&'static str], sizes: &[u32], measured: &[Measured]) -> String {
    let mut text =
        format!("{machine}. Medians; in brackets the ratio to the smallest host.\n\n| round trip, packets a second |");
    for size in sizes {
        text.push_str(&format!(" {} instances |", thousands(*size)));
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(sizes.len())));
    for candidate in candidates {
        text.push_str(&format!("| {candidate} |"));
        let base: Option<Duration> = base(measured, candidate).map(|base| base.round_trip.median);
        for size in sizes {
            let one = measured.iter().find(|one| one.candidate == *candidate && one.instances == *size);
            let cell = match (one.and_then(|one| one.outcome.as_ref().ok()), base) {
                (Some(Numbers { round_trip, rate: [rate, ..] }), Some(base)) => {
                    let times = ratio(round_trip.median, base);
                    format!("{} ({times:.2}x), {}", human(round_trip.median), per_second(*rate))
                }
                _ => "-".into(),
            };
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text.push_str("\n![Packets over the number of instances](benches/record/datapath.svg)\n");
    text
}
