//! What the fake kernel holds: the objects of one namespace.
//!
//! Owns: tables with all that is in them, use counts, handles, and which of it the running transaction has made or
//! deleted.
//! Never: reads a message or decides whether an operation is allowed.
//!
//! Invariant: an object that a transaction deletes stays in its list, marked, until the commit, as in the kernel: a
//! rule can still be named as position, a chain still be walked. Names lead to live objects only.
//! Invariant: handles grow and are given once; a list in handle order is in the kernel's order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::kernel::Errno;
use crate::kernel::fake::request::Slot;
use crate::name::SetName;
use crate::nft::expr::{Counter, Expr};
use crate::nft::uapi::NFT_TABLE_F_OWNER;
use crate::nft::{self, Family, Policy, SetData, SetFlags};

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) tables: Vec<Table>,
    pub(super) next_table: u64,
    /// Changes made by the transaction that runs; a transaction without any does not move the generation.
    pub(super) changes: usize,
    /// New rules whose handle the transaction asks for, by sequence number.
    pub(super) echoes: Vec<(u32, u64)>,
    /// Flags of tables that this kernel does not know.
    pub(super) unknown_flags: u32,
    /// New tables start out as this: `Do` when a transaction is run again to find out which rule is to blame.
    pub(super) validate: Validate,
}

/// `enum nft_validate_states`: whether a table's jump graph must be walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Validate {
    /// Not until something changes.
    #[default]
    Skip,
    /// At the commit.
    Need,
    /// After every rule and every list of elements, to name the one that is to blame.
    Do,
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) family: Family,
    pub(super) name: Arc<str>,
    pub(super) flags: u32,
    pub(super) handle: u64,
    /// Netlink port of the owner.
    pub(super) owner: u32,
    pub(super) userdata: Option<Box<[u8]>>,
    /// Chains, sets and objects in it.
    pub(super) uses: u32,
    pub(super) next_handle: u64,
    pub(super) chains: BTreeMap<u64, Chain>,
    pub(super) chain_names: HashMap<Arc<str>, u64>,
    pub(super) sets: BTreeMap<u64, Set>,
    pub(super) set_names: HashMap<SetName, u64>,
    pub(super) objects: BTreeMap<u64, Object>,
    pub(super) validate: Validate,
    pub(super) deleted: bool,
    /// Its flags have changed in this transaction.
    pub(super) updated: bool,
    /// A chain of it has changed, or a base chain is gone, in this transaction.
    pub(super) chains_updated: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) name: Arc<str>,
    pub(super) handle: u64,
    /// `NFTA_CHAIN_ID`, for the transaction that made it.
    pub(super) id: Option<u32>,
    pub(super) base: Option<Base>,
    pub(super) flags: u32,
    pub(super) userdata: Option<Box<[u8]>>,
    /// Live rules in it, and references to it.
    pub(super) uses: u32,
    pub(super) rules: Vec<Rule>,
    pub(super) deleted: bool,
    /// What it will be called after the commit.
    pub(super) renamed: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) kind: ChainKind,
    pub(super) hook: u32,
    pub(super) priority: i32,
    pub(super) policy: Policy,
    pub(super) devices: Vec<Arc<str>>,
    pub(super) counters: Option<Counter>,
}

/// `enum nft_chain_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChainKind {
    Filter,
    Route,
    Nat,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) handle: u64,
    /// `NFTA_RULE_ID`, for the transaction that made it.
    pub(super) id: Option<u32>,
    pub(super) expressions: Arc<[Expr]>,
    /// What the expressions refer to, in their order.
    pub(super) refs: Arc<[Ref]>,
    pub(super) userdata: Option<Box<[u8]>>,
    pub(super) deleted: bool,
}

/// A reference to another object of the table, by its handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ref {
    /// The target of a jump or goto.
    Chain(u64),
    Set(u64),
    Object(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) handle: u64,
    /// `NFTA_SET_ID`, for the transaction that made it.
    pub(super) id: Option<u32>,
    /// As it is dumped: with the name that the kernel has chosen for an anonymous set.
    pub(super) value: nft::Set,
    pub(super) elements: BTreeMap<ElementKey, Element>,
    /// The chains of the rules that use it, one entry a use.
    pub(super) bindings: Vec<u64>,
    pub(super) deleted: bool,
    /// Made in this transaction.
    pub(super) fresh: bool,
    /// Some rule has used it, even if that rule is gone again.
    pub(super) bound: bool,
}

/// What tells the elements of a set apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ElementKey {
    pub(super) key: Vec<u8>,
    pub(super) key_end: Option<Vec<u8>>,
    /// `NFT_SET_ELEM_INTERVAL_END`, `NFT_SET_ELEM_CATCHALL`.
    pub(super) flags: u32,
}

/// An element. One that is deleted goes at once: nothing can name it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) value: nft::Element,
    pub(super) refs: Vec<Ref>,
}

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) handle: u64,
    pub(super) value: nft::Object,
    pub(super) uses: u32,
    pub(super) deleted: bool,
}

impl State {
    /// `nft_table_lookup`.
    pub(super) fn table(&mut self, family: u8, name: Option<Slot<'_>>, port: u32) -> Result<&mut Table, Errno> {
        let name = name.ok_or(Errno::INVAL)?.text();
        self.find(port, |table| table.family.nfproto() == family && *table.name == *name)
    }

    pub(super) fn find(&mut self, port: u32, is: impl Fn(&Table) -> bool) -> Result<&mut Table, Errno> {
        let table = self.tables.iter_mut().find(|table| !table.deleted && is(table)).ok_or(Errno::NOENT)?;
        if table.flags & NFT_TABLE_F_OWNER != 0 && table.owner != port { Err(Errno::PERM) } else { Ok(table) }
    }

    /// Makes the transaction's changes final: what is deleted goes away, new names are in force.
    pub(super) fn settle(&mut self) {
        self.tables.retain(|table| !table.deleted);
        for table in &mut self.tables {
            table.settle();
        }
        self.changes = 0;
        self.validate = Validate::Skip;
    }
}

impl Table {
    pub(super) fn allocate(&mut self) -> u64 {
        self.next_handle += 1;
        self.next_handle
    }

    /// `nft_chain_lookup`.
    pub(super) fn chain(&self, name: Option<Slot<'_>>) -> Result<u64, Errno> {
        self.chain_named(&name.ok_or(Errno::INVAL)?.text())
    }

    pub(super) fn chain_named(&self, name: &str) -> Result<u64, Errno> {
        self.chain_names.get(name).copied().ok_or(Errno::NOENT)
    }

    /// `nft_chain_lookup_byhandle`.
    pub(super) fn chain_by_handle(&self, handle: u64) -> Result<u64, Errno> {
        self.chains.get(&handle).filter(|c| !c.deleted).map(|c| c.handle).ok_or(Errno::NOENT)
    }

    /// `nft_set_lookup`, then `nft_set_lookup_byid`.
    pub(super) fn set(&self, name: &str, id: Option<u32>) -> Result<u64, Errno> {
        let by_id = || {
            let id = id?;
            self.sets.values().rev().find(|s| !s.deleted && s.id == Some(id)).map(|s| s.handle)
        };
        self.set_names.get(name).copied().or_else(by_id).ok_or(Errno::NOENT)
    }

    pub(super) fn object(&self, name: &str, kind: u32) -> Result<u64, Errno> {
        let mut live = self.objects.values().filter(|o| !o.deleted);
        live.find(|o| &*o.value.name == name && o.value.data.kind() == kind).map(|o| o.handle).ok_or(Errno::NOENT)
    }

    /// `nft_validate_state_update` to `Need`.
    pub(super) fn needs_validation(&mut self) {
        if self.validate == Validate::Skip {
            self.validate = Validate::Need;
        }
    }

    /// Takes a reference, for a rule or element of `chain`.
    pub(super) fn hold(&mut self, reference: Ref, chain: u64) {
        match reference {
            Ref::Chain(handle) => self.chain_uses(handle, 1),
            Ref::Object(handle) => self.object_uses(handle, 1),
            Ref::Set(handle) => {
                if let Some(set) = self.sets.get_mut(&handle) {
                    set.bindings.push(chain);
                    set.bound = true;
                }
            }
        }
    }

    /// Gives a reference back. An anonymous set goes with the rule that uses it.
    pub(super) fn release(&mut self, reference: Ref, chain: u64) {
        match reference {
            Ref::Chain(handle) => self.chain_uses(handle, -1),
            Ref::Object(handle) => self.object_uses(handle, -1),
            Ref::Set(handle) => {
                let Some(set) = self.sets.get_mut(&handle) else { return };
                if let Some(at) = set.bindings.iter().position(|&bound| bound == chain) {
                    set.bindings.swap_remove(at);
                }
                if set.is_anonymous() {
                    self.drop_set(handle);
                }
            }
        }
    }

    /// Marks a set as deleted and gives back what its elements hold.
    pub(super) fn drop_set(&mut self, handle: u64) {
        let Some(set) = self.sets.get_mut(&handle) else { return };
        set.deleted = true;
        let name = set.value.name.clone();
        let released: Vec<Ref> = std::mem::take(&mut set.elements).into_values().flat_map(|e| e.refs).collect();
        if self.set_names.get(&name) == Some(&handle) {
            self.set_names.remove(&name);
        }
        for reference in released {
            self.release(reference, 0);
        }
    }

    /// Marks a rule as deleted (`nft_delrule`). A rule is deleted only once in a transaction.
    pub(super) fn drop_rule(&mut self, chain: u64, rule: u64) -> Result<(), Errno> {
        let found = self.chains.get_mut(&chain).ok_or(Errno::NOENT)?;
        let rule = found.rules.iter_mut().find(|r| r.handle == rule && !r.deleted).ok_or(Errno::NOENT)?;
        rule.deleted = true;
        let refs = Arc::clone(&rule.refs);
        found.uses = found.uses.saturating_sub(1);
        for &reference in refs.iter() {
            self.release(reference, chain);
        }
        Ok(())
    }

    /// Marks all rules of a chain as deleted (`nft_delrule_by_chain`) and says how many there were.
    pub(super) fn drop_rules(&mut self, chain: u64) -> usize {
        let Some(found) = self.chains.get_mut(&chain) else { return 0 };
        let mut released = Vec::new();
        let mut count = 0;
        for rule in found.rules.iter_mut().filter(|r| !r.deleted) {
            rule.deleted = true;
            count += 1;
            found.uses = found.uses.saturating_sub(1);
            released.extend(rule.refs.iter().copied());
        }
        for reference in released {
            self.release(reference, chain);
        }
        count
    }

    pub(super) fn drop_chain(&mut self, handle: u64) {
        let Some(chain) = self.chains.get_mut(&handle) else { return };
        chain.deleted = true;
        let name = Arc::clone(&chain.name);
        self.chain_names.remove(&name);
        self.uses = self.uses.saturating_sub(1);
    }

    fn chain_uses(&mut self, handle: u64, by: i32) {
        if let Some(chain) = self.chains.get_mut(&handle) {
            chain.uses = chain.uses.saturating_add_signed(by);
        }
    }

    fn object_uses(&mut self, handle: u64, by: i32) {
        if let Some(object) = self.objects.get_mut(&handle) {
            object.uses = object.uses.saturating_add_signed(by);
        }
    }

    fn settle(&mut self) {
        // A bound anonymous set no longer counts as a use of the table, so that the table can be deleted.
        let bound =
            self.sets.values_mut().filter_map(|s| (std::mem::take(&mut s.fresh) && s.is_anonymous()).then_some(()));
        self.uses = self.uses.saturating_sub(u32::try_from(bound.count()).unwrap_or(u32::MAX));
        self.chains.retain(|_, chain| !chain.deleted);
        self.sets.retain(|_, set| !set.deleted);
        self.objects.retain(|_, object| !object.deleted);
        for chain in self.chains.values_mut() {
            chain.id = None;
            if chain.rules.iter().any(|rule| rule.deleted) {
                chain.rules.retain(|rule| !rule.deleted);
            }
            for rule in &mut chain.rules {
                rule.id = None;
            }
            if let Some(name) = chain.renamed.take() {
                self.chain_names.remove(&chain.name);
                chain.name = Arc::clone(&name);
                self.chain_names.insert(name, chain.handle);
            }
        }
        for set in self.sets.values_mut() {
            set.id = None;
        }
        self.validate = Validate::Skip;
        self.updated = false;
        self.chains_updated = false;
    }
}

impl Set {
    pub(super) fn is_anonymous(&self) -> bool {
        self.value.flags.contains(SetFlags::ANONYMOUS)
    }

    pub(super) fn is_map(&self) -> bool {
        self.value.flags.contains(SetFlags::MAP)
    }

    pub(super) fn is_verdict_map(&self) -> bool {
        self.value.data == Some(SetData::Verdict)
    }
}
