//! What a rule compiles to.

use crate::name::{Comment, IpsetName};
use crate::nft::Compat;
use crate::nft::expr::{Data, Expr};

/// A rule as the kernel takes it, apart from its place.
///
/// It is meant to be used again: [`clear`](Program::clear) keeps the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// `NFTA_RULE_EXPRESSIONS`.
    pub expressions: Vec<Expr>,
    /// `NFTA_RULE_COMPAT`.
    pub compat: Option<Compat>,
    /// The comment that goes to the rule's user data.
    pub comment: Option<Comment>,
    /// The anonymous sets that the expressions name, native encoding only. Each must be declared before the rule.
    pub sets: Vec<AnonymousSet>,
}

impl Program {
    /// Most expressions in a rule, `NFT_RULE_MAXEXPRS`.
    pub const MAX_EXPRESSIONS: usize = 128;

    /// Empties it for the next rule.
    pub fn clear(&mut self) {
        self.expressions.clear();
        self.compat = None;
        self.comment = None;
        self.sets.clear();
    }
}

/// A set that lives and dies with one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousSet {
    /// `NFTA_SET_ID`: unique in the program; whoever sends it makes it unique in the batch, in
    /// [`SetRef::id`](crate::nft::expr::SetRef::id) as well.
    pub id: u32,
    /// `NFTA_SET_KEY_TYPE`: nft's number for the type of the key; only `nft` reads it.
    pub key_type: u32,
    /// `NFTA_SET_KEY_LEN`, bytes.
    pub key_len: u32,
    /// `NFT_SET_INTERVAL`: the elements are the ends of ranges.
    pub interval: bool,
    /// The elements in the order they are sent.
    pub elements: Vec<SetElement>,
}

/// An element of an [`AnonymousSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetElement {
    /// `NFTA_SET_ELEM_KEY`.
    pub key: Data,
    /// `NFT_SET_ELEM_INTERVAL_END`: the first key after a range.
    pub interval_end: bool,
}

/// The numbers of ipsets. A rule that names a set holds its number, and the number lasts as long as the set.
pub trait Ipsets {
    /// The number of the set with this name.
    fn index(&self, name: &IpsetName) -> Option<u16>;

    /// The name of the set with this number.
    fn name(&self, index: u16) -> Option<IpsetName>;
}

/// [`Ipsets`] of a host that has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIpsets;

impl Ipsets for NoIpsets {
    fn index(&self, _: &IpsetName) -> Option<u16> {
        None
    }

    fn name(&self, _: u16) -> Option<IpsetName> {
        None
    }
}
