//! `dynset`: adds, updates or deletes a set element from the packet path.

use super::{Expr, Register, SetRef};

/// Changes a set from a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dynset {
    /// `NFTA_DYNSET_SET_NAME` and `NFTA_DYNSET_SET_ID`.
    pub set: SetRef,
    /// `NFTA_DYNSET_OP`.
    pub op: DynsetOp,
    /// `NFTA_DYNSET_SREG_KEY`.
    pub sreg_key: Register,
    /// `NFTA_DYNSET_SREG_DATA`, for maps.
    pub sreg_data: Option<Register>,
    /// `NFTA_DYNSET_TIMEOUT`, milliseconds.
    pub timeout: Option<u64>,
    /// `NFT_DYNSET_F_INV`.
    pub inverted: bool,
    /// `NFTA_DYNSET_EXPR` (one) or `NFTA_DYNSET_EXPRESSIONS` (several): run for each element.
    pub exprs: Vec<Expr>,
}

/// `enum nft_dynset_ops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DynsetOp {
    /// `NFT_DYNSET_OP_ADD`.
    Add,
    /// `NFT_DYNSET_OP_UPDATE`.
    Update,
    /// `NFT_DYNSET_OP_DELETE`.
    Delete,
}
