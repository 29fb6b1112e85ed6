//! A table of one family: its chains and sets, and every operation on them.
//!
//! Owns: the operations of the OpenStack iptables managers, as typed ones.
//! Never: compares text; knows what is in the kernel.
//!
//! Every operation costs what it changes: chains are found by hash, rules by a hash in their chain, jumps to a chain and
//! bearers of a tag by a reverse index. Equal rules are one value in memory, whatever chains they stand in.
//!
//! Invariant: an operation that returns an error changed nothing; one that changes nothing leaves no chain dirty.
//!
//! How it is tested: `tests/wrap_naive.rs` runs random operations beside a model that is a plain list.

mod edit;
mod fill;
mod sets;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use self::edit::Identity;
pub use self::fill::Filling;

use foldhash::HashMap;
use foldhash::quality::RandomState;

use super::builtin::{TableId, TableKind};
use super::chain::{Base, Chain, ChainKind};
use super::entry::{self, Addition, Entry, Place};
use super::error::ModelError;
use super::naming::{ChainKey, Naming};
use super::pool::Pool;
use super::refs::{ChainId, Refs};
use super::set::AddressSet;
use crate::name::{ChainName, IpsetName};
use crate::nft::Policy;
use crate::nft::expr::Counter;
use crate::rule::Rule;

/// User chains are numbered from here on, built-in chains below by their hook.
const FIRST_SERIAL: u64 = 16;

/// The desired state of one table.
#[derive(Debug, Clone)]
pub struct Table {
    id: TableId,
    naming: Arc<Naming>,
    chains: Vec<Option<Box<Chain>>>,
    free: Vec<ChainId>,
    by_name: HashMap<ChainName, ChainId>,
    order: BTreeMap<u64, ChainId>,
    next_serial: u64,
    /// Where the serials of a new chain's rules begin: after those of every chain that is gone.
    first_rule: u32,
    tags: HashMap<Box<str>, Refs>,
    sets: BTreeMap<IpsetName, AddressSet>,
    /// Those that were applied and removed since, without members.
    removed_sets: BTreeMap<IpsetName, AddressSet>,
    /// The rules that name a set, be it one of these or not.
    set_refs: HashMap<IpsetName, Refs>,
    /// The sets that changed or are gone.
    dirty_sets: BTreeSet<IpsetName>,
    pool: Pool,
    /// For what rules are: part of such a hash is kept, so all of its bits have to be good.
    hasher: RandomState,
    /// The chains that changed; each knows its place here.
    dirty: Vec<ChainId>,
    /// The names of those that changed and are gone.
    gone: BTreeSet<ChainName>,
    fresh: bool,
}

impl Table {
    pub(super) fn new(id: TableId, naming: Arc<Naming>) -> Self {
        Self {
            id,
            naming,
            chains: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::default(),
            order: BTreeMap::new(),
            next_serial: FIRST_SERIAL,
            first_rule: 0,
            tags: HashMap::default(),
            sets: BTreeMap::new(),
            removed_sets: BTreeMap::new(),
            set_refs: HashMap::default(),
            dirty_sets: BTreeSet::new(),
            pool: Pool::default(),
            hasher: RandomState::default(),
            dirty: Vec::new(),
            gone: BTreeSet::new(),
            fresh: true,
        }
    }

    /// Family and kind.
    #[must_use]
    pub fn id(&self) -> TableId {
        self.id
    }

    /// Which table.
    #[must_use]
    pub fn kind(&self) -> TableKind {
        self.id.kind
    }

    /// The chains: built-in ones by hook, then the others in the order of adding.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.order.values().filter_map(|&id| self.at(id)).filter(|chain| chain.is_present())
    }

    /// The chain, if the model says anything about it.
    #[must_use]
    pub fn chain<'k>(&self, chain: impl Into<ChainKey<'k>>) -> Option<&Chain> {
        let id = self.find(chain.into()).ok()??;
        self.at(id).filter(|chain| chain.is_present())
    }

    /// The rules of a chain about an address, in the chain's order: those for packets to it alone, and those that give packets
    /// it as their source. In a long chain the work follows what has changed since the last question.
    pub fn rules_about<'k>(&mut self, chain: impl Into<ChainKey<'k>>, address: IpAddr) -> Vec<Entry> {
        let found = self.find(chain.into()).ok().flatten();
        found.and_then(|id| self.at_mut(id)).map(|chain| chain.slots.about(address)).unwrap_or_default()
    }

    /// How many rules of a chain were looked at for that.
    #[cfg(test)]
    pub(crate) fn looked_at<'k>(&self, chain: impl Into<ChainKey<'k>>) -> usize {
        self.chain(chain).and_then(|chain| chain.slots.looked_at()).unwrap_or_default()
    }

    /// Whether the chain was added, or is built in.
    #[must_use]
    pub fn has_chain<'k>(&self, chain: impl Into<ChainKey<'k>>) -> bool {
        self.chain(chain).is_some_and(|chain| chain.kind != ChainKind::Foreign)
    }

    /// Whether a rule of the model jumps or goes to the chain, be it there or not.
    #[must_use]
    pub fn is_referenced<'k>(&self, chain: impl Into<ChainKey<'k>>) -> bool {
        let id = self.find(chain.into()).ok().flatten();
        id.and_then(|id| self.at(id)).is_some_and(|chain| !chain.refs.is_empty())
    }

    /// Adds a chain, `$name` for a wrapped one. Returns whether it is new.
    ///
    /// # Errors
    /// [`ModelError`] when the name does not fit, is a target's, or belongs to a chain of another kind.
    pub fn add_chain<'k>(&mut self, chain: impl Into<ChainKey<'k>>) -> Result<bool, ModelError> {
        let key = chain.into();
        self.declare(key).map(|(_, new)| new)
    }

    /// Adds a rule. Returns whether it is new: a rule that is there already, at the same place with the same tag, stays
    /// where it is and is not added again. A built-in or foreign chain comes into the model with its first rule.
    ///
    /// # Errors
    /// [`ModelError::UnknownChain`] when a wrapped chain was not added before; others for names and families.
    pub fn add_rule<'k>(
        &mut self,
        chain: impl Into<ChainKey<'k>>,
        rule: impl Into<Addition>,
    ) -> Result<bool, ModelError> {
        let (key, addition) = (chain.into(), self.resolve(rule.into())?);
        let id = self.chain_for_rules(key)?;
        Ok(self.insert(id, addition, true))
    }

    /// Adds a rule even when an equal one is there: for text that states a chain rule by rule.
    ///
    /// # Errors
    /// As [`add_rule`](Table::add_rule).
    pub fn push_rule<'k>(
        &mut self,
        chain: impl Into<ChainKey<'k>>,
        rule: impl Into<Addition>,
    ) -> Result<(), ModelError> {
        let (key, addition) = (chain.into(), self.resolve(rule.into())?);
        let id = self.chain_for_rules(key)?;
        self.insert(id, addition, false);
        Ok(())
    }

    /// Adds rules as [`push_rule`](Table::push_rule) does, and looks the chain up once for all of them.
    ///
    /// # Errors
    /// As [`add_rule`](Table::add_rule), at the first rule that does not fit; the rules before it are added.
    pub fn push_rules<'k, R: Into<Addition>>(
        &mut self,
        chain: impl Into<ChainKey<'k>>,
        rules: impl IntoIterator<Item = R>,
    ) -> Result<(), ModelError> {
        self.fill().push_rules(chain, rules)
    }

    /// Starts to add many rules, chain by chain. Rules that are one value where they come from, as those of equal text
    /// are, cost next to nothing when they come again.
    pub fn fill(&mut self) -> Filling<'_> {
        Filling::new(self)
    }

    /// Removes the first such rule of that place, with the same comment if there is one, else, when `rule` has no
    /// comment, with any. Returns whether there was one.
    ///
    /// # Errors
    /// [`ModelError`] when a name cannot be one.
    pub fn remove_rule<'k>(
        &mut self,
        chain: impl Into<ChainKey<'k>>,
        rule: &Rule,
        place: Place,
    ) -> Result<bool, ModelError> {
        let addition = self.resolve(Addition::from(rule).place(place))?;
        let Some(id) = self.find(chain.into())? else { return Ok(false) };
        let wanted = &*addition.rule;
        let hash = Identity::cut_of(self.hash(wanted));
        let Some(chain) = self.at(id) else { return Ok(false) };
        let exact = chain.slots.find(hash, |e| e.place() == place && **e.rule() == *wanted);
        let slot = exact.or_else(|| {
            let bare = wanted.comment_text().is_none();
            chain.slots.find(hash, |e| bare && e.place() == place && entry::same_but_comments(e.rule(), wanted))
        });
        let Some(slot) = slot else { return Ok(false) };
        self.remove_slots(id, &[slot]);
        Ok(true)
    }

    /// Whether there is exactly such a rule of that place, with that comment or none.
    #[must_use]
    pub fn has_rule<'k>(&self, chain: impl Into<ChainKey<'k>>, rule: &Rule, place: Place) -> bool {
        let Ok(addition) = self.resolve(Addition::from(rule)) else { return false };
        let chain = self.find(chain.into()).ok().flatten().and_then(|id| self.at(id));
        let hash = Identity::cut_of(self.hash(&addition.rule));
        chain
            .is_some_and(|chain| chain.slots.find(hash, |e| e.place() == place && e.rule() == &addition.rule).is_some())
    }

    /// Removes the chain, its rules, and every jump and goto to it in the table. Returns whether it was there.
    ///
    /// # Errors
    /// [`ModelError::BuiltinChain`] for a built-in chain; [`ModelError::NoComponent`].
    pub fn remove_chain<'k>(&mut self, chain: impl Into<ChainKey<'k>>) -> Result<bool, ModelError> {
        let key = chain.into();
        if let ChainKey::Named(name) = key
            && self.id.kind.builtin(name).is_some()
        {
            return Err(ModelError::BuiltinChain { table: self.id, chain: ChainName::new(name)? });
        }
        let Some(id) = self.find(key)? else { return Ok(false) };
        let owned = |chain: &&Chain| matches!(chain.kind, ChainKind::Wrapped | ChainKind::Shared);
        let Some(name) = self.at(id).filter(owned).map(|chain| chain.name.clone()) else { return Ok(false) };
        self.clear(id);
        let referring = self.at(id).map(|chain| chain.refs.pairs()).unwrap_or_default();
        self.remove_referring(&referring, |e| e.rule().chain_ref().is_some_and(|target| *target.name() == name));
        self.touch(id);
        if let Some(chain) = self.at_mut(id) {
            chain.kind = ChainKind::Foreign;
        }
        self.release(id);
        Ok(true)
    }

    /// Removes all of the component's rules in the chain; the chain stays. Returns how many there were.
    ///
    /// # Errors
    /// [`ModelError::NoComponent`].
    pub fn empty_chain<'k>(&mut self, chain: impl Into<ChainKey<'k>>) -> Result<usize, ModelError> {
        let Some(id) = self.find(chain.into())? else { return Ok(0) };
        let count = self.clear(id);
        self.release(id);
        Ok(count)
    }

    /// Removes every rule that `is` takes. Returns how many there were. This one looks at every rule of the table.
    pub fn remove_rules_where(&mut self, mut is: impl FnMut(&Chain, &Entry) -> bool) -> usize {
        let mut removed = 0;
        for id in self.order.values().copied().collect::<Vec<_>>() {
            let Some(chain) = self.at(id) else { continue };
            let slots: Vec<_> = chain.slots.slots().filter(|(_, e)| is(chain, e)).map(|(slot, _)| slot).collect();
            removed += slots.len();
            self.remove_slots(id, &slots);
        }
        removed
    }

    /// Removes every rule that was added with the tag, and no other. Returns how many there were.
    pub fn clear_by_tag(&mut self, tag: &str) -> usize {
        let pairs = self.tags.get(tag).map(Refs::pairs).unwrap_or_default();
        self.remove_referring(&pairs, |entry| entry.tag() == Some(tag))
    }

    /// Makes these the component's rules in the chain, in this order, as given. Returns whether anything changed.
    /// Rules that were there and still are keep their counters in the kernel.
    ///
    /// # Errors
    /// As [`add_rule`](Table::add_rule); nothing changes then.
    pub fn replace_chain<'k, R: Into<Addition>>(
        &mut self,
        chain: impl Into<ChainKey<'k>>,
        rules: impl IntoIterator<Item = R>,
    ) -> Result<bool, ModelError> {
        let key = chain.into();
        let mut additions: Vec<_> = rules.into_iter().map(|r| self.resolve(r.into())).collect::<Result<_, _>>()?;
        additions.sort_by_key(|addition| addition.place);
        if additions.is_empty() && matches!(key, ChainKey::Named(_)) && self.find(key)?.is_none() {
            // A chain comes into the model with its first rule.
            return self.naming.checked(key).map(|_| false);
        }
        let id = self.chain_for_rules(key)?;
        let Some(chain) = self.at(id) else { return Ok(false) };
        let same = chain.len() == additions.len() && chain.rules().zip(&additions).all(|(e, a)| e.is(a));
        if !same {
            self.clear(id);
            self.expect(id, additions.len());
            for addition in additions {
                self.insert(id, addition, false);
            }
        }
        self.release(id);
        Ok(!same)
    }

    /// Sets the policy of a built-in chain, with the counters that it starts with. Returns whether anything changed.
    ///
    /// # Errors
    /// [`ModelError::NoPolicy`] when the chain is not built in.
    pub fn set_policy(&mut self, chain: &str, policy: Policy, counters: Option<Counter>) -> Result<bool, ModelError> {
        if self.id.kind.builtin(chain).is_none() {
            return Err(ModelError::NoPolicy { table: self.id, chain: chain.to_owned() });
        }
        let (id, _) = self.declare(ChainKey::Named(chain))?;
        let base = Some(Box::new(Base { policy, counters }));
        let Some(chain) = self.at_mut(id).filter(|chain| chain.base != base) else { return Ok(false) };
        chain.base = base;
        self.touch(id);
        Ok(true)
    }

    /// The chains that changed since [`mark_applied`](super::Model::mark_applied), by name; those that
    /// [`chain`](Table::chain) does not find any more are to lose the component's rules, and its own ones to go.
    pub fn dirty(&self) -> impl Iterator<Item = &ChainName> {
        let there = self.dirty.iter().filter_map(|&id| self.at(id)).map(Chain::name);
        let mut names: Vec<_> = there.chain(&self.gone).collect();
        names.sort_unstable();
        // One that is gone can have come again.
        names.dedup();
        names.into_iter()
    }

    /// Whether anything changed since [`mark_applied`](super::Model::mark_applied), sets and the table being new included.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.fresh || !self.dirty.is_empty() || !self.gone.is_empty() || !self.dirty_sets.is_empty()
    }

    pub(super) fn mark_applied(&mut self) {
        for id in std::mem::take(&mut self.dirty) {
            if let Some(chain) = self.at_mut(id) {
                chain.dirty = None;
                chain.slots.settle();
            }
        }
        self.gone.clear();
        self.mark_sets_applied();
        self.fresh = false;
    }

    /// The chain of that kernel name, also one that is only jumped to.
    pub(super) fn node(&self, name: &ChainName) -> Option<(ChainId, &Chain)> {
        let id = *self.by_name.get(name)?;
        self.at(id).map(|chain| (id, chain))
    }

    /// All chains with their numbers, in order, also those that are only jumped to.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (ChainId, &Chain)> {
        self.order.values().filter_map(|&id| self.at(id).map(|chain| (id, chain)))
    }

    /// One more than the highest chain number.
    pub(super) fn node_bound(&self) -> usize {
        self.chains.len()
    }

    /// The chain of that number.
    pub(super) fn at(&self, id: ChainId) -> Option<&Chain> {
        self.chains.get(id.index())?.as_deref()
    }
}
