//! The native layout: what the compiler makes of a model, with every combination of passes, does what the model says.
//!
//! The compiler's own output goes to a fake kernel: deltas of changes in place, too, and of those after one that the
//! kernel or the compiler itself refused.

use nftwrap::layout::Passes;
use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::{Model, TableKind};

use crate::agree::{Tally, shots, smallest, text};
use crate::host::{Host, Seen};
use crate::random::Random;
use crate::random::model::{Generator, Rules};
use crate::random::packet::Shot;
use crate::{seed, show};

/// Changes with an application after each round of them.
const ROUNDS: usize = 4;

/// From scratch: what the compiler makes of the model, and what that does.
fn fresh(model: &Model, passes: Passes, shots: &[Shot]) -> Result<Tally, String> {
    let mut model = model.clone();
    let mut host = Host::new(&model, passes);
    host.apply(&mut model)?;
    host.check(&model, shots)
}

/// What happens beside the changes themselves.
fn mishaps(random: &mut Random, host: &mut Host, model: &mut Model) -> Result<(), String> {
    if random.one_in(3) {
        host.refused(model)?;
    }
    if random.one_in(4) {
        // A jump to nowhere, which is taken back.
        let family = *random.pick(&Family::BOTH);
        let rule = Rule::new().udp().jump(ChainRef::new("nowhere").unwrap());
        let add = |model: &mut Model| {
            model.table_mut(family, TableKind::Filter).unwrap().add_rule("FORWARD", rule.clone()).unwrap();
        };
        add(model);
        if host.refused(model).is_ok() {
            return Err("the compiler took a jump to nowhere".into());
        }
        let table = model.table_mut(family, TableKind::Filter).unwrap();
        table.remove_rules_where(|_, entry| **entry.rule() == rule);
    }
    Ok(())
}

/// One seed: a model, packets, then changes in place with packets after each round.
pub(crate) fn case(seed: u64, passes: Passes) -> (Tally, Seen) {
    let mut generator = Generator::new(seed, Rules::All);
    let mut model = generator.model();
    let mut random = Random(seed ^ 0xfeed);
    let (mut tally, mut seen) = (Tally::default(), Seen::default());
    let mut host = Host::new(&model, passes);
    let mut before = None;
    for round in 0..ROUNDS {
        for _ in 0..2 * round {
            generator.edit(&mut model);
        }
        let packets = shots(&mut random, &model, 50);
        let checked = mishaps(&mut random, &mut host, &mut model)
            .and_then(|()| host.apply(&mut model))
            .and_then(|()| host.check(&model, &packets));
        match checked {
            Ok(more) => tally.join(more),
            // A chain below a dispatcher that dispatches itself: the kernel takes the one map of actions for a loop.
            Err(error) if error.contains("EMLINK") => break,
            Err(error) => fail(seed, round, passes, before.as_ref(), &model, &packets, &error),
        }
        seen.join(host.seen(&model));
        before = Some(model.clone());
    }
    (tally, seen)
}

/// Panics with the seed, the packet, what was wanted and found, the smallest model that shows it, and its program.
fn fail(
    seed: u64,
    round: usize,
    passes: Passes,
    before: Option<&Model>,
    model: &Model,
    packets: &[Shot],
    error: &str,
) -> ! {
    if fresh(model, passes, packets).is_ok() {
        let (old, new) = (before.map(text).unwrap_or_default(), text(model));
        panic!("seed {seed}, {passes:?}, round {round}, not from scratch: {error}\n{}\n{new}", difference(&old, &new));
    }
    let one = packets.iter().find(|packet| fresh(model, passes, std::slice::from_ref(packet)).is_err());
    let one = one.map(std::slice::from_ref).unwrap_or_default();
    let small = smallest(model, |model| fresh(model, passes, one).is_err());
    let error = fresh(&small, passes, one).unwrap_err();
    let mut host = Host::new(&small, passes);
    let program = match host.apply(&mut small.clone()) {
        Ok(()) => {
            let family = one.first().map_or(Family::Ipv4, |shot| shot.packet.family());
            show::tables(&mut host.kernel, family.into())
        }
        Err(error) => error,
    };
    panic!("seed {seed}, {passes:?}: {error}\n{}\n{program}", text(&small));
}

/// Lines that only one of two texts has.
fn difference(old: &str, new: &str) -> String {
    let mut out = String::new();
    for (mark, these, those) in [('-', old, new), ('+', new, old)] {
        let those: std::collections::HashSet<&str> = those.lines().collect();
        for line in these.lines().filter(|line| !those.contains(line)) {
            out.push(mark);
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// All combinations of passes.
pub(crate) fn passes() -> impl Iterator<Item = Passes> {
    (0..=Passes::all().bits()).map(Passes::from_bits_retain)
}

/// Cases of each combination: as many as there is time for without optimisation, or with it.
const CASES: u64 = if cfg!(debug_assertions) { 10 } else { 200 };

fn cases(which: impl Fn(Passes) -> bool) {
    let mut tally = Tally::default();
    for passes in passes().filter(|passes| which(*passes)) {
        let mut seen = Seen::default();
        let first = seed(1) + CASES * u64::from(passes.bits());
        for seed in first..first + CASES {
            let (more, met) = case(seed, passes);
            tally.join(more);
            seen.join(met);
        }
        seen.is_worth_it(passes);
    }
    tally.is_worth_it();
}

#[test]
fn rules_as_they_are_do_what_the_model_says() {
    cases(|passes| !passes.contains(Passes::DISPATCH));
}

#[test]
fn dispatch_does_what_the_model_says() {
    cases(|passes| passes.contains(Passes::DISPATCH));
}
