//! Processes that a pid file names.
//!
//! Owns: reading pid files, knowing a process by its arguments, and signals to it.
//! Never: trusts a number in a file. The process must have the argument that only the wanted one has, compared as a
//! whole: `nova-br1.conf` is no part of `nova-br100.conf` here.
//!
//! Invariant: a signal reaches the process whose arguments were read, or none. The descriptor of the process is opened
//! before its arguments are read; if the number was given to another process in between, the descriptor is of one that
//! has ended, and takes no signal.
//!
//! Where the truth is: `pidfd_open(2)` (Linux 5.3), `proc_pid_cmdline(5)`.
//! How tested: unit tests here, `tests/dhcp`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};

use super::files::{self, FileError};
use crate::netlink::namespace::Namespace;

/// A process that was there when this was made.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    fd: OwnedFd,
    arguments: Vec<OsString>,
}

/// The number in the text of a pid file; `None` for all that is no process.
///
/// ```
/// use nftwrap::linux_net::pid;
/// assert_eq!(pid::parse("1234\n"), Some(1234));
/// assert_eq!(pid::parse("0"), None);
/// assert_eq!(pid::parse("-5"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<i32> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|pid| *pid > 0)
}

impl Process {
    /// The process that a pid file names, if `is_wanted` knows it by its arguments, its own name first. `None` when there
    /// is no such file, no number in it, no such process, or one that is not wanted.
    ///
    /// # Errors
    /// [`FileError`] when the file is there and cannot be read.
    pub fn of_file(path: &Path, is_wanted: impl FnOnce(&[OsString]) -> bool) -> Result<Option<Self>, FileError> {
        let Some(pid) = files::read(path)?.as_deref().and_then(parse) else { return Ok(None) };
        let process = Self::open(pid).map_err(|source| FileError::new("open the process of", path, source))?;
        match process {
            Some(process) if is_wanted(&process.arguments) => Ok(Some(process)),
            other => {
                let is = if other.is_some() { "another process" } else { "no process" };
                log::debug!("{} has the number {pid}, which is {is}", path.display());
                Ok(None)
            }
        }
    }

    /// The process of this number. `None` when there is none, when it has ended and waits for its parent, or when its
    /// arguments cannot be read.
    ///
    /// # Errors
    /// Those of `pidfd_open(2)`, except that there is no such process.
    pub fn open(pid: i32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(pid) else { return Ok(None) };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            // The number of a thread that is not the first of its process is invalid.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Ok(text) = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else { return Ok(None) };
        // One that has ended has no arguments any more.
        let Some(text) = text.strip_suffix(&[0]) else { return Ok(None) };
        let arguments = text.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
        Ok(Some(Self { pid, fd, arguments }))
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Its arguments, its own name first.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Whether one of its arguments is this one, as a whole.
    #[must_use]
    pub fn has_argument(&self, argument: &OsStr) -> bool {
        has_argument(&self.arguments, argument)
    }

    /// Whether it was started with this variable in its environment. What cannot be told counts as yes.
    pub(crate) fn has_variable(&self, name: &str, value: &OsStr) -> bool {
        let Ok(text) = fs::read(format!("/proc/{}/environ", self.pid())) else { return true };
        let variable = [name.as_bytes(), b"=", value.as_encoded_bytes()].concat();
        text.split(|byte| *byte == 0).any(|own| own == variable)
    }

    /// Whether it runs in this network namespace. What cannot be told counts as yes.
    pub(crate) fn serves(&self, namespace: &Namespace) -> bool {
        // The target is the file of the namespace, the same for all that are in it.
        let identity = |path: &str| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let its = identity(&format!("/proc/{}/ns/net", self.pid()));
        match (namespace.run(|| identity("/proc/thread-self/ns/net")), its) {
            (Ok(Some(wanted)), Some(its)) => wanted == its,
            _ => true,
        }
    }

    /// Has it read its configuration again (`SIGHUP`). `false` when it has ended.
    ///
    /// # Errors
    /// Those of `pidfd_send_signal(2)`.
    pub fn hang_up(&self) -> io::Result<bool> {
        self.signal(Signal::HUP)
    }

    /// Asks it to end, and ends it by force when it has not after `patience`.
    ///
    /// # Errors
    /// Those of `pidfd_send_signal(2)`; [`io::ErrorKind::TimedOut`] when the kernel cannot end it.
    pub fn terminate(&self, patience: Duration) -> io::Result<()> {
        if self.signal(Signal::TERM)? && !self.wait(patience)? {
            return self.kill(patience);
        }
        Ok(())
    }

    /// Ends it by force, and waits until it has ended. One that has already is fine.
    ///
    /// # Errors
    /// As [`terminate`](Process::terminate).
    pub fn kill(&self, patience: Duration) -> io::Result<()> {
        if self.signal(Signal::KILL)? && !self.wait(patience)? {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the process does not end"));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it ends in this time. A child of ours is taken off the list of processes.
    fn wait(&self, patience: Duration) -> io::Result<bool> {
        let ended = wait(&self.fd, patience)?;
        if ended {
            // The process may be anybody's child. It is ours when it has lost its parent and orphans come to us.
            let _ = waitid(WaitId::PidFd(self.fd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
        Ok(ended)
    }
}

/// Whether one of the arguments is this one, as a whole.
#[must_use]
pub fn has_argument(arguments: &[OsString], argument: &OsStr) -> bool {
    arguments.iter().skip(1).any(|own| own == argument)
}

/// Waits until the process of a descriptor has ended; `false` when it has not in this time.
pub(crate) fn wait(fd: impl AsFd, patience: Duration) -> io::Result<bool> {
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_processes_are_taken_from_a_file() {
        for (text, pid) in [("7", Some(7)), (" 7\n", Some(7)), ("2147483647", Some(i32::MAX))] {
            assert_eq!(parse(text), pid, "{text:?}");
        }
        for text in ["", "\n", "0", "-1", "+1", "1 2", "x", "2147483648", "99999999999999999999", "7\0"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn arguments_are_compared_as_a_whole() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        let conf = OsStr::new("--dhcp-hostsfile=/n/nova-br100.conf");
        assert!(has_argument(&words("dnsmasq --x --dhcp-hostsfile=/n/nova-br100.conf --y"), conf));
        for other in [
            "/usr/sbin/dnsmasq --conf-file=/var/run/nm-dns-dnsmasq.conf --cache-size=0",
            "dnsmasq --dhcp-hostsfile=/n/nova-br100.conf2",
            "dnsmasq --dhcp-hostsfile=/n/nova-br10.conf",
            "vi /n/nova-br100.conf",
            "--dhcp-hostsfile=/n/nova-br100.conf",
            "",
        ] {
            assert!(!has_argument(&words(other), conf), "{other}");
        }
    }

    #[test]
    fn a_process_is_known_by_its_arguments() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let process = Process::open(own).unwrap().unwrap();
        assert_eq!(process.pid(), own);
        let arguments: Vec<OsString> = std::env::args_os().collect();
        assert_eq!(process.arguments(), arguments);
        assert!(process.serves(&Namespace::current()));
        assert!(Process::open(i32::MAX).unwrap().is_none());
        assert!(Process::open(0).unwrap().is_none());
    }
}
