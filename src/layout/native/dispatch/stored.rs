//! What is kept of rules, signatures and groups.
//!
//! Owns: [`Stored`], [`Count`], [`GroupId`], [`Group`], [`Groups`].
//! Never: knows the chain that they are of.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::{DISPATCH_MIN, SignatureId};
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
    pub(super) group: Option<GroupId>,
    pub(super) effects: Effects,
    pub(super) verdict_only: bool,
}

impl Stored {
    /// Signature, number of fields, and key, if it has a signature.
    pub(super) fn keyed(&self) -> Option<(SignatureId, u16, &Key)> {
        let (fields, key) = self.key.as_ref()?;
        Some((self.signature?, *fields, key))
    }
}

/// How many rules of a chain have a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) all: u32,
    /// Those that have more than verdicts.
    pub(super) more: u32,
    /// The number of the fields that all of them have.
    pub(super) fields: u16,
}

impl Count {
    /// Whether the signature is active.
    pub(super) fn is_active(self) -> bool {
        self.all as usize >= DISPATCH_MIN
    }
}

/// A group of a chain, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupId(NonZeroU32);

/// The n-th rules of each key of one signature between two cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) signature: SignatureId,
    /// How many rules with the same key come before, between the same cuts.
    pub(super) layer: u32,
    pub(super) first: RuleKey,
    pub(super) len: u32,
    /// Whether it is a run, as of now or before the chain went stale.
    pub(super) run: bool,
}

/// The groups of a chain. Numbers are given in turn: one that is free again does not come back while anybody could still
/// mean the group that had it.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    known: BTreeMap<GroupId, Group>,
    last: u32,
}

impl Groups {
    /// None yet; the first one gets the number after `last`.
    pub(super) fn after(last: u32) -> Self {
        Self { known: BTreeMap::new(), last }
    }

    /// The last number that was given.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    pub(super) fn get(&self, number: GroupId) -> Option<&Group> {
        self.known.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: GroupId) -> Option<&mut Group> {
        self.known.get_mut(&number)
    }

    /// The group, if it is a run.
    pub(super) fn run(&self, number: GroupId) -> Option<&Group> {
        self.get(number).filter(|group| group.run)
    }

    /// All groups with their numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        self.known.iter().map(|(number, group)| (*number, group))
    }

    /// Adds a group; returns its number.
    pub(super) fn insert(&mut self, group: Group) -> GroupId {
        loop {
            self.last = self.last.wrapping_add(1);
            let number = NonZeroU32::new(self.last).map(GroupId);
            if let Some(number) = number.filter(|number| !self.known.contains_key(number)) {
                self.known.insert(number, group);
                return number;
            }
        }
    }

    pub(super) fn remove(&mut self, number: GroupId) {
        self.known.remove(&number);
    }
}
