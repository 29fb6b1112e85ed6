//! A view as iptables-save text.

use std::fmt::Write;

use nftwrap::nft::listing;
use nftwrap::rule::{ChainRef, Family};
use nftwrap::wrap::Builtin;

use super::{ChainView, TableView, View};
use crate::print::{self, SaveChain, SaveRule};

impl View {
    /// The text that `iptables-save` prints for this family, without its lines of date and version. With `counters`,
    /// rules carry theirs. A rule that no iptables text has is a comment line with its expressions.
    #[must_use]
    pub fn save(&self, family: Family, counters: bool) -> String {
        let mut out = String::new();
        for table in self.tables.iter().filter(|t| t.id.family == family) {
            save_table(&mut out, table, counters);
        }
        out
    }
}

fn save_table(out: &mut String, table: &TableView, counters: bool) {
    let named = |chain: &ChainView| ChainRef::Named(chain.name.clone());
    let names: Vec<(ChainRef, &ChainView)> = table.chains.iter().map(|c| (named(c), c)).collect();
    // iptables lists the built-in chains of a table also when the kernel does not have them yet. In the native layout they
    // would be made by whoever applies the text.
    let missing: Vec<ChainRef> = table
        .id
        .kind
        .builtins()
        .iter()
        .filter(|_| table.native.is_none())
        .filter(|b: &&Builtin| !table.chains.iter().any(|c| c.name.as_str() == b.name))
        .filter_map(|b| ChainRef::new(b.name).ok())
        .collect();
    let count = |chain: &ChainView| chain.counters.map_or((0, 0), |c| (c.packets, c.bytes));
    let mut chains: Vec<SaveChain<'_>> = names
        .iter()
        .map(|(name, chain)| SaveChain {
            name,
            policy: chain.base.as_ref().map(|b| b.policy.unwrap_or(nftwrap::nft::Policy::Accept)),
            counters: count(chain),
        })
        .collect();
    chains.extend(missing.iter().map(|name| SaveChain {
        name,
        policy: Some(nftwrap::nft::Policy::Accept),
        counters: (0, 0),
    }));
    let hook = |name: &str| table.id.kind.builtins().iter().position(|b| b.name == name).unwrap_or(usize::MAX);
    chains.sort_by_key(|c| hook(c.name.name().as_str()));
    let rules = names.iter().flat_map(|(name, chain)| chain.rules.iter().map(move |rule| (name, rule)));
    let known = rules.clone().filter_map(|(chain, view)| {
        let counters = view.counter.filter(|_| counters).map(|c| (c.packets, c.bytes));
        view.rule.as_ref().ok().map(|rule| SaveRule { chain, rule, counters })
    });
    if table.native.is_some() {
        let _ = writeln!(out, "# table {}", table.name);
    }
    print::table_into(out, table.id.family, table.id.kind.name(), chains, known);
    for (chain, view) in rules {
        if let Err(opaque) = &view.rule {
            let program = listing::compact(&view.expressions);
            let _ = writeln!(
                out,
                "# rule of chain {chain} that iptables has no words for ({opaque}): {program}",
                chain = chain.name()
            );
        }
    }
}
