//! Why an operation on instances did not take effect.
//!
//! Owns: the error that all drivers share.

use std::net::IpAddr;

use thiserror::Error;

use super::instance::{InstanceError, InstanceId};
use crate::linux_net::BridgeError;
use crate::name::{InterfaceName, NameError};
use crate::virt_firewall::input::{Rejected, Why};
use crate::virt_firewall::tickets::Refused;

/// Why an operation did not take effect, or only a part of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriverError {
    /// It was not prepared, or is unfiltered again.
    #[error("instance {0} is not known: it was not prepared")]
    UnknownInstance(InstanceId),
    /// It cannot be firewalled as it is described.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// One of its devices is another instance's, which was not ended or whose end was lost.
    #[error("instance {instance}: device {device} belongs to instance {other}; unfilter that one first if it is gone")]
    DeviceTaken {
        /// The instance.
        instance: InstanceId,
        /// The device.
        device: InterfaceName,
        /// Whose it is.
        other: InstanceId,
    },
    /// Its chain's name does not fit.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The rules that hold an instance to its addresses.
    #[error(transparent)]
    Spoofing(#[from] BridgeError),
    /// Its chain's name is too long. It is not cut, or two instances could have one chain.
    #[error("instance {instance}: its chain's name is {length} bytes long, {max} is the most for this component")]
    ChainName {
        /// The instance.
        instance: InstanceId,
        /// The length of `inst-<id>`.
        length: usize,
        /// The most.
        max: usize,
    },
    /// A rule of a group that cannot have an effect. The group is as it was.
    #[error(transparent)]
    Rule(#[from] Rejected),
    /// A rule of the provider that cannot have an effect. All of them are as they were.
    #[error("rule {number} of the provider: {why}")]
    Provider {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        why: Why,
    },
    /// A member of a group that is no host.
    #[error("{0} is no address that a member of a group can have")]
    Member(IpAddr),
    /// Changes that had no effect. They stay wanted, and are tried again ([`retry`](super::FirewallDriver::retry)).
    #[error(transparent)]
    Refused(#[from] Refused),
}
