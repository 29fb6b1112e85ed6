//! What a scenario needs: connections to one kernel, models, and the state as text.

use nftwrap::Manager;
use nftwrap::kernel::Kernel;
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, Profile, TableKind};
use nftwrap_compat::load;
use nftwrap_compat::parse;
use nftwrap_compat::restore::SaveFile;
use nftwrap_compat::view::View;

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
    table.remove_rule(chain, &rule, nftwrap::wrap::Place::Normal).unwrap()
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

/// A model of whole tables from save text.
pub(crate) fn whole(text: &str) -> Model {
    let mut model = Model::whole();
    let file = SaveFile::parse(text.as_bytes(), Family::Ipv4).unwrap();
    load::load(&mut model, Family::Ipv4, file, true).unwrap();
    model
}

/// All of IPv4 as save text, with counters.
pub(crate) fn text<K: Kernel>(mut kernel: K) -> String {
    View::read(&mut kernel).unwrap().save(Family::Ipv4, true)
}

/// The rules of one chain of IPv4 `filter`, without counters.
pub(crate) fn rules<K: Kernel>(mut kernel: K, chain: &str) -> Vec<String> {
    let start = format!("-A {chain}");
    let text = View::read(&mut kernel).unwrap().save(Family::Ipv4, false);
    let filter = text.split("*filter").nth(1).unwrap_or_default();
    filter
        .lines()
        .filter_map(|line| line.strip_prefix(&start))
        .filter(|rest| rest.is_empty() || rest.starts_with(' '))
        .map(|rest| rest.trim_start().to_owned())
        .collect()
}

/// Applies, and holds what must hold after every application: a second one sends nothing, also by a manager that knows
/// nothing of the first.
pub(crate) fn settle<K: Kernel>(manager: &mut Manager<K>) -> nftwrap::apply::Report {
    let report = manager.apply().unwrap();
    assert_eq!(manager.apply().unwrap().messages, 0);
    manager.refresh();
    let plan = manager.plan().unwrap();
    assert!(plan.is_empty(), "a second application would do: {plan:?}");
    manager.apply().unwrap();
    report
}
