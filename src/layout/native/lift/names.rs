//! Which chains of the model a kernel chain stands for.
//!
//! Owns: the directory and the names on elements, read back ([`Names`]).
//! Never: invents a name: a body that nothing names has the comment of its first chain, or its own name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::field::Fields;
use super::super::tlv::{Kind, Tags};
use super::rules::Reader;
use super::set::KnownSet;
use super::{Standing, userdata};
use crate::name::{ChainName, WrapName};
use crate::nft::{Element, ElementData};

/// The value of one key that leads to a chain, with the fields it is of where they are known.
pub(super) type ContextKey = (Option<Fields>, Box<[u8]>);

/// Names of kernel chains and of chains of the model.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By kernel chain. Ordered, so that the first is the same at every reading.
    bodies: HashMap<ChainName, BTreeSet<ChainName>>,
    /// By chain of the model: the keys that lead to it.
    keys: BTreeMap<ChainName, Vec<ContextKey>>,
}

impl Names {
    pub(super) fn read(reader: &Reader<'_>, standing: &Standing<'_>) -> Self {
        let mut names = Self::default();
        let kernel: BTreeSet<&str> = standing.chains.iter().map(|chain| chain.name.as_str()).collect();
        for set in reader.sets() {
            match set.tag.kind {
                Kind::Directory => {
                    for element in &set.elements {
                        names.directory(element, set.name.as_str(), &kernel);
                    }
                }
                Kind::Choice | Kind::FamilyChoice => {
                    for element in &set.elements {
                        names.choice(element, set, reader);
                    }
                }
                _ => {}
            }
        }
        for chain in standing.chains {
            if !names.bodies.contains_key(&chain.name) {
                let comment = userdata(chain.userdata.as_deref()).comment;
                let body = chain.name.as_str().contains('/');
                let first = comment.filter(|_| body).and_then(|name| ChainName::new(name.as_str()).ok());
                names.bodies.entry(chain.name.clone()).or_default().insert(first.unwrap_or_else(|| chain.name.clone()));
            }
        }
        names
    }

    /// An element `name -> number`, in the set `P/chains`.
    fn directory(&mut self, element: &Element, set: &str, kernel: &BTreeSet<&str>) {
        let key = element.key.as_deref().unwrap_or_default();
        let end = key.iter().position(|&b| b == 0).unwrap_or(key.len());
        let Some(name) = key.get(..end).and_then(chain_name) else { return };
        let number = match &element.data {
            Some(ElementData::Value(bytes)) => bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)),
            _ => None,
        };
        let prefix = set.strip_suffix("chains").unwrap_or_default();
        let body = match number {
            Some(0) | None => name.clone(),
            Some(number) => match ChainName::new(&format!("{prefix}{number}")) {
                Ok(body) if kernel.contains(body.as_str()) => body,
                _ => return,
            },
        };
        // A body is there under its own name, too, for its hash.
        if body == name && number != Some(0) {
            return;
        }
        self.bodies.entry(body).or_default().insert(name.clone());
        if let Some(key) = Tags::of(element.userdata.as_deref()).key {
            self.keys.entry(name).or_default().push((None, key));
        }
    }

    /// An element `key -> number of an action`, which may name the chain it leads to.
    fn choice(&mut self, element: &Element, set: &KnownSet<'_>, reader: &Reader<'_>) {
        let Some(name) = Tags::of(element.userdata.as_deref()).name else { return };
        let actions = reader.actions_beside(set.name.as_str());
        let Some(body) = actions.and_then(|actions| actions.verdict(element)?.chain().cloned()) else { return };
        self.bodies.entry(body).or_default().insert(name.clone());
        // The key of a run leads to the chain; in a family it is the part that led here.
        let fields = if set.tag.context.is_empty() { &set.tag.fields } else { &set.tag.context };
        if let Some(key) = element.key.as_deref().and_then(|key| set.part(key, fields, reader.family())) {
            self.keys.entry(name).or_default().push((Some(fields.clone()), key));
        }
    }

    /// The chains of the model that a kernel chain stands for, by name.
    pub(super) fn of(&self, body: &ChainName) -> Vec<ChainName> {
        self.bodies.get(body).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// What a jump to a kernel chain leads to, if it does not say so itself. All chains that share it are the same; the
    /// first stands for them.
    pub(super) fn first(&self, body: &ChainName) -> ChainName {
        self.bodies.get(body).and_then(BTreeSet::first).unwrap_or(body).clone()
    }

    /// The keys that lead to a chain of the model.
    pub(super) fn keys(&self, name: &ChainName) -> &[ContextKey] {
        self.keys.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The components that have something in the table: those that chains are marked for, and those that made a directory.
pub(super) fn components(standing: &Standing<'_>) -> Vec<WrapName> {
    let owners = standing.chains.iter().filter_map(|chain| userdata(chain.userdata.as_deref()).owner?.component);
    let makers = standing.sets.iter().filter_map(|(set, _)| {
        let directory = Tags::of(set.userdata.as_deref()).set.is_some_and(|tag| tag.kind == Kind::Directory);
        let maker = set.name.as_str().split_once('/').filter(|_| directory)?.0;
        WrapName::new(maker).ok()
    });
    let mut components: Vec<WrapName> = owners.chain(makers).collect();
    components.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    components.dedup();
    components
}

fn chain_name(bytes: &[u8]) -> Option<ChainName> {
    ChainName::new(std::str::from_utf8(bytes).ok()?).ok()
}
