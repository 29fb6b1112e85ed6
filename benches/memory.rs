//! Memory of a host in bytes a rule, and allocations of each stage: `cargo bench --bench memory`.
//!
//! Apart from the times, because counting every allocation costs time itself. Needs no kernel.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark has no interface, and stops when it cannot go on")]

use std::alloc::System;

use nftwrap::Manager;
use nftwrap::ipset;
use nftwrap::kernel::{CommitError, Committed, Error, Kernel};
use nftwrap::layout::Layout;
use nftwrap::name::{ChainName, IpsetName, SetName, TableName};
use nftwrap::nft;
use nftwrap::transaction::Sealed;
use nftwrap::wrap::Model;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[path = "support/host.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod host;
#[path = "support/nova.rs"]
#[allow(dead_code, reason = "each bench uses what it needs")]
mod nova;

use nova::{Family, Naming, Nova};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const INSTANCES: u32 = 10_000;

fn main() {
    let text = Nova::new(INSTANCES).save(Family::V4, Naming::Kernel);
    let rules = text.lines().filter(|line| line.starts_with("-A")).count();
    println!("{INSTANCES} instances, {rules} rules, {:.0} bytes of text a rule", text.len() as f64 / rules as f64);
    for (name, layout) in [("iptables layout", Layout::Iptables), ("native layout", Layout::native())] {
        println!("\n{name:<32}{:>16}{:>22}", "bytes a rule", "allocations a rule");
        measure(&text, rules, layout);
    }
}

fn measure(text: &str, rules: usize, layout: Layout) {
    let whole = Region::new(ALLOCATOR);
    let mut stage = Region::new(ALLOCATOR);
    let file = host::parse(text).unwrap();
    line("parsed save file", stage.change_and_reset(), rules);
    let mut model = Model::whole();
    host::add(&mut model, file).unwrap();
    line("model, the file given up", whole.change(), rules);
    stage.reset();
    let mut manager = Manager::with_kernel_and_layout(model, Sink, layout);
    manager.apply().unwrap();
    line("an application", stage.change(), rules);
    line("model and manager after it", whole.change(), rules);
}

/// A kernel that takes everything and keeps nothing: what is counted is ours.
struct Sink;

impl Kernel for Sink {
    fn generation(&mut self) -> Result<u32, Error> {
        Ok(1)
    }
    fn tables(&mut self, _: nft::Family) -> Result<Vec<nft::Table>, Error> {
        Ok(Vec::new())
    }
    fn chains(&mut self, _: nft::Family) -> Result<Vec<nft::Chain>, Error> {
        Ok(Vec::new())
    }
    fn chain(&mut self, _: nft::Family, _: &TableName, _: &ChainName) -> Result<Option<nft::Chain>, Error> {
        Ok(None)
    }
    fn rules(&mut self, _: nft::Family, _: &TableName, _: Option<&ChainName>) -> Result<Vec<nft::Rule>, Error> {
        Ok(Vec::new())
    }
    fn sets(&mut self, _: nft::Family, _: &TableName) -> Result<Vec<nft::Set>, Error> {
        Ok(Vec::new())
    }
    fn elements(&mut self, _: nft::Family, _: &TableName, _: &SetName) -> Result<Vec<nft::Element>, Error> {
        Ok(Vec::new())
    }
    fn objects(&mut self, _: nft::Family, _: &TableName) -> Result<Vec<nft::Object>, Error> {
        Ok(Vec::new())
    }
    fn ipset_index(&mut self, _: &IpsetName) -> Result<Option<u16>, Error> {
        Ok(None)
    }
    fn ipset_name(&mut self, _: u16) -> Result<Option<IpsetName>, Error> {
        Ok(None)
    }
    fn ipset(&mut self, _: &IpsetName) -> Result<Option<ipset::Content>, ipset::Error> {
        Ok(None)
    }
    fn change_ipset(&mut self, _: &ipset::Order) -> Result<(), ipset::Error> {
        Ok(())
    }
    fn commit(&mut self, _: &Sealed) -> Result<Committed, CommitError> {
        Ok(Committed::default())
    }
    fn check(&mut self, _: &Sealed) -> Result<Committed, CommitError> {
        Ok(Committed::default())
    }
}

fn line(name: &str, change: Stats, rules: usize) {
    let held = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    let allocations = change.allocations + change.reallocations;
    println!("{name:<32}{:>16.1}{:>22.3}", held / rules as f64, allocations as f64 / rules as f64);
}
