//! `tproxy`: hands the packet to a local socket without changing it.

use super::Register;

/// Transparent proxying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tproxy {
    /// `NFTA_TPROXY_FAMILY`: `NFPROTO_*`, 0 for both.
    pub family: u8,
    /// `NFTA_TPROXY_REG_ADDR`.
    pub addr: Option<Register>,
    /// `NFTA_TPROXY_REG_PORT`.
    pub port: Option<Register>,
}
