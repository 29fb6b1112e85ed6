//! Verdicts: what happens to the packet, or where evaluation goes on.

use super::fields::{Fields, need};
use crate::name::ChainName;
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NF_ACCEPT, NF_DROP, NFT_BREAK, NFT_CONTINUE, NFT_GOTO, NFT_JUMP, NFT_RETURN, NFTA_DATA_VERDICT, NFTA_VERDICT_CHAIN,
    NFTA_VERDICT_CODE,
};

/// A verdict (`enum nft_verdicts` and the `NF_*` codes).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// `NF_ACCEPT`: ends this base chain's hook only.
    Accept,
    /// `NF_DROP`.
    Drop,
    /// `NFT_CONTINUE`: go on with the next rule.
    Continue,
    /// `NFT_BREAK`: stop this rule.
    Break,
    /// `NFT_RETURN`: back to the calling chain, or the base chain's policy.
    Return,
    /// `NFT_JUMP`: call a chain.
    Jump(ChainName),
    /// `NFT_GOTO`: go to a chain without coming back to this one.
    Goto(ChainName),
    /// Any other code, as the kernel has it (host order).
    Other(i32),
}

impl Verdict {
    /// The kernel's code.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Accept => NF_ACCEPT,
            Self::Drop => NF_DROP,
            Self::Continue => NFT_CONTINUE,
            Self::Break => NFT_BREAK,
            Self::Return => NFT_RETURN,
            Self::Jump(_) => NFT_JUMP,
            Self::Goto(_) => NFT_GOTO,
            Self::Other(code) => *code,
        }
    }

    /// The chain that evaluation goes to.
    #[must_use]
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::Jump(chain) | Self::Goto(chain) => Some(chain),
            _ => None,
        }
    }

    /// Writes the attribute `kind` with the verdict as `NFTA_DATA_VERDICT`.
    #[inline]
    pub(crate) fn encode(&self, kind: u16, w: &mut Writer<'_>) {
        w.nest(kind, |w| {
            w.nest(NFTA_DATA_VERDICT, |w| {
                w.u32_be(NFTA_VERDICT_CODE, self.code().cast_unsigned());
                if let Some(chain) = self.chain() {
                    w.string(NFTA_VERDICT_CHAIN, chain.as_str());
                }
            });
        });
    }

    /// Reads the payload of `NFTA_DATA_VERDICT`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_VERDICT_CHAIN>::read(reader)?;
        let code = need!(f.u32(NFTA_VERDICT_CODE)).cast_signed();
        if matches!(code, NFT_JUMP | NFT_GOTO) {
            let chain = ChainName::from_kernel(&need!(f.name(NFTA_VERDICT_CHAIN)));
            return Ok(if code == NFT_JUMP { Self::Jump(chain) } else { Self::Goto(chain) });
        }
        if f.attr(NFTA_VERDICT_CHAIN).is_some() {
            return Err(AttrError::Unexpected { kind: NFTA_VERDICT_CHAIN });
        }
        Ok(match code {
            NF_ACCEPT => Self::Accept,
            NF_DROP => Self::Drop,
            NFT_CONTINUE => Self::Continue,
            NFT_BREAK => Self::Break,
            NFT_RETURN => Self::Return,
            code => Self::Other(code),
        })
    }
}
