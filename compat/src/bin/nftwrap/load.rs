//! `apply`, `plan` and `check`: a file to the kernel.

use std::time::{Duration, Instant};

use nftwrap::Manager;
use nftwrap::apply::{Fallback, NativeChange, Plan, Report};
use nftwrap::kernel::Live;
use nftwrap::layout::{Layout, Native};
use nftwrap::wrap::{self, Model};
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;
use nftwrap_compat::view::View;
use serde_json::{Value, json};

use crate::args::{self, Load, Profile};
use crate::failure::Failure;
use crate::fallbacks::{self, Fallbacks};
use crate::plan::{self, Standing};
use crate::progress::Progress;
use crate::source::Source;
use crate::{kernel, output, show};

/// A model made of the given files, and the kernel that it is for.
struct Job {
    sources: Vec<Source>,
    manager: Manager<Live>,
    parse: Duration,
    start: Instant,
    progress: Progress,
}

impl Job {
    fn new(args: &Load) -> Result<Self, Failure> {
        let start = Instant::now();
        let layout = layout(args)?;
        let progress = Progress::start();
        progress.phase("reading rules");
        let sources = Source::read_all(args.file.as_ref().or(args.ipv4.as_ref()), args.ipv6.as_ref())?;
        let parsing = Instant::now();
        let mut model = model(args)?;
        for source in &sources {
            let file = SaveFile::parse_scoped(&source.bytes, source.family, load::scope(&model))
                .map_err(|errors| Failure::parse(source, &errors))?;
            if file.sections.is_empty() && args.wrap.is_some() {
                // What a broken pipe or an interrupted writer leaves must not take a component's rules away.
                return Err(Failure::nothing_stated(source));
            }
            load::load(&mut model, source.family, file, args.counters)
                .map_err(|error| Failure::load(source, &error))?;
        }
        let parse = parsing.elapsed();
        let manager = Manager::with_kernel_and_layout(model, kernel::open(&args.place)?, layout);
        Ok(Self { sources, manager, parse, start, progress })
    }

    fn fail(&self, error: &nftwrap::Error) -> Failure {
        Failure::apply(&self.sources, error)
    }

    /// What of the model the native layout does in another form than its first.
    fn fallbacks(&self, reported: &[Fallback]) -> Fallbacks {
        fallbacks::find(self.manager.model(), self.manager.layout(), reported)
    }
}

/// The layout with its settings, which mean nothing to the other one.
fn layout(args: &Load) -> Result<Layout, Failure> {
    let args::NativeLayout { group, shared, priority, passes } = &args.native;
    if args.layout == args::Layout::Native {
        return Ok(Layout::Native(Native {
            group: group.clone(),
            shared: *shared,
            priority: priority.unwrap_or_default(),
            passes: passes.unwrap_or_default(),
            counters: args.counters,
            ..Native::default()
        }));
    }
    let given = [
        ("--group", group.is_some()),
        ("--shared", *shared),
        ("--priority", priority.is_some()),
        ("--passes", passes.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Failure::input(format!("{name} is of the native layout: give --layout native, too"))),
        None => Ok(Layout::Iptables),
    }
}

fn model(args: &Load) -> Result<Model, Failure> {
    let Some(component) = &args.wrap else { return Ok(Model::whole()) };
    let profile = match args.profile {
        Profile::Bare => wrap::Profile::Bare,
        Profile::Nova => wrap::Profile::Nova,
        Profile::Neutron => wrap::Profile::Neutron,
    };
    Model::builder()
        .component(component.clone())
        .profile(profile)
        .eager(true)
        .build()
        .map_err(|error| Failure::input(error.to_string()))
}

pub(crate) fn apply(args: &Load) -> Result<(), Failure> {
    let mut job = Job::new(args)?;
    job.progress.phase("committing");
    let report = job.manager.apply().map_err(|error| job.fail(&error))?;
    let total = job.start.elapsed();
    let fallbacks = if args.stats { job.fallbacks(&report.fallbacks) } else { Fallbacks::default() };
    drop(job.progress);
    if let Some(format) = args.show {
        let mut view = View::read(job.manager.kernel_mut()).map_err(|error| Failure::apply(&[], &error.into()))?;
        if let Some(component) = &args.wrap {
            view.retain_component(component);
        }
        show::print(&view, format)?;
    }
    if args.stats {
        output::print_json(&stats(args, job.manager.model(), &report, &fallbacks, job.parse, total))?;
    } else if args.json {
        output::print_json(&changes(&report))?;
    } else if args.show.is_none() {
        output::print(&summary(&report, total))?;
    }
    Ok(())
}

pub(crate) fn plan(args: &Load) -> Result<(), Failure> {
    let mut job = Job::new(args)?;
    job.progress.phase("comparing");
    let standing = Standing::read(&mut job.manager).map_err(|error| job.fail(&error))?;
    let plan = job.manager.plan().map_err(|error| job.fail(&error))?;
    let fallbacks = job.fallbacks(plan.fallbacks());
    drop(job.progress);
    if args.json {
        return output::print_json(&plan::json(&plan, &standing, &fallbacks));
    }
    output::print(&plan::diff(&plan, &standing, &fallbacks))
}

pub(crate) fn check(args: &Load) -> Result<(), Failure> {
    let mut job = Job::new(args)?;
    job.progress.phase("checking");
    let (plan, report) = job.manager.check().map_err(|error| job.fail(&error))?;
    let total = job.start.elapsed();
    if args.stats {
        let parse = job.parse;
        let fallbacks = job.fallbacks(&report.fallbacks);
        drop(job.progress);
        return output::print_json(&stats(args, job.manager.model(), &report, &fallbacks, parse, total));
    }
    drop(job.progress);
    let changes = changes_of(&plan);
    if args.json {
        return output::print_json(&json!({ "ok": true, "changes": changes }));
    }
    if changes == 0 {
        return output::print("ok: nothing to change\n");
    }
    output::print(&format!("ok: the kernel accepts {}\n", count(changes, "change")))
}

/// How many changes a plan has. That a table gets another owner changes nothing of what it does.
fn changes_of(plan: &Plan) -> usize {
    let native = plan.native().iter().filter(|change| !is_take_over(change));
    plan.changes().len() + native.count() + plan.ipsets().len()
}

/// Whether a change makes us the owner of a table, and nothing else.
pub(crate) fn is_take_over(change: &NativeChange) -> bool {
    matches!(change, NativeChange::AddTable { userdata: None, .. })
}

/// What stands in the model, and what it took to bring it to the kernel: sets and elements are those that were made or
/// deleted. Times are in microseconds.
fn stats(
    args: &Load,
    model: &Model,
    report: &Report,
    fallbacks: &Fallbacks,
    parse: Duration,
    total: Duration,
) -> Value {
    let us = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let (mut tables, mut chains, mut rules) = (0, 0, 0);
    for table in model.tables() {
        tables += 1;
        for chain in table.chains() {
            chains += 1;
            rules += chain.len();
        }
    }
    json!({
        "layout": args.layout.name(),
        "tables": tables,
        "chains": chains,
        "rules": rules,
        "sets": report.sets,
        "elements": report.elements,
        "fallbacks": fallbacks.rules(),
        "missing_features": fallbacks.features(),
        "transactions": report.transactions,
        "messages": report.messages,
        "bytes": report.bytes,
        "parse_us": us(parse),
        "read_us": us(report.read),
        "plan_us": us(report.plan),
        "compile_us": us(report.compile),
        "encode_us": us(report.encode),
        "kernel_us": us(report.kernel),
        "total_us": us(total),
        "attempts": report.attempts,
        "generation": report.generation,
    })
}

fn changes(report: &Report) -> Value {
    json!({
        "tables": report.tables,
        "chains": report.chains,
        "rules_added": report.rules_added,
        "rules_deleted": report.rules_deleted,
        "sets": report.sets,
        "elements": report.elements,
        "messages": report.messages,
        "generation": report.generation,
    })
}

fn summary(report: &Report, total: Duration) -> String {
    let Report { chains, rules_added, rules_deleted, sets, elements, .. } = *report;
    if report.messages == 0 || chains + rules_added + rules_deleted + sets + elements + report.tables == 0 {
        return "nothing to change\n".to_owned();
    }
    let native = match (sets, elements) {
        (0, 0) => String::new(),
        _ => format!(", {} and {} added or deleted", count(sets, "set"), count(elements, "element")),
    };
    format!(
        "{} added, {} deleted, {} changed{native} in one transaction of {} bytes; {:.1} ms, {:.1} ms of it in the kernel\n",
        count(rules_added, "rule"),
        rules_deleted,
        count(chains, "chain"),
        report.bytes,
        total.as_secs_f64() * 1e3,
        report.kernel.as_secs_f64() * 1e3,
    )
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
