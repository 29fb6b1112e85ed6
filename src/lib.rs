//! Wrapped iptables chains, compiled to nftables and committed in one netlink transaction.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test is a panic"
    )
)]

pub mod apply;
pub mod compile;
pub mod error;
pub mod kernel;
mod manager;
pub mod manual;
pub mod name;
pub mod netlink;
pub mod nft;
pub mod rule;
pub mod ruleset;
pub mod transaction;
pub mod wrap;

pub use error::Error;
pub use manager::Manager;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
