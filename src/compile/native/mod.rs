//! The encoding of the native layout: nf_tables expressions wherever there are any that mean exactly the same.
//!
//! Owns: [`compile`] (rule to program), [`lift`] (program to rule) and [`fallbacks`] (the parts that stay xt
//! extensions, each with its reason). One file a match and target, compiling and lifting side by side.
//! Never: trades a packet for a nicer expression. Where nft comes close but not all the way (an inverted owner, address
//! types of IPv6, an added MSS option), the xt extension is used and reported.
//!
//! Invariant: `compile(lift(p)) == p` for each `p` that `compile` wrote. `lift(compile(rule))` is the rule in normal
//! form: `-m conntrack --ctstate` reads as `-m state --state`, one port of `-m multiport` as the protocol's own match,
//! ports of a list are sorted, `-j CT --notrack` reads as `-j NOTRACK`, a comment comes last.
//!
//! Where iptables-nft itself is native (addresses, ports, marks, limit) its semantics are the measure: a packet too
//! short for its ports does not match, where legacy drops it. Ports of later fragments are the exception: iptables-nft
//! reads them in the fragment's data, here as in legacy such a fragment has none (`matches/ports.rs`).
//!
//! Where the truth is: `net/netfilter/xt_*.c` against `net/netfilter/nft_*.c` (Linux v6.12); `compat/tests/native.rs` has both
//! forms of a rule count the same packets.

mod base;
mod condition;
pub mod lead;
mod lift;
mod matches;
mod targets;
#[cfg(test)]
mod tests;

pub use lead::Lead;
pub use lift::lift;

use super::stock::Extension;
use super::{AnonymousSet, CompileError, Ipsets, Program, bound};
use crate::nft::Compat;
use crate::nft::expr::{Counter, Expr, SetRef};
use crate::rule::{Family, Match, Not, Protocol, Rule};
use condition::Condition;

/// A part of a rule that needs an xt extension in this encoding, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// The match or target, by its iptables name.
    pub part: &'static str,
    /// Why no native expression does.
    pub reason: &'static str,
    /// The names of the tables in which the kernel takes the extension; empty when it takes it in all. A table of the
    /// native layout has another name, so that a rule with such a part cannot stand there.
    pub tables: &'static [&'static str],
}

/// What a part became.
enum Form {
    Native,
    /// Nothing was written: the xt extension is needed, for this reason.
    Xt(&'static str),
}

/// Compiles a rule. `out` is emptied first and used again.
///
/// A counter is only written when there is one; it stands just before the verdict or target.
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
    write(rule, family, counter, &Lead::default(), sets, out).map(drop)
}

/// Compiles a rule that is led by something else than its own words between its matches and its target.
///
/// # Errors
/// As [`compile`].
pub fn compile_led(
    rule: &Rule,
    family: Family,
    lead: &Lead<'_>,
    sets: &dyn Ipsets,
    out: &mut Program,
) -> Result<Vec<Fallback>, CompileError> {
    write(rule, family, None, lead, sets, out)
}

/// The parts of a rule that [`compile`] leaves to xt extensions.
///
/// # Errors
/// As [`compile`].
pub fn fallbacks(rule: &Rule, family: Family, sets: &dyn Ipsets) -> Result<Vec<Fallback>, CompileError> {
    write(rule, family, None, &Lead::default(), sets, &mut Program::default())
}

fn write(
    rule: &Rule,
    family: Family,
    counter: Option<Counter>,
    lead: &Lead<'_>,
    sets: &dyn Ipsets,
    out: &mut Program,
) -> Result<Vec<Fallback>, CompileError> {
    out.clear();
    let whole = rule.fragment.is_some_and(|asked| asked.negated);
    let mut w = Writer { family, protocol: rule.protocol, sets, out, lead, whole, fallbacks: Vec::new() };
    base::compile(rule, &mut w)?;
    let comment = rule.matches.iter().rposition(|m| matches!(m, Match::Comment(c) if c.as_str().len() <= COMMENT_MAX));
    for (at, m) in rule.matches.iter().enumerate() {
        match m {
            Match::Comment(text) if Some(at) == comment => w.out.comment = Some(text.clone()),
            m => matches::compile(m, &mut w)?,
        }
    }
    w.out.expressions.extend_from_slice(lead.expressions);
    w.out.expressions.extend(counter.map(Expr::Counter));
    if let Some(target) = &rule.target {
        targets::compile(target, &mut w)?;
    }
    let fallbacks = w.fallbacks;
    let (count, size) = (out.expressions.len(), out.size());
    if count > Program::MAX_EXPRESSIONS {
        return Err(CompileError::TooMany { field: "expressions of a rule", count, max: Program::MAX_EXPRESSIONS });
    }
    if size > Program::MAX_SIZE {
        return Err(CompileError::TooMany { field: "bytes of a rule", count: size, max: Program::MAX_SIZE });
    }
    if !fallbacks.is_empty() {
        let protocol = rule.protocol.unwrap_or(Not::is(Protocol::ALL));
        out.compat = Some(Compat { protocol: u32::from(protocol.value.0), inverted: protocol.negated });
    }
    Ok(fallbacks)
}

/// Where the kernel takes an extension: `.table` in `xt_CHECKSUM.c`, `xt_CT.c` and `xt_nat.c`, `rpfilter_check`.
fn tables(part: &str) -> &'static [&'static str] {
    match part {
        "CHECKSUM" => &["mangle"],
        "CT" => &["raw"],
        "DNAT" => &["nat"],
        "rpfilter" => &["raw", "mangle"],
        _ => &[],
    }
}

/// What fits the user data of a rule: 256 bytes with two of header and the NUL.
const COMMENT_MAX: usize = 253;

/// A program being written, and what the parts of a rule need to know besides themselves.
struct Writer<'a> {
    family: Family,
    protocol: Option<Not<Protocol>>,
    sets: &'a dyn Ipsets,
    out: &'a mut Program,
    lead: &'a Lead<'a>,
    /// What was written holds for no later fragment.
    whole: bool,
    fallbacks: Vec<Fallback>,
}

impl Writer<'_> {
    fn test(&mut self, condition: Condition) {
        // A load that is not of the fast path looks for itself.
        if let Some(fast) = condition.field.transport() {
            if fast && !self.whole {
                self.out.expressions.push(matches::unfragmented());
            }
            self.whole = true;
        }
        condition.write(&mut self.out.expressions);
    }

    /// Appends an expression in the form in which a dump shows it.
    fn push(&mut self, expr: Expr) {
        self.out.expressions.push(expr.normalized());
    }

    /// Adds an anonymous set, which `build` makes for the id it is given.
    fn set(&mut self, build: impl FnOnce(u32) -> AnonymousSet) -> SetRef {
        let id = u32::try_from(self.out.sets.len()).unwrap_or(u32::MAX).saturating_add(1);
        let set = build(id);
        let reference = set.reference();
        self.out.sets.push(set);
        reference
    }

    /// Refuses a part that only exists in the other family.
    fn only(&self, family: Family, field: &'static str) -> Result<(), CompileError> {
        bound::only(self.family, family, field)
    }

    /// Refuses a rule that is not bound to one of these protocols.
    fn needs(&self, protocols: &[Protocol], field: &'static str, reason: &'static str) -> Result<(), CompileError> {
        bound::needs(self.protocol, protocols, field, reason)
    }

    /// Writes a match or target as the xt extension that the stock encoding uses.
    fn xt(&mut self, part: &'static str, extension: &Extension<'_>, reason: &'static str) -> Result<(), CompileError> {
        extension.compile(self.family, self.protocol, self.sets, &mut self.out.expressions)?;
        self.fallbacks.push(Fallback { part, reason, tables: tables(part) });
        Ok(())
    }
}
