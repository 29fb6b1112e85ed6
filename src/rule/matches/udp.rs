//! `-m udp`: ports of UDP.

use crate::rule::{Not, PortRange};

/// Ports of UDP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Udp {
    /// `--sport`.
    pub sport: Option<Not<PortRange>>,
    /// `--dport`.
    pub dport: Option<Not<PortRange>>,
}
