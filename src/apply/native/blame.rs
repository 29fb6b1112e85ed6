//! Where in the model a refused operation comes from.
//!
//! Owns: the way from a kernel chain and a rule back to the chain, number and line that the user wrote.
//! Never: guesses: what cannot be found keeps the kernel's names.
//!
//! How it is tested: below, and with a refused body in `tests.rs`.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Location, Operation};
    use crate::kernel::Errno;
    use crate::rule::{Family, Rule};
    use crate::wrap::{Addition, TableKind};

    #[test]
    fn a_rule_is_found_where_it_was_written() {
        let mut model = Model::builder().component("c".parse().unwrap()).build().unwrap();
        let table = TableId::new(Family::Ipv6, TableKind::Filter);
        let filter = model.table_mut(table.family, table.kind).unwrap();
        filter.add_chain("$a").unwrap();
        filter.add_rule("$a", Rule::new().tcp().accept()).unwrap();
        filter.add_rule("$a", Addition::new(Rule::new().udp().accept()).line(9)).unwrap();
        let rule = filter.chain("$a").unwrap().rules().nth(1).unwrap().rule().clone();
        let chain = |name| Some(ChainName::new(name).unwrap());
        let location = Location { table, chain: chain("c/4"), rule: Some(1), line: None };
        let (operation, errno) = (Operation::AddRule, Errno::INVAL);
        let refusal = Refusal { operation, location, set: None, rule: Some(rule), errno, text: None, expression: None };
        let mut found = refusal.clone();
        find(&mut found, &model, None, &Pending::default());
        assert_eq!(found.location, Location { table, chain: chain("c-a"), rule: Some(2), line: Some(9) });
        let mut lost = Refusal { rule: None, ..refusal };
        find(&mut lost, &model, None, &Pending::default());
        assert_eq!((lost.location.chain, lost.location.rule), (chain("c/4"), Some(1)));
    }
}
