//! `-j LOG`: a line in the kernel log.

use std::sync::Arc;

bitflags::bitflags! {
    /// What a log line holds besides (`NF_LOG_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct LogFlags: u8 {
        /// `--log-tcp-sequence`.
        const TCP_SEQUENCE = 0x01;
        /// `--log-tcp-options`.
        const TCP_OPTIONS = 0x02;
        /// `--log-ip-options`.
        const IP_OPTIONS = 0x04;
        /// `--log-uid`.
        const UID = 0x08;
        /// `--log-macdecode`.
        const MAC_DECODE = 0x20;
    }
}

/// Logs and goes on with the next rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Log {
    /// `--log-level`, a syslog level; 4 (warning) when not given.
    pub level: u8,
    /// `--log-prefix`, at most 29 bytes; empty when not given.
    pub prefix: Arc<str>,
    /// The other options.
    pub flags: LogFlags,
}
