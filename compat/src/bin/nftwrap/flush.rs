//! `flush`: remove what a component left.

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::layout::{Layout, Native};
use nftwrap::wrap::Model;
use nftwrap_compat::view::Group;
use serde_json::json;

use crate::args::Flush;
use crate::failure::Failure;
use crate::{kernel, output};

pub(crate) fn flush(args: &Flush) -> Result<(), Failure> {
    let fail = |error: &nftwrap::Error| Failure::apply(&[], error);
    let mut kernel = kernel::open(&args.place)?;
    let groups = Group::of(&mut kernel, &args.wrap).map_err(|error| fail(&error.into()))?;
    let native =
        |group: Group| Layout::Native(Native { group: Some(group.name), shared: group.shared, ..Native::default() });
    // A flush of a group removes from the tables of iptables, too.
    let mut layouts: Vec<Layout> = groups.into_iter().map(native).collect();
    if layouts.is_empty() {
        layouts.push(Layout::Iptables);
    }
    let mut report = Report::default();
    for layout in layouts {
        let model =
            Model::builder().component(args.wrap.clone()).build().map_err(|error| Failure::input(error.to_string()))?;
        let mut manager = Manager::with_kernel_and_layout(model, kernel, layout);
        report = sum(report, manager.flush().map_err(|error| fail(&error))?);
        kernel = manager.into_parts().1;
    }
    if args.json || args.stats {
        let us = |d: std::time::Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        return output::print_json(&json!({
            "tables": report.tables,
            "chains": report.chains,
            "rules_deleted": report.rules_deleted,
            "messages": report.messages,
            "kernel_us": us(report.kernel),
            "total_us": us(report.total),
            "generation": report.generation,
        }));
    }
    if report.messages == 0 {
        return output::print(&format!("nothing of {} stands here\n", args.wrap));
    }
    if report.chains == 0 {
        let plural = if report.tables == 1 { "" } else { "s" };
        return output::print(&format!(
            "{} table{plural} of {} and all chains in them are gone\n",
            report.tables, args.wrap
        ));
    }
    let plural = if report.chains == 1 { "" } else { "s" };
    output::print(&format!(
        "{} chain{plural} of {} and its rules in shared chains are gone\n",
        report.chains, args.wrap
    ))
}

/// What two transactions did together.
fn sum(mut a: Report, b: Report) -> Report {
    a.tables += b.tables;
    a.chains += b.chains;
    a.rules_deleted += b.rules_deleted;
    a.messages += b.messages;
    a.kernel += b.kernel;
    a.total += b.total;
    a.generation = b.generation;
    a
}
