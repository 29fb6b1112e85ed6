//! `-m tcp`: ports, flags and options of TCP.

use crate::rule::{Not, PortRange};

/// Ports, flags and options of TCP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tcp {
    /// `--sport`.
    pub sport: Option<Not<PortRange>>,
    /// `--dport`.
    pub dport: Option<Not<PortRange>>,
    /// `--tcp-flags` and `--syn`.
    pub flags: Option<Not<TcpFlags>>,
    /// `--tcp-option`: an option of this kind is there (1 to 255).
    pub option: Option<Not<u8>>,
}

/// Which TCP flags are looked at, and which of those must be set. Bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpFlags {
    /// Flags that are looked at.
    pub mask: u8,
    /// Flags among them that must be set.
    pub set: u8,
}

impl TcpFlags {
    /// `--syn`: the first packet of a connection.
    pub const SYN: Self = Self { mask: 0x17, set: 0x02 };
}
