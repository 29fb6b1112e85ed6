//! One send, one acknowledgement: how a change becomes one transaction.
//!
//! # One datagram
//!
//! nfnetlink takes a batch from one datagram only: it walks the messages from `BATCH_BEGIN`, and when the datagram ends
//! before `BATCH_END` it undoes everything and says nothing. Messages in a later datagram are refused one by one. So a
//! [`Sealed`](crate::transaction::Sealed) batch is one contiguous buffer and one `sendto`; the socket's send buffer is
//! raised before it, and a batch that does not fit is an error that names the limit
//! ([`CommitError::TooLarge`](crate::kernel::CommitError::TooLarge)). It is never split.
//!
//! The batch holds all tables of both families. It is never patched: when it turns out stale it is thrown away and
//! made again from a fresh look ([`generations`](super::generations)).
//!
//! An update of the native layout that could lose a packet on its way is sent as a few batches, each a transaction over all
//! tables ([`native_layout`](super::native_layout)).
//!
//! # One acknowledgement
//!
//! The kernel runs all operations and queues all answers before `sendto` returns, so answers are read without waiting.
//! Only the last operation asks for an acknowledgement. A batch is committed when that one came **and** no error did:
//! the kernel queues acknowledgements before it commits, so a commit that fails as a whole sends an error, against the
//! first operation, besides the acknowledgement of the last. When neither came, or an answer was lost, the error is
//! [`CommitError::NoAnswer`](crate::kernel::CommitError::NoAnswer), and everything is read again the next time.
//!
//! Asking for an acknowledgement of each message would cost a fifth of the load time and overflow the receive buffer
//! after 256 of them.
//!
//! # Where an error comes from
//!
//! One change is one operation, so a sequence number leads to the [`Change`](crate::ruleset::Change), its table, chain,
//! rule, and line in the file. The kernel's extended acknowledgement adds a text and an offset into the message, which
//! `apply/encode.rs` turns into the expression at fault. All of it is in [`Refusal`](crate::error::Refusal).
//!
//! # Order
//!
//! The kernel runs operations one after the other, and each must find what it names. [`Plan`](crate::ruleset::Plan) keeps
//! this order:
//!
//! 1. tables and chains are made and policies set: a jump needs its target;
//! 2. rules chain by chain, in each chain deletions before additions: a rule that moves is deleted and added;
//! 3. chains that go are flushed, all of them before the first is deleted, because they may jump to each other;
//! 4. chains are deleted: by now nothing refers to them.
//!
//! A new rule is placed before another by that one's handle, or at the end; never by number, which would depend on what
//! other programs do in a shared chain. The general order, with sets and elements, is in
//! [`transaction`](crate::transaction).
//!
//! # Before it is sent
//!
//! | limit | value | found by |
//! |---|---|---|
//! | jumps in a row from a base chain | 15 | [`Model::check`](crate::wrap::Model::check) |
//! | loops, jumps to chains that are not there or are built in | none | the same; each names the rule |
//! | a chain that goes and that another program's rule still jumps to | none | `check_references` in `apply/read.rs`, which names that rule |
//! | chain name | 28 characters (iptables; the kernel itself takes 255) | [`name`](crate::name) and [`wrap`](crate::wrap) |
//! | component name | 16 characters | [`WrapName`](crate::name::WrapName) |
//! | expressions of a rule | 128 | [`stock::compile`](crate::compile::stock::compile) |
//! | user data of a rule | 256 bytes; a comment that does not fit beside the mark becomes an xt match | [`stock::compile`](crate::compile::stock::compile) |
//! | one attribute | 65,535 bytes | [`Batch::seal`](crate::transaction::Batch::seal), naming the operation |
//!
//! The depth counts jumps among the chains of the model; what a foreign chain does behind a jump is left to the kernel,
//! which refuses the batch then (`EMLINK`, `ELOOP`).
//!
//! # Checking
//!
//! [`Manager::check`](crate::Manager::check) sends the same batch without `BATCH_END`: the kernel runs and validates it,
//! then drops it. It overlooks a loop in a table that the same batch makes; we have found that before.
