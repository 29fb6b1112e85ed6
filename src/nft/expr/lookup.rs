//! `lookup`: a register as key of a set or map.

use std::sync::Arc;

use super::Register;

/// Looks a key up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// `NFTA_LOOKUP_SET` and `NFTA_LOOKUP_SET_ID`.
    pub set: SetRef,
    /// `NFTA_LOOKUP_SREG`.
    pub sreg: Register,
    /// `NFTA_LOOKUP_DREG`: where a map's data goes ([`Register::VERDICT`] for a verdict map); `None` for a set.
    pub dreg: Option<Register>,
    /// `NFT_LOOKUP_F_INV`: match when the key is absent.
    pub inverted: bool,
}

/// A set named by a rule in the same table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetRef {
    /// The set's name; in a batch an anonymous set's template (`__set%d`).
    pub name: Arc<str>,
    /// The id that an anonymous set of the same batch was declared with; 0 for a set that has its final name.
    pub id: u32,
}
