//! `-m sctp`: ports of SCTP.

use crate::rule::{Not, PortRange};

/// Ports of SCTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Sctp {
    /// `--sport`.
    pub sport: Option<Not<PortRange>>,
    /// `--dport`.
    pub dport: Option<Not<PortRange>>,
}
