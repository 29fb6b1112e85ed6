//! A plan as a difference for people, and as JSON.

use std::collections::HashMap;
use std::fmt::Write;

use nftwrap::apply::{Change, Identity, NativeChange, Plan};
use nftwrap::compile::{NoIpsets, stock};
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::layout::native::tlv::{SetTag, Tags};
use nftwrap::name::SetName;
use nftwrap::nft::{self, BaseChain, Element, Policy, Set, TableFlags, listing};
use nftwrap::rule::Family;
use nftwrap::wrap::TableId;
use nftwrap::{Error, Manager};
use nftwrap_compat::print;
use nftwrap_compat::view::{self, View};
use serde_json::{Value, json};

use crate::fallbacks::Fallbacks;
use crate::load::is_take_over;

/// What stands in the tables of the native layout, for a plan that only names it.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    rules: HashMap<(TableId, u64), String>,
    sets: HashMap<(TableId, SetName), SetTag>,
}

impl Standing {
    /// Reads the tables of the manager's group.
    pub(crate) fn read(manager: &mut Manager<Live>) -> Result<Self, Error> {
        let Layout::Native(native) = manager.layout() else { return Ok(Self::default()) };
        let group = native.group.as_ref().or(manager.model().component()).map_or("nftwrap", |name| name.as_str());
        let group = group.to_owned();
        let mut view = View::read(manager.kernel_mut())?;
        view.retain_group(&group);
        let mut standing = Self::default();
        for table in view.tables {
            let Some(form) = table.native else { continue };
            for rule in form.chains.iter().flat_map(|chain| &chain.rules) {
                if let Some(handle) = rule.handle {
                    standing.rules.insert((table.id, handle), view::kernel_rule(rule, table.id.family));
                }
            }
            let tags = form.sets.into_iter().filter_map(|(set, _)| Some(((table.id, set.name.clone()), tag(&set)?)));
            standing.sets.extend(tags);
        }
        Ok(standing)
    }

    /// The same with the sets that a plan makes.
    fn with_new(&self, plan: &Plan) -> HashMap<(TableId, SetName), SetTag> {
        let mut sets = self.sets.clone();
        for change in plan.native() {
            if let NativeChange::AddSet { table, set } = change
                && let Some(tag) = tag(set)
            {
                sets.insert((*table, set.name.clone()), tag);
            }
        }
        sets
    }
}

fn tag(set: &Set) -> Option<SetTag> {
    Tags::of(set.userdata.as_deref()).set
}

/// The plan as a difference: `+` is made, `-` goes, `~` becomes another. What is done in a lesser way follows.
pub(crate) fn diff(plan: &Plan, standing: &Standing, fallbacks: &Fallbacks) -> String {
    let mut out = String::new();
    native_diff(&mut out, plan, standing);
    let mut heading = None;
    for change in plan.changes() {
        let table = change.table();
        if heading != Some(table) {
            heading = Some(table);
            let _ = writeln!(out, "{table}");
        }
        let _ = match change {
            Change::AddTable(_) => writeln!(out, "  + table"),
            Change::AddChain { chain, .. } => writeln!(out, "  + chain {chain}"),
            Change::SetPolicy { chain, base, .. } => writeln!(out, "  ~ chain {chain} policy {}", policy(base)),
            Change::DeleteRule { chain, identity, .. } => {
                writeln!(out, "  - -A {chain}{}", spaced(&text(identity, table.family)))
            }
            Change::AddRule { chain, rule, .. } => {
                writeln!(out, "  + -A {chain}{}", spaced(&print::rule(rule, table.family)))
            }
            Change::FlushChain { chain, .. } => writeln!(out, "  - all rules of chain {chain}"),
            Change::DeleteChain { chain, .. } => writeln!(out, "  - chain {chain}"),
            _ => Ok(()),
        };
    }
    for order in plan.ipsets() {
        for line in order.to_string().lines() {
            let _ = writeln!(out, "  ~ ipset {line}");
        }
    }
    if out.is_empty() {
        out.push_str("nothing to change\n");
    }
    let lines = fallbacks.lines();
    if !lines.is_empty() {
        out.push_str("fallbacks\n");
        lines.iter().for_each(|line| {
            let _ = writeln!(out, "  {line}");
        });
    }
    out
}

fn native_diff(out: &mut String, plan: &Plan, standing: &Standing) {
    if plan.native().iter().all(is_take_over) {
        return;
    }
    let sets = standing.with_new(plan);
    let mut heading = None;
    for change in plan.native() {
        let id = change.table();
        if heading != Some(id) {
            heading = Some(id);
            let _ = writeln!(out, "{id}, native");
        }
        let elements = |out: &mut String, sign: char, set: &SetName, elements: &[Element]| {
            for element in elements {
                let _ = writeln!(out, "  {sign} element {set} {}", words(&sets, id, set, element));
            }
        };
        let _ = match change {
            NativeChange::DeleteTable { name, .. } => writeln!(out, "  - table {name}"),
            NativeChange::AddTable { name, userdata: None, .. } => writeln!(out, "  ~ table {name} gets an owner"),
            NativeChange::AddTable { name, flags, .. } => writeln!(out, "  + table {name}{}", owned(*flags)),
            NativeChange::AddSet { set, .. } => {
                let of = Tags::of(set.userdata.as_deref()).chain;
                let of = of.map(|chain| format!(" of chain {chain}")).unwrap_or_default();
                writeln!(out, "  + {} {}{of}", if set.data.is_some() { "map" } else { "set" }, set.name)
            }
            NativeChange::AddChain { chain, head, .. } => {
                let hook =
                    head.base.as_ref().map(|base| format!(" priority {} policy {}", base.priority, policy(base)));
                writeln!(out, "  + chain {chain}{}", hook.unwrap_or_default())
            }
            NativeChange::SetPolicy { chain, policy, .. } => {
                writeln!(out, "  ~ chain {chain} policy {}", policy_word(*policy))
            }
            NativeChange::FlushChain { chain, .. } => writeln!(out, "  - all rules of chain {chain}"),
            NativeChange::DeleteRule { chain, handle, .. } => {
                let rule = standing.rules.get(&(id, handle.get()));
                writeln!(out, "  - rule {chain}{}", rule.map_or_else(|| format!(" handle {handle}"), |r| spaced(r)))
            }
            NativeChange::AddRule { chain, listing, .. } => {
                let rule = listing.as_ref().map(|l| spaced(&l.0)).unwrap_or_default();
                writeln!(out, "  + rule {chain}{rule}{}", extensions(change))
            }
            NativeChange::DeleteElements { set, elements: gone, .. } => {
                elements(out, '-', set, gone);
                Ok(())
            }
            NativeChange::AddElements { set, elements: new, .. } => {
                elements(out, '+', set, new);
                Ok(())
            }
            NativeChange::DeleteChain { chain, .. } => writeln!(out, "  - chain {chain}"),
            NativeChange::DeleteSet { set, .. } => writeln!(out, "  - set {set}"),
            _ => Ok(()),
        };
    }
}

fn owned(flags: TableFlags) -> &'static str {
    if flags.contains(TableFlags::OWNER) { " with an owner, persistent" } else { "" }
}

/// The parts of a new rule that need an xt extension.
fn extensions(change: &NativeChange) -> String {
    let NativeChange::AddRule { listing: Some(listing), .. } = change else { return String::new() };
    listing.1.iter().fold(String::new(), |text, fallback| format!("{text} (xt {}: {})", fallback.part, fallback.reason))
}

fn words(sets: &HashMap<(TableId, SetName), SetTag>, id: TableId, set: &SetName, element: &Element) -> String {
    match sets.get(&(id, set.clone())) {
        Some(tag) => view::element(tag, id.family, element),
        None => element.key.iter().flatten().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

fn spaced(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text}") }
}

fn text(identity: &Identity, family: Family) -> String {
    match identity {
        Identity::Rule(rule) => print::rule(rule, family),
        Identity::Program(program) => {
            let normal = &program.normal;
            match stock::lift(&normal.expressions, normal.comments.last(), family, &NoIpsets) {
                Ok(rule) => print::rule(&rule, family),
                Err(_) => listing::compact(&normal.expressions).to_string(),
            }
        }
    }
}

fn policy(base: &BaseChain) -> &'static str {
    policy_word(base.policy.unwrap_or(Policy::Accept))
}

fn policy_word(policy: Policy) -> &'static str {
    if policy == Policy::Drop { "DROP" } else { "ACCEPT" }
}

/// The same as JSON.
pub(crate) fn json(plan: &Plan, standing: &Standing, fallbacks: &Fallbacks) -> Value {
    let sets = standing.with_new(plan);
    let native = plan.native().iter().filter(|_| !plan.native().iter().all(is_take_over));
    let native = native.map(|change| native_json(change, standing, &sets));
    let ipsets = plan.ipsets().iter().map(|order| json!({ "operation": "ipset", "order": order.to_string() }));
    let changes: Vec<Value> = native.chain(plan.changes().iter().map(change_json)).chain(ipsets).collect();
    json!({ "changes": changes, "fallbacks": fallbacks.json() })
}

fn native_json(change: &NativeChange, standing: &Standing, sets: &HashMap<(TableId, SetName), SetTag>) -> Value {
    let id = change.table();
    let (operation, detail) = match change {
        NativeChange::DeleteTable { name, .. } => ("delete-table", name.as_str().into()),
        NativeChange::AddTable { name, userdata: None, .. } => ("take-over-table", name.as_str().into()),
        NativeChange::AddTable { name, .. } => ("add-table", name.as_str().into()),
        NativeChange::AddSet { .. } => ("add-set", Value::Null),
        NativeChange::AddChain { .. } => ("add-chain", Value::Null),
        NativeChange::SetPolicy { policy, .. } => ("set-policy", policy_word(*policy).into()),
        NativeChange::FlushChain { .. } => ("flush-chain", Value::Null),
        NativeChange::DeleteRule { handle, .. } => {
            ("delete-rule", standing.rules.get(&(id, handle.get())).map(String::as_str).into())
        }
        NativeChange::AddRule { listing, .. } => ("add-rule", listing.as_ref().map(|l| &*l.0).into()),
        NativeChange::DeleteElements { .. } => ("delete-elements", Value::Null),
        NativeChange::AddElements { .. } => ("add-elements", Value::Null),
        NativeChange::DeleteChain { .. } => ("delete-chain", Value::Null),
        NativeChange::DeleteSet { .. } => ("delete-set", Value::Null),
        _ => ("other", change.to_string().into()),
    };
    let mut value = json!({
        "operation": operation,
        "layout": "native",
        "family": nft::Family::from(id.family).name(),
        "table": id.kind.name(),
        "chain": change.chain().map(|c| c.as_str()),
        "set": change.set().map(|s| s.as_str()),
        "rule": detail,
    });
    let Some(object) = value.as_object_mut() else { return value };
    match change {
        NativeChange::AddElements { set, elements, .. } | NativeChange::DeleteElements { set, elements, .. } => {
            object.insert("elements".into(), elements.iter().map(|element| words(sets, id, set, element)).collect());
        }
        NativeChange::AddRule { listing: Some(listing), .. } => {
            let parts = listing.1.iter().map(|f| json!({ "part": f.part, "reason": f.reason }));
            object.insert("fallbacks".into(), parts.collect());
        }
        _ => {}
    }
    value
}

fn change_json(change: &Change) -> Value {
    let id = change.table();
    let (operation, detail) = match change {
        Change::AddTable(_) => ("add-table", Value::Null),
        Change::AddChain { .. } => ("add-chain", Value::Null),
        Change::SetPolicy { base, .. } => ("set-policy", policy(base).into()),
        Change::DeleteRule { identity, .. } => ("delete-rule", text(identity, id.family).into()),
        Change::AddRule { rule, .. } => ("add-rule", print::rule(rule, id.family).into()),
        Change::FlushChain { .. } => ("flush-chain", Value::Null),
        Change::DeleteChain { .. } => ("delete-chain", Value::Null),
        _ => ("other", Value::Null),
    };
    json!({
        "operation": operation,
        "family": nft::Family::from(id.family).name(),
        "table": id.kind.name(),
        "chain": change.chain().map(|c| c.as_str()),
        "rule": detail,
    })
}
