//! What the fake kernel answers to questions: its objects as nf_tables dumps them.

use std::sync::Arc;

use super::expression::refers;
use super::state::{Base, Chain, Element, Ref, Rule, Set, Table};
use crate::name::{ChainName, TableName};
use crate::nft::expr::{Expr, Operand, Verdict};
use crate::nft::{self, BaseChain, ElementData, TableFlags};

impl Table {
    pub(super) fn dump(&self) -> nft::Table {
        let flags = TableFlags::from_bits_retain(self.flags);
        nft::Table {
            family: self.family,
            name: TableName::from_kernel(&self.name),
            flags,
            handle: Some(self.handle),
            uses: Some(self.uses),
            owner: flags.contains(TableFlags::OWNER).then_some(self.owner),
            userdata: self.userdata.clone(),
        }
    }

    pub(super) fn dump_chains(&self) -> Vec<nft::Chain> {
        self.chains.values().map(|chain| self.dump_chain(chain)).collect()
    }

    pub(super) fn dump_chain(&self, chain: &Chain) -> nft::Chain {
        nft::Chain {
            family: self.family,
            table: TableName::from_kernel(&self.name),
            name: ChainName::from_kernel(&chain.name),
            handle: Some(chain.handle),
            base: chain.base.as_ref().map(Base::dump),
            counters: chain.base.as_ref().and_then(|base| base.counters),
            uses: Some(chain.uses),
            flags: (chain.flags != 0).then_some(chain.flags),
            userdata: chain.userdata.clone(),
        }
    }

    pub(super) fn dump_rules(&self, chain: &Chain) -> Vec<nft::Rule> {
        let (table, name) = (TableName::from_kernel(&self.name), ChainName::from_kernel(&chain.name));
        let mut before = None;
        let rules = chain.rules.iter().map(|rule| {
            let position = before.replace(rule.handle);
            nft::Rule {
                family: self.family,
                table: table.clone(),
                chain: name.clone(),
                handle: Some(rule.handle),
                position,
                expressions: self.expressions(rule),
                compat: None,
                userdata: rule.userdata.clone(),
            }
        });
        rules.collect()
    }

    /// A rule's expressions with the names that the chains they lead to have now.
    fn expressions(&self, rule: &Rule) -> Vec<Expr> {
        let mut refs = rule.refs.iter();
        let mut expressions = rule.expressions.to_vec();
        for expr in expressions.iter_mut().filter(|expr| refers(expr)) {
            let reference = refs.next();
            if let (Expr::Immediate(immediate), Some(Ref::Chain(handle))) = (expr, reference)
                && let Operand::Verdict(verdict) = &mut immediate.data
            {
                *verdict = self.current(verdict, *handle);
            }
        }
        expressions
    }

    fn current(&self, verdict: &Verdict, handle: u64) -> Verdict {
        let Some(target) = self.chains.get(&handle) else { return verdict.clone() };
        let name = ChainName::from_kernel(&target.name);
        match verdict {
            Verdict::Goto(_) => Verdict::Goto(name),
            _ => Verdict::Jump(name),
        }
    }

    pub(super) fn dump_sets(&self) -> Vec<nft::Set> {
        self.sets.values().map(|set| set.value.clone()).collect()
    }

    pub(super) fn dump_elements(&self, set: &Set) -> Vec<nft::Element> {
        set.elements.values().map(|element| self.dump_element(element)).collect()
    }

    fn dump_element(&self, element: &Element) -> nft::Element {
        let mut value = element.value.clone();
        for reference in &element.refs {
            if let (Ref::Chain(handle), Some(ElementData::Verdict(verdict))) = (reference, &mut value.data) {
                *verdict = self.current(verdict, *handle);
            }
        }
        value
    }

    pub(super) fn dump_objects(&self) -> Vec<nft::Object> {
        let dump = |object: &super::state::Object| nft::Object { uses: Some(object.uses), ..object.value.clone() };
        self.objects.values().map(dump).collect()
    }
}

impl Base {
    fn dump(&self) -> BaseChain {
        BaseChain {
            kind: Arc::from(self.kind.name()),
            hook: self.hook,
            priority: self.priority,
            policy: Some(self.policy),
            devices: self.devices.clone(),
        }
    }
}
