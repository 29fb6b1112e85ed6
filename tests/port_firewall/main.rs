//! The firewall of ports: each behaviour of neutron's, its dumps beside those of the stock tools, restarts, packets.
//!
//! | behaviour | test |
//! |---|---|
//! | 55, 64 to 66 | `frame`: the chains of a port, call by call |
//! | 56 to 63, 67 | `user_rules`: a rule of a group, as text |
//! | 68, 69, 71, 72 | `life`: ports come, change and go; trusted ones |
//! | 70, 71 | `life`: deferral |
//! | 73 to 75, 87 to 90 | `members`: sets of groups |
//! | 76 to 78 | `connections` |
//! | 79, 80 | `src/virt_firewall/ports/zones.rs`, `restart` |
//! | 81, 82 | `dumps` |
//! | 83 to 85 | `packets` |
//! | 86 | `connections`: they are cut here |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "../support/dump.rs"]
mod dump;
#[path = "../support/lab.rs"]
mod lab;
#[path = "../support/random/mod.rs"]
mod random;

mod connections;
mod dumps;
mod frame;
mod life;
mod members;
mod packets;
mod restart;
mod user_rules;
mod world;
