//! What scenarios in both layouts have in common: connections to one kernel, and small models.
#![allow(dead_code, reason = "each test binary uses another part")]

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::kernel::Kernel;
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, Place, Profile, TableKind};
use nftwrap_compat::parse;

/// Runs each scenario on the fake and on the real kernel.
macro_rules! scenarios {
    ($($(#[$doc:meta])* fn $name:ident($connect:ident) $body:block)*) => {
        mod scenario {
            #[allow(unused_imports, reason = "the scenarios of some files need less")]
            use super::*;
            $($(#[$doc])* pub(super) fn $name<K: nftwrap::kernel::Kernel>($connect: impl Fn() -> K) $body)*
        }

        mod on_fake {
            $(#[test] fn $name() {
                let fake = nftwrap::kernel::Fake::new();
                super::scenario::$name(|| fake.connect());
            })*
        }

        mod on_live {
            $(#[test] fn $name() {
                if let Some(lab) = crate::lab::Lab::new(&[]) {
                    super::scenario::$name(|| lab.kernel());
                }
            })*
        }
    };
}
pub(crate) use scenarios;

/// A component with nova's skeleton.
pub(crate) fn nova(name: &str) -> Model {
    Model::builder().component(name.parse().unwrap()).profile(Profile::Nova).eager(true).build().unwrap()
}

/// A component with no chains but its own.
pub(crate) fn bare(name: &str) -> Model {
    Model::builder().component(name.parse().unwrap()).build().unwrap()
}

/// Adds a rule of IPv4 `filter` from text; chains by `$name` or kernel name.
pub(crate) fn add(model: &mut Model, chain: &str, rule: &str) -> bool {
    let rule = parse::rule(rule, Family::Ipv4).unwrap();
    model.table_mut(Family::Ipv4, TableKind::Filter).unwrap().add_rule(chain, rule).unwrap()
}

pub(crate) fn remove(model: &mut Model, chain: &str, rule: &str) -> bool {
    let rule = parse::rule(rule, Family::Ipv4).unwrap();
    let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
    table.remove_rule(chain, &rule, Place::Normal).unwrap()
}

pub(crate) fn add_chain(model: &mut Model, chain: &str) -> bool {
    model.table_mut(Family::Ipv4, TableKind::Filter).unwrap().add_chain(chain).unwrap()
}

pub(crate) fn remove_chain(model: &mut Model, chain: &str) -> bool {
    model.table_mut(Family::Ipv4, TableKind::Filter).unwrap().remove_chain(chain).unwrap()
}

/// An instance as nova makes it: a chain with three rules, and the jump to it.
pub(crate) fn add_instance(model: &mut Model, number: u32, port: u16) {
    let chain = format!("$inst-{number}");
    add_chain(model, &chain);
    add(model, &chain, "-m state --state RELATED,ESTABLISHED -j ACCEPT");
    add(model, &chain, &format!("-p tcp --dport {port} -j ACCEPT"));
    add(model, &chain, "-j DROP");
    add(model, "$local", &format!("-d 10.0.{}.{} -j {chain}", number / 250, number % 250));
}

/// Two chains that the hooks lead to, and a jump between them that turns round: no kernel takes that for a loop.
pub(crate) fn turn_a_jump_round<K: Kernel>(mut manager: Manager<K>, settle: impl Fn(&mut Manager<K>) -> Report) {
    let model = manager.model_mut();
    for chain in ["$left", "$right"] {
        add_chain(model, chain);
        add(model, chain, "-p tcp --dport 22 -j ACCEPT");
        add(model, "$local", &format!("-j {chain}"));
    }
    add(model, "$left", "-s 192.0.2.1 -j $right");
    settle(&mut manager);
    for (from, to) in [("$left", "$right"), ("$right", "$left"), ("$left", "$right")] {
        let model = manager.model_mut();
        assert!(remove(model, from, &format!("-s 192.0.2.1 -j {to}")));
        add(model, to, &format!("-s 192.0.2.1 -j {from}"));
        settle(&mut manager);
    }
}
