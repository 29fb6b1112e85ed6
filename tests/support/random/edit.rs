//! Random changes to a model, such as components make while they run.

use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::{Addition, Model, Place, TableKind};

use super::model::{COMPONENT, Generator, LEVELS, Spot, rules_of, spot};
use super::rule::host;

impl Generator {
    /// One random change.
    pub(crate) fn edit(&mut self, model: &mut Model) {
        let family = *self.random.pick(&Family::BOTH);
        let kinds = [TableKind::Filter, TableKind::Filter, TableKind::Raw, TableKind::Mangle];
        let kind = *self.random.pick(&kinds);
        let table = model.table_mut(family, kind).unwrap();
        if self.random.one_in(3) && self.edit_instances(table) {
            return;
        }
        let names: Vec<String> = table.chains().map(|chain| chain.name().to_string()).collect();
        let own: Vec<String> = names.iter().filter(|name| kind.builtin(name).is_none()).cloned().collect();
        let mut all: Vec<String> = names.clone();
        all.extend(kind.builtins().iter().map(|b| b.name.to_owned()));
        let name = self.random.pick(&all).clone();
        let place = spot(table, &name);
        let mut rules: Vec<Rule> = rules_of(table, &name);
        match self.random.below(9) {
            // One more instance, with a rule that leads to it.
            0 | 1 if place.level < LEVELS => {
                let level = self.random.between(place.level + 1, LEVELS);
                let added = self.chain(table, Spot { level, ..place });
                let address = host(family, self.random.below(220));
                let jump = Rule::new().destination(address).jump(ChainRef::new(&added).unwrap());
                let at = self.random.below(rules.len() + 1);
                rules.insert(at, jump);
            }
            2 if !own.is_empty() => {
                let gone = self.random.pick(&own).clone();
                match gone.strip_prefix(COMPONENT) {
                    Some(logical) => table.remove_chain(&format!("${}", &logical[1..])).unwrap(),
                    None => table.remove_chain(gone.as_str()).unwrap(),
                };
                return;
            }
            3 if !rules.is_empty() => drop(rules.remove(self.random.below(rules.len()))),
            4 if !rules.is_empty() => {
                let rule = rules.remove(self.random.below(rules.len()));
                let at = self.random.below(rules.len() + 1);
                rules.insert(at, rule);
            }
            5 if !rules.is_empty() => {
                let at = self.random.below(rules.len());
                rules[at] = self.rule(table, place, &name);
            }
            6 if !rules.is_empty() => {
                let again = self.random.pick(&rules).clone();
                rules.push(again);
            }
            7 => rules = self.rules(table, place, &name),
            8 => {
                // Added or removed where the model does it in place.
                let rule = self.rule(table, place, &name);
                let place = *self.random.pick(&[Place::Top, Place::Normal, Place::Normal, Place::Bottom]);
                table.add_rule(name.as_str(), Addition::new(rule).place(place)).unwrap();
                return;
            }
            _ => {
                let at = self.random.below(rules.len() + 1);
                rules.insert(at, self.rule(table, place, &name));
            }
        }
        table.replace_chain(name.as_str(), rules).unwrap();
    }
}
