//! Stock tools, each as an agent runs it: a process that reads a file. The time is that of the whole command.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::failure::Failure;

/// A directory for the texts, which goes away with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("nftwrap-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Runs a restore command of iptables in the namespace of this thread.
    pub(crate) fn restore(&self, command: &str, file: &Path, arguments: &[&str]) -> Result<Duration, Failure> {
        let mut command = Command::new(command);
        command.args(arguments).stdin(File::open(file)?);
        // The legacy tools take a lock that all namespaces of the host share; a file of its own leaves the host alone.
        command.env("XTABLES_LOCKFILE", self.0.join("xtables.lock"));
        timed(&mut command)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing can be done about a directory that cannot be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `nft -f` in the namespace of this thread.
pub(crate) fn nft(file: &Path) -> Result<Duration, Failure> {
    timed(Command::new("nft").arg("-f").arg(file))
}

/// Runs a command in the namespace of this thread; one that fails is no result.
pub(crate) fn timed(command: &mut Command) -> Result<Duration, Failure> {
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
