//! A real radvd tells guests a prefix.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipnetwork::Ipv6Network;
use nftwrap::linux_net::pid::Process;
use nftwrap::linux_net::radvd::{Radvd, Settings};
use nftwrap::name::InterfaceName;

use crate::world::World;

/// Longer than a router is silent (`MaxRtrAdvInterval`), and then some for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the process, whatever becomes of the test.
struct Guard {
    world: World,
    radvd: Radvd,
    device: InterfaceName,
}

impl Guard {
    #[track_caller]
    fn new() -> Option<Self> {
        let world = World::of("radvd")?;
        let settings = Settings { networks_path: world.folder.join("networks"), ..Settings::default() };
        let radvd = Radvd::new(settings, world.host.0.clone());
        Some(Self { device: "br0".parse().unwrap(), radvd, world })
    }

    fn update(&self, prefix: &str) {
        self.radvd.update(&self.device, network(prefix)).unwrap();
    }

    /// The number of the process. It goes into the background before it writes its number.
    fn pid(&self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let process = self.radvd.running(&self.device).unwrap();
            if process.is_some() || Instant::now() > end {
                return process.map(|process| process.pid());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether a guest gives itself an address with this start before long.
    fn told(&self, start: &str) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let text = self.world.guests.run("ip -6 address show dev tap0 scope global");
            if text.contains(&format!("inet6 {start}")) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A test that failed may have left the process in any state.
        let _ = self.radvd.kill(&self.device);
    }
}

fn network(prefix: &str) -> Ipv6Network {
    prefix.parse().unwrap()
}

#[test]
fn guests_are_told_the_prefix_and_then_another() {
    let Some(guard) = Guard::new() else { return };
    guard.update("fd00:10::/64");
    let first = guard.pid().unwrap();
    assert!(guard.told("fd00:10::"));
    guard.update("fd00:20::/64");
    let second = guard.pid().unwrap();
    assert_ne!(first, second);
    assert!(Process::open(first).unwrap().is_none());
    assert!(guard.told("fd00:20::"));
}

#[test]
fn a_radvd_that_was_killed_is_noticed_and_started_again() {
    let Some(guard) = Guard::new() else { return };
    let prefix = network("fd00:10::/64");
    assert!(guard.radvd.ensure(&guard.device, prefix).unwrap());
    let first = guard.pid().unwrap();
    assert!(!guard.radvd.ensure(&guard.device, prefix).unwrap());
    Process::open(first).unwrap().unwrap().kill(Duration::from_secs(5)).unwrap();
    assert!(guard.radvd.ensure(&guard.device, prefix).unwrap());
    let second = guard.pid().unwrap();
    assert_ne!(first, second);
    // Another prefix is another configuration.
    assert!(guard.radvd.ensure(&guard.device, network("fd00:20::/64")).unwrap());
    assert_ne!(guard.pid(), Some(second));
    assert!(guard.radvd.kill(&guard.device).unwrap());
    assert!(!guard.radvd.kill(&guard.device).unwrap());
}

#[test]
fn a_pid_file_that_names_another_process_is_not_trusted() {
    let Some(guard) = Guard::new() else { return };
    let folder = guard.world.folder.join("networks");
    fs::create_dir_all(&folder).unwrap();
    // The file name alone, and the path as a part of a longer one, are not the path.
    let longer = folder.join("nova-ra-br0.conf.bak");
    let mut other = Command::new("/bin/sh")
        .args(["-c", "read line", "nova-ra-br0.conf"])
        .arg(&longer)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    for text in [other.id().to_string(), "garbage".to_owned()] {
        fs::write(folder.join("nova-ra-br0.pid"), &text).unwrap();
        assert!(!guard.radvd.kill(&guard.device).unwrap(), "{text}");
    }
    assert_eq!(other.try_wait().unwrap(), None, "it was left alone");
    other.kill().unwrap();
    other.wait().unwrap();
    guard.update("fd00:10::/64");
    assert!(guard.pid().is_some());
}

#[test]
fn an_error_has_the_command_and_what_it_printed() {
    let Some(guard) = Guard::new() else { return };
    let settings = Settings { networks_path: guard.world.folder.join("networks"), program: "/bin/false".into() };
    let radvd = Radvd::new(settings, guard.world.host.0.clone());
    let said = radvd.update(&guard.device, network("fd00:10::/64")).unwrap_err().to_string();
    assert!(said.starts_with("`/bin/false -C ") && said.ends_with("exit status: 1: it printed nothing"), "{said}");
}
