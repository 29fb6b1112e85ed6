//! nftwrap: text parsed, put into a model and applied, in this process.

use std::time::{Duration, Instant};

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::netlink::socket::Socket;
use nftwrap::netlink::transport::{Recorder, Transport};
use nftwrap::wrap::Model;

use crate::floor::Recording;
use crate::nova::Nova;
use crate::report::Round;
use crate::support::replay::batches;
use crate::{Candidate, Failure, host, pause};

/// The library, `Layout::Iptables`.
#[derive(Debug)]
pub(crate) struct Nftwrap;

impl Candidate for Nftwrap {
    fn name(&self) -> &'static str {
        "nftwrap"
    }

    fn round(&mut self, host: Nova, text: &str, pairs: usize) -> Result<Round, Failure> {
        let namespace = Namespace::fresh()?;
        let open = || Ok(Live::open_in(&namespace)?);
        let mut round = Round::default();
        let start = Instant::now();
        let (mut manager, parts) = load(text, open)?;
        round.load = start.elapsed();
        round.parts = parts;
        for _ in 0..pairs {
            let (add, remove) = change(&mut manager, host)?;
            round.add.push(add);
            round.remove.push(remove);
        }
        Ok(round)
    }
}

/// Does what a round does, and keeps the batches.
pub(crate) fn record(host: Nova, text: &str, pairs: usize) -> Result<Recording, Failure> {
    let namespace = Namespace::fresh()?;
    let open = || Ok(Live::over(Recorder::new(Socket::open_in(&namespace)?), &namespace));
    let (mut manager, _) = load(text, open)?;
    for _ in 0..pairs {
        change(&mut manager, host)?;
    }
    let sent = std::mem::take(&mut manager.kernel_mut().transport().sent);
    let mut batches = batches(sent);
    let mut recording = Recording { load: batches.next().unwrap_or_default(), ..Recording::default() };
    while let (Some(add), Some(remove)) = (batches.next(), batches.next()) {
        recording.changes.push((add, remove));
    }
    if recording.changes.len() == pairs {
        Ok(recording)
    } else {
        Err(Failure(format!("{} batches were sent for {pairs} pairs of changes", recording.changes.len())))
    }
}

type Parts = Vec<(&'static str, Duration)>;

fn load<T: Transport>(
    text: &str,
    open: impl FnOnce() -> Result<Live<T>, Failure>,
) -> Result<(Manager<Live<T>>, Parts), Failure> {
    let start = Instant::now();
    let file = host::parse(text)?;
    let parsed = start.elapsed();
    let mut model = Model::whole();
    host::add(&mut model, file)?;
    let modelled = start.elapsed() - parsed;
    let mut manager = Manager::with_kernel(model, open()?);
    let report = manager.apply()?;
    let mut parts = vec![("parse", parsed), ("model", modelled)];
    parts.extend(steps(&report));
    Ok((manager, parts))
}

fn steps(report: &Report) -> [(&'static str, Duration); 5] {
    [
        ("read", report.read),
        ("plan", report.plan),
        ("compile", report.compile),
        ("encode", report.encode),
        ("kernel", report.kernel),
    ]
}

/// One more guest, from its text; then the same guest gone, with the jump to it.
fn change<T: Transport>(manager: &mut Manager<Live<T>>, nova: Nova) -> Result<(Duration, Duration), Failure> {
    let text = nova.add_one();
    pause();
    let start = Instant::now();
    let file = host::parse(&text)?;
    host::add(manager.model_mut(), file)?;
    manager.apply()?;
    let added = start.elapsed();
    pause();
    let start = Instant::now();
    host::remove(manager.model_mut(), nova.instances + 1)?;
    manager.apply()?;
    Ok((added, start.elapsed()))
}
