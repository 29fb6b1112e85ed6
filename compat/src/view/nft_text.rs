//! A view as nft commands.

use std::fmt::Write;

use nftwrap::nft::{BaseChain, Family, Policy, listing};

use super::{ChainView, RuleView, TableView, View, native};
use crate::translate;

impl View {
    /// The tables as `nft` would list them, each rule in nft's words. A rule that nft has no words for is shown by its
    /// register program, as a comment.
    #[must_use]
    pub fn nft(&self) -> String {
        let mut out = String::new();
        for table in &self.tables {
            let family = Family::from(table.id.family).name();
            if let Some(form) = &table.native {
                native::print(&mut out, table, form);
                continue;
            }
            let _ = writeln!(out, "table {family} {} {{", table.id.kind);
            for (number, chain) in table.chains.iter().enumerate() {
                if number > 0 {
                    out.push('\n');
                }
                print_chain(&mut out, table, chain);
            }
            out.push_str("}\n");
        }
        out
    }
}

fn print_chain(out: &mut String, table: &TableView, chain: &ChainView) {
    let _ = writeln!(out, "\tchain {} {{", chain.name);
    if let Some(base) = &chain.base {
        print_hook(out, table, base);
    }
    for rule in &chain.rules {
        let _ = writeln!(out, "\t\t{}", text(table, rule));
    }
    out.push_str("\t}\n");
}

/// Type, hook, priority and policy of a base chain.
pub(super) fn print_hook(out: &mut String, table: &TableView, base: &BaseChain) {
    let builtins = table.id.kind.builtins();
    let hook = builtins
        .iter()
        .find(|b| b.hook as u32 == base.hook)
        .map_or_else(|| base.hook.to_string(), |b| b.name.to_lowercase());
    let policy = if base.policy == Some(Policy::Drop) { "drop" } else { "accept" };
    let _ = writeln!(out, "\t\ttype {} hook {hook} priority {}; policy {policy};", base.kind, base.priority);
}

fn text(table: &TableView, view: &RuleView) -> String {
    let words = |rule| translate::statement(rule, table.id.family, view.counter).map_err(|reason| reason.to_string());
    let words = view.rule.as_ref().map_err(ToString::to_string).and_then(words);
    words.unwrap_or_else(|reason| format!("# {} # {reason}", listing::compact(&view.expressions)))
}
