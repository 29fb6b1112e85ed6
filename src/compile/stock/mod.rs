//! The encoding that iptables-nft 1.8.9 writes, so that its tools read our tables and we theirs.
//!
//! Owns: [`compile`] (rule to program), [`lift`] (program to rule) and [`normalize`] (what two programs are compared by).
//! One file a match and target, each with the extension's C struct, its encoding and its reading side by side.
//! Never: uses an expression that iptables-nft does not know: one such hides the whole table from it.
//!
//! Invariant: a table written by us and the same text loaded by `iptables-nft-restore` dump the same expressions. Where
//! we differ, on purpose:
//! - A comment that is the rule's last match goes to user data, where `iptables-nft-save` prints it at that very place;
//!   the 256-byte xt match is kept for comments elsewhere and for those that do not fit.
//! - `! -s 0.0.0.0/0` and `! -d ::/0` are a mask of nothing that must differ from zero, which no packet does and which
//!   iptables prints as it was written. It cannot write them itself (it asks for a load of no bytes: EINVAL).
//! - `! --dport 0:65535` is a range test that never holds. 1.8.9 leaves it out, so that its rule matches everything.
//! - `-i +` and `-o +` leave nothing behind; 1.8.9 loads the name and does not look at it.
//! - A contiguous or odd mask of `--ctorigsrc` and its like is kept; 1.8.9 makes a host of an odd one.
//! - The NFLOG prefix is kept in full; 1.8.9 cuts it to 63 bytes.
//!
//! Where the truth is: `iptables/nft.c`, `iptables/nft-shared.c`, `iptables/nft-ipv4.c` (iptables 1.8.9), the uapi
//! headers `linux/netfilter/xt_*.h`, and `tests/stock.rs`, which compares with what that iptables writes.

mod base;
mod info;
mod matches;
mod normal;
mod targets;
mod test;
#[cfg(test)]
mod tests;

pub use normal::{Normal, normalize};

use std::borrow::Cow;

use super::{CompileError, Ipsets, Opaque, Program, bound};
use crate::name::Comment;
use crate::nft::Compat;
use crate::nft::expr::{Counter, Expr, Immediate, Operand};
use crate::rule::{Family, Match, Not, Protocol, Rule, Target};

/// What the parts of a rule need to know besides themselves.
struct Context<'a> {
    family: Family,
    protocol: Option<Not<Protocol>>,
    sets: &'a dyn Ipsets,
}

impl Context<'_> {
    /// Refuses a part that only exists in the other family.
    fn only(&self, family: Family, field: &'static str) -> Result<(), CompileError> {
        bound::only(self.family, family, field)
    }

    /// Refuses a rule that is not bound to one of these protocols.
    fn needs(&self, protocols: &[Protocol], field: &'static str, reason: &'static str) -> Result<(), CompileError> {
        bound::needs(self.protocol, protocols, field, reason)
    }
}

/// Compiles a rule. `out` is emptied first and used again.
///
/// There is always a counter, just before the verdict or target; `counter` are its values, zero when `None`.
///
/// # Errors
/// [`CompileError`] when a part of the rule does not exist in this family, does not fit the kernel's structs, or names
/// a set that does not exist.
pub fn compile(
    rule: &Rule,
    family: Family,
    counter: Option<Counter>,
    sets: &dyn Ipsets,
    out: &mut Program,
) -> Result<(), CompileError> {
    out.clear();
    let context = Context { family, protocol: rule.protocol, sets };
    base::compile(rule, family, &mut out.expressions)?;
    let last = rule.matches.len().wrapping_sub(1);
    for (at, m) in rule.matches.iter().enumerate() {
        match m {
            Match::Comment(comment) if at == last && fits_userdata(comment) => out.comment = Some(comment.clone()),
            m => matches::compile(m, &context, &mut out.expressions)?,
        }
    }
    out.expressions.push(Expr::Counter(counter.unwrap_or_default()));
    if let Some(target) = &rule.target {
        out.expressions.push(targets::compile(target, &context)?);
    }
    let count = out.expressions.len();
    if count > Program::MAX_EXPRESSIONS {
        return Err(CompileError::TooMany { field: "expressions of a rule", count, max: Program::MAX_EXPRESSIONS });
    }
    // iptables-nft sends it with every rule. Only xt extensions are checked against it (`nft_compat.c`), and no dump has it.
    if out.expressions.iter().any(|e| matches!(e, Expr::Match(_) | Expr::Target(_))) {
        let protocol = rule.protocol.unwrap_or(Not::is(Protocol::ALL));
        out.compat = Some(Compat { protocol: u32::from(protocol.value.0), inverted: protocol.negated });
    }
    Ok(())
}

/// The longest comment for which the user data has room in every case: `NFT_USERDATA_MAXLEN` without the two bytes
/// before the comment, its NUL, and our own mark with the longest component name.
const USERDATA_COMMENT_MAX: usize = 256 - 3 - (2 + 2 + crate::name::WrapName::MAX);

fn fits_userdata(comment: &Comment) -> bool {
    comment.as_str().len() <= USERDATA_COMMENT_MAX
}

/// Reads a program as a rule. `comment` is the one of the user data; it becomes the last match.
///
/// Beside iptables' own forms it takes those native ones that iptables-nft reads: protocol from the header, ranges as
/// two comparisons, interface names padded to their full length.
///
/// # Errors
/// [`Opaque`] when there is an expression that no iptables rule has.
pub fn lift(
    expressions: &[Expr],
    comment: Option<&Comment>,
    family: Family,
    sets: &dyn Ipsets,
) -> Result<Rule, Opaque> {
    let mut rule = Rule::new();
    let mut rest = expressions;
    while let Some((first, after)) = rest.split_first() {
        let opaque = |reason| Opaque { at: expressions.len() - rest.len(), name: first.name().to_owned(), reason };
        if rule.target.is_some() {
            return Err(opaque("nothing can follow a verdict or target"));
        }
        let context = Context { family, protocol: rule.protocol, sets };
        rest = match first {
            Expr::Counter(_) => after,
            _ if test::is_idle_load(rest) => after,
            Expr::Match(m) => {
                rule.matches.push(matches::lift(m, &context).map_err(opaque)?);
                after
            }
            Expr::Limit(limit) => {
                rule.matches.push(matches::lift_limit(limit).map_err(opaque)?);
                after
            }
            Expr::Target(_) | Expr::Log(_) | Expr::Immediate(Immediate { data: Operand::Verdict(_), .. }) => {
                rule.target = Some(targets::lift(first, &context).map_err(opaque)?);
                after
            }
            Expr::Meta(_) | Expr::Payload(_) => {
                let (test, after) = test::Test::read(rest).map_err(opaque)?;
                if !base::lift(&test, family, &mut rule).map_err(opaque)? {
                    matches::lift_test(&test, &context, &mut rule.matches).map_err(opaque)?;
                }
                after
            }
            _ => return Err(opaque("no iptables rule has it")),
        };
    }
    rule.matches.extend(comment.cloned().map(Match::Comment));
    Ok(rule)
}

/// The counter of a program.
#[must_use]
pub fn counter(expressions: &[Expr]) -> Option<Counter> {
    expressions.iter().find_map(|e| if let Expr::Counter(counter) = e { Some(*counter) } else { None })
}

/// A part of a rule that an xt extension stands for.
pub(in crate::compile) enum Extension<'a> {
    Match(Cow<'a, Match>),
    Target(Cow<'a, Target>),
}

impl Extension<'_> {
    /// Appends it as this encoding has it: the native one borrows what nft has no expression for.
    pub(in crate::compile) fn compile(
        &self,
        family: Family,
        protocol: Option<Not<Protocol>>,
        sets: &dyn Ipsets,
        out: &mut Vec<Expr>,
    ) -> Result<(), CompileError> {
        let context = Context { family, protocol, sets };
        match self {
            Self::Match(m) => matches::compile(m, &context, out)?,
            Self::Target(t) => out.push(targets::compile(t, &context)?),
        }
        Ok(())
    }

    /// Reads an xt extension; `None` when the expression is none.
    pub(in crate::compile) fn lift(
        expr: &Expr,
        family: Family,
        protocol: Option<Not<Protocol>>,
        sets: &dyn Ipsets,
    ) -> Option<Result<Extension<'static>, &'static str>> {
        let context = Context { family, protocol, sets };
        match expr {
            Expr::Match(m) => Some(matches::lift(m, &context).map(|m| Extension::Match(Cow::Owned(m)))),
            Expr::Target(_) => Some(targets::lift(expr, &context).map(|t| Extension::Target(Cow::Owned(t)))),
            _ => None,
        }
    }
}
