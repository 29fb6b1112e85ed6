//! From the text of a nova-compute host to committed rules: nftwrap beside the stock tools, in namespaces of one kind.
//!
//! `cargo bench --bench apply`, with `-- --json` for JSON lines and `-- --instances N` for one size. It takes root, or a
//! user namespace (`unshare -Ur`) for sizes whose batch fits `net.core.wmem_max`.
//!
//! All candidates take turns within a round, each in a fresh network namespace, so that a slow spell of the machine hits
//! all of them. Ratios are to the floor: the kernel's own time for the very bytes that nftwrap sends.
#![allow(missing_docs, reason = "a benchmark has no interface")]

#[path = "../support/nova.rs"]
#[allow(dead_code, reason = "the example's test and the oracle use the rest")]
mod nova;

#[path = "../support/host.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod host;

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod support;

mod floor;
mod ours;
mod report;
mod stock;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nftwrap::netlink::namespace::Namespace;

use nova::{Family, Naming, Nova};
use report::{Round, Series, Size};
use support::command::Scratch;
use support::failure::Failure;

const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];

/// Something that loads a host.
trait Candidate {
    fn name(&self) -> &'static str;

    /// A fresh namespace, a load of `text`, then the next guest added and removed `pairs` times.
    fn round(&mut self, host: Nova, text: &str, pairs: usize) -> Result<Round, Failure>;
}

#[derive(Debug, Default)]
struct Arguments {
    json: bool,
    instances: Option<u32>,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                // What `cargo bench` passes to every target.
                "--bench" => {}
                "--json" => arguments.json = true,
                "--instances" => {
                    let number = words.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                    arguments.instances = Some(number.ok_or("--instances takes a number of guests, 1 or more")?);
                }
                other => return Err(format!("unknown argument `{other}`: there are --json and --instances N")),
            }
        }
        Ok(arguments)
    }
}

fn main() -> ExitCode {
    let run = Arguments::parse(std::env::args()).and_then(|arguments| run(&arguments).map_err(|failure| failure.0));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("apply: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    Namespace::fresh()?;
    let scratch = Scratch::new()?;
    report::machine(arguments.json);
    let sizes = arguments.instances.map_or(SIZES.to_vec(), |one| vec![one]);
    for instances in sizes {
        measure(instances, &scratch, arguments.json)?;
    }
    Ok(())
}

fn measure(instances: u32, scratch: &Scratch, json: bool) -> Result<(), Failure> {
    let (rounds, pairs) = effort(instances);
    let host = Nova::new(instances);
    let text = host.save(Family::V4, Naming::Kernel);
    let mut recording = ours::record(host, &text, pairs)?;
    settle(instances);
    let rules = text.lines().filter(|line| line.starts_with("-A")).count();
    let size = Size { instances, rules, text: text.len(), batch: recording.load.len() };
    let mut candidates: [&mut dyn Candidate; 7] = [
        &mut recording,
        &mut ours::Nftwrap,
        &mut stock::Restore { command: "iptables-nft-restore", scratch },
        &mut stock::Restore { command: "iptables-legacy-restore", scratch },
        &mut stock::Nft { scratch },
        &mut stock::Nftnl { one_datagram: false },
        &mut stock::Nftnl { one_datagram: true },
    ];
    let mut series: Vec<Series> =
        candidates.iter().map(|one| Series { name: one.name(), ..Series::default() }).collect();
    for _ in 0..rounds {
        for (candidate, series) in candidates.iter_mut().zip(&mut series) {
            if series.skipped.is_some() {
                continue;
            }
            match candidate.round(host, &text, pairs) {
                Ok(round) => series.rounds.push(round),
                Err(Failure(reason)) => series.skipped = Some(reason),
            }
            settle(instances);
        }
    }
    report::size(size, &series, json);
    Ok(())
}

/// Rounds, and pairs of changes within a round: fewer where each takes seconds.
fn effort(instances: u32) -> (usize, usize) {
    match instances {
        ..=100 => (11, 3),
        101..=2_000 => (7, 3),
        _ => (5, 3),
    }
}

/// The kernel frees a namespace's rules after the last handle is gone; the next candidate should not pay for that.
fn settle(instances: u32) {
    thread::sleep(Duration::from_millis(20) + Duration::from_micros(40) * instances);
}

/// Between two changes: rules that go away are destroyed in the background, and the next batch with an xt match waits for
/// that (`nft_compat_wait_for_destructors`). An agent's changes are further apart than this.
fn pause() {
    thread::sleep(Duration::from_millis(40));
}
