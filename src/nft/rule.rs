//! Rules.

use super::Family;
use super::expr::{self, Expr};
use super::message::named;
use super::uapi::*;
use crate::name::{ChainName, TableName};
use crate::netlink::attr::{AttrError, Reader, Writer, required};

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

impl Rule {
    /// Writes the attributes of a message about this rule.
    pub fn encode(&self, w: &mut Writer<'_>) {
        encode_parts(
            w,
            self.table.as_str(),
            self.chain.as_str(),
            self.handle,
            self.position,
            |w| expr::encode_list(&self.expressions, w),
            self.compat,
            self.userdata.as_deref().unwrap_or_default(),
        );
    }

    /// Reads the attributes of a message about a rule.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, or table or chain is missing.
    pub fn decode(family: Family, attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut table, mut chain, mut handle, mut position) = (None, None, None, None);
        let (mut expressions, mut compat, mut userdata) = (Vec::new(), None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_RULE_TABLE => table = Some(named(&attribute, TableName::from_kernel)?),
                NFTA_RULE_CHAIN => chain = Some(named(&attribute, ChainName::from_kernel)?),
                NFTA_RULE_HANDLE => handle = Some(attribute.u64_be()?),
                NFTA_RULE_POSITION => position = Some(attribute.u64_be()?),
                NFTA_RULE_EXPRESSIONS => expressions = expr::decode_list(attribute.attrs())?,
                NFTA_RULE_COMPAT => compat = Some(Compat::decode(attribute.attrs())?),
                NFTA_RULE_USERDATA if !attribute.payload.is_empty() => userdata = Some(attribute.payload.into()),
                _ => {}
            }
        }
        let table = required(table, NFTA_RULE_TABLE, "NFTA_RULE_TABLE")?;
        let chain = required(chain, NFTA_RULE_CHAIN, "NFTA_RULE_CHAIN")?;
        Ok(Self { family, table, chain, handle, position, expressions, compat, userdata })
    }
}

impl Compat {
    fn decode(attributes: Reader<'_>) -> Result<Self, AttrError> {
        let mut compat = Self { protocol: 0, inverted: false };
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_RULE_COMPAT_PROTO => compat.protocol = attribute.u32_be()?,
                NFTA_RULE_COMPAT_FLAGS => compat.inverted = attribute.u32_be()? & NFT_RULE_COMPAT_F_INV != 0,
                _ => {}
            }
        }
        Ok(compat)
    }

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
