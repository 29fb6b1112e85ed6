//! Ports that lead inside, and helpers of connection tracking.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Id, StateError};
use crate::rule::{PortRange, Protocol};

/// Ports of an outside address that lead to ports of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PortForwarding {
    /// Which one; its chain is named by it.
    pub id: Id,
    /// The outside address.
    pub floating: Ipv4Addr,
    /// A protocol with ports.
    pub protocol: Protocol,
    /// The ports outside.
    pub external: PortRange,
    /// The guest's address.
    pub internal_address: Ipv4Addr,
    /// The guest's ports. When there are as many as outside, the first leads to the first and so on; when there are
    /// fewer, they are used in turn; a single one gets all.
    pub internal: PortRange,
}

impl PortForwarding {
    /// Whether there are other numbers of ports inside and outside, neither being one.
    #[must_use]
    pub fn sizes_differ(&self) -> bool {
        let size = |range: PortRange| u32::from(range.last()) - u32::from(range.first());
        !self.internal.is_single() && !self.external.is_single() && size(self.internal) != size(self.external)
    }
}

/// A port whose connections a helper of connection tracking looks into, for both families.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConntrackHelper {
    /// Which one; its chain is named by it.
    pub id: Id,
    /// A protocol with ports.
    pub protocol: Protocol,
    /// The port that connections are made to.
    pub port: u16,
    /// The helper, which the kernel has to know when the rules are applied.
    pub helper: HelperName,
}

/// The name of a helper: `ftp`, `tftp`, `sip`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HelperName(Arc<str>);

impl HelperName {
    /// The longest name, in bytes (`NF_CT_HELPER_NAME_LEN` with its NUL).
    pub const MAX: usize = 15;

    /// Checks the name.
    ///
    /// # Errors
    /// [`StateError::HelperName`].
    pub fn new(name: &str) -> Result<Self, StateError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if (1..=Self::MAX).contains(&name.len()) && name.bytes().all(is_word) && !name.starts_with('-') {
            return Ok(Self(name.into()));
        }
        Err(StateError::HelperName { name: name.chars().take(64).flat_map(char::escape_default).collect() })
    }

    pub(in crate::l3_router) fn text(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for HelperName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
