//! What the index keeps of rules, chains and groups.
//!
//! Owns: [`Stored`], [`Head`], [`Count`], [`Group`], [`Groups`].
//! Never: changes more than one of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use super::{ChainIx, Entry, Index, SignatureId};
use crate::layout::native::analysis::Effects;
use crate::layout::native::field::Key;
use crate::wrap::RuleKey;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The number of its fields, and the key.
    pub(super) key: Option<(u16, Key)>,
    pub(super) action: u64,
    pub(super) signature: Option<SignatureId>,
    /// Its group, if it is keyed.
    pub(super) group: Option<u32>,
    pub(super) effects: Effects,
    pub(super) verdict_only: bool,
}

impl Stored {
    /// The key's hash, by which twins are found. Equal keys have the same one in every process.
    pub(super) fn hash(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        if let Some((_, key)) = &self.key {
            hasher.write(key.bytes());
        }
        // Half of it: those who look something up by it compare the key as well.
        (hasher.finish() >> 32) as u32
    }
}

/// A chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// Whether a dispatch reaches it.
    pub(super) reached: bool,
    /// Whether its rules are here.
    pub(super) held: bool,
    /// Whether its groups are not those of its rules, and are to be made anew.
    pub(super) stale: bool,
    /// Whether it is cut where the signature changes.
    pub(super) apart: bool,
    /// How many signatures are active.
    pub(super) active: u32,
    /// Rules of active signatures that have more than verdicts.
    pub(super) more: u32,
    /// Keyed rules.
    pub(super) keyed: u32,
    /// Keyed rules with side effects.
    pub(super) side: u32,
    /// Keyed rules that can do something else than drop.
    pub(super) not_drop: u32,
    /// Distinct actions of keyed rules, where there are several active signatures.
    pub(super) actions: u32,
}

impl Head {
    /// Whether the chain is a dispatcher.
    pub(super) fn dispatches(&self) -> bool {
        self.active > 0 && (self.more > 0 || !self.reached)
    }

    /// Whether it is to be cut where the signature changes.
    pub(super) fn is_apart(&self) -> bool {
        let commute = self.side == 0 && (self.not_drop == 0 || self.actions <= 1);
        self.active > 1 && !commute
    }

    /// Counts a keyed rule in, or out.
    pub(super) fn count(&mut self, effects: Effects, more: bool) {
        let step = |n: &mut u32, by: bool| *n = n.wrapping_add_signed(i32::from(by) * if more { 1 } else { -1 });
        step(&mut self.keyed, true);
        step(&mut self.side, effects.contains(Effects::SIDE));
        step(&mut self.not_drop, !Effects::DROP.contains(effects));
    }
}

/// How many rules of a chain have a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) all: u32,
    /// Those that have more than verdicts.
    pub(super) more: u32,
}

/// The n-th rules of each key of one signature between two cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) chain: ChainIx,
    pub(super) signature: SignatureId,
    /// How many rules with the same key come before, between the same cuts.
    pub(super) layer: u32,
    pub(super) first: RuleKey,
    pub(super) len: u32,
    /// Whether it is a run, as of now or before the chain went stale.
    pub(super) run: bool,
}

/// The groups of all chains, by number. Numbers are given in turn: one that is free again does not come back while
/// anybody could still mean the group that had it.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    known: BTreeMap<u32, Group>,
    next: u32,
}

impl Groups {
    pub(super) fn get(&self, number: u32) -> Option<&Group> {
        self.known.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.known.get_mut(&number)
    }

    /// Adds a group; returns its number.
    pub(super) fn insert(&mut self, group: Group) -> u32 {
        while self.known.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.known.insert(number, group);
        number
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.known.remove(&number);
    }
}

impl Index {
    /// The number of these fields.
    fn number_fields(&mut self, fields: &super::Fields) -> u16 {
        let at = self.fields.iter().position(|known| known == fields);
        let at = at.unwrap_or_else(|| {
            self.fields.push(fields.clone());
            self.fields.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Changes a chain, if it is known.
    pub(super) fn change_head(&mut self, chain: ChainIx, change: impl FnOnce(&mut Head)) {
        if let Some(head) = self.heads.get_mut(&chain) {
            change(head);
        }
    }

    /// Changes a group, if it lives.
    pub(super) fn change_group(&mut self, number: u32, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.get_mut(number) {
            change(group);
        }
    }

    /// Writes down which group a rule is in; returns the one before.
    pub(super) fn assign(&mut self, chain: ChainIx, rule: RuleKey, group: Option<u32>) -> Option<u32> {
        let stored = self.rules.get_mut(&(chain, rule))?;
        std::mem::replace(&mut stored.group, group)
    }

    /// What is kept of a rule.
    pub(super) fn store(&mut self, entry: Entry<'_>) -> Stored {
        let Entry { signature, key, action, effects, verdict_only } = entry;
        let key = key.map(|(fields, key)| (self.number_fields(fields), key.clone()));
        // A signature without a key would be a run without a lookup.
        let signature = signature.filter(|_| key.is_some());
        Stored { key, action, signature, group: None, effects, verdict_only }
    }

    /// Whether that is what is kept.
    pub(super) fn is_same(&self, stored: &Stored, entry: Entry<'_>) -> bool {
        let key = stored.key.as_ref().and_then(|(fields, key)| Some((self.fields.get(usize::from(*fields))?, key)));
        key == entry.key
            && stored.signature == entry.signature.filter(|_| key.is_some())
            && (stored.action, stored.effects, stored.verdict_only) == (entry.action, entry.effects, entry.verdict_only)
    }
}
