//! Changes of the native layout as operations of a batch, and the kernel's refusals of them as words.
//!
//! Owns: the numbers that sets have within a batch, and the way from an operation back to its change.
//! Never: decides what to change.
//!
//! Invariant: the origin of each operation is the number of its change: one with many elements or with anonymous sets
//! takes several operations.

use std::collections::BTreeMap;

use super::compare::named;
use super::source::Source;
use crate::compile::native;
use crate::compile::{Ipsets, Program};
use crate::error::{Error, Location, Operation, Refusal};
use crate::kernel::Rejection;
use crate::layout::native::tlv::Tags;
use crate::name::{ChainName, NameError, TableName};
use crate::netlink::attr::AttrError;
use crate::nft::expr::{self, Expr, Lookup};
use crate::nft::uapi::{NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME, NFTA_CHAIN_POLICY, NFTA_CHAIN_TABLE};
use crate::nft::userdata;
use crate::nft::{Chain, Elements, Family, Table, listing};
use crate::ruleset::{Fallback, NativeChange};
use crate::transaction::{Batch, Origin, RuleHead, RuleVerb, SealError, Sealed};
use crate::wrap::TableId;

/// A writer of changes.
pub(super) struct Encoder<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) ipsets: &'a dyn Ipsets,
    pub(super) batch: &'a mut Batch,
    /// The number of the last set, `NFTA_SET_ID`.
    sets: u32,
    program: Program,
    userdata: Vec<u8>,
    table: Option<(TableId, Family, TableName)>,
    /// How many rules need which xt extension, and why.
    extensions: BTreeMap<(&'static str, &'static str), usize>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(source: &'a dyn Source, ipsets: &'a dyn Ipsets, batch: &'a mut Batch) -> Self {
        Self {
            source,
            ipsets,
            batch,
            sets: 0,
            program: Program::default(),
            userdata: Vec::new(),
            table: None,
            extensions: BTreeMap::new(),
        }
    }

    /// Writes those changes that are chosen by their place; the first of all has the number `first`.
    ///
    /// # Errors
    /// [`Error::Compile`] and [`Error::Encode`] name the rule.
    pub(super) fn write(
        &mut self,
        changes: &mut [NativeChange],
        first: usize,
        chosen: impl Fn(usize) -> bool,
    ) -> Result<(), Error> {
        for (number, change) in changes.iter_mut().enumerate().filter(|(number, _)| chosen(*number)) {
            let origin = Origin(u32::try_from(first + number).unwrap_or(u32::MAX));
            let at = change.table();
            let (_, family, name) = match self.table.take() {
                Some(same) if same.0 == at => same,
                _ => (at, at.family.into(), self.source.table_name(at)),
            };
            let written = self.change(change, at, family, &name, origin);
            self.table = Some((at, family, name));
            written?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        change: &mut NativeChange,
        at: TableId,
        family: Family,
        table: &TableName,
        origin: Origin,
    ) -> Result<(), Error> {
        match change {
            NativeChange::DeleteTable { .. } => self.batch.delete_table(family, table, origin),
            NativeChange::AddTable { flags, userdata, .. } => {
                let new = Table { flags: *flags, userdata: userdata.clone(), ..Table::new(family, table.clone()) };
                match userdata {
                    // One that somebody made meanwhile is not ours.
                    Some(_) => self.batch.create_table(&new, origin),
                    None => self.batch.add_table(&new, origin),
                }
            }
            NativeChange::AddSet { set, .. } => {
                self.sets += 1;
                set.id = Some(self.sets);
                self.batch.create_set(set, origin);
            }
            NativeChange::AddChain { chain, head, .. } => {
                let userdata = Some(head.userdata.clone()).filter(|userdata| !userdata.is_empty());
                let base = head.base.clone();
                self.batch.create_chain(
                    &Chain { base, userdata, ..Chain::new(family, table.clone(), chain.clone()) },
                    origin,
                );
            }
            NativeChange::SetPolicy { chain, policy, .. } => {
                // Without the hook, so that its priority need not be said again.
                self.batch.operation(NFT_MSG_NEWCHAIN, 0, family, origin, |w| {
                    w.string(NFTA_CHAIN_TABLE, table.as_str());
                    w.string(NFTA_CHAIN_NAME, chain.as_str());
                    w.u32_be(NFTA_CHAIN_POLICY, policy.code().cast_unsigned());
                });
            }
            NativeChange::FlushChain { chain, .. } => self.batch.flush_chain(family, table, chain, origin),
            NativeChange::DeleteRule { chain, handle, .. } => {
                self.batch.delete_rule(family, table, chain, handle.get(), origin);
            }
            NativeChange::AddRule { .. } => self.rule(change, at, family, table, origin)?,
            NativeChange::DeleteElements { set, elements, .. } => {
                // The kernel finds elements by key; the rest would only be bytes.
                for element in elements.iter_mut() {
                    (element.data, element.userdata) = (None, None);
                    element.expressions.clear();
                }
                let list = std::mem::take(elements);
                let list = Elements { family, table: table.clone(), set: set.clone(), set_id: None, elements: list };
                self.batch.delete_elements(&list, origin);
                *elements = list.elements;
            }
            NativeChange::AddElements { set, elements, .. } => {
                let list = std::mem::take(elements);
                let list = Elements { family, table: table.clone(), set: set.clone(), set_id: None, elements: list };
                self.batch.create_elements(&list, origin);
                *elements = list.elements;
            }
            NativeChange::DeleteChain { chain, .. } => self.batch.delete_chain(family, table, chain, origin),
            NativeChange::DeleteSet { set, .. } => self.batch.delete_set(family, table, set, origin),
        }
        Ok(())
    }

    fn rule(
        &mut self,
        change: &NativeChange,
        at: TableId,
        family: Family,
        table: &TableName,
        origin: Origin,
    ) -> Result<(), Error> {
        let NativeChange::AddRule { chain, before, item, mark, number, .. } = change else { return Ok(()) };
        self.program.clear();
        let compiled = self.source.program(at, item, self.ipsets, &mut self.program);
        let location = || location(at, Some(chain.clone()), Some(*number));
        let fallbacks = compiled.map_err(|source| Error::Compile {
            location: location(),
            rule: self.source.rule(at, item).unwrap_or_default(),
            source,
        })?;
        self.count(&fallbacks);
        self.declare_sets(family, table, origin)?;
        self.userdata.clear();
        let mut fits = Ok(());
        if let Some(comment) = &self.program.comment {
            fits = userdata::append_comment(&mut self.userdata, comment);
        }
        if let Some((mark, place)) = mark.as_deref() {
            crate::apply::encode::append_mark(&mut self.userdata, mark, *place);
        }
        if let Some(name) = named(self.source, at, item, &self.program) {
            let tags = Tags { name: Some(name), ..Tags::default() };
            fits = fits.and(tags.append(&mut self.userdata));
        }
        if fits.is_err() {
            let reason = AttrError::TooLong { kind: crate::nft::uapi::NFTA_RULE_USERDATA, len: self.userdata.len() };
            let source = SealError::Encode { origin, index: self.batch.operations(), reason };
            return Err(Error::Encode { location: location(), source });
        }
        let verb = before.map_or(RuleVerb::Append(None), |handle| RuleVerb::Insert(Some(handle.get())));
        let compat = self.program.compat;
        let head = RuleHead { family, table, chain, verb, compat, userdata: &self.userdata };
        self.batch.rule_with(&head, origin, |w| expr::encode_list(&self.program.expressions, w));
        Ok(())
    }

    /// Declares the anonymous sets of the program under numbers that are unique in the batch.
    fn declare_sets(&mut self, family: Family, table: &TableName, origin: Origin) -> Result<(), NameError> {
        for set in &self.program.sets {
            self.sets += 1;
            let (new, elements) = set.declare(family, table, self.sets)?;
            self.batch.add_set(&new, origin);
            self.batch.add_elements(&elements, origin);
            for expr in &mut self.program.expressions {
                if let Expr::Lookup(Lookup { set: reference, .. }) = expr
                    && reference.id == set.id
                    && &*reference.name == crate::compile::AnonymousSet::TEMPLATE
                {
                    reference.id = NUMBERED | self.sets;
                }
            }
        }
        for expr in &mut self.program.expressions {
            if let Expr::Lookup(Lookup { set, .. }) = expr {
                set.id &= !NUMBERED;
            }
        }
        Ok(())
    }

    fn count(&mut self, fallbacks: &[native::Fallback]) {
        for native::Fallback { part, reason, .. } in fallbacks {
            *self.extensions.entry((part, reason)).or_default() += 1;
        }
    }

    /// The xt extensions that the rules which were written or listed need.
    pub(super) fn fallbacks(&self) -> impl Iterator<Item = Fallback> {
        self.extensions.iter().map(|((part, reason), rules)| Fallback::Extension { part, reason, rules: *rules })
    }

    /// The listing of a rule.
    pub(super) fn listing(&mut self, at: TableId, change: &mut NativeChange) {
        if let NativeChange::AddRule { item, listing, .. } = change {
            self.program.clear();
            if let Ok(fallbacks) = self.source.program(at, item, self.ipsets, &mut self.program) {
                self.count(&fallbacks);
                let expressions = listing::compact(&self.program.expressions).to_string();
                *listing = Some(Box::new((expressions.into(), fallbacks)));
            }
        }
    }
}

/// Marks a reference that has its number in the batch, which could be the number of another set of the program.
const NUMBERED: u32 = 1 << 31;

fn location(table: TableId, chain: Option<ChainName>, rule: Option<u32>) -> Location {
    Location { table, chain, rule: rule.and_then(|rule| usize::try_from(rule).ok()), line: None }
}

/// Where a batch could not be sealed.
pub(super) fn unsealed(changes: &[NativeChange], source: SealError) -> Error {
    let change = changes.get(source.origin().0 as usize).or(changes.first());
    match change {
        Some(change) => {
            let number = if let NativeChange::AddRule { number, .. } = change { Some(*number) } else { None };
            Error::Encode { location: location(change.table(), change.chain().cloned(), number), source }
        }
        None => Error::Commit(crate::kernel::CommitError::Io(std::io::Error::other(source))),
    }
}

/// What the kernel refused, in its own terms.
pub(super) fn refusal(change: &NativeChange, source: &dyn Source, sealed: &Sealed, rejection: &Rejection) -> Refusal {
    let at = change.table();
    let (operation, number, rule) = match change {
        NativeChange::DeleteTable { .. } => (Operation::DeleteTable, None, None),
        NativeChange::AddTable { .. } => (Operation::AddTable, None, None),
        NativeChange::AddSet { .. } => (Operation::AddSet, None, None),
        NativeChange::AddChain { .. } | NativeChange::SetPolicy { .. } => (Operation::AddChain, None, None),
        NativeChange::FlushChain { .. } => (Operation::FlushChain, None, None),
        NativeChange::DeleteRule { .. } => (Operation::DeleteRule, None, None),
        NativeChange::AddRule { item, number, .. } => (Operation::AddRule, Some(*number), source.rule(at, item)),
        NativeChange::DeleteElements { .. } => (Operation::DeleteElements, None, None),
        NativeChange::AddElements { .. } => (Operation::AddElements, None, None),
        NativeChange::DeleteChain { .. } => (Operation::DeleteChain, None, None),
        NativeChange::DeleteSet { .. } => (Operation::DeleteSet, None, None),
    };
    Refusal {
        operation,
        location: location(at, change.chain().cloned(), number),
        set: change.set().cloned(),
        rule,
        errno: rejection.errno,
        text: rejection.text.clone(),
        expression: rejection
            .offset
            .and_then(|offset| crate::apply::encode::expression_at(sealed, rejection.seq, offset)),
    }
}
