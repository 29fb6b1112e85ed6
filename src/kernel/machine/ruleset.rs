//! Tables as they stand in a kernel, ready to be walked.
//!
//! Owns: one reading of tables, chains, rules, sets and elements; xt extensions are read back as parts of rules.
//! Never: follows changes: what is committed later is not in it.
//!
//! Invariant: whatever is not understood stays where it is, and is an error for the packet that gets there.

use std::cell::RefCell;
use std::collections::HashMap;

use super::sets::Index;
use crate::compile::{Ipsets, stock};
use crate::kernel::{Error, Kernel};
use crate::name::{ChainName, IpsetName, SetName, TableName};
use crate::nft::expr::{Cmp, CmpOp, Expr, Meta, MetaKey};
use crate::nft::{BaseChain, Family};
use crate::rule::{self, Match, Not, Protocol, Target};

/// Tables of one family.
#[derive(Debug)]
pub struct Ruleset {
    pub(super) family: rule::Family,
    pub(super) tables: Vec<Table>,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: TableName,
    pub(super) chains: HashMap<ChainName, Chain>,
    /// The base chains in the kernel's order.
    pub(super) bases: Vec<(ChainName, BaseChain)>,
    pub(super) sets: HashMap<SetName, Index>,
}

/// The rules of a chain.
pub(super) type Chain = Vec<Vec<Step>>;

/// An instruction.
#[derive(Debug)]
pub(super) enum Step {
    /// An expression of nf_tables' own.
    Native(Expr),
    /// An xt match.
    Match(Match),
    /// An xt target.
    Target(Target),
    /// An xt extension that no rule of ours has: its name, and why it could not be read.
    Opaque(String, &'static str),
}

/// Names of ipsets, asked from the kernel while rules are read.
struct Names<'k, K: ?Sized>(RefCell<&'k mut K>);

impl<K: Kernel + ?Sized> Ipsets for Names<'_, K> {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.borrow_mut().ipset_index(name).ok().flatten()
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.borrow_mut().ipset_name(index).ok().flatten()
    }
}

impl Ruleset {
    /// Reads these tables; those that are not there are left out.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked.
    pub fn read<K: Kernel + ?Sized>(kernel: &mut K, family: rule::Family, tables: &[TableName]) -> Result<Self, Error> {
        let nft = Family::from(family);
        let chains = kernel.chains(nft)?;
        let there = kernel.tables(nft)?.into_iter().map(|table| table.name);
        let mut read = Vec::new();
        for name in there.filter(|name| tables.contains(name)) {
            let mut table =
                Table { name: name.clone(), chains: HashMap::new(), bases: Vec::new(), sets: HashMap::new() };
            for chain in chains.iter().filter(|chain| chain.table == name) {
                table.chains.insert(chain.name.clone(), Vec::new());
                table.bases.extend(chain.base.clone().map(|base| (chain.name.clone(), base)));
            }
            for set in kernel.sets(nft, &name)? {
                let elements = kernel.elements(nft, &name, &set.name)?;
                table.sets.insert(set.name.clone(), Index::new(&set, elements));
            }
            let rules = kernel.rules(nft, &name, None)?;
            let names = Names(RefCell::new(kernel));
            for rule in rules {
                let steps = steps(rule.expressions, family, &names);
                table.chains.entry(rule.chain).or_default().push(steps);
            }
            read.push(table);
        }
        Ok(Self { family, tables: read })
    }
}

fn steps(expressions: Vec<Expr>, family: rule::Family, ipsets: &dyn Ipsets) -> Vec<Step> {
    let bound = protocol(&expressions);
    let mut steps = Vec::with_capacity(expressions.len());
    for expression in expressions {
        steps.push(match &expression {
            Expr::Match(_) | Expr::Target(_) => lifted(&expression, bound, family, ipsets),
            _ => Step::Native(expression),
        });
    }
    steps
}

/// Reads an xt extension as the one part of a rule.
fn lifted(expression: &Expr, bound: Option<Not<Protocol>>, family: rule::Family, ipsets: &dyn Ipsets) -> Step {
    let name = match expression {
        Expr::Match(m) => format!("match {} revision {}", m.name, m.revision),
        Expr::Target(t) => format!("target {} revision {}", t.name, t.revision),
        other => other.name().to_owned(),
    };
    // Some extensions can only be read by the protocol that their rule is bound to.
    let bind = bound.iter().flat_map(|p| {
        let op = if p.negated { CmpOp::Neq } else { CmpOp::Eq };
        let load = Meta::Load { key: MetaKey::L4PROTO, dreg: crate::nft::expr::Register::R1 };
        let cmp = Cmp { sreg: crate::nft::expr::Register::R1, op, data: [p.value.0].into() };
        [Expr::Meta(load), Expr::Cmp(cmp)]
    });
    let program: Vec<Expr> = bind.chain([expression.clone()]).collect();
    match stock::lift(&program, None, family, ipsets) {
        Ok(mut rule) => match (rule.matches.pop(), rule.target) {
            (Some(m), None) => Step::Match(m),
            (None, Some(target)) => Step::Target(target),
            _ => Step::Opaque(name, "it is no single part of a rule"),
        },
        Err(opaque) => Step::Opaque(name, opaque.reason),
    }
}

/// The protocol that a rule is bound to: a load of it and a comparison right after.
fn protocol(expressions: &[Expr]) -> Option<Not<Protocol>> {
    expressions.windows(2).find_map(|pair| match pair {
        [Expr::Meta(Meta::Load { key: MetaKey::L4PROTO, .. }), Expr::Cmp(Cmp { op, data, .. })] => {
            let &[number] = data.as_bytes() else { return None };
            let negated = match op {
                CmpOp::Eq => false,
                CmpOp::Neq => true,
                _ => return None,
            };
            Some(Not { negated, value: Protocol(number) })
        }
        _ => None,
    })
}
