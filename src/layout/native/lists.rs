//! The rules of a chain, and lists of rules that many chains have in common.
//!
//! Owns: [`ChainRules`], and the [`List`]s of short chains: each list is kept once, with a number and its [`Summary`].
//! Never: knows which chain has a list.
//!
//! The rules of ten thousand instances are a few hundred lists. What is found out about a list (what it does and its
//! templates here, its content in [`content`](super::table)) is found out once. A long chain would not share its list with
//! anybody, and the model says which rules of it changed; so it has a map of its own.
//!
//! Invariant: a list in use holds its rules; two equal lists that are in use are one.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use foldhash::HashSet;

use super::dispatch;
use super::graph::Tally;
use super::item::RuleId;
use super::rules::{Rules, TemplateId};
use crate::rule::Family;
use crate::wrap::RuleKey;

/// The most rules of a list. The model knows no changes of chains that are as short: they are compared whole.
pub(super) const LIST_MAX: usize = 64;

/// A rule and its place.
pub(super) type Row = (RuleKey, RuleId);

/// What rules come to.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// What can become of a packet by them, but for where they lead.
    pub(super) tally: Tally,
    /// Those that lead to a chain.
    pub(super) leading: Vec<Row>,
    /// How many remember something.
    pub(super) unique: usize,
}

impl Summary {
    /// Of these rules.
    pub(super) fn of(rows: impl Iterator<Item = Row>, rules: &Rules) -> Self {
        let mut all = Self::default();
        for (key, id) in rows {
            let Some(known) = rules.at(id) else { continue };
            all.tally.count(known.effects, 1);
            all.unique += usize::from(known.unique);
            if known.target().is_some() {
                all.leading.push((key, id));
            }
        }
        all
    }
}

/// A list of rules, ascending.
#[derive(Debug)]
pub(super) struct List {
    id: ListId,
    rows: Box<[Row]>,
    summary: Summary,
    /// Whether a chain with these rules may be a dispatcher.
    may_dispatch: bool,
    templates: OnceLock<Box<[(TemplateId, RuleId)]>>,
}

/// A list, as [`Lists`] has numbered it. No number is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ListId(pub(super) u64);

impl List {
    pub(super) fn id(&self) -> ListId {
        self.id
    }

    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether a chain with these rules may be a dispatcher.
    pub(super) fn may_dispatch(&self) -> bool {
        self.may_dispatch
    }

    /// The templates of its rules, ascending, each with the rule.
    pub(super) fn templates(&self, rules: &mut Rules, family: Family) -> &[(TemplateId, RuleId)] {
        self.templates.get_or_init(|| {
            let template = |(_, id): &Row| Some((rules.take_apart(*id, family)?.0, *id));
            let mut templates: Vec<_> = self.rows.iter().filter_map(template).collect();
            templates.sort_unstable();
            templates.into()
        })
    }

    /// The same, when they were asked for before.
    pub(super) fn known_templates(&self) -> &[(TemplateId, RuleId)] {
        self.templates.get().map_or(&[], |templates| templates)
    }
}

/// A list in the index, found by what it holds.
#[derive(Debug)]
struct Indexed(Arc<List>);

impl PartialEq for Indexed {
    fn eq(&self, other: &Self) -> bool {
        self.0.rows == other.0.rows
    }
}

impl Eq for Indexed {}

impl Hash for Indexed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.rows.hash(state);
    }
}

impl Borrow<[Row]> for Indexed {
    fn borrow(&self) -> &[Row] {
        &self.0.rows
    }
}

/// The lists of a table.
#[derive(Debug, Default)]
pub(super) struct Lists {
    known: HashSet<Indexed>,
    next: u64,
    /// Lists that a chain gave up since the last sweep.
    idle: Vec<Arc<List>>,
}

impl Lists {
    /// The list of these rules, which are ascending.
    pub(super) fn intern(&mut self, rows: &[Row], rules: &mut Rules) -> Arc<List> {
        if let Some(Indexed(list)) = self.known.get(rows) {
            return list.clone();
        }
        rows.iter().for_each(|(_, id)| rules.hold(*id));
        let list = self.make(rows.into(), rules);
        self.known.insert(Indexed(list.clone()));
        list
    }

    /// The rules of a long chain as a list that is nobody else's and holds nothing.
    pub(super) fn of_chain(&mut self, chain: &ChainRules, rules: &Rules) -> Arc<List> {
        match chain {
            ChainRules::List(list) => list.clone(),
            ChainRules::Many(_) => self.make(chain.iter().collect(), rules),
        }
    }

    fn make(&mut self, rows: Box<[Row]>, rules: &Rules) -> Arc<List> {
        self.next += 1;
        let summary = Summary::of(rows.iter().copied(), rules);
        let signatures = rows.iter().filter_map(|(_, id)| Some(rules.at(*id)?.keyed.as_ref()?.0));
        let may_dispatch = dispatch::may_dispatch(signatures);
        Arc::new(List { id: ListId(self.next), rows, summary, may_dispatch, templates: OnceLock::new() })
    }

    /// A chain has other rules now.
    pub(super) fn release(&mut self, rules: ChainRules, numbers: &mut Rules) {
        match rules {
            ChainRules::List(list) => self.idle.push(list),
            ChainRules::Many(map) => map.into_values().for_each(|id| numbers.release(id)),
        }
    }

    /// Forgets lists that no chain has. To be called when rules that nothing uses may be forgotten.
    pub(super) fn sweep(&mut self, rules: &mut Rules) {
        let mut idle = std::mem::take(&mut self.idle);
        // One that several chains gave up is here as often.
        idle.sort_unstable_by_key(|list| list.id);
        idle.dedup_by_key(|list| list.id);
        for list in idle {
            // Here, and in the index.
            if Arc::strong_count(&list) == 2 && self.known.remove(&*list.rows) {
                list.rows.iter().for_each(|(_, id)| rules.release(*id));
            }
        }
    }
}

/// The rules of a chain.
#[derive(Debug)]
pub(super) enum ChainRules {
    /// Of a short one.
    List(Arc<List>),
    /// Of a long one, which holds each.
    Many(BTreeMap<RuleKey, RuleId>),
}

impl Default for ChainRules {
    fn default() -> Self {
        Self::Many(BTreeMap::new())
    }
}

impl ChainRules {
    fn parts(&self) -> (&[Row], Option<&BTreeMap<RuleKey, RuleId>>) {
        match self {
            Self::List(list) => (&list.rows, None),
            Self::Many(map) => (&[], Some(map)),
        }
    }

    /// The rules in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Row> + Clone {
        let (rows, map) = self.parts();
        rows.iter().copied().chain(map.into_iter().flatten().map(|(key, id)| (*key, *id)))
    }

    /// Those that may lead to a chain, in their order.
    pub(super) fn leading(&self) -> impl Iterator<Item = RuleId> {
        let (rows, map) = match self {
            Self::List(list) => (list.summary.leading.as_slice(), None),
            Self::Many(map) => (&[][..], Some(map)),
        };
        rows.iter().map(|(_, id)| *id).chain(map.into_iter().flatten().map(|(_, id)| *id))
    }

    /// Their numbers in their order.
    pub(super) fn ids(&self) -> impl Iterator<Item = RuleId> + Clone {
        self.iter().map(|(_, id)| id)
    }

    /// The rule at that place.
    pub(super) fn get(&self, key: RuleKey) -> Option<RuleId> {
        match self {
            Self::List(list) => {
                let at = list.rows.binary_search_by_key(&key, |(key, _)| *key).ok()?;
                list.rows.get(at).map(|(_, id)| *id)
            }
            Self::Many(map) => map.get(&key).copied(),
        }
    }

    /// The list, if there is one.
    pub(super) fn list(&self) -> Option<&Arc<List>> {
        match self {
            Self::List(list) => Some(list),
            Self::Many(_) => None,
        }
    }

    /// Whether it is the same list.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.list().zip(other.list()).is_some_and(|(one, two)| Arc::ptr_eq(one, two))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// What these have that others have not, and what those have that these have not.
    pub(super) fn differences(&self, others: &Self) -> (Vec<Row>, Vec<Row>) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut left, mut right) = (self.iter().peekable(), others.iter().peekable());
        loop {
            match (left.peek().copied(), right.peek().copied()) {
                (Some(one), Some(two)) if one == two => {
                    left.next();
                    right.next();
                }
                // Only a model that was put back has another rule of the same key.
                (Some(one), two) if two.is_none_or(|two| one.0 <= two.0) => ours.extend(left.next()),
                (_, Some(_)) => theirs.extend(right.next()),
                (_, None) => return (ours, theirs),
            }
        }
    }
}
