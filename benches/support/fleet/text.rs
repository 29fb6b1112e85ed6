//! A host and its changes in the languages of the tools.

use std::collections::BTreeMap;

use super::{Chain, Edit, Fleet, Hook, Instance, Line};

/// What stands for `{P}` with the stock tools.
pub(crate) fn kernel_prefix(fleet: Fleet) -> String {
    format!("{}-", fleet.shape.component())
}

/// Writes lines with `{P}` replaced.
struct Page<'a> {
    prefix: &'a str,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, parts: &[&str]) {
        for part in parts {
            let mut rest = *part;
            while let Some((before, after)) = rest.split_once("{P}") {
                self.text.push_str(before);
                self.text.push_str(self.prefix);
                rest = after;
            }
            self.text.push_str(rest);
        }
        self.text.push('\n');
    }

    fn rules(&mut self, chain: &Chain) {
        for rule in &chain.rules {
            self.line(&["-A ", &chain.name, " ", &rule.iptables]);
        }
    }
}

/// The whole host for `iptables-restore`; `prefix` is `$` for nftwrap.
pub(crate) fn save(fleet: Fleet, prefix: &str) -> String {
    let mut page = Page { prefix, text: String::new() };
    let instances: Vec<Instance> = (1..=fleet.instances).map(|number| fleet.instance(number)).collect();
    for table in fleet.shape.tables() {
        page.line(&["*", table.name]);
        for (base, _) in &table.bases {
            page.line(&[":", base, " ACCEPT [0:0]"]);
        }
        let own = || instances.iter().flat_map(|one| &one.chains).filter(|chain| chain.table == table.name);
        for chain in table.chains.iter().copied().chain(own().map(|chain| chain.name.as_str())) {
            page.line(&[":", chain, " - [0:0]"]);
        }
        for (chain, rule) in &table.rules {
            page.line(&["-A ", chain, " ", &rule.iptables]);
        }
        own().for_each(|chain| page.rules(chain));
        for hook in instances.iter().flat_map(|one| &one.hooks).filter(|hook| hook.table == table.name) {
            page.line(&["-A ", hook.chain, " ", &hook.rule.iptables]);
        }
        page.line(&["COMMIT"]);
    }
    page.text
}

/// Changes for `iptables-restore --noflush`, in the form that costs the tool least: rules deleted and replaced one by one.
pub(crate) fn restore(fleet: Fleet, edits: &[Edit]) -> String {
    let prefix = kernel_prefix(fleet);
    let mut page = Page { prefix: &prefix, text: String::new() };
    for table in fleet.shape.tables() {
        let here = |name: &str| name == table.name;
        let mut parts = [const { Vec::new() }; 4];
        let [declare, clear, delete, fill] = &mut parts;
        for edit in edits {
            match edit {
                Edit::Add(instance) => {
                    declare.extend(
                        instance.chains.iter().filter(|c| here(c.table)).map(|c| format!(":{} - [0:0]", c.name)),
                    );
                    for chain in instance.chains.iter().filter(|c| here(c.table)) {
                        fill.extend(chain.rules.iter().map(|rule| format!("-A {} {}", chain.name, rule.iptables)));
                    }
                    let hooks = instance.hooks.iter().filter(|h| here(h.table));
                    fill.extend(hooks.map(|hook| format!("-A {} {}", hook.chain, hook.rule.iptables)));
                }
                Edit::Remove(instance) => {
                    let hooks = instance.hooks.iter().filter(|h| here(h.table));
                    clear.extend(hooks.map(|hook| format!("-D {} {}", hook.chain, hook.rule.iptables)));
                    clear.extend(instance.chains.iter().filter(|c| here(c.table)).map(|c| format!("-F {}", c.name)));
                    delete.extend(instance.chains.iter().filter(|c| here(c.table)).map(|c| format!("-X {}", c.name)));
                }
                Edit::Change { chain, index } if here(chain.table) => {
                    let rule = chain.rules.get(*index).map_or("", |rule| rule.iptables.as_str());
                    fill.push(format!("-R {} {} {rule}", chain.name, index + 1));
                }
                Edit::Change { .. } => {}
            }
        }
        if parts.iter().any(|part| !part.is_empty()) {
            page.line(&["*", table.name]);
            parts.iter().flatten().for_each(|line| page.line(&[line]));
            page.line(&["COMMIT"]);
        }
    }
    page.text
}

/// The rule for nft, or `None` when nf_tables cannot say it.
fn native(rule: &Line) -> Option<&str> {
    rule.nft.as_deref()
}

/// The whole host for `nft -f`: rule for rule, or with a verdict map in the place of each chain of hooks.
///
/// `None` when nf_tables has no match for a rule, or the shape has no such map.
pub(crate) fn nft(fleet: Fleet, maps: bool) -> Option<String> {
    let prefix = kernel_prefix(fleet);
    let mut page = Page { prefix: &prefix, text: String::new() };
    let instances: Vec<Instance> = (1..=fleet.instances).map(|number| fleet.instance(number)).collect();
    for table in fleet.shape.tables() {
        if maps && table.maps.is_empty() {
            return None;
        }
        let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (chain, rule) in &table.rules {
            rules.entry(chain).or_default().push(native(rule)?);
        }
        for hook in instances.iter().flat_map(|one| &one.hooks).filter(|hook| hook.table == table.name && !maps) {
            rules.entry(hook.chain).or_default().push(native(&hook.rule)?);
        }
        page.line(&["table ip ", table.name, " {"]);
        // A chain must be there before a jump to it.
        for chain in &table.chains {
            page.line(&["chain ", chain, " { }"]);
        }
        for chain in instances.iter().flat_map(|one| &one.chains).filter(|chain| chain.table == table.name) {
            page.line(&["chain ", &chain.name, " {"]);
            for rule in &chain.rules {
                page.line(&[native(rule)?]);
            }
            page.line(&["}"]);
        }
        for (chain, key, lookup) in table.maps.iter().filter(|_| maps) {
            page.line(&["map ", &map_name(chain), " { type ", key, " : verdict; elements = {"]);
            for hook in instances.iter().flat_map(|one| &one.hooks).filter(|hook| hook.chain == *chain) {
                let (key, verdict) = hook.element.as_ref()?;
                page.line(&[key, " : ", verdict, ","]);
            }
            page.line(&["} }"]);
            page.line(&["chain ", chain, " { ", lookup, " @", &map_name(chain), "; }"]);
        }
        let bases = table.bases.iter().map(|(base, hook)| (*base, *hook));
        for (chain, hook) in table.chains.iter().map(|chain| (*chain, "")).chain(bases) {
            page.line(&["chain ", chain, " {"]);
            page.line(&[hook]);
            rules.get(chain).into_iter().flatten().for_each(|rule| page.line(&[rule]));
            page.line(&["}"]);
        }
        page.line(&["}"]);
    }
    Some(page.text)
}

fn map_name(chain: &str) -> String {
    chain.replace("{P}", "to-")
}

/// Changes for `nft -f`. A changed chain is flushed and filled; rules of other chains are deleted by the handles that
/// `handle` knows; with maps there are none.
pub(crate) fn nft_edits(
    fleet: Fleet,
    edits: &[Edit],
    maps: bool,
    mut handle: impl FnMut(&Hook) -> Option<u64>,
) -> Option<String> {
    let prefix = kernel_prefix(fleet);
    let mut page = Page { prefix: &prefix, text: String::new() };
    let mut last = Vec::new();
    for edit in edits {
        match edit {
            Edit::Add(instance) => {
                for chain in &instance.chains {
                    page.line(&["add chain ip ", chain.table, " ", &chain.name]);
                    fill(&mut page, chain)?;
                }
                for hook in &instance.hooks {
                    let Hook { table, chain, rule, element, .. } = hook;
                    if maps {
                        let (key, verdict) = element.as_ref()?;
                        page.line(&["add element ip ", table, " ", &map_name(chain), " { ", key, " : ", verdict, " }"]);
                    } else {
                        page.line(&["add rule ip ", table, " ", chain, " ", native(rule)?]);
                    }
                }
            }
            Edit::Remove(instance) => {
                for hook in &instance.hooks {
                    let Hook { table, chain, element, .. } = hook;
                    if maps {
                        let (key, _) = element.as_ref()?;
                        page.line(&["delete element ip ", table, " ", &map_name(chain), " { ", key, " }"]);
                    } else {
                        let handle = handle(hook)?.to_string();
                        page.line(&["delete rule ip ", table, " ", chain, " handle ", &handle]);
                    }
                }
                for chain in &instance.chains {
                    page.line(&["flush chain ip ", chain.table, " ", &chain.name]);
                    last.push(format!("delete chain ip {} {}", chain.table, chain.name));
                }
            }
            Edit::Change { chain, .. } => {
                page.line(&["flush chain ip ", chain.table, " ", &chain.name]);
                fill(&mut page, chain)?;
            }
        }
    }
    last.iter().for_each(|line| page.line(&[line]));
    Some(page.text)
}

fn fill(page: &mut Page<'_>, chain: &Chain) -> Option<()> {
    for rule in &chain.rules {
        page.line(&["add rule ip ", chain.table, " ", &chain.name, " ", native(rule)?]);
    }
    Some(())
}

/// A name as the stock tools know it.
pub(crate) fn prefixed(fleet: Fleet, text: &str) -> String {
    text.replace("{P}", &kernel_prefix(fleet))
}
