//! Settings of the kernel, below `/proc/sys`.
//!
//! Invariant: a setting of the network is that of the namespace that is asked for: the kernel shows each opener its own,
//! so the files are opened inside.
//! Invariant: names have slashes (`net/ipv4/conf/eth0.100/rp_filter`), because names of devices have dots.

use std::fs;
use std::path::PathBuf;

use super::Error;
use crate::netlink::namespace::Namespace;

const ROOT: &str = "/proc/sys";

fn path(name: &str) -> Result<PathBuf, Error> {
    let is_word = |word: &str| !matches!(word, "" | "." | "..") && !word.contains(['\0', '\n']);
    if name.split('/').all(is_word) {
        Ok(PathBuf::from(ROOT).join(name))
    } else {
        Err(Error::BadSetting { name: name.to_owned() })
    }
}

/// Reads a setting, without the line's end.
///
/// # Errors
/// [`Error::BadSetting`], [`Error::Setting`], and [`Error::Namespace`].
pub fn read(namespace: &Namespace, name: &str) -> Result<String, Error> {
    let path = path(name)?;
    let value = namespace.run(|| fs::read_to_string(&path))?;
    let value = value.map_err(|source| Error::Setting { operation: "read", path, source })?;
    Ok(value.trim_end().to_owned())
}

/// Writes a setting.
///
/// # Errors
/// As [`read`].
pub fn write(namespace: &Namespace, name: &str, value: &str) -> Result<(), Error> {
    let path = path(name)?;
    let written = namespace.run(|| fs::write(&path, value))?;
    written.map_err(|source| Error::Setting { operation: "write", path, source })
}

/// Writes a setting unless it has that value; whether it was written.
///
/// # Errors
/// As [`read`].
pub fn ensure(namespace: &Namespace, name: &str, value: &str) -> Result<bool, Error> {
    if read(namespace, name)? == value {
        return Ok(false);
    }
    write(namespace, name, value)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_directory() {
        for bad in ["", "/", "net/../../etc/passwd", "/etc/passwd", "net//ipv4", "net/.", "a\0b"] {
            assert!(matches!(read(&Namespace::current(), bad), Err(Error::BadSetting { .. })), "{bad:?}");
        }
    }
}
