//! Random models: a new process finds nothing to do, and what has changed meanwhile is done.

use nftwrap::kernel::{Fake, Kernel};
use nftwrap::ruleset::NativeChange;
use nftwrap::wrap::Model;

use crate::agree::text;
use crate::lab::Lab;
use crate::random::model::{Generator, Rules};
use crate::world::*;

/// What a new process would do: nothing but take over what stands.
fn adopts<K: Kernel>(seed: u64, model: &Model, kernel: K) {
    let mut next = native(model.clone(), kernel);
    let plan = next.plan().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", text(model)));
    let claim = |change: &&NativeChange| matches!(change, NativeChange::AddTable { userdata: None, .. });
    let more: Vec<_> = plan.native().iter().filter(|change| !claim(change)).map(ToString::to_string).collect();
    assert!(more.is_empty() && plan.changes().is_empty(), "seed {seed}: {more:#?}\n{}", text(model));
}

/// One seed: a model that stands, changes to it, restarts in between with and without changes.
fn case<K: Kernel>(seed: u64, connect: impl Fn() -> K) {
    let mut generator = Generator::new(seed, Rules::Live);
    let model = generator.model();
    let mut manager = native(model.clone(), connect());
    for round in 0..6 {
        let applied = manager.apply();
        applied.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}\n{}", text(manager.model())));
        assert_eq!(manager.apply().unwrap().messages, 0);
        let mut model = manager.model().clone();
        if round % 2 == 0 {
            drop(manager);
            if round > 0 {
                // What a change in place made may be another form of the same; from then on it stands.
                native(model.clone(), connect()).apply().unwrap();
            }
            adopts(seed, &model, connect());
            // The model changes while nobody is there.
            generator.edit(&mut model);
            manager = native(model, connect());
        } else {
            (0..3).for_each(|_| generator.edit(manager.model_mut()));
        }
    }
}

#[test]
fn random_models_are_adopted_and_changed_on_the_fake() {
    for seed in 0..12 {
        let fake = Fake::new();
        case(seed, || fake.connect());
    }
}

#[test]
fn random_models_are_adopted_and_changed_on_the_kernel() {
    for seed in 100..103 {
        let Some(lab) = Lab::new(&[]) else { return };
        case(seed, || lab.kernel());
    }
}
