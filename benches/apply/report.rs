//! What the rounds took, as a table for people or JSON lines for programs.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

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

/// Median and extremes.
#[derive(Debug, Clone, Copy)]
struct Spread {
    median: Duration,
    min: Duration,
    max: Duration,
    samples: usize,
}

impl Spread {
    fn of(samples: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut samples: Vec<Duration> = samples.into_iter().collect();
        samples.sort();
        let median = *samples.get(samples.len() / 2)?;
        Some(Self { median, min: *samples.first()?, max: *samples.last()?, samples: samples.len() })
    }
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

/// Prints what there is about the machine: enough to compare, not enough to recognise it.
pub(crate) fn machine(json: bool) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let model = model.unwrap_or("unknown");
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let date = first_line(Command::new("date").args(["-u", "+%F"]));
    let tools = ["iptables-nft", "nft"].map(|tool| first_line(Command::new(tool).arg("--version"))).join("; ");
    // Without what a distribution or a builder appends.
    let kernel: String = kernel.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    if json {
        println!("{}", json!({"date": date, "kernel": kernel, "cpu": model, "cpus": cpus, "tools": tools}));
    } else {
        println!("{date}, Linux {kernel}, {cpus} x {model}; {tools}");
    }
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or("not installed").trim().to_owned()
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

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
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

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// Three digits and a unit.
fn human(took: Duration) -> String {
    let us = took.as_secs_f64() * 1e6;
    let (value, unit) = match us {
        us if us < 1e3 => (us, "us"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let digits = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
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

fn us(took: Duration) -> serde_json::Value {
    json!((took.as_secs_f64() * 1e7).round() / 10.0)
}
