//! A view as JSON.

use nftwrap::nft::{Policy, listing};
use nftwrap::wrap::TableId;
use serde_json::{Value, json};

use super::{ChainView, RuleView, View};
use crate::print;

impl View {
    /// Tables, chains and rules with their texts, counters, handles and owners.
    #[must_use]
    pub fn json(&self) -> Value {
        let tables = self.tables.iter().map(|table| {
            let family = nftwrap::nft::Family::from(table.id.family).name();
            let chains: Vec<Value> = table.chains.iter().map(|c| chain(c, table.id)).collect();
            let mut value = json!({
                "family": family,
                "table": table.id.kind.name(),
                "kernel_table": table.name.as_str(),
                "layout": if table.native.is_some() { "native" } else { "iptables" },
                "chains": chains,
            });
            if let (Some(native), Some(object)) = (&table.native, value.as_object_mut()) {
                let sets = native
                    .sets
                    .iter()
                    .map(|(set, elements)| json!({ "name": set.name.as_str(), "elements": elements.len() }));
                object.insert("sets".into(), sets.collect());
                object.insert("kernel_chains".into(), native.chains.iter().map(|c| c.name.as_str()).collect());
            }
            value
        });
        json!({ "tables": tables.collect::<Vec<_>>() })
    }
}

fn chain(chain: &ChainView, table: TableId) -> Value {
    let mut value = json!({
        "name": chain.name.as_str(),
        "owner": chain.owner().map(|o| o.as_str()),
        "rules": chain.rules.iter().map(|r| rule(r, table.family)).collect::<Vec<_>>(),
    });
    if let (Some(body), Some(object)) = (&chain.body, value.as_object_mut()) {
        object.insert("kernel_chain".into(), body.name.as_str().into());
        object.insert("sharing".into(), body.sharing.into());
    }
    if let (Some(base), Some(object)) = (&chain.base, value.as_object_mut()) {
        let builtin = table.kind.builtins().iter().find(|b| b.hook as u32 == base.hook);
        // A hook that iptables does not use in this table has its number.
        let hook = builtin.map_or_else(|| base.hook.into(), |b| b.name.to_lowercase().into());
        object.insert("hook".into(), hook);
        object.insert("priority".into(), base.priority.into());
        object.insert("type".into(), (*base.kind).into());
        object.insert("packets".into(), chain.counters.map(|c| c.packets).into());
        object.insert("bytes".into(), chain.counters.map(|c| c.bytes).into());
        object.insert("policy".into(), base.policy.map(|p| if p == Policy::Accept { "ACCEPT" } else { "DROP" }).into());
    }
    value
}

fn rule(view: &RuleView, family: nftwrap::rule::Family) -> Value {
    let mut value = json!({
        "handle": view.handle,
        "owner": view.owner().map(|o| o.as_str()),
        "packets": view.counter.map(|c| c.packets),
        "bytes": view.counter.map(|c| c.bytes),
    });
    if let Some(object) = value.as_object_mut() {
        if let Some(set) = &view.set {
            object.insert("set".into(), set.as_str().into());
        }
        match &view.rule {
            Ok(rule) => object.insert("rule".into(), print::rule(rule, family).into()),
            Err(opaque) => {
                object.insert("expressions".into(), listing::compact(&view.expressions).to_string().into());
                object.insert("opaque".into(), opaque.to_string().into())
            }
        };
    }
    value
}
