//! Packets between two ports of a bridge: whether they meet the rules of instances is known, and said once.

use std::net::UdpSocket;
use std::sync::Mutex;
use std::time::Duration;

use nftwrap::layout::Layout;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::FirewallDriver;
use nftwrap::virt_firewall::bridging::{BridgeFiltering, Setting};
use nftwrap::virt_firewall::instances::Options;

use crate::lab::{Lab, bound, skip_unless};
use crate::{instance, interface};

const TOOLS: &[&str] = &["ip", "sleep"];
const BRIDGE: &str = "br-bridging";

/// Two instances on one bridge of the host.
fn net() -> Option<(Lab, [Lab; 2])> {
    let (host, ends) = (Lab::new(TOOLS)?, [Lab::new(TOOLS)?, Lab::new(TOOLS)?]);
    if Setting::read(&host.0, Family::Ipv4).unwrap() == Setting::Missing {
        skip_unless(&["NFTWRAP_REQUIRE_BRIDGE"], "there is no bridge-nf-call-iptables here: the module br_netfilter");
        return None;
    }
    host.run(&format!("ip link add {BRIDGE} type bridge forward_delay 0; ip link set {BRIDGE} up"));
    for (number, end) in ends.iter().enumerate() {
        let number = number + 1;
        host.link(&format!("tap{number}"), end, "eth0");
        host.run(&format!("ip link set tap{number} master {BRIDGE} up"));
        end.run(&format!("ip link set lo up; ip link set eth0 up; ip address add 10.0.0.{number}/24 dev eth0"));
    }
    assert!((0..20).any(|_| arrives(&ends)), "the bridge works");
    Some((host, ends))
}

/// Whether the second end hears the first.
fn arrives(ends: &[Lab; 2]) -> bool {
    let server = ends[1].0.run(|| bound(|| UdpSocket::bind("10.0.0.2:5000"))).unwrap();
    server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    // Each is a connection of its own.
    let client = ends[0].0.run(|| UdpSocket::bind("10.0.0.1:0")).unwrap().unwrap();
    client.send_to(b"x", "10.0.0.2:5000").is_ok() && server.recv(&mut [0; 8]).is_ok()
}

struct Warnings(Mutex<Vec<String>>);

impl log::Log for Warnings {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let said = record.args().to_string();
        if record.level() == log::Level::Warn && said.contains(BRIDGE) {
            self.0.lock().unwrap().push(said);
        }
    }

    fn flush(&self) {}
}

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

/// In each setting: what is said is what packets do.
#[test]
fn what_is_said_of_bridges_is_so() {
    let Some((host, ends)) = net() else { return };
    log::set_logger(&WARNINGS).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let bridge = BRIDGE.parse().unwrap();
    let second = instance("2", vec![interface("tap2", "fa:16:3e:00:00:02", &["10.0.0.0/24 has 10.0.0.2"])], &[]);
    for (sysctl, own, passes) in [(1, 0, true), (0, 0, false), (0, 1, true), (1, 1, true)] {
        host.run(&format!(
            "echo {sysctl} >/proc/sys/net/bridge/bridge-nf-call-iptables
             echo {sysctl} >/proc/sys/net/bridge/bridge-nf-call-ip6tables
             ip link set {BRIDGE} type bridge nf_call_iptables {own}"
        ));
        let options = Options { anti_spoofing: false, same_network: false, ..Options::nova() };
        let driver = crate::driver(host.kernel(), host.kernel(), Layout::Iptables, options);
        let driver = driver.in_namespace(host.0.clone());
        driver.setup_basic_filtering(&second).unwrap();
        driver.prepare_instance_filter(&second).unwrap();
        let filtering = driver.bridge_filtering().unwrap();
        let case = format!("{sysctl} {own}");
        assert_eq!(filtering.passes(&bridge, Family::Ipv4), Some(passes), "{case}");
        assert_eq!(filtering.passes(&bridge, Family::Ipv6), Some(sysctl == 1), "{case}");
        assert_eq!(filtering.is_complete(), sysctl == 1, "{case}");
        let tries = if passes { 1 } else { 20 };
        assert_eq!(
            (0..tries).any(|_| arrives(&ends)),
            !passes,
            "the instance is closed where packets meet its rules: {case}"
        );
        let warnings = std::mem::take(&mut *WARNINGS.0.lock().unwrap());
        let expected = if sysctl == 1 { vec![] } else { vec![filtering.to_string()] };
        assert_eq!(warnings, expected, "once: {case}");
        driver.unfilter_instance(&second).unwrap();
    }
    // A host that only routes is told nothing.
    host.run(&format!("ip link delete {BRIDGE}; echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables"));
    let none = BridgeFiltering::read(&host.0).unwrap();
    assert!(none.is_complete() && none.bridges.is_empty(), "{none:?}");
    assert_eq!((none.ipv4, none.passes(&bridge, Family::Ipv4)), (Setting::Off, None));
}
