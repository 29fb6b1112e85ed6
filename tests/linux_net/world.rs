//! A namespace with a veth pair: `eth0`, which stands for the host's network card, and `wire`, its other end.

use ipnetwork::IpNetwork;
use nftwrap::name::InterfaceName;
use nftwrap::rtnl::{Address, Link, Route, Rtnl};

use crate::lab::Lab;

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
        self.wait(&format!("ip link show {device} | grep -q 'state UP'"));
    }

    /// Until a shell's condition holds.
    fn wait(&self, condition: &str) {
        self.run(&format!("for i in $(seq 1000); do if {condition}; then exit 0; fi; sleep 0.02; done; exit 1"));
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

    /// Global addresses in the order in which the kernel shows them, as `ip` words them.
    pub(crate) fn shown_addresses(&self, device: &str) -> Vec<String> {
        let shown = self.run(&format!("ip -o addr show dev {device} scope global"));
        let words = |line: &str| {
            let line = line.split('\\').next().unwrap().trim();
            let words: Vec<&str> = line.split_whitespace().skip(2).collect();
            words.join(" ")
        };
        shown.lines().map(words).collect()
    }

    /// Routes of all tables but the local one, as `ip` words them.
    pub(crate) fn shown_routes(&self, device: &str) -> Vec<String> {
        let list = "ip -4 route show table all; ip -6 route show table all";
        let shown = self.run(list);
        let ours = |line: &&str| line.contains(&format!("dev {device}")) && !line.contains("table local");
        shown.lines().filter(ours).map(|line| line.trim().to_owned()).collect()
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
        self.wait(
            "! ip -6 -o addr | grep -q tentative &&
             [ $(ip -6 -o addr | wc -l) = $(ip -6 route show table local type local | wc -l) ]",
        );
        self.run(
            "ip -o link | sed 's/ qlen .*//'; ip -o addr | sed 's/\\\\.*//'; ip -4 route show table all; \
             ip -6 route show table all | sed 's/ expires [0-9]*sec//'",
        )
    }
}
