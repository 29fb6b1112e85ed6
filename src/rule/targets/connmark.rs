//! `-j CONNMARK`: the mark of the connection.

use crate::rule::MarkMask;

/// What happens to the connection's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connmark {
    /// The operation.
    pub op: ConnmarkOp,
    /// Bits to shift by, 1 to 32: left when positive, right when negative; 0 for no shift (Linux 4.17).
    pub shift: i8,
}

/// Operations of [`Connmark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnmarkOp {
    /// `--set-xmark value/mask`: `ctmark = (ctmark & ~mask) ^ value`. `nfmask` is all ones unless given.
    Set(MarkMask),
    /// `--save-mark`: `ctmark = (ctmark & ~ctmask) ^ (nfmark & nfmask)`.
    Save {
        /// `--nfmask`.
        nfmask: u32,
        /// `--ctmask`.
        ctmask: u32,
    },
    /// `--restore-mark`: `nfmark = (nfmark & ~nfmask) ^ (ctmark & ctmask)`.
    Restore {
        /// `--nfmask`.
        nfmask: u32,
        /// `--ctmask`.
        ctmask: u32,
    },
}
