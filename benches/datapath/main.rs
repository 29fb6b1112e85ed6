//! Packets through a loaded host: round trips and packets a second, nftwrap beside the stock tools.
//!
//! `cargo bench --bench datapath`, with `-- --help` for its options. It takes root and `ip`.
//!
//! Three namespaces in a row, joined by veth pairs; the rules stand in the middle one, and every packet and its answer pass
//! its FORWARD chain. The client talks to eight instances, spread evenly over the chain of jumps; the connections are known
//! to conntrack, so what is measured is the way to the instance's chain and its second rule.
#![allow(missing_docs, reason = "a benchmark has no interface")]

#[path = "../support/nova.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod nova;

#[path = "../support/host.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod host;

#[path = "../support/fleet/mod.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod fleet;

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod support;

mod load;
mod net;
mod report;
mod traffic;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nftwrap::layout::Layout;
use nftwrap::netlink::namespace::Namespace;

use fleet::{Fleet, Shape};
use load::Candidate;
use net::Net;
use report::{Measured, Numbers};
use support::command::Scratch;
use support::failure::Failure;
use support::numbers::Spread;
use support::record::{self, Output};

const HELP: &str = "\
cargo bench --bench datapath -- [OPTIONS]
  --instances N,...     only these numbers of instances
  --candidates WORD,... only candidates whose name has one of these words
  --quick               a moment each
  --json                JSON lines instead of tables
  --record              keep records and plot, and the numbers of the README";

const SIZES: [u32; 3] = [10, 1_000, 10_000];
const BODIES: u32 = 256;
/// Instances that the client talks to.
const FLOWS: u32 = 8;
/// Runs of a candidate at a size, each a third of its samples: the one in the middle is the median.
const RUNS: usize = 3;

#[derive(Debug, Default)]
struct Arguments {
    instances: Vec<u32>,
    candidates: Vec<String>,
    quick: bool,
    json: bool,
    record: bool,
    help: bool,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.skip(1);
        while let Some(word) = words.next() {
            let mut list = || words.next().ok_or_else(|| format!("{word} takes a list\n{HELP}"));
            match word.as_str() {
                // What `cargo bench` passes to every target.
                "--bench" => {}
                "--instances" => {
                    let numbers: Result<Vec<u32>, _> = list()?.split(',').map(str::parse).collect();
                    arguments.instances = numbers.map_err(|error| format!("--instances: {error}\n{HELP}"))?;
                }
                "--candidates" => arguments.candidates = list()?.split(',').map(str::to_owned).collect(),
                "--quick" => arguments.quick = true,
                "--json" => arguments.json = true,
                "--record" => arguments.record = true,
                "--help" => arguments.help = true,
                other => return Err(format!("unknown argument `{other}`\n{HELP}")),
            }
        }
        Ok(arguments)
    }

    fn wants(&self, candidate: &str) -> bool {
        self.candidates.is_empty() || self.candidates.iter().any(|word| candidate.contains(word.as_str()))
    }
}

fn main() -> ExitCode {
    let run = Arguments::parse(std::env::args()).and_then(|arguments| {
        if arguments.help {
            println!("{HELP}");
            return Ok(());
        }
        run(&arguments).map_err(|failure| failure.0)
    });
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("datapath: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    Namespace::fresh()?;
    let scratch = Scratch::new()?;
    let mut output = Output::new(arguments.json);
    let candidates: Vec<Candidate> = [
        Candidate::Ours("nftwrap, native layout", Layout::native()),
        Candidate::Nothing,
        Candidate::Ours("nftwrap, iptables layout", Layout::Iptables),
        Candidate::Restore("iptables-nft-restore"),
        Candidate::Restore("iptables-legacy-restore"),
        Candidate::Nft(false),
        Candidate::Nft(true),
    ]
    .into_iter()
    .filter(|candidate| arguments.wants(candidate.name()))
    .collect();
    let sizes = if arguments.instances.is_empty() { &SIZES } else { arguments.instances.as_slice() };
    let mut measured = Vec::new();
    let smallest = sizes.first().copied().unwrap_or_default();
    for &instances in sizes {
        report::title(instances, smallest, &mut output);
        for one in turns(&candidates, instances, arguments.quick, &scratch) {
            report::say(&one, &measured, &mut output);
            measured.push(one);
        }
    }
    if arguments.record {
        let names: Vec<&'static str> = candidates.iter().map(Candidate::name).collect();
        output.keep("datapath")?;
        report::plot(&record::folder().join("datapath.svg"), &names, &measured)?;
        record::readme("datapath", &report::section(&output.machine.to_string(), &names, sizes, &measured))?;
    }
    Ok(())
}

/// The candidates take turns, so that a slow spell of the machine hits all of them.
fn turns(candidates: &[Candidate], instances: u32, quick: bool, scratch: &Scratch) -> Vec<Measured> {
    let mut runs: Vec<Result<Runs, Failure>> = candidates.iter().map(|_| Ok(Runs::default())).collect();
    for turn in 0..RUNS {
        for (candidate, runs) in candidates.iter().zip(&mut runs) {
            let outcome = match runs {
                Ok(runs) => run_once(candidate, instances, quick, scratch, turn, runs),
                Err(_) => continue,
            };
            if let Err(failure) = outcome {
                *runs = Err(failure);
            }
        }
    }
    let measured = |(candidate, runs): (&Candidate, Result<Runs, Failure>)| Measured {
        candidate: candidate.name(),
        instances,
        outcome: runs.and_then(Runs::numbers),
    };
    candidates.iter().zip(runs).map(measured).collect()
}

/// What the turns of a candidate took.
#[derive(Debug, Default)]
struct Runs {
    trips: Vec<Duration>,
    rates: [f64; RUNS],
}

impl Runs {
    fn numbers(mut self) -> Result<Numbers, Failure> {
        self.rates.sort_by(f64::total_cmp);
        let [least, rate, most] = self.rates;
        let round_trip = Spread::of(self.trips).ok_or_else(|| Failure("no packet came back".into()))?;
        Ok(Numbers { round_trip, rate: [rate, least, most] })
    }
}

fn run_once(
    candidate: &Candidate,
    instances: u32,
    quick: bool,
    scratch: &Scratch,
    turn: usize,
    runs: &mut Runs,
) -> Result<(), Failure> {
    let fleet = Fleet { shape: Shape::Nova, instances, bodies: BODIES };
    let flows = FLOWS.min(instances);
    // In the middle of each eighth of the chain.
    let address = |flow: u32| nova::address_v4(1 + (2 * flow + 1) * instances / (2 * flows));
    let addresses: Vec<Ipv4Addr> = (0..flows).map(address).collect();
    let mut net = Net::new()?;
    let _loaded = candidate.load(fleet, &net.router, scratch)?;
    thread::sleep(Duration::from_millis(50) + Duration::from_micros(20) * instances);
    net.serve(&addresses)?;
    let sockets = net.connect(&addresses)?;
    let (warm_up, time) = match quick {
        true => (Duration::from_millis(50), Duration::from_millis(100)),
        false => (Duration::from_millis(200), Duration::from_millis(500)),
    };
    traffic::round_trips(&sockets, warm_up)?;
    let filters = net.filters(address(0))?;
    if filters == matches!(candidate, Candidate::Nothing) {
        let what = if filters { "dropped" } else { "let through" };
        return Err(Failure(format!("a packet that no rule accepts is {what}")));
    }
    runs.trips.extend(traffic::round_trips(&sockets, time)?);
    if let Some(rate) = runs.rates.get_mut(turn) {
        *rate = traffic::rate(&sockets, time)?;
    }
    Ok(())
}
