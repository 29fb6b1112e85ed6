//! What a rule compiles to.

use super::AnonymousSet;
use crate::name::{Comment, IpsetName};
use crate::nft::Compat;
use crate::nft::expr::Expr;

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
