//! `hash`: a hash of registers or of the connection.

use super::Register;

/// Hashes into a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash {
    /// `NFTA_HASH_TYPE` with what only that type has.
    pub kind: HashKind,
    /// `NFTA_HASH_DREG`.
    pub dreg: Register,
    /// `NFTA_HASH_MODULUS`.
    pub modulus: u32,
    /// `NFTA_HASH_OFFSET`, added to the result.
    pub offset: u32,
}

/// `enum nft_hash_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// `NFT_HASH_JENKINS`.
    Jenkins {
        /// `NFTA_HASH_SREG`.
        sreg: Register,
        /// `NFTA_HASH_LEN`, bytes.
        len: u32,
        /// `NFTA_HASH_SEED`; `None` lets the kernel draw one.
        seed: Option<u32>,
    },
    /// `NFT_HASH_SYM`: symmetric over the connection.
    Symmetric,
}
