//! Files of the host: written whole or not at all.
//!
//! Owns: the replacement of a file, the making of its directory, where the files of a device are, and whose turn it is.
//! Never: changes a file in place; a reader sees the old text or the new one, also after a crash.
//!
//! Invariant: the name of a device that reaches a path holds no separator.
//!
//! How tested: unit tests here, with directories of their own.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use thiserror::Error;

use crate::kernel::Errno;
use crate::name::InterfaceName;

/// Why a file of the host could not be read, written or named.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// A system call failed.
    #[error("cannot {action} {}: {}", path.display(), Reason(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The name of the device cannot be part of a file name or of a configuration.
    #[error(
        "the device `{device}` has no files: its name holds {bad:?}, which is not a letter, a digit or one of -_.@"
    )]
    BadDevice {
        /// The device.
        device: InterfaceName,
        /// The first character that cannot stay.
        bad: char,
    },
    /// The path is relative, and the program that reads the file leaves its directory when it starts.
    #[error("{} is not an absolute path", path.display())]
    Relative {
        /// The path.
        path: PathBuf,
    },
}

impl FileError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether the file or its directory is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// An error of the system with the kernel's name for it: `Permission denied (EACCES)`.
pub(crate) struct Reason<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let number = self.0.raw_os_error();
        match number.and_then(|number| Some((number, Errno(number).name()?))) {
            Some((number, name)) => {
                let words = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
                write!(f, "{words} ({name})")
            }
            None => f.write_str(&text),
        }
    }
}

/// Replaces a file by this text, with this mode whatever the umask is. The directory is made when it is missing.
///
/// The text is on the disk before the name points to it.
///
/// # Errors
/// [`FileError::Io`]; the file is what it was before, unless the last step, the synchronisation of its directory, failed.
pub fn write(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let directory = parent(path);
    create_directory(directory)?;
    let (temporary, mut file) = create_beside(path)?;
    let filled = fill(&mut file, text, mode)
        .map_err(|source| FileError::new("write", &temporary, source))
        .and_then(|()| fs::rename(&temporary, path).map_err(|source| FileError::new("replace", path, source)));
    if let Err(error) = filled {
        // What went wrong first is what the caller has to know.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| FileError::new("synchronise the directory", directory, source))
}

/// Makes a directory with all that lead to it; one that is there is left as it is.
///
/// # Errors
/// [`FileError::Io`].
pub fn create_directory(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|source| FileError::new("make the directory", path, source))
}

/// Sets the mode of a file that is there.
///
/// # Errors
/// [`FileError::Io`].
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|source| FileError::new("set the mode of", path, source))
}

/// The text of a file; `None` when there is no such file. Bytes that are no UTF-8 are replaced.
///
/// # Errors
/// [`FileError::Io`].
pub fn read(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::new("read", path, source)),
    }
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Waits until nobody else works on the files of a directory, which is made when it is missing. The next one may when
/// what this returns is dropped.
///
/// # Errors
/// [`FileError::Io`].
pub(crate) fn lock(directory: &Path) -> Result<File, FileError> {
    create_directory(directory)?;
    let lock = File::open(directory).map_err(|source| FileError::new("open", directory, source))?;
    retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))
        .map_err(|error| FileError::new("lock", directory, error.into()))?;
    Ok(lock)
}

/// `<directory>/<stem>-<device>.<kind>`.
///
/// # Errors
/// [`FileError::BadDevice`] for a device whose name would change the path or the text of a configuration, and
/// [`FileError::Relative`].
pub fn of_device(directory: &Path, stem: &str, device: &InterfaceName, kind: &str) -> Result<PathBuf, FileError> {
    let usual = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if let Some(bad) = device.as_str().chars().find(|c| !usual(c)) {
        return Err(FileError::BadDevice { device: device.clone(), bad });
    }
    if !directory.is_absolute() {
        return Err(FileError::Relative { path: directory.to_owned() });
    }
    Ok(directory.join(format!("{stem}-{}.{kind}", device.as_str())))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file in the same directory, under a name that no other writer has, here or in another process. One that a
/// crash left is passed over.
fn create_beside(path: &Path) -> Result<(PathBuf, File), FileError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{number}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FileError::new("create", &temporary, source)),
        }
    }
}

fn fill(file: &mut File, text: &str, mode: u32) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nftwrap-files-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = Folder::new("replace");
        let path = folder.0.join("deep/nova-br100.conf");
        write(&path, "a long first text", 0o600).unwrap();
        let first = fs::metadata(&path).unwrap().ino();
        write(&path, "second", 0o644).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("second"));
        assert_eq!(metadata.mode() & 0o7777, 0o644);
        assert_ne!(metadata.ino(), first);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_what_was_there() {
        let folder = Folder::new("failed");
        let path = folder.0.join("taken");
        create_directory(&path.join("inside")).unwrap();
        let error = write(&path, "text", 0o644).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot replace {}: ", path.display())), "{error}");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
        assert!(path.join("inside").is_dir());
    }

    #[test]
    fn a_missing_file_is_no_error_to_read_and_one_to_change() {
        let folder = Folder::new("missing");
        let path = folder.0.join("none");
        assert_eq!(read(&path).unwrap(), None);
        let error = set_mode(&path, 0o644).unwrap_err();
        assert!(error.is_missing() && !error.is_not_permitted());
        assert!(error.to_string().ends_with("(ENOENT)"), "{error}");
    }

    #[test]
    fn a_device_cannot_lead_out_of_the_directory() {
        let file = |device: &str| of_device(Path::new("/n"), "nova", &InterfaceName::new(device).unwrap(), "conf");
        assert_eq!(file("br100").unwrap(), Path::new("/n/nova-br100.conf"));
        assert_eq!(file("eth0.7@x_-").unwrap(), Path::new("/n/nova-eth0.7@x_-.conf"));
        for bad in ["../x", "a{}", "a;b", "a\"b", "br\u{f6}"] {
            assert!(matches!(file(bad), Err(FileError::BadDevice { .. })), "{bad}");
        }
        let relative = of_device(Path::new("n"), "nova", &InterfaceName::new("a").unwrap(), "conf");
        assert!(matches!(relative, Err(FileError::Relative { .. })));
    }
}
