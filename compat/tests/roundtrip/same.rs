//! When a table that was read is the model's.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use nftwrap::compile::{Ipsets, Program, native};
use nftwrap::name::{ChainName, IpsetName};
use nftwrap::rule::{ChainRef, Family, Match, Rule, Target};
use nftwrap::wrap::Model;
use nftwrap_compat::view::View;

/// Every ipset is there; its number is that of its first mention.
struct AnySet;

static MENTIONED: Mutex<Vec<IpsetName>> = Mutex::new(Vec::new());

impl Ipsets for AnySet {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        let mut names = MENTIONED.lock().unwrap();
        let at = names.iter().position(|n| n == name).unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        });
        u16::try_from(at).ok()
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        MENTIONED.lock().unwrap().get(usize::from(index)).cloned()
    }
}

/// A rule in normal form: its text is what is compared.
fn normal(rule: &Rule, family: Family) -> Rule {
    let mut program = Program::default();
    native::compile(rule, family, None, &AnySet, &mut program).unwrap();
    let mut rule = native::lift(&program, family, &AnySet).unwrap_or_else(|error| panic!("{error}: {rule:?}"));
    // Matches stand in the order in which they are asked, which a map changes; a limit counts what the others let through
    // and stays.
    if !rule.matches.iter().any(|m| matches!(m, Match::Limit(_))) {
        rule.matches.sort_by_cached_key(|m| format!("{m:?}"));
    }
    rule
}

type Rules = BTreeMap<ChainName, Vec<(Rule, bool)>>;

/// The same number for chains that say the same: it starts from the kernel chain and is refined by the rules.
fn classes(chains: &Rules, bodies: &HashMap<ChainName, ChainName>) -> HashMap<ChainName, usize> {
    let mut classes: HashMap<ChainName, usize> = HashMap::new();
    let mut numbers: HashMap<&ChainName, usize> = HashMap::new();
    for name in chains.keys() {
        let next = numbers.len();
        classes.insert(name.clone(), *numbers.entry(bodies.get(name).unwrap_or(name)).or_insert(next));
    }
    loop {
        let mut numbers: HashMap<(usize, Vec<String>), usize> = HashMap::new();
        let mut refined = HashMap::new();
        for (name, rules) in chains {
            let said = rules.iter().map(|(rule, _)| in_classes(rule, &classes)).collect();
            let next = numbers.len();
            refined.insert(name.clone(), *numbers.entry((classes[name], said)).or_insert(next));
        }
        let before = classes.values().collect::<std::collections::HashSet<_>>().len();
        if numbers.len() == before {
            return refined;
        }
        classes = refined;
    }
}

/// A rule with the class of the chain that it leads to in place of the chain.
fn in_classes(rule: &Rule, classes: &HashMap<ChainName, usize>) -> String {
    let mut rule = rule.clone();
    if let Some(Target::Jump(chain) | Target::Goto(chain)) = &mut rule.target
        && let Some(class) = classes.get(chain.name())
    {
        *chain = ChainRef::new(&format!("class-{class}")).unwrap();
    }
    format!("{rule:?}")
}

/// Fails when a chain or rule of the model is missing, is another, or is too much.
pub(crate) fn check(model: &Model, view: &View, what: &str) {
    for table in model.tables() {
        let id = table.id();
        let Some(lifted) = view.tables.iter().find(|table| table.id == id) else {
            assert!(table.chains().all(|chain| chain.is_empty()), "{what}: no table {id}");
            continue;
        };
        let mut found: Rules = BTreeMap::new();
        let mut bodies = HashMap::new();
        for chain in &lifted.chains {
            let rules = chain.rules.iter().map(|rule| {
                let of = rule.rule.as_ref().unwrap_or_else(|e| panic!("{what}: {}: {e}: {rule:?}", chain.name));
                (normal(of, id.family), rule.set.is_some())
            });
            let twice = found.insert(chain.name.clone(), rules.collect());
            assert!(twice.is_none(), "{what}: {} is there twice", chain.name);
            bodies.insert(chain.name.clone(), chain.body.as_ref().unwrap().name.clone());
        }
        let classes = classes(&found, &bodies);
        for chain in table.chains() {
            let wanted: Vec<String> =
                chain.rules().map(|e| in_classes(&normal(e.rule(), id.family), &classes)).collect();
            let rules = found.remove(chain.name()).unwrap_or_else(|| panic!("{what}: no {} in {id}", chain.name()));
            let shown: Vec<(String, bool)> =
                rules.iter().map(|(rule, run)| (in_classes(rule, &classes), *run)).collect();
            let mut sorted = (wanted.clone(), shown.iter().map(|(rule, _)| rule.clone()).collect::<Vec<_>>());
            sorted.0.sort();
            sorted.1.sort();
            assert_eq!(sorted.0, sorted.1, "{what}: {id} {}", chain.name());
            // What stands in no map stands in the model's order.
            let mut rest = wanted.iter();
            for (rule, _) in shown.iter().filter(|(_, run)| !run) {
                assert!(rest.any(|w| w == rule), "{what}: {id} {}: out of order: {rule}", chain.name());
            }
            if let Some(policy) = chain.policy() {
                let base = lifted.chains.iter().find(|c| c.name == *chain.name()).and_then(|c| c.base.clone());
                assert_eq!(base.and_then(|b| b.policy), Some(policy), "{what}: {id} {}", chain.name());
            }
        }
        // Built-in chains may be there without rules.
        found.retain(|_, rules| !rules.is_empty());
        assert!(found.is_empty(), "{what}: {id} has also {:?}", found.keys());
    }
}
