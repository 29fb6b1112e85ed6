//! The lease script as dnsmasq runs it: a real dnsmasq, guests that ask, and a start that knows what they hold.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "../../tests/dhcp/client.rs"]
mod client;
#[allow(dead_code, reason = "the tests of the other package use the rest")]
#[path = "../../tests/dhcp/fixture.rs"]
mod fixture;
#[path = "../../tests/support/lab.rs"]
mod lab;
#[allow(dead_code, reason = "the tests of the other package use the rest")]
#[path = "../../tests/dhcp/world.rs"]
mod world;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use fixture::mac;
use nftwrap::linux_net::dhcpbridge::{Lease, LeaseBook};
use nftwrap::linux_net::dnsmasq::{Dnsmasq, Outcome, Settings};
use world::{World, guest};

const SCRIPT: &str = env!("CARGO_BIN_EXE_nova-dhcpbridge");
const PATIENCE: Duration = Duration::from_secs(10);

/// A configuration that says where leases are kept.
fn configuration(folder: &Path) -> String {
    let file = folder.join("nova-dhcpbridge.conf");
    let text = format!("[DEFAULT]\nnetworks_path = {}\ndhcp_lease_time = 600\n", folder.join("networks").display());
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn dnsmasq(world: &World) -> Dnsmasq {
    let settings = Settings {
        dhcpbridge: SCRIPT.into(),
        dhcpbridge_flagfile: vec![configuration(&world.folder)],
        ..world.settings()
    };
    Dnsmasq::new(settings, world.host.0.clone())
}

fn lease(number: u8) -> Lease {
    Lease { mac: mac(number), address: guest(number).address, name: guest(number).name }
}

/// Whether the book says this before long: dnsmasq calls the script when it has answered its guest.
fn says(book: &LeaseBook, world: &World, wanted: &[Lease]) -> bool {
    let end = Instant::now() + PATIENCE;
    loop {
        let leases = book.read(&world.network.id).unwrap();
        if leases == wanted || Instant::now() > end {
            return leases == wanted;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn leases_reach_the_agent_and_outlive_dnsmasq() {
    let Some(world) = World::new() else { return };
    let (dnsmasq, guests) = (dnsmasq(&world), [guest(1), guest(2)]);
    let book = LeaseBook::new(&dnsmasq.settings().networks_path).unwrap();
    dnsmasq.update_dhcp(&world.network, &guests).unwrap();
    assert!(says(&book, &world, &[]));
    for number in [1, 2] {
        assert_eq!(world.ask(number).unwrap().address, guest(number).address);
    }
    assert!(says(&book, &world, &[lease(1), lease(2)]));
    let mut fixed_ips = guests.clone();
    book.mark(&world.network.id, &mut fixed_ips).unwrap();
    assert!(fixed_ips.iter().all(|fixed_ip| fixed_ip.leased));
    // A new dnsmasq ends a lease only when it knows of it, and it can only from the script.
    assert!(dnsmasq.kill(&world.network.device).unwrap());
    assert_eq!(dnsmasq.update_dhcp(&world.network, &guests).unwrap(), Outcome::Started);
    assert!(dnsmasq.release(&world.network, guest(1).address, mac(1)).unwrap());
    assert!(says(&book, &world, &[lease(2)]));
}

/// nova's words: `old` is nobody's, and only of its own network the script speaks.
#[test]
fn a_call_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let list = serde_json::to_string(&[configuration(folder.path())]).unwrap();
    let call = |network: &str, words: &str| {
        let mut script = Command::new(SCRIPT);
        script.args(words.split_whitespace()).env("NETWORK_ID", network).env("CONFIG_FILE", &list);
        said(script.output().unwrap())
    };
    assert_eq!(call("7", "init"), Ok(String::new()));
    assert_eq!(call("7", "add de:ad:be:ef:00:01 10.0.0.2 web-1"), Ok(String::new()));
    assert_eq!(call("7", "add de:ad:be:ef:00:02 10.0.0.3"), Ok(String::new()));
    assert_eq!(call("7", "old de:ad:be:ef:00:03 10.0.0.4"), Ok(String::new()));
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let text = call("7", "init").unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines[0][1..], ["de:ad:be:ef:00:01", "10.0.0.2", "web-1", "*"]);
    assert_eq!(lines[1][1..], ["de:ad:be:ef:00:02", "10.0.0.3", "*", "*"]);
    let expiry: u64 = lines[0][0].parse().unwrap();
    assert!((before + 600..before + 660).contains(&expiry), "{expiry}");
    assert_eq!(call("8", "init"), Ok(String::new()));
    assert_eq!(call("7", "del de:ad:be:ef:00:01 10.0.0.2 web-1"), Ok(String::new()));
    assert_eq!(call("7", "init").unwrap().lines().count(), 1);
    assert_eq!(call("../7", "init").unwrap_err().lines().count(), 1);
    assert_eq!(call("7", "add x 10.0.0.2"), Err("nova-dhcpbridge: add: `x` is no hardware address\n".to_owned()));
    let bare = Command::new(SCRIPT).arg("init").env_remove("NETWORK_ID").output().unwrap();
    assert_eq!(said(bare), Err("nova-dhcpbridge: the environment has no NETWORK_ID\n".to_owned()));
}

/// What a call printed; the error when it failed.
fn said(output: Output) -> Result<String, String> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// dnsmasq does not start without its leases, and says why.
#[test]
fn a_book_that_cannot_be_read_is_no_empty_one() {
    let Some(world) = World::new() else { return };
    let dnsmasq = dnsmasq(&world);
    let book = LeaseBook::new(&dnsmasq.settings().networks_path).unwrap();
    fs::create_dir_all(&dnsmasq.settings().networks_path).unwrap();
    fs::write(book.path(&world.network.id), "garbage\n").unwrap();
    let error = dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap_err().to_string();
    assert!(error.contains("nova-0.leases, line 1: `garbage` is no lease"), "{error}");
}
