//! What labels have counted.
//!
//! Owns: reading the counters of labels, and beginning anew.
//! Never: loses a packet in between: the kernel reads and resets a counter at once, and where it cannot (before Linux 6.2)
//! it is left alone and what it had is remembered.

use std::collections::HashMap;

use super::rules::counting_chain;
use super::state::Id;
use super::{RouterError, RouterOptions};
use crate::compile::stock;
use crate::kernel::Kernel;
use crate::name::{ChainName, TableName};
use crate::nft::expr::Counter;
use crate::nft::{self, Rule};
use crate::wrap::TableKind;

/// What a label has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// The label.
    pub label: Id,
    /// Packets and bytes of both families; `None` when somebody has taken the label's chain away. The next update sets it
    /// up again.
    pub counted: Option<Counter>,
}

/// Counters as they were when somebody asked to begin anew, by family and handle; handles are never used again.
#[derive(Debug, Default)]
pub(super) struct Counted(HashMap<(nft::Family, u64), Counter>);

impl Counted {
    /// What a label has counted since it was set up, or since somebody asked with `reset`.
    pub(super) fn read<K: Kernel>(
        &mut self,
        kernel: &mut K,
        label: &str,
        reset: bool,
        options: &RouterOptions,
    ) -> Result<Option<Counter>, RouterError> {
        let table: TableName = TableKind::Filter.table_name();
        let chain = ChainName::new(&format!("{}-{}", options.meter, counting_chain(label)));
        let chain = chain.map_err(super::state::StateError::from)?;
        let mut sum: Option<Counter> = None;
        let families = if options.rules.ipv6 { &[nft::Family::Ip, nft::Family::Ip6][..] } else { &[nft::Family::Ip] };
        for &family in families {
            for rule in kernel.rules(family, &table, Some(&chain))? {
                let Some(counted) = self.read_rule(kernel, rule, reset)? else { continue };
                let sum = sum.get_or_insert_default();
                sum.packets = sum.packets.saturating_add(counted.packets);
                sum.bytes = sum.bytes.saturating_add(counted.bytes);
            }
        }
        Ok(sum)
    }

    fn read_rule<K: Kernel>(
        &mut self,
        kernel: &mut K,
        rule: Rule,
        reset: bool,
    ) -> Result<Option<Counter>, RouterError> {
        let (Some(handle), Some(now)) = (rule.handle, stock::counter(&rule.expressions)) else { return Ok(None) };
        let key = (rule.family, handle);
        let before = self.0.get(&key).copied().unwrap_or_default();
        // Somebody else may have reset it.
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        let since = |now: Counter| Counter {
            packets: since(now.packets, before.packets),
            bytes: since(now.bytes, before.bytes),
        };
        if !reset {
            return Ok(Some(since(now)));
        }
        let read = kernel.rule_and_reset(rule.family, &rule.table, &rule.chain, handle)?;
        match read.and_then(|rule| stock::counter(&rule.expressions)) {
            Some(counted) => {
                self.0.remove(&key);
                Ok(Some(since(counted)))
            }
            None => {
                self.0.insert(key, now);
                Ok(Some(since(now)))
            }
        }
    }
}
