//! Models in the native layout, brought to a kernel: each scenario runs on the fake and on the real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "../support/agree.rs"]
mod agree;
#[path = "../support/canonical.rs"]
mod canonical;
#[path = "../support/lab.rs"]
mod lab;
#[path = "../support/random/mod.rs"]
mod random;
#[path = "../support/scenarios.rs"]
mod scenarios;

mod adoption;
mod basics;
mod beside;
mod long;
mod modes;
mod owner;
mod packets;
mod sets;
mod switch;
mod world;
