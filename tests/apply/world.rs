//! What a scenario needs: models, and the state as text.

use nftwrap::Manager;
use nftwrap::kernel::Kernel;
use nftwrap::rule::Family;
use nftwrap::wrap::Model;
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;
use nftwrap_compat::view::View;

pub(crate) use crate::scenarios::*;

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
