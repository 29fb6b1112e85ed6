//! The example router with machines around it.
//!
//! ```text
//! outside 203.0.113.1 --- qg-  router  qr- 10.1.0.1 --- 10.1.0.11 one
//!                                      qr- 10.2.0.1 --- 10.2.0.12 two
//! ```
//!
//! The devices are given to the router from a namespace that stands for the host.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nftwrap::l3_router::state::Router;
use nftwrap::l3_router::{Outcome, RouterOptions, Routers};
use nftwrap::layout::Layout;
use nftwrap::netlink::namespace::Namespace;

use crate::lab::Lab;
use crate::{QG, QR1, QR2};

pub(crate) const TOOLS: &[&str] =
    &["ip", "sleep", "iptables-nft", "iptables-nft-save", "ip6tables-nft-save", "ip6tables-nft"];
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(crate) const OWN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub(crate) const ONE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 11);
pub(crate) const TWO: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 12);

/// Both layouts, for tests whose packets have to fare alike.
pub(crate) fn layouts() -> [Layout; 2] {
    [Layout::Iptables, Layout::native()]
}

/// A directory for the files of namespaces.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nftwrap-routers-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        for file in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = nftwrap::netlink::namespace::unmount(&file.path());
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

pub(crate) struct World {
    pub(crate) outside: Lab,
    pub(crate) host: Lab,
    pub(crate) one: Lab,
    pub(crate) two: Lab,
    pub(crate) options: RouterOptions,
    pub(crate) routers: Routers,
    _directory: Directory,
}

impl World {
    /// Machines and links; the router is not there yet.
    pub(crate) fn new(layout: Layout) -> Option<Self> {
        let [outside, host, one, two] = [Lab::new(TOOLS)?, Lab::new(TOOLS)?, Lab::new(TOOLS)?, Lab::new(TOOLS)?];
        for (device, to) in [(QG, &outside), (QR1, &one), (QR2, &two)] {
            host.link(device, to, "eth0");
            to.run("ip link set lo up; ip link set eth0 up");
        }
        outside.run("ip address add 203.0.113.1/24 dev eth0");
        one.run("ip address add 10.1.0.11/24 dev eth0; ip route add default via 10.1.0.1");
        two.run("ip address add 10.2.0.12/24 dev eth0; ip route add default via 10.2.0.1");
        let directory = Directory::new();
        let options = RouterOptions {
            directory: directory.0.clone(),
            layout,
            announcements: 1,
            ..RouterOptions::for_host(host.0.clone())
        };
        let routers = Routers::new(options.clone());
        Some(Self { outside, host, one, two, options, routers, _directory: directory })
    }

    /// The same with this router, which is there and settled.
    pub(crate) fn with(layout: Layout, router: &Router) -> Option<Self> {
        let world = Self::new(layout)?;
        clean(&world.routers.add(router).unwrap());
        world.settled(router);
        Some(world)
    }

    /// Brings the router to a state; afterwards there is nothing left to do.
    #[track_caller]
    pub(crate) fn update(&self, router: &Router) -> Outcome {
        let outcome = self.routers.update(router).unwrap();
        clean(&outcome);
        self.settled(router);
        outcome
    }

    #[track_caller]
    fn settled(&self, router: &Router) {
        let again = self.routers.update(router).unwrap();
        assert!(again.is_idle(), "{again:?}");
        self.routers.with(&router.id, |own| own.refresh()).unwrap();
        let again = self.routers.update(router).unwrap();
        assert!(again.is_idle(), "{again:?}");
    }

    /// As a process that has just started.
    pub(crate) fn restart(&mut self) {
        self.routers = Routers::new(self.options.clone());
    }

    /// The router's namespace.
    pub(crate) fn inside(&self, router: &Router) -> Lab {
        Lab(Namespace::path(self.options.directory.join(format!("qrouter-{}", router.id))).unwrap())
    }

    /// All that an update may change, without counters.
    pub(crate) fn snapshot(&self, router: &Router) -> String {
        let lab = self.inside(router);
        let mut text = lab.run("ip -o link | sed 's/ state.*//'; ip -o address; ip route show table all; ip -6 route");
        // Whatever layout: rules as they are in the kernel.
        text += &lab.run("nft list ruleset");
        text = text
            .lines()
            .map(|line| match line.split_once("counter packets") {
                Some((before, after)) => format!("{before}{}\n", after.splitn(5, ' ').nth(4).unwrap_or_default()),
                None => format!("{line}\n"),
            })
            .collect();
        // An address that is still being checked for others stops being so at any time.
        text = text.replace(" tentative", "");
        let own = |line: &&str| !line.contains("fe80::") || line.contains("fe80::a9fe:a9fe");
        text = text.lines().filter(own).map(|line| format!("{line}\n")).collect();
        text + &self.host.run("ip -o link | sed 's/ state.*//' | cut -d: -f2")
    }
}

#[track_caller]
pub(crate) fn clean(outcome: &Outcome) {
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
}

/// Two snapshots are the same; what is printed is what they do not share.
#[track_caller]
pub(crate) fn same(found: &str, wanted: &str, what: impl std::fmt::Debug) {
    let only = |one: &str, other: &str| -> Vec<String> {
        one.lines().filter(|line| !other.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    assert!(found == wanted, "{what:?}: came {:?}, went {:?}", only(found, wanted), only(wanted, found));
}

/// What a process does to the rules that an earlier one left: nothing, but that it becomes the owner of tables of its own.
#[track_caller]
pub(crate) fn adopted(outcome: &Outcome) {
    let rules = &outcome.rules;
    let changed = rules.chains + rules.rules_added + rules.rules_deleted + rules.sets + rules.elements;
    assert_eq!((changed, outcome.metering.messages), (0, 0), "{outcome:?}");
    assert_eq!((outcome.devices, outcome.addresses, outcome.routes, outcome.connections), (0, 0, 0, 0), "{outcome:?}");
    assert!(rules.messages == 0 || rules.layout == "native", "{outcome:?}");
    clean(outcome);
}
