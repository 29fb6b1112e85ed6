//! A packet's way through the chains of a model, with the meaning that iptables gives them.
//!
//! Owns: jumps, gotos, RETURN, policies, the order of tables at a hook.
//! Never: sees what stands in a kernel beside the model: rules of other programs are not part of the answer.
//!
//! Where the truth is: `ipt_do_table` (`net/ipv4/netfilter/ip_tables.c`, Linux v6.12).

use super::outcome::{Error, Outcome, Verdict, Way};
use super::packet::Packet;
use super::{matching, targets};
use crate::nft::Policy;
use crate::rule::Target;
use crate::wrap::{Builtin, ChainKey, Hook, Model, Table, TableId};

/// Chains that may follow each other by jump or goto from a built-in one (`NFT_JUMP_STACK_SIZE`).
const LEVELS: usize = 16;

/// What becomes of a packet in one built-in chain of a table. A chain that the model says nothing about accepts.
///
/// # Errors
/// [`Error`] when the packet is of another family, or a rule asks or does what has no meaning here.
pub fn chain(model: &Model, table: TableId, builtin: &str, packet: &Packet) -> Result<Outcome, Error> {
    let mut way = Way::new(packet);
    let verdict = match model.table(table.family, table.kind) {
        Some(table) => walk(model, table, builtin, packet, &mut way)?,
        None => Verdict::Accept,
    };
    Ok(way.end(verdict))
}

/// What becomes of a packet at a hook: all tables of its family, in the order of their priorities there, until one does
/// not accept, and connection tracking between them.
///
/// # Errors
/// As [`chain`].
pub fn hook(model: &Model, hook: Hook, packet: &Packet) -> Result<Outcome, Error> {
    let of_hook = |builtins: &'static [Builtin]| builtins.iter().find(|b| b.hook == hook);
    let mut tables: Vec<_> = model
        .tables()
        .filter(|table| table.id().family == packet.family())
        .filter_map(|table| Some((of_hook(table.kind().builtins())?, table)))
        .collect();
    tables.sort_by_key(|(builtin, _)| builtin.priority);
    let (mut way, mut tracked) = (Way::new(packet), false);
    for (builtin, table) in tables {
        way.track(packet, hook, builtin.priority, &mut tracked);
        match walk(model, table, builtin.name, packet, &mut way)? {
            Verdict::Accept => {}
            ended => return Ok(way.end(ended)),
        }
    }
    way.track(packet, hook, i32::MAX, &mut tracked);
    Ok(way.end(Verdict::Accept))
}

fn walk(model: &Model, table: &Table, builtin: &str, packet: &Packet, way: &mut Way) -> Result<Verdict, Error> {
    if table.id().family != packet.family() {
        return Err(Error::Family);
    }
    let Some(base) = table.chain(ChainKey::Named(builtin)) else { return Ok(Verdict::Accept) };
    // The rules that are left in each chain on the way, with the level of the chain.
    let mut stack = vec![(base.rules(), 0)];
    while let Some((rules, level)) = stack.last_mut() {
        let Some(entry) = rules.next() else {
            stack.pop();
            continue;
        };
        if !matching::rule(entry.rule(), table, packet, way)? {
            continue;
        }
        let below = *level + 1;
        match &entry.rule().target {
            None => {}
            Some(Target::Return) => {
                stack.pop();
            }
            Some(target @ (Target::Jump(to) | Target::Goto(to))) => {
                let to = to.name();
                if below >= LEVELS {
                    return Err(Error::TooDeep(to.clone()));
                }
                let next = table.chain(ChainKey::Named(to.as_str())).ok_or_else(|| Error::NoChain(to.clone()))?;
                if matches!(target, Target::Goto(_)) {
                    stack.pop();
                }
                stack.push((next.rules(), below));
            }
            Some(target) => {
                if let Some(verdict) = targets::run(target, way)? {
                    return Ok(verdict);
                }
            }
        }
    }
    // A component states no policy: built-in chains are not its own.
    Ok(match base.policy().filter(|_| model.component().is_none()) {
        Some(Policy::Drop) => Verdict::Drop,
        Some(Policy::Accept) | None => Verdict::Accept,
    })
}
