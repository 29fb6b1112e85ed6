//! What the native layout does in another form than its first, and why: every part of the model that needs an xt extension,
//! whether it is new or stands already, and what an application reports beside.

use std::collections::{BTreeMap, HashSet};

use nftwrap::apply::Fallback;
use nftwrap::compile::native;
use nftwrap::layout::Layout;
use nftwrap::wrap::{Model, TableId};
use nftwrap_compat::print;
use nftwrap_compat::translate::AnySet;
use serde_json::{Value, json};

/// All of them; none in the layout of iptables, which has one form only.
#[derive(Debug, Default)]
pub(crate) struct Fallbacks {
    extensions: Vec<Extension>,
    others: Vec<Fallback>,
}

/// A match or target that stays an xt extension.
#[derive(Debug)]
struct Extension {
    part: &'static str,
    reason: &'static str,
    /// How many rules have it, and the first of them.
    rules: usize,
    table: TableId,
    first: String,
}

/// Looks at the model's rules; `reported` is what an application or plan says.
pub(crate) fn find(model: &Model, layout: &Layout, reported: &[Fallback]) -> Fallbacks {
    if *layout == Layout::Iptables {
        return Fallbacks::default();
    }
    let others = reported.iter().filter(|fallback| !matches!(fallback, Fallback::Extension { .. })).cloned();
    Fallbacks { extensions: extensions(model), others: others.collect() }
}

fn extensions(model: &Model) -> Vec<Extension> {
    let mut found: BTreeMap<(&str, &str), Extension> = BTreeMap::new();
    for table in model.tables() {
        let id = table.id();
        // Rules of equal text are one value.
        let mut plain = HashSet::new();
        for chain in table.chains() {
            for rule in chain.rules().map(|entry| entry.rule()) {
                if plain.contains(rule) {
                    continue;
                }
                // A rule that has no program is an error of its own.
                let parts = native::fallbacks(rule, id.family, &AnySet).unwrap_or_default();
                if parts.is_empty() {
                    plain.insert(rule);
                }
                for part in parts {
                    let extension = found.entry((part.part, part.reason)).or_insert_with(|| Extension {
                        part: part.part,
                        reason: part.reason,
                        rules: 0,
                        table: id,
                        first: format!("-A {} {}", chain.name(), print::rule(rule, id.family)),
                    });
                    extension.rules += 1;
                }
            }
        }
    }
    found.into_values().collect()
}

impl Fallbacks {
    /// How many rules need an extension; one that needs two counts twice.
    pub(crate) fn rules(&self) -> usize {
        self.extensions.iter().map(|extension| extension.rules).sum()
    }

    /// The features that the kernel lacks.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let feature = |fallback: &Fallback| match fallback {
            Fallback::Feature { missing, .. } => Some(*missing),
            _ => None,
        };
        self.others.iter().filter_map(feature).collect()
    }

    /// One line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let extensions = self.extensions.iter().map(|Extension { part, reason, rules, table, first }| match rules {
            1 => format!("xt extension {part}, as {reason}: {table} {first}"),
            _ => format!("xt extension {part}, as {reason}: {rules} rules, the first {table} {first}"),
        });
        self.others.iter().map(ToString::to_string).chain(extensions).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let others = self.others.iter().map(|fallback| match fallback {
            Fallback::Feature { missing, instead } => json!({ "kind": "feature", "part": missing, "reason": instead }),
            Fallback::Table { table, part, reason } => json!({
                "kind": "table",
                "part": part,
                "reason": reason,
                "family": nftwrap::nft::Family::from(table.family).name(),
                "table": table.kind.name(),
            }),
            Fallback::Unfolded { table, chain, rules } => json!({
                "kind": "unfolded",
                "reason": "as many sets as the table may have",
                "rules": rules,
                "family": nftwrap::nft::Family::from(table.family).name(),
                "table": table.kind.name(),
                "chain": chain.as_str(),
            }),
            other => json!({ "kind": "other", "reason": other.to_string() }),
        });
        let extensions = self.extensions.iter().map(|Extension { part, reason, rules, table, first }| {
            json!({
                "kind": "xt",
                "part": part,
                "reason": reason,
                "rules": rules,
                "family": nftwrap::nft::Family::from(table.family).name(),
                "table": table.kind.name(),
                "first": first,
            })
        });
        others.chain(extensions).collect()
    }
}
