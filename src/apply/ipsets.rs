//! Sets of the model as ipsets, beside the tables of iptables.
//!
//! Owns: which orders bring ipsets to the model, what is in effect of them, and taking it back.
//! Never: touches an ipset that the model does not have and this process has not made or taken over.
//!
//! An ipset is no part of a transaction. So sets and members come before the commit, as the rules that are committed
//! look for them, and go after it, as the rules that were replaced looked for them as well. When the kernel refuses the
//! transaction, what came before it is taken back. What cannot go after it stays to be done ([`Remnant`]); where there was no
//! transaction, it is a refusal.
//!
//! A set that stands under the name of one of ours is taken over when it is of the same type, by differences; it bears no
//! mark of who made it. Afterwards only differences of the model count, and no set is read again.
//!
//! Invariant: what is remembered of a set is what the kernel was told; when that is not certain, the set is read again.
//!
//! How it is tested: `tests/apply/sets.rs`, on the fake and on the kernel, and beside the `ipset` tool.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use std::time::Instant;

use ipnetwork::IpNetwork;

use super::report::{Remnant, Report};
use super::{Attempt, Mode, events};
use crate::error::Error;
use crate::ipset::{self, Content, DEFAULT_MAXELEM, Form, Kind, Order};
use crate::kernel::Kernel;
use crate::name::IpsetName;
use crate::rule::Family;
use crate::ruleset::{Extent, KnownIpsets};
use crate::wrap::{AddressSet, Model, ModelError, SetKind, TableId};

/// How often the destruction of a set is tried that is still in use: the kernel lets go of what rules held some time after
/// the commit that deleted them (`nf_tables_trans_destroy_work`). With the pauses between them, half a second.
const DESTRUCTIONS: u32 = 10;

/// The number that a rule has for an ipset that is still to be made, in a plan: no set has it (`IPSET_INVALID_ID`).
const UNMADE: u16 = u16::MAX;

/// What is known of ipsets between two applications.
#[derive(Debug, Default)]
pub(super) struct Ipsets {
    standing: BTreeMap<IpsetName, Standing>,
    /// Sets that were to go and could not be destroyed.
    leaving: BTreeSet<IpsetName>,
    /// Sets that members which have left may be in.
    unsure: BTreeSet<IpsetName>,
    /// What takes back what is in effect of an application that has not ended, in the order of doing.
    undo: Vec<Order>,
}

/// A set that this process has made or taken over.
#[derive(Debug, Clone, Copy)]
struct Standing {
    form: Form,
    /// Whether its members are those of the model when it was last applied.
    known: bool,
}

/// What brings the kernel's sets to the model.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Before the commit.
    pub(super) before: Vec<Order>,
    /// After it.
    pub(super) after: Vec<Order>,
    /// What stands then; `None` of a set that goes.
    outcome: Vec<(IpsetName, Option<Form>)>,
}

impl Steps {
    /// All orders.
    pub(super) fn into_orders(self) -> Vec<Order> {
        self.before.into_iter().chain(self.after).collect()
    }

    /// Gives sets that are not there yet a number that no set has.
    pub(super) fn expect(&self, known: &mut KnownIpsets) {
        for name in self.made() {
            known.0.entry(name.clone()).or_insert(UNMADE);
        }
    }

    fn made(&self) -> impl Iterator<Item = &IpsetName> {
        self.before.iter().filter_map(|order| if let Order::Create(name, _) = order { Some(name) } else { None })
    }

    /// Counts what is done.
    pub(super) fn count(&self, report: &mut Report) {
        for order in self.before.iter().chain(&self.after) {
            match order {
                Order::Create(..) | Order::Destroy(_) => report.sets += 1,
                Order::Add(_, members) | Order::Delete(_, members) => report.elements += members.len(),
                Order::Swap(..) => {}
            }
        }
    }
}

impl Ipsets {
    /// Others may have changed the sets: they are read again. That they are ours is remembered.
    pub(super) fn distrust(&mut self) {
        self.standing.values_mut().for_each(|standing| standing.known = false);
    }

    /// Whether something is left to do of earlier applications.
    pub(super) fn has_remnants(&self) -> bool {
        !(self.leaving.is_empty() && self.unsure.is_empty())
    }

    /// What has to be done for the model.
    pub(super) fn plan<K: Kernel + ?Sized>(
        &self,
        kernel: &mut K,
        model: &Model,
        extent: Extent,
    ) -> Result<Steps, Error> {
        let mut steps = Steps::default();
        let mut gone: BTreeSet<&IpsetName> = self.leaving.iter().collect();
        if extent != Extent::Changes {
            gone.extend(self.standing.keys());
        }
        for table in model.tables() {
            let names: Vec<&IpsetName> = match extent {
                Extent::Changes => {
                    let unsure = self.unsure.iter().filter(|name| table.set(name).is_some());
                    table.dirty_sets().chain(unsure).collect::<BTreeSet<_>>().into_iter().collect()
                }
                _ => table.sets().map(AddressSet::name).collect(),
            };
            for name in names {
                match table.set(name) {
                    Some(set) => {
                        check_name(model, table.id(), name)?;
                        self.bring(kernel, table.id().family, set, &mut steps)?;
                    }
                    None if self.standing.contains_key(name) => drop(gone.insert(name)),
                    None => {}
                }
            }
        }
        for name in gone {
            if model.tables().all(|table| table.set(name).is_none()) {
                steps.after.push(Order::Destroy(name.clone()));
                steps.outcome.push((name.clone(), None));
            }
        }
        Ok(steps)
    }

    /// What brings one set to its members.
    fn bring<K: Kernel + ?Sized>(
        &self,
        kernel: &mut K,
        family: Family,
        set: &AddressSet,
        steps: &mut Steps,
    ) -> Result<(), Error> {
        let name = set.name();
        let (kind, family) = (kind(set.kind()), family_of(family));
        let known = self.standing.get(name).filter(|s| s.known && (s.form.kind, s.form.family) == (kind, family));
        let (maxelem, Difference { added, removed }) = match (known, set.edits()) {
            (Some(standing), Some(_)) => (Some(standing.form.maxelem), since_applied(set)),
            _ => match kernel.ipset(name)? {
                None => (None, Difference { added: elements(set).into_iter().collect(), removed: Vec::new() }),
                Some(content) if content.is(kind, family) => {
                    (Some(content.maxelem.unwrap_or(DEFAULT_MAXELEM)), from_content(set, &content))
                }
                Some(content) => {
                    let wanted = format!("{kind} family {family}");
                    return Err(Error::IpsetType { set: name.clone(), wanted, found: content.type_name });
                }
            },
        };
        // One more for each /0; what leaves is in the set up to the commit.
        let needed = u32::try_from(set.len() + removed.len() + 1).unwrap_or(u32::MAX);
        let form = |maxelem| Form { kind, family, maxelem };
        let size = match maxelem {
            Some(maxelem) if needed <= maxelem.saturating_add(1) => maxelem,
            _ => room(needed),
        };
        match maxelem {
            None => steps.before.push(Order::Create(name.clone(), form(size))),
            Some(maxelem) if maxelem != size => {
                let other = other_name(name);
                let new: BTreeSet<_> = added.iter().collect();
                let stands = elements(set).into_iter().filter(|e| !new.contains(e)).chain(removed.iter().copied());
                steps.before.extend([
                    Order::Destroy(other.clone()),
                    Order::Create(other.clone(), form(size)),
                    Order::Add(other.clone(), stands.collect()),
                    Order::Swap(other.clone(), name.clone()),
                    Order::Destroy(other),
                ]);
            }
            Some(_) => {}
        }
        if !added.is_empty() {
            steps.before.push(Order::Add(name.clone(), added));
        }
        if !removed.is_empty() {
            steps.after.push(Order::Delete(name.clone(), removed));
        }
        steps.outcome.push((name.clone(), Some(form(size))));
        Ok(())
    }

    /// Does what comes before the commit, and learns the numbers of new sets. A transaction that is only to be checked needs
    /// the sets and not their members.
    pub(super) fn prepare<K: Kernel + ?Sized>(
        &mut self,
        kernel: &mut K,
        steps: &Steps,
        mode: Mode,
        known: &mut KnownIpsets,
        report: &mut Report,
    ) -> Result<(), Attempt> {
        let needed = |order: &&Order| mode != Mode::Check || matches!(order, Order::Create(..));
        for order in steps.before.iter().filter(needed) {
            self.undo.extend(inverse(order));
            run(kernel, order, report)?;
        }
        for name in steps.made() {
            if let Some(index) = kernel.ipset_index(name)? {
                known.0.insert(name.clone(), index);
            }
        }
        Ok(())
    }

    /// Takes back what is in effect. Tells whether that is done, so that what is remembered is right again.
    pub(super) fn undo<K: Kernel + ?Sized>(&mut self, kernel: &mut K) -> bool {
        let mut done = true;
        if self.undo.is_empty() {
            return done;
        }
        let mut report = Report::default();
        let undo: Vec<_> = std::mem::take(&mut self.undo).into_iter().rev().collect();
        let destroyed =
            undo.iter().filter_map(|o| if let Order::Destroy(name) = o { Some(name.clone()) } else { None });
        let destroyed: Vec<_> = destroyed.collect();
        for order in undo.iter().filter(|order| !matches!(order, Order::Destroy(_))) {
            // The transaction has failed already, and that is what the caller hears.
            if let Err(error) = run(kernel, order, &mut report) {
                events::ipset_stays(&error);
                done = false;
            }
        }
        for (name, _) in destroy(kernel, destroyed, DESTRUCTIONS, &mut report) {
            self.leaving.insert(name);
        }
        self.distrust();
        done
    }

    /// Nobody knows whether the transaction is in effect, so nothing is taken back. Sets that were made for it are ours.
    pub(super) fn keep_in_doubt(&mut self, steps: &Steps) {
        self.undo.clear();
        for (name, form) in &steps.outcome {
            if let Some(form) = form {
                self.standing.insert(name.clone(), Standing { form: *form, known: false });
            }
        }
    }

    /// Does what comes after the commit, or what is all when there was none. After a commit nothing can be taken back, and what
    /// does not go stays to be done.
    pub(super) fn finish<K: Kernel + ?Sized>(
        &mut self,
        kernel: &mut K,
        steps: &Steps,
        committed: bool,
        report: &mut Report,
    ) -> Result<(), Error> {
        if committed {
            self.undo.clear();
        }
        let (mut going, mut unsure) = (Vec::new(), BTreeSet::new());
        for order in &steps.after {
            match order {
                Order::Destroy(name) => going.push(name.clone()),
                order if committed => {
                    if let Err(error) = run(kernel, order, report) {
                        events::ipset_stays(&error);
                        report.remnants.push(Remnant::Members { set: order.set().clone(), why: error.to_string() });
                        unsure.insert(order.set().clone());
                    }
                }
                order => {
                    self.undo.extend(inverse(order));
                    run(kernel, order, report)?;
                }
            }
        }
        self.undo.clear();
        // What could not be destroyed before is not waited for again.
        let (again, new): (Vec<_>, Vec<_>) = going.into_iter().partition(|name| self.leaving.contains(name));
        for (name, form) in &steps.outcome {
            self.leaving.remove(name);
            self.unsure.remove(name);
            match form {
                Some(form) => {
                    let known = !unsure.contains(name);
                    self.standing.insert(name.clone(), Standing { form: *form, known });
                }
                None => drop(self.standing.remove(name)),
            }
        }
        self.unsure.extend(unsure);
        let mut stay = destroy(kernel, new, DESTRUCTIONS, report);
        stay.extend(destroy(kernel, again, 1, report));
        for (set, error) in stay {
            report.remnants.push(Remnant::Ipset { set: set.clone(), why: error.to_string() });
            self.leaving.insert(set);
        }
        Ok(())
    }
}

/// Destroys the ipsets of a model whose rules are gone. One that others use stays.
pub(crate) fn remove<K: Kernel + ?Sized>(kernel: &mut K, model: &Model, report: &mut Report) {
    let mut names = Vec::new();
    for table in model.tables() {
        let family = family_of(table.id().family);
        for set in table.sets() {
            if let Ok(Some(content)) = kernel.ipset(set.name())
                && content.is(kind(set.kind()), family)
            {
                names.push(set.name().clone());
            }
        }
    }
    report.sets += names.len();
    for (set, error) in destroy(kernel, names, DESTRUCTIONS, report) {
        report.remnants.push(Remnant::Ipset { set, why: error.to_string() });
    }
}

fn run<K: Kernel + ?Sized>(kernel: &mut K, order: &Order, report: &mut Report) -> Result<(), ipset::Error> {
    report.messages += order.messages();
    let start = Instant::now();
    let outcome = kernel.change_ipset(order);
    report.kernel += start.elapsed();
    outcome
}

/// Destroys sets, as soon as no rule holds them any more, but at most so many times. Returns those that stay.
fn destroy<K: Kernel + ?Sized>(
    kernel: &mut K,
    mut names: Vec<IpsetName>,
    attempts: u32,
    report: &mut Report,
) -> Vec<(IpsetName, ipset::Error)> {
    let mut stay = Vec::new();
    for attempt in 1..=attempts {
        let tried = std::mem::take(&mut names);
        for name in tried {
            match run(kernel, &Order::Destroy(name.clone()), report) {
                Ok(()) => {}
                Err(error) if error.is_busy() && attempt < attempts => names.push(name),
                Err(error) => {
                    events::ipset_stays(&error);
                    stay.push((name, error));
                }
            }
        }
        if names.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1 << (attempt - 1)));
    }
    stay
}

/// What takes an order back, if it has to be.
fn inverse(order: &Order) -> Option<Order> {
    match order {
        Order::Create(set, _) => Some(Order::Destroy(set.clone())),
        Order::Add(set, members) => Some(Order::Delete(set.clone(), members.clone())),
        Order::Delete(set, members) => Some(Order::Add(set.clone(), members.clone())),
        // A set that is larger than it was will do.
        Order::Swap(..) | Order::Destroy(_) => None,
    }
}

/// An ipset has its name for all tables of a namespace, so no two sets of a model can have one.
fn check_name(model: &Model, table: TableId, name: &IpsetName) -> Result<(), Error> {
    let others = model.tables().filter(|other| other.id() != table);
    match others.into_iter().find(|other| other.set(name).is_some()) {
        Some(other) => Err(Error::Model(vec![ModelError::SetTwice { table, set: name.clone(), other: other.id() }])),
        None => Ok(()),
    }
}

/// What has to change in a set.
struct Difference {
    added: Vec<IpNetwork>,
    removed: Vec<IpNetwork>,
}

/// All that a set has in the kernel.
fn elements(set: &AddressSet) -> BTreeSet<IpNetwork> {
    set.members().flat_map(ipset::halves).collect()
}

/// What joined and left since the model was applied.
fn since_applied(set: &AddressSet) -> Difference {
    let mut difference = Difference { added: Vec::new(), removed: Vec::new() };
    let Some(edits) = set.edits() else { return difference };
    let before = |member| edits.joined(member).map_or_else(|| set.contains(member), |joined| !joined);
    let changed: BTreeSet<_> = edits.added().chain(edits.removed()).flat_map(ipset::halves).collect();
    for element in changed {
        // Half of everything may be a member for itself.
        let whole = (element.prefix() == 1).then(|| IpNetwork::new(element.ip(), 0).ok()).flatten();
        let whole = whole.and_then(|whole| IpNetwork::new(whole.network(), 0).ok());
        let was = before(element) || whole.is_some_and(&before);
        let is = set.contains(element) || whole.is_some_and(|whole| set.contains(whole));
        match (was, is) {
            (false, true) => difference.added.push(element),
            (true, false) => difference.removed.push(element),
            _ => {}
        }
    }
    difference
}

/// What a set lacks that stands.
fn from_content(set: &AddressSet, content: &Content) -> Difference {
    let wanted = elements(set);
    let stands: BTreeSet<_> = content.members.iter().copied().collect();
    let foreign = stands.iter().chain(&content.exceptions).filter(|element| !wanted.contains(element));
    let removed = foreign.copied().collect();
    Difference { added: wanted.difference(&stands).copied().collect(), removed }
}

/// A size for so many members.
fn room(needed: u32) -> u32 {
    needed.checked_next_power_of_two().unwrap_or(u32::MAX).max(DEFAULT_MAXELEM)
}

/// The name of a set that is about to take another's place, as neutron names it.
fn other_name(name: &IpsetName) -> IpsetName {
    const END: &str = "-n";
    let text = name.as_str();
    let cut = (0..=text.len().min(IpsetName::MAX - END.len())).rev().find(|at| text.is_char_boundary(*at));
    let start = text.get(..cut.unwrap_or(0)).unwrap_or_default();
    IpsetName::from_kernel(&format!("{start}{END}"))
}

fn kind(kind: SetKind) -> Kind {
    match kind {
        SetKind::Addresses => Kind::Ip,
        SetKind::Prefixes => Kind::Net,
    }
}

fn family_of(family: Family) -> ipset::Family {
    match family {
        Family::Ipv4 => ipset::Family::Ipv4,
        Family::Ipv6 => ipset::Family::Ipv6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_name_fits() {
        let of = |name: &str| other_name(&name.parse().unwrap()).to_string();
        assert_eq!(of("NIPv4abc"), "NIPv4abc-n");
        assert_eq!(of(&"x".repeat(31)), format!("{}-n", "x".repeat(29)));
    }

    #[test]
    fn there_is_room_for_more_than_the_usual_number() {
        assert_eq!(room(3), DEFAULT_MAXELEM);
        assert_eq!(room(65537), 131_072);
    }
}
