//! Layer 7: the kernel as one trait, with the real one and a fake behind it.
//!
//! Owns: what is asked of nf_tables (the generation, dumps, one commit) and what it answers ([`Error`],
//! [`CommitError`]), and the kernel features that are found by probing.
//! Never: decides what to change, or tries again on its own.
//!
//! Invariant: a commit is all or nothing, and its result says which.
//! Invariant: fake and live give the same answers to the same batches; one suite of tests runs on both.
//!
//! Where the truth is: `net/netfilter/nfnetlink.c` and `net/netfilter/nf_tables_api.c` (Linux v6.12).

mod error;
pub mod fake;
mod live;
pub mod machine;
pub mod probe;

use std::time::Duration;

pub use error::{CommitError, Error, Rejection};
pub use fake::Fake;
pub use live::Live;

pub use crate::netlink::errno::Errno;

use crate::ipset;
use crate::name::{ChainName, IpsetName, SetName, TableName};
use crate::nft::{Chain, Element, Family, Object, Rule, Set, Table};
use crate::transaction::Sealed;

/// A namespace's nf_tables: dumps and commits.
///
/// Dumps are of one family. They are consistent: one that the kernel marks as interrupted by a change is taken again, a
/// bounded number of times ([`Error::Interrupted`]).
pub trait Kernel {
    /// The generation of the ruleset: it changes with every commit, whoever makes it.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked or refuses; so do the other methods.
    fn generation(&mut self) -> Result<u32, Error>;

    /// All tables, in the kernel's order.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn tables(&mut self, family: Family) -> Result<Vec<Table>, Error>;

    /// All chains of all tables.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn chains(&mut self, family: Family) -> Result<Vec<Chain>, Error>;

    /// One chain, without a dump of all of them; `None` when it is not there.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn chain(&mut self, family: Family, table: &TableName, chain: &ChainName) -> Result<Option<Chain>, Error>;

    /// The rules of a table, or of one chain of it; none when table or chain is not there. One chain costs a tenth of a
    /// millisecond, a big table a second.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn rules(&mut self, family: Family, table: &TableName, chain: Option<&ChainName>) -> Result<Vec<Rule>, Error>;

    /// A rule with what it has counted; its counters begin anew at the same moment. `None` when it is not there, or when
    /// this kernel cannot do both at once (before Linux 6.2): then nothing has begun anew. The generation stays.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn rule_and_reset(
        &mut self,
        family: Family,
        table: &TableName,
        chain: &ChainName,
        handle: u64,
    ) -> Result<Option<Rule>, Error> {
        let _ = (family, table, chain, handle);
        Ok(None)
    }

    /// All sets and maps of a table, anonymous ones included; none when the table is not there.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn sets(&mut self, family: Family, table: &TableName) -> Result<Vec<Set>, Error>;

    /// The elements of a set, in the order of the set's algorithm; none when the set is not there.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn elements(&mut self, family: Family, table: &TableName, set: &SetName) -> Result<Vec<Element>, Error>;

    /// All objects of a table; none when the table is not there.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn objects(&mut self, family: Family, table: &TableName) -> Result<Vec<Object>, Error>;

    /// The index that rules use for the ipset with this name; `None` when there is no such set.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn ipset_index(&mut self, name: &IpsetName) -> Result<Option<u16>, Error>;

    /// The name of the ipset with this index; `None` when there is no such set.
    ///
    /// # Errors
    /// As [`generation`](Kernel::generation).
    fn ipset_name(&mut self, index: u16) -> Result<Option<IpsetName>, Error>;

    /// The ipset with this name and its members; `None` when there is no such set.
    ///
    /// # Errors
    /// [`ipset::Error`] when the kernel cannot be asked or refuses.
    fn ipset(&mut self, name: &IpsetName) -> Result<Option<ipset::Content>, ipset::Error>;

    /// Changes an ipset. That is no transaction, and is in effect at once.
    ///
    /// # Errors
    /// [`ipset::Error`] names set and member; of many members, those before it are changed.
    fn change_ipset(&mut self, order: &ipset::Order) -> Result<(), ipset::Error>;

    /// Commits a transaction: everything in it, or nothing. An empty batch is committed without sending anything.
    ///
    /// # Errors
    /// [`CommitError`] when nothing was committed; [`CommitError::NoAnswer`] is the one case that needs a look at
    /// [`generation`](Kernel::generation) to know.
    fn commit(&mut self, batch: &Sealed) -> Result<Committed, CommitError>;

    /// Lets the kernel run and validate a transaction, then drops it: `BATCH_END` is not sent
    /// ([`Sealed::bytes_for_check`]), which makes nfnetlink validate the jump graph and abort
    /// (`NFNL_ABORT_VALIDATE`, `nfnetlink_rcv_batch`). This is what `nft -c` does.
    ///
    /// The live kernel finds a loop of jumps only in a table that is there already: it runs the operations once more to
    /// name the one to blame, and by then has forgotten that a table of this batch needs validation.
    ///
    /// # Errors
    /// [`CommitError`] as [`commit`](Kernel::commit) would give it.
    fn check(&mut self, batch: &Sealed) -> Result<Committed, CommitError>;
}

/// What is known about a transaction that went through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// Time from the start of sending until all answers were there.
    pub elapsed: Duration,
    /// The handles of those new rules that the batch asked for, by the sequence number of their message. What they tell of
    /// all new rules, [`Sealed::handles`] knows.
    pub echoed: Vec<(u32, u64)>,
}
