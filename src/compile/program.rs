//! What a rule compiles to.

use super::AnonymousSet;
use crate::name::{Comment, IpsetName, SetName};
use crate::nft::Compat;
use crate::nft::expr::{Bitwise, BitwiseOp, Cmp, CmpOp, Expr, Match, Target};

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

    /// Most bytes that the kernel keeps of a rule's expressions: `dlen` of `struct nft_rule` has twelve bits.
    pub const MAX_SIZE: usize = (1 << 12) - 1;

    /// How many bytes the kernel keeps of the expressions, at the most: the `select_ops` and `ops.size` of each, with room
    /// for what other versions add.
    #[must_use]
    pub fn size(&self) -> usize {
        self.expressions.iter().map(size).sum()
    }

    /// Empties it for the next rule.
    pub fn clear(&mut self) {
        self.expressions.clear();
        self.compat = None;
        self.comment = None;
        self.sets.clear();
    }
}

/// Bytes of an expression in a rule: eight for its operations, and its own data.
fn size(expression: &Expr) -> usize {
    8 + match expression {
        // `NFT_MATCH_LARGE_THRESH`: a larger one has its data elsewhere.
        Expr::Match(Match { info, .. }) => info.len().next_multiple_of(8).min(192),
        Expr::Target(Target { info, .. }) => info.len().next_multiple_of(8),
        // `nft_bitwise_fast_ops`, `nft_cmp_fast_ops`: four bytes in place of sixteen.
        Expr::Bitwise(Bitwise { len: 4, op: BitwiseOp::MaskXor { .. }, .. }) => 24,
        Expr::Bitwise(_) => 80,
        Expr::Cmp(Cmp { op: CmpOp::Eq | CmpOp::Neq, data, .. }) if data.as_bytes().len() <= 4 => 24,
        Expr::Cmp(_) | Expr::Immediate(_) => 40,
        Expr::Range(_) => 48,
        Expr::Payload(_) | Expr::Meta(_) | Expr::Ct(_) | Expr::Fib(_) | Expr::Exthdr(_) | Expr::Byteorder(_) => 16,
        _ => 64,
    }
}

/// What sets are that rules name. Most are ipsets: a rule that names one holds its number, and the number lasts as long as
/// the set. In the native encoding a name can mean a set of the rule's own table.
pub trait Ipsets {
    /// The number of the set with this name.
    fn index(&self, name: &IpsetName) -> Option<u16>;

    /// The name of the set with this number.
    fn name(&self, index: u16) -> Option<IpsetName>;

    /// The set of the rule's own table with this name, which no ipset hides.
    fn set(&self, _name: &IpsetName) -> Option<SetName> {
        None
    }

    /// The inverse of [`set`](Ipsets::set).
    fn named(&self, _set: &str) -> Option<IpsetName> {
        None
    }
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
