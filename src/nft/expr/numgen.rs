//! `numgen`: a counter or a random number.

use super::Register;
use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_NG_DREG, NFTA_NG_MODULUS, NFTA_NG_OFFSET, NFTA_NG_TYPE};

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

impl Numgen {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_NG_DREG, self.dreg.0);
        w.u32_be(NFTA_NG_MODULUS, self.modulus);
        w.u32_be(NFTA_NG_TYPE, self.kind.number());
        if self.offset != 0 {
            w.u32_be(NFTA_NG_OFFSET, self.offset);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_NG_OFFSET>::read(reader)?;
        Ok(Self {
            dreg: need!(f.register(NFTA_NG_DREG)),
            modulus: need!(f.u32(NFTA_NG_MODULUS)),
            kind: NumgenKind::from_number(NFTA_NG_TYPE, need!(f.u32(NFTA_NG_TYPE)))?,
            offset: f.u32(NFTA_NG_OFFSET)?.unwrap_or(0),
        })
    }
}

numbered!(NumgenKind: Incremental = NFT_NG_INCREMENTAL, Random = NFT_NG_RANDOM);
