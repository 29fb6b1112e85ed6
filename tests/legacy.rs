//! Random models in two kernels of this machine: as `iptables-legacy` has them, and in the native layout. Every packet
//! fares the same in both.
//!
//! Two pairs of namespaces, each a router and what is behind its twelve devices. A table of nft's own counts what is left
//! of the packets behind all hooks, and keeps their marks. `NFTWRAP_SEED` and `NFTWRAP_MODELS` say where to start and how
//! many models there are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "support/agree.rs"]
mod agree;
#[path = "support/lab.rs"]
mod lab;
#[path = "legacy/net.rs"]
mod net;
#[path = "support/random/mod.rs"]
mod random;
#[path = "support/show.rs"]
mod show;

use lab::Lab;
use net::Net;
use nftwrap::Manager;
use nftwrap::layout::Layout;
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, TableKind};
use random::Random;
use random::model::{Generator, Rules};
use random::packet::shot;

const TOOLS: &[&str] = &["ip", "nft", "sleep", "iptables-legacy-restore", "ip6tables-legacy-restore"];
const PACKETS: usize = 150;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The tables of a family as one file, after what empties them all: rules and policies that a file does not state would stay.
fn legacy(model: &Model, family: Family) -> String {
    let mut out = String::new();
    let kinds = [TableKind::Filter, TableKind::Nat, TableKind::Mangle, TableKind::Raw];
    for kind in kinds {
        let chains: String =
            kind.builtins().iter().map(|builtin| format!(":{} ACCEPT [0:0]\n", builtin.name)).collect();
        out.push_str(&format!("*{kind}\n{chains}COMMIT\n"));
    }
    kinds.into_iter().for_each(|kind| agree::save(model, family, kind, &mut out));
    out
}

#[test]
fn packets_fare_as_with_iptables_legacy() {
    let Some((one, other)) = Net::new(TOOLS).zip(Net::new(TOOLS)) else { return };
    let lock = std::env::temp_dir().join(format!("nftwrap-xtables-{}.lock", std::process::id()));
    let first = number("NFTWRAP_SEED", 1);
    // Of each family.
    let (mut passed, mut stopped, mut marked) = ([0, 0], [0, 0], 0);
    for seed in first..first + number("NFTWRAP_MODELS", 24) {
        let model = Generator::new(seed, Rules::Live).model();
        let mut random = Random(seed ^ 0x1e9a);
        one.watch();
        for (family, command) in [(Family::Ipv4, "iptables"), (Family::Ipv6, "ip6tables")] {
            let restore = format!("XTABLES_LOCKFILE={} {command}-legacy-restore", lock.display());
            one.router.quietly(&["/bin/sh", "-ec", &restore], &legacy(&model, family));
        }
        other.watch();
        let mut manager = Manager::with_kernel_and_layout(model.clone(), other.router.kernel(), Layout::native());
        manager.apply().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", agree::text(&model)));
        for _ in 0..PACKETS {
            let family = *random.pick(&Family::BOTH);
            let packet = shot(&mut random, &model, family);
            let before = other.seen(family);
            one.send(&packet);
            other.send(&packet);
            let (wanted, found) = net::settled(&one, &other, family);
            if wanted != found {
                let (text, program) = (legacy(&model, family), show::tables(&mut other.router.kernel(), family.into()));
                let outcomes = format!("legacy: {wanted:?}\nnative: {found:?}\nbefore: {before:?}");
                panic!("seed {seed}: {packet:#?}\n{outcomes}\n{text}{program}");
            }
            let count = if found.left(&before) { &mut passed } else { &mut stopped };
            count[usize::from(family == Family::Ipv6)] += 1;
            marked += usize::from(found.marks != before.marks);
        }
        manager.flush().unwrap();
    }
    let _ = std::fs::remove_file(lock);
    for (passed, stopped) in passed.into_iter().zip(stopped) {
        let all = passed + stopped;
        assert!(
            passed * 10 > all && stopped * 10 > all && marked > 0,
            "{passed} passed, {stopped} not, {marked} marks"
        );
    }
}
