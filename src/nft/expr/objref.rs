//! `objref`: a named object (counter, quota, helper, timeout ...).

use std::sync::Arc;

use super::fields::{Fields, need};
use super::{Register, SetRef};
use crate::name::text;
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFTA_OBJREF_IMM_NAME, NFTA_OBJREF_IMM_TYPE, NFTA_OBJREF_SET_ID, NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_SREG,
};

/// Uses a named object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Objref {
    /// One object by name.
    Name {
        /// `NFTA_OBJREF_IMM_TYPE` (`NFT_OBJECT_*`).
        kind: u32,
        /// `NFTA_OBJREF_IMM_NAME`.
        name: Arc<str>,
    },
    /// The object that a map has for a key.
    Map {
        /// `NFTA_OBJREF_SET_NAME` and `NFTA_OBJREF_SET_ID`.
        set: SetRef,
        /// `NFTA_OBJREF_SET_SREG`.
        sreg: Register,
    },
}

impl Objref {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order; like it, without a NUL after the names.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Name { kind, name } => {
                w.u32_be(NFTA_OBJREF_IMM_TYPE, *kind);
                w.bytes(NFTA_OBJREF_IMM_NAME, &text::to_bytes(name));
            }
            Self::Map { set, sreg } => {
                w.u32_be(NFTA_OBJREF_SET_SREG, sreg.0);
                w.bytes(NFTA_OBJREF_SET_NAME, &text::to_bytes(&set.name));
                if set.id != 0 {
                    w.u32_be(NFTA_OBJREF_SET_ID, set.id);
                }
            }
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_OBJREF_SET_ID>::read(reader)?;
        let Some(sreg) = f.register(NFTA_OBJREF_SET_SREG)? else {
            for kind in [NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_ID] {
                if f.attr(kind).is_some() {
                    return Err(AttrError::Unexpected { kind });
                }
            }
            return Ok(Self::Name {
                kind: need!(f.u32(NFTA_OBJREF_IMM_TYPE)),
                name: need!(f.open_name(NFTA_OBJREF_IMM_NAME)),
            });
        };
        for kind in [NFTA_OBJREF_IMM_TYPE, NFTA_OBJREF_IMM_NAME] {
            if f.attr(kind).is_some() {
                return Err(AttrError::Unexpected { kind });
            }
        }
        let set =
            SetRef { name: need!(f.open_name(NFTA_OBJREF_SET_NAME)), id: f.u32(NFTA_OBJREF_SET_ID)?.unwrap_or(0) };
        Ok(Self::Map { set, sreg })
    }
}
