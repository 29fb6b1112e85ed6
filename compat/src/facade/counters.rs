//! `get_traffic_counters`: what passed the rules of a chain.
//!
//! Owns: the sum over all tables, and what was counted when somebody asked to start from zero.
//! Never: resets a counter in the kernel: others may read it, and packets between reading and resetting would be lost.

use std::collections::HashMap;

use nftwrap::kernel::Kernel;
use nftwrap::name::{ChainName, TableName};
use nftwrap::nft::expr::{Counter, Expr};
use nftwrap::nft::{Family, Rule};

use super::error::FacadeError;
use super::manager::IptablesManager;

/// Counters of rules when they were last read with `zero`, by family, table and handle; handles are never used again.
#[derive(Debug, Default)]
pub(super) struct Zeroed(HashMap<(Family, TableName, u64), Counter>);

impl Zeroed {
    /// What the rule counted since.
    fn since(&self, rule: &Rule, now: Counter) -> Counter {
        let before = rule.handle.and_then(|handle| self.0.get(&(rule.family, rule.table.clone(), handle)));
        let before = before.copied().unwrap_or_default();
        // Somebody else may have reset it.
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Counter { packets: since(now.packets, before.packets), bytes: since(now.bytes, before.bytes) }
    }

    fn note(&mut self, rule: Rule, now: Counter) {
        if let Some(handle) = rule.handle {
            self.0.insert((rule.family, rule.table, handle), now);
        }
    }
}

impl<K: Kernel> IptablesManager<K> {
    /// Packets and bytes that the rules of the chain counted, over all tables that have it; `None` when none has. With
    /// `zero`, the next call starts from here.
    ///
    /// # Errors
    /// [`FacadeError`] when the name cannot be one or the kernel cannot be read.
    pub fn get_traffic_counters(
        &mut self,
        chain: &str,
        wrap: bool,
        zero: bool,
    ) -> Result<Option<Counter>, FacadeError> {
        let mut chains: Vec<(Family, TableName, ChainName)> = Vec::new();
        for table in self.manager.model().tables() {
            let key = self.names.chain(table, chain, wrap)?;
            if table.has_chain(&key)
                && let Some(chain) = table.chain(&key)
            {
                let id = table.id();
                chains.push((id.family.into(), TableName::new(id.kind.name())?, chain.name().clone()));
            }
        }
        if chains.is_empty() {
            return Ok(None);
        }
        let mut sum = Counter::default();
        for (family, table, chain) in chains {
            let rules = self.manager.kernel_mut().rules(family, &table, Some(&chain));
            for rule in rules.map_err(nftwrap::Error::from)? {
                let counter =
                    rule.expressions.iter().find_map(|e| if let Expr::Counter(c) = e { Some(*c) } else { None });
                let Some(now) = counter else { continue };
                let since = self.zeroed.since(&rule, now);
                sum.packets += since.packets;
                sum.bytes += since.bytes;
                if zero {
                    self.zeroed.note(rule, now);
                }
            }
        }
        Ok(Some(sum))
    }
}
