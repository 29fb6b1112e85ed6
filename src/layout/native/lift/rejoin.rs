//! Chains that go on in others, because a rule was too long for the kernel, as one again.
//!
//! Owns: the inverse of `table/cuts.rs`.
//! Never: joins what another layout or program has made: the names are the compiler's own.

use std::collections::{HashMap, VecDeque};
use std::mem;

use super::super::names::is_rest;
use super::{LiftedChain, LiftedRule};
use crate::name::ChainName;
use crate::rule::{ChainRef, Rule, Target};

/// Puts chains that others go on in where they belong.
pub(super) fn rejoin(chains: &mut Vec<LiftedChain>) {
    let mut rests: HashMap<ChainName, Vec<LiftedRule>> = HashMap::new();
    for chain in chains.extract_if(.., |chain| is_rest(&chain.name)) {
        rests.insert(chain.name, chain.rules);
    }
    if rests.is_empty() {
        return;
    }
    for chain in chains {
        chain.rules = whole(mem::take(&mut chain.rules), &mut rests);
    }
}

/// The rules as they were before they were cut.
fn whole(rules: Vec<LiftedRule>, rests: &mut HashMap<ChainName, Vec<LiftedRule>>) -> Vec<LiftedRule> {
    let mut rules = VecDeque::from(rules);
    let mut joint = Vec::with_capacity(rules.len());
    while let Some(mut rule) = rules.pop_front() {
        if let Some(after) = leads_on(&rule).filter(|_| asks_nothing(&rule)).and_then(|name| rests.remove(name)) {
            rules = after.into();
            continue;
        }
        while let Some(part) = leads_on(&rule).and_then(|name| rests.remove(name)?.into_iter().next()) {
            rule = joined(rule, part);
        }
        joint.push(rule);
    }
    joint
}

/// The chain that a rule goes on in.
fn leads_on(rule: &LiftedRule) -> Option<&ChainName> {
    match &rule.rule.as_ref().ok()?.target {
        Some(Target::Jump(ChainRef::Named(name)) | Target::Goto(ChainRef::Named(name))) if is_rest(name) => Some(name),
        _ => None,
    }
}

/// Whether a rule leads to what came after a long one. The first part of that one asks something.
fn asks_nothing(rule: &LiftedRule) -> bool {
    rule.rule.as_ref().is_ok_and(|rule| rule.matches.is_empty())
}

/// Two parts of a rule. The second has the target, and the mark of the rule.
fn joined(first: LiftedRule, second: LiftedRule) -> LiftedRule {
    let rule = match (first.rule, second.rule) {
        (Ok(first), Ok(second)) => {
            let matches = first.matches.into_iter().chain(second.matches).collect();
            Ok(Rule { matches, target: second.target, ..first })
        }
        (Err(opaque), _) | (_, Err(opaque)) => Err(opaque),
    };
    LiftedRule { rule, ..second }
}
