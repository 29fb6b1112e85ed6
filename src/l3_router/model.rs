//! From a router's rules to the models of its two components.
//!
//! Owns: which chains a model gets and loses, and that it has the rules that were stated and no others.
//! Never: decides on a rule.

use super::rules::{ChainRules, Release, RuleOptions};
use crate::name::WrapName;
use crate::wrap::{ChainKey, Model, ModelError, Profile};

/// The model of the component that has the router's rules.
///
/// # Errors
/// [`ModelError`] when the component's name is too long for chains of 28 characters.
pub fn router_model(component: &WrapName, options: &RuleOptions) -> Result<Model, ModelError> {
    let head = options.release == Release::Head;
    // The tables of icehouse are fewer than those of the skeleton, so that each comes with its first rule.
    let eager = options.all_tables && head;
    let builder = Model::builder().component(component.clone()).profile(Profile::Neutron).ipv6(options.ipv6);
    builder.comments(options.comments && head).eager(eager).build()
}

/// The model of the component that counts.
///
/// # Errors
/// As [`router_model`].
pub fn metering_model(component: &WrapName, options: &RuleOptions) -> Result<Model, ModelError> {
    let builder = Model::builder().component(component.clone()).profile(Profile::Neutron).ipv6(options.ipv6);
    builder.stateless(true).comments(options.comments).eager(options.all_tables).build()
}

/// Makes the stated chains those of the model, in place of what was stated before. Whether anything changed.
///
/// # Errors
/// [`ModelError`]; stating the old rules again takes back what was changed before the error.
pub fn state_rules(model: &mut Model, old: &[ChainRules], new: &[ChainRules]) -> Result<bool, ModelError> {
    let mut changed = false;
    // A table that has nothing to say is not made for that.
    let mut stated: Vec<&ChainRules> = Vec::with_capacity(new.len());
    for chain in new {
        let needed =
            |other: &ChainRules| (other.family, other.table) == (chain.family, chain.table) && !other.rules.is_empty();
        if model.table(chain.family, chain.table).is_some() || new.iter().any(needed) {
            stated.push(chain);
        }
    }
    for chain in &stated {
        let table = model.table_mut(chain.family, chain.table)?;
        changed |= table.add_chain(ChainKey::Wrapped(&chain.chain))?;
    }
    for chain in &stated {
        let table = model.table_mut(chain.family, chain.table)?;
        changed |= table.replace_chain(ChainKey::Wrapped(&chain.chain), chain.rules.iter().cloned())?;
    }
    let key = |chain: &ChainRules| (chain.family, chain.table, chain.chain.clone());
    for gone in old.iter().filter(|old| !new.iter().any(|new| key(new) == key(old))) {
        if model.table(gone.family, gone.table).is_some() {
            let table = model.table_mut(gone.family, gone.table)?;
            changed |= match is_skeleton(&gone.chain) {
                true => table.replace_chain(ChainKey::Wrapped(&gone.chain), Vec::<crate::rule::Rule>::new())?,
                false => table.remove_chain(ChainKey::Wrapped(&gone.chain))?,
            };
        }
    }
    Ok(changed)
}

/// Chains that the skeleton has, and that stay when nothing is stated about them.
fn is_skeleton(chain: &str) -> bool {
    ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "local", "snat", "float-snat", "mark"].contains(&chain)
}
