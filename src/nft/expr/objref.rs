//! `objref`: a named object (counter, quota, helper, timeout ...).

use std::sync::Arc;

use super::{Register, SetRef};

/// Uses a named object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Objref {
    /// One object by name.
    Name {
        /// `NFTA_OBJREF_IMM_TYPE` (`NFT_OBJECT_*`).
        kind: u32,
        /// `NFTA_OBJREF_IMM_NAME`.
        name: Arc<str>,
    },
    /// The object that a map has for a key.
    Map {
        /// `NFTA_OBJREF_SET_NAME` and `NFTA_OBJREF_SET_ID`.
        set: SetRef,
        /// `NFTA_OBJREF_SET_SREG`.
        sreg: Register,
    },
}
