//! Save files to the wrapped-chain model.
//!
//! Owns: what a file states in a model of whole tables, and in the model of one component.
//! Never: parses text, touches the kernel.
//!
//! In a model of a component, a chain that the file calls `$name`, or by its full kernel name with the component's prefix,
//! is the component's own; every other chain that is not built in is shared. Policies of built-in chains are the host's
//! and stay as they are. A rule that the profile's skeleton has already is not added again, wherever it stands.

use nftwrap::name::WrapName;
use nftwrap::nft::expr::Counter;
use nftwrap::rule::{ChainRef, Family, Match, Rule};
use nftwrap::wrap::{Addition, Chain, ChainKey, ChainKind, Filling, Model, ModelError, Place, Table};
use thiserror::Error;

use crate::restore::{ChainDecl, RuleLine, SaveFile, Scope, Section};

/// A file that does not make a model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{source}")]
pub struct LoadError {
    /// The line at fault.
    pub line: u32,
    /// What is wrong.
    pub source: ModelError,
}

/// Which chains a file for this model may name without declaring them.
#[must_use]
pub fn scope(model: &Model) -> Scope {
    if model.component().is_some() { Scope::Part } else { Scope::Whole }
}

/// Adds what a file states. With `counters`, rules and policies start from the file's `[packets:bytes]`.
///
/// # Errors
/// [`LoadError`] names the first line that does not fit the model; the model is then partly filled and of no use.
pub fn load(model: &mut Model, family: Family, file: SaveFile, counters: bool) -> Result<(), LoadError> {
    let component = model.component().cloned();
    for section in file.sections {
        let line = section.line;
        let table = model.table_mut(family, section.table).map_err(|source| LoadError { line, source })?;
        Loader { component: component.as_ref(), counters }.section(table, section)?;
    }
    Ok(())
}

struct Loader<'a> {
    component: Option<&'a WrapName>,
    counters: bool,
}

impl Loader<'_> {
    fn section(&self, table: &mut Table, section: Section) -> Result<(), LoadError> {
        for chain in section.chains {
            self.chain(table, &chain).map_err(|source| LoadError { line: chain.line, source })?;
        }
        let mut filling = table.fill();
        let mut rules = section.rules.into_iter();
        while let Some(first) = rules.as_slice().first() {
            let (number, mut line) = (first.chain, first.line);
            let length = rules.as_slice().iter().take_while(|rule| rule.chain == number).count();
            let run = rules.by_ref().take(length).inspect(|rule| line = rule.line);
            match section.named.get(number as usize) {
                Some(chain) => self.run(&mut filling, chain, run),
                // Only a section that was not read from text can have rules of a chain that it does not name.
                None => Err(ModelError::UnknownChain { table: filling.table().id(), chain: String::new() }),
            }
            .map_err(|source| LoadError { line, source })?;
        }
        Ok(())
    }

    /// Rules that follow each other in one chain.
    fn run(
        &self,
        filling: &mut Filling<'_>,
        chain: &ChainRef,
        mut rules: impl Iterator<Item = RuleLine>,
    ) -> Result<(), ModelError> {
        let key = self.key(chain);
        // A wrapped chain without rules of the profile takes all that the file states, as it stands.
        let plain = |chain: &Chain| {
            chain.kind() == ChainKind::Wrapped && chain.rules().next().is_none_or(|first| first.line().is_some())
        };
        if self.component.is_some() && !filling.table().chain(key).is_some_and(plain) {
            return rules.try_for_each(|rule| self.rule(filling, key, rule));
        }
        let counters = self.counters;
        filling.push_rules(key, rules.map(|rule| addition(rule, Place::Normal, counters)))
    }

    fn chain(&self, table: &mut Table, chain: &ChainDecl) -> Result<(), ModelError> {
        let key = self.key(&chain.name);
        table.add_chain(key)?;
        if let (None, Some(policy)) = (self.component, chain.policy) {
            let counters = chain.counters.filter(|_| self.counters).map(counter);
            table.set_policy(chain.name.name().as_str(), policy, counters)?;
        }
        Ok(())
    }

    /// The component's own chains may be written with their full name, as `iptables-save` prints them.
    fn key<'c>(&self, chain: &'c ChainRef) -> ChainKey<'c> {
        let logical = |name: &'c str| name.strip_prefix(self.component?.as_str())?.strip_prefix('-');
        match chain {
            ChainRef::Wrapped(name) => ChainKey::Wrapped(name.as_str()),
            ChainRef::Named(name) => {
                let name = name.as_str();
                logical(name).map_or(ChainKey::Named(name), ChainKey::Wrapped)
            }
        }
    }

    /// A rule of a component in a chain that others use, too, or that the profile has put rules into.
    fn rule(&self, filling: &mut Filling<'_>, key: ChainKey<'_>, line: RuleLine) -> Result<(), ModelError> {
        let component = self.component.map_or("", WrapName::as_str);
        let chain = filling.table().chain(key);
        if chain.is_some_and(|chain| is_in_skeleton(component, chain, &line.rule)) {
            return Ok(());
        }
        let place = match chain.map(Chain::kind) {
            Some(ChainKind::Wrapped) => Place::Normal,
            _ => usual_place(&line.rule),
        };
        filling.push_rules(key, [addition(line, place, self.counters)])
    }
}

/// Whether the rule is one that the profile has made. Those have no line; all of them are bare jumps, so few rules are
/// looked at twice.
fn is_in_skeleton(component: &str, chain: &Chain, rule: &Rule) -> bool {
    let Some(target) = rule.chain_ref() else { return false };
    let is_same = |other: &ChainRef| match target {
        ChainRef::Named(name) => name == other.name(),
        ChainRef::Wrapped(logical) => {
            let rest = other.name().as_str().strip_prefix(component).and_then(|rest| rest.strip_prefix('-'));
            rest == Some(logical.as_str())
        }
    };
    let bare = |rule: &Rule| {
        let Rule { source, destination, input, output, protocol, fragment, matches, target: _ } = rule;
        (source.is_none() && destination.is_none() && input.is_none() && output.is_none())
            && (protocol.is_none() && fragment.is_none())
            && matches.iter().all(|m| matches!(m, Match::Comment(_)))
    };
    bare(rule)
        && chain
            .rules()
            .take_while(|entry| entry.line().is_none())
            .any(|entry| bare(entry.rule()) && entry.rule().chain_ref().is_some_and(is_same))
}

fn addition(line: RuleLine, place: Place, counters: bool) -> Addition {
    let addition = Addition::new(line.rule).place(place).line(line.line);
    match line.counters.filter(|_| counters) {
        Some(counters) => addition.counters(counter(counters)),
        None => addition,
    }
}

/// Where the jump to a shared chain belongs: OpenStack's names say it.
fn usual_place(rule: &Rule) -> Place {
    match rule.chain_ref().map(|chain| chain.name().as_str()) {
        Some(name) if name.ends_with("-filter-top") => Place::Top,
        Some(name) if name.ends_with("-postrouting-bottom") => Place::Bottom,
        _ => Place::Normal,
    }
}

fn counter((packets, bytes): (u64, u64)) -> Counter {
    Counter { packets, bytes }
}
