//! Starting the programs that go on by themselves: dnsmasq and radvd.
//!
//! Owns: the only place of the library that starts a process, and the errors of all that is done with one.
//! Never: goes through a shell; leaves a process behind that nobody waits for. The process that is started ends as soon as
//! its daemon is ready, and is waited for; the daemon is a child of the system's.
//!
//! Invariant: what a program prints cannot block it or us: it goes to memory, not to a pipe that the daemon would keep.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use thiserror::Error;

use super::files::{FileError, Reason};
use super::{dnsmasq::LabelError, pid};
use crate::netlink::namespace::{Namespace, NamespaceError};

/// How long a program may take to start. dnsmasq asks its lease script meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// As much as an error shows of what a program printed.
const PRINTED: u64 = 2048;

/// Why a daemon is not as it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// A file could not be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A word cannot be in an argument.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The path of the lease script has a character with a meaning for a shell, through which dnsmasq runs it.
    #[error("the lease script `{}` is not an absolute path of letters, digits and `/._+-@`", path.display())]
    Script {
        /// The path.
        path: PathBuf,
    },
    /// The program could not be started.
    #[error("cannot start `{command}`: {}", Reason(source))]
    Start {
        /// The whole command.
        command: Box<CommandLine>,
        /// Why not.
        source: io::Error,
    },
    /// The program says that it failed.
    #[error("`{command}` failed, {status}: {printed}")]
    Failed {
        /// The whole command.
        command: Box<CommandLine>,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        printed: String,
    },
    /// The program neither failed nor went on by itself, and was ended.
    #[error("`{command}` is not ready after {} s: {printed}", PATIENCE.as_secs())]
    Stuck {
        /// The whole command.
        command: Box<CommandLine>,
        /// What it printed.
        printed: String,
    },
    /// A process could not be ended.
    #[error("cannot end the process {pid} of {what}: {}", Reason(source))]
    End {
        /// The program.
        what: &'static str,
        /// The number of the process.
        pid: i32,
        /// Why not.
        source: io::Error,
    },
}

impl DaemonError {
    /// Whether the program is not installed, or a file or namespace is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::File(error) => error.is_missing(),
            Self::Namespace(error) => error.is_missing(),
            Self::Start { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::File(error) => error.is_not_permitted(),
            Self::Namespace(error) => error.is_not_permitted(),
            Self::Start { source, .. } | Self::End { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// A program with its arguments, and what is added to its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program, as a path or a name to look for in `PATH`.
    pub program: PathBuf,
    /// Its arguments, in order.
    pub arguments: Vec<OsString>,
    /// Variables beside those of this process.
    pub environment: Vec<(String, OsString)>,
}

impl fmt::Display for CommandLine {
    /// As one would type it: `env NAME=value program argument`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.environment.is_empty() {
            f.write_str("env ")?;
        }
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", value.display())?;
        }
        write!(f, "{}", self.program.display())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.display()))
    }
}

impl CommandLine {
    /// Starts the program in a namespace, and waits until it goes on by itself.
    ///
    /// # Errors
    /// [`DaemonError::Start`], [`DaemonError::Failed`], [`DaemonError::Stuck`], [`DaemonError::Namespace`].
    pub(crate) fn start(&self, namespace: &Namespace) -> Result<(), DaemonError> {
        let failed = |source| DaemonError::Start { command: Box::new(self.clone()), source };
        let mut output = memory().map_err(failed)?;
        let mut child = namespace.run(|| self.spawn(&output))?.map_err(failed)?;
        let status = wait(&mut child).map_err(failed)?;
        let printed = read(&mut output).unwrap_or_default();
        let command = || Box::new(self.clone());
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(DaemonError::Failed { command: command(), status, printed }),
            None => Err(DaemonError::Stuck { command: command(), printed }),
        }
    }

    fn spawn(&self, output: &File) -> io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (OsStr::new(name), value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()
    }
}

/// How the process ended; `None` when it had to be ended.
fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let ended = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidData.into())
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
        .and_then(|fd: OwnedFd| pid::wait(fd, PATIENCE));
    if !matches!(ended, Ok(true)) {
        // It can have ended in this moment, which is no error.
        let _ = child.kill();
    }
    let status = child.wait()?;
    Ok(ended?.then_some(status))
}

fn memory() -> io::Result<File> {
    Ok(memfd_create("output", MemfdFlags::CLOEXEC).map(File::from)?)
}

/// The end of what was printed, in one line.
fn read(output: &mut File) -> io::Result<String> {
    let len = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(len.saturating_sub(PRINTED)))?;
    let mut bytes = Vec::new();
    output.take(PRINTED).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let printed: String = lines.join("; ").chars().flat_map(one_line).collect();
    Ok(if printed.is_empty() { "it printed nothing".to_owned() } else { printed })
}

fn one_line(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = (!c.is_control()).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}
