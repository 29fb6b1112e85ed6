//! A plan as one sealed batch, and the kernel's refusals of it as words.
//!
//! Owns: the compiled form of each different rule, made once per batch, and the way from a sequence number back to a
//! change.
//! Never: decides what to change.
//!
//! Invariant: one change is one operation, in the plan's order, so the operation's number is the change's index.
//! Invariant: nothing is allocated for a rule that was met before; a rule that is met again costs a copy of its bytes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::leftovers::Leftovers;
use super::report::Report;
use crate::compile::{CompileError, Program, stock};
use crate::error::{Error, Operation, Refusal};
use crate::kernel::{CommitError, Rejection};
use crate::name::{ChainName, TableName};
use crate::netlink::attr::{AttrError, Reader, Writer, align};
use crate::nft::expr::{self, Counter, Expr};
use crate::nft::userdata::{self, Role};
use crate::nft::{Chain, Compat, Family, Table, TableFlags, listing, uapi};
use crate::rule::Rule;
use crate::ruleset::{Change, KnownIpsets, Mark, Plan};
use crate::transaction::{Batch, Origin, RuleHead, RuleVerb, SealError, Sealed};
use crate::wrap::{Place, TableId};

/// Writes the whole plan into one batch, and after it what removes leftovers.
pub(super) fn batch(
    plan: &Plan,
    leftovers: &mut Leftovers,
    ipsets: &KnownIpsets,
    generation: u32,
    buffer: Vec<u8>,
    report: &mut Report,
) -> Result<Sealed, Error> {
    let compiling = Instant::now();
    let (compiled, size) = compile(plan, ipsets)?;
    report.compile += compiling.elapsed();

    let encoding = Instant::now();
    let mut buffer = buffer;
    buffer.clear();
    // One piece of memory from the start: growing by doubling would touch twice as many pages.
    buffer.reserve(size + plan.changes().len() * MESSAGE_SIZE);
    let mut batch = Batch::begin_in(buffer, Some(generation));
    batch.ask_for_handles();
    let mut forms = compiled.uses.iter();
    let mut at: Option<(TableId, Family, TableName)> = None;
    for (index, change) in plan.changes().iter().enumerate() {
        let origin = Origin(u32::try_from(index).unwrap_or(u32::MAX));
        let id = change.table();
        let (_, family, table) = match &at {
            Some(same) if same.0 == id => same,
            _ => at.insert((id, id.family.into(), id.kind.table_name())),
        };
        write(&mut batch, change, *family, table, &compiled, &mut forms, origin);
    }
    leftovers.write(&mut batch, plan.changes().len())?;
    let sealed = batch.seal().map_err(|source| {
        // Nothing was sent, so this is never an answer that is missing.
        match plan.changes().get(source.origin().0 as usize).or(plan.changes().first()) {
            Some(change) => Error::Encode { location: change.location(), source },
            None => Error::Commit(CommitError::Io(std::io::Error::other(source))),
        }
    })?;
    report.encode += encoding.elapsed();
    Ok(sealed)
}

/// The forms of all new rules, and how many bytes they take.
fn compile(plan: &Plan, ipsets: &KnownIpsets) -> Result<(Compiled, usize), Error> {
    let mut compiled = Compiled::default();
    let mut size = 0;
    for change in plan.changes() {
        if let Change::AddRule { table, rule, counters, .. } = change {
            let added = compiled.add(*table, rule, counters.as_deref(), ipsets);
            size += added.map_err(|unfit| unfit.at(change, rule))?;
        }
    }
    Ok((compiled, size))
}

/// Writes a small plan after others. The first change has the number `first`.
pub(super) fn append(batch: &mut Batch, plan: &Plan, ipsets: &KnownIpsets, first: usize) -> Result<(), Error> {
    let (compiled, _) = compile(plan, ipsets)?;
    let mut forms = compiled.uses.iter();
    for (index, change) in plan.changes().iter().enumerate() {
        let id = change.table();
        let origin = Origin(u32::try_from(first + index).unwrap_or(u32::MAX));
        write(batch, change, id.family.into(), &id.kind.table_name(), &compiled, &mut forms, origin);
    }
    Ok(())
}

/// Bytes of a rule's message beside its expressions and user data: headers, table, a chain's name of usual length.
const MESSAGE_SIZE: usize = 96;

fn write<'c>(
    batch: &mut Batch,
    change: &Change,
    family: Family,
    table: &TableName,
    compiled: &Compiled,
    forms: &mut impl Iterator<Item = &'c u32>,
    origin: Origin,
) {
    match change {
        Change::AddTable(_) => batch.add_table(
            &Table {
                family,
                name: table.clone(),
                flags: TableFlags::empty(),
                handle: None,
                uses: None,
                owner: None,
                userdata: None,
            },
            origin,
        ),
        Change::AddChain { chain, base, counters, mark, .. } => batch.create_chain(
            &Chain {
                base: base.as_deref().cloned(),
                counters: counters.as_deref().copied(),
                userdata: mark.as_ref().map(|mark| {
                    let mut userdata = Vec::new();
                    append_mark(&mut userdata, mark, Place::Normal);
                    userdata.into()
                }),
                ..named(family, table, chain)
            },
            origin,
        ),
        Change::SetPolicy { chain, base, counters, .. } => batch.add_chain(
            &Chain {
                base: Some((**base).clone()),
                counters: counters.as_deref().copied(),
                ..named(family, table, chain)
            },
            origin,
        ),
        Change::DeleteRule { chain, handle, .. } => batch.delete_rule(family, table, chain, handle.get(), origin),
        Change::AddRule { chain, before, mark, .. } => {
            let Some(form) = forms.next().and_then(|form| compiled.form(*form)) else { return };
            let verb = before.map_or(RuleVerb::Append(None), |handle| RuleVerb::Insert(Some(handle.get())));
            let marked;
            let userdata = match mark {
                None => form.userdata,
                Some(mark) => {
                    let (mark, place) = &**mark;
                    let mut both = form.userdata.to_vec();
                    append_mark(&mut both, mark, *place);
                    marked = both;
                    &*marked
                }
            };
            let head = RuleHead { family, table, chain, verb, compat: form.compat, userdata };
            batch.rule_with(&head, origin, |w| w.raw(form.expressions));
        }
        Change::FlushChain { chain, .. } => batch.flush_chain(family, table, chain, origin),
        Change::DeleteChain { chain, .. } => batch.delete_chain(family, table, chain, origin),
    }
}

fn named(family: Family, table: &TableName, name: &ChainName) -> Chain {
    Chain {
        family,
        table: table.clone(),
        name: name.clone(),
        handle: None,
        base: None,
        counters: None,
        uses: None,
        flags: None,
        userdata: None,
    }
}

/// Writes the mark to the end of user data.
pub(super) fn append_mark(userdata: &mut Vec<u8>, mark: &Mark, place: Place) {
    let role = match place {
        Place::Top => Role::Top,
        Place::Normal => Role::Normal,
        Place::Bottom => Role::Bottom,
    };
    let component = match mark {
        Mark::Component(name) => Some(name),
        Mark::Common => None,
    };
    userdata::append_owner(userdata, role, component);
}

/// Why a rule has no bytes.
enum Unfit {
    Compile(CompileError),
    Encode(AttrError),
}

/// The compiler puts only comments into user data that fit; should one not, it is a refused rule and not a lost comment.
const TOO_LONG: CompileError = CompileError::Value { field: "comment", reason: "it is too long for user data" };

impl Unfit {
    fn at(self, change: &Change, rule: &Arc<Rule>) -> Error {
        let location = change.location();
        match self {
            Self::Compile(source) => Error::Compile { location, rule: rule.clone(), source },
            Self::Encode(reason) => {
                let source = SealError::Encode { origin: Origin(0), index: 0, reason };
                Error::Encode { location, source }
            }
        }
    }
}

impl From<CompileError> for Unfit {
    fn from(error: CompileError) -> Self {
        Self::Compile(error)
    }
}

impl From<AttrError> for Unfit {
    fn from(error: AttrError) -> Self {
        Self::Encode(error)
    }
}

/// The compiled form of each different rule.
///
/// Rules are told apart by address: equal rules of one model usually share their memory, and two copies of an equal rule
/// only cost compiling it twice.
#[derive(Default)]
struct Compiled {
    bytes: Vec<u8>,
    forms: Vec<Stored>,
    /// The form of each rule of the plan, in its order.
    uses: Vec<u32>,
    known: HashMap<(crate::rule::Family, *const Rule), u32, std::hash::BuildHasherDefault<PointerHasher>>,
    program: Program,
}

struct Stored {
    expressions: Range<usize>,
    userdata: Range<usize>,
    compat: Option<Compat>,
}

/// A rule as bytes.
struct Form<'a> {
    /// `NFTA_LIST_ELEM` attributes.
    expressions: &'a [u8],
    userdata: &'a [u8],
    compat: Option<Compat>,
}

impl Compiled {
    /// Notes the next rule of the plan and compiles it unless it was met before. Returns how many bytes it has.
    fn add(
        &mut self,
        at: TableId,
        rule: &Arc<Rule>,
        counters: Option<&Counter>,
        ipsets: &KnownIpsets,
    ) -> Result<usize, Unfit> {
        let key = (at.family, Arc::as_ptr(rule));
        // A rule that starts from counters of its own is compiled for itself.
        let known = if counters.is_none() { self.known.get(&key).copied() } else { None };
        let form = match known {
            Some(form) => form,
            None => {
                let form = self.compile(at, rule, counters, ipsets)?;
                if counters.is_none() {
                    self.known.insert(key, form);
                }
                form
            }
        };
        self.uses.push(form);
        let stored = self.forms.get(form as usize);
        Ok(stored.map_or(0, |s| s.expressions.len() + s.userdata.len()))
    }

    fn compile(
        &mut self,
        at: TableId,
        rule: &Rule,
        counters: Option<&Counter>,
        ipsets: &KnownIpsets,
    ) -> Result<u32, Unfit> {
        self.program.clear();
        stock::compile(rule, at.family, counters.copied(), ipsets, &mut self.program)?;
        let start = self.bytes.len();
        let mut writer = Writer::new(&mut self.bytes);
        expr::encode_list(&self.program.expressions, &mut writer);
        writer.finish()?;
        let middle = self.bytes.len();
        if let Some(comment) = &self.program.comment {
            userdata::append_comment(&mut self.bytes, comment).map_err(|_| TOO_LONG)?;
        }
        let end = self.bytes.len();
        let form = u32::try_from(self.forms.len()).unwrap_or(u32::MAX);
        self.forms.push(Stored { expressions: start..middle, userdata: middle..end, compat: self.program.compat });
        // The next program starts on a multiple of four, as attributes do.
        self.bytes.resize(align(end), 0);
        Ok(form)
    }

    fn form(&self, form: u32) -> Option<Form<'_>> {
        let stored = self.forms.get(form as usize)?;
        Some(Form {
            expressions: self.bytes.get(stored.expressions.clone())?,
            userdata: self.bytes.get(stored.userdata.clone())?,
            compat: stored.compat,
        })
    }
}

/// Hashes addresses: they are well spread already, a multiplication is enough. The keys are our own pointers, so nobody
/// outside can make them collide.
#[derive(Default)]
struct PointerHasher(u64);

impl std::hash::Hasher for PointerHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

/// Turns the kernel's rejections into refusals that name table, chain, rule and expression.
pub(super) fn refusals(plan: &Plan, leftovers: &Leftovers, sealed: &Sealed, rejections: &[Rejection]) -> Vec<Refusal> {
    let refusal = |rejection: &Rejection| {
        // A commit that fails as a whole is reported against the first message; blame the first change.
        let number = sealed.origin(rejection.seq).map_or(0, |origin| origin.0 as usize);
        match plan.changes().get(number) {
            Some(change) => Some(refusal_of(change, sealed, rejection)),
            None => leftovers.refusal(number - plan.changes().len(), sealed, rejection),
        }
    };
    rejections.iter().filter_map(refusal).collect()
}

/// What the kernel says to a change.
pub(super) fn refusal_of(change: &Change, sealed: &Sealed, rejection: &Rejection) -> Refusal {
    let (operation, rule) = match change {
        Change::AddTable(_) => (Operation::AddTable, None),
        Change::AddChain { .. } | Change::SetPolicy { .. } => (Operation::AddChain, None),
        Change::DeleteRule { identity, .. } => (Operation::DeleteRule, identity.rule().cloned()),
        Change::AddRule { rule, .. } => (Operation::AddRule, Some(rule.clone())),
        Change::FlushChain { .. } => (Operation::FlushChain, None),
        Change::DeleteChain { .. } => (Operation::DeleteChain, None),
    };
    Refusal {
        operation,
        location: change.location(),
        set: None,
        rule,
        errno: rejection.errno,
        text: rejection.text.clone(),
        expression: rejection.offset.and_then(|offset| expression_at(sealed, rejection.seq, offset)),
    }
}

/// The expression whose attribute stands at an offset in a message.
pub(super) fn expression_at(sealed: &Sealed, seq: u32, offset: u32) -> Option<String> {
    let message = sealed.message(seq)?;
    let offset = usize::try_from(offset).ok()?;
    let body = message.get(20..)?;
    let mut at = 20;
    for attr in Reader::new(body) {
        let attr = attr.ok()?;
        if attr.kind == uapi::NFTA_RULE_EXPRESSIONS {
            at += 4;
            for element in attr.attrs() {
                let element = element.ok()?;
                let end = at + align(4 + element.payload.len());
                if (at..end).contains(&offset) {
                    return Expr::decode(element.attrs()).ok().map(|e| listing::expression(&e).to_string());
                }
                at = end;
            }
            return None;
        }
        at += align(4 + attr.payload.len());
    }
    None
}
