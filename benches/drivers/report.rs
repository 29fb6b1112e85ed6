//! What is shown: p50, p99 and the kernel's part of each change, and the question:
//! whether a change costs what it changes.

use std::time::Duration;

use serde_json::json;

use crate::support::numbers::{Spread, human, ratio, thousands, us};
use crate::support::record::Output;

/// A change, as tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Load,
    Boot,
    Start,
    End,
    Rule,
    Member,
}

impl Job {
    const ALL: [Self; 6] = [Self::Load, Self::Boot, Self::Start, Self::End, Self::Rule, Self::Member];

    fn name(self) -> &'static str {
        match self {
            Self::Load => "all instances, in one transaction",
            Self::Boot => "one instance boots",
            Self::Start => "one boots, guard and all its calls",
            Self::End => "one instance ends",
            Self::Rule => "a rule comes into a group that all use",
            Self::Member => "a member joins a group that all use",
        }
    }
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) total: Duration,
    /// `None` when it is not known.
    pub(crate) kernel: Option<Duration>,
}

/// All samples of one candidate at one size.
#[derive(Debug)]
pub(crate) struct Measured {
    name: &'static str,
    instances: u32,
    samples: Vec<(Job, Sample)>,
}

/// What the originals took, by the measurements of those who wrote this library and by their authors' own.
const REFERENCE: &str = "\
For comparison, with the originals' own rules, measured on another machine: one instance more among 1,000 takes neutron's
manager of 2026 0.16 s (legacy) to 0.20 s (nft), that of 2014 5.5 to 7 s; one port more among 1,000 takes neutron's port
driver 21 s, 0.15 s of which are the kernel's. One more VM at 85,000 rules takes 33 s by neutron's own figures.";

impl Measured {
    pub(crate) fn new(name: &'static str, instances: u32) -> Self {
        Self { name, instances, samples: Vec::new() }
    }

    pub(crate) fn add(&mut self, job: Job, sample: Sample) {
        self.samples.push((job, sample));
    }

    fn spread(&self, job: Job, part: fn(&Sample) -> Option<Duration>) -> Option<Spread> {
        Spread::of(self.samples.iter().filter(|(of, _)| *of == job).filter_map(|(_, sample)| part(sample)))
    }

    fn total(&self, job: Job) -> Option<Spread> {
        self.spread(job, |sample| Some(sample.total))
    }

    pub(crate) fn print(&self, output: &mut Output) {
        output.text(&format!("\n{}, {} instances", self.name, thousands(self.instances)));
        for job in Job::ALL {
            let Some(total) = self.total(job) else { continue };
            let kernel = self.spread(job, |sample| sample.kernel);
            output.text(&format!(
                "  {:<42} p50 {:>9}  p99 {:>9}  kernel p50 {:>9}  ({} samples)",
                job.name(),
                human(total.median),
                human(total.p99),
                kernel.map_or_else(|| "-".to_owned(), |kernel| human(kernel.median)),
                total.samples,
            ));
            output.line(&json!({
                "candidate": self.name, "instances": self.instances, "change": job.name(),
                "p50_us": us(total.median), "p99_us": us(total.p99), "kernel_us": kernel.map(|kernel| us(kernel.median)),
                "samples": total.samples,
            }));
        }
    }
}

fn median(measured: &[Measured], name: &str, instances: u32, job: Job) -> Option<Duration> {
    let one = measured.iter().find(|one| one.name == name && one.instances == instances)?;
    one.total(job).map(|spread| spread.median)
}

/// How the changes grow with the host, and what a rule costs beside a load.
pub(crate) fn verdict(measured: &[Measured]) -> String {
    let mut text = format!("\n{REFERENCE}\n");
    let (Some(least), Some(most)) =
        (measured.iter().map(|one| one.instances).min(), measured.iter().map(|one| one.instances).max())
    else {
        return text;
    };
    for one in measured.iter().filter(|one| one.instances == most) {
        let of = |instances, job| median(measured, one.name, instances, job);
        let grows = |job| match (of(least, job), of(most, job)) {
            (Some(small), Some(large)) if least != most => format!("{:.2} x", ratio(large, small)),
            _ => "-".to_owned(),
        };
        let share = match (of(most, Job::Rule), of(most, Job::Load)) {
            (Some(rule), Some(load)) => format!("{:.2} %", 100.0 * ratio(rule, load)),
            _ => "-".to_owned(),
        };
        text.push_str(&format!(
            "{}: from {} to {} instances a boot grows {}, a member's joining {}; a rule for all is {share} of a load\n",
            one.name,
            thousands(least),
            thousands(most),
            grows(Job::Boot),
            grows(Job::Member),
        ));
    }
    text
}

/// The table of the README.
pub(crate) fn section(machine: &str, measured: &[Measured]) -> String {
    let mut text = format!("{machine}. p50, p99, and the kernel's part of the p50.\n\n| |");
    for one in measured {
        text.push_str(&format!(" {}, {} |", one.name, thousands(one.instances)));
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(measured.len())));
    for job in Job::ALL {
        let cells = measured.iter().map(|one| match (one.total(job), one.spread(job, |sample| sample.kernel)) {
            (Some(total), Some(kernel)) => {
                format!("{}, {}, {}", human(total.median), human(total.p99), human(kernel.median))
            }
            (Some(total), None) => format!("{}, {}", human(total.median), human(total.p99)),
            _ => "-".to_owned(),
        });
        text.push_str(&format!("| {} | {} |\n", job.name(), cells.collect::<Vec<_>>().join(" | ")));
    }
    text.push_str(&verdict(measured));
    text
}
