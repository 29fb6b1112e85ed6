//! The stock tools, each as an agent runs it: a process that reads a file. The time is that of the whole command.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nftwrap::netlink::namespace::Namespace;

use crate::fleet::text::{self, prefixed};
use crate::fleet::{Edit, Fleet, Hook};
use crate::jobs::PATIENCE;
use crate::report::{Sample, Session};
use crate::support::command::{Scratch, nft};
use crate::support::failure::Failure;
use crate::{Candidate, Scenario};

/// Rules that go away are destroyed in the background, and the next batch with an xt match waits for that
/// (`nft_compat_wait_for_destructors`).
const PAUSE: Duration = Duration::from_millis(40);

/// Runs the jobs: `text` writes a change, `run` makes it.
fn session(
    scenario: &Scenario<'_>,
    scratch: &Scratch,
    load: Duration,
    text: impl Fn(&[Edit]) -> Result<String, Failure>,
    run: impl Fn(&Path) -> Result<Duration, Failure>,
) -> Result<Session, Failure> {
    let mut session = Session::new(scenario.jobs);
    session.load = vec![Sample { total: load, edit: None }];
    thread::sleep(scenario.settle());
    let one = |edits: &[Edit]| {
        let file = scratch.write("change", &text(edits)?)?;
        thread::sleep(PAUSE);
        Ok::<_, Failure>(Sample { total: run(&file)?, edit: None })
    };
    for (job, samples) in scenario.jobs.iter().zip(&mut session.jobs) {
        let started = Instant::now();
        for _ in 0..job.stock_pairs {
            samples.there.push(one(&job.edits)?);
            samples.back.push(one(&job.undo)?);
            if started.elapsed() > PATIENCE {
                break;
            }
        }
    }
    Ok(session)
}

/// `iptables-nft-restore` or `iptables-legacy-restore`.
#[derive(Debug)]
pub(crate) struct Restore<'a> {
    pub(crate) command: &'static str,
    pub(crate) scratch: &'a Scratch,
}

impl Candidate for Restore<'_> {
    fn name(&self) -> &str {
        self.command
    }

    fn session(&mut self, scenario: &Scenario<'_>) -> Result<Session, Failure> {
        let fleet = scenario.fleet;
        let load = self.scratch.write("load", &text::save(fleet, &text::kernel_prefix(fleet)))?;
        Namespace::fresh()?.run(|| {
            let took = self.scratch.restore(self.command, &load, &[])?;
            let run = |file: &Path| self.scratch.restore(self.command, file, &["--noflush"]);
            session(scenario, self.scratch, took, |edits| Ok(text::restore(fleet, edits)), run)
        })?
    }
}

/// `nft -f` with native expressions that filter the same.
#[derive(Debug)]
pub(crate) struct Nft<'a> {
    /// With a verdict map in the place of the jumps.
    pub(crate) maps: bool,
    pub(crate) scratch: &'a Scratch,
}

impl Candidate for Nft<'_> {
    fn name(&self) -> &str {
        if self.maps { "nft -f, verdict map" } else { "nft -f" }
    }

    fn session(&mut self, scenario: &Scenario<'_>) -> Result<Session, Failure> {
        let fleet = scenario.fleet;
        let load = text::nft(fleet, self.maps).ok_or_else(unsayable)?;
        let load = self.scratch.write("load.nft", &load)?;
        Namespace::fresh()?.run(|| {
            let took = nft(&load)?;
            let write = |edits: &[Edit]| {
                let removes = edits.iter().any(|edit| matches!(edit, Edit::Remove(_)));
                let handles = if removes && !self.maps { Handles::read(fleet)? } else { Handles::default() };
                text::nft_edits(fleet, edits, self.maps, |hook| handles.of(hook)).ok_or_else(unsayable)
            };
            session(scenario, self.scratch, took, write, nft)
        })?
    }
}

fn unsayable() -> Failure {
    Failure("nf_tables has no expression for a rule of this host, or the map was not written".into())
}

/// The handles of rules in shared chains. An agent would keep what `nft -e` told it, so this is not part of the time.
#[derive(Debug, Default)]
struct Handles(HashMap<(&'static str, &'static str), Vec<(String, u64)>>);

impl Handles {
    fn read(fleet: Fleet) -> Result<Self, Failure> {
        let mut chains = HashMap::new();
        for hook in fleet.instance(1).hooks {
            let key = (hook.table, hook.chain);
            if chains.contains_key(&key) {
                continue;
            }
            let chain = prefixed(fleet, hook.chain);
            let output = Command::new("nft").args(["-a", "list", "chain", "ip", hook.table, &chain]).output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            let rules = text.lines().filter_map(|line| {
                let (rule, handle) = line.trim().rsplit_once(" # handle ")?;
                Some((rule.to_owned(), handle.parse().ok()?))
            });
            chains.insert(key, rules.collect());
        }
        Ok(Self(chains))
    }

    fn of(&self, hook: &Hook) -> Option<u64> {
        let rules = self.0.get(&(hook.table, hook.chain))?;
        let is = |rule: &str| hook.needles.iter().all(|needle| rule.contains(needle.as_str()));
        // The newest ones come last, and they are those that go most often.
        rules.iter().rev().find(|(rule, _)| is(rule)).map(|(_, handle)| *handle)
    }
}
