//! nftwrap in this process: text parsed, put into a model and applied; then the model changed and applied again.

use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::name::WrapName;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::netlink::socket::Socket;
use nftwrap::netlink::transport::{Recorder, Transport};
use nftwrap::rule::{Family, Rule};
use nftwrap::wrap::{Model, ModelError, Place, TableKind};

use crate::fleet::{self, Chain, Edit, Fleet, text};
use crate::floor::Recording;
use crate::host;
use crate::jobs::PATIENCE;
use crate::report::{Sample, Session};
use crate::support::failure::Failure;
use crate::support::replay::batches;
use crate::{Candidate, Scenario};

/// The library with a layout.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) name: String,
    pub(crate) layout: Layout,
}

impl Candidate for Ours {
    fn name(&self) -> &str {
        &self.name
    }

    fn session(&mut self, scenario: &Scenario<'_>) -> Result<Session, Failure> {
        let namespace = Namespace::fresh()?;
        let live = || Ok(Live::open_in(&namespace)?);
        session(&self.layout, scenario, live, |_| ())
    }
}

/// Does what a session does, and keeps the batches.
pub(crate) fn record(layout: &Layout, scenario: &Scenario<'_>) -> Result<Recording, Failure> {
    let namespace = Namespace::fresh()?;
    let open = || Ok(Live::over(Recorder::new(Socket::open_in(&namespace)?), &namespace));
    let mut all = Vec::new();
    let session = session(layout, scenario, open, |manager| {
        all.push(batches(std::mem::take(&mut manager.kernel_mut().transport().sent)).collect());
    })?;
    let pairs = session.jobs.iter().map(|job| job.there.len()).collect();
    Ok(Recording { name: String::new(), batches: all, pairs })
}

fn session<T: Transport>(
    layout: &Layout,
    scenario: &Scenario<'_>,
    open: impl FnOnce() -> Result<Live<T>, Failure>,
    mut applied: impl FnMut(&mut Manager<Live<T>>),
) -> Result<Session, Failure> {
    let mut session = Session::new(scenario.jobs);
    let start = Instant::now();
    let file = host::parse(scenario.wrapped)?;
    let parsed = start.elapsed();
    let component = WrapName::from_str(scenario.fleet.shape.component())?;
    let mut model = Model::builder().component(component).ipv6(false).build()?;
    host::add(&mut model, file)?;
    let modelled = start.elapsed() - parsed;
    let mut manager = Manager::with_kernel_and_layout(model, open()?, layout.clone());
    let report = manager.apply()?;
    session.load = vec![Sample { total: start.elapsed(), edit: Some(parsed + modelled) }];
    session.parts = vec![
        ("parse", parsed),
        ("model", modelled),
        ("read", report.read),
        ("plan", report.plan),
        ("compile", report.compile),
        ("encode", report.encode),
        ("kernel", report.kernel),
    ];
    session.bytes = report.bytes;
    applied(&mut manager);
    thread::sleep(scenario.settle());
    let prepared: Vec<[Vec<Typed>; 2]> =
        scenario.jobs.iter().map(|job| Ok([typed(&job.edits)?, typed(&job.undo)?])).collect::<Result<_, Failure>>()?;
    for ((job, [there, back]), samples) in scenario.jobs.iter().zip(&prepared).zip(&mut session.jobs) {
        let started = Instant::now();
        for _ in 0..job.pairs {
            samples.there.push(change(&mut manager, there, &mut applied)?);
            samples.back.push(change(&mut manager, back, &mut applied)?);
            if started.elapsed() > PATIENCE {
                break;
            }
        }
    }
    Ok(session)
}

fn change<T: Transport>(
    manager: &mut Manager<Live<T>>,
    edits: &[Typed],
    applied: &mut impl FnMut(&mut Manager<Live<T>>),
) -> Result<Sample, Failure> {
    thread::sleep(pause(edits.len()));
    let start = Instant::now();
    for edit in edits {
        edit.make(manager.model_mut())?;
    }
    let edited = start.elapsed();
    let report = manager.apply()?;
    let sample = Sample { total: start.elapsed(), edit: Some(edited) };
    if report.messages == 0 {
        return Err(Failure("a change of the model changed nothing in the kernel".into()));
    }
    applied(manager);
    Ok(sample)
}

/// Between two changes: what goes away is destroyed in the background, and a batch that comes sooner waits for that. An
/// agent's changes are further apart.
pub(crate) fn pause(edits: usize) -> Duration {
    Duration::from_millis(15) + Duration::from_micros(40) * u32::try_from(edits).unwrap_or(u32::MAX).min(50_000)
}

/// A change with its rules as values, as an agent that embeds the library has them.
enum Typed {
    Add { chains: Vec<TypedChain>, hooks: Vec<TypedHook> },
    Remove { chains: Vec<TypedChain>, hooks: Vec<TypedHook> },
    Change(TypedChain),
}

struct TypedChain {
    table: TableKind,
    name: String,
    rules: Vec<Arc<Rule>>,
}

struct TypedHook {
    table: TableKind,
    chain: String,
    rule: Arc<Rule>,
}

fn typed(edits: &[Edit]) -> Result<Vec<Typed>, Failure> {
    let edit = |edit: &Edit| {
        Ok(match edit {
            Edit::Add(instance) => Typed::Add { chains: chains(instance)?, hooks: hooks(instance)? },
            Edit::Remove(instance) => Typed::Remove { chains: chains(instance)?, hooks: hooks(instance)? },
            Edit::Change { chain, .. } => Typed::Change(typed_chain(chain)?),
        })
    };
    edits.iter().map(edit).collect()
}

fn chains(instance: &fleet::Instance) -> Result<Vec<TypedChain>, Failure> {
    instance.chains.iter().map(typed_chain).collect()
}

fn hooks(instance: &fleet::Instance) -> Result<Vec<TypedHook>, Failure> {
    let hook = |hook: &fleet::Hook| {
        let chain = hook.chain.replace("{P}", "$");
        Ok(TypedHook { table: kind(hook.table)?, chain, rule: rule(&hook.rule)? })
    };
    instance.hooks.iter().map(hook).collect()
}

fn typed_chain(chain: &Chain) -> Result<TypedChain, Failure> {
    let rules = chain.rules.iter().map(rule).collect::<Result<_, Failure>>()?;
    Ok(TypedChain { table: kind(chain.table)?, name: chain.name.replace("{P}", "$"), rules })
}

fn rule(line: &fleet::Line) -> Result<Arc<Rule>, Failure> {
    Ok(Arc::new(nftwrap_compat::parse::rule(&line.iptables.replace("{P}", "$"), Family::Ipv4)?))
}

fn kind(table: &str) -> Result<TableKind, Failure> {
    let kind = TableKind::ALL.into_iter().find(|kind| kind.name() == table);
    kind.ok_or_else(|| Failure(format!("there is no table {table}")))
}

impl Typed {
    fn make(&self, model: &mut Model) -> Result<(), ModelError> {
        match self {
            Self::Add { chains, hooks } => {
                for chain in chains {
                    let table = model.table_mut(Family::Ipv4, chain.table)?;
                    table.add_chain(&chain.name)?;
                    table.push_rules(&chain.name, chain.rules.iter().cloned())?;
                }
                for hook in hooks {
                    model.table_mut(Family::Ipv4, hook.table)?.add_rule(&hook.chain, hook.rule.clone())?;
                }
            }
            Self::Remove { chains, hooks } => {
                for hook in hooks {
                    let table = model.table_mut(Family::Ipv4, hook.table)?;
                    table.remove_rule(&hook.chain, &hook.rule, Place::Normal)?;
                }
                for chain in chains {
                    model.table_mut(Family::Ipv4, chain.table)?.remove_chain(&chain.name)?;
                }
            }
            Self::Change(chain) => {
                let table = model.table_mut(Family::Ipv4, chain.table)?;
                table.replace_chain(&chain.name, chain.rules.iter().cloned())?;
            }
        }
        Ok(())
    }
}

/// The text that nftwrap reads.
pub(crate) fn wrapped_text(fleet: Fleet) -> String {
    text::save(fleet, "$")
}
