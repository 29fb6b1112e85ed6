//! `dynset`: adds, updates or deletes a set element from the packet path.

use super::fields::{Fields, need, numbered};
use super::{Expr, Register, SetRef, decode_list, encode_list};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_DYNSET_F_EXPR, NFT_DYNSET_F_INV, NFTA_DYNSET_EXPR, NFTA_DYNSET_EXPRESSIONS, NFTA_DYNSET_FLAGS, NFTA_DYNSET_OP,
    NFTA_DYNSET_PAD, NFTA_DYNSET_SET_ID, NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SREG_DATA, NFTA_DYNSET_SREG_KEY,
    NFTA_DYNSET_TIMEOUT,
};

/// Changes a set from a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dynset {
    /// `NFTA_DYNSET_SET_NAME` and `NFTA_DYNSET_SET_ID`.
    pub set: SetRef,
    /// `NFTA_DYNSET_OP`.
    pub op: DynsetOp,
    /// `NFTA_DYNSET_SREG_KEY`.
    pub sreg_key: Register,
    /// `NFTA_DYNSET_SREG_DATA`, for maps.
    pub sreg_data: Option<Register>,
    /// `NFTA_DYNSET_TIMEOUT`, milliseconds.
    pub timeout: Option<u64>,
    /// `NFT_DYNSET_F_INV`.
    pub inverted: bool,
    /// `NFTA_DYNSET_EXPR` (one) or `NFTA_DYNSET_EXPRESSIONS` (several): run for each element.
    pub exprs: Vec<Expr>,
}

/// `enum nft_dynset_ops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DynsetOp {
    /// `NFT_DYNSET_OP_ADD`.
    Add,
    /// `NFT_DYNSET_OP_UPDATE`.
    Update,
    /// `NFT_DYNSET_OP_DELETE`.
    Delete,
}

impl Dynset {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_DYNSET_SREG_KEY, self.sreg_key.0);
        if let Some(sreg) = self.sreg_data {
            w.u32_be(NFTA_DYNSET_SREG_DATA, sreg.0);
        }
        w.u32_be(NFTA_DYNSET_OP, self.op.number());
        if let Some(timeout) = self.timeout {
            w.u64_be(NFTA_DYNSET_TIMEOUT, timeout);
        }
        w.string(NFTA_DYNSET_SET_NAME, &self.set.name);
        if self.set.id != 0 {
            w.u32_be(NFTA_DYNSET_SET_ID, self.set.id);
        }
        let mut flags = if self.inverted { NFT_DYNSET_F_INV } else { 0 };
        match self.exprs.as_slice() {
            [] => {}
            [expr] => w.nest(NFTA_DYNSET_EXPR, |w| expr.encode(w)),
            exprs => {
                // Without it the kernel refuses more than one.
                flags |= NFT_DYNSET_F_EXPR;
                w.nest(NFTA_DYNSET_EXPRESSIONS, |w| encode_list(exprs, w));
            }
        }
        if flags != 0 {
            w.u32_be(NFTA_DYNSET_FLAGS, flags);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_DYNSET_EXPRESSIONS>::read_padded(reader, NFTA_DYNSET_PAD)?;
        let flags = f.u32(NFTA_DYNSET_FLAGS)?.unwrap_or(0);
        if flags & !(NFT_DYNSET_F_INV | NFT_DYNSET_F_EXPR) != 0 {
            return Err(AttrError::UnknownValue { kind: NFTA_DYNSET_FLAGS, value: flags.into() });
        }
        let exprs = match (f.attr(NFTA_DYNSET_EXPR), f.attr(NFTA_DYNSET_EXPRESSIONS)) {
            (None, None) => Vec::new(),
            (Some(one), None) => vec![Expr::decode(one.attrs())?],
            (None, Some(list)) => decode_list(list.attrs())?,
            (Some(_), Some(_)) => return Err(AttrError::Unexpected { kind: NFTA_DYNSET_EXPR }),
        };
        Ok(Self {
            set: SetRef { name: need!(f.name(NFTA_DYNSET_SET_NAME)), id: f.u32(NFTA_DYNSET_SET_ID)?.unwrap_or(0) },
            op: DynsetOp::from_number(NFTA_DYNSET_OP, need!(f.u32(NFTA_DYNSET_OP)))?,
            sreg_key: need!(f.register(NFTA_DYNSET_SREG_KEY)),
            sreg_data: f.register(NFTA_DYNSET_SREG_DATA)?,
            timeout: f.u64(NFTA_DYNSET_TIMEOUT)?,
            inverted: flags & NFT_DYNSET_F_INV != 0,
            exprs,
        }
        .normalized())
    }

    /// The kernel dumps "no timeout" as zero.
    pub(crate) fn normalized(mut self) -> Self {
        self.timeout = self.timeout.filter(|&t| t != 0);
        self.exprs = self.exprs.into_iter().map(Expr::normalized).collect();
        self
    }
}

numbered!(DynsetOp: Add = NFT_DYNSET_OP_ADD, Update = NFT_DYNSET_OP_UPDATE, Delete = NFT_DYNSET_OP_DELETE);
