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
use crate::name::Comment;
use crate::nft::expr::{Expr, Lookup, SetRef};
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
        Compared::new(expressions, comment.as_ref(), table.family, set)
    }
}

impl Compared {
    /// A rule of a dump.
    pub(super) fn read(
        rule: &Rule,
        family: Family,
        anonymous: &HashMap<Box<str>, (Set, Vec<Element>)>,
    ) -> Option<Self> {
        let comment = rule.userdata.as_deref().and_then(|u| Userdata::decode(u).ok()).and_then(|u| u.comment);
        let set = |reference: &SetRef| match anonymous.get(&*reference.name) {
            None => Some(None),
            Some((set, elements)) => AnonymousSet::read(0, set, elements).map(Some),
        };
        Self::new(&rule.expressions, comment.as_ref(), family, set)
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
        Some(Self { normal, sets })
    }
}
