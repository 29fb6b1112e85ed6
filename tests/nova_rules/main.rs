//! The rules of nova-network: what a host has after each of nova's steps, and what its packets do.
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

mod behaviours;
mod dumps;
mod packets;

use std::net::Ipv4Addr;

use ipnetwork::IpNetwork;
use nftwrap::linux_net::rules::{Floating, Options};
use nftwrap::name::InterfaceName;
use nftwrap::wrap::{Model, Profile};

/// A component's model with all of nova's tables.
fn component(name: &str) -> Model {
    Model::builder().component(name.parse().unwrap()).profile(Profile::Nova).eager(true).build().unwrap()
}

fn interface(name: &str) -> InterfaceName {
    InterfaceName::new(name).unwrap()
}

fn network(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

/// The host of the article that nova's steps are shown on.
fn article() -> Options {
    Options {
        public_interface: Some(interface("wlan0")),
        dmz: vec![network("10.128.0.0/24")],
        ..Options::for_host(Ipv4Addr::new(192, 168, 1, 90))
    }
}

fn floating(floating: &str, fixed: &str, device: Option<&str>) -> Floating {
    Floating { floating: floating.parse().unwrap(), fixed: fixed.parse().unwrap(), device: device.map(interface) }
}
