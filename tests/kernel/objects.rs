//! Short ways to the objects that scenarios are made of.

use nftwrap::name::{ChainName, SetName, TableName};
use nftwrap::nft::expr::{Expr, Immediate, Lookup, Operand, Payload, PayloadBase, Register, SetRef, Verdict};
use nftwrap::nft::{BaseChain, Chain, Element, Elements, Family, Policy, Rule, Set, SetData, SetFlags, Table};
use nftwrap::transaction::Origin;

pub(crate) const O: Origin = Origin(0);

pub(crate) fn tname(name: &str) -> TableName {
    TableName::new(name).unwrap()
}

pub(crate) fn cname(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

pub(crate) fn sname(name: &str) -> SetName {
    SetName::new(name).unwrap()
}

/// A table of the family that most scenarios use.
pub(crate) fn table(name: &str) -> Table {
    Table::new(Family::Ip, tname(name))
}

pub(crate) fn chain(table: &str, name: &str) -> Chain {
    Chain::new(Family::Ip, tname(table), cname(name))
}

pub(crate) fn base(table: &str, name: &str, kind: &str, hook: u32, priority: i32) -> Chain {
    let base = BaseChain { kind: kind.into(), hook, priority, policy: Some(Policy::Accept), devices: Vec::new() };
    Chain { base: Some(base), ..chain(table, name) }
}

pub(crate) fn rule(table: &str, chain: &str, expressions: Vec<Expr>) -> Rule {
    Rule {
        family: Family::Ip,
        table: tname(table),
        chain: cname(chain),
        handle: None,
        position: None,
        expressions,
        compat: None,
        userdata: None,
    }
}

pub(crate) fn verdict(verdict: Verdict) -> Expr {
    Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) }.into()
}

pub(crate) fn accept() -> Expr {
    verdict(Verdict::Accept)
}

pub(crate) fn jump(to: &str) -> Expr {
    verdict(Verdict::Jump(cname(to)))
}

pub(crate) fn goto(to: &str) -> Expr {
    verdict(Verdict::Goto(cname(to)))
}

/// The destination address in a register, and a look into a set.
pub(crate) fn lookup(set: &str, id: u32, dreg: Option<Register>) -> Vec<Expr> {
    let load = Payload::Load { dreg: Register::R1, base: PayloadBase::Network, offset: 16, len: 4 };
    let set = SetRef { name: set.into(), id };
    vec![load.into(), Lookup { set, sreg: Register::R1, dreg, inverted: false }.into()]
}

/// A set of addresses.
pub(crate) fn set(table: &str, name: &str, id: u32) -> Set {
    Set { id: Some(id), ..Set::new(Family::Ip, tname(table), sname(name), 4) }
}

/// A map of addresses to verdicts.
pub(crate) fn vmap(table: &str, name: &str, id: u32) -> Set {
    let set = set(table, name, id);
    Set { flags: SetFlags::MAP, data: Some(SetData::Verdict), ..set }
}

pub(crate) fn elements(table: &str, set: &str, elements: Vec<Element>) -> Elements {
    Elements { family: Family::Ip, table: tname(table), set: sname(set), set_id: None, elements }
}

/// An element for the address 10.0.0.x.
pub(crate) fn key(x: u8) -> Element {
    Element::new(&[10, 0, 0, x])
}

pub(crate) fn mapped(x: u8, verdict: Verdict) -> Element {
    Element::with_verdict(&[10, 0, 0, x], verdict)
}
