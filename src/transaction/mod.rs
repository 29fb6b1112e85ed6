//! Layer 6: one nf_tables transaction as bytes, from the first operation to the seal.
//!
//! Owns: the batch that brings any number of changes to all tables of both families ([`Batch`]), its closing
//! ([`Sealed`]), the way back from a sequence number to where an operation came from ([`Origin`]), and which handles new
//! rules have got.
//! Never: does I/O; decides what should change.
//!
//! Invariant: a batch is built, then sealed, then committed; a sealed batch cannot be changed, by type.
//! Invariant: same operations, same bytes: no clock, random number or hash order is in them.
//!
//! # Order
//!
//! The kernel runs operations one after the other against the state that the ones before them left, and looks every name
//! up at once. Whoever fills a batch keeps this order, which needs nothing that is not there yet and removes nothing that
//! is still in use:
//!
//! 1. tables, sets and chains: a jump or lookup needs its target, also when the target stays empty for now;
//! 2. flushes: a rule that is gone no longer holds the chains and sets it refers to;
//! 3. rules, in the order of each chain;
//! 4. elements: those of a verdict map refer to chains, and the kernel validates the graph of jumps through them once;
//! 5. deletes: of elements, then chains and sets, then tables, once nothing refers to them (`EBUSY` otherwise).
//!
//! Where the truth is: `nfnetlink_rcv_batch` in `net/netfilter/nfnetlink.c` (Linux v6.12).

mod batch;
mod handles;
mod listing;
mod seal;
mod verbs;

pub use batch::Batch;
pub use seal::{Origin, SealError, Sealed};
pub use verbs::{RuleHead, RuleVerb};
