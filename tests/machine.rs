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

use std::time::{Duration, Instant, SystemTime};

#[path = "support/agree.rs"]
mod agree;
#[path = "support/canonical.rs"]
mod canonical;
#[path = "machine/host.rs"]
mod host;
#[path = "machine/layouts.rs"]
mod layouts;
#[path = "machine/native.rs"]
mod native;
#[path = "support/random/mod.rs"]
mod random;
#[path = "machine/rules.rs"]
mod rules;
#[path = "support/show.rs"]
mod show;

/// The seed to start with.
fn seed(default: u64) -> u64 {
    std::env::var("NFTWRAP_SEED").ok().map_or(default, |text| text.parse().expect("NFTWRAP_SEED is a number"))
}

#[test]
#[ignore = "runs until it is stopped, or for NFTWRAP_SECONDS"]
fn unbounded() {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    let mut seed = seed(u64::try_from(clock).unwrap());
    let seconds = std::env::var("NFTWRAP_SECONDS").ok().map(|text| text.parse().expect("NFTWRAP_SECONDS is a number"));
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut tally, mut seen, mut said) = (agree::Tally::default(), host::Seen::default(), Instant::now());
    while end.is_none_or(|end| Instant::now() < end) {
        rules::case(seed);
        tally.join(layouts::case(seed, layouts::iptables));
        for passes in native::passes() {
            let (more, met) = native::case(seed, passes);
            tally.join(more);
            seen.join(met);
        }
        seed = seed.wrapping_add(1);
        if said.elapsed() > Duration::from_secs(10) {
            said = Instant::now();
            println!("seed {seed}: {tally:?}, {seen:?}");
        }
    }
    println!("up to seed {seed}: {tally:?}, {seen:?}");
}
