//! A batch from its first message to the commit or the roll-back: `nfnetlink_rcv_batch`.
//!
//! Owns: the walk over the messages, the guard, the validation of jump graphs, and whether the copy of the state on which
//! the operations ran takes the place of the old one.
//! Never: knows what an operation does; each object's file does.
//!
//! Invariant: after anything but [`Answer::Good`] the state is what it was, except for handles, which are not given twice.
//! Invariant: all errors of a batch are reported, as the kernel goes on after the first.
//!
//! Where the truth is: `nfnetlink_rcv_batch`, `net/netfilter/nfnetlink.c`; `nf_tables_validate`, `nf_tables_commit`,
//! `net/netfilter/nf_tables_api.c` (Linux v6.12).

use super::request::{Done, Failure, Message, NLM_F_REQUEST, Policy, messages};
use super::state::{State, Validate};
use super::{chain, element, object, rule, set, table, validate};
use crate::kernel::{Errno, Rejection};
use crate::nft::uapi::*;

/// What the kernel answers to a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// In effect, or without `BATCH_END`: good. Says whether anything changed.
    Good {
        changed: bool,
        echoed: Vec<(u32, u64)>,
    },
    /// `ERESTART` about `BATCH_BEGIN`.
    Stale,
    Refused(Vec<Rejection>),
    /// Nothing was done and nothing was said.
    Silent,
}

/// How the walk over the messages ended.
struct Walk {
    rejections: Vec<Rejection>,
    /// `BATCH_END` was there.
    complete: bool,
    first: Option<u32>,
}

/// Runs a batch on `state`, which is as before unless the answer is [`Answer::Good`] and the batch is complete.
pub(super) fn batch(state: &mut State, generation: u32, bytes: &[u8], port: u32) -> Answer {
    let Some(Some(begin)) = messages(bytes).next() else { return Answer::Silent };
    if begin.kind != NFNL_MSG_BATCH_BEGIN || begin.res_id != u16::from(NFNL_SUBSYS_NFTABLES) {
        return Answer::Refused(vec![rejection(begin.seq, Errno::INVAL.into())]);
    }
    match begin.attrs(&[Policy::Any, Policy::Int(4)]) {
        Err(failure) => return Answer::Refused(vec![rejection(begin.seq, failure)]),
        Ok(attrs) => {
            let expected = attrs.u32(NFNL_BATCH_GENID).unwrap_or(0);
            if expected != 0 && expected != generation {
                return Answer::Stale;
            }
        }
    }
    let mut after = state.clone();
    let mut walk = operations(&mut after, bytes, port);
    if walk.rejections.is_empty()
        && walk.complete
        && unbound_set(&after)
        && let Some(first) = walk.first
    {
        // A commit that fails as a whole is reported against the first operation.
        walk.rejections.push(rejection(first, Errno::INVAL.into()));
    }
    if walk.rejections.is_empty() && !validated(&mut after) {
        // The graph is bad: the kernel drops everything and runs the batch again, looking at the graph after each
        // operation, to find out which one is to blame.
        let failed = after;
        keep_counters(state, &failed);
        after = state.clone();
        // A check forgets this for the tables that the batch makes, so it does not find a loop in them.
        after.validate = if walk.complete { Validate::Do } else { Validate::Skip };
        for table in &mut after.tables {
            if failed.tables.iter().any(|t| t.handle == table.handle && t.validate == Validate::Do) {
                table.validate = Validate::Do;
            }
        }
        walk = operations(&mut after, bytes, port);
    }
    if !walk.rejections.is_empty() || !walk.complete {
        keep_counters(state, &after);
    }
    match walk {
        Walk { rejections, .. } if !rejections.is_empty() => Answer::Refused(rejections),
        Walk { complete: false, .. } => Answer::Silent,
        Walk { .. } => {
            let changed = after.changes > 0;
            let echoed = std::mem::take(&mut after.echoes);
            after.settle();
            *state = after;
            Answer::Good { changed, echoed }
        }
    }
}

/// Runs a batch without `BATCH_END`: the kernel validates it and drops it, and still sends the acknowledgement.
pub(super) fn check(state: &mut State, generation: u32, bytes: &[u8], port: u32) -> Answer {
    match batch(state, generation, bytes, port) {
        Answer::Silent => Answer::Good { changed: false, echoed: Vec::new() },
        answer => answer,
    }
}

fn operations(state: &mut State, bytes: &[u8], port: u32) -> Walk {
    let mut walk = Walk { rejections: Vec::new(), complete: false, first: None };
    for message in messages(bytes).skip(1) {
        // A message that is cut off, or a second BATCH_BEGIN, ends the batch, and all errors so far are forgotten.
        let Some(message) = message.filter(|m| m.kind != NFNL_MSG_BATCH_BEGIN) else {
            walk.rejections.clear();
            return walk;
        };
        if message.kind == NFNL_MSG_BATCH_END {
            walk.complete = true;
            return walk;
        }
        walk.first.get_or_insert(message.seq);
        if let Err(failure) = operation(state, message, port) {
            walk.rejections.push(rejection(message.seq, failure));
        }
    }
    walk
}

fn operation(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let [subsystem, kind] = message.kind.to_be_bytes();
    if !message.has(NLM_F_REQUEST) || subsystem != NFNL_SUBSYS_NFTABLES {
        return Err(Errno::INVAL.into());
    }
    match kind {
        NFT_MSG_NEWTABLE => table::add(state, message, port),
        NFT_MSG_DELTABLE | NFT_MSG_DESTROYTABLE => table::delete(state, message, port, kind == NFT_MSG_DESTROYTABLE),
        NFT_MSG_NEWCHAIN => chain::add(state, message, port),
        NFT_MSG_DELCHAIN | NFT_MSG_DESTROYCHAIN => chain::delete(state, message, port, kind == NFT_MSG_DESTROYCHAIN),
        NFT_MSG_NEWRULE => rule::add(state, message, port),
        NFT_MSG_DELRULE | NFT_MSG_DESTROYRULE => rule::delete(state, message, port, kind == NFT_MSG_DESTROYRULE),
        NFT_MSG_NEWSET => set::add(state, message, port),
        NFT_MSG_DELSET | NFT_MSG_DESTROYSET => set::delete(state, message, port, kind == NFT_MSG_DESTROYSET),
        NFT_MSG_NEWSETELEM => element::add(state, message, port),
        NFT_MSG_DELSETELEM | NFT_MSG_DESTROYSETELEM => {
            element::delete(state, message, port, kind == NFT_MSG_DESTROYSETELEM)
        }
        NFT_MSG_NEWOBJ => object::add(state, message, port),
        NFT_MSG_DELOBJ | NFT_MSG_DESTROYOBJ => object::delete(state, message, port, kind == NFT_MSG_DESTROYOBJ),
        _ => Err(Errno::INVAL.into()),
    }
}

/// `nf_tables_validate`.
fn validated(state: &mut State) -> bool {
    for table in &mut state.tables {
        if table.validate == Validate::Skip {
            continue;
        }
        table.validate = Validate::Do;
        if validate::table(table).is_err() {
            return false;
        }
        table.validate = Validate::Skip;
    }
    true
}

/// An anonymous set that no rule of the transaction has used would stay for ever. One that goes with its table in the
/// same transaction counts all the same.
fn unbound_set(state: &State) -> bool {
    let mut sets = state.tables.iter().flat_map(|t| t.sets.values());
    sets.any(|set| set.fresh && set.is_anonymous() && !set.bound)
}

/// Handles that were given in a transaction that failed are not given again.
fn keep_counters(state: &mut State, failed: &State) {
    state.next_table = failed.next_table;
    for table in &mut state.tables {
        if let Some(failed) = failed.tables.iter().find(|t| t.handle == table.handle) {
            table.next_handle = failed.next_handle;
        }
    }
}

fn rejection(seq: u32, failure: Failure) -> Rejection {
    Rejection { seq, errno: failure.errno, offset: failure.offset, text: failure.text }
}
