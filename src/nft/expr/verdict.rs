//! Verdicts: what happens to the packet, or where evaluation goes on.

use crate::name::ChainName;

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
