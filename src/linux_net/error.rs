//! What can go wrong on the host.

use std::io;
use std::path::PathBuf;

use thiserror::Error as ThisError;

use super::files::Reason;
use super::sriov::PciAddress;
use crate::name::InterfaceName;
use crate::netlink::namespace::NamespaceError;
use crate::rtnl;

/// Why a host was not changed. What had been changed before the failure was put back, unless the error says otherwise.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused a device, address or route.
    #[error(transparent)]
    Rtnl(#[from] rtnl::Error),
    /// The namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A setting of the kernel cannot be read or written.
    #[error("cannot {operation} {}: {}", path.display(), Reason(source))]
    Setting {
        /// `read` or `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The name is no setting: it must be words with slashes between them, below `/proc/sys`.
    #[error("`{}` is not the name of a kernel setting", name.escape_debug())]
    BadSetting {
        /// The name.
        name: String,
    },
    /// A tap device cannot be made.
    #[error("cannot make tap device {device}: {}", Reason(source))]
    Tap {
        /// The device.
        device: InterfaceName,
        /// Why not.
        source: io::Error,
    },
    /// There is a device of that name, and it is no bridge.
    #[error("{device} is not a bridge")]
    NotABridge {
        /// The device.
        device: InterfaceName,
    },
    /// The interface is a port of another bridge or bond, whose owner has to release it.
    #[error("{device} cannot become a port of {bridge}, because it is one of {}", owner.as_ref().map_or("another device", InterfaceName::as_str))]
    OtherBridge {
        /// The interface.
        device: InterfaceName,
        /// The bridge that was to get it.
        bridge: InterfaceName,
        /// The bridge that has it.
        owner: Option<InterfaceName>,
    },
    /// There is a VLAN device of that name with another number.
    #[error("{device} is VLAN {found}, not {wanted}")]
    OtherVlan {
        /// The device.
        device: InterfaceName,
        /// Its number.
        found: u16,
        /// The number that was asked for.
        wanted: u16,
    },
    /// There is a device of a VLAN's name that is none.
    #[error("{device} is {}, and no VLAN; give it another name, or the VLAN", kind.as_deref().map_or("a device of its own".to_owned(), |kind| format!("a {kind} device")))]
    NotAVlan {
        /// The device.
        device: InterfaceName,
        /// What it is; `None` for hardware.
        kind: Option<String>,
    },
    /// There is a VLAN device of that name and number on another device.
    #[error("{device} is a VLAN of {}, not of {wanted}", found.as_ref().map_or("another device", InterfaceName::as_str))]
    OtherVlanBase {
        /// The device.
        device: InterfaceName,
        /// The device that carries it; `None` when it is not in this namespace.
        found: Option<InterfaceName>,
        /// The device that was to carry it.
        wanted: InterfaceName,
    },
    /// A device of the PCI bus is not what was asked of it.
    #[error("PCI device {address} {problem}")]
    Pci {
        /// The device.
        address: PciAddress,
        /// What it is not.
        problem: &'static str,
    },
    /// A value does not fit what it is for.
    #[error("{what} `{value}` {problem}")]
    BadValue {
        /// What it is.
        what: &'static str,
        /// The value.
        value: String,
        /// Why it does not fit.
        problem: &'static str,
    },
    /// A step failed, and so did the way back: the host is in between.
    #[error("{source}; and what had been done could not be undone: {}", failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotUndone {
        /// Why the step failed.
        source: Box<Error>,
        /// What failed on the way back.
        failures: Vec<Error>,
    },
}

impl Error {
    /// The same after an attempt to go back, which may have failed too.
    pub(super) fn after(self, way_back: Result<(), Self>) -> Self {
        match (self, way_back) {
            (error, Ok(())) => error,
            (Self::NotUndone { source, mut failures }, Err(failure)) => {
                failures.push(failure);
                Self::NotUndone { source, failures }
            }
            (error, Err(failure)) => Self::NotUndone { source: Box::new(error), failures: vec![failure] },
        }
    }

    fn rtnl(&self) -> Option<&rtnl::Error> {
        match self {
            Self::Rtnl(error) => Some(error),
            Self::NotUndone { source, .. } => source.rtnl(),
            _ => None,
        }
    }

    fn io_is(&self, kinds: &[io::ErrorKind]) -> bool {
        matches!(self, Self::Setting { source, .. } | Self::Tap { source, .. } if kinds.contains(&source.kind()))
    }

    /// Whether a device, address, route or setting is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Pci { .. })
            || self.rtnl().is_some_and(rtnl::Error::is_missing)
            || self.io_is(&[io::ErrorKind::NotFound])
    }

    /// Whether it is there already.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.rtnl().is_some_and(rtnl::Error::is_exists)
    }

    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::Namespace(error) => error.is_not_permitted(),
            _ => {
                self.rtnl().is_some_and(rtnl::Error::is_not_permitted) || self.io_is(&[io::ErrorKind::PermissionDenied])
            }
        }
    }

    /// Whether this kernel cannot do it.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        self.rtnl().is_some_and(rtnl::Error::is_not_supported)
    }
}
