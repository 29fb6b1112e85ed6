//! The stories of the examples, as tests: each is run as a user would run it, with real packets, in both layouts.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a failed test is a panic")]

#[path = "../compat/examples/host.rs"]
mod host;
#[path = "support/lab.rs"]
mod lab;

use nftwrap::layout::Layout;

#[test]
fn a_host_of_nova_with_two_networks_and_three_instances() {
    for layout in [Layout::Iptables, Layout::native()] {
        if lab::Lab::new(&[]).is_none() {
            return;
        }
        let told = host::run(layout.clone()).unwrap_or_else(|error| panic!("{layout:?}: {error}"));
        let rejected = "left out: rule tcp of security group web: `0.0.0.0/0\\n-I INPUT -j ACCEPT` is neither an address \
                        nor a prefix";
        assert!(told.iter().any(|line| line == rejected), "{told:#?}");
        let asked = "GET /latest/meta-data/local-ipv4 HTTP/1.0 -> 10.0.0.3";
        assert!(told.iter().any(|line| line.ends_with(asked)), "{told:#?}");
        assert_eq!(told.last().map(String::as_str), Some("instance 1 is deleted"));
    }
}
