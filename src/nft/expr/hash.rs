//! `hash`: a hash of registers or of the connection.

use super::Register;
use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_HASH_JENKINS, NFT_HASH_SYM, NFTA_HASH_DREG, NFTA_HASH_LEN, NFTA_HASH_MODULUS, NFTA_HASH_OFFSET, NFTA_HASH_SEED,
    NFTA_HASH_SREG, NFTA_HASH_TYPE,
};

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

impl Hash {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        if let HashKind::Jenkins { sreg, .. } = self.kind {
            w.u32_be(NFTA_HASH_SREG, sreg.0);
        }
        w.u32_be(NFTA_HASH_DREG, self.dreg.0);
        if let HashKind::Jenkins { len, .. } = self.kind {
            w.u32_be(NFTA_HASH_LEN, len);
        }
        w.u32_be(NFTA_HASH_MODULUS, self.modulus);
        if let HashKind::Jenkins { seed: Some(seed), .. } = self.kind {
            w.u32_be(NFTA_HASH_SEED, seed);
        }
        if self.offset != 0 {
            w.u32_be(NFTA_HASH_OFFSET, self.offset);
        }
        let kind = match self.kind {
            HashKind::Jenkins { .. } => NFT_HASH_JENKINS,
            HashKind::Symmetric => NFT_HASH_SYM,
        };
        w.u32_be(NFTA_HASH_TYPE, kind);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_HASH_TYPE>::read(reader)?;
        let kind = match f.u32(NFTA_HASH_TYPE)?.unwrap_or(NFT_HASH_JENKINS) {
            NFT_HASH_JENKINS => HashKind::Jenkins {
                sreg: need!(f.register(NFTA_HASH_SREG)),
                len: need!(f.u32(NFTA_HASH_LEN)),
                seed: f.u32(NFTA_HASH_SEED)?,
            },
            NFT_HASH_SYM => {
                for kind in [NFTA_HASH_SREG, NFTA_HASH_LEN, NFTA_HASH_SEED] {
                    if f.attr(kind).is_some() {
                        return Err(AttrError::Unexpected { kind });
                    }
                }
                HashKind::Symmetric
            }
            value => return Err(AttrError::UnknownValue { kind: NFTA_HASH_TYPE, value: value.into() }),
        };
        Ok(Self {
            kind,
            dreg: need!(f.register(NFTA_HASH_DREG)),
            modulus: need!(f.u32(NFTA_HASH_MODULUS)),
            offset: f.u32(NFTA_HASH_OFFSET)?.unwrap_or(0),
        })
    }
}
