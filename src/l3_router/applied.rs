//! A router's rules in the kernel: both components, as one change.
//!
//! Owns: the two managers, and what stands.
//! Never: keeps a change of which a part was refused.

use super::model::{metering_model, router_model, state_rules};
use super::rules::{ChainRules, RuleSet};
use super::{RouterError, RouterOptions};
use crate::apply::Report;
use crate::kernel::Live;
use crate::layout::Layout;
use crate::manager::Manager;
use crate::netlink::namespace::Namespace;
use crate::wrap::Model;

/// The rules of a router, as they are applied.
#[derive(Debug)]
pub(super) struct Applied {
    manager: Manager<Live>,
    /// Made when there is something to count, or when an earlier process may have counted.
    meter: Option<Manager<Live>>,
    standing: RuleSet,
    /// What stood before the last commit, and the ways back there.
    before: Option<(RuleSet, Back, Back)>,
}

/// What an application did.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    pub(super) router: Report,
    pub(super) metering: Report,
}

impl Applied {
    /// What is known of a namespace before the first application: nothing.
    pub(super) fn new(namespace: &Namespace, options: &RouterOptions) -> Result<Self, RouterError> {
        let model = router_model(&options.component, &options.rules)?;
        let manager = Manager::with_kernel_and_layout(model, open(namespace)?, options.layout.clone());
        Ok(Self { manager, meter: None, standing: RuleSet::default(), before: None })
    }

    /// Brings the kernel to these rules; `adopted` says that an earlier process may have left some.
    ///
    /// # Errors
    /// [`RouterError`]; models and kernel are as before.
    pub(super) fn commit(
        &mut self,
        wanted: &RuleSet,
        adopted: bool,
        namespace: &Namespace,
        options: &RouterOptions,
    ) -> Result<Reports, RouterError> {
        if self.meter.is_none() && (adopted || !wanted.metering.is_empty()) {
            let model = metering_model(&options.meter, &options.rules)?;
            // Every rule counts in the tables of iptables, and only there.
            self.meter = Some(Manager::with_kernel_and_layout(model, open(namespace)?, Layout::Iptables));
        }
        let router = exchange(&mut self.manager, &self.standing.router, &wanted.router)?;
        let metering = match &mut self.meter {
            Some(meter) => exchange(meter, &self.standing.metering, &wanted.metering),
            None => Ok((Report::default(), Back::default())),
        };
        let (router, back) = router;
        let (metering, metering_back) = match metering {
            Ok(done) => done,
            Err(error) => {
                let failed = back.take(&mut self.manager, &wanted.router, &self.standing.router);
                return Err(error.with_failures(failed.err().into_iter().collect()));
            }
        };
        self.before = Some((std::mem::replace(&mut self.standing, wanted.clone()), back, metering_back));
        Ok(Reports { router, metering })
    }

    /// Brings the kernel back to what it had before the last [`commit`](Applied::commit). Goes on after a failure.
    pub(super) fn undo(&mut self) -> Vec<RouterError> {
        let Some((before, back, metering_back)) = self.before.take() else { return Vec::new() };
        let wanted = std::mem::replace(&mut self.standing, before);
        let router = back.take(&mut self.manager, &wanted.router, &self.standing.router);
        let meter = self.meter.as_mut();
        let metering = meter.map(|meter| metering_back.take(meter, &wanted.metering, &self.standing.metering));
        router.err().into_iter().chain(metering.and_then(Result::err)).collect()
    }

    /// The rules that stand, as far as this process has stated them.
    pub(super) fn standing(&self) -> &RuleSet {
        &self.standing
    }

    /// Everything is read and compared again by the next application.
    pub(super) fn refresh(&mut self) {
        self.manager.refresh();
        self.meter.iter_mut().for_each(Manager::refresh);
    }

    /// The kernel that the router's rules go to.
    pub(super) fn kernel(&mut self) -> &mut Live {
        self.manager.kernel_mut()
    }

    /// The component that counts, if there is anything to count.
    pub(super) fn meter(&mut self) -> Option<&mut Manager<Live>> {
        self.meter.as_mut()
    }
}

fn open(namespace: &Namespace) -> Result<Live, RouterError> {
    Ok(Live::open_in(namespace).map_err(crate::kernel::Error::from)?)
}

/// A model as it was before it got a table more: a table cannot be taken out of a model.
#[derive(Debug, Default)]
struct Back(Option<Model>);

impl Back {
    fn before(model: &Model, new: &[ChainRules]) -> Self {
        let is_new = |chain: &ChainRules| !chain.rules.is_empty() && model.table(chain.family, chain.table).is_none();
        Self(new.iter().any(is_new).then(|| model.clone()))
    }

    /// Has the model say again what it said.
    fn restore(self, model: &mut Model, new: &[ChainRules], old: &[ChainRules]) -> Result<(), RouterError> {
        match self.0 {
            Some(before) => *model = before,
            None => drop(state_rules(model, new, old)?),
        }
        Ok(())
    }

    /// The same, and the kernel has it again.
    fn take(self, manager: &mut Manager<Live>, new: &[ChainRules], old: &[ChainRules]) -> Result<(), RouterError> {
        self.restore(manager.model_mut(), new, old)?;
        manager.apply()?;
        Ok(())
    }
}

/// One component's rules in place of others. When that fails the model says again what it said before, so that the next
/// application finds nothing to do.
fn exchange(
    manager: &mut Manager<Live>,
    old: &[ChainRules],
    new: &[ChainRules],
) -> Result<(Report, Back), RouterError> {
    let back = Back::before(manager.model(), new);
    let stated = state_rules(manager.model_mut(), old, new).map_err(RouterError::from);
    match stated.and_then(|_| Ok(manager.apply()?)) {
        Ok(report) => Ok((report, back)),
        Err(error) if matches!(&error, RouterError::Apply(inner) if inner.is_in_doubt()) => {
            // What may be in effect is brought back to what was.
            let failed = back.take(manager, new, old);
            Err(error.with_failures(failed.err().into_iter().collect()))
        }
        Err(error) => {
            let failed = back.restore(manager.model_mut(), new, old);
            Err(error.with_failures(failed.err().into_iter().collect()))
        }
    }
}
