//! What a host of ten thousand instances costs in memory: at most 100 bytes a rule.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic; counting allocations takes a global allocator"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use nftwrap::name::WrapName;
use nftwrap::rule::matches::CtStates;
use nftwrap::rule::{ChainRef, Family, Masked, PortRange, Rule};
use nftwrap::wrap::{Model, Profile, TableKind};

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Counts the bytes that are held.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `at` came from `System.alloc` with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const INSTANCES: u32 = 10_000;

fn address(instance: u32) -> Masked {
    Masked::host(std::net::Ipv4Addr::from(0x0a00_0000 + instance).into())
}

/// The rules of one guest on a nova-compute host; two of ten are not the same for all.
fn guest(instance: u32) -> [Rule; 10] {
    let net = |a, b| Masked::v4([10, a, b, 0].into(), [255, 255, 255, 0].into());
    let port = |port| Rule::new().tcp().dport(PortRange::single(port));
    let ports = PortRange::new(8000, 8100).unwrap();
    [
        Rule::new().state(CtStates::INVALID).discard(),
        Rule::new().state(CtStates::ESTABLISHED | CtStates::RELATED).accept(),
        Rule::new().jump(ChainRef::new("$provider").unwrap()),
        Rule::new().source(net(0, 0)).udp().sport(PortRange::single(67)).dport(PortRange::single(68)).accept(),
        Rule::new().source(net(0, (instance >> 8) as u8)).accept(),
        port(22).accept(),
        Rule::new().source(net(8, 0)).tcp().dport(ports).accept(),
        Rule::new().icmp().accept(),
        port(u16::try_from(1000 + instance % 250).unwrap()).source(net(9, 0)).accept(),
        Rule::new().jump(ChainRef::new("$sg-fallback").unwrap()),
    ]
}

#[test]
fn a_hundred_bytes_a_rule() {
    let before = HELD.load(Ordering::Relaxed);
    let started = std::time::Instant::now();
    let wrap = WrapName::new("nova-compute").unwrap();
    let mut model = Model::builder().component(wrap).profile(Profile::Nova).build().unwrap();
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    table.add_chain("$provider").unwrap();
    table.add_chain("$sg-fallback").unwrap();
    table.add_rule("$sg-fallback", Rule::new().discard()).unwrap();
    let empty = HELD.load(Ordering::Relaxed);
    for instance in 0..INSTANCES {
        let name = format!("$inst-{instance}");
        table.add_chain(&name).unwrap();
        for rule in guest(instance) {
            table.add_rule(&name, rule).unwrap();
        }
        let to_guest = Rule::new().destination(address(instance)).jump(ChainRef::new(&name).unwrap());
        table.add_rule("$local", to_guest).unwrap();
    }
    let added = started.elapsed();
    let to_apply = HELD.load(Ordering::Relaxed);
    model.mark_applied();
    let applied = HELD.load(Ordering::Relaxed);
    let rules = 11 * INSTANCES as usize;
    println!("added in {:?} a rule", added / u32::try_from(rules).unwrap());
    println!(
        "{} bytes a rule before the first apply, {} after",
        (to_apply - before) / rules,
        (applied - before) / rules
    );
    assert!((applied - before) / rules < 100);

    // Everything that came goes again.
    let started = std::time::Instant::now();
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    for instance in (0..INSTANCES).rev() {
        assert!(table.remove_chain(&format!("$inst-{instance}")).unwrap());
    }
    println!("removed in {:?} a chain", started.elapsed() / INSTANCES);
    model.mark_applied();
    let left = HELD.load(Ordering::Relaxed) - empty;
    println!("{left} bytes left");
    assert!(left / (INSTANCES as usize) < 100, "{left} bytes are left");
}
