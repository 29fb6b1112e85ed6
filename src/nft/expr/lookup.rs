//! `lookup`: a register as key of a set or map.

use std::sync::Arc;

use super::Register;
use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_LOOKUP_F_INV, NFTA_LOOKUP_DREG, NFTA_LOOKUP_FLAGS, NFTA_LOOKUP_SET, NFTA_LOOKUP_SET_ID, NFTA_LOOKUP_SREG,
};

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

impl Lookup {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_LOOKUP_SREG, self.sreg.0);
        if let Some(dreg) = self.dreg {
            w.u32_be(NFTA_LOOKUP_DREG, dreg.0);
        }
        w.string(NFTA_LOOKUP_SET, &self.set.name);
        if self.set.id != 0 {
            w.u32_be(NFTA_LOOKUP_SET_ID, self.set.id);
        }
        if self.inverted {
            w.u32_be(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_LOOKUP_FLAGS>::read(reader)?;
        Ok(Self {
            set: SetRef { name: need!(f.name(NFTA_LOOKUP_SET)), id: f.u32(NFTA_LOOKUP_SET_ID)?.unwrap_or(0) },
            sreg: need!(f.register(NFTA_LOOKUP_SREG)),
            dreg: f.register(NFTA_LOOKUP_DREG)?,
            inverted: f.flag(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV)?,
        })
    }
}
