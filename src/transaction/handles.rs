//! Which handle the kernel gives to each new rule of a batch.
//!
//! Owns: the count of what gets a handle, table by table, and the choice of the rules that the kernel is to send back.
//! Never: takes a handle for known that two answers do not prove.
//!
//! The kernel numbers what is made in a table, rules, chains, sets and objects alike, with one counter, in the order of the
//! batch, and a batch has the commit mutex, so nobody counts in between. When the first and the last new rule of a
//! table come back with handles as far apart as what the batch makes between them, every handle in between is known: two
//! answers, where those for all rules of a load would overflow the receive buffer, and reading them later is a dump whose
//! time grows with the square of the rules. If they are not as far apart, no handle is known, and whoever needs one reads it.
//!
//! What may or may not make something (`add` of a chain that may be there) ends a run of the count, and the next rule begins
//! another with two answers of its own.
//!
//! How it is tested: with the fake kernel below, and with the real one in `tests/live.rs`, against a dump.
//!
//! Where the truth is: `nf_tables_alloc_handle`, `net/netfilter/nf_tables_api.c` (Linux v6.12).

use crate::name::TableName;
use crate::netlink::header::NewFlags;
use crate::nft::Family;

/// What the new rules of a batch have as handles, once the kernel has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Handles {
    runs: Vec<Run>,
    /// The run that was counted in last: most often the next is the same.
    last: usize,
    rules: Vec<Numbered>,
}

/// What is made in one table, without a gap in what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    family: Family,
    table: TableName,
    count: u32,
    ended: bool,
    rules: Option<(Asked, Asked)>,
}

/// A rule that is to be sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    number: Numbered,
    /// Where its message begins in the batch.
    at: usize,
}

/// A new rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbered {
    /// The operation's number.
    operation: u32,
    run: u32,
    /// Its place in the run's count.
    place: u32,
}

impl Handles {
    /// Something other than a rule is made.
    pub(super) fn made(&mut self, family: Family, table: &TableName) {
        self.count(family, table);
    }

    /// A rule is made by the operation with this number, whose message begins here.
    pub(super) fn rule(&mut self, family: Family, table: &TableName, operation: usize, at: usize) {
        let (run, place) = self.count(family, table);
        let (Ok(operation), Ok(run_number)) = (u32::try_from(operation), u32::try_from(run)) else { return };
        let number = Numbered { operation, run: run_number, place };
        let asked = Asked { number, at };
        if let Some(run) = self.runs.get_mut(run) {
            run.rules = Some((run.rules.map_or(asked, |(first, _)| first), asked));
        }
        self.rules.push(number);
    }

    /// Whether something is made in this table, or the table itself, is not known.
    pub(super) fn end(&mut self, family: Family, table: &TableName) {
        for run in self.runs.iter_mut().filter(|run| run.family == family && run.table == *table) {
            run.ended = true;
        }
    }

    /// Nothing is known of what is made.
    pub(super) fn end_all(&mut self) {
        self.runs.iter_mut().for_each(|run| run.ended = true);
    }

    fn count(&mut self, family: Family, table: &TableName) -> (usize, u32) {
        let is_here = |run: &Run| !run.ended && run.family == family && run.table == *table;
        if !self.runs.get(self.last).is_some_and(is_here) {
            self.last = self.runs.iter().position(is_here).unwrap_or_else(|| {
                self.runs.push(Run { family, table: table.clone(), count: 0, ended: false, rules: None });
                self.runs.len() - 1
            });
        }
        let Some(run) = self.runs.get_mut(self.last) else { return (self.last, 0) };
        run.count += 1;
        (self.last, run.count)
    }

    /// Asks for the rules at the ends of each run.
    pub(super) fn ask(&self, bytes: &mut [u8]) {
        for (first, last) in self.runs.iter().filter_map(|run| run.rules) {
            for at in [first.at, last.at] {
                super::batch::add_flags(bytes, at, NewFlags::ECHO);
            }
        }
    }

    /// The operations of new rules with the handles that follow from those that came back, by the operation's number.
    pub(super) fn learn<'a>(&'a self, answered: &[(usize, u64)]) -> impl Iterator<Item = (usize, u64)> + use<'a> {
        let before_first: Vec<Option<u64>> = self.runs.iter().map(|run| run.before_first(answered)).collect();
        self.rules.iter().filter_map(move |rule| {
            let before_first = (*before_first.get(rule.run as usize)?)?;
            Some((rule.operation as usize, before_first + u64::from(rule.place)))
        })
    }
}

impl Run {
    /// The handle that would come before the first of the run.
    fn before_first(&self, answered: &[(usize, u64)]) -> Option<u64> {
        let of = |asked: Asked| {
            let (_, handle) = answered.iter().find(|(operation, _)| *operation == asked.number.operation as usize)?;
            handle.checked_sub(asked.number.place.into())
        };
        let (first, last) = self.rules?;
        let first = of(first)?;
        (of(last)? == first).then_some(first)
    }
}
