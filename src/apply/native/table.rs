//! Whose a table is, and what has to be done before it is ours.
//!
//! Owns: the names of a group's tables, what in them is whose ([`Group`]), their flags, and the take-over of a table that
//! a dead process has left ([`Claim`]).
//! Never: takes a table that another program made, or that another process owns.
//!
//! # Owner and persist
//!
//! A table of ours alone is made with both flags where the kernel has them. While we live nobody else can change it,
//! `nft flush ruleset` passes it by, and our batches need no guard against other writers. When we die, the kernel takes the
//! owner flag off and keeps the table (`nft_rcv_nl_event`): filtering goes on. Such an orphan, and no other table,
//! takes a new owner (`nf_tables_updtable`), and so the next process claims it in the transaction that brings it up to date.
//! The owner flag alone is never used: the kernel would delete the table with its owner, and open the host.
//!
//! Invariant: a table whose user data does not carry our mark is never changed.
//!
//! Where the truth is: `nf_tables_updtable`, `nft_rcv_nl_event`, `nft_table_lookup` (`net/netfilter/nf_tables_api.c`,
//! Linux v6.12); da5141bbe0c2 (Linux 6.9) brought the persist flag.
//!
//! How it is tested: `tests/native/owner.rs`, on the fake and with packets on the running kernel.

use super::read::{FoundChain, FoundTable, owner};
use super::source::Source;
use crate::error::Error;
use crate::kernel::{CommitError, Kernel};
use crate::name::{ChainName, SetName, TableName, WrapName};
use crate::nft::userdata::{self, Role};
use crate::nft::{Family, Table, TableFlags};
use crate::transaction::{Batch, Origin};
use crate::wrap::TableId;

/// The flags of a table that is ours alone.
pub(super) const OWNED: TableFlags = TableFlags::OWNER.union(TableFlags::PERSIST);

/// A group's tables, as one component sees them.
pub(super) struct Group<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) component: Option<&'a WrapName>,
    pub(super) shared: bool,
}

/// Whose a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ours alone.
    Ours,
    /// All components': a base chain, or an unwrapped one.
    Shared,
    /// Another component's.
    Other,
}

impl Group<'_> {
    /// The kernel's name of a table.
    pub(super) fn table_name(&self, table: TableId) -> TableName {
        self.source.table_name(table)
    }

    /// What the names that the compiler makes begin with.
    pub(super) fn prefix(&self) -> &str {
        self.component.map_or(DEFAULT_GROUP, WrapName::as_str)
    }

    /// Whose a chain is, by the mark in its user data. A group that is ours alone has chains of ours alone.
    pub(super) fn chain(&self, name: &ChainName, userdata: Option<&[u8]>) -> Verdict {
        if !self.shared {
            return Verdict::Ours;
        }
        match owner(userdata) {
            Some(userdata::Owner { component: Some(component), .. }) if Some(&component) == self.component => {
                Verdict::Ours
            }
            Some(userdata::Owner { component: Some(_), .. }) => Verdict::Other,
            _ if self.behind_prefix(name.as_str()).is_some_and(is_number) => Verdict::Ours,
            _ => Verdict::Shared,
        }
    }

    /// Whether a rule is another component's, or one that somebody has made by hand where others may.
    pub(super) fn is_of_others(&self, userdata: Option<&[u8]>, chain: Option<&FoundChain>) -> bool {
        let mark = owner(userdata);
        let theirs = mark.as_ref().and_then(|mark| mark.component.as_ref()).is_some_and(|c| Some(c) != self.component);
        chain.is_some_and(|chain| chain.shared) && (mark.is_none() || theirs)
    }

    /// Whether a named set is ours.
    pub(super) fn is_our_set(&self, name: &SetName) -> bool {
        let made_here = |rest: &str| match rest.split_once('/') {
            None => rest == "chains",
            Some(("addresses" | "prefixes", _)) => true,
            Some((kind, number)) => matches!(kind, "actions" | "map" | "set" | "family") && is_number(number),
        };
        !self.shared || self.behind_prefix(name.as_str()).is_some_and(made_here)
    }

    /// What follows the component's name and a slash. Another component's name may go on there, so all of it is looked at.
    fn behind_prefix<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.prefix())?.strip_prefix('/')
    }

    /// The mark in the user data of our tables.
    fn mark(&self) -> Box<[u8]> {
        let mut bytes = Vec::new();
        userdata::append_owner(&mut bytes, Role::Normal, self.component.filter(|_| !self.shared));
        bytes.into()
    }

    /// A table to make.
    pub(super) fn new_table(&self, id: TableId, flags: TableFlags) -> Table {
        Table { flags, userdata: Some(self.mark()), ..Table::new(Family::from(id.family), self.table_name(id)) }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The prefix of a model without a component.
pub(super) const DEFAULT_GROUP: &str = "nftwrap";

/// What has to happen with a table that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: it is as it should be.
    Stands,
    /// It is an orphan: we become its owner.
    TakeOver,
    /// Its flags cannot become what they should be: it is deleted and made anew in one transaction.
    Remake,
}

/// Decides what has to happen with a table that stands, for it to have these flags.
///
/// # Errors
/// [`Error::TableOwned`] when another process that lives owns it, [`Error::ForeignTable`] when we did not make it.
pub(super) fn claim<K: Kernel + ?Sized>(
    kernel: &mut K,
    group: &Group<'_>,
    id: TableId,
    found: &FoundTable,
    flags: TableFlags,
) -> Result<Claim, Error> {
    let table = &found.table;
    if table.userdata.as_deref() != Some(&*group.mark()) {
        return Err(Error::ForeignTable { table: id, name: table.name.clone() });
    }
    if table.flags.contains(TableFlags::OWNER) {
        return if is_ours(kernel, table)? {
            Ok(if flags == OWNED { Claim::Stands } else { Claim::Remake })
        } else {
            let port = table.owner.unwrap_or_default();
            Err(Error::TableOwned { table: id, name: table.name.clone(), port })
        };
    }
    let orphan = table.flags.contains(TableFlags::PERSIST);
    Ok(match (orphan, flags == OWNED) {
        (true, true) => Claim::TakeOver,
        (false, false) => Claim::Stands,
        (true, false) | (false, true) => Claim::Remake,
    })
}

/// Whether our socket owns a table: the kernel lets nobody else so much as name it in a batch (`nft_table_lookup`).
fn is_ours<K: Kernel + ?Sized>(kernel: &mut K, table: &Table) -> Result<bool, Error> {
    let mut batch = Batch::begin(None);
    let same = Table { flags: table.flags, ..Table::new(table.family, table.name.clone()) };
    batch.add_table(&same, Origin(0));
    let sealed = batch.seal().map_err(|error| Error::Commit(CommitError::Io(std::io::Error::other(error))))?;
    match kernel.check(&sealed) {
        Ok(_) => Ok(true),
        Err(error @ CommitError::Refused(_)) if error.is_not_permitted() => Ok(false),
        Err(error) => Err(Error::Commit(error)),
    }
}
