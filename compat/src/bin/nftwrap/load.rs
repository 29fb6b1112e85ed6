//! `apply`, `plan` and `check`: a file to the kernel.

use std::fmt::Write;
use std::time::{Duration, Instant};

use nftwrap::Manager;
use nftwrap::apply::{Change, Identity, Plan, Report};
use nftwrap::compile::{NoIpsets, stock};
use nftwrap::kernel::Live;
use nftwrap::nft::{BaseChain, Policy, listing};
use nftwrap::rule::Family;
use nftwrap::wrap::{self, Model};
use nftwrap_compat::load;
use nftwrap_compat::print;
use nftwrap_compat::restore::SaveFile;
use nftwrap_compat::view::View;
use serde_json::{Value, json};

use crate::args::{Load, Profile};
use crate::failure::Failure;
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
        let manager = Manager::with_kernel(model, kernel::open(&args.place)?);
        Ok(Self { sources, manager, parse, start, progress })
    }

    fn fail(&self, error: &nftwrap::Error) -> Failure {
        Failure::apply(&self.sources, error)
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
    drop(job.progress);
    if let Some(format) = args.show {
        let mut view = View::read(job.manager.kernel_mut()).map_err(|error| Failure::apply(&[], &error.into()))?;
        if let Some(component) = &args.wrap {
            view.retain_component(component);
        }
        show::print(&view, format)?;
    }
    if args.stats {
        output::print_json(&stats(args, job.manager.model(), &report, job.parse, total))?;
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
    let plan = job.manager.plan().map_err(|error| job.fail(&error))?;
    drop(job.progress);
    if args.json {
        let changes: Vec<Value> = plan.changes().iter().map(change_json).collect();
        return output::print_json(&json!({ "changes": changes }));
    }
    output::print(&diff(&plan))
}

pub(crate) fn check(args: &Load) -> Result<(), Failure> {
    let mut job = Job::new(args)?;
    job.progress.phase("checking");
    let (plan, report) = job.manager.check().map_err(|error| job.fail(&error))?;
    let total = job.start.elapsed();
    drop(job.progress);
    if args.stats {
        return output::print_json(&stats(args, job.manager.model(), &report, job.parse, total));
    }
    if args.json {
        return output::print_json(&json!({ "ok": true, "changes": plan.changes().len() }));
    }
    if plan.is_empty() {
        return output::print("ok: nothing to change\n");
    }
    output::print(&format!("ok: the kernel accepts {}\n", count(plan.changes().len(), "change")))
}

/// What stands in the model, and what it took to bring it to the kernel. Times are in microseconds.
fn stats(args: &Load, model: &Model, report: &Report, parse: Duration, total: Duration) -> Value {
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
        "sets": 0,
        "elements": 0,
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
        "messages": report.messages,
        "generation": report.generation,
    })
}

fn summary(report: &Report, total: Duration) -> String {
    if report.messages == 0 {
        return "nothing to change\n".to_owned();
    }
    format!(
        "{} added, {} deleted, {} changed in one transaction of {} bytes; {:.1} ms, {:.1} ms of it in the kernel\n",
        count(report.rules_added, "rule"),
        report.rules_deleted,
        count(report.chains, "chain"),
        report.bytes,
        total.as_secs_f64() * 1e3,
        report.kernel.as_secs_f64() * 1e3,
    )
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The plan as a difference: `+` is made, `-` goes.
fn diff(plan: &Plan) -> String {
    if plan.is_empty() {
        return "nothing to change\n".to_owned();
    }
    let mut out = String::new();
    let mut heading = None;
    for change in plan.changes() {
        let table = change.table();
        if heading != Some(table) {
            heading = Some(table);
            let _ = writeln!(out, "{table}");
        }
        let _ = match change {
            Change::AddTable(_) => writeln!(out, "  + table"),
            Change::AddChain { chain, .. } => writeln!(out, "  + chain {chain}"),
            Change::SetPolicy { chain, base, .. } => writeln!(out, "  ~ chain {chain} policy {}", policy(base)),
            Change::DeleteRule { chain, identity, .. } => {
                writeln!(out, "  - -A {chain}{}", spaced(&text(identity, table.family)))
            }
            Change::AddRule { chain, rule, .. } => {
                writeln!(out, "  + -A {chain}{}", spaced(&print::rule(rule, table.family)))
            }
            Change::FlushChain { chain, .. } => writeln!(out, "  - all rules of chain {chain}"),
            Change::DeleteChain { chain, .. } => writeln!(out, "  - chain {chain}"),
            _ => Ok(()),
        };
    }
    out
}

fn spaced(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text}") }
}

fn text(identity: &Identity, family: Family) -> String {
    match identity {
        Identity::Rule(rule) => print::rule(rule, family),
        Identity::Program(program) => {
            let normal = &program.normal;
            match stock::lift(&normal.expressions, normal.comments.last(), family, &NoIpsets) {
                Ok(rule) => print::rule(&rule, family),
                Err(_) => listing::compact(&normal.expressions).to_string(),
            }
        }
    }
}

fn policy(base: &BaseChain) -> &'static str {
    if base.policy == Some(Policy::Drop) { "DROP" } else { "ACCEPT" }
}

fn change_json(change: &Change) -> Value {
    let id = change.table();
    let (operation, detail) = match change {
        Change::AddTable(_) => ("add-table", Value::Null),
        Change::AddChain { .. } => ("add-chain", Value::Null),
        Change::SetPolicy { base, .. } => ("set-policy", policy(base).into()),
        Change::DeleteRule { identity, .. } => ("delete-rule", text(identity, id.family).into()),
        Change::AddRule { rule, .. } => ("add-rule", print::rule(rule, id.family).into()),
        Change::FlushChain { .. } => ("flush-chain", Value::Null),
        Change::DeleteChain { .. } => ("delete-chain", Value::Null),
        _ => ("other", Value::Null),
    };
    json!({
        "operation": operation,
        "family": nftwrap::nft::Family::from(id.family).name(),
        "table": id.kind.name(),
        "chain": change.chain().map(|c| c.as_str()),
        "rule": detail,
    })
}
