//! What the native layout makes of a model reads back as that model: the same chains with the same rules; and the text that
//! `show` prints, applied again, changes nothing.
//!
//! Each model goes into an in-memory kernel, from which everything is read. The order of rules that one set or map holds is
//! their keys', not the model's; every other rule stands where it stood. Rules are compared in the normal form of the
//! native encoding. A jump may name another chain when both say the same: chains that share a body are told apart by the
//! way that leads to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "roundtrip/hosts.rs"]
mod hosts;
#[path = "roundtrip/same.rs"]
mod same;
#[path = "roundtrip/world.rs"]
mod world;

use std::collections::HashSet;

use nftwrap::layout::native::tlv::Kind;
use nftwrap::layout::{Native, Passes};
use nftwrap::rule::Family;
use nftwrap::wrap::Model;
use nftwrap_compat::restore::SaveFile;
use proptest::prelude::*;

use hosts::Host;
use world::{World, model};

/// The dumps of nova and neutron, each as the component that made it.
fn dumps() -> Vec<(String, Family, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/dumps");
    let mut dumps = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let family = if name.ends_with(".v6.save") { Family::Ipv6 } else { Family::Ipv4 };
        let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        // Targets of iptables' own tables only: this one, and ranges with the port that they begin at (`10-12/13`).
        let shifts =
            |line: &str| line.contains("-j DNAT") && line.rsplit(':').next().is_some_and(|to| to.contains('/'));
        let elsewhere = |line: &&str| !line.contains("CHECKSUM") && !shifts(line);
        let text = text.lines().filter(elsewhere).map(|line| format!("{line}\n")).collect();
        dumps.push((name, family, text));
    }
    dumps.sort_by(|a, b| a.0.cmp(&b.0));
    dumps
}

fn component(dump: &str) -> &'static str {
    if dump.starts_with("nova") { "nova-compute" } else { "neutron-openvswi" }
}

fn combinations() -> impl Iterator<Item = Native> {
    (0..=Passes::all().bits()).flat_map(|bits| {
        let passes = Passes::from_bits_truncate(bits);
        [false, true].map(|counters| Native { passes, counters, ..Native::default() })
    })
}

#[test]
fn every_dump_reads_back() {
    for (name, family, text) in dumps() {
        for native in combinations() {
            let wanted = model(component(&name), family, &text);
            World::default().round_trip(wanted, &native, &format!("{name} {native:?}"));
        }
    }
}

/// A model of whole tables has policies of its own.
#[test]
fn every_dump_reads_back_as_whole_tables() {
    for (name, family, text) in dumps() {
        let mut whole = Model::whole();
        let file = SaveFile::parse(text.as_bytes(), family).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        nftwrap_compat::load::load(&mut whole, family, file, false).unwrap();
        World::default().round_trip(whole, &Native::default(), &name);
    }
}

#[test]
fn components_of_a_group_read_back_each_for_itself() {
    let group = Some("host".parse().unwrap());
    let native = Native { group, shared: true, ..Native::default() };
    let world = World::default();
    for host in [Host::sample(), Host { component: "other", ..Host::sample() }] {
        world.round_trip(model(host.component, host.family, &host.text()), &native, host.component);
    }
    let both = world.view();
    let mut one = both.clone();
    one.retain_component(&"other".parse().unwrap());
    let save = one.save(Family::Ipv4, false);
    assert!(save.contains("-A FORWARD -j other-FORWARD\n") && !save.contains(" c-"), "{save}");
    assert!(both.save(Family::Ipv4, false).contains("-A FORWARD -j c-FORWARD\n-A FORWARD -j other-FORWARD\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_hosts_read_back(host in hosts::host(), passes in 0..16u8) {
        let passes = Passes::from_bits_truncate(passes);
        let native = Native { passes, counters: host.instances % 2 == 0, ..Native::default() };
        let text = host.text();
        World::default().round_trip(model("c", host.family, &text), &native, &format!("{native:?} {host:?}\n{text}"));
    }

    /// The host becomes another one, in the same tables.
    #[test]
    fn what_a_host_has_become_reads_back(
        (before, after) in prop::sample::select(&Family::BOTH[..]).prop_flat_map(|f| (hosts::of(f), hosts::of(f))),
        passes in 0..16u8,
    ) {
        let native = Native { passes: Passes::from_bits_truncate(passes), ..Native::default() };
        let world = World::default();
        let (old, text) = (before.text(), after.text());
        let what = format!("{native:?} {before:?} {after:?}\n{old}\n{text}");
        world.becomes(model("c", before.family, &old), model("c", after.family, &text), &native, &what);
    }
}

/// The other tests would prove little if nothing was compiled into maps, shared or folded.
#[test]
fn the_hosts_use_every_pass() {
    let host = Host::sample();
    let world = World::default();
    world.round_trip(model("c", host.family, &host.text()), &Native::default(), "the sample");
    let view = world.view();
    assert!(view.tables.iter().flat_map(|t| &t.chains).any(|chain| chain.body.as_ref().unwrap().sharing > 1));
    let chains = view.tables.iter().flat_map(|table| &table.native.as_ref().unwrap().chains);
    let lookups = chains.flat_map(|chain| &chain.rules).filter_map(|rule| rule.lookup.as_ref());
    let kinds: HashSet<_> = lookups.map(|lookup| lookup.tag.kind).collect();
    for kind in [Kind::Choice, Kind::Store, Kind::Constant, Kind::FamilyMember, Kind::FamilyChoice] {
        assert!(kinds.contains(&kind), "{kind:?} of {kinds:?}");
    }
}
