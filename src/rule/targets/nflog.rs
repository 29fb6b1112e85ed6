//! `-j NFLOG`: the packet to user space by an nfnetlink_log group.

use std::sync::Arc;

/// Sends a copy to user space and goes on with the next rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Nflog {
    /// `--nflog-group`.
    pub group: u16,
    /// `--nflog-prefix`, at most 127 bytes.
    pub prefix: Option<Arc<str>>,
    /// `--nflog-size`, bytes.
    pub size: Option<u32>,
    /// `--nflog-threshold`, packets.
    pub threshold: Option<u16>,
}
