//! The native layout: what the compiler makes of a model, with every combination of passes, does what the model says.
//!
//! The compiler's own output goes to a fake kernel: deltas of changes in place, too, and of those after one that the
//! kernel or the compiler itself refused.

use nftwrap::layout::Passes;
use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::{Model, TableKind};
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;

use crate::agree::{Tally, become_like, shots, smallest, smallest_step, text};
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

/// From one model to the other: what the packets meet then, and what is left of the first.
fn step(before: &Model, after: &Model, passes: Passes, shots: &[Shot]) -> Result<(), String> {
    let mut model = before.clone();
    let mut host = Host::new(&model, passes);
    host.apply(&mut model)?;
    become_like(&mut model, after);
    host.apply(&mut model)?;
    host.check(&model, shots)?;
    host.is_as_new(&model, passes)
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
            Err(error) => fail(seed, round, passes, before.as_ref(), &model, &packets, &error),
        }
        seen.join(host.seen(&model));
        // Whatever came and went: the kernel has what it would have from scratch.
        if round + 1 == ROUNDS
            && let Err(error) = host.is_as_new(&model, passes)
        {
            fail(seed, round, passes, before.as_ref(), &model, &packets, &error);
        }
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
        let empty = match model.component() {
            Some(name) => Model::builder().component(name.clone()).build().unwrap(),
            None => Model::whole(),
        };
        let before = before.unwrap_or(&empty);
        let fails = |before: &Model, after: &Model| step(before, after, passes, packets).err();
        match fails(before, model) {
            None => panic!("seed {seed}, {passes:?}, round {round}, not in one step: {error}\n{}", text(model)),
            Some(_) => {
                let (before, after) = smallest_step(before, model, |before, after| fails(before, after).is_some());
                let error = fails(&before, &after).unwrap();
                panic!("seed {seed}, {passes:?}, round {round}: {error}\n{}then\n{}", text(&before), text(&after));
            }
        }
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

/// A model of whole tables.
fn whole(text: &str) -> Model {
    let mut model = Model::whole();
    load::load(&mut model, Family::Ipv4, SaveFile::parse(text.as_bytes(), Family::Ipv4).unwrap(), true).unwrap();
    model
}

/// Eight rules that lead from a chain to others by address.
fn run(from: &str, to: impl Fn(usize) -> String) -> String {
    (0..8).map(|n| format!("-A {from} -s 198.18.0.{n} -j {}\n", to(n))).collect()
}

#[test]
fn a_run_goes_together_with_the_chains_it_leads_to() {
    let before = whole(&format!("*filter\n:a - [0:0]\n:b - [0:0]\n{}COMMIT\n", run("a", |_| "b".into())));
    passes().for_each(|passes| step(&before, &Model::whole(), passes, &[]).unwrap());
}

#[test]
fn a_chain_of_verdicts_below_a_dispatcher_is_the_same_whatever_came_first() {
    let chains: String = (0..8).map(|n| format!(":i{n} - [0:0]\n")).collect();
    let before = format!("*filter\n:a - [0:0]\n{chains}{}", run("a", |n| format!("i{n}")));
    let after = format!("{before}{}COMMIT\n", run("i5", |_| "ACCEPT".into()));
    let [before, after] = [format!("{before}COMMIT\n"), after].map(|text| whole(&text));
    passes().for_each(|passes| step(&before, &after, passes, &[]).unwrap());
}

#[test]
fn dispatchers_that_lead_to_dispatchers_are_no_loop() {
    let text = format!(
        "*filter\n:a - [0:0]\n:b - [0:0]\n:c - [0:0]\n{}{}{}COMMIT\n",
        run("INPUT", |_| "a".into()),
        run("a", |_| "b".into()),
        run("b", |_| "c".into())
    );
    let model = whole(&text);
    for passes in passes() {
        fresh(&model, passes, &[]).unwrap();
    }
}
