//! `log`: to the kernel log, or to user space by a group.

use std::sync::Arc;

/// Logs the packet. With a group the packet goes to nfnetlink_log, else to the kernel log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Log {
    /// `NFTA_LOG_GROUP`.
    pub group: Option<u16>,
    /// `NFTA_LOG_PREFIX`, at most 127 bytes.
    pub prefix: Option<Arc<str>>,
    /// `NFTA_LOG_SNAPLEN`, bytes.
    pub snaplen: Option<u32>,
    /// `NFTA_LOG_QTHRESHOLD`, packets.
    pub qthreshold: Option<u16>,
    /// `NFTA_LOG_LEVEL` (syslog level; 8 = audit).
    pub level: Option<u32>,
    /// `NFTA_LOG_FLAGS` (`NF_LOG_*`).
    pub flags: Option<u32>,
}
