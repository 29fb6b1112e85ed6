//! `connlimit`: how many connections there are.

use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFT_CONNLIMIT_F_INV, NFTA_CONNLIMIT_COUNT, NFTA_CONNLIMIT_FLAGS};

/// A limit on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connlimit {
    /// `NFTA_CONNLIMIT_COUNT`.
    pub count: u32,
    /// `NFT_CONNLIMIT_F_INV`: match when over the count.
    pub over: bool,
}

impl Connlimit {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_CONNLIMIT_COUNT, self.count);
        if self.over {
            w.u32_be(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_CONNLIMIT_FLAGS>::read(reader)?;
        Ok(Self { count: need!(f.u32(NFTA_CONNLIMIT_COUNT)), over: f.flag(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV)? })
    }
}
