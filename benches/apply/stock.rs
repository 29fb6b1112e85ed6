//! The stock tools, each as an agent runs it: a process that reads a file. The time is that of the whole command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nftwrap::netlink::namespace::Namespace;

use crate::nova::Nova;
use crate::report::Round;
use crate::support::command::{Scratch, nft};
use crate::{Candidate, Failure, pause};

/// `iptables-nft-restore` or `iptables-legacy-restore`.
#[derive(Debug)]
pub(crate) struct Restore<'a> {
    pub(crate) command: &'static str,
    pub(crate) scratch: &'a Scratch,
}

impl Candidate for Restore<'_> {
    fn name(&self) -> &'static str {
        self.command
    }

    fn round(&mut self, host: Nova, text: &str, pairs: usize) -> Result<Round, Failure> {
        let load = self.scratch.write("load", text)?;
        let add = self.scratch.write("add", &host.add_one())?;
        let remove = self.scratch.write("remove", &host.remove_one())?;
        Namespace::fresh()?.run(|| {
            let run = |file: &Path, arguments: &[&str]| self.scratch.restore(self.command, file, arguments);
            let mut round = Round { load: run(&load, &[])?, ..Round::default() };
            for _ in 0..pairs {
                pause();
                round.add.push(run(&add, &["--noflush"])?);
                pause();
                round.remove.push(run(&remove, &["--noflush"])?);
            }
            Ok(round)
        })?
    }
}

/// `nft -f` with native expressions that filter the same.
#[derive(Debug)]
pub(crate) struct Nft<'a> {
    pub(crate) scratch: &'a Scratch,
}

impl Candidate for Nft<'_> {
    fn name(&self) -> &'static str {
        "nft -f (native expressions)"
    }

    fn round(&mut self, host: Nova, _: &str, pairs: usize) -> Result<Round, Failure> {
        let load = self.scratch.write("load.nft", &host.nft())?;
        let add = self.scratch.write("add.nft", &host.nft_add_one())?;
        Namespace::fresh()?.run(|| {
            let mut round = Round { load: nft(&load)?, ..Round::default() };
            for _ in 0..pairs {
                pause();
                round.add.push(nft(&add)?);
                let remove = self.scratch.write("remove.nft", &host.nft_remove_one(jump_handle(host)?))?;
                pause();
                round.remove.push(nft(&remove)?);
            }
            Ok(round)
        })?
    }
}

/// The handle of the newest guest's jump. An agent would keep what `nft -e` told it, so this is not part of the time.
fn jump_handle(host: Nova) -> Result<u64, Failure> {
    let output = Command::new("nft").args(["-a", "list", "chain", "ip", "filter", "nova-compute-local"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let jump = format!("jump nova-compute-inst-{} # handle ", host.instances + 1);
    let handle = text.lines().find_map(|line| line.split_once(&jump)?.1.trim().parse().ok());
    handle.ok_or_else(|| Failure("nft does not list the jump that it has just added".into()))
}

/// The netfilter project's libraries through their Rust crates, which do not compare on all sizes; see the remark.
#[derive(Debug)]
pub(crate) struct Nftnl {
    pub(crate) one_datagram: bool,
}

impl Candidate for Nftnl {
    fn name(&self) -> &'static str {
        if self.one_datagram { "nftnl, pages in one datagram" } else { "nftnl + mnl, a page a datagram" }
    }

    fn round(&mut self, host: Nova, _: &str, _: usize) -> Result<Round, Failure> {
        let program = nftnl_load().ok_or_else(|| {
            Failure("not built: cargo build --release -p nftwrap-oracle --bin nftnl-load (takes libnftnl-dev)".into())
        })?;
        Namespace::fresh()?.run(|| {
            let mut command = Command::new(&program);
            command.arg(host.instances.to_string()).args(self.one_datagram.then_some("--one-datagram"));
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let Some((took, outcome)) = said.trim().split_once('\n') else {
                return Err(Failure(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            };
            // It takes the time itself, as nftwrap is measured: without the start of a process.
            let load = Duration::from_micros(took.parse()?);
            let refused = !output.status.success();
            Ok(Round { load, remark: refused.then(|| outcome.to_owned()), ..Round::default() })
        })?
    }
}

/// Next to the directory of this very program.
fn nftnl_load() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.parent()?.parent()?.join("nftnl-load");
    program.is_file().then_some(program)
}
