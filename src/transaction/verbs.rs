//! What each verb sends for each object.
//!
//! Owns: message types and `NLM_F_*` flags of object and verb. `add` takes what is there already (`NLM_F_CREATE`),
//! `create` fails when it is there (`NLM_F_EXCL` too).

use super::{Batch, Origin};
use crate::name::{ChainName, SetName, TableName};
use crate::netlink::attr::Writer;
use crate::netlink::header::NewFlags;
use crate::nft::uapi::*;
use crate::nft::{Chain, Compat, Elements, Family, Object, Rule, Set, Table, expr, rule};

const ADD: u16 = NewFlags::CREATE.bits();
const CREATE: u16 = NewFlags::CREATE.union(NewFlags::EXCL).bits();
const APPEND: u16 = NewFlags::CREATE.union(NewFlags::APPEND).bits();
const REPLACE: u16 = NewFlags::REPLACE.bits();

/// Where a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerb {
    /// To the end of the chain, or right after the rule with this handle.
    Append(Option<u64>),
    /// To the start of the chain, or right before the rule with this handle.
    Insert(Option<u64>),
    /// In place of the rule with this handle, which goes away. The new rule has the same handle.
    Replace(u64),
}

/// Everything of a rule but its expressions, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleHead<'a> {
    /// Family of the table.
    pub family: Family,
    /// The table.
    pub table: &'a TableName,
    /// The chain.
    pub chain: &'a ChainName,
    /// Where it goes.
    pub verb: RuleVerb,
    /// What xt extensions check the rule's protocol against.
    pub compat: Option<Compat>,
    /// User data, at most 256 bytes; empty for none.
    pub userdata: &'a [u8],
}

impl RuleVerb {
    /// Flags, handle and position.
    fn parts(self) -> (u16, Option<u64>, Option<u64>) {
        match self {
            Self::Append(position) => (APPEND, None, position),
            Self::Insert(position) => (ADD, None, position),
            Self::Replace(handle) => (REPLACE, Some(handle), None),
        }
    }
}

/// Tables.
impl Batch {
    /// Adds a table, or changes the flags of the one that is there.
    pub fn add_table(&mut self, table: &Table, origin: Origin) {
        self.push(NFT_MSG_NEWTABLE, ADD, table.family, origin, |w| table.encode(w));
    }

    /// Adds a table that must not be there yet (`EEXIST`).
    pub fn create_table(&mut self, table: &Table, origin: Origin) {
        self.push(NFT_MSG_NEWTABLE, CREATE, table.family, origin, |w| table.encode(w));
    }

    /// Deletes a table and all that is in it.
    pub fn delete_table(&mut self, family: Family, table: &TableName, origin: Origin) {
        // One that is made under its name counts from the start.
        self.may_make(family, table);
        self.push(NFT_MSG_DELTABLE, 0, family, origin, |w| w.string(NFTA_TABLE_NAME, table.as_str()));
    }

    /// Deletes all rules of all chains of a table.
    pub fn flush_table(&mut self, family: Family, table: &TableName, origin: Origin) {
        self.push(NFT_MSG_DELRULE, 0, family, origin, |w| w.string(NFTA_RULE_TABLE, table.as_str()));
    }
}

/// Chains.
impl Batch {
    /// Adds a chain, or changes policy and counters of the base chain that is there. User data of a chain that is there
    /// stays as it is, and hook, priority and type cannot change.
    pub fn add_chain(&mut self, chain: &Chain, origin: Origin) {
        self.may_make(chain.family, &chain.table);
        self.push(NFT_MSG_NEWCHAIN, ADD, chain.family, origin, |w| chain.encode(w));
    }

    /// Adds a chain that must not be there yet (`EEXIST`).
    pub fn create_chain(&mut self, chain: &Chain, origin: Origin) {
        self.makes(chain.family, &chain.table);
        self.push(NFT_MSG_NEWCHAIN, CREATE, chain.family, origin, |w| chain.encode(w));
    }

    /// Gives a chain another name. The handle names the chain, because the name is the new one. The rest of the batch
    /// still knows the chain by the old name.
    pub fn rename_chain(&mut self, family: Family, table: &TableName, handle: u64, to: &ChainName, origin: Origin) {
        self.push(NFT_MSG_NEWCHAIN, 0, family, origin, |w| {
            w.string(NFTA_CHAIN_TABLE, table.as_str());
            w.u64_be(NFTA_CHAIN_HANDLE, handle);
            w.string(NFTA_CHAIN_NAME, to.as_str());
        });
    }

    /// Deletes a chain with its rules. Nothing may refer to it (`EBUSY`).
    pub fn delete_chain(&mut self, family: Family, table: &TableName, chain: &ChainName, origin: Origin) {
        self.push(NFT_MSG_DELCHAIN, 0, family, origin, |w| {
            w.string(NFTA_CHAIN_TABLE, table.as_str());
            w.string(NFTA_CHAIN_NAME, chain.as_str());
        });
    }

    /// Deletes all rules of a chain.
    pub fn flush_chain(&mut self, family: Family, table: &TableName, chain: &ChainName, origin: Origin) {
        self.push(NFT_MSG_DELRULE, 0, family, origin, |w| {
            w.string(NFTA_RULE_TABLE, table.as_str());
            w.string(NFTA_RULE_CHAIN, chain.as_str());
        });
    }
}

/// Rules.
impl Batch {
    /// Adds a rule at the end of its chain, or after the rule that its [`position`](Rule::position) names.
    pub fn add_rule(&mut self, rule: &Rule, origin: Origin) {
        self.rule(rule, RuleVerb::Append(rule.position), origin);
    }

    /// Adds a rule at the start of its chain, or before the rule that its [`position`](Rule::position) names.
    pub fn insert_rule(&mut self, rule: &Rule, origin: Origin) {
        self.rule(rule, RuleVerb::Insert(rule.position), origin);
    }

    /// Puts a rule in the place of the one with this handle; it keeps the handle.
    pub fn replace_rule(&mut self, rule: &Rule, handle: u64, origin: Origin) {
        self.rule(rule, RuleVerb::Replace(handle), origin);
    }

    fn rule(&mut self, rule: &Rule, verb: RuleVerb, origin: Origin) {
        let Rule { family, table, chain, compat, .. } = rule;
        let userdata = rule.userdata.as_deref().unwrap_or_default();
        let head = RuleHead { family: *family, table, chain, verb, compat: *compat, userdata };
        self.rule_with(&head, origin, |w| expr::encode_list(&rule.expressions, w));
    }

    /// Adds, inserts or replaces a rule whose expressions `fill` writes: an `NFTA_LIST_ELEM` for each.
    ///
    /// This is the hot path of a big load: everything goes straight into the batch's memory.
    #[inline]
    pub fn rule_with(&mut self, head: &RuleHead<'_>, origin: Origin, fill: impl FnOnce(&mut Writer<'_>)) {
        let (flags, handle, position) = head.verb.parts();
        let (table, chain) = (head.table.as_str(), head.chain.as_str());
        if handle.is_none() {
            self.makes_rule(head.family, head.table);
        }
        self.push(NFT_MSG_NEWRULE, flags, head.family, origin, |w| {
            rule::encode_parts(w, table, chain, handle, position, fill, head.compat, head.userdata);
        });
    }

    /// Deletes the rule with this handle.
    pub fn delete_rule(&mut self, family: Family, table: &TableName, chain: &ChainName, handle: u64, origin: Origin) {
        self.push(NFT_MSG_DELRULE, 0, family, origin, |w| {
            w.string(NFTA_RULE_TABLE, table.as_str());
            w.string(NFTA_RULE_CHAIN, chain.as_str());
            w.u64_be(NFTA_RULE_HANDLE, handle);
        });
    }
}

/// Sets, maps and their elements.
impl Batch {
    /// Adds a set or map. One that is there must be of the same kind (`EEXIST`). [`Set::id`] must be given
    /// (`EINVAL`): it is what the rest of the batch calls an anonymous set.
    pub fn add_set(&mut self, set: &Set, origin: Origin) {
        self.may_make(set.family, &set.table);
        self.push(NFT_MSG_NEWSET, ADD, set.family, origin, |w| set.encode(w));
    }

    /// Adds a set or map that must not be there yet (`EEXIST`).
    pub fn create_set(&mut self, set: &Set, origin: Origin) {
        self.makes(set.family, &set.table);
        self.push(NFT_MSG_NEWSET, CREATE, set.family, origin, |w| set.encode(w));
    }

    /// Deletes a set, which no rule may use (`EBUSY`).
    pub fn delete_set(&mut self, family: Family, table: &TableName, set: &SetName, origin: Origin) {
        self.push(NFT_MSG_DELSET, 0, family, origin, |w| {
            w.string(NFTA_SET_TABLE, table.as_str());
            w.string(NFTA_SET_NAME, set.as_str());
        });
    }

    /// Adds elements. One that is there with the same data is taken, with other data it is an error (`EEXIST`).
    pub fn add_elements(&mut self, elements: &Elements, origin: Origin) {
        self.elements(NFT_MSG_NEWSETELEM, ADD, elements, origin);
    }

    /// Adds elements that must not be there yet (`EEXIST`).
    pub fn create_elements(&mut self, elements: &Elements, origin: Origin) {
        self.elements(NFT_MSG_NEWSETELEM, CREATE, elements, origin);
    }

    /// Deletes elements, which must be there (`ENOENT`).
    pub fn delete_elements(&mut self, elements: &Elements, origin: Origin) {
        self.elements(NFT_MSG_DELSETELEM, 0, elements, origin);
    }

    /// Deletes all elements of a set.
    pub fn flush_set(&mut self, family: Family, table: &TableName, set: &SetName, origin: Origin) {
        self.push(NFT_MSG_DELSETELEM, 0, family, origin, |w| {
            w.string(NFTA_SET_ELEM_LIST_TABLE, table.as_str());
            w.string(NFTA_SET_ELEM_LIST_SET, set.as_str());
        });
    }

    /// As many messages as the list needs: it is one attribute, and that holds 64 KiB. No elements, no message: an empty
    /// list would flush the set when deleting.
    fn elements(&mut self, kind: u8, flags: u16, elements: &Elements, origin: Origin) {
        let mut next = 0;
        while next < elements.elements.len() {
            let from = next;
            self.push(kind, flags, elements.family, origin, |w| next = elements.encode_part(from, w));
        }
    }
}

/// Objects.
impl Batch {
    /// Adds an object, or changes the settings of the one that is there.
    pub fn add_object(&mut self, object: &Object, origin: Origin) {
        self.may_make(object.family, &object.table);
        self.push(NFT_MSG_NEWOBJ, ADD, object.family, origin, |w| object.encode(w));
    }

    /// Adds an object that must not be there yet (`EEXIST`).
    pub fn create_object(&mut self, object: &Object, origin: Origin) {
        self.makes(object.family, &object.table);
        self.push(NFT_MSG_NEWOBJ, CREATE, object.family, origin, |w| object.encode(w));
    }

    /// Deletes an object (`kind` is `NFT_OBJECT_*`), which nothing may use (`EBUSY`).
    pub fn delete_object(&mut self, family: Family, table: &TableName, kind: u32, name: &str, origin: Origin) {
        self.push(NFT_MSG_DELOBJ, 0, family, origin, |w| {
            w.string(NFTA_OBJ_TABLE, table.as_str());
            w.string(NFTA_OBJ_NAME, name);
            w.u32_be(NFTA_OBJ_TYPE, kind);
        });
    }
}
