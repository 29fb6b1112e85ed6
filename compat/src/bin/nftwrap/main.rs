//! `nftwrap`: wrapped iptables chains, committed to nftables in one netlink transaction.

mod args;
mod failure;
mod fallbacks;
mod flush;
mod kernel;
mod load;
mod output;
mod plan;
mod progress;
mod show;
mod source;
mod translate;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Apply(args) => load::apply(&args),
        Command::Plan(args) => load::plan(&args),
        Command::Check(args) => load::check(&args),
        Command::Show(args) => show::show(&args),
        Command::Flush(args) => flush::flush(&args),
        Command::Translate(args) => translate::translate(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    let stderr = std::io::stderr();
    let text = failure.render(stderr.is_terminal());
    // With standard error gone there is nobody left to tell; the exit code still says it.
    let _ = stderr.lock().write_all(text.as_bytes());
    ExitCode::from(failure.code as u8)
}
