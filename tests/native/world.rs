//! What a scenario needs: managers, and hosts with instances.

use std::cell::RefCell;

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::kernel::Kernel;
use nftwrap::layout::{Layout, Native};
use nftwrap::nft;
use nftwrap::rule::Family;
use nftwrap::wrap::Model;
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;

pub(crate) use crate::scenarios::*;

/// What happens, with what was logged at `info` by this thread meanwhile.
pub(crate) fn logged<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }
    struct Lines;
    impl log::Log for Lines {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            LINES.with_borrow_mut(|lines| lines.push(format!("{}: {}", record.level(), record.args())));
        }
        fn flush(&self) {}
    }
    // Another test may have been first.
    let _ = log::set_logger(&Lines);
    log::set_max_level(log::LevelFilter::Trace);
    LINES.take();
    (run(), LINES.take())
}

/// A manager of the native layout.
pub(crate) fn native<K>(model: Model, kernel: K) -> Manager<K> {
    Manager::with_kernel_and_layout(model, kernel, Layout::native())
}

/// A manager of a part of the group `nova`.
pub(crate) fn sharing<K>(model: Model, kernel: K) -> Manager<K> {
    let settings = Native { group: "nova".parse().ok(), shared: true, ..Native::default() };
    Manager::with_kernel_and_layout(model, kernel, Layout::Native(settings))
}

/// The names of all IPv4 tables, in order.
pub(crate) fn table_names<K: Kernel>(kernel: &mut K) -> Vec<String> {
    let mut names: Vec<String> =
        kernel.tables(nft::Family::Ip).unwrap().iter().map(|table| table.name.to_string()).collect();
    names.sort();
    names
}

/// A host with so many instances of three kinds.
pub(crate) fn host(instances: u32) -> Model {
    host_of("nova-compute", instances)
}

/// The same of another component.
pub(crate) fn host_of(component: &str, instances: u32) -> Model {
    let mut model = nova(component);
    (0..instances).for_each(|number| add_instance(&mut model, number, 22 + u16::try_from(number % 3).unwrap()));
    model
}

/// The same with more instances, all of the first kind.
pub(crate) fn with_instances(mut model: Model, numbers: std::ops::Range<u32>) -> Model {
    numbers.for_each(|number| add_instance(&mut model, number, 22));
    model
}

/// A model of whole tables from save text.
pub(crate) fn whole(family: Family, text: &str) -> Model {
    let mut model = Model::whole();
    let file = SaveFile::parse(text.as_bytes(), family).unwrap();
    load::load(&mut model, family, file, true).unwrap();
    model
}

/// Applies, and holds what must hold after every application: a second one sends nothing, also when all is read anew.
pub(crate) fn settle<K: Kernel>(manager: &mut Manager<K>) -> Report {
    let report = manager.apply().unwrap();
    assert_eq!(manager.apply().unwrap().messages, 0);
    manager.refresh();
    let plan = manager.plan().unwrap();
    let left: Vec<String> = plan.native().iter().map(ToString::to_string).collect();
    assert!(plan.is_empty(), "a second application would do: {left:#?} {:?}", plan.changes());
    manager.apply().unwrap();
    report
}
