//! The stock tools, each as an agent runs it: a process that reads a file. The time is that of the whole command.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nftwrap::netlink::namespace::Namespace;

use crate::nova::Nova;
use crate::report::Round;
use crate::{Candidate, Failure, pause};

/// A directory for the texts, which goes away with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("nftwrap-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing can be done about a directory that cannot be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `iptables-nft-restore` or `iptables-legacy-restore`.
#[derive(Debug)]
pub(crate) struct Restore<'a> {
    pub(crate) command: &'static str,
    pub(crate) scratch: &'a Scratch,
}

impl Restore<'_> {
    fn run(&self, file: &Path, arguments: &[&str]) -> Result<Duration, Failure> {
        let mut command = Command::new(self.command);
        command.args(arguments).stdin(File::open(file)?);
        // The legacy tools take a lock that all namespaces of the host share; a file of its own leaves the host alone.
        command.env("XTABLES_LOCKFILE", self.scratch.0.join("xtables.lock"));
        timed(&mut command)
    }
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
            let mut round = Round { load: self.run(&load, &[])?, ..Round::default() };
            for _ in 0..pairs {
                pause();
                round.add.push(self.run(&add, &["--noflush"])?);
                pause();
                round.remove.push(self.run(&remove, &["--noflush"])?);
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
            let run = |file: &Path| timed(Command::new("nft").arg("-f").arg(file));
            let mut round = Round { load: run(&load)?, ..Round::default() };
            for _ in 0..pairs {
                pause();
                round.add.push(run(&add)?);
                let remove = self.scratch.write("remove.nft", &host.nft_remove_one(jump_handle(host)?))?;
                pause();
                round.remove.push(run(&remove)?);
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

/// Runs a command in the namespace of this thread; one that fails is no result.
fn timed(command: &mut Command) -> Result<Duration, Failure> {
    let start = Instant::now();
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let took = start.elapsed();
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure("not installed".into())),
        Err(error) => Err(error.into()),
        Ok(output) if output.status.success() => Ok(took),
        Ok(output) => Err(Failure(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
