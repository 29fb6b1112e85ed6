//! `masq`: source translation to the address of the output device.

use super::{NatFlags, Register};

/// Masquerades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Masq {
    /// `NFTA_MASQ_FLAGS`.
    pub flags: NatFlags,
    /// `NFTA_MASQ_REG_PROTO_MIN`.
    pub proto_min: Option<Register>,
    /// `NFTA_MASQ_REG_PROTO_MAX`.
    pub proto_max: Option<Register>,
}
