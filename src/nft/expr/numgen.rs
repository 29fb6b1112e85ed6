//! `numgen`: a counter or a random number.

use super::Register;

/// Generates a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Numgen {
    /// `NFTA_NG_DREG`.
    pub dreg: Register,
    /// `NFTA_NG_MODULUS`.
    pub modulus: u32,
    /// `NFTA_NG_TYPE`.
    pub kind: NumgenKind,
    /// `NFTA_NG_OFFSET`, added to the result.
    pub offset: u32,
}

/// `enum nft_ng_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumgenKind {
    /// `NFT_NG_INCREMENTAL`.
    Incremental,
    /// `NFT_NG_RANDOM`.
    Random,
}
