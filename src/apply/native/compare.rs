//! When a rule in the kernel is one that is wanted.
//!
//! Owns: the form in which the two are compared ([`Compared`]).
//! Never: compares text, or looks at handles and what was counted.
//!
//! A dump of our expressions is equal to them, but for what the kernel has counted and the names of anonymous sets, which
//! are compared by what is in them.

use std::collections::HashMap;

use super::source::Source;
use crate::compile::stock::{self, Normal};
use crate::compile::{AnonymousSet, Ipsets, Program};
use crate::layout::native::Item;
use crate::layout::native::tlv::Tags;
use crate::name::{ChainName, Comment};
use crate::nft::expr::{Expr, Immediate, Lookup, Operand, SetRef, Verdict};
use crate::nft::userdata::Userdata;
use crate::nft::{Element, Rule, Set};
use crate::rule::Family;
use crate::wrap::TableId;

/// A kernel rule without what may differ between two writings of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Compared {
    normal: Normal,
    /// The anonymous sets in the order of their use.
    sets: Vec<AnonymousSet>,
    /// The chain of the model that it leads to.
    named: Option<ChainName>,
}

/// The wanted rules in that form.
pub(super) struct Programs<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) ipsets: &'a dyn Ipsets,
    pub(super) program: Program,
}

impl Programs<'_> {
    /// A wanted rule; `None` when it cannot be compiled, which is found again when it is written.
    pub(super) fn wanted(&mut self, table: TableId, item: &Item) -> Option<Compared> {
        self.program.clear();
        self.source.program(table, item, self.ipsets, &mut self.program).ok()?;
        let Program { expressions, sets, comment, .. } = &self.program;
        let set = |reference: &SetRef| match reference.id {
            0 => Some(None),
            id => sets.iter().find(|set| set.id == id).map(|set| Some(AnonymousSet { id: 0, ..set.clone() })),
        };
        let compared = Compared::new(expressions, comment.as_ref(), table.family, set)?;
        Some(Compared { named: named(self.source, table, item, &self.program), ..compared })
    }
}

/// The chain of the model that a rule jumps to, if its kernel chain has another name: the rule carries it in its user data,
/// because a kernel chain may stand for many. Beside a long comment there is no room for it.
pub(super) fn named(source: &dyn Source, table: TableId, item: &Item, program: &Program) -> Option<ChainName> {
    const LONG: usize = 180;
    let to = jump_target(program)?;
    let rule = source.rule(table, item)?;
    let name = rule.chain_ref()?.name();
    let room = program.comment.as_ref().is_none_or(|comment| comment.as_str().len() <= LONG);
    (room && *name != to).then(|| name.clone())
}

/// The kernel chain that a program jumps or goes to.
pub(super) fn jump_target(program: &Program) -> Option<ChainName> {
    program.expressions.iter().find_map(|expr| match expr {
        Expr::Immediate(Immediate { data: Operand::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)), .. }) => {
            Some(chain.clone())
        }
        _ => None,
    })
}

impl Compared {
    /// A rule of a dump.
    pub(super) fn read(
        rule: &Rule,
        family: Family,
        anonymous: &HashMap<Box<str>, (Set, Vec<Element>)>,
    ) -> Option<Self> {
        let mut userdata = rule.userdata.as_deref().and_then(|u| Userdata::decode(u).ok()).unwrap_or_default();
        let named = Tags::take(&mut userdata.others).name;
        let set = |reference: &SetRef| match anonymous.get(&*reference.name) {
            None => Some(None),
            Some((set, elements)) => AnonymousSet::read(0, set, elements).map(Some),
        };
        let compared = Self::new(&rule.expressions, userdata.comment.as_ref(), family, set)?;
        Some(Self { named, ..compared })
    }

    /// `set` gives the anonymous set that a reference leads to; nothing at all when it cannot be compared.
    fn new(
        expressions: &[Expr],
        comment: Option<&Comment>,
        family: Family,
        set: impl Fn(&SetRef) -> Option<Option<AnonymousSet>>,
    ) -> Option<Self> {
        let mut normal = stock::normalize(expressions, comment, family);
        let mut sets = Vec::new();
        for expr in &mut normal.expressions {
            let Expr::Lookup(Lookup { set: reference, .. }) = expr else { continue };
            if let Some(anonymous) = set(reference)? {
                sets.push(anonymous);
                *reference = SetRef { name: AnonymousSet::TEMPLATE.into(), id: 0 };
            }
        }
        Some(Self { normal, sets, named: None })
    }
}
