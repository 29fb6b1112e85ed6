//! Hosts as routers of their guests: devices, rules, addresses and connections together, with packets.
//!
//! ```text
//! outside 192.0.2.1 --- wan 192.0.2.2  host  br100 10.0.0.1 -- tap0 --- 10.0.0.2 guest
//! ```
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

mod plug;
mod router;

use std::net::Ipv4Addr;

use lab::Lab;
use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::linux_net::bridge::NetAttrs;
use nftwrap::linux_net::host::{Host, HostOptions, Network};
use nftwrap::linux_net::rules::Options;
use nftwrap::name::InterfaceName;
use nftwrap::wrap::{Model, Profile};

const TOOLS: &[&str] = &["ip", "sleep", "nft", "iptables-nft-save"];
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn interface(name: &str) -> InterfaceName {
    InterfaceName::new(name).unwrap()
}

/// The network that the host has by the bridge `br100`.
fn network() -> Network {
    let attrs = NetAttrs {
        cidr: "10.0.0.0/24".parse().unwrap(),
        broadcast: None,
        gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
        dhcp_server: Some(Ipv4Addr::new(10, 0, 0, 1)),
        cidr_v6: None,
    };
    let (bridge, bridge_interface) = (interface("br100"), None);
    Network { bridge, bridge_interface, vlan: None, attrs, mtu: None, share_address: false, enable_dhcp: true }
}

fn options() -> HostOptions {
    let rules = Options { public_interface: Some(interface("wan")), ..Options::for_host(HOST) };
    HostOptions { rules, announcements: 1, ..HostOptions::default() }
}

fn host(lab: &Lab, layout: Layout, options: HostOptions) -> Host {
    let component = "nova-network".parse().unwrap();
    let model = Model::builder().component(component).profile(Profile::Nova).eager(true).build().unwrap();
    let manager: Manager<Live> = Manager::with_kernel_and_layout(model, lab.kernel(), layout);
    Host::new(&lab.0, manager, options).unwrap()
}
