//! From the tables of this layout back to the chains of the model.
//!
//! Owns: [`lift`]: observed chains, rules, sets and elements to wrapped chains with the rules that they were made of
//! ([`LiftedTable`]), and to the kernel's own form for a listing ([`KernelChain`]).
//! Never: reads the kernel; drops a rule: what it does not understand is [`Opaque`] and keeps its expressions.
//!
//! A kernel chain stands for one chain of the model, or for all that the directory and the elements of dispatch maps name
//! (`names`). A rule with a lookup in a set of ours stands for one rule of each element (`rules`, `value`); in a
//! chain of a family, for those of the elements that have the wrapped chain's own key.
//!
//! Invariant: what is lifted comes from the kernel objects alone. The rules of a run are in the order of their keys: the
//! order they were written in is not in the kernel, and makes no difference to any packet.
//!
//! How it is tested: tables by hand in `lift/tests.rs`; applied models and dumps in `compat/tests/roundtrip.rs`.

mod names;
mod rejoin;
mod rules;
mod set;
#[cfg(test)]
mod tests;
mod value;

use std::sync::Arc;

use crate::compile::{Ipsets, Opaque};
use crate::name::{ChainName, SetName, WrapName};
use crate::nft::expr::{Counter, Expr};
use crate::nft::userdata::Userdata;
use crate::nft::{self, BaseChain};
use crate::rule::{Family, Rule};

use super::tlv::{SetTag, Tags};
use names::Names;
use rules::{Program, Reader};

/// What stands in a table, as it was dumped.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The table's family.
    pub family: Family,
    /// Its chains.
    pub chains: &'a [nft::Chain],
    /// Its rules, those of each chain in order.
    pub rules: &'a [nft::Rule],
    /// Its sets and maps with their elements, anonymous ones included.
    pub sets: &'a [(nft::Set, Vec<nft::Element>)],
}

/// A table in both forms.
#[derive(Debug, Clone, Default)]
pub struct LiftedTable {
    /// The chains of the model by name.
    pub chains: Vec<LiftedChain>,
    /// The kernel's chains by name.
    pub kernel: Vec<KernelChain>,
    /// The components that have something in it.
    pub components: Vec<WrapName>,
}

/// A chain of the model.
#[derive(Debug, Clone)]
pub struct LiftedChain {
    /// Its name.
    pub name: ChainName,
    /// The kernel chain that does its work.
    pub body: ChainName,
    /// How many chains of the model that one stands for, this one included.
    pub sharing: usize,
    /// Hook and policy of a base chain.
    pub base: Option<BaseChain>,
    /// Packets and bytes that met the policy.
    pub counters: Option<Counter>,
    /// The mark in the kernel chain's user data.
    pub userdata: Userdata,
    /// Its rules in order.
    pub rules: Vec<LiftedRule>,
}

/// A rule of the model.
#[derive(Debug, Clone)]
pub struct LiftedRule {
    /// The rule, or why its program is none.
    pub rule: Result<Rule, Opaque>,
    /// The program of the kernel rule that does its work.
    pub expressions: Arc<[Expr]>,
    /// What it has counted by itself: in its element, or in a kernel rule that stands for no other.
    pub counter: Option<Counter>,
    /// The kernel rule's handle.
    pub handle: Option<u64>,
    /// The mark and comment of its element, or of the kernel rule.
    pub userdata: Userdata,
    /// The set or map that has it as an element.
    pub set: Option<SetName>,
}

/// A chain as it is in the kernel.
#[derive(Debug, Clone)]
pub struct KernelChain {
    /// Its name.
    pub name: ChainName,
    /// The chains of the model that it stands for; itself, when it stands for no other.
    pub names: Vec<ChainName>,
    /// Hook and policy of a base chain.
    pub base: Option<BaseChain>,
    /// Its rules in order.
    pub rules: Vec<KernelRule>,
}

/// A rule as it is in the kernel.
#[derive(Debug, Clone)]
pub struct KernelRule {
    /// What it asks and does apart from its lookup, jumps to kernel chains by their names; or why it is not known.
    pub rule: Result<Rule, Opaque>,
    /// The set that it looks a key up in.
    pub lookup: Option<Lookup>,
    /// Its program.
    pub expressions: Arc<[Expr]>,
    /// Its counter.
    pub counter: Option<Counter>,
    /// Its handle.
    pub handle: Option<u64>,
}

/// A lookup of a kernel rule in a set of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The set or map.
    pub set: SetName,
    /// What it holds.
    pub tag: SetTag,
    /// The verdict map that the number which was found leads to.
    pub actions: Option<SetName>,
}

/// Whether a set belongs to a table of this layout: it says in its user data what it holds.
#[must_use]
pub fn is_ours(set: &nft::Set) -> bool {
    Tags::of(set.userdata.as_deref()).set.is_some()
}

/// Reads a table.
#[must_use]
pub fn lift(standing: &Standing<'_>, ipsets: &dyn Ipsets) -> LiftedTable {
    let reader = Reader::new(standing, ipsets);
    let names = Names::read(&reader, standing);
    let mut table = LiftedTable { components: names::components(standing), ..LiftedTable::default() };
    let mut chains: Vec<&nft::Chain> = standing.chains.iter().collect();
    chains.sort_by(|a, b| a.name.cmp(&b.name));
    let mut by_chain = rules::by_chain(standing);
    for chain in chains {
        let programs: Vec<Program<'_>> =
            by_chain.remove(&chain.name).unwrap_or_default().into_iter().map(|rule| reader.program(rule)).collect();
        let stands_for = names.of(&chain.name);
        for name in &stands_for {
            table.chains.push(LiftedChain {
                name: name.clone(),
                body: chain.name.clone(),
                sharing: stands_for.len(),
                base: chain.base.clone(),
                counters: chain.counters,
                userdata: userdata(chain.userdata.as_deref()),
                rules: programs.iter().flat_map(|p| reader.rules(p, names.keys(name), &names)).collect(),
            });
        }
        let rules = programs.iter().map(Program::kernel).collect();
        table.kernel.push(KernelChain { name: chain.name.clone(), names: stands_for, base: chain.base.clone(), rules });
    }
    rejoin::rejoin(&mut table.chains);
    table.chains.sort_by(|a, b| a.name.cmp(&b.name));
    table
}

/// User data that is not in the common form says nothing to us.
fn userdata(bytes: Option<&[u8]>) -> Userdata {
    bytes.and_then(|b| Userdata::decode(b).ok()).unwrap_or_default()
}
