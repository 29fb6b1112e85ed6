//! A host with a network, and guests on it: two namespaces, a link, and a lease script that writes down its calls.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nftwrap::linux_net::dnsmasq::{Dnsmasq, FixedIp, Network, Settings};
use nftwrap::name::MacAddress;

use crate::client::{Client, Lease};
use crate::fixture::{mac, network};
use crate::lab::Lab;

/// What a guest that has not been told has not been offered. It is long for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) host: Lab,
    pub(crate) guests: Lab,
    pub(crate) folder: PathBuf,
    pub(crate) network: Network,
}

impl World {
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        Self::of("dnsmasq")
    }

    /// For a test that starts this program.
    #[track_caller]
    pub(crate) fn of(program: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let tools = &["ip", "sleep", program];
        let (host, guests) = (Lab::new(tools)?, Lab::new(tools)?);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("nftwrap-dhcp-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        // dnsmasq reads its files as another user.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let network = Network { device: "br0".parse().unwrap(), dhcp_start: [192, 168, 0, 2].into(), ..network(0) };
        let world = Self { host, guests, folder, network };
        world.link();
        world.script();
        Some(world)
    }

    /// Links the namespaces: a device of the guests, and the device that the host serves.
    pub(crate) fn link(&self) {
        self.host.link("br0", &self.guests, "tap0");
        self.host.run("ip address add 192.168.0.1/24 dev br0; ip link set br0 up; ip link set lo up");
        self.guests.run("ip link set tap0 up");
    }

    fn script(&self) {
        let (script, calls) = (self.folder.join("bridge"), self.folder.join("calls"));
        let text = format!("#!/bin/sh\necho \"$*\" \"$NETWORK_ID\" >>{}\n", calls.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            networks_path: self.folder.join("networks"),
            dhcpbridge: self.folder.join("bridge"),
            host: "here".to_owned(),
            ..Settings::default()
        }
    }

    pub(crate) fn dnsmasq(&self) -> Dnsmasq {
        Dnsmasq::new(self.settings(), self.host.0.clone())
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.join("networks/nova-br0.pid")
    }

    /// The number of the process that serves.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.dnsmasq().running(&self.network.device).unwrap().map(|process| process.pid())
    }

    /// What a guest is given when it asks.
    pub(crate) fn ask(&self, guest: u8) -> Option<Lease> {
        Client::new(&self.guests.0, "tap0").ask(mac(guest), PATIENCE)
    }

    /// Whether a guest is given nothing, for a while.
    pub(crate) fn refused(&self, guest: u8) -> bool {
        Client::new(&self.guests.0, "tap0").ask(mac(guest), Duration::from_secs(1)).is_none()
    }

    /// The address that the host's DNS server has for a name.
    pub(crate) fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for part in name.split('.') {
            query.push(u8::try_from(part.len()).unwrap());
            query.extend(part.bytes());
        }
        query.extend([0, 0, 1, 0, 1]);
        let server = self.network.dhcp_server;
        let socket = self.host.0.run(|| UdpSocket::bind((server, 0)).unwrap()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(&query, (server, 53)).unwrap();
        let mut answer = [0; 512];
        let len = socket.recv(&mut answer).ok()?;
        // One answer, of four bytes, comes last.
        let address: [u8; 4] = answer[..len].last_chunk().copied()?;
        (answer[6..8] == [0, 1]).then(|| address.into())
    }

    /// Whether the lease script is called with these words before long. It ends each line with the id of the network.
    pub(crate) fn called(&self, words: &str) -> bool {
        let line = format!("{words} {}", self.network.id);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.calls().lines().any(|call| call == line) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    pub(crate) fn calls(&self) -> String {
        fs::read_to_string(self.folder.join("calls")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that failed may have left the process in any state.
        for device in [&self.network.device, &"br100".parse().unwrap()] {
            let _ = self.dnsmasq().kill(device);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Guest 7 has the address that ends in 17.
pub(crate) fn guest(number: u8) -> FixedIp {
    let mac: MacAddress = mac(number);
    FixedIp::new([192, 168, 0, 10 + number].into(), mac, number.into()).named(&format!("guest{number}")).unwrap()
}
