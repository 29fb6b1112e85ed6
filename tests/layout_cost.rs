//! What a change costs the native compiler depends on the change, not on the host: the model's edit, the delta and the
//! commit take as much memory on a host of many instances as on a small one.
//!
//! Times are for the bench `churn`; allocations are the same in every run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

use std::alloc::System;

use nftwrap::compile::NoIpsets;
use nftwrap::layout::Native;
use nftwrap::layout::native::Compiler;
use nftwrap::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId};
use nftwrap::rule::{ChainRef, Family, InterfaceMatch, Match, Not, PortRange, Rule, Target};
use nftwrap::wrap::{Model, TableKind};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Instances of the two hosts that are compared.
const SIZES: [u32; 2] = [300, 2_400];
/// Changes of a kind: a table that grows now and then is not what the median of them costs.
const SAMPLES: u32 = 41;

/// A host: what an instance is, and how it comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// One of a few bodies, reached by its address.
    Nova,
    /// Its own address, MAC and zone, reached by its interface.
    Neutron,
}

/// What is done to an instance.
#[derive(Debug, Clone, Copy)]
enum Change {
    Come,
    Go,
    OneRule,
}

fn to(chain: &str) -> ChainRef {
    ChainRef::new(chain).unwrap()
}

fn put(model: &mut Model, chain: &str, rules: Vec<Rule>) {
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    if chain.starts_with('$') {
        table.add_chain(chain).unwrap();
    }
    table.replace_chain(chain, rules).unwrap();
}

fn add(model: &mut Model, kind: TableKind, chain: &str, rule: Rule) {
    model.table_mut(Family::Ipv4, kind).unwrap().add_rule(chain, rule).unwrap();
}

fn body(number: u32) -> Vec<Rule> {
    let port = PortRange::single(1000 + u16::try_from(number % 20).unwrap());
    vec![Rule::new().tcp().dport(port).accept(), Rule::new().discard()]
}

fn address(number: u32) -> std::net::IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
}

fn come(model: &mut Model, kind: Kind, number: u32) {
    let chain = format!("$i{number}");
    if kind == Kind::Nova {
        put(model, &chain, body(number));
        add(model, TableKind::Filter, "FORWARD", Rule::new().destination(address(number)).jump(to(&chain)));
        return;
    }
    let [_, _, high, low] = number.to_be_bytes();
    let own = Rule::new().source(address(number)).matching(Match::Mac(Not::is([2, 0, 0, 0, high, low])));
    put(model, &format!("$s{number}"), vec![own.target(Target::Return), Rule::new().discard()]);
    put(model, &chain, vec![Rule::new().jump(to(&format!("$s{number}"))), Rule::new().tcp().accept()]);
    let from = || Rule::new().input(InterfaceMatch::new(&format!("tap{number}")).unwrap());
    add(model, TableKind::Filter, "FORWARD", from().jump(to(&chain)));
    let id = CtZoneId::Number(u16::try_from(number).unwrap());
    let zone = Some(CtZone { direction: CtZoneDirection::Both, id });
    add(model, TableKind::Raw, "PREROUTING", from().target(Target::Ct(Box::new(Ct { zone, ..Ct::default() }))));
}

fn go(model: &mut Model, kind: Kind, number: u32) {
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    assert!(table.remove_chain(&*format!("$i{number}")).unwrap());
    if kind == Kind::Neutron {
        assert!(table.remove_chain(&*format!("$s{number}")).unwrap());
    }
}

/// Allocations and bytes of a change, each the median.
fn cost(kind: Kind, change: Change, instances: u32) -> [usize; 2] {
    let mut model = Model::builder().component("c".parse().unwrap()).ipv6(false).build().unwrap();
    let mut compiler = Compiler::new(&Native::default(), model.component());
    (0..instances).for_each(|number| come(&mut model, kind, number));
    compiler.update(&model, &NoIpsets).unwrap();
    compiler.commit();
    model.mark_applied();
    let mut samples: [Vec<usize>; 2] = Default::default();
    for sample in 0..SAMPLES {
        let region = Region::new(ALLOCATOR);
        match change {
            Change::Come => come(&mut model, kind, instances + sample),
            Change::Go => go(&mut model, kind, 5 * sample),
            Change::OneRule => {
                let other = if kind == Kind::Nova { body(5 * sample + 1) } else { body(0) };
                put(&mut model, &format!("$i{}", 5 * sample), other);
            }
        }
        let delta = compiler.update(&model, &NoIpsets).unwrap();
        assert!(!delta.is_empty(), "{kind:?} {change:?}");
        compiler.commit();
        model.mark_applied();
        let used = region.change();
        for (list, number) in samples.iter_mut().zip([used.allocations, used.bytes_allocated]) {
            list.push(number);
        }
    }
    samples.map(|mut list| {
        list.sort_unstable();
        list[list.len() / 2]
    })
}

#[test]
fn a_change_costs_what_changed_whatever_the_host() {
    for kind in [Kind::Nova, Kind::Neutron] {
        for change in [Change::Come, Change::Go, Change::OneRule] {
            let [small, large] = SIZES.map(|instances| cost(kind, change, instances));
            println!("{kind:?} {change:?}: {small:?} and {large:?} allocations and bytes");
            for (few, many) in small.into_iter().zip(large) {
                // A tree of eight times as many has a level more.
                assert!(
                    many * 2 <= few * 3,
                    "{kind:?} {change:?}: {few} among {}, {many} among {}",
                    SIZES[0],
                    SIZES[1]
                );
            }
        }
    }
}
