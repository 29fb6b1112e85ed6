//! The packet machine: models and the programs that are made of them do the same with every packet.
//!
//! Random models (`support/random`) and packets that are aimed at their rules. A failure prints its seed, the
//! packet, both outcomes and the smallest model that still shows it.
//!
//! `NFTWRAP_SEED=n` starts the tests with that seed. Without end, or for that many seconds, from a seed of the clock
//! unless one is given:
//!
//! ```text
//! NFTWRAP_SECONDS=600 cargo test --release --test machine -- --ignored --nocapture unbounded
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "support/agree.rs"]
mod agree;
#[path = "machine/layouts.rs"]
mod layouts;
#[path = "support/random/mod.rs"]
mod random;
#[path = "machine/rules.rs"]
mod rules;

/// The seed to start with.
fn seed(default: u64) -> u64 {
    std::env::var("NFTWRAP_SEED").ok().map_or(default, |text| text.parse().expect("NFTWRAP_SEED is a number"))
}
