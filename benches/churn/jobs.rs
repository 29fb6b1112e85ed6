//! The changes that are made to a loaded host, each there and back, so that the next one finds the host as it was.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::fleet::{Edit, Fleet, Shape};

/// One kind of change, there and back.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) there: &'static str,
    /// What the way back is called; the same as `there` when it is the same kind of change.
    pub(crate) back: &'static str,
    pub(crate) edits: Vec<Edit>,
    pub(crate) undo: Vec<Edit>,
    /// How often nftwrap makes it.
    pub(crate) pairs: usize,
    /// How often the stock tools make it, unless time is up before.
    pub(crate) stock_pairs: usize,
}

/// How long a candidate may spend on one job before it stops taking samples.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) const LOAD: &str = "load";
pub(crate) const ADD: &str = "+1 instance";
pub(crate) const REMOVE: &str = "-1 instance";
pub(crate) const ADD_NEW: &str = "+1, new body";
pub(crate) const REMOVE_NEW: &str = "-1, last of its body";
pub(crate) const ONE: &str = "a rule in one";
pub(crate) const SHARED: &str = "a rule in a shared chain";
pub(crate) const ALL: &str = "a rule in all";
pub(crate) const MIXED: &str = "100 mixed changes";

/// Every job in the order of the tables.
pub(crate) const NAMES: [&str; 9] = [LOAD, ADD, REMOVE, ADD_NEW, REMOVE_NEW, ONE, SHARED, ALL, MIXED];

/// The jobs of a host.
pub(crate) fn jobs(fleet: Fleet, arguments: &Arguments) -> Vec<Job> {
    let few = |pairs: usize| if arguments.quick { pairs.min(1) } else { pairs };
    let next = fleet.instances + 1;
    let mut jobs = Vec::new();
    let mut job = |there, back, edits, undo, pairs: usize, stock_pairs| {
        let (pairs, stock_pairs) = (few(pairs), few(stock_pairs));
        jobs.push(Job { there, back, edits, undo, pairs, stock_pairs });
    };
    let one = || fleet.instance(next);
    job(ADD, REMOVE, vec![Edit::Add(one())], vec![Edit::Remove(one())], 60, 3);
    if fleet.shape != Shape::Distinct {
        // A number that no group of the host has.
        let one = || fleet.shape.instance(next, fleet.bodies);
        job(ADD_NEW, REMOVE_NEW, vec![Edit::Add(one())], vec![Edit::Remove(one())], 10, 1);
    }
    let middle = fleet.instances.div_ceil(2);
    job(ONE, ONE, vec![fleet.change(middle, true)], vec![fleet.change(middle, false)], 10, 2);
    if let (Some(there), Some(back)) = (fleet.shape.shared_change(true), fleet.shape.shared_change(false)) {
        job(SHARED, SHARED, vec![there], vec![back], 10, 1);
    }
    let all = |changed| (1..=fleet.instances).map(|number| fleet.change(number, changed)).collect();
    // A stock tool that changes fifty thousand chains takes as long as all other measurements together.
    let (pairs, stock_pairs) = match fleet.instances {
        ..=1_000 => (3, 1),
        1_001..=10_000 => (2, 1),
        _ => (1, 0),
    };
    job(ALL, ALL, all(true), all(false), pairs, stock_pairs);
    let (there, back) = mixed(fleet);
    job(MIXED, MIXED, there, back, 5, 1);
    jobs
}

/// As an agent finds them after a pause: instances come and go, rules change. Forty of one, thirty of each of the others.
fn mixed(fleet: Fleet) -> (Vec<Edit>, Vec<Edit>) {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for number in 1..=30 {
        let come = || fleet.instance(fleet.instances + number);
        there.push(Edit::Add(come()));
        back.push(Edit::Remove(come()));
    }
    // Spread over the host; those that go and those whose rule changes are different ones.
    let stride = (fleet.instances / 100).max(1);
    for index in 1..=30.min(fleet.instances / 2) {
        let go = || fleet.instance(index * stride);
        there.push(Edit::Remove(go()));
        back.push(Edit::Add(go()));
    }
    for index in 31..=70.min(fleet.instances) {
        there.push(fleet.change(index * stride, true));
        back.push(fleet.change(index * stride, false));
    }
    (there, back)
}
