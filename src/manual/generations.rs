//! What is remembered of the kernel, and what happens when somebody else changes it.
//!
//! # The guard
//!
//! The kernel counts commits of a namespace: the generation, which any program's commit moves. Every batch that we send
//! carries the generation that it was computed from (`NFNL_BATCH_GENID`), and the kernel refuses it with `ERESTART` in
//! any other. Nothing is locked: whoever is first wins, and the other one looks again.
//!
//! [`Manager::apply`](crate::Manager::apply) then forgets all that it knew, reads, compares, and sends anew, up to eight
//! times; after that the error is [`Error::Stale`](crate::Error::Stale), with model and kernel as they were.
//! [`Report::attempts`](crate::apply::Report) counts. A dump during which the generation moves is taken again in the
//! same way: what is compared belongs to one generation.
//!
//! The kernel's own mark of a dump that was disturbed (`NLM_F_DUMP_INTR`) is not enough for that. A commit writes the new
//! generation, then swaps what is visible, then takes old rules off the lists in which a dump remembers its place by counting: a
//! dump that begins after the first step and goes on after the last one skips as many rules as were taken off, unmarked. So a
//! generation is asked for behind an empty batch, which the kernel lets in only when the commit before it is over, and once
//! more after the dump.
//!
//! # What is remembered
//!
//! After a commit the state is known without reading it. `Memory` (`apply/mod.rs`) keeps:
//!
//! - the generation: the one of the guard plus one (zero is left out, as the kernel does);
//! - for each chain of the tables that concern us its mark, policy and hook;
//! - for each rule of a chain that concerns us what it is ([`Identity`](crate::ruleset::Identity)), its handle,
//!   and whose it is. A chain of ours that we filled is eight bytes a rule, the address of the model's value
//!   ([`ChainRules::Sent`](crate::ruleset::ChainRules::Sent));
//! - the buffer of the last batch, to be used again.
//!
//! Memory is brought up to date only after the kernel has acknowledged. From then on only chains that changed in the
//! model are compared, so a change costs what it changes, not what the host holds; and an apply of a model that did
//! not change asks the kernel nothing.
//!
//! # Handles
//!
//! To delete a rule, or to put one before it, its handle is needed, which the kernel gives out at the commit. It could send back
//! every new rule (`NLM_F_ECHO`), but the answers, up to a kilobyte each, would overflow the receive buffer at a load. A
//! table numbers all that is made in it with one counter, in the order of the batch, and a batch has the kernel's
//! commit mutex, so two answers are enough: when the first and the last new rule of a table come back as far apart as what the
//! batch makes between them, the handles in between are known, and no later change reads any. A chain that was filled at once has one number in
//! memory for the handles of all its rules. Where the two answers do not fit, handles are read when a change needs them.
//!
//! # When something is read
//!
//! | when | what |
//! |---|---|
//! | first apply of a manager | tables, chains, and the rules of all chains but those of other components; up to 32 chains of a table one by one, beyond that the table |
//! | a rule moves, and its counters with it; or a handle is not known | that chain |
//! | a chain is to be deleted | its use count; if that is more than we account for, the table, to name the rule that still refers to it |
//! | an ipset is named | its number |
//! | `ERESTART`, or another number of rules in a chain than we left there | everything that concerns us |
//! | the outcome of a commit is not known | the same, at the next apply |
//! | [`Manager::refresh`](crate::Manager::refresh) | the same, at the next apply: this is how damage done by others is repaired while the model stands still |
//!
//! A change by another program is noticed at our next commit, not when it happens: an unchanged model is not compared
//! with the kernel again unless [`refresh`](crate::Manager::refresh) asks for it.
