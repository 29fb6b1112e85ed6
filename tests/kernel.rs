//! One suite for the fake kernel and the running one.
//!
//! A scenario is a list of transactions with what must come of each. It runs on the fake, and where there is the
//! privilege on a namespace of its own, and the two logs (every error of every message with the attribute it points at,
//! and the ruleset after each transaction, handles included) must be the same. Random batches do the same without
//! saying what must come of them: this is what keeps the fake from drifting.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "kernel/coverage.rs"]
mod coverage;
#[path = "kernel/fake.rs"]
mod fake;
#[path = "kernel/handles.rs"]
mod handles;
#[path = "support/lab.rs"]
mod lab;
#[path = "kernel/names.rs"]
mod names;
#[path = "kernel/objects.rs"]
mod objects;
#[path = "kernel/random.rs"]
mod random;
#[path = "kernel/running.rs"]
mod running;
#[path = "kernel/scenarios.rs"]
mod scenarios;
#[path = "kernel/session.rs"]
mod session;
