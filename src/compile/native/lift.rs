//! From a register program back to the rule.
//!
//! Owns: the walk over a program, and what is known of it on the way (the protocol, the anonymous sets).
//! Never: guesses: an expression that the compiler would not have written there makes the whole program opaque.
//!
//! Invariant: what lifts compiles to the same program again (the form of the rule may be another: see
//! [the encoding](super)).

use super::condition::{Condition, Test};
use super::{base, matches, targets};
use crate::compile::stock::Extension;
use crate::compile::{AnonymousSet, Ipsets, Opaque, Program};
use crate::nft::expr::{Expr, SetRef};
use crate::rule::{Family, Match, Protocol, Rule};

/// Reads a program as a rule. Anonymous sets are found in [`Program::sets`] by id, or by their place when the kernel
/// has named them (`__set0` is the first).
///
/// # Errors
/// [`Opaque`] when there is an expression that [`compile`](super::compile) would not have written there.
pub fn lift(program: &Program, family: Family, ipsets: &dyn Ipsets) -> Result<Rule, Opaque> {
    let mut l = Lift { family, rule: Rule::new(), guard: false, sets: &program.sets, ipsets, lookups: 0 };
    let mut rest = program.expressions.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let at = program.expressions.len() - rest.len();
        let opaque = |reason| Opaque { at, name: first.name().to_owned(), reason };
        if l.rule.target.is_some() {
            return Err(opaque("nothing can follow a verdict or target"));
        }
        // What follows it says what the rule asks.
        if *first == matches::unfragmented() && !matches!(after.first(), Some(Expr::Cmp(_))) {
            rest = after;
            continue;
        }
        if let Some(condition) = Condition::read(&mut rest) {
            if base::lift(&condition, &mut l).is_none() {
                matches::lift(&condition, &mut l).ok_or_else(|| opaque("no iptables match asks this"))?;
            }
            continue;
        }
        match first {
            Expr::Counter(_) => rest = after,
            Expr::Limit(limit) => {
                let limit = matches::lift_limit(limit).ok_or_else(|| opaque("no iptables limit is so"))?;
                l.rule.matches.push(Match::Limit(limit));
                rest = after;
            }
            Expr::Match(_) | Expr::Target(_) => {
                match Extension::lift(first, family, l.rule.protocol, ipsets) {
                    Some(Ok(Extension::Match(m))) => l.rule.matches.push(m.into_owned()),
                    Some(Ok(Extension::Target(t))) => l.rule.target = Some(t.into_owned()),
                    Some(Err(reason)) => return Err(opaque(reason)),
                    None => return Err(opaque("no xt extension")),
                }
                rest = after;
            }
            _ => l.rule.target = Some(targets::lift(&mut rest, family).ok_or_else(|| opaque("no iptables target"))?),
        }
    }
    l.rule.matches.extend(program.comment.clone().map(Match::Comment));
    Ok(l.rule)
}

/// A rule being read.
pub(super) struct Lift<'a> {
    pub(super) family: Family,
    pub(super) rule: Rule,
    /// The last match was only asked for the presence of its header.
    pub(super) guard: bool,
    sets: &'a [AnonymousSet],
    pub(super) ipsets: &'a dyn Ipsets,
    lookups: usize,
}

impl Lift<'_> {
    /// The protocol that the rule is bound to.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        self.rule.protocol.filter(|p| !p.negated).map(|p| p.value)
    }

    /// The set that a condition looks its field up in.
    pub(super) fn set(&mut self, c: &Condition) -> Option<(bool, AnonymousSet)> {
        let Test::Lookup { negated, set: SetRef { id, .. } } = &c.test else { return None };
        let plain = !c.hton && c.mask.is_none();
        let found = match *id {
            0 => self.sets.get(self.lookups),
            id => self.sets.iter().find(|s| s.id == id),
        };
        self.lookups += 1;
        found.filter(|_| plain).map(|set| (*negated, set.clone()))
    }

    pub(super) fn push(&mut self, m: Match) -> Option<()> {
        self.guard = false;
        self.rule.matches.push(m);
        Some(())
    }
}
