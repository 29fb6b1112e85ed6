//! Models brought to a kernel: each scenario runs on the fake and on the real one, in a namespace of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "../support/lab.rs"]
mod lab;
#[path = "../support/scenarios.rs"]
mod scenarios;

mod basics;
mod churn;
mod neighbours;
mod refusals;
mod sets;
mod world;
