//! What can go wrong between us and rtnetlink.

use std::io;

use thiserror::Error;

use crate::netlink::errno::Errno;
use crate::netlink::namespace::NamespaceError;

/// Why something was not asked, answered or done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused.
    #[error("cannot {operation} {object}: {errno}{}", text.as_ref().map(|t| format!(": {t}")).unwrap_or_default())]
    Refused {
        /// What was tried: `add address`.
        operation: &'static str,
        /// On what: the device, address or route.
        object: String,
        /// The kernel's error.
        errno: Errno,
        /// The kernel's own words, if it had any.
        text: Option<String>,
    },
    /// What was dumped changed during the dump, time and again.
    #[error("cannot {operation}: it changed during each of {attempts} dumps")]
    Interrupted {
        /// What was tried.
        operation: &'static str,
        /// How many dumps were begun.
        attempts: u32,
    },
    /// The kernel's answer is not what rtnetlink is known to send.
    #[error("cannot {operation}: the kernel's answer cannot be read: {reason}")]
    Malformed {
        /// What was tried.
        operation: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A message cannot be built, because something in it is longer than its length field can say.
    #[error("cannot {operation} {object}: too long for a message")]
    TooLong {
        /// What was tried.
        operation: &'static str,
        /// On what.
        object: String,
    },
    /// The namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The socket failed.
    #[error("cannot {operation}: the rtnetlink socket failed: {source}")]
    Socket {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// The kernel's error, if it was the kernel that refused.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            _ => None,
        }
    }

    /// Whether the device, address, route or neighbour is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let missing = [Errno::NODEV, Errno::ADDRNOTAVAIL, Errno::SRCH, Errno::NOENT, Errno::NXIO];
        self.errno().is_some_and(|errno| missing.contains(&errno))
    }

    /// Whether it is there already.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(Errno::EXIST)
    }

    /// Whether the right to do it is missing: it takes `CAP_NET_ADMIN` in the namespace's user namespace.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::Refused { errno, .. } => *errno == Errno::PERM,
            Self::Namespace(error) => error.is_not_permitted(),
            _ => false,
        }
    }

    /// Whether this kernel cannot do it, for example because it has no such kind of device.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        self.errno() == Some(Errno::OPNOTSUPP)
    }
}

/// Takes an error that says that nothing was left to do for success.
pub trait Tolerate: Sized {
    /// It was there already.
    ///
    /// # Errors
    /// Any other error.
    fn or_exists(self) -> Result<bool, Error>;

    /// It was not there.
    ///
    /// # Errors
    /// Any other error.
    fn or_missing(self) -> Result<bool, Error>;
}

impl Tolerate for Result<(), Error> {
    fn or_exists(self) -> Result<bool, Error> {
        match self {
            Err(error) if error.is_exists() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn or_missing(self) -> Result<bool, Error> {
        match self {
            Err(error) if error.is_missing() => Ok(false),
            other => other.map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_on_what_and_why() {
        let error = Error::Refused {
            operation: "add address",
            object: "10.0.0.1/24 on br100".into(),
            errno: Errno::NODEV,
            text: Some("Device is gone".into()),
        };
        let printed = "cannot add address 10.0.0.1/24 on br100: no such device (ENODEV): Device is gone";
        assert_eq!(error.to_string(), printed);
        assert!(error.is_missing() && !error.is_exists() && !error.is_not_permitted());
    }
}
