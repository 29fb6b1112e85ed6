//! A kernel in memory, and the way from a model into it and back.

use nftwrap::Manager;
use nftwrap::apply::NativeChange;
use nftwrap::kernel::Fake;
use nftwrap::layout::{Layout, Native};
use nftwrap::name::WrapName;
use nftwrap::rule::{Family, Match};
use nftwrap::wrap::{Addition, Model, Profile, Table, TableId};
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;
use nftwrap_compat::view::View;

use super::same;

/// A model of a component with what a file states.
pub(crate) fn model(component: &str, family: Family, text: &str) -> Model {
    read(Some(&component.parse().unwrap()), &[(family, text)])
}

/// A model of a component, or of whole tables, with what files state.
fn read(component: Option<&WrapName>, texts: &[(Family, &str)]) -> Model {
    let mut model = match component {
        Some(component) => {
            let builder = Model::builder().component(component.clone()).profile(Profile::Bare);
            builder.eager(true).build().unwrap()
        }
        None => Model::whole(),
    };
    for (family, text) in texts {
        let file = SaveFile::parse_scoped(text.as_bytes(), *family, load::scope(&model));
        let file = file.unwrap_or_else(|errors| panic!("{errors:?}: {text}"));
        load::load(&mut model, *family, file, false).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    model
}

/// A kernel.
#[derive(Default)]
pub(crate) struct World(Fake);

impl World {
    pub(crate) fn view(&self) -> View {
        View::read(&mut self.0.connect()).unwrap()
    }

    fn manager(&self, model: Model, native: &Native) -> Manager<Fake> {
        let mut fake = self.0.connect();
        for table in model.tables() {
            for rule in table.chains().flat_map(|chain| chain.rules()) {
                for asked in &rule.rule().matches {
                    if let Match::Set(set) = asked {
                        fake.add_ipset(&set.name.value);
                    }
                }
            }
        }
        Manager::with_kernel_and_layout(model, fake, Layout::Native(native.clone()))
    }

    /// Applies a model and holds that it reads back, and that its text changes nothing.
    pub(crate) fn round_trip(&self, model: Model, native: &Native, what: &str) {
        let mut manager = self.manager(model, native);
        manager.apply().unwrap_or_else(|error| panic!("{error}: {what}"));
        self.reads_back(manager, native, what);
    }

    /// Applies a model and then another one, which starts from what the first has left in kernel and memory.
    pub(crate) fn becomes(&self, before: Model, after: Model, native: &Native, what: &str) {
        let mut manager = self.manager(before, native);
        manager.apply().unwrap_or_else(|error| panic!("{error}: {what}"));
        edit(manager.model_mut(), &after);
        manager.apply().unwrap_or_else(|error| panic!("{error}: {what}"));
        self.reads_back(manager, native, what);
    }

    fn reads_back(&self, manager: Manager<Fake>, native: &Native, what: &str) {
        let (model, kernel) = manager.into_parts();
        // The tables have no owner any more.
        drop(kernel);
        let mut view = self.view();
        if let Some(component) = model.component() {
            view.retain_component(component);
        }
        same::check(&model, &view, what);
        let texts = Family::BOTH.map(|family| (family, view.save(family, true)));
        let texts: Vec<(Family, &str)> = texts.iter().map(|(family, text)| (*family, text.as_str())).collect();
        let again = read(model.component(), &texts);
        let plan = self.manager(again, native).plan().unwrap_or_else(|error| panic!("{error}: {what}"));
        // A table whose owner is gone gets another one.
        let changes = plan.native().iter().filter(|c| !matches!(c, NativeChange::AddTable { userdata: None, .. }));
        let left: Vec<String> = changes.map(ToString::to_string).collect();
        assert!(
            left.is_empty() && plan.changes().is_empty(),
            "{what}: again, it would do {left:#?} {:?}\n{}",
            plan.changes(),
            view.nft()
        );
    }
}

/// Makes of a model what another one states, chain by chain.
fn edit(model: &mut Model, wanted: &Model) {
    let component = model.component().map(|component| format!("{component}-")).unwrap_or_default();
    let key = |name: &'_ str| match name.strip_prefix(&component) {
        Some(logical) => format!("${logical}"),
        None => name.to_owned(),
    };
    let ids: Vec<TableId> = model.tables().map(Table::id).collect();
    for id in ids {
        let table = model.table_mut(id.family, id.kind).unwrap();
        let wanted: Vec<_> = wanted.table(id.family, id.kind).into_iter().flat_map(Table::chains).collect();
        for chain in &wanted {
            table.add_chain(key(chain.name().as_str()).as_str()).unwrap();
        }
        for chain in &wanted {
            let rules = chain.rules().map(|entry| Addition::new(entry.rule().clone()).place(entry.place()));
            table.replace_chain(key(chain.name().as_str()).as_str(), rules).unwrap();
        }
        let names: Vec<String> = table.chains().map(|chain| chain.name().to_string()).collect();
        for name in names.iter().filter(|name| !wanted.iter().any(|chain| chain.name().as_str() == *name)) {
            table.empty_chain(key(name).as_str()).unwrap();
            table.remove_chain(key(name).as_str()).unwrap();
        }
    }
}
