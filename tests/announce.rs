//! Neighbours learn where an address is now.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::time::{Duration, Instant};

use lab::Lab;
use nftwrap::linux_net::announce::Announcer;
use nftwrap::name::InterfaceName;

const TOOLS: &[&str] = &["ip", "sleep", "nft"];
const SOON: Duration = Duration::from_millis(20);

/// A host that announces on `veth0`, and its neighbour at `veth1`.
struct Net {
    host: Lab,
    neighbour: Lab,
}

impl Net {
    fn new() -> Option<Self> {
        let (host, neighbour) = (Lab::new(TOOLS)?, Lab::new(TOOLS)?);
        host.link("veth0", &neighbour, "veth1");
        host.run(
            "ip link set veth0 address 02:00:00:00:00:2a; ip address add 192.0.2.1/24 dev veth0; ip link set veth0 up",
        );
        neighbour.run(
            "ip link set lo up; ip address add 192.0.2.2/24 dev veth1; ip address add 2001:db8::2/64 nodad dev veth1; ip link set veth1 up; \
             ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:99 nud stale dev veth1; \
             ip neigh add 2001:db8::7 lladdr 02:00:00:00:00:99 nud stale dev veth1; \
             nft 'add table netdev t; add chain netdev t in { type filter hook ingress device veth1 priority 0; }; \
                  add counter netdev t four; add counter netdev t six; \
                  add rule netdev t in arp operation reply counter name four; \
                  add rule netdev t in icmpv6 type nd-neighbor-advert counter name six'",
        );
        // Before that, multicast is not taken from the link.
        assert!(comes(|| neighbour.run("ip -6 route show table local dev veth1").contains("ff00::/8")));
        Some(Self { host, neighbour })
    }

    fn knows(&self, address: &str) -> String {
        self.neighbour.run(&format!("ip neigh show {address} dev veth1"))
    }

    fn count(&self, counter: &str) -> usize {
        let text = self.neighbour.run(&format!("nft list counter netdev t {counter}"));
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "packets").unwrap();
        words[at + 1].parse().unwrap()
    }

    fn device(&self) -> InterfaceName {
        "veth0".parse().unwrap()
    }
}

fn comes(wanted: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !wanted() {
        if start.elapsed() > Duration::from_secs(5) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
fn a_neighbour_that_knew_another_place_learns_the_new_one() {
    let Some(net) = Net::new() else { return };
    let mut announcer = Announcer::new();
    for address in ["192.0.2.7", "2001:db8::7"] {
        assert!(net.knows(address).contains("02:00:00:00:00:99"), "{}", net.knows(address));
        announcer.announce(&net.host.0, &net.device(), address.parse().unwrap(), 1).unwrap();
        assert!(comes(|| net.knows(address).contains("02:00:00:00:00:2a")), "{}", net.knows(address));
    }
}

#[test]
fn frames_are_repeated_as_often_as_asked() {
    let Some(net) = Net::new() else { return };
    let before = net.count("six");
    let mut announcer = Announcer::new();
    announcer.announce_every(&net.host.0, &net.device(), [192, 0, 2, 7].into(), 3, SOON).unwrap();
    announcer.announce_every(&net.host.0, &net.device(), "2001:db8::7".parse().unwrap(), 2, SOON).unwrap();
    announcer.announce_every(&net.host.0, &net.device(), [192, 0, 2, 8].into(), 0, SOON).unwrap();
    announcer.finish();
    assert!(comes(|| net.count("four") >= 3 && net.count("six") >= before + 2));
    assert_eq!((net.count("four"), net.count("six") - before), (3, 2));
}

/// Nobody would wait for an hour.
#[test]
fn the_caller_does_not_wait_for_repetitions() {
    let Some(net) = Net::new() else { return };
    let mut announcer = Announcer::new();
    announcer.announce_every(&net.host.0, &net.device(), [192, 0, 2, 7].into(), 3, Duration::from_secs(3600)).unwrap();
    drop(announcer);
    assert!(comes(|| net.count("four") == 1));
}

#[test]
fn a_device_that_is_not_there_or_down_is_an_error_of_the_call() {
    let Some(net) = Net::new() else { return };
    let mut announcer = Announcer::new();
    let missing: InterfaceName = "nosuch0".parse().unwrap();
    let error = announcer.announce(&net.host.0, &missing, [192, 0, 2, 7].into(), 3).unwrap_err();
    assert_eq!(error.to_string(), "announcing 192.0.2.7 on nosuch0: No such device (ENODEV)");
    net.host.run("ip link set veth0 down");
    let error = announcer.announce(&net.host.0, &net.device(), [192, 0, 2, 7].into(), 3).unwrap_err();
    assert!(error.to_string().ends_with("Network is down (ENETDOWN)"), "{error}");
}

/// A device that goes away in between ends its own announcements and no others.
#[test]
fn what_cannot_be_repeated_is_given_up() {
    let Some(net) = Net::new() else { return };
    net.host.run("ip link add gone0 type veth peer name gone1; ip link set gone0 up; ip link set gone1 up");
    let mut announcer = Announcer::new();
    let gone: InterfaceName = "gone0".parse().unwrap();
    announcer.announce_every(&net.host.0, &gone, [192, 0, 2, 9].into(), 1000, SOON).unwrap();
    announcer.announce_every(&net.host.0, &net.device(), [192, 0, 2, 7].into(), 5, SOON).unwrap();
    net.host.run("ip link delete gone0");
    announcer.finish();
    assert!(comes(|| net.count("four") == 5));
}
