//! `-m dccp`: ports of DCCP.

use crate::rule::{Not, PortRange};

/// Ports of DCCP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Dccp {
    /// `--sport`.
    pub sport: Option<Not<PortRange>>,
    /// `--dport`.
    pub dport: Option<Not<PortRange>>,
}
