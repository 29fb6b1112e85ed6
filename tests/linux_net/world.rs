//! A namespace with a veth pair: `eth0`, which stands for the host's network card, and `wire`, its other end.

use std::thread;
use std::time::{Duration, Instant};

use ipnetwork::IpNetwork;
use nftwrap::name::InterfaceName;
use nftwrap::rtnl::{Address, Link, Route, Rtnl};

use crate::lab::Lab;

/// It is long for a machine that is emulated and busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) rtnl: Rtnl,
}

pub(crate) fn name(name: &str) -> InterfaceName {
    InterfaceName::new(name).unwrap()
}

pub(crate) fn network(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

impl World {
    /// Without IPv6 link-local addresses, which come and go on their own.
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        let lab = Lab::new(&["ip"])?;
        lab.run(
            "ip link set lo up
             ip link add eth0 type veth peer name wire
             ip link set eth0 address 02:00:00:00:00:01
             for d in eth0 wire; do ip link set $d addrgenmode none; ip link set $d up; done",
        );
        let rtnl = Rtnl::open_in(&lab.0).unwrap();
        let world = Self { lab, rtnl };
        world.wait_up("eth0");
        world.wait_up("wire");
        Some(world)
    }

    /// The kernel says so some time after it is: only then do IPv6's own addresses and routes begin to come.
    pub(crate) fn wait_up(&self, device: &str) {
        comes(|| self.ip(&format!("-o link show dev {device}")).contains(" state UP ").then_some(()));
    }

    /// What `ip` prints: without a shell, which would be a process more for each of very many calls.
    fn ip(&self, arguments: &str) -> String {
        let command: Vec<&str> = ["ip"].into_iter().chain(arguments.split(' ')).collect();
        self.lab.quietly(&command, "")
    }

    /// Runs a script in the namespace.
    pub(crate) fn run(&self, script: &str) -> String {
        self.lab.run(script)
    }

    pub(crate) fn link(&mut self, device: &str) -> Link {
        self.rtnl.require_link(&name(device)).unwrap()
    }

    pub(crate) fn addresses(&mut self, device: &str) -> Vec<Address> {
        let link = self.link(device);
        self.rtnl.addresses_of(link.index).unwrap()
    }

    pub(crate) fn routes(&mut self, device: &str) -> Vec<Route> {
        let link = self.link(device);
        self.rtnl.routes_of(link.index).unwrap()
    }

    /// What `ip` shows of all devices at this moment.
    pub(crate) fn shown(&self) -> Shown {
        let routes = ["-4", "-6"].map(|family| self.ip(&format!("{family} route show table all"))).concat();
        Shown { addresses: self.ip("-o addr show scope global"), routes }
    }

    pub(crate) fn shown_addresses(&self, device: &str) -> Vec<String> {
        self.shown().addresses(device)
    }

    pub(crate) fn shown_routes(&self, device: &str) -> Vec<String> {
        self.shown().routes(device)
    }

    /// Gives the network card what nova's card had: an address, a default route and a static one.
    pub(crate) fn with_routes(self) -> Self {
        self.run(
            "ip addr add 172.16.5.10/24 brd + dev eth0
             ip route add default via 172.16.5.1
             ip route add 198.51.100.0/24 via 172.16.5.254 proto static",
        );
        self
    }

    /// Everything that a test may not change: links, addresses, routes.
    ///
    /// The kernel looks for duplicates of an IPv6 address and makes its local route in the background: that comes first.
    pub(crate) fn state(&self) -> String {
        let (addresses, routes) = comes(|| {
            let (addresses, routes) = (self.ip("-o addr"), self.ip("-6 route show table all"));
            let own = addresses.lines().filter(|line| line.contains(" inet6 ")).count();
            let local = |line: &&str| line.starts_with("local ") && line.contains(" table local ");
            let settled = !addresses.contains("tentative") && routes.lines().filter(local).count() == own;
            settled.then_some((addresses, routes))
        });
        let before = |line: &str, end: &str| line.split(end).next().unwrap().to_owned();
        let links = self.ip("-o link").lines().map(|line| before(line, " qlen ")).collect::<Vec<_>>();
        let addresses = addresses.lines().map(|line| before(line, "\\")).collect::<Vec<_>>();
        // What is left of the time until a route expires gets less.
        let routes = routes.lines().map(|line| match line.split_once(" expires ") {
            Some((start, rest)) => format!("{start}{}", rest.split_once("sec").unwrap().1),
            None => line.to_owned(),
        });
        let lines: Vec<String> = links.into_iter().chain(addresses).chain(routes).collect();
        format!("{}\n{}", lines.join("\n"), self.ip("-4 route show table all"))
    }
}

/// What `ip` shows of addresses and routes.
pub(crate) struct Shown {
    addresses: String,
    routes: String,
}

impl Shown {
    /// Global addresses in the order in which the kernel shows them, as `ip` words them.
    pub(crate) fn addresses(&self, device: &str) -> Vec<String> {
        let own = |line: &&str| line.split_whitespace().nth(1) == Some(device);
        let words = |line: &str| {
            let line = line.split('\\').next().unwrap();
            let words: Vec<&str> = line.split_whitespace().skip(2).collect();
            words.join(" ")
        };
        self.addresses.lines().filter(own).map(words).collect()
    }

    /// Routes of all tables but the local one, as `ip` words them.
    pub(crate) fn routes(&self, device: &str) -> Vec<String> {
        let ours = |line: &&str| line.contains(&format!("dev {device}")) && !line.contains("table local");
        self.routes.lines().filter(ours).map(|line| line.trim().to_owned()).collect()
    }
}

/// Waits until there is something.
fn comes<T>(wanted: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(Instant::now() < end, "it does not come");
        thread::sleep(Duration::from_millis(10));
    }
}
