//! What can go wrong with a router.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use super::state::{Id, StateError};
use crate::linux_net::announce::AnnounceError;
use crate::linux_net::steps::Unwound;
use crate::name::InterfaceName;
use crate::netlink::namespace::NamespaceError;
use crate::wrap::ModelError;
use crate::{conntrack, kernel, linux_net, rtnl};

/// Why a router is not what was asked. It is what it was, unless the error says otherwise.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum RouterError {
    /// The state does not hold together.
    #[error(transparent)]
    State(#[from] StateError),
    /// A device, address, route or setting.
    #[error(transparent)]
    Net(#[from] linux_net::Error),
    /// A rule does not fit the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The rules were not applied.
    #[error(transparent)]
    Apply(#[from] crate::error::Error),
    /// Connections.
    #[error(transparent)]
    Conntrack(#[from] conntrack::Error),
    /// Neighbours were not told.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    /// The namespace cannot be made, entered or taken away.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The router's namespace is not there any more: somebody has taken it away. It does not come back by trying again.
    #[error("the namespace of the router is gone ({})", path.display())]
    Gone {
        /// Its file.
        path: PathBuf,
    },
    /// There is no such router here.
    #[error("there is no router {id} here")]
    Unknown {
        /// Which.
        id: Id,
    },
    /// A port's device is neither in the router's namespace nor in the host's.
    #[error("device {device} not found, for port {port}")]
    NoDevice {
        /// The device.
        device: InterfaceName,
        /// The port.
        port: Id,
    },
    /// This library does not do it.
    #[error("{what} is not supported")]
    NotSupported {
        /// What.
        what: &'static str,
    },
    /// A step failed, and so did the way back: the router is in between. The next update tries to bring it to its state.
    #[error("{source}; and what had been done could not be undone: {}", failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotUndone {
        /// Why the step failed.
        source: Box<RouterError>,
        /// What failed on the way back.
        failures: Vec<RouterError>,
    },
}

impl From<rtnl::Error> for RouterError {
    fn from(error: rtnl::Error) -> Self {
        Self::Net(error.into())
    }
}

impl From<kernel::Error> for RouterError {
    fn from(error: kernel::Error) -> Self {
        Self::Apply(error.into())
    }
}

impl Unwound for RouterError {
    fn not_undone(self, failures: Vec<rtnl::Error>) -> Self {
        self.with_failures(failures.into_iter().map(Self::from).collect())
    }
}

impl RouterError {
    /// The error, with what could not be undone if that is anything.
    pub(super) fn with_failures(self, mut failures: Vec<Self>) -> Self {
        match self {
            own if failures.is_empty() => own,
            Self::NotUndone { source, failures: mut earlier } => {
                earlier.append(&mut failures);
                Self::NotUndone { source, failures: earlier }
            }
            own => Self::NotUndone { source: Box::new(own), failures },
        }
    }

    /// Whether the router's namespace is gone: there is nothing to try again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    /// Whether the right to do it is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::Net(error) => error.is_not_permitted(),
            Self::Apply(error) => error.is_not_permitted(),
            Self::Namespace(error) => error.is_not_permitted(),
            Self::Conntrack(error) => error.is_not_permitted(),
            Self::NotUndone { source, .. } => source.is_not_permitted(),
            _ => false,
        }
    }
}
