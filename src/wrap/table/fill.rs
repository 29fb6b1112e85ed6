//! Many rules one after the other, as a text states them.
//!
//! Owns: what was found out about rules that come again.
//! Never: outlives the filling: a rule that is only remembered takes memory.
//!
//! A host's text has ten rules for each instance, and nearly all of them are the same few values. Checking such a value,
//! resolving its `$name` and looking for its equal is done once.
//!
//! Invariant: a rule that is remembered is held, so that its address is no other rule's. Nothing is removed meanwhile, so
//! chains keep their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use super::Table;
use crate::rule::Rule;
use crate::wrap::entry::Addition;
use crate::wrap::error::ModelError;
use crate::wrap::mix::Mix;
use crate::wrap::naming::ChainKey;
use crate::wrap::refs::ChainId;

/// A table that rules are put into; see [`Table::fill`].
#[derive(Debug)]
#[must_use]
pub struct Filling<'t> {
    table: &'t mut Table,
    /// Rules that are shared where they come from, by address.
    seen: HashMap<usize, Seen, Mix>,
}

/// A rule that came before, and what it became.
#[derive(Debug)]
struct Seen {
    /// As it came.
    given: Arc<Rule>,
    /// The table's own.
    rule: Arc<Rule>,
    hash: u32,
    target: Option<ChainId>,
}

impl<'t> Filling<'t> {
    pub(super) fn new(table: &'t mut Table) -> Self {
        Self { table, seen: HashMap::default() }
    }

    /// The table as it is by now.
    #[must_use]
    pub fn table(&self) -> &Table {
        self.table
    }

    /// Adds rules as [`Table::push_rules`] does.
    ///
    /// # Errors
    /// As [`Table::push_rules`].
    pub fn push_rules<'k, R: Into<Addition>>(
        &mut self,
        chain: impl Into<ChainKey<'k>>,
        rules: impl IntoIterator<Item = R>,
    ) -> Result<(), ModelError> {
        let (key, rules) = (chain.into(), rules.into_iter());
        let expected = rules.size_hint().0;
        let mut found = None;
        // With the first rule, and no sooner: a chain without one does not come into the model.
        let mut chain = |table: &mut Table| match found {
            Some(id) => Ok(id),
            None => table.chain_for_rules(key).map(|id| {
                table.expect(id, expected);
                *found.insert(id)
            }),
        };
        for addition in rules {
            let mut addition: Addition = addition.into();
            // What nobody else holds does not come again.
            let shared = Arc::strong_count(&addition.rule) > 1;
            let address = Arc::as_ptr(&addition.rule).addr();
            if shared && let Some(seen) = self.seen.get(&address).filter(|s| Arc::ptr_eq(&s.given, &addition.rule)) {
                let id = chain(self.table)?;
                if !Arc::ptr_eq(&seen.rule, &addition.rule) {
                    addition.rule = seen.rule.clone();
                }
                self.table.append(id, addition, seen.hash, seen.target);
                continue;
            }
            let given = shared.then(|| addition.rule.clone());
            let mut addition = self.table.resolve(addition)?;
            let id = chain(self.table)?;
            let identity = self.table.identify(&addition.rule);
            addition.rule = self.table.share(identity, addition.rule);
            let (hash, target) = (identity.cut(), self.table.target(&addition.rule));
            // The pool knows its own ones as quickly.
            if let Some(given) = given.filter(|_| !identity.is_pooled()) {
                self.seen.insert(address, Seen { given, rule: addition.rule.clone(), hash, target });
            }
            self.table.append(id, addition, hash, target);
        }
        Ok(())
    }
}
