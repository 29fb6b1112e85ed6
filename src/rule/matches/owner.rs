//! `-m owner`: who sent a local packet.

use crate::rule::Not;

/// Owner of the sending socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Owner {
    /// `--socket-exists`.
    pub socket_exists: Option<Not<()>>,
    /// `--uid-owner`: first and last user id.
    pub uid: Option<Not<(u32, u32)>>,
    /// `--gid-owner`: first and last group id.
    pub gid: Option<Not<(u32, u32)>>,
    /// `--suppl-groups`: supplementary groups count too.
    pub supplementary_groups: bool,
}
