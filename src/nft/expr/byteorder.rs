//! `byteorder`: swaps between network and host order.

use super::Register;

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
