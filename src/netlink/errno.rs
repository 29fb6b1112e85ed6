//! Error numbers of the kernel.

use std::fmt;

/// An error number, positive, as in `errno.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident = $value:ident $meaning:literal,)*) => {
        impl Errno {
            $(
                #[doc = concat!("`", stringify!($value), "`: ", $meaning, ".")]
                pub const $name: Self = Self(libc::$value);
            )*

            /// The C name and what it means to nf_tables and rtnetlink; `None` for a number that neither uses.
            fn known(self) -> Option<(&'static str, &'static str)> {
                $(if self == Self::$name { return Some((stringify!($value), $meaning)); })*
                None
            }
        }
    };
}

errnos! {
    PERM = EPERM "not permitted",
    NOENT = ENOENT "no such table, chain, rule, set, element or object",
    NOMEM = ENOMEM "out of memory",
    ACCES = EACCES "not permitted",
    BUSY = EBUSY "still in use",
    EXIST = EEXIST "exists already",
    INVAL = EINVAL "not valid",
    NFILE = ENFILE "the set is full",
    RANGE = ERANGE "too long or out of range",
    LOOP = ELOOP "the jumps go in a circle",
    MLINK = EMLINK "too deeply nested jumps, or too many",
    OVERFLOW = EOVERFLOW "out of range",
    RESTART = ERESTART "the ruleset changed since the batch was computed",
    MSGSIZE = EMSGSIZE "larger than the send buffer takes",
    OPNOTSUPP = EOPNOTSUPP "not supported",
    AFNOSUPPORT = EAFNOSUPPORT "no such family",
    NOBUFS = ENOBUFS "the receive buffer overflowed",
    SRCH = ESRCH "no such route or process",
    NXIO = ENXIO "no such device or address",
    NODEV = ENODEV "no such device",
    NOTUNIQ = ENOTUNIQ "the name is not unique",
    ADDRINUSE = EADDRINUSE "the address is in use",
    ADDRNOTAVAIL = EADDRNOTAVAIL "no such address",
    NETDOWN = ENETDOWN "the device is down",
    NETUNREACH = ENETUNREACH "the network is unreachable",
    HOSTUNREACH = EHOSTUNREACH "the gateway is unreachable",
}

impl Errno {
    /// The C name: `EBUSY`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.known().map(|(name, _)| name)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some((name, meaning)) => write!(f, "{meaning} ({name})"),
            None => write!(f, "errno {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_their_name_and_meaning() {
        assert_eq!(Errno::BUSY.to_string(), "still in use (EBUSY)");
        assert_eq!(Errno(9999).to_string(), "errno 9999");
        assert_eq!(Errno::RESTART.name(), Some("ERESTART"));
    }
}
