//! The plots and the table of the README.

use std::path::Path;

use crate::fleet::Shape;
use crate::jobs::{ADD, ADD_NEW, ALL, LOAD, MIXED, NAMES, ONE, REMOVE};
use crate::report::Measured;
use crate::support::failure::Failure;
use crate::support::numbers::{Spread, human, ratio, thousands};
use crate::support::plot::{Panel, Unit, draw};
use crate::{FLOOR_NATIVE, IPTABLES, MAIN_BODIES, NATIVE};

/// Candidates of the plots and tables, in the order of their colours.
const SHOWN: [&str; 7] = [
    NATIVE,
    FLOOR_NATIVE,
    IPTABLES,
    "iptables-nft-restore",
    "iptables-legacy-restore",
    "nft -f",
    "nft -f, verdict map",
];

/// The size of the table.
const TABLE: u32 = 10_000;

/// Draws what was measured.
pub(crate) fn plot(path: &Path, measured: &[Measured]) -> Result<(), Failure> {
    let panel = |title: &str, shape: Shape, job: &'static str| Panel {
        title: title.to_owned(),
        unit: Unit::Time,
        series: SHOWN.iter().map(|candidate| line(measured, shape, candidate, job)).collect(),
    };
    let mut panels = vec![
        panel("full load, text to committed (256 bodies)", Shape::Nova, LOAD),
        panel("one instance more (256 bodies)", Shape::Nova, ADD),
        panel("one rule changed in every instance (256 bodies)", Shape::Nova, ALL),
        panel("one instance more, all bodies distinct", Shape::Distinct, ADD),
        panel("full load of neutron-like ports", Shape::Neutron, LOAD),
        panel("one neutron-like port more", Shape::Neutron, ADD),
    ];
    panels.retain(|panel| panel.series.iter().any(|line| !line.is_empty()));
    draw(path, &SHOWN, &panels)
}

/// Whether a host is on the lines of the plots.
fn on_line(one: &Measured, shape: Shape) -> bool {
    one.fleet.shape == shape && (shape == Shape::Distinct || one.fleet.bodies == MAIN_BODIES)
}

fn line(measured: &[Measured], shape: Shape, candidate: &str, job: &str) -> Vec<(f64, f64)> {
    let hosts = measured.iter().filter(|one| on_line(one, shape));
    let point =
        |one: &Measured| Some((f64::from(one.fleet.instances), one.spread(candidate, job)?.median.as_secs_f64()));
    hosts.filter_map(point).collect()
}

/// The section of the README: a table at one size, and the plots.
pub(crate) fn section(machine: &str, measured: &[Measured]) -> String {
    let mut text = format!("{machine}. Medians.\n\n| 10,000 instances |");
    for name in SHOWN {
        text.push_str(&format!(" {name} |"));
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(SHOWN.len())));
    let rows = NAMES.iter().map(|job| (Shape::Nova, *job));
    let worst = [LOAD, ADD, REMOVE, ONE, MIXED].map(|job| (Shape::Distinct, job));
    let ports = [LOAD, ADD, REMOVE, ADD_NEW, ALL].map(|job| (Shape::Neutron, job));
    for (shape, job) in rows.chain(worst).chain(ports) {
        let Some(host) = measured.iter().find(|one| one.fleet.instances == TABLE && on_line(one, shape)) else {
            continue;
        };
        let what = match shape {
            Shape::Nova => format!("{} bodies: {job}", thousands(MAIN_BODIES)),
            Shape::Distinct => format!("all distinct: {job}"),
            Shape::Neutron | Shape::Physdev => format!("neutron-like: {job}"),
        };
        let ours = host.spread(NATIVE, job);
        let cells: Vec<String> = SHOWN.iter().map(|name| cell(name, host.spread(name, job), ours)).collect();
        if cells.iter().any(|cell| cell != "-") {
            text.push_str(&format!("| {what} | {} |\n", cells.join(" | ")));
        }
    }
    text.push_str("\n![Latency over the number of instances](benches/record/churn.svg)\n");
    text
}

/// The median, and for the others how many times that of the native layout it is.
fn cell(name: &str, spread: Option<Spread>, ours: Option<Spread>) -> String {
    match (spread, ours) {
        (None, _) => "-".into(),
        (Some(one), Some(ours)) if name != NATIVE => {
            format!("{} ({:.3}x)", human(one.median), ratio(one.median, ours.median))
        }
        (Some(one), _) => human(one.median),
    }
}
