//! Leases as files: `nova-<network id>.leases` in the directory of dnsmasq's own files, a line for each lease.
//!
//! The script writes them and the agent reads them; a change is a whole new file, so that an agent can watch the directory.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Lease, Leases};
use crate::linux_net::dnsmasq::{FixedIp, HostName, NetworkId};
use crate::linux_net::files::{self, FileError};

/// Names of guests are nobody's business but the host's.
const MODE: u32 = 0o600;

/// Why leases could not be read or kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BookError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Somebody else wrote in it.
    #[error("{}, line {line}: `{}` is no lease", path.display(), text.escape_default())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, the first being 1.
        line: usize,
        /// What it says.
        text: String,
    },
}

/// The leases of a host in files of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseBook {
    directory: PathBuf,
}

impl LeaseBook {
    /// Those in this directory, nova's `networks_path`.
    ///
    /// # Errors
    /// [`FileError::Relative`].
    pub fn new(directory: &Path) -> Result<Self, FileError> {
        if !directory.is_absolute() {
            return Err(FileError::Relative { path: directory.to_owned() });
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// The file of a network.
    #[must_use]
    pub fn path(&self, network: &NetworkId) -> PathBuf {
        self.directory.join(format!("nova-{network}.leases"))
    }

    /// The leases of a network, in the order in which they were given.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn read(&self, network: &NetworkId) -> Result<Vec<Lease>, BookError> {
        let path = self.path(network);
        let text = files::read(&path)?.unwrap_or_default();
        let bad = |(number, text): (usize, &str)| BookError::Bad {
            path: path.clone(),
            line: number + 1,
            text: text.chars().take(80).collect(),
        };
        text.lines().enumerate().map(|line| parse(line.1).ok_or_else(|| bad(line))).collect()
    }

    /// Says of each address of a network whether its guest holds it.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn mark(&self, network: &NetworkId, fixed_ips: &mut [FixedIp]) -> Result<(), BookError> {
        let leases = self.read(network)?;
        for fixed_ip in fixed_ips {
            let is_its = |lease: &Lease| (lease.address, lease.mac) == (fixed_ip.address, fixed_ip.mac);
            fixed_ip.leased = leases.iter().any(is_its);
        }
        Ok(())
    }

    /// Keeps only some leases of a network, as when guests are gone that never gave theirs back; whether any went. A
    /// dnsmasq that runs goes on to know them.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn retain(&self, network: &NetworkId, keep: impl FnMut(&Lease) -> bool) -> Result<bool, BookError> {
        self.change(network, |leases| leases.retain(keep))
    }

    /// Removes the file of a network that has gone.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn forget(&self, network: &NetworkId) -> Result<(), FileError> {
        let _lock = files::lock(&self.directory)?;
        files::remove(&self.path(network))
    }

    fn change(&self, network: &NetworkId, change: impl FnOnce(&mut Vec<Lease>)) -> Result<bool, BookError> {
        let _lock = files::lock(&self.directory)?;
        let old = self.read(network)?;
        let mut leases = old.clone();
        change(&mut leases);
        if leases == old {
            return Ok(false);
        }
        let text: String = leases.iter().map(print).collect();
        files::write(&self.path(network), &text, MODE)?;
        Ok(true)
    }
}

impl Leases for LeaseBook {
    type Error = BookError;

    /// Without a lock, which whoever starts dnsmasq holds.
    fn held(&mut self, network: &NetworkId) -> Result<Vec<Lease>, BookError> {
        self.read(network)
    }

    fn leased(&mut self, network: &NetworkId, lease: &Lease) -> Result<(), BookError> {
        let leased = |leases: &mut Vec<Lease>| match leases.iter_mut().find(|other| other.address == lease.address) {
            Some(other) => *other = lease.clone(),
            None => leases.push(lease.clone()),
        };
        self.change(network, leased).map(drop)
    }

    fn released(&mut self, network: &NetworkId, lease: &Lease) -> Result<(), BookError> {
        let is_it = |other: &Lease| (other.address, other.mac) == (lease.address, lease.mac);
        self.retain(network, |other| !is_it(other)).map(drop)
    }
}

fn print(lease: &Lease) -> String {
    let name = lease.name.as_ref().map_or("*", HostName::as_str);
    format!("{} {} {name}\n", lease.mac, lease.address)
}

fn parse(line: &str) -> Option<Lease> {
    let mut words = line.split(' ');
    let (mac, address, name) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    let name = if name == "*" { None } else { Some(name.parse().ok()?) };
    words.next().is_none().then_some(Lease { mac, address, name })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use proptest::prelude::*;

    use super::*;
    use crate::name::MacAddress;

    struct Folder(LeaseBook);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nftwrap-leases-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(LeaseBook::new(&path).unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.directory);
        }
    }

    fn lease(mac: u8, last: u8) -> Lease {
        let name = Some(format!("guest{mac}").parse().unwrap());
        Lease { mac: MacAddress([0, 0, 0, 0, 0, mac]), address: [10, 0, 0, last].into(), name }
    }

    fn network() -> NetworkId {
        "7".parse().unwrap()
    }

    #[test]
    fn leases_come_move_and_go() {
        let folder = Folder::new("moves");
        let mut book = folder.0.clone();
        assert_eq!(book.held(&network()).unwrap(), []);
        for lease in [lease(1, 2), lease(2, 3), lease(1, 2)] {
            book.leased(&network(), &lease).unwrap();
        }
        assert_eq!(book.read(&network()).unwrap(), [lease(1, 2), lease(2, 3)]);
        // The address has gone to another guest before the end of its old lease is told.
        book.leased(&network(), &lease(3, 2)).unwrap();
        book.released(&network(), &lease(1, 2)).unwrap();
        assert_eq!(book.read(&network()).unwrap(), [lease(3, 2), lease(2, 3)]);
        assert_eq!(book.read(&"8".parse().unwrap()).unwrap(), []);
        assert!(book.retain(&network(), |lease| lease.mac != MacAddress([0, 0, 0, 0, 0, 2])).unwrap());
        book.released(&network(), &lease(3, 2)).unwrap();
        assert_eq!(fs::read_to_string(book.path(&network())).unwrap(), "");
        for _ in 0..2 {
            book.forget(&network()).unwrap();
            assert!(!book.path(&network()).exists());
        }
    }

    #[test]
    fn addresses_are_marked_as_leased_by_guest() {
        let folder = Folder::new("marks");
        let mut book = folder.0.clone();
        book.leased(&network(), &lease(1, 2)).unwrap();
        let fixed_ip = |mac, last| FixedIp::new([10, 0, 0, last].into(), MacAddress([0, 0, 0, 0, 0, mac]), 1);
        let mut all = [fixed_ip(1, 2), fixed_ip(2, 2), fixed_ip(1, 3)];
        all[2].leased = true;
        book.mark(&network(), &mut all).unwrap();
        assert_eq!(all.map(|fixed_ip| fixed_ip.leased), [true, false, false]);
    }

    #[test]
    fn many_scripts_at_once_lose_no_lease() {
        let folder = Folder::new("many");
        thread::scope(|scope| {
            for number in 0..8 {
                let mut book = folder.0.clone();
                scope.spawn(move || book.leased(&network(), &lease(number, number)).unwrap());
            }
        });
        assert_eq!(folder.0.read(&network()).unwrap().len(), 8);
    }

    #[test]
    fn a_line_that_is_no_lease_is_named() {
        let folder = Folder::new("bad");
        let path = folder.0.path(&network());
        files::write(&path, "00:00:00:00:00:01 10.0.0.2 *\n00:00:00:00:00:01 10.0.0.2\n", 0o600).unwrap();
        let said = folder.0.read(&network()).unwrap_err().to_string();
        assert_eq!(said, format!("{}, line 2: `00:00:00:00:00:01 10.0.0.2` is no lease", path.display()));
        assert!(matches!(LeaseBook::new(Path::new("n")), Err(FileError::Relative { .. })));
    }

    proptest! {
        #[test]
        fn a_lease_is_read_as_it_was_written(mac: [u8; 6], address: [u8; 4], name in "[a-z0-9][a-z0-9]{0,20}", has: bool) {
            let name = has.then(|| name.parse().unwrap());
            let lease = Lease { mac: MacAddress(mac), address: address.into(), name };
            prop_assert_eq!(parse(print(&lease).trim_end_matches('\n')), Some(lease));
        }

        #[test]
        fn any_text_is_a_lease_or_none(text: String) {
            if let Some(lease) = parse(&text) {
                prop_assert_eq!(parse(print(&lease).trim_end_matches('\n')), Some(lease));
            }
        }
    }
}
