//! The rules of a long chain by an address that they are about.
//!
//! Owns: which rules were seen to name which address, and up to where the chain was looked at.
//! Never: is told of a change: rules that came are found by their serials, rules that went by their keys.
//!
//! Few callers ask, and only of few chains, so nothing is kept before somebody asks. Then the chain is looked at once; later
//! questions look at what came since. A compaction of the chain, which comes after as many removals as it has rules, begins
//! anew and lets go of what is gone: a question costs what has changed since the last one.
//!
//! How it is tested: here, against looking at all rules, with the rules counted that were looked at.

use std::net::IpAddr;

use foldhash::HashMap;

use super::entry::{Entry, RuleKey};
use super::slots::Slots;
use crate::rule::{Masked, Not, Rule, Target};

/// Keys of rules by address.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    known: HashMap<IpAddr, Vec<RuleKey>>,
    /// Rules of an earlier serial were looked at.
    seen: u32,
    /// How many rules were looked at.
    #[cfg(test)]
    pub(super) looked_at: usize,
}

impl Addresses {
    /// Looks at rules that came since the last time, and forgets those about the address that went. Returns the others.
    pub(super) fn find(&mut self, slots: &Slots, address: IpAddr) -> &[RuleKey] {
        for entry in slots.since(self.seen) {
            for address in about(entry.rule()).into_iter().flatten() {
                self.known.entry(address).or_default().push(entry.key());
            }
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
        }
        self.seen = slots.next_serial();
        let Some(keys) = self.known.get_mut(&address) else { return &[] };
        keys.retain(|key| slots.keyed(*key).is_some());
        // They came by places, and go out in the order of the chain.
        keys.sort_unstable();
        keys
    }
}

/// Whether the rule is about the address.
pub(super) fn is_about(entry: &Entry, address: IpAddr) -> bool {
    about(entry.rule()).contains(&Some(address))
}

/// The one address that packets of a rule go to, and the one that they get as their source.
fn about(rule: &Rule) -> [Option<IpAddr>; 2] {
    let to = match &rule.destination {
        Some(Not { negated: false, value }) => single(value),
        _ => None,
    };
    let from = match &rule.target {
        Some(Target::Snat(nat)) => nat.addresses.filter(|(first, last)| first == last).map(|(first, _)| first),
        _ => None,
    };
    [to, from.filter(|from| to != Some(*from))]
}

fn single(masked: &Masked) -> Option<IpAddr> {
    let address = match *masked {
        Masked::V4 { addr, .. } => IpAddr::V4(addr),
        Masked::V6 { addr, .. } => IpAddr::V6(addr),
    };
    (*masked == Masked::host(address)).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Family;
    use crate::rule::targets::Nat;
    use crate::wrap::{Model, Place, Profile, Table, TableKind};

    fn address(number: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + number).into())
    }

    fn into(number: u32) -> Rule {
        Rule::new().destination(Masked::host(address(number))).accept()
    }

    fn out_as(number: u32, from: u32) -> Rule {
        let nat = Nat { addresses: Some((address(number), address(number))), ..Nat::default() };
        Rule::new().source(Masked::host(address(from))).target(Target::Snat(Box::new(nat)))
    }

    fn model() -> Model {
        let mut model = Model::builder().component("agent".parse().unwrap()).profile(Profile::Nova).build().unwrap();
        model.table_mut(Family::Ipv4, TableKind::Nat).unwrap();
        model
    }

    fn table(model: &mut Model) -> &mut Table {
        model.table_mut(Family::Ipv4, TableKind::Nat).unwrap()
    }

    fn looked_at(table: &Table) -> usize {
        table.looked_at("$OUTPUT")
    }

    /// The same answers as by looking at everything, whatever came and went.
    #[test]
    fn the_index_finds_what_a_look_at_all_finds() {
        let mut model = model();
        let table = table(&mut model);
        let mut random = 7_u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % below
        };
        for round in 0..4_000_u32 {
            // Long and short by turns.
            let grows = (round / 500) % 2 == 0;
            let number = next(300);
            let rule = if number % 3 == 0 { out_as(number, next(5)) } else { into(number) };
            let place = if number % 7 == 0 { Place::Top } else { Place::Normal };
            if grows || next(10) == 0 {
                let addition = crate::wrap::Addition::new(rule).place(place);
                table.add_rule("$OUTPUT", addition).unwrap();
            } else {
                let all: Vec<_> = table.chain("$OUTPUT").unwrap().rules().cloned().collect();
                if let Some(entry) = all.get(next(all.len().max(1) as u32) as usize) {
                    table.remove_rule("$OUTPUT", entry.rule(), entry.place()).unwrap();
                }
            }
            if round % 50 == 3 {
                table.replace_chain("$OUTPUT", (0..next(200)).map(into)).unwrap();
            }
            let asked = address(next(300));
            let chain = table.chain("$OUTPUT").unwrap();
            let wanted: Vec<_> = chain.rules().filter(|entry| is_about(entry, asked)).cloned().collect();
            assert_eq!(table.rules_about("$OUTPUT", asked), wanted, "{round}");
        }
    }

    /// One question after each of many changes looks at as many rules as came.
    #[test]
    fn a_question_costs_what_has_changed() {
        let mut model = model();
        let table = table(&mut model);
        const MANY: u32 = 2_000;
        for number in 0..MANY {
            table.add_rule("$OUTPUT", into(number)).unwrap();
            assert_eq!(table.rules_about("$OUTPUT", address(number)).len(), 1);
        }
        assert!(looked_at(table) <= MANY as usize, "{}", looked_at(table));
        for number in 0..100 {
            table.remove_rule("$OUTPUT", &into(number), Place::Normal).unwrap();
            assert!(table.rules_about("$OUTPUT", address(number)).is_empty());
        }
        assert!(looked_at(table) <= MANY as usize, "{}", looked_at(table));
    }
}
