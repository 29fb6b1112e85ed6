//! What the rounds took, as a table for people or JSON lines for programs.

use std::time::Duration;

use serde_json::json;

use crate::support::machine::Machine;
use crate::support::numbers::{Spread, human, megabytes, ratio, us};

/// What one round of a candidate took: a full load, then the same guest added and removed a few times.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// From text to committed.
    pub(crate) load: Duration,
    /// One more guest.
    pub(crate) add: Vec<Duration>,
    /// One guest less.
    pub(crate) remove: Vec<Duration>,
    /// Parts of the load, if the candidate knows them.
    pub(crate) parts: Vec<(&'static str, Duration)>,
    /// A remark instead of a result that others can be compared with.
    pub(crate) remark: Option<String>,
}

/// All rounds of one candidate with one number of guests.
#[derive(Debug, Default)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<Round>,
    /// Why there are no rounds.
    pub(crate) skipped: Option<String>,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
enum Job {
    Load,
    Add,
    Remove,
}

const JOBS: [(Job, &str); 3] = [(Job::Load, "load"), (Job::Add, "+1 instance"), (Job::Remove, "-1 instance")];

impl Series {
    fn spread(&self, job: Job) -> Option<Spread> {
        let comparable = || self.rounds.iter().filter(|round| round.remark.is_none());
        match job {
            Job::Load => Spread::of(comparable().map(|round| round.load)),
            Job::Add => Spread::of(comparable().flat_map(|round| round.add.iter().copied())),
            Job::Remove => Spread::of(comparable().flat_map(|round| round.remove.iter().copied())),
        }
    }

    fn remark(&self) -> Option<&str> {
        self.skipped.as_deref().or_else(|| self.rounds.iter().find_map(|round| round.remark.as_deref()))
    }

    /// Medians of the parts of the load.
    fn parts(&self) -> Vec<(&'static str, Duration)> {
        let Some(first) = self.rounds.first() else { return Vec::new() };
        let names = first.parts.iter().map(|(name, _)| *name);
        let of = |name| self.rounds.iter().flat_map(move |r| r.parts.iter().filter(move |p| p.0 == name).map(|p| p.1));
        names.filter_map(|name| Spread::of(of(name)).map(|spread| (name, spread.median))).collect()
    }
}

/// The size of what was loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) instances: u32,
    pub(crate) rules: usize,
    pub(crate) text: usize,
    pub(crate) batch: usize,
}

/// Prints what there is about the machine.
pub(crate) fn machine(json: bool) {
    let machine = Machine::here();
    if json {
        println!("{}", machine.json());
    } else {
        println!("{machine}");
    }
}

/// Prints all candidates of one size. The first one is the floor that the others are divided by.
pub(crate) fn size(size: Size, series: &[Series], json: bool) {
    if json {
        return series.iter().for_each(|one| lines(size, one, series.first()));
    }
    println!(
        "\n{} instances: {} rules, {:.1} MB of text, {:.1} MB of netlink messages; median (min .. max), ratio to the floor",
        size.instances,
        size.rules,
        megabytes(size.text),
        megabytes(size.batch)
    );
    println!("{:<34}{:>40}{:>40}{:>40}", "", "load", "+1 instance", "-1 instance");
    for one in series {
        let cells: Vec<String> = JOBS.iter().map(|(job, _)| cell(one.spread(*job), floor(series, *job))).collect();
        println!("{:<34}{}", one.name, cells.concat());
        if let Some(remark) = one.remark() {
            println!("    {remark}");
        }
        let parts: Vec<String> =
            one.parts().into_iter().map(|(name, took)| format!("{name} {}", human(took))).collect();
        if !parts.is_empty() {
            println!("    of the load: {}", parts.join(", "));
        }
    }
}

fn floor(series: &[Series], job: Job) -> Option<Duration> {
    Some(series.first()?.spread(job)?.median)
}

fn cell(spread: Option<Spread>, floor: Option<Duration>) -> String {
    let Some(spread) = spread else { return format!("{:>40}", "-") };
    let ratio = floor.map_or(String::new(), |floor| format!("{:.2}x", ratio(spread.median, floor)));
    let range = format!("{} ({} .. {})", human(spread.median), human(spread.min), human(spread.max));
    format!("{range:>31}{ratio:>9}")
}

fn lines(size: Size, one: &Series, floor: Option<&Series>) {
    for (job, name) in JOBS {
        let Some(spread) = one.spread(job) else { continue };
        let floor = floor.and_then(|floor| floor.spread(job)).map(|floor| ratio(spread.median, floor.median));
        let parts: serde_json::Map<String, serde_json::Value> = match job {
            Job::Load => one.parts().into_iter().map(|(name, took)| (name.to_owned(), us(took))).collect(),
            Job::Add | Job::Remove => serde_json::Map::new(),
        };
        println!(
            "{}",
            json!({
                "candidate": one.name, "job": name, "instances": size.instances, "rules": size.rules,
                "text_bytes": size.text, "batch_bytes": size.batch, "median_us": us(spread.median),
                "min_us": us(spread.min), "max_us": us(spread.max), "samples": spread.samples, "ratio_to_floor": floor,
                "parts_us": parts,
            })
        );
    }
    if let Some(remark) = one.remark() {
        println!("{}", json!({"candidate": one.name, "instances": size.instances, "remark": remark}));
    }
}
