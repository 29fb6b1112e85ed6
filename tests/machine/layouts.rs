//! Whole models, applied in a layout to a fake kernel.

use nftwrap::Manager;
use nftwrap::kernel::Fake;
use nftwrap::wrap::{Model, TableKind};

use crate::agree::{Tally, agree, shots, smallest, text};
use crate::random::Random;
use crate::random::model::{Generator, Rules};
use crate::random::packet::Shot;
use crate::seed;

/// A way to put a model into a kernel.
pub(crate) type Apply = fn(Model) -> Manager<Fake>;

pub(crate) fn iptables(model: Model) -> Manager<Fake> {
    let mut manager = Manager::with_kernel(model, Fake::new());
    manager.apply().unwrap();
    manager
}

fn check(manager: &mut Manager<Fake>, shots: &[Shot]) -> Result<Tally, String> {
    let model = manager.model().clone();
    agree(&model, manager.kernel_mut(), TableKind::table_name, shots)
}

/// One seed: a model, packets, then changes in place with packets after each.
pub(crate) fn case(seed: u64, apply: Apply) -> Tally {
    let mut generator = Generator::new(seed, Rules::All);
    let model = generator.model();
    let mut random = Random(seed ^ 0x5eed);
    let mut tally = Tally::default();
    let mut manager = apply(model);
    for edits in 0..4 {
        if edits > 0 {
            for _ in 0..edits {
                generator.edit(manager.model_mut());
            }
            manager.apply().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", text(manager.model())));
        }
        let packets = shots(&mut random, manager.model(), 60);
        match check(&mut manager, &packets) {
            Ok(more) => tally.join(more),
            Err(_) => fail(seed, edits, manager.model(), &packets, apply),
        }
    }
    tally
}

fn fail(seed: u64, edits: usize, model: &Model, packets: &[Shot], apply: Apply) -> ! {
    let fresh = |model: &Model, packets: &[Shot]| check(&mut apply(model.clone()), packets);
    let Some(packet) = packets.iter().find(|packet| fresh(model, std::slice::from_ref(packet)).is_err()) else {
        panic!("seed {seed}: after {edits} rounds of changes, not from scratch\n{}", text(model));
    };
    let packet = std::slice::from_ref(packet);
    let small = smallest(model, |model| fresh(model, packet).is_err());
    let error = fresh(&small, packet).unwrap_err();
    panic!("seed {seed}, round {edits}: {error}\n{}", text(&small));
}

#[test]
fn tables_of_iptables_do_what_the_model_says() {
    let first = seed(1);
    let mut tally = Tally::default();
    for seed in first..first + 60 {
        tally.join(case(seed, iptables));
    }
    tally.is_worth_it();
}
