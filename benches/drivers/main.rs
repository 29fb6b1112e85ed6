//! Changes of a host through its firewall drivers: from the call to the commit, with the kernel's own part of it.
//!
//! `cargo bench --bench drivers`; `-- --help` lists the options. It takes root, or a user namespace (`unshare -Ur`) for sizes
//! whose batch fits `net.core.wmem_max`.
//!
//! Each candidate fills a fresh network namespace with instances of 20 rules in 50 security groups, one of which all use, then
//! makes each change and takes it back. A sample is the driver's call, the wait for its ticket included: validation, rules,
//! the way through the writer's thread, compiling, the transaction.
#![allow(missing_docs, reason = "a benchmark has no interface")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod support;

mod instances;
mod ports;
mod report;
mod scene;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use nftwrap::apply::Report;
use nftwrap::kernel::{Kernel, Live};
use nftwrap::layout::Layout;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::nft::Family;

use instances::Instances;
use ports::Ports;
use report::{Job, Measured, Sample};
use support::failure::Failure;
use support::record::{self, Output};

/// What is asked for.
#[derive(Debug, Parser)]
#[command(name = "drivers", about = "Changes of a host through its firewall drivers")]
struct Arguments {
    /// Only these numbers of instances.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    instances: Vec<u32>,
    /// Only candidates whose name has this word.
    #[arg(long, default_value = "")]
    candidates: String,
    /// Few samples.
    #[arg(long)]
    quick: bool,
    /// JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// Keep the record, and the numbers of the README.
    #[arg(long)]
    record: bool,
    /// What `cargo bench` passes to every target.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A driver with a host full of instances.
trait Candidate {
    /// Everything, in one transaction.
    fn load(&mut self, instances: u32) -> Result<Reports, Failure>;
    /// One instance more, the one of that number.
    fn boot(&mut self, number: u32) -> Result<Reports, Failure>;
    /// The same as an agent does it, when that is more than one call: set up, prepared and applied, each waited for.
    fn start(&mut self, number: u32) -> Option<Result<(), Failure>>;
    /// Takes that back.
    fn stop(&mut self, number: u32) -> Result<(), Failure>;
    /// And its end.
    fn end(&mut self, number: u32) -> Result<Reports, Failure>;
    /// The group that all use has its rules, with one more or without.
    fn rule(&mut self, more: bool) -> Result<Reports, Failure>;
    /// An instance of another host comes into the group that all use, or leaves it.
    fn member(&mut self, number: u32, comes: bool) -> Result<Reports, Failure>;
}

/// The transactions of a call.
type Reports = Vec<Arc<Report>>;

/// Starts a candidate in the namespace of the thread.
type Start = fn(Layout) -> Result<Box<dyn Candidate>, Failure>;

/// A name, how to start it, and in which layout.
type Entrant = (&'static str, Start, fn() -> Layout);

const CANDIDATES: [Entrant; 4] = [
    ("instances, native layout", Instances::start, Layout::native),
    ("ports, native layout", Ports::start, Layout::native),
    ("instances, iptables layout", Instances::start, || Layout::Iptables),
    ("ports, iptables layout", Ports::start, || Layout::Iptables),
];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("drivers: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut output = Output::new(arguments.json);
    let mut measured = Vec::new();
    for (name, start, layout) in CANDIDATES.into_iter().filter(|(name, ..)| name.contains(&arguments.candidates)) {
        for &instances in &arguments.instances {
            let one = Namespace::fresh()?.run(|| measure(name, start, layout(), instances, arguments.quick))??;
            one.print(&mut output);
            measured.push(one);
        }
    }
    output.text(&report::verdict(&measured));
    if arguments.record {
        output.keep("drivers")?;
        record::readme("drivers", &report::section(&output.machine.to_string(), &measured))?;
    }
    Ok(())
}

/// How often each change is made.
struct Rounds {
    boots: u32,
    rules: u32,
    members: u32,
}

impl Rounds {
    fn of(layout: &Layout, quick: bool) -> Self {
        match (layout, quick) {
            (Layout::Native(_), false) => Self { boots: 200, rules: 20, members: 200 },
            (Layout::Iptables, false) => Self { boots: 20, rules: 3, members: 100 },
            (_, true) => Self { boots: 5, rules: 2, members: 5 },
        }
    }
}

fn measure(name: &'static str, start: Start, layout: Layout, instances: u32, quick: bool) -> Result<Measured, Failure> {
    let rounds = Rounds::of(&layout, quick);
    if !Live::open()?.tables(Family::Ip)?.is_empty() {
        return Err(Failure("the namespace is not a fresh one".to_owned()));
    }
    let mut host = start(layout)?;
    let mut measured = Measured::new(name, instances);
    // After a load the kernel is busy for a while with what was there before; after a change for less.
    let settle = Duration::from_millis(20) + Duration::from_micros(40) * instances;
    measured.add(Job::Load, sample(|| host.load(instances))?);
    std::thread::sleep(settle);
    for round in 0..rounds.boots {
        let number = instances + round;
        measured.add(Job::Boot, sample(|| host.boot(number))?);
        std::thread::sleep(PAUSE);
        measured.add(Job::End, sample(|| host.end(number))?);
        std::thread::sleep(PAUSE);
        let start = Instant::now();
        if let Some(started) = host.start(number) {
            started?;
            measured.add(Job::Start, Sample { total: start.elapsed(), kernel: None });
            host.stop(number)?;
            std::thread::sleep(PAUSE);
        }
    }
    for _ in 0..rounds.rules {
        measured.add(Job::Rule, sample(|| host.rule(true))?);
        std::thread::sleep(settle);
        sample(|| host.rule(false))?;
        std::thread::sleep(settle);
    }
    for round in 0..rounds.members {
        measured.add(Job::Member, sample(|| host.member(round, true))?);
        std::thread::sleep(PAUSE);
        sample(|| host.member(round, false))?;
    }
    Ok(measured)
}

const PAUSE: Duration = Duration::from_millis(2);

/// One call, with the kernel's part of it.
fn sample(call: impl FnOnce() -> Result<Reports, Failure>) -> Result<Sample, Failure> {
    let start = Instant::now();
    let reports = call()?;
    let total = start.elapsed();
    if reports.iter().all(|report| report.messages == 0 && report.elements == 0) {
        return Err(Failure("a change changed nothing".to_owned()));
    }
    Ok(Sample { total, kernel: Some(reports.iter().map(|report| report.kernel).sum()) })
}
