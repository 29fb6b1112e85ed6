//! `byteorder`: swaps between network and host order.

use super::Register;
use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFTA_BYTEORDER_DREG, NFTA_BYTEORDER_LEN, NFTA_BYTEORDER_OP, NFTA_BYTEORDER_SIZE, NFTA_BYTEORDER_SREG,
};

/// A byte-order conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Byteorder {
    /// `NFTA_BYTEORDER_SREG`.
    pub sreg: Register,
    /// `NFTA_BYTEORDER_DREG`.
    pub dreg: Register,
    /// `NFTA_BYTEORDER_OP`.
    pub op: ByteorderOp,
    /// `NFTA_BYTEORDER_LEN`, bytes in all.
    pub len: u32,
    /// `NFTA_BYTEORDER_SIZE`, bytes of one value: 2, 4 or 8.
    pub size: u32,
}

/// `enum nft_byteorder_ops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteorderOp {
    /// `NFT_BYTEORDER_NTOH`.
    Ntoh,
    /// `NFT_BYTEORDER_HTON`.
    Hton,
}

impl Byteorder {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_BYTEORDER_SREG, self.sreg.0);
        w.u32_be(NFTA_BYTEORDER_DREG, self.dreg.0);
        w.u32_be(NFTA_BYTEORDER_OP, self.op.number());
        w.u32_be(NFTA_BYTEORDER_LEN, self.len);
        w.u32_be(NFTA_BYTEORDER_SIZE, self.size);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_BYTEORDER_SIZE>::read(reader)?;
        Ok(Self {
            sreg: need!(f.register(NFTA_BYTEORDER_SREG)),
            dreg: need!(f.register(NFTA_BYTEORDER_DREG)),
            op: ByteorderOp::from_number(NFTA_BYTEORDER_OP, need!(f.u32(NFTA_BYTEORDER_OP)))?,
            len: need!(f.u32(NFTA_BYTEORDER_LEN)),
            size: need!(f.u32(NFTA_BYTEORDER_SIZE)),
        })
    }
}

numbered!(ByteorderOp: Ntoh = NFT_BYTEORDER_NTOH, Hton = NFT_BYTEORDER_HTON);
