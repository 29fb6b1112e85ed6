//! The form in which two rules are compared.

use super::matches;
use super::test::is_idle_load;
use crate::name::Comment;
use crate::nft::expr::{Counter, Expr, Match};
use crate::rule::{self, Family};

/// A program without what may differ between two writings of the same rule.
///
/// `NFTA_RULE_COMPAT` is no part of it: the kernel checks it and forgets it, so a dump has none, and it follows from
/// the protocol that the expressions test.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Normal {
    /// The expressions: counters zeroed, xt comments and idle loads left out, bytes that nobody looks at cleared.
    pub expressions: Vec<Expr>,
    /// The comments: xt matches in their order, then that of the user data.
    pub comments: Vec<Comment>,
}

/// Brings a program, compiled or dumped, into the form in which it can be compared.
#[must_use]
pub fn normalize(expressions: &[Expr], comment: Option<&Comment>, family: Family) -> Normal {
    let mut normal = Normal { expressions: Vec::with_capacity(expressions.len()), comments: Vec::new() };
    for (at, expr) in expressions.iter().enumerate() {
        match expr {
            Expr::Meta(_) if is_idle_load(expressions.get(at..).unwrap_or_default()) => {}
            Expr::Counter(_) => normal.expressions.push(Expr::Counter(Counter::default())),
            Expr::Match(m) => match matches::lift_comment(m) {
                Some(comment) => normal.comments.push(comment),
                None => normal.expressions.push(Expr::Match(cleared(m, family))),
            },
            expr => normal.expressions.push(expr.clone()),
        }
    }
    normal.comments.extend(comment.cloned());
    normal
}

fn cleared(m: &Match, family: rule::Family) -> Match {
    let info = matches::clear_dead_mask_bytes(m, family).unwrap_or_else(|| m.info.clone());
    Match { name: m.name.clone(), revision: m.revision, info }
}
