//! Whether what stands in a kernel does with packets what the model says.
//!
//! ```text
//! Manager with any layout ──apply──> kernel ──agree──> Ok, or the packet, both outcomes and the model as text
//! ```
#![allow(dead_code, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use std::fmt::Write;

use nftwrap::kernel::Kernel;
use nftwrap::kernel::machine::{Outcome, Ruleset, Verdict, model};
use nftwrap::name::TableName;
use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::{Model, TableKind};
use nftwrap_compat::print::{self, SaveChain, SaveRule};

use crate::random::Random;
use crate::random::model::{COMPONENT, rules_of};
use crate::random::packet::{Shot, shot};

/// What packets met, to tell a test that tests nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) packets: usize,
    /// Dropped or rejected.
    pub(crate) stopped: usize,
    /// Changed, logged or translated.
    pub(crate) changed: usize,
}

impl Tally {
    fn add(&mut self, shot: &Shot, outcome: &Outcome) {
        let packet = &shot.packet;
        self.packets += 1;
        self.stopped += usize::from(outcome.verdict != Verdict::Accept);
        let same = outcome.mark == packet.mark && outcome.priority == packet.priority;
        self.changed += usize::from(!same || outcome.tracking != packet.tracking || !outcome.effects.is_empty());
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.packets += other.packets;
        self.stopped += other.stopped;
        self.changed += other.changed;
    }

    /// Panics when the packets were not worth it.
    #[track_caller]
    pub(crate) fn is_worth_it(&self) {
        let Self { packets, stopped, changed } = *self;
        assert!(packets > 0 && stopped * 10 > packets && changed * 10 > packets, "hardly a rule was met: {self:?}");
    }
}

/// Sends the packets through the model and through the tables that `table` names, at their hooks.
pub(crate) fn agree<K: Kernel>(
    model: &Model,
    kernel: &mut K,
    table: impl Fn(TableKind) -> TableName,
    shots: &[Shot],
) -> Result<Tally, String> {
    let tables = TableKind::ALL.map(table);
    let mut tally = Tally::default();
    for family in Family::BOTH {
        let of_family: Vec<_> = shots.iter().filter(|shot| shot.packet.family() == family).collect();
        if of_family.is_empty() {
            continue;
        }
        let ruleset = Ruleset::read(kernel, family, &tables).unwrap();
        for shot in of_family {
            let wanted = model::hook(model, shot.hook, &shot.packet);
            let found = ruleset.hook(shot.hook, &shot.packet);
            match &wanted {
                Ok(outcome) if found == wanted => tally.add(shot, outcome),
                _ => {
                    return Err(format!(
                        "at {:?}\n{:#?}\nmodel: {wanted:#?}\nkernel: {found:#?}",
                        shot.hook, shot.packet
                    ));
                }
            }
        }
    }
    Ok(tally)
}

/// Packets of both families for a model.
pub(crate) fn shots(random: &mut Random, model: &Model, count: usize) -> Vec<Shot> {
    let mut of_any = || {
        let family = *random.pick(&Family::BOTH);
        shot(random, model, family)
    };
    (0..count).map(|_| of_any()).collect()
}

/// As few rules as still show it: leaves out what it can. `fails` builds its kernel anew.
pub(crate) fn smallest(model: &Model, fails: impl Fn(&Model) -> bool) -> Model {
    let mut model = model.clone();
    // Whole chains, then halves, then single rules.
    let mut changed = true;
    while changed {
        changed = false;
        let places: Vec<_> = model
            .tables()
            .flat_map(|table| table.chains().map(move |chain| (table.id(), chain.name().to_string(), chain.len())))
            .filter(|(_, _, len)| *len > 0)
            .collect();
        for (id, chain, len) in places {
            let mut step = len;
            while step > 0 {
                let mut at = 0;
                loop {
                    let table = model.table(id.family, id.kind).unwrap();
                    let rules = rules_of(table, &chain);
                    if at >= rules.len() {
                        break;
                    }
                    let mut fewer: Vec<Rule> = rules.clone();
                    fewer.drain(at..(at + step).min(rules.len()));
                    let mut candidate = model.clone();
                    let table = candidate.table_mut(id.family, id.kind).unwrap();
                    table.replace_chain(chain.as_str(), fewer).unwrap();
                    if fails(&candidate) {
                        (model, changed) = (candidate, true);
                    } else {
                        at += step;
                    }
                }
                step /= 2;
            }
        }
    }
    // Chains that nothing leads to and that hold nothing.
    let empty: Vec<_> = model
        .tables()
        .flat_map(|table| table.chains().map(move |chain| (table.id(), chain)))
        .filter(|(_, chain)| chain.is_empty())
        .map(|(id, chain)| (id, chain.name().to_string()))
        .collect();
    for (id, chain) in empty {
        let mut candidate = model.clone();
        let table = candidate.table_mut(id.family, id.kind).unwrap();
        if !table.is_referenced(chain.as_str()) && table.remove_chain(chain.as_str()).is_ok() && fails(&candidate) {
            model = candidate;
        }
    }
    model
}

/// As few rules as still show it in a step from one model to the other.
pub(crate) fn smallest_step(before: &Model, after: &Model, fails: impl Fn(&Model, &Model) -> bool) -> (Model, Model) {
    let (mut before, mut after) = (before.clone(), after.clone());
    for _ in 0..2 {
        after = smallest(&after, |after| fails(&before, after));
        before = smallest(&before, |before| fails(before, &after));
    }
    (before, after)
}

/// Changes a model to be as another one.
pub(crate) fn become_like(model: &mut Model, other: &Model) {
    let ids: Vec<_> = TableKind::ALL.into_iter().flat_map(|kind| Family::BOTH.map(|family| (family, kind))).collect();
    for (family, kind) in ids {
        let Some(wanted) = other.table(family, kind) else { continue };
        let Ok(table) = model.table_mut(family, kind) else { continue };
        let gone: Vec<_> = table
            .chains()
            .map(|chain| chain.name().to_string())
            .filter(|name| !wanted.has_chain(name.as_str()))
            .collect();
        for name in gone {
            match kind.builtin(&name) {
                Some(_) => drop(table.empty_chain(name.as_str()).unwrap()),
                None => drop(table.remove_chain(&*of_component(&name)).unwrap()),
            }
        }
        for chain in wanted.chains() {
            let name = chain.name().as_str();
            if kind.builtin(name).is_none() {
                table.add_chain(&*of_component(name)).unwrap();
            }
            table.replace_chain(name, rules_of(wanted, name)).unwrap();
            if let Some(policy) = chain.policy() {
                table.set_policy(name, policy, None).unwrap();
            }
        }
    }
}

/// How operations on chains name one of the component's.
fn of_component(name: &str) -> std::borrow::Cow<'_, str> {
    match name.strip_prefix(COMPONENT).and_then(|rest| rest.strip_prefix('-')) {
        Some(logical) => format!("${logical}").into(),
        None => name.into(),
    }
}

/// The model as save files, tables without rules left out.
pub(crate) fn text(model: &Model) -> String {
    let mut out = String::new();
    for table in model.tables().filter(|table| table.chains().any(|c| !c.is_empty() || c.policy().is_some())) {
        writeln!(out, "# {}", table.id().family).unwrap();
        save(model, table.id().family, table.kind(), &mut out);
    }
    out
}

/// One table as a save file.
pub(crate) fn save(model: &Model, family: Family, kind: TableKind, out: &mut String) {
    let Some(table) = model.table(family, kind) else { return };
    let named: Vec<_> = table.chains().map(|chain| (ChainRef::Named(chain.name().clone()), chain)).collect();
    let chains = named.iter().map(|(name, chain)| {
        let builtin = kind.builtin(chain.name().as_str()).map(|_| nftwrap::nft::Policy::Accept);
        SaveChain { name, policy: chain.policy().or(builtin), counters: (0, 0) }
    });
    let rules = named
        .iter()
        .flat_map(|(chain, c)| c.rules().map(move |entry| SaveRule { chain, rule: entry.rule(), counters: None }));
    print::table_into(out, family, kind.name(), chains, rules);
}
