//! Churn in the native layout: whatever came and went, the kernel has what a fresh load of the final model makes.
//!
//! A host grows, changes and shrinks, many changes to an application, some refused between, and dumps of the kernel are
//! compared in a form in which numbers do not count (`support/canonical`). Everything is gone at the end. At full size,
//! on the running kernel, with a line each ten seconds:
//!
//! ```text
//! NFTWRAP_INSTANCES=50000 NFTWRAP_CHANGES=1000000 cargo test --release --test native_churn -- --ignored --nocapture
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "support/canonical.rs"]
mod canonical;
#[path = "native_churn/host.rs"]
mod host;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/random/mod.rs"]
mod random;

use std::time::{Duration, Instant};

use canonical::{canonical, difference};
use host::{COMPONENT, Host};
use lab::Lab;
use nftwrap::Manager;
use nftwrap::kernel::{Errno, Fake, Kernel};
use nftwrap::layout::native::tlv::{Kind, Tags};
use nftwrap::layout::{Layout, Native, Passes};
use nftwrap::nft::Family;
use nftwrap::wrap::{ChainKind, Model};
use random::Random;

fn manager<K: Kernel>(model: Model, kernel: K, passes: Passes) -> Manager<K> {
    Manager::with_kernel_and_layout(model, kernel, Layout::Native(Native { passes, ..Native::default() }))
}

/// The kernel of a manager and one that was loaded with its model at once are the same.
fn same_as_fresh<K: Kernel>(churned: &mut Manager<K>, empty: K, passes: Passes, when: &str) {
    let mut fresh = manager(churned.model().clone(), empty, passes);
    fresh.apply().unwrap();
    let (found, wanted) = (canonical(churned.kernel_mut(), COMPONENT), canonical(fresh.kernel_mut(), COMPONENT));
    assert!(!wanted.is_empty());
    assert!(found == wanted, "{when}, {passes:?}: not as a fresh load\n{}", difference(&wanted, &found));
}

/// Nothing is left but tables, base chains, and the directory of these.
fn is_empty<K: Kernel>(kernel: &mut K) {
    for family in [Family::Ip, Family::Ip6] {
        let chains = kernel.chains(family).unwrap();
        assert!(chains.iter().all(|chain| chain.base.is_some()), "{chains:#?}");
        for table in kernel.tables(family).unwrap() {
            assert!(kernel.rules(family, &table.name, None).unwrap().is_empty());
            let bases = chains.iter().filter(|chain| chain.table == table.name).count();
            for set in kernel.sets(family, &table.name).unwrap() {
                let tags = Tags::decode(set.userdata.as_deref().unwrap()).unwrap();
                assert_eq!(tags.set.map(|set| set.kind), Some(Kind::Directory), "{set:#?}");
                assert_eq!(kernel.elements(family, &table.name, &set.name).unwrap().len(), bases);
            }
        }
    }
}

fn applied<K: Kernel>(manager: &mut Manager<K>) {
    manager.apply().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn churn_ends_where_a_fresh_load_does() {
    let mut shared = 0;
    for seed in 0..16 {
        let passes = if seed < 6 { Passes::all() } else { Passes::from_bits_retain(Passes::all().bits() ^ seed as u8) };
        let mut host = Host::new(seed, 40);
        let mut churned = manager(host.model(), Fake::new(), passes);
        let mut random = Random(seed ^ 0xc0de);
        for round in 0..12 {
            for _ in 0..random.between(1, 40) {
                host.change(churned.model_mut());
            }
            if random.one_in(3) {
                churned.kernel_mut().fail_next(1, Errno::NOMEM);
                assert!(churned.apply().is_err() || churned.plan().unwrap().is_empty());
                churned.kernel_mut().fail_next(0, Errno::NOMEM);
                (0..random.below(6)).for_each(|_| host.change(churned.model_mut()));
            }
            if random.one_in(4) {
                churned.plan().unwrap();
                host.change(churned.model_mut());
            }
            applied(&mut churned);
            same_as_fresh(&mut churned, Fake::new(), passes, &format!("seed {seed}, round {round}"));
        }
        shared += usize::from(host.instances() > 8);
        let sets = churned.kernel_mut().chains(Family::Ip).unwrap();
        let wrapped = |kind| matches!(kind, ChainKind::Wrapped);
        let chains = churned.model().tables().flat_map(|table| table.chains()).filter(|c| wrapped(c.kind())).count();
        assert!(!passes.contains(Passes::SHARING) || sets.len() < chains, "{} of {chains}", sets.len());
        host.clear(churned.model_mut());
        applied(&mut churned);
        is_empty(churned.kernel_mut());
    }
    assert!(shared > 8, "{shared} of 16 hosts had instances at the end");
}

/// Grows by one instance at a time, and shrinks again.
#[test]
fn growth_and_shrinking_leave_nothing() {
    let mut host = Host::new(1, 60);
    let mut churned = manager(host.model(), Fake::new(), Passes::all());
    for _ in 0..60 {
        host.add(churned.model_mut());
        applied(&mut churned);
    }
    same_as_fresh(&mut churned, Fake::new(), Passes::all(), "full");
    while host.instances() > 0 {
        host.remove(churned.model_mut());
        applied(&mut churned);
    }
    same_as_fresh(&mut churned, Fake::new(), Passes::all(), "without instances");
    host.clear(churned.model_mut());
    applied(&mut churned);
    is_empty(churned.kernel_mut());
}

#[test]
fn churn_in_the_running_kernel_ends_where_a_fresh_load_does() {
    let Some((lab, other)) = Lab::new(&[]).zip(Lab::new(&[])) else { return };
    at_size(&lab, &other, 300, 3000, Duration::from_secs(3600));
}

#[test]
#[ignore = "takes minutes: NFTWRAP_INSTANCES instances (50,000), NFTWRAP_CHANGES changes (1,000,000)"]
fn at_full_size() {
    let Some((lab, other)) = Lab::new(&[]).zip(Lab::new(&[])) else { return };
    let number = |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (instances, changes) = (number("NFTWRAP_INSTANCES", 50_000), number("NFTWRAP_CHANGES", 1_000_000));
    at_size(&lab, &other, instances, changes, Duration::from_secs(10));
}

/// Growth, so many changes, a comparison, and down to nothing.
fn at_size(lab: &Lab, other: &Lab, instances: usize, changes: usize, speak: Duration) {
    let mut host = Host::new(7, instances);
    let mut churned = manager(host.model(), lab.kernel(), Passes::all());
    let (start, mut said) = (Instant::now(), Instant::now());
    let mut say = |what: &str, count: usize| {
        if said.elapsed() >= speak {
            said = Instant::now();
            println!("{what}: {count} after {:?}", start.elapsed());
        }
    };
    while host.instances() < instances {
        (0..50).for_each(|_| host.add(churned.model_mut()));
        applied(&mut churned);
        say("instances", host.instances());
    }
    let (mut done, mut applications) = (0, 0);
    while done < changes {
        let some = host.random.between(1, 40);
        (0..some).for_each(|_| host.change(churned.model_mut()));
        applied(&mut churned);
        done += some;
        applications += 1;
        say("changes", done);
    }
    let churning = start.elapsed();
    same_as_fresh(&mut churned, other.kernel(), Passes::all(), "after the changes");
    let left = host.instances();
    while host.instances() > 0 {
        (0..50.min(host.instances())).for_each(|_| host.remove(churned.model_mut()));
        applied(&mut churned);
        say("instances left", host.instances());
    }
    host.clear(churned.model_mut());
    applied(&mut churned);
    is_empty(churned.kernel_mut());
    println!(
        "{done} changes in {applications} applications, {left} instances then: {churning:?}, equal to a fresh load"
    );
    println!("nothing left after {:?}", start.elapsed());
}
