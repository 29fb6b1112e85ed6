//! `counter`: packets and bytes that reached this place of the rule.

use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS, NFTA_COUNTER_PAD};

/// A counter with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counter {
    /// `NFTA_COUNTER_PACKETS`.
    pub packets: u64,
    /// `NFTA_COUNTER_BYTES`.
    pub bytes: u64,
}

impl Counter {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u64_be(NFTA_COUNTER_BYTES, self.bytes);
        w.u64_be(NFTA_COUNTER_PACKETS, self.packets);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_COUNTER_PACKETS>::read_padded(reader, NFTA_COUNTER_PAD)?;
        Ok(Self { packets: need!(f.u64(NFTA_COUNTER_PACKETS)), bytes: need!(f.u64(NFTA_COUNTER_BYTES)) })
    }
}
