//! DHCP for guests: the files that dnsmasq and radvd read, and the programs with real guests.
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

mod client;
mod command;
mod fixture;
mod flows;
mod manager;
mod radvd;
mod release;
mod serve;
mod text;
mod world;
