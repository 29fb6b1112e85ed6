//! Where in the model a refused operation comes from.
//!
//! Owns: the way from a kernel chain and a rule back to the chain, number and line that the user wrote.
//! Never: guesses: what cannot be found keeps the kernel's names.
//!
//! How it is tested: `tests/native/basics.rs` has the kernel refuse a rule of a shared chain.

use super::standing::{Pending, Standing};
use crate::error::Refusal;
use crate::name::ChainName;
use crate::wrap::{Chain, Model, TableId};

/// Names chain, number and line of the rule as the model has them.
pub(super) fn find(refusal: &mut Refusal, model: &Model, standing: Option<&Standing>, pending: &Pending) {
    let at = refusal.location.table;
    let Some(kernel_chain) = refusal.location.chain.take() else { return };
    let founder = founder(standing, pending, at, &kernel_chain);
    let named = founder.as_ref().unwrap_or(&kernel_chain);
    if let (Some(rule), Some(table)) = (&refusal.rule, model.table(at.family, at.kind)) {
        let found = |chain: &Chain| {
            let (index, entry) = chain.rules().enumerate().find(|(_, entry)| entry.rule() == rule)?;
            Some((chain.name().clone(), index + 1, entry.line()))
        };
        // The chain that the kernel chain was made for may have other rules by now.
        let found = table.chain(named).and_then(found).or_else(|| table.chains().find_map(found));
        if let Some((chain, number, line)) = found {
            refusal.location.chain = Some(chain);
            refusal.location.rule = Some(number);
            refusal.location.line = line;
            return;
        }
    }
    refusal.location.chain = Some(founder.unwrap_or(kernel_chain));
}

/// The chain that a kernel chain was first made for.
fn founder(standing: Option<&Standing>, pending: &Pending, table: TableId, chain: &ChainName) -> Option<ChainName> {
    let new = pending.chains.iter().find(|(at, name, _)| *at == table && name == chain);
    let new = new.and_then(|(_, _, chain)| chain.as_ref());
    let now = || standing?.tables.get(&table)?.chains.get(chain);
    let comment = new.or_else(now).and_then(|chain| chain.comment.as_ref())?;
    ChainName::new(comment.as_str().strip_prefix("as ")?).ok()
}
