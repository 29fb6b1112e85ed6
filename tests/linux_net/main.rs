//! Links, addresses, routes and what nova does with them, in network namespaces of the tests' own, beside what `ip` shows.
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

mod bridge;
mod device;
mod gateway;
mod reach;
mod rtnl;
mod sriov;
mod tap;
mod vlan;
mod world;
