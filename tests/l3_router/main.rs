//! Routers of the L3 agent: rules beside the dumps of the original, packets in both layouts, restarts and failures.
//!
//! The numbers are those under which the specification lists what the original's own tests assert.
//!
//! | behaviour | test |
//! |---|---|
//! | 36, 37 metadata: mark and port in `INPUT`, the redirect, both families | `behaviours::metadata_is_marked_let_in_and_redirected` |
//! | 38 an update adds no metadata rules again | `behaviours::metadata_stays_as_it_is` |
//! | 39 the chains of source translation | `behaviours::source_translation` |
//! | 40 the jump to `float-snat` comes first | `behaviours::source_translation` |
//! | 41 one rule of `nat` and one of `mangle` are about whether it is on | `behaviours::switching_source_translation_is_two_rules` |
//! | 42, 43 floating addresses: in place of those before, or of none | `behaviours::floating_addresses_replace_each_other` |
//! | 44 floating addresses of another scope | `behaviours::floating_addresses_of_another_scope`, `dumps::scopes` |
//! | 45 what fails is reported for the addresses | `failures::a_refused_rule_changes_nothing` |
//! | 46 marks are numbered from the first, for each router | `behaviours::each_router_counts_scopes_anew` |
//! | 47 the frame of scopes, for the part with source translation too | `behaviours::the_frame_of_scopes` |
//! | 48 removing a router whose namespace is gone does nothing | `lifecycle::a_namespace_that_is_gone_is_a_final_answer` |
//! | 49 chains are empty without a gateway, and not with one | `behaviours::chains_without_a_gateway_are_empty` |
//! | 50 a distributed router's floating addresses | `behaviours::floating_addresses_on_a_compute_node` |
//! | 51 a distributed router has no source translation of its own | `behaviours::no_source_translation_on_a_compute_node` |
//! | 52 port forwardings: six ranges and the chains | `behaviours::port_forwardings`, `dumps::port_forwardings` |
//! | 53 other addresses of the device go, those in use stay | `lifecycle::addresses_that_nobody_asks_for_go` |
//! | 54 helpers of connection tracking, both families | `behaviours::conntrack_helpers` |
//! | 91 the component that counts: no `mangle`, two for a distributed router | `behaviours::metering_has_a_component_of_its_own` |
//! | 92 chains and rules of a label | `behaviours::metering_labels`, `dumps::metering` |
//! | 93 a router without a gateway counts nothing | `behaviours::metering_without_a_gateway` |
//! | 94 rules of a label replace each other | `behaviours::metering_rules_replace_each_other` |
//! | 95 a label whose chain is gone is set up again | `metering::a_label_whose_chain_is_gone_is_set_up_again` |
//!
//! What the original orders in time (42: cleared first, applied last; 45: one attempt) is one transaction here.
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
mod failures;
mod flow;
mod lifecycle;
mod metering;
mod packets;
mod world;

use std::net::Ipv4Addr;

use nftwrap::l3_router::ScopeMarks;
use nftwrap::l3_router::rules::{RuleOptions, RuleSet, rules};
use nftwrap::l3_router::state::*;
use nftwrap::rule::{PortRange, Protocol};

const QG: &str = "qg-1f2e3d4c-5b";
const QR1: &str = "qr-aa11bb22-cc";
const QR2: &str = "qr-dd44ee55-ff";
const FLOATING: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 101);
const FIXED: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 11);

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn gateway() -> Gateway {
    let (address, hop) = ("203.0.113.10/24".parse().unwrap(), "203.0.113.1".parse().unwrap());
    Gateway::new(id("1f2e3d4c-5b6a-4a1b-8c2d-3e4f5a6b7c8d"), vec![address], vec![hop])
}

/// A gateway, two networks and metadata, but no floating address yet.
fn plain() -> Router {
    let port = |text, address: &str| InternalPort::new(id(text), vec![address.parse().unwrap()]);
    let ports = vec![
        port("aa11bb22-cc33-4d44-8e55-6f6677889900", "10.1.0.1/24"),
        port("dd44ee55-ff66-4a77-8b88-9c99aabbccdd", "10.2.0.1/24"),
    ];
    let metadata = Metadata::Redirected { port: Metadata::PORT };
    Router { gateway: Some(gateway()), ports, metadata, ..Router::new(id("6b3d5a1e-8c4f-4e57-9a10-0c2f1d7e9b44")) }
}

/// The router that the dumps are of.
fn example() -> Router {
    let floating = |floating: &str, fixed: &str| FloatingIp::new(floating.parse().unwrap(), fixed.parse().unwrap());
    let floating = vec![floating("203.0.113.101", "10.1.0.11"), floating("203.0.113.102", "10.2.0.12")];
    Router { floating, ..plain() }
}

/// The example with address scopes: subnet 1 in another one than subnet 2 and the outside network.
fn scoped() -> Router {
    let mut router = example();
    let scopes = |scope| AddressScopes { v4: Some(id(scope)), v6: None };
    if let Some(gateway) = &mut router.gateway {
        gateway.scopes = scopes("E");
    }
    for (port, scope) in router.ports.iter_mut().zip(["A", "E"]) {
        port.scopes = scopes(scope);
    }
    for (ip, scope) in router.floating.iter_mut().zip(["A", "E"]) {
        ip.fixed_scope = Some(id(scope));
    }
    router
}

fn forwarding(name: &str, external: (u16, u16), internal: (u16, u16)) -> PortForwarding {
    let range = |(first, last)| PortRange::new(first, last).unwrap();
    PortForwarding {
        id: id(name),
        floating: Ipv4Addr::new(203, 0, 113, 103),
        protocol: Protocol::TCP,
        external: range(external),
        internal_address: FIXED,
        internal: range(internal),
    }
}

/// The rules of a router that starts.
fn rules_of(router: &Router, options: &RuleOptions) -> RuleSet {
    let mut marks = ScopeMarks::new();
    marks.assign(router).unwrap();
    rules(router, &marks, options).unwrap()
}
