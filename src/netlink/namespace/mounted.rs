//! Namespaces that have a file, by which other programs find them: what `ip netns add` makes.
//!
//! Owns: the file, what is mounted on it, and whether it is still the namespace that was put there.
//! Never: deletes a namespace: it goes with its last file, handle, socket and process, and [`unmount`] takes the file.
//!
//! Invariant: a file that was made for a mount which failed is gone again.
//!
//! Where the truth is: `netns_add` and `netns_delete` (`ip/ipnetns.c`, iproute2); `__do_loopback` in `fs/namespace.c`,
//! which lets a namespace be mounted by any file that shows it (Linux v6.12).
//!
//! How it is tested: here, in a directory of the test's own; `tests/l3_router` has `ip netns` see it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_bind_recursive, mount_change};

use super::{NAMED, Namespace, NamespaceError};

const REMEDY: &str = "run as root";

impl Namespace {
    /// The directory in which `ip netns` looks for namespaces.
    pub const DIRECTORY: &str = NAMED;

    /// Gives the namespace a file, whose directory is made if it is not there. `ip netns` sees it when the directory is
    /// [`DIRECTORY`](Namespace::DIRECTORY), and other mount namespaces do as well then. A file that is there and has
    /// nothing mounted on it is taken.
    ///
    /// # Errors
    /// [`NamespaceError::NotPermitted`] without `CAP_SYS_ADMIN`; [`NamespaceError::Io`].
    pub fn mount(&self, path: &Path) -> Result<(), NamespaceError> {
        let failed = |error| NamespaceError::new("give the namespace a file", REMEDY, error);
        let pinned = self.with_descriptor()?;
        let Some(fd) = &pinned.fd else { return Err(failed(io::ErrorKind::NotFound.into())) };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
            if directory == Path::new(NAMED) {
                share(directory).map_err(failed)?;
            }
        }
        let made = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        };
        mount_bind(format!("/proc/self/fd/{}", fd.as_raw_fd()), path).map_err(|errno| {
            if made {
                // The error that is returned is the one that matters.
                let _ = fs::remove_file(path);
            }
            failed(errno.into())
        })
    }

    /// Whether the file is this namespace: whether nobody has taken it away, or put another there.
    ///
    /// # Errors
    /// [`NamespaceError::Io`] when the file is there and cannot be looked at.
    pub fn is_mounted_at(&self, path: &Path) -> Result<bool, NamespaceError> {
        let failed = |source| NamespaceError::Io { action: "look at the file of a namespace", source };
        let pinned = self.with_descriptor()?;
        let Some(fd) = &pinned.fd else { return Ok(false) };
        let own = rustix::fs::fstat(fd).map_err(|errno| failed(errno.into()))?;
        match fs::metadata(path) {
            Ok(found) => Ok((found.dev(), found.ino()) == (own.st_dev, own.st_ino)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Takes away the file of a namespace. Returns whether it was there.
///
/// # Errors
/// [`NamespaceError::NotPermitted`] without `CAP_SYS_ADMIN`; [`NamespaceError::Io`].
pub fn unmount(path: &Path) -> Result<bool, NamespaceError> {
    let failed = |error| NamespaceError::new("take away the file of a namespace", REMEDY, error);
    match rustix::mount::unmount(path, UnmountFlags::DETACH) {
        // Nothing is mounted there; a file may be left nevertheless.
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
        Err(errno) => return Err(failed(errno.into())),
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Has mounts in the directory reach other mount namespaces, and go from there when they go here.
fn share(directory: &Path) -> io::Result<()> {
    let change = || mount_change(directory, MountPropagationFlags::SHARED | MountPropagationFlags::REC);
    match change() {
        // It is no mount yet, and becomes one on itself.
        Err(rustix::io::Errno::INVAL) => {
            mount_bind_recursive(directory, directory)?;
            Ok(change()?)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_namespace_until_it_is_taken_away() {
        let (one, other) = match (Namespace::fresh(), Namespace::fresh()) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(error), _) | (_, Err(error)) => return eprintln!("skipped: {error}"),
        };
        let directory = std::env::temp_dir().join(format!("nftwrap-mounted-{}", std::process::id()));
        let path = directory.join("one");
        match one.mount(&path) {
            Err(error) if error.is_not_permitted() => return eprintln!("skipped: {error}"),
            done => done.unwrap(),
        }
        assert!(one.is_mounted_at(&path).unwrap());
        assert!(!other.is_mounted_at(&path).unwrap());
        assert!(Namespace::path(&path).unwrap().is_mounted_at(&path).unwrap());
        assert!(unmount(&path).unwrap());
        assert!(!unmount(&path).unwrap());
        assert!(!one.is_mounted_at(&path).unwrap());
        // What a process leaves that ends between the two steps.
        fs::write(&path, "").unwrap();
        one.mount(&path).unwrap();
        assert!(one.is_mounted_at(&path).unwrap());
        assert!(unmount(&path).unwrap());
        fs::remove_dir(&directory).unwrap();
    }
}
