//! Changes to a loaded host: nftwrap beside the stock tools, in namespaces of one kind.
//!
//! `cargo bench --bench churn`; `-- --help` lists the filters. It takes root, or a user namespace (`unshare -Ur`) for sizes
//! whose batch fits `net.core.wmem_max`.
//!
//! Each candidate loads the host into a fresh network namespace, then makes every change and takes it back, a few times.
//! nftwrap is measured from the call to the kernel's answer: the change to the model and `apply`, with both shown; the stock
//! tools as whole commands. Ratios are to the floor: the kernel's own time for the very bytes that nftwrap sends.
#![allow(missing_docs, reason = "a benchmark has no interface")]

#[path = "../support/nova.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod nova;

#[path = "../support/host.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod host;

#[path = "../support/fleet/mod.rs"]
mod fleet;

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod support;

mod arguments;
mod floor;
mod jobs;
mod ours;
mod report;
mod show;
mod stock;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nftwrap::layout::{Layout, Native};
use nftwrap::netlink::namespace::Namespace;

use arguments::{Arguments, HELP};
use fleet::{Fleet, Shape};
use jobs::Job;
use ours::Ours;
use report::{Measured, Series, Session};
use support::command::Scratch;
use support::failure::Failure;
use support::record::{self, Output};

const NATIVE: &str = "nftwrap, native layout";
const IPTABLES: &str = "nftwrap, iptables layout";
const FLOOR_NATIVE: &str = "floor: kernel, the same bytes";
const FLOOR_IPTABLES: &str = "floor of the iptables layout";

/// Distinct bodies on the lines of the plots.
const MAIN_BODIES: u32 = 256;
/// Numbers of distinct bodies that are compared at one size.
const BODIES: [u32; 4] = [10, 100, MAIN_BODIES, 1_000];
/// And that size.
const BODIES_AT: u32 = 10_000;
/// Up to here everything is measured with every host; beyond, what is not nftwrap's native layout with nova's only.
const EVERYTHING_MAX: u32 = 10_000;
/// The bridge form, which no layout makes faster, is measured with that many ports, with fewer when only these are asked for.
const PHYSDEV: u32 = 1_000;

/// One host with its changes.
struct Scenario<'a> {
    fleet: Fleet,
    jobs: &'a [Job],
    /// The text that nftwrap reads.
    wrapped: &'a str,
}

impl Scenario<'_> {
    /// After a load the kernel is busy for a while with what was there before.
    fn settle(&self) -> Duration {
        Duration::from_millis(20) + Duration::from_micros(40) * self.fleet.instances
    }
}

/// Something that loads a host and changes it.
trait Candidate {
    fn name(&self) -> &str;

    /// A fresh namespace, a load, then every job there and back.
    fn session(&mut self, scenario: &Scenario<'_>) -> Result<Session, Failure>;
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args()) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("churn: {message}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("churn: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    Namespace::fresh()?;
    let scratch = Scratch::new()?;
    let mut output = Output::new(arguments.json);
    let mut measured = Vec::new();
    for fleet in fleets(arguments) {
        measured.push(measure(fleet, arguments, &scratch, &mut output)?);
    }
    if arguments.record {
        output.keep("churn")?;
        show::plot(&record::folder().join("churn.svg"), &measured)?;
        record::readme("churn", &show::section(&output.machine.to_string(), &measured))?;
    }
    Ok(())
}

/// The hosts that are measured: every shape at every size, and numbers of bodies at one size.
fn fleets(arguments: &Arguments) -> Vec<Fleet> {
    let (mut fleets, sizes) = (Vec::new(), arguments.sizes());
    for shape in [Shape::Nova, Shape::Distinct, Shape::Neutron, Shape::Physdev] {
        for &instances in sizes.iter().filter(|_| arguments.wants_shape(shape.name())) {
            let bodies: &[u32] = match shape {
                Shape::Nova if !arguments.bodies.is_empty() => &arguments.bodies,
                Shape::Nova if instances == BODIES_AT => &BODIES,
                Shape::Distinct => &[u32::MAX],
                Shape::Physdev if instances > PHYSDEV || (instances < PHYSDEV && sizes.contains(&PHYSDEV)) => &[],
                _ => &[MAIN_BODIES],
            };
            fleets.extend(bodies.iter().map(|&bodies| Fleet { shape, instances, bodies }));
        }
    }
    fleets
}

fn measure(fleet: Fleet, arguments: &Arguments, scratch: &Scratch, output: &mut Output) -> Result<Measured, Failure> {
    let jobs = jobs::jobs(fleet, arguments);
    let wrapped = ours::wrapped_text(fleet);
    let scenario = Scenario { fleet, jobs: &jobs, wrapped: &wrapped };
    let mut measured = Measured { fleet, series: Vec::new() };
    let mut layouts = vec![(NATIVE.to_owned(), FLOOR_NATIVE.to_owned(), Layout::native())];
    for (pass, passes) in arguments.partial() {
        let native = Layout::Native(Native { passes, ..Native::default() });
        layouts.push((format!("{NATIVE}, no {pass}"), format!("floor, no {pass}"), native));
    }
    layouts.push((IPTABLES.to_owned(), FLOOR_IPTABLES.to_owned(), Layout::Iptables));
    let others = arguments.full || has_others(fleet);
    for (name, floor, layout) in layouts {
        if !arguments.wants(&name) || (layout == Layout::Iptables && !others) {
            continue;
        }
        let mut recording = match ours::record(&layout, &scenario) {
            Ok(recording) => floor::Recording { name: floor.clone(), ..recording },
            Err(Failure(reason)) => {
                measured.series.push(Series { name, floor: None, sessions: Vec::new(), skipped: Some(reason) });
                continue;
            }
        };
        thread::sleep(scenario.settle());
        let mut ours = Ours { name, layout };
        let rounds = rounds(fleet, arguments);
        let series = together(&mut [&mut ours, &mut recording], &scenario, rounds, Some(&floor));
        measured.series.extend(series);
    }
    let mut tools: [&mut dyn Candidate; 4] = [
        &mut stock::Restore { command: "iptables-nft-restore", scratch },
        &mut stock::Restore { command: "iptables-legacy-restore", scratch },
        &mut stock::Nft { maps: false, scratch },
        &mut stock::Nft { maps: true, scratch },
    ];
    for tool in tools.iter_mut().filter(|tool| others && arguments.wants(tool.name())) {
        measured.series.extend(together(&mut [&mut **tool], &scenario, 1, Some(FLOOR_NATIVE)));
    }
    measured.say(wrapped.len(), output);
    Ok(measured)
}

/// Whether candidates are measured with this host that are no better for its bodies or cannot be better for its size.
fn has_others(fleet: Fleet) -> bool {
    match fleet.shape {
        Shape::Nova => fleet.bodies == MAIN_BODIES,
        _ => fleet.instances <= EVERYTHING_MAX,
    }
}

/// Loads, each in a namespace of its own: more where they are short.
fn rounds(fleet: Fleet, arguments: &Arguments) -> usize {
    match fleet.instances {
        _ if arguments.quick => 1,
        ..=1_000 => 2,
        _ => 1,
    }
}

/// The candidates take turns, so that a slow spell of the machine hits all of them.
fn together(
    candidates: &mut [&mut dyn Candidate],
    scenario: &Scenario<'_>,
    rounds: usize,
    floor: Option<&str>,
) -> Vec<Series> {
    let empty = |candidate: &&mut dyn Candidate| Series {
        name: candidate.name().to_owned(),
        floor: floor.map(str::to_owned),
        sessions: Vec::new(),
        skipped: None,
    };
    let mut all: Vec<Series> = candidates.iter().map(empty).collect();
    for _ in 0..rounds {
        for (candidate, series) in candidates.iter_mut().zip(&mut all) {
            if series.skipped.is_some() {
                continue;
            }
            match candidate.session(scenario) {
                Ok(session) => series.sessions.push(session),
                Err(Failure(reason)) => series.skipped = Some(reason),
            }
            // The kernel frees a namespace's rules after the last handle is gone; the next one should not pay for that.
            thread::sleep(scenario.settle());
        }
    }
    all
}
