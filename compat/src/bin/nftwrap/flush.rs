//! `flush`: remove what a component left.

use nftwrap::Manager;
use nftwrap::wrap::Model;
use serde_json::json;

use crate::args::Flush;
use crate::failure::Failure;
use crate::{kernel, output};

pub(crate) fn flush(args: &Flush) -> Result<(), Failure> {
    let model =
        Model::builder().component(args.wrap.clone()).build().map_err(|error| Failure::input(error.to_string()))?;
    let mut manager = Manager::with_kernel(model, kernel::open(&args.place)?);
    let report = manager.flush().map_err(|error| Failure::apply(&[], &error))?;
    if args.json || args.stats {
        let us = |d: std::time::Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        return output::print_json(&json!({
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
    let plural = if report.chains == 1 { "" } else { "s" };
    output::print(&format!(
        "{} chain{plural} of {} and its rules in shared chains are gone\n",
        report.chains, args.wrap
    ))
}
