//! Network namespaces: naming one, making one, and running code inside.
//!
//! Owns: handles to namespaces and entering them.
//! Never: changes the namespace of the caller's thread: what runs inside runs on a thread of its own, which ends with
//! it. Leaves nothing behind: a namespace made here goes away with its last handle, socket and process, unless it is
//! given a file ([`Namespace::mount`]).
//!
//! Invariant: a handle refers to a namespace that existed when the handle was made, and keeps it alive.
//!
//! Where the truth is: `setns(2)`, `unshare(2)`, `netns_install` in `net/core/net_namespace.c` (Linux v6.12).
#![allow(unsafe_code, reason = "namespaces are entered by system calls that the standard library does not have")]
#![deny(clippy::undocumented_unsafe_blocks)]

mod mounted;

pub use mounted::unmount;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;

/// Where `ip netns` keeps its names.
const NAMED: &str = "/run/netns";
const OWN: &str = "/proc/thread-self/ns/net";

/// Why a namespace cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// There is no such namespace.
    #[error("there is no network namespace `{name}` ({})", path.display())]
    Missing {
        /// The name or path that was asked for.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The name cannot be that of a namespace.
    #[error("`{name}` cannot be the name of a network namespace")]
    BadName {
        /// The name.
        name: String,
    },
    /// The file is not a network namespace.
    #[error("{} is not a network namespace", path.display())]
    NotANamespace {
        /// The file.
        path: PathBuf,
    },
    /// The right to do it is missing.
    #[error("not permitted to {action}: it takes CAP_SYS_ADMIN; {remedy}")]
    NotPermitted {
        /// What was tried.
        action: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A system call failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl NamespaceError {
    fn new(action: &'static str, remedy: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM) => Self::NotPermitted { action, remedy },
            _ => Self::Io { action, source },
        }
    }

    /// Whether the namespace is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::NotPermitted { .. })
    }
}

impl From<NamespaceError> for io::Error {
    fn from(error: NamespaceError) -> Self {
        let kind = match &error {
            NamespaceError::Missing { .. } => io::ErrorKind::NotFound,
            NamespaceError::BadName { .. } | NamespaceError::NotANamespace { .. } => io::ErrorKind::InvalidInput,
            NamespaceError::NotPermitted { .. } => io::ErrorKind::PermissionDenied,
            NamespaceError::Io { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}

/// A network namespace.
#[derive(Debug, Clone, Default)]
pub struct Namespace {
    /// `None` is the namespace of whichever thread asks.
    fd: Option<Arc<OwnedFd>>,
}

impl Namespace {
    /// The caller's own, whichever that is when it is used.
    #[must_use]
    pub fn current() -> Self {
        Self { fd: None }
    }

    /// A handle that stays on the namespace the calling thread is in now.
    ///
    /// # Errors
    /// [`NamespaceError::Io`] when `/proc` cannot be read.
    pub fn pinned() -> Result<Self, NamespaceError> {
        let file = File::open(OWN).map_err(|source| NamespaceError::Io { action: "open the own namespace", source })?;
        Ok(Self::from_fd(file.into()))
    }

    /// One that `ip netns add` made.
    ///
    /// # Errors
    /// [`NamespaceError::BadName`], and those of [`path`](Namespace::path).
    pub fn named(name: &str) -> Result<Self, NamespaceError> {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(NamespaceError::BadName { name: name.escape_debug().to_string() });
        }
        Self::open(name, Path::new(NAMED).join(name))
    }

    /// The namespace that is mounted at, or that `/proc` shows at, this path: `/proc/1234/ns/net`.
    ///
    /// # Errors
    /// [`NamespaceError::Missing`], [`NamespaceError::NotANamespace`], or [`NamespaceError::Io`].
    pub fn path(path: impl AsRef<Path>) -> Result<Self, NamespaceError> {
        let path = path.as_ref();
        Self::open(&path.display().to_string(), path.to_owned())
    }

    /// The namespace that a file descriptor refers to. One that refers to something else is found out when it is used.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd: Some(Arc::new(fd)) }
    }

    /// A new, empty namespace, which belongs to the handle.
    ///
    /// # Errors
    /// [`NamespaceError::NotPermitted`] without `CAP_SYS_ADMIN`; see [`enter_user_namespace`].
    pub fn fresh() -> Result<Self, NamespaceError> {
        const REMEDY: &str = "run as root, or inside a user namespace (`unshare -Ur`)";
        on_a_thread(|| {
            unshare(libc::CLONE_NEWNET)
                .map_err(|error| NamespaceError::new("make a network namespace", REMEDY, error))?;
            Self::pinned()
        })?
    }

    /// The same namespace, as a handle that has a descriptor.
    pub(crate) fn with_descriptor(&self) -> Result<Self, NamespaceError> {
        if self.fd.is_some() { Ok(self.clone()) } else { Self::pinned() }
    }

    /// The descriptor by which the kernel is told of this namespace; `None` for the caller's own.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.fd.as_ref().map(|fd| fd.as_raw_fd())
    }

    fn open(name: &str, path: PathBuf) -> Result<Self, NamespaceError> {
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => NamespaceError::Missing { name: name.to_owned(), path: path.clone() },
            _ => NamespaceError::new("open the namespace", "run as root", source),
        })?;
        if namespace_kind(file.as_raw_fd()) != Some(libc::CLONE_NEWNET) {
            return Err(NamespaceError::NotANamespace { path });
        }
        Ok(Self::from_fd(file.into()))
    }

    /// Runs `inside` in the namespace, on a thread of its own, and waits for it. For the caller's own namespace it runs
    /// right here.
    ///
    /// Sockets that it opens and processes that it starts stay in the namespace.
    ///
    /// # Errors
    /// [`NamespaceError::NotPermitted`] without `CAP_SYS_ADMIN`, [`NamespaceError::Io`] when it cannot be entered.
    ///
    /// # Panics
    /// When `inside` does, with its panic.
    pub fn run<R: Send>(&self, inside: impl FnOnce() -> R + Send) -> Result<R, NamespaceError> {
        let Some(fd) = &self.fd else { return Ok(inside()) };
        on_a_thread(|| {
            enter(fd.as_raw_fd())
                .map_err(|error| NamespaceError::new("enter the network namespace", "run as root", error))?;
            Ok(inside())
        })?
    }
}

/// Makes the calling process root in a new user namespace, so that it may make network namespaces without being root
/// outside. A program calls it first thing in `main`.
///
/// Does nothing for a process that may make network namespaces as it is.
///
/// # Errors
/// [`NamespaceError::NotPermitted`] when the system does not let users make user namespaces; [`NamespaceError::Io`]
/// (`EINVAL`) when the process has threads already: all threads of a process share one user namespace.
pub fn enter_user_namespace() -> Result<(), NamespaceError> {
    const ACTION: &str = "make a user namespace";
    match Namespace::fresh() {
        Err(error) if error.is_not_permitted() => {}
        other => return other.map(drop),
    }
    // SAFETY: both calls take nothing, always succeed and touch no memory of ours.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    unshare_user().map_err(|error| {
        NamespaceError::new(ACTION, "run as root, or allow it (sysctl kernel.unprivileged_userns_clone)", error)
    })?;
    let maps = [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))];
    for (file, text) in maps {
        fs::write(Path::new("/proc/self").join(file), text)
            .map_err(|source| NamespaceError::Io { action: ACTION, source })?;
    }
    Ok(())
}

/// Entering a namespace changes the thread for good, so it is done on one that ends right after.
fn on_a_thread<R: Send>(run: impl FnOnce() -> R + Send) -> Result<R, NamespaceError> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("namespace".into())
            .spawn_scoped(scope, run)
            .map_err(|source| NamespaceError::Io { action: "start a thread", source })?;
        worker.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
    })
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes a number and touches no memory of ours. It changes the calling thread only (and for a user
    // namespace fails unless that is the whole process).
    check(unsafe { libc::unshare(flags) }).map(drop)
}

/// A thread that was joined leaves its process a moment later; until then the kernel counts it (`EINVAL`).
fn unshare_user() -> io::Result<()> {
    const PATIENCE: u32 = 50;
    for _ in 0..PATIENCE {
        match unshare(libc::CLONE_NEWUSER) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => thread::sleep(Duration::from_millis(1)),
            done => return done,
        }
    }
    unshare(libc::CLONE_NEWUSER)
}

fn enter(fd: RawFd) -> io::Result<()> {
    // SAFETY: the call takes two numbers and touches no memory of ours; the kernel refuses a descriptor that is not a
    // network namespace. The caller is a thread made for this.
    check(unsafe { libc::setns(fd, libc::CLONE_NEWNET) }).map(drop)
}

/// The `CLONE_NEW*` of the namespace that a descriptor refers to; `None` when it is not one.
fn namespace_kind(fd: RawFd) -> Option<libc::c_int> {
    /// `_IO(0xb7, 0x3)`, `include/uapi/linux/nsfs.h` (since Linux 4.11).
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: this request takes no argument and returns a number. Another kind of file would take the number for a
    // request of its own, but no driver can have one in nsfs' range that writes memory without an argument.
    check(unsafe { libc::ioctl(fd, NS_GET_NSTYPE as _) }).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn inode() -> u64 {
        fs::metadata(OWN).unwrap().ino()
    }

    #[test]
    fn a_missing_namespace_is_named() {
        let error = Namespace::named("nftwrap-none").unwrap_err();
        assert!(error.is_missing());
        assert_eq!(error.to_string(), "there is no network namespace `nftwrap-none` (/run/netns/nftwrap-none)");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn names_cannot_leave_their_directory() {
        for bad in ["", ".", "..", "a/b", "../1", "a\0b"] {
            assert!(matches!(Namespace::named(bad), Err(NamespaceError::BadName { .. })), "{bad:?}");
        }
    }

    #[test]
    fn other_files_are_no_network_namespaces() {
        for other in ["/dev/null", "/proc/self/ns/uts", "/proc/self/status"] {
            assert!(matches!(Namespace::path(other), Err(NamespaceError::NotANamespace { .. })), "{other}");
        }
        assert!(Namespace::path("/proc/self/ns/net").is_ok());
    }

    #[test]
    fn the_callers_namespace_stays_what_it_was() {
        let before = inode();
        let fresh = match Namespace::fresh() {
            Err(error) if error.is_not_permitted() => return eprintln!("skipped: {error}"),
            fresh => fresh.unwrap(),
        };
        let inside = fresh.run(inode).unwrap();
        assert_ne!(inside, before);
        assert_eq!(fresh.run(inode).unwrap(), inside, "the handle keeps it alive");
        assert_eq!(inode(), before);
        assert_eq!(Namespace::current().run(inode).unwrap(), before);
        assert_eq!(Namespace::pinned().unwrap().run(inode).unwrap(), before);
    }
}
