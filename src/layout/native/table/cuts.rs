//! Chains with rules that are too long for one kernel rule.
//!
//! Owns: what is too long, and the chains in which a chain that has such a rule goes on.
//! Never: cuts a chain that several components share: what others have there would be cut off. Such a rule is refused.
//!
//! The kernel takes 128 expressions and 4 KiB of them in a rule (`NFT_RULE_MAXEXPRS`, `nf_tables_newrule`). A rule can ask
//! more, as every match may be given again. It becomes several, each with some of the matches: `A and B -> target` becomes
//! `A jump C/part` with `B target` there. When the target leaves the chain (RETURN, goto), that would not be enough; then
//! the chain `C` with the rules `before`, `A and B -> target`, `after` becomes
//!
//! ```text
//! C:       before; A goto C/part; goto C/after
//! C/part:  B target; goto C/after
//! C/after: after
//! ```
//!
//! As gotos count for the kernel's limit of nested chains, only [`MAX_LEAVING`] parts can so be in a chain.
//!
//! Invariant: rules that are no longer than [`MAX_EXPRESSIONS`] stand in one kernel rule, with room for a lookup.
//!
//! How it is tested: `tests/native/long.rs`, on the packet machine and on the running kernel.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::{ChainIx, RuleId, Table, inconsistent};
use crate::compile::{CompileError, Ipsets, Program};
use crate::layout::native::codegen::{self, Code};
use crate::layout::native::error::Error;
use crate::name::ChainName;
use crate::rule::{ChainRef, Family, Match, Rule, Target};
use crate::wrap::{self, ChainKind, RuleKey};

/// The most expressions of a part: what else a rule asks of sets takes some twenty.
const MAX_EXPRESSIONS: usize = 100;
/// The most bytes of a part.
const MAX_SIZE: usize = 3400;

/// The most parts of rules that leave a chain, of sixteen levels that chains can be nested.
const MAX_LEAVING: usize = 10;

/// Up to so many matches are never too long: the longest of them, a conntrack match with everything, has about forty
/// expressions, any other eight.
const SHORT: usize = 10;

/// Expressions and bytes of a comment that is a match.
const COMMENT: (usize, usize) = (1, 200);

/// Rules by their place.
type Placed = Vec<(RuleKey, Arc<Rule>)>;

/// Whether a rule could be too long, told by its matches alone.
fn may_be_long(rule: &Rule) -> bool {
    let weight = |m: &Match| if matches!(m, Match::Conntrack(_)) { 5 } else { 1 };
    rule.matches.len() > 1 && rule.matches.iter().map(weight).sum::<usize>() > SHORT
}

/// The parts of a rule that is too long, all without a target but the last.
fn parts(rule: &Rule, family: Family, ipsets: &dyn Ipsets) -> Result<Option<Vec<Rule>>, CompileError> {
    if !may_be_long(rule) {
        return Ok(None);
    }
    let mut program = Program::default();
    let mut cost = |rule: &Rule| {
        codegen::write(rule, None, &Code::Plain, family, ipsets, &mut program)?;
        Ok::<_, CompileError>((program.expressions.len(), program.size()))
    };
    let bare = |matches| Rule { protocol: rule.protocol, matches, ..Rule::new() };
    let none = cost(&bare(Vec::new()))?;
    let target = Rule { protocol: rule.protocol, target: rule.target.clone(), ..Rule::new() };
    let mut sum = cost(&Rule { matches: Vec::new(), ..rule.clone() })?;
    let mut parts = vec![Rule { matches: Vec::new(), target: None, ..rule.clone() }];
    // The comment that goes to user data costs nothing there, and belongs to the rule as a whole.
    let comment = rule.matches.iter().rposition(|m| matches!(m, Match::Comment(_)));
    let asked = rule.matches.iter().enumerate().filter(|(at, _)| Some(*at) != comment).map(|(_, m)| m);
    for m in asked {
        let alone = match m {
            Match::Comment(_) => COMMENT,
            m => {
                let (expressions, bytes) = cost(&bare(vec![m.clone()]))?;
                (expressions.saturating_sub(none.0), bytes.saturating_sub(none.1))
            }
        };
        let next = (sum.0 + alone.0, sum.1 + alone.1);
        let full = next.0 > MAX_EXPRESSIONS || next.1 > MAX_SIZE;
        if full && parts.last().is_some_and(|part| !part.matches.is_empty()) {
            parts.push(bare(Vec::new()));
            let end = cost(&target)?;
            sum = (end.0 + alone.0, end.1 + alone.1);
        } else {
            sum = next;
        }
        if let Some(part) = parts.last_mut() {
            part.matches.push(m.clone());
        }
    }
    if parts.len() == 1 {
        return Ok(None);
    }
    if let Some(last) = parts.last_mut() {
        last.target.clone_from(&rule.target);
        last.matches.extend(comment.and_then(|at| rule.matches.get(at)).cloned());
    }
    Ok(Some(parts))
}

/// Whether a rule's target leaves the chain for where it was called from.
fn leaves(rule: &Rule) -> bool {
    matches!(rule.target, Some(Target::Return | Target::Goto(_)))
}

fn goto(rule: Rule, chain: ChainName) -> Arc<Rule> {
    Arc::new(Rule { target: Some(Target::Goto(ChainRef::Named(chain))), ..rule })
}

fn jump(rule: Rule, chain: ChainName) -> Arc<Rule> {
    Arc::new(Rule { target: Some(Target::Jump(ChainRef::Named(chain))), ..rule })
}

impl Table {
    /// Refuses a rule that has no program; one that is too long has several.
    pub(super) fn check_rule(
        &self,
        rule: &Rule,
        common: bool,
        ipsets: &dyn Ipsets,
        program: &mut Program,
    ) -> Result<(), CompileError> {
        let mut write =
            |rule: &Rule| codegen::write(rule, None, &Code::Plain, self.id.family, ipsets, program).map(drop);
        match parts(rule, self.id.family, ipsets)? {
            Some(parts) if !common => parts.iter().try_for_each(write),
            _ => write(rule),
        }
    }

    /// Refuses a chain with more rules that are too long, and leave it, than chains can be nested.
    pub(super) fn check_cuts(&self, chain: &wrap::Chain, ipsets: &dyn Ipsets) -> Result<(), Error> {
        let may_leave = |rule: &Rule| leaves(rule) && may_be_long(rule);
        let added = match self.edits(chain) {
            Some(edits) => edits.added().any(|entry| may_leave(entry.rule())),
            None => true,
        };
        if !added {
            return Ok(());
        }
        let mut count = 0;
        for entry in chain.rules().filter(|entry| may_leave(entry.rule())) {
            let parts = parts(entry.rule(), self.id.family, ipsets).ok().flatten();
            count += parts.map_or(0, |parts| parts.len());
            if count > MAX_LEAVING {
                let field = "parts of long rules that return or go elsewhere";
                let (table, chain, line) = (self.id, chain.name().clone(), entry.line());
                let source = CompileError::TooMany { field, count, max: MAX_LEAVING };
                return Err(Error::Rule { table, chain, line, rule: entry.rule().clone(), source });
            }
        }
        Ok(())
    }

    /// Takes over a chain that has, or had, a rule that is too long. Returns false when it never had one.
    pub(super) fn edit_cut(
        &mut self,
        ix: ChainIx,
        chain: Option<&wrap::Chain>,
        ipsets: &dyn Ipsets,
    ) -> Result<bool, Error> {
        let Some(chain_name) = self.graph.at(ix).map(|node| node.name.clone()) else { return Ok(false) };
        let whole = |chain: &&wrap::Chain| !self.setup.is_common(chain.kind());
        let long = |entry: &wrap::Entry| may_be_long(entry.rule());
        let chain = chain.filter(whole);
        let known = self.cuts.contains_key(&ix);
        let may_cut = match chain.map(|chain| (chain, self.edits(chain))) {
            Some((_, Some(edits))) => edits.added().any(long),
            Some((chain, None)) => chain.rules().any(long),
            None => false,
        };
        if !known && !may_cut {
            return Ok(false);
        }
        let mut pieces = match chain {
            Some(chain) => self.cut(chain, ipsets)?,
            None => Vec::new(),
        };
        if !known && pieces.len() < 2 {
            return Ok(false);
        }
        if pieces.is_empty() {
            pieces.push((chain_name, Vec::new()));
        }
        let before = self.cuts.remove(&ix).unwrap_or_default();
        let mut now = Vec::with_capacity(pieces.len());
        let mut wanted: Vec<(ChainIx, BTreeMap<RuleKey, Arc<Rule>>)> = Vec::with_capacity(pieces.len());
        for (at, (name, rules)) in pieces.into_iter().enumerate() {
            let piece = self.graph.number(&name);
            if at > 0 {
                self.chains.entry(piece).or_default().kind = Some(ChainKind::Wrapped);
                now.push(piece);
            }
            wanted.push((piece, rules.into_iter().collect()));
        }
        for gone in before.into_iter().filter(|piece| !now.contains(piece)) {
            if let Some(state) = self.chains.get_mut(&gone) {
                state.kind = None;
            }
            wanted.push((gone, BTreeMap::new()));
        }
        // First what goes, of all: a piece can have been below another one that it is above now.
        wanted.iter().for_each(|(ix, rules)| self.take_away(*ix, rules));
        wanted.iter().for_each(|(ix, rules)| self.replace(*ix, rules.iter().map(|(key, rule)| (*key, rule))));
        if !now.is_empty() {
            self.cuts.insert(ix, now);
        }
        Ok(true)
    }

    /// The chain, and those it goes on in.
    fn cut(&self, chain: &wrap::Chain, ipsets: &dyn Ipsets) -> Result<Vec<(ChainName, Placed)>, Error> {
        let mut done: Vec<(ChainName, Placed)> = Vec::new();
        let mut pieces: Vec<(ChainName, Placed)> = Vec::new();
        let mut open: (ChainName, Placed) = (chain.name().clone(), Vec::new());
        let mut long: Vec<&Rule> = Vec::new();
        let mut rules = chain.keyed_rules().peekable();
        while let Some((key, entry)) = rules.next() {
            let cut = parts(entry.rule(), self.id.family, ipsets).map_err(|_| inconsistent())?;
            let Some(mut parts) = cut else {
                open.1.push((key, entry.rule().clone()));
                continue;
            };
            // Names by what the rule says, so that they stay when others come and go.
            let earlier = long.iter().filter(|other| **other == &**entry.rule()).count();
            long.push(entry.rule());
            let mut number = 0;
            let mut name = || {
                number += 1;
                let name = self.setup.names.rest(&(chain.name().as_str(), entry.rule(), earlier, number));
                name.ok_or_else(inconsistent)
            };
            let last = parts.pop().map(Arc::new);
            if !leaves(entry.rule()) {
                // Each part stands in a chain of its own and leads to the next.
                let mut from: Option<(ChainName, Placed)> = None;
                for rule in parts {
                    let next = name()?;
                    from.as_mut().unwrap_or(&mut open).1.push((key, jump(rule, next.clone())));
                    pieces.extend(from.replace((next, Vec::new())));
                }
                from.as_mut().unwrap_or(&mut open).1.extend(last.map(|last| (key, last)));
                pieces.extend(from);
                continue;
            }
            let after = if rules.peek().is_some() { Some(name()?) } else { None };
            let go_on = |open: &mut (ChainName, Placed)| {
                let on = after.clone().map(|after| (RuleKey::MAX, goto(Rule::new(), after)));
                open.1.extend(on);
            };
            for rule in parts {
                let next = name()?;
                open.1.push((key, goto(rule, next.clone())));
                go_on(&mut open);
                done.push(mem::replace(&mut open, (next, Vec::new())));
            }
            open.1.extend(last.map(|last| (key, last)));
            go_on(&mut open);
            if let Some(after) = after {
                done.push(mem::replace(&mut open, (after, Vec::new())));
            }
        }
        // The chain itself comes first.
        done.push(open);
        done.append(&mut pieces);
        Ok(done)
    }

    /// Takes away what a chain has besides these rules.
    fn take_away(&mut self, ix: ChainIx, wanted: &BTreeMap<RuleKey, Arc<Rule>>) {
        let Some(state) = self.chains.get(&ix) else { return };
        let stays = |(key, id): (RuleKey, RuleId)| {
            let known = self.rules.at(id)?;
            (wanted.get(&key) == Some(&known.rule)).then(|| (key, known.rule.clone()))
        };
        let rules: Vec<_> = state.rules.iter().filter_map(stays).collect();
        self.replace(ix, rules.iter().map(|(key, rule)| (*key, rule)));
        self.listed.insert(ix);
        self.dirty.insert(ix);
    }
}
