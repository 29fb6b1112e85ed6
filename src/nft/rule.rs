//! Rules.

use super::Family;
use super::expr::Expr;
use super::uapi::*;
use crate::name::{ChainName, TableName};
use crate::netlink::attr::Writer;

/// A rule of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_RULE_TABLE`.
    pub table: TableName,
    /// `NFTA_RULE_CHAIN`.
    pub chain: ChainName,
    /// `NFTA_RULE_HANDLE`; set by the kernel, or naming the rule to replace or delete.
    pub handle: Option<u64>,
    /// `NFTA_RULE_POSITION`: in a request the handle of the rule to stand before (insert) or after (append); in a dump
    /// the handle of the rule before this one.
    pub position: Option<u64>,
    /// `NFTA_RULE_EXPRESSIONS`.
    pub expressions: Vec<Expr>,
    /// `NFTA_RULE_COMPAT`: what xt extensions check the rule's protocol against.
    pub compat: Option<Compat>,
    /// `NFTA_RULE_USERDATA`, at most 256 bytes.
    pub userdata: Option<Box<[u8]>>,
}

/// `NFTA_RULE_COMPAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compat {
    /// `NFTA_RULE_COMPAT_PROTO`: layer-4 protocol, 0 for any.
    pub protocol: u32,
    /// `NFTA_RULE_COMPAT_FLAGS`, `NFT_RULE_COMPAT_F_INV` (2): any protocol but this one.
    pub inverted: bool,
}

impl Compat {
    fn encode(self, w: &mut Writer<'_>) {
        w.nest(NFTA_RULE_COMPAT, |w| {
            w.u32_be(NFTA_RULE_COMPAT_PROTO, self.protocol);
            w.u32_be(NFTA_RULE_COMPAT_FLAGS, if self.inverted { NFT_RULE_COMPAT_F_INV } else { 0 });
        });
    }
}

/// Writes the attributes of a message about a rule from its parts, so that no [`Rule`] has to be built for it.
///
/// `expressions` writes the list elements of `NFTA_RULE_EXPRESSIONS`. Empty `userdata` is left out.
#[inline]
#[allow(clippy::too_many_arguments, reason = "one argument an attribute; the caller has no struct of them")]
pub fn encode_parts(
    w: &mut Writer<'_>,
    table: &str,
    chain: &str,
    handle: Option<u64>,
    position: Option<u64>,
    expressions: impl FnOnce(&mut Writer<'_>),
    compat: Option<Compat>,
    userdata: &[u8],
) {
    w.string(NFTA_RULE_TABLE, table);
    w.string(NFTA_RULE_CHAIN, chain);
    if let Some(handle) = handle {
        w.u64_be(NFTA_RULE_HANDLE, handle);
    }
    if let Some(position) = position {
        w.u64_be(NFTA_RULE_POSITION, position);
    }
    if !userdata.is_empty() {
        w.bytes(NFTA_RULE_USERDATA, userdata);
    }
    w.nest(NFTA_RULE_EXPRESSIONS, expressions);
    if let Some(compat) = compat {
        compat.encode(w);
    }
}
