//! Many changes: the state after each is the state that a fresh load would have made.

use nftwrap::Manager;
use nftwrap::kernel::Fake;
use proptest::prelude::*;

use crate::world::*;

scenarios! {
    /// Growth and shrinking by single instances ends where a load of the final model does.
    fn growth_and_shrinking_leave_no_trace(connect) {
        let mut manager = Manager::with_kernel(nova("nova-compute"), connect());
        settle(&mut manager);
        let empty = text(connect());
        for n in 1..=40 {
            add_instance(manager.model_mut(), n, 22);
            manager.apply().unwrap();
        }
        for n in (1..=40).rev() {
            remove_chain(manager.model_mut(), &format!("$inst-{n}"));
            manager.apply().unwrap();
        }
        assert_eq!(text(connect()), empty);
        manager.refresh();
        assert_eq!(manager.apply().unwrap().messages, 0);
    }

    fn a_jump_turns_round(connect) {
        turn_a_jump_round(Manager::with_kernel(nova("nova-compute"), connect()), settle);
    }
}

/// One random change of a model.
#[derive(Debug, Clone)]
enum Op {
    AddInstance(u32, u16),
    RemoveInstance(u32),
    AddRule(u32, u8),
    RemoveRule(u32, u8),
    Shared(u8),
    Unshared(u8),
    Look,
    Restart,
    Neighbour(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1..6_u32, 20..23_u16).prop_map(|(n, p)| Op::AddInstance(n, p)),
        2 => (1..6_u32).prop_map(Op::RemoveInstance),
        3 => (1..6_u32, 0..5_u8).prop_map(|(n, r)| Op::AddRule(n, r)),
        2 => (1..6_u32, 0..5_u8).prop_map(|(n, r)| Op::RemoveRule(n, r)),
        2 => (0..3_u8).prop_map(Op::Shared),
        2 => (0..3_u8).prop_map(Op::Unshared),
        1 => Just(Op::Look),
        1 => Just(Op::Restart),
        1 => (0..3_u8).prop_map(Op::Neighbour),
    ]
}

fn rule_text(number: u8) -> String {
    format!("-s 192.0.2.{number} -p udp --dport {} -j ACCEPT", 100 + u16::from(number))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Random changes by a component that restarts now and then, beside a neighbour that makes its own: after each
    /// application the kernel holds what a first application of the same model to an empty kernel would have made.
    #[test]
    fn any_history_ends_in_the_same_state(ops in prop::collection::vec(op(), 1..40)) {
        let fake = Fake::new();
        let mut manager = Manager::with_kernel(nova("nova-compute"), fake.connect());
        let mut neighbour = Manager::with_kernel(nova("nova-network"), fake.connect());
        manager.apply().unwrap();
        neighbour.apply().unwrap();
        for op in ops {
            let model = manager.model_mut();
            match op {
                Op::AddInstance(n, port) => add_instance(model, n, port),
                Op::RemoveInstance(n) => { remove_chain(model, &format!("$inst-{n}")); }
                Op::AddRule(n, r) => {
                    add_chain(model, &format!("$inst-{n}"));
                    add(model, &format!("$inst-{n}"), &rule_text(r));
                }
                Op::RemoveRule(n, r) => {
                    add_chain(model, &format!("$inst-{n}"));
                    remove(model, &format!("$inst-{n}"), &rule_text(r));
                }
                Op::Shared(r) => { add(model, "OUTPUT", &rule_text(r)); }
                Op::Unshared(r) => { remove(model, "OUTPUT", &rule_text(r)); }
                Op::Look => { settle(&mut manager); }
                Op::Restart => {
                    let (model, kernel) = manager.into_parts();
                    manager = Manager::with_kernel(model, kernel);
                }
                Op::Neighbour(r) => {
                    let model = neighbour.model_mut();
                    if !add(model, "OUTPUT", &rule_text(r + 10)) {
                        remove(model, "OUTPUT", &rule_text(r + 10));
                    }
                    neighbour.apply().unwrap();
                }
            }
            // Without a look at the kernel: what is remembered, handles and all, has to be right.
            manager.apply().unwrap();
            prop_assert_eq!(manager.apply().unwrap().messages, 0);
            let ours = ours(&text(fake.connect()));
            let fresh = Fake::new();
            Manager::with_kernel(manager.model().clone(), fresh.connect()).apply().unwrap();
            prop_assert_eq!(ours, self::ours(&text(fresh.connect())));
        }
    }
}

/// The lines of the component, and of what all share.
fn ours(text: &str) -> Vec<String> {
    let neighbour = |line: &str| line.contains("nova-network") || line.contains("--dport 11");
    text.lines().filter(|line| !neighbour(line)).map(str::to_owned).collect()
}
