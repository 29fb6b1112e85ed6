//! What the operations of a table are made of: finding chains, linking and unlinking rules.
//!
//! Owns: chain numbers, the reverse indexes (who jumps where, who has which tag), and what is marked as changed.
//! Never: checks what a caller may do; the operations above do.
//!
//! Invariant: a chain is known while the model says something about it or a rule refers to it; the reverse indexes hold
//! exactly the rules that stand.

use std::sync::Arc;

use super::Table;
use crate::name::ChainName;
use crate::rule::{ChainRef, Rule, Target};
use crate::wrap::chain::{Chain, ChainKind};
use crate::wrap::entry::{self, Addition, Entry};
use crate::wrap::error::ModelError;
use crate::wrap::family;
use crate::wrap::naming::ChainKey;
use crate::wrap::pool::Pool;
use crate::wrap::refs::ChainId;
use crate::wrap::slots::SlotId;

impl Table {
    /// The chain of that number, to be changed.
    pub(super) fn at_mut(&mut self, id: ChainId) -> Option<&mut Chain> {
        self.chains.get_mut(id.index())?.as_deref_mut()
    }

    /// The number of the chain that the key means, if it is known.
    pub(super) fn find(&self, key: ChainKey<'_>) -> Result<Option<ChainId>, ModelError> {
        Ok(self.by_name.get(self.naming.kernel_name(key)?.as_ref()).copied())
    }

    /// Finds or makes the chain of a name that is checked already.
    fn node_for(&mut self, name: &ChainName) -> ChainId {
        match self.by_name.get(name) {
            Some(&id) => id,
            None => self.make(name.clone()),
        }
    }

    /// Makes a chain that is not known, of a name that is checked already.
    fn make(&mut self, name: ChainName) -> ChainId {
        let (kind, serial) = match self.id.kind.builtin(name.as_str()) {
            Some(builtin) => (ChainKind::Builtin(builtin), builtin.hook as u64),
            None => (ChainKind::Foreign, self.serial()),
        };
        let mut chain = Chain::new(name.clone(), kind, serial);
        chain.slots.begin_at(self.first_rule);
        let chain = Some(Box::new(chain));
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.chains.push(None);
                ChainId(u32::try_from(self.chains.len() - 1).unwrap_or(u32::MAX))
            }
        };
        if let Some(slot) = self.chains.get_mut(id.index()) {
            *slot = chain;
        }
        self.by_name.insert(name, id);
        self.order.insert(serial, id);
        id
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial - 1
    }

    /// Makes the chain one of the component's, wrapped or shared as the key says. Returns whether it is new.
    pub(super) fn declare(&mut self, key: ChainKey<'_>) -> Result<(ChainId, bool), ModelError> {
        let name = self.naming.checked(key)?;
        let wanted = match key {
            ChainKey::Wrapped(_) => ChainKind::Wrapped,
            ChainKey::Named(_) => ChainKind::Shared,
        };
        let existing = self.node(&name).map(|(id, chain)| (id, chain.kind));
        let collision = |with| Err(ModelError::Collision { table: self.id, name: name.clone(), with });
        match existing {
            Some((id, ChainKind::Builtin(_))) if wanted == ChainKind::Shared => return Ok((id, false)),
            Some((id, kind)) if kind == wanted => return Ok((id, false)),
            Some((_, ChainKind::Wrapped)) => return collision("as a wrapped chain"),
            Some((_, ChainKind::Shared)) => return collision("as an unwrapped chain"),
            Some((_, ChainKind::Builtin(_))) => return collision("built in"),
            Some((_, ChainKind::Foreign)) | None => {}
        }
        let id = match existing {
            Some((id, _)) => id,
            None => self.make(name),
        };
        // A built-in chain is its own kind, and was not there before.
        let builtin = self.at(id).is_some_and(|chain| matches!(chain.kind, ChainKind::Builtin(_)));
        if let Some(chain) = self.at_mut(id).filter(|_| !builtin) {
            chain.kind = wanted;
        }
        if existing.is_some() {
            // It was a mere target so far: its place in the order is that of its declaration.
            let serial = self.serial();
            let before = self.at_mut(id).map(|chain| std::mem::replace(&mut chain.serial, serial));
            before.and_then(|before| self.order.remove(&before));
            self.order.insert(serial, id);
        }
        self.touch(id);
        Ok((id, !builtin))
    }

    /// The chain that a rule is added to: a wrapped one must be there.
    pub(super) fn chain_for_rules(&mut self, key: ChainKey<'_>) -> Result<ChainId, ModelError> {
        let found = self.find(key)?;
        match (key, found) {
            (ChainKey::Named(_), Some(id)) => Ok(id),
            (ChainKey::Wrapped(_), Some(id)) if self.at(id).is_some_and(|c| c.kind == ChainKind::Wrapped) => Ok(id),
            (ChainKey::Wrapped(_), _) => {
                let chain = self.naming.kernel_name(key)?.into_owned();
                Err(ModelError::UnknownChain { table: self.id, chain })
            }
            (ChainKey::Named(_), None) => {
                let name = self.naming.checked(key)?;
                Ok(self.node_for(&name))
            }
        }
    }

    /// Checks the rule's family and turns `$name` into the kernel's name.
    pub(super) fn resolve(&self, mut addition: Addition) -> Result<Addition, ModelError> {
        // What the pool holds went through here before.
        if self.pool.recall(&addition.rule).is_some() {
            return Ok(addition);
        }
        if let Some((family, part)) = family::binding(&addition.rule)?
            && family != self.id.family
        {
            return Err(ModelError::WrongFamily { table: self.id, part, family });
        }
        let Some(target) = addition.rule.chain_ref() else { return Ok(addition) };
        let name = match target {
            // The allocation that the chain has already serves the jump, too; and its name was checked when it was made.
            ChainRef::Wrapped(_) => {
                match self.by_name.get_key_value(self.naming.kernel_name(target.into())?.as_ref()) {
                    Some((same, _)) => same.clone(),
                    None => self.naming.checked(target.into())?,
                }
            }
            ChainRef::Named(name) => match self.by_name.get_key_value(name) {
                _ if name.as_str().len() > self.naming.max => self.naming.checked(target.into())?,
                Some((same, _)) if Arc::strong_count(&addition.rule) == 1 => same.clone(),
                _ => return Ok(addition),
            },
        };
        if let Some(Target::Jump(chain) | Target::Goto(chain)) = &mut Arc::make_mut(&mut addition.rule).target {
            *chain = ChainRef::Named(name);
        }
        Ok(addition)
    }

    /// What the rule is known by.
    pub(super) fn identify(&self, rule: &Arc<Rule>) -> Identity {
        let recalled = self.pool.recall(rule);
        let whole = recalled.unwrap_or_else(|| self.hash(rule));
        Identity { whole, pooled: recalled.is_some() }
    }

    pub(super) fn hash(&self, rule: &Rule) -> u64 {
        entry::identity(rule, &self.hasher)
    }

    /// Adds a rule that is resolved; a keyed one only if it is not there. Returns whether it was added.
    pub(super) fn insert(&mut self, id: ChainId, mut addition: Addition, keyed: bool) -> bool {
        let identity = self.identify(&addition.rule);
        let Some(chain) = self.at(id) else { return false };
        if keyed && chain.slots.find(identity.cut(), |entry| entry.is(&addition)).is_some() {
            return false;
        }
        addition.rule = self.share(identity, addition.rule);
        let target = self.target(&addition.rule);
        self.append(id, addition, identity.cut(), target);
        true
    }

    /// The rule, or the table's own that is equal.
    pub(super) fn share(&mut self, identity: Identity, rule: Arc<Rule>) -> Arc<Rule> {
        if identity.pooled { rule } else { self.pool.share(identity.whole, rule) }
    }

    /// The chain that the rule leads to, which is made if it is not known.
    pub(super) fn target(&mut self, rule: &Rule) -> Option<ChainId> {
        rule.chain_ref().map(|target| self.node_for(target.name()))
    }

    /// Makes room for rules that are about to come.
    pub(super) fn expect(&mut self, id: ChainId, rules: usize) {
        if let Some(chain) = self.at_mut(id) {
            chain.slots.expect(rules);
        }
    }

    /// Adds a rule that is the table's own; `hash` is its identity cut, `target` the chain that it leads to.
    pub(super) fn append(&mut self, id: ChainId, addition: Addition, hash: u32, target: Option<ChainId>) {
        if let Some(chain) = target.and_then(|target| self.at_mut(target)) {
            chain.refs.add(id, hash);
        }
        if let Some(tag) = &addition.tag {
            match self.tags.get_mut(tag.as_ref()) {
                Some(refs) => refs.add(id, hash),
                None => self.tags.entry(tag.as_ref().into()).or_default().add(id, hash),
            }
        }
        self.link_sets(id, &addition.rule, hash);
        if let Some(chain) = self.at_mut(id) {
            chain.slots.push(Entry::new(addition, hash));
        }
        self.touch(id);
    }

    /// Removes those rules that `is` takes among the ones that the pairs lead to.
    pub(super) fn remove_referring(&mut self, pairs: &[(ChainId, u32)], is: impl Fn(&Entry) -> bool) -> usize {
        let mut removed = 0;
        for &(id, hash) in pairs {
            let Some(chain) = self.at(id) else { continue };
            let mut slots = chain.slots.with_hash(hash);
            slots.retain(|&slot| chain.slots.entry(slot).is_some_and(&is));
            removed += slots.len();
            self.remove_slots(id, &slots);
        }
        removed
    }

    /// Removes the rules in these slots.
    pub(super) fn remove_slots(&mut self, id: ChainId, slots: &[SlotId]) {
        if slots.is_empty() {
            return;
        }
        for &slot in slots {
            if let Some(entry) = self.at_mut(id).and_then(|chain| chain.slots.remove(slot)) {
                let key = entry.key();
                self.unlink(id, &entry);
                if let Some(chain) = self.at_mut(id) {
                    chain.slots.record(key, entry.into_rule());
                }
            }
        }
        if let Some(chain) = self.at_mut(id) {
            chain.slots.compact();
        }
        self.touch(id);
        self.release(id);
    }

    /// Takes all rules out of the chain.
    pub(super) fn clear(&mut self, id: ChainId) -> usize {
        let Some(chain) = self.at_mut(id) else { return 0 };
        let count = chain.len();
        if count > 0 {
            for entry in chain.slots.take() {
                self.unlink(id, &entry);
            }
            self.touch(id);
        }
        count
    }

    /// Undoes what [`insert`](Table::insert) did for an entry outside its chain.
    fn unlink(&mut self, id: ChainId, entry: &Entry) {
        if let Some(target) = entry.rule().chain_ref()
            && let Some(&target) = self.by_name.get(target.name())
        {
            if let Some(chain) = self.at_mut(target) {
                chain.refs.remove(id, entry.hash());
            }
            if target != id {
                self.release(target);
            }
        }
        if let Some(tag) = entry.tag()
            && let Some(refs) = self.tags.get_mut(tag)
        {
            refs.remove(id, entry.hash());
            if refs.is_empty() {
                self.tags.remove(tag);
            }
        }
        self.unlink_sets(id, entry.rule(), entry.hash());
        if Pool::is_last(entry.rule()) {
            let identity = self.identify(entry.rule());
            self.pool.forget(identity.whole, entry.rule());
        }
    }

    /// Marks the chain as changed.
    pub(super) fn touch(&mut self, id: ChainId) {
        let place = u32::try_from(self.dirty.len()).unwrap_or(u32::MAX);
        if let Some(chain) = self.at_mut(id).filter(|chain| chain.dirty.is_none()) {
            chain.dirty = Some(place);
            self.dirty.push(id);
        }
    }

    /// Forgets a chain that the model says nothing about and nobody jumps to. Its name stays among the dirty ones.
    pub(super) fn release(&mut self, id: ChainId) {
        let Some(chain) = self.at(id).filter(|chain| !chain.is_present() && chain.refs.is_empty()) else { return };
        let (name, serial, dirty) = (chain.name.clone(), chain.serial, chain.dirty);
        self.first_rule = self.first_rule.max(chain.slots.next_serial());
        self.by_name.remove(&name);
        self.order.remove(&serial);
        if let Some(slot) = self.chains.get_mut(id.index()) {
            *slot = None;
        }
        self.free.push(id);
        if let Some(place) = dirty {
            self.forget_dirty(place);
            self.gone.insert(name);
        }
    }

    /// Takes a chain out of the changed ones; the last one moves to its place there.
    fn forget_dirty(&mut self, place: u32) {
        let Some(last) = self.dirty.pop() else { return };
        if let Some(freed) = self.dirty.get_mut(place as usize) {
            *freed = last;
            if let Some(chain) = self.at_mut(last) {
                chain.dirty = Some(place);
            }
        }
    }
}

/// What a rule is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    /// The hash of what it does, for the pool.
    whole: u64,
    /// Whether it is the pool's own value.
    pooled: bool,
}

impl Identity {
    /// Whether the pool recalled it.
    pub(super) fn is_pooled(self) -> bool {
        self.pooled
    }

    /// What an entry has of the hash.
    pub(super) fn cut(self) -> u32 {
        Self::cut_of(self.whole)
    }

    /// As [`cut`](Identity::cut), of a hash alone.
    pub(super) fn cut_of(hash: u64) -> u32 {
        (hash >> 32) as u32
    }
}
