//! Shared chains that are left empty.

use std::collections::{HashMap, HashSet};

use super::plan::Planner;
use super::{ChainRules, Mark, ObservedChain, Owner};
use crate::name::ChainName;
use crate::wrap::TableId;

impl Planner<'_> {
    /// Of these shared chains, those that no component has a rule in any more go, with the jumps to them that all
    /// components share.
    pub(super) fn sweep(&mut self, candidates: Vec<(TableId, ChainName)>) {
        let mut after: HashMap<(TableId, ChainName), Option<ObservedChain>> =
            self.pending.chains.drain(..).map(|(at, name, chain)| ((at, name), chain)).collect();
        let led_to: HashSet<(TableId, ChainName)> = self
            .observed
            .chains()
            .flat_map(|(at, _, chain)| chain.rules.read().unwrap_or_default().iter().map(move |rule| (at, rule)))
            .filter(|(_, rule)| matches!(rule.owner, Owner::Common(_)))
            .filter_map(|(at, rule)| Some((at, rule.identity.target()?.clone())))
            .collect();
        let mut empty: Vec<(TableId, ChainName)> = candidates
            .into_iter()
            .filter(|key| {
                let now = self.observed.table(key.0).and_then(|t| t.chains.get(&key.1));
                let chain = after.get(key).map_or(now, Option::as_ref);
                let is_ours = |c: &ObservedChain| {
                    // One that stood before us has no mark of its own, but the jumps to it have.
                    c.owner == Some(Mark::Common) || (c.owner.is_none() && c.hook.is_none() && led_to.contains(key))
                };
                chain.is_some_and(|c| c.rules.read().is_some_and(<[_]>::is_empty) && is_ours(c))
            })
            .collect();
        empty.sort();
        let mut callers: Vec<_> = self.observed.chains().map(|(at, name, _)| (at, name.clone())).collect();
        callers.retain(|(at, _)| empty.iter().any(|(table, _)| table == at));
        callers.sort();
        for key in callers {
            let now = || self.observed.table(key.0).and_then(|t| t.chains.get(&key.1)).cloned();
            let Some(mut chain) = after.get(&key).cloned().unwrap_or_else(now) else { continue };
            let ChainRules::Read(rules) = &mut chain.rules else { continue };
            let before = rules.len();
            rules.retain(|rule| {
                let target = rule.identity.target().map(|target| (key.0, target.clone()));
                let goes = matches!(rule.owner, Owner::Common(_)) && target.is_some_and(|t| empty.contains(&t));
                if goes {
                    self.delete(key.0, &key.1, rule);
                }
                !goes
            });
            if rules.len() != before {
                after.insert(key, Some(chain));
            }
        }
        for key in empty {
            after.insert(key.clone(), None);
            self.going.push(key);
        }
        self.pending.chains = after.into_iter().map(|((at, name), chain)| (at, name, chain)).collect();
    }
}
