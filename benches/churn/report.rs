//! What the sessions took, as tables and JSON lines.

use std::time::Duration;

use serde_json::json;

use crate::fleet::{Fleet, Shape};
use crate::jobs::{Job, LOAD, NAMES};
use crate::support::numbers::{Spread, human, megabytes, ratio, thousands, us};
use crate::support::record::Output;

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) total: Duration,
    /// The part of it before `apply`: parsing and filling the model, or changing it.
    pub(crate) edit: Option<Duration>,
}

/// Samples of one job.
#[derive(Debug)]
pub(crate) struct JobSamples {
    names: [&'static str; 2],
    pub(crate) there: Vec<Sample>,
    pub(crate) back: Vec<Sample>,
}

/// A load and all jobs, in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) load: Vec<Sample>,
    /// Steps of the load, if the candidate knows them.
    pub(crate) parts: Vec<(&'static str, Duration)>,
    /// Bytes sent for the load, if it is known.
    pub(crate) bytes: usize,
    pub(crate) jobs: Vec<JobSamples>,
}

impl Session {
    pub(crate) fn new(jobs: &[Job]) -> Self {
        let samples = |job: &Job| JobSamples { names: [job.there, job.back], there: Vec::new(), back: Vec::new() };
        Self { jobs: jobs.iter().map(samples).collect(), ..Self::default() }
    }

    fn of(&self, name: &str) -> impl Iterator<Item = Sample> {
        let load = self.load.iter().filter(move |_| name == LOAD);
        let jobs = self.jobs.iter().flat_map(move |job| {
            let [there, back] = job.names.map(|one| one == name);
            job.there.iter().filter(move |_| there).chain(job.back.iter().filter(move |_| back))
        });
        load.chain(jobs).copied()
    }
}

/// All sessions of one candidate with one host.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// The name of the series that this one's ratios are to.
    pub(crate) floor: Option<String>,
    pub(crate) sessions: Vec<Session>,
    /// Why there are no sessions.
    pub(crate) skipped: Option<String>,
}

impl Series {
    pub(crate) fn spread(&self, job: &str) -> Option<Spread> {
        Spread::of(self.sessions.iter().flat_map(|session| session.of(job)).map(|sample| sample.total))
    }

    fn part(&self, job: &str, part: impl Fn(Sample) -> Option<Duration>) -> Option<Spread> {
        Spread::of(self.sessions.iter().flat_map(|session| session.of(job)).filter_map(part))
    }

    fn edit(&self, job: &str) -> Option<Spread> {
        self.part(job, |sample| sample.edit)
    }

    fn apply(&self, job: &str) -> Option<Spread> {
        self.part(job, |sample| Some(sample.total - sample.edit?))
    }

    /// Medians of the steps of the load.
    fn parts(&self) -> Vec<(&'static str, Duration)> {
        let names = self.sessions.first().map(|first| first.parts.clone()).unwrap_or_default();
        let of =
            |name| self.sessions.iter().flat_map(move |s| s.parts.iter().filter(move |p| p.0 == name).map(|p| p.1));
        names.into_iter().filter_map(|(name, _)| Some((name, Spread::of(of(name))?.median))).collect()
    }
}

/// A host and what all candidates took for it.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) fleet: Fleet,
    pub(crate) series: Vec<Series>,
}

impl Measured {
    pub(crate) fn spread(&self, candidate: &str, job: &str) -> Option<Spread> {
        self.series.iter().find(|series| series.name == candidate)?.spread(job)
    }

    /// Says it.
    pub(crate) fn say(&self, text_bytes: usize, output: &mut Output) {
        output.text(&self.table(text_bytes));
        for series in &self.series {
            self.lines(series, text_bytes, output);
        }
    }

    fn title(&self, text_bytes: usize) -> String {
        let Fleet { shape, instances, bodies } = self.fleet;
        let bodies = match shape {
            Shape::Nova => format!("{} bodies", thousands(bodies.min(instances))),
            Shape::Distinct => "all bodies distinct".into(),
            Shape::Neutron | Shape::Physdev => format!("{} groups", thousands(bodies.min(instances))),
        };
        let rules = thousands(u32::try_from(self.fleet.rules()).unwrap_or(u32::MAX));
        format!(
            "{}, {} instances, {bodies}: {rules} rules, {:.1} MB of text",
            shape.name(),
            thousands(instances),
            megabytes(text_bytes)
        )
    }

    fn table(&self, text_bytes: usize) -> String {
        let mut table = format!("\n{}; p50 (p99), ratio of p50 to the floor\n", self.title(text_bytes));
        for series in &self.series {
            table.push_str(&format!("  {}", series.name));
            if let Some(reason) = &series.skipped {
                table.push_str(&format!(": {reason}\n"));
                continue;
            }
            let bytes = series.sessions.first().map_or(0, |session| session.bytes);
            if bytes > 0 {
                table.push_str(&format!(", {:.2} MB of netlink messages", megabytes(bytes)));
            }
            table.push('\n');
            let steps = series.parts();
            if !steps.is_empty() {
                let steps: Vec<String> = steps.iter().map(|(name, took)| format!("{name} {}", human(*took))).collect();
                table.push_str(&format!("    {:<26}{}\n", "steps of the load", steps.join(", ")));
            }
            for job in NAMES {
                let Some(spread) = series.spread(job) else { continue };
                let ratio = self.ratio(series, job).map_or(String::new(), |ratio| format!("{ratio:.2}x"));
                table.push_str(&format!(
                    "    {job:<26}{:>10} ({:>8}){ratio:>10}{:>5} samples",
                    human(spread.median),
                    human(spread.p99),
                    spread.samples
                ));
                if let (Some(edit), Some(apply)) = (series.edit(job), series.apply(job)) {
                    let before = if job == LOAD { "parse and model" } else { "model" };
                    table.push_str(&format!(", {before} {}, apply {}", human(edit.median), human(apply.median)));
                }
                table.push('\n');
            }
        }
        table
    }

    fn ratio(&self, series: &Series, job: &str) -> Option<f64> {
        let floor = self.spread(series.floor.as_deref()?, job)?;
        Some(ratio(series.spread(job)?.median, floor.median))
    }

    fn lines(&self, series: &Series, text_bytes: usize, output: &mut Output) {
        let Fleet { shape, instances, bodies } = self.fleet;
        let host = json!({"shape": shape.name(), "instances": instances, "bodies": bodies.min(instances)});
        if let Some(reason) = &series.skipped {
            output.line(&json!({"host": host, "candidate": series.name, "remark": reason}));
        }
        for job in NAMES {
            let Some(spread) = series.spread(job) else { continue };
            let parts: serde_json::Map<_, _> = series
                .parts()
                .into_iter()
                .filter(|_| job == LOAD)
                .map(|(name, took)| (name.to_owned(), us(took)))
                .collect();
            output.line(&json!({
                "host": host, "candidate": series.name, "job": job, "rules": self.fleet.rules(),
                "text_bytes": text_bytes, "load_batch_bytes": series.sessions.first().map_or(0, |session| session.bytes),
                "p50_us": us(spread.median), "p99_us": us(spread.p99), "min_us": us(spread.min),
                "max_us": us(spread.max), "samples": spread.samples,
                "edit_p50_us": series.edit(job).map(|spread| us(spread.median)),
                "apply_p50_us": series.apply(job).map(|spread| us(spread.median)),
                "ratio_to_floor": self.ratio(series, job), "parts_us": parts,
            }));
        }
    }
}
