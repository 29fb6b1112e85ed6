//! `redir`: destination translation to the host itself.

use super::{NatFlags, Register};

/// Redirects to a local port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Redir {
    /// `NFTA_REDIR_REG_PROTO_MIN`.
    pub proto_min: Option<Register>,
    /// `NFTA_REDIR_REG_PROTO_MAX`.
    pub proto_max: Option<Register>,
    /// `NFTA_REDIR_FLAGS`.
    pub flags: NatFlags,
}
