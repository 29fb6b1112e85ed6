//! A packet's way through the tables of a kernel.
//!
//! Owns: jumps and returns between chains, base chains in the order of their priorities.
//! Never: asks a kernel: a [`Ruleset`] is read before.
//!
//! Where the truth is: `nft_do_chain` (`net/netfilter/nf_tables_core.c`) and `nf_hook_slow` (`net/netfilter/core.c`,
//! Linux v6.12).

use super::execute::{Machine, Next};
use super::outcome::{Error, Outcome, Verdict, Way};
use super::packet::Packet;
use super::registers::Registers;
use super::ruleset::{Ruleset, Table};
use super::wire::Wire;
use crate::name::{ChainName, TableName};
use crate::nft::Policy;
use crate::wrap::Hook;

/// `NFT_JUMP_STACK_SIZE`.
const LEVELS: usize = 16;

impl Ruleset {
    /// What becomes of a packet in one base chain. A table or chain that is not there accepts.
    ///
    /// # Errors
    /// [`Error`] when the packet is of another family, or comes to something that has no meaning here.
    pub fn chain(&self, table: &TableName, base: &ChainName, packet: &Packet) -> Result<Outcome, Error> {
        let wire = self.wire(packet)?;
        let mut way = Way::new(packet);
        let table = self.tables.iter().find(|t| t.name == *table);
        let base = table.and_then(|table| Some((table, table.bases.iter().find(|(name, _)| name == base)?)));
        let verdict = match base {
            Some((table, (name, base))) => walk(table, name, base.policy, packet, &wire, &mut way)?,
            None => Verdict::Accept,
        };
        Ok(way.end(verdict))
    }

    /// What becomes of a packet at a hook: all base chains there, in the order of their priorities, until one does not
    /// accept, and connection tracking between them.
    ///
    /// # Errors
    /// As [`chain`](Ruleset::chain).
    pub fn hook(&self, hook: Hook, packet: &Packet) -> Result<Outcome, Error> {
        let wire = self.wire(packet)?;
        let bases = self.tables.iter().flat_map(|table| table.bases.iter().map(move |base| (table, base)));
        let mut bases: Vec<_> = bases.filter(|(_, (_, base))| base.hook == hook as u32).collect();
        bases.sort_by_key(|(_, (_, base))| base.priority);
        let (mut way, mut tracked) = (Way::new(packet), false);
        for (table, (name, base)) in bases {
            way.track(packet, hook, base.priority, &mut tracked);
            match walk(table, name, base.policy, packet, &wire, &mut way)? {
                Verdict::Accept => {}
                ended => return Ok(way.end(ended)),
            }
        }
        way.track(packet, hook, i32::MAX, &mut tracked);
        Ok(way.end(Verdict::Accept))
    }

    fn wire(&self, packet: &Packet) -> Result<Wire, Error> {
        if packet.family() == self.family { Ok(packet.wire()) } else { Err(Error::Family) }
    }
}

fn walk(
    table: &Table,
    base: &ChainName,
    policy: Option<Policy>,
    packet: &Packet,
    wire: &Wire,
    way: &mut Way,
) -> Result<Verdict, Error> {
    let chain = |name: &ChainName| table.chains.get(name).ok_or_else(|| Error::NoChain(name.clone()));
    let mut machine = Machine { table, packet, wire, way, registers: Registers::new() };
    // The rules that are left in each chain on the way, with the level of the chain.
    let mut stack = vec![(chain(base)?.iter(), 0)];
    while let Some((rules, level)) = stack.last_mut() {
        let Some(rule) = rules.next() else {
            stack.pop();
            continue;
        };
        let below = *level + 1;
        machine.registers.next_rule();
        let mut next = Next::Continue;
        for step in rule {
            next = machine.step(step)?;
            if next != Next::Continue {
                break;
            }
        }
        match next {
            Next::Continue | Next::Break => {}
            Next::End(verdict) => return Ok(verdict),
            Next::Return => {
                stack.pop();
            }
            Next::Jump(to) | Next::Goto(to) if below >= LEVELS => return Err(Error::TooDeep(to)),
            Next::Jump(to) => stack.push((chain(&to)?.iter(), below)),
            Next::Goto(to) => {
                stack.pop();
                stack.push((chain(&to)?.iter(), below));
            }
        }
    }
    Ok(match policy {
        Some(Policy::Drop) => Verdict::Drop,
        Some(Policy::Accept) | None => Verdict::Accept,
    })
}
