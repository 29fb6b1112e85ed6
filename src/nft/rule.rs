//! Rules.

use super::Family;
use super::expr::Expr;
use crate::name::{ChainName, TableName};

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
