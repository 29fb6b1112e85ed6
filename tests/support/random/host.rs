//! Hosts: groups of instances that are reached by a key, each with constants of its own, and what is done to them.
//!
//! A group is what the passes are made for: eight instances or more, chains that differ in addresses, MACs, zones and
//! marks, some alike, some with a chain of their own below. And what they must see through: two chains that lead to the
//! same instances by other keys, a jump without a key, an instance with one rule more, an address that two have.

use nftwrap::rule::matches::CtStates;
use nftwrap::rule::targets::CtZoneDirection;
use nftwrap::rule::{ChainRef, Family, MarkMask, Masked, Match, Not, PortRange, Rule, Target};
use nftwrap::wrap::{Addition, ChainKey, Place, Table, TableId, TableKind};

use super::model::{CHAINS, Generator, LEVELS, Rules, Spot, interfaces, push, rules_of, spot};
use super::rule::{host, interface, mac, prefix, zone};

/// A name that no built-in chain has: where rules of several chains are made.
const ANY: &str = "";

/// By what packets find their instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Input,
    Output,
    Source,
    Destination,
    InputSource,
    OutputDestination,
}

/// A rule that all instances of a group have, each with its own constants.
#[derive(Debug, Clone)]
enum Line {
    /// The same rule.
    Fixed(Rule),
    /// Host addresses, or a MAC, or both, of the instance: so many pairs.
    Own { source: bool, destination: bool, mac: bool, pairs: usize, rest: Rule },
    /// A zone, mark or class of the instance's own.
    Store(Rule, Store),
    /// A chain of the instance's own.
    Child { lines: Vec<Line>, goes: bool },
}

#[derive(Debug, Clone, Copy)]
enum Store {
    Zone,
    Mark,
    Class,
}

/// Instances that look alike.
#[derive(Debug, Clone)]
pub(super) struct Group {
    table: TableId,
    level: usize,
    incoming: bool,
    lines: Vec<Line>,
    /// The chains that lead to the instances, and by what.
    dispatchers: Vec<(String, By)>,
    /// Chain and number of each.
    members: Vec<(String, usize)>,
}

impl Generator {
    /// Rules that lead to instances: those of a new group, or those that another chain leads to already.
    pub(super) fn instances(&mut self, table: &mut Table, spot: Spot, chain: &str) -> Vec<Rule> {
        if spot.kind == TableKind::Nat || spot.level >= LEVELS || table.chains().count() > CHAINS {
            return Vec::new();
        }
        let known: Vec<usize> = (0..self.groups.len())
            .filter(|&at| {
                let group = &self.groups[at];
                group.table == table.id() && group.incoming == spot.incoming && group.level > spot.level
            })
            .collect();
        let at = if !known.is_empty() && self.random.one_in(2) {
            *self.random.pick(&known)
        } else {
            let level = self.random.between(spot.level + 1, LEVELS);
            self.new_group(table, Spot { level, ..spot })
        };
        let by = self.by(spot, chain);
        self.groups[at].dispatchers.push((chain.to_owned(), by));
        let mut members = self.groups[at].members.clone();
        members.retain(|(name, _)| table.has_chain(name.as_str()));
        if self.random.one_in(6) {
            // Some are not reached from here.
            members.retain(|_| !self.random.one_in(4));
        }
        let mut rules: Vec<Rule> = members.iter().map(|(name, n)| self.leads_by(by, spot, name, *n)).collect();
        if self.random.one_in(8) && !members.is_empty() {
            let name = self.random.pick(&members).0.clone();
            let plain = Rule::new().jump(ChainRef::new(&name).unwrap());
            let plain = if self.random.one_in(2) { plain } else { plain.udp() };
            rules.insert(self.random.below(rules.len() + 1), plain);
        }
        if self.random.one_in(6) && !rules.is_empty() {
            let at = self.random.below(rules.len());
            rules[at].destination = Some(Not::is(prefix(spot.family, at, 2)));
        }
        rules
    }

    fn by(&mut self, spot: Spot, chain: &str) -> By {
        let (may_in, may_out) = interfaces(spot, chain);
        match self.random.below(6) {
            0 | 1 if may_in => By::Input,
            0 | 1 if may_out => By::Output,
            2 if may_in => By::InputSource,
            2 if may_out => By::OutputDestination,
            3 if may_out => By::Output,
            4 => By::Source,
            _ => By::Destination,
        }
    }

    fn leads_by(&mut self, by: By, spot: Spot, chain: &str, n: usize) -> Rule {
        let address = host(spot.family, n);
        let rule = match by {
            By::Input => Rule::new().input(interface(n)),
            By::Output => Rule::new().output(interface(n)),
            By::Source => Rule::new().source(address),
            By::Destination => Rule::new().destination(address),
            By::InputSource => Rule::new().input(interface(n)).source(address),
            By::OutputDestination => Rule::new().output(interface(n)).destination(address),
        };
        let to = ChainRef::new(chain).unwrap();
        if self.random.one_in(24) { rule.target(Target::Goto(to)) } else { rule.jump(to) }
    }

    /// A new group; gives its place in the list.
    fn new_group(&mut self, table: &mut Table, spot: Spot) -> usize {
        let lines = self.lines(table, spot, spot.level < LEVELS);
        let base = self.random.below(60);
        let (level, incoming) = (spot.level, spot.incoming);
        let mut group =
            Group { table: table.id(), level, incoming, lines, dispatchers: Vec::new(), members: Vec::new() };
        for n in base..base + self.random.between(5, self.run + 4) {
            let name = self.member(table, spot, &group.lines, n);
            group.members.push((name, n));
        }
        self.groups.push(group);
        self.groups.len() - 1
    }

    /// What all instances of a group have.
    fn lines(&mut self, table: &mut Table, spot: Spot, children: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        for _ in 0..self.random.between(1, 5) {
            let line = match self.random.below(10) {
                0..4 => {
                    let (source, destination) = (self.random.one_in(2), self.random.one_in(4));
                    let mac = spot.incoming && self.random.one_in(2);
                    let source = source || !(destination || mac);
                    let rest = match self.random.below(5) {
                        0 => Rule::new().udp().dport(PortRange::single(68)),
                        1 => self.condition(Rule::new(), spot, ANY),
                        _ => Rule::new(),
                    };
                    let target = match self.random.below(4) {
                        0 => self.target(table, spot, ANY, rest.protocol),
                        1 => Some(Target::Accept),
                        2 => Some(Target::Drop),
                        _ => Some(Target::Return),
                    };
                    let pairs = *self.random.pick(&[1, 1, 1, 2, 3]);
                    let rest = Rule { target, source: None, destination: None, ..rest };
                    Line::Own { source, destination, mac, pairs, rest }
                }
                4 => match spot.kind {
                    TableKind::Raw => Line::Store(Rule::new(), Store::Zone),
                    TableKind::Mangle if self.rules == Rules::All => Line::Store(Rule::new(), Store::Class),
                    TableKind::Mangle => Line::Store(Rule::new(), Store::Mark),
                    _ => continue,
                },
                5 if spot.kind == TableKind::Mangle => Line::Store(self.condition(Rule::new(), spot, ANY), Store::Mark),
                5 | 6 if children => {
                    let below = Spot { level: spot.level + 1, ..spot };
                    Line::Child { lines: self.lines(table, below, false), goes: self.random.one_in(6) }
                }
                7 => {
                    lines.extend(self.folded(table, spot, ANY).into_iter().map(Line::Fixed));
                    continue;
                }
                8 => {
                    lines.extend(self.group(table, spot, ANY).into_iter().map(Line::Fixed));
                    continue;
                }
                _ => Line::Fixed(self.rule(table, spot, ANY)),
            };
            lines.push(line);
        }
        if self.random.one_in(2) {
            lines.push(Line::Fixed(Rule::new().state(CtStates::INVALID).discard()));
        }
        if self.random.one_in(3) {
            lines.push(Line::Fixed(Rule::new().discard()));
        }
        // Raw sees no connections.
        if spot.kind == TableKind::Raw {
            lines.retain(
                |line| !matches!(line, Line::Fixed(r) if r.matches.iter().any(|m| matches!(m, Match::State(_)))),
            );
        }
        lines
    }

    /// One instance's chain, and those below it.
    fn member(&mut self, table: &mut Table, spot: Spot, lines: &[Line], n: usize) -> String {
        let name = self.name(if spot.incoming { 'i' } else { 'o' }, spot.level);
        table.add_chain(&name).unwrap();
        let mut rules = Vec::new();
        for line in lines {
            // One that has not got the line, and one that has another's constants.
            if self.random.one_in(40) {
                continue;
            }
            let n = if self.random.one_in(40) { n + 1 } else { n };
            match line {
                Line::Fixed(rule) => rules.push(rule.clone()),
                Line::Own { source, destination, mac: own, pairs, rest } => {
                    for pair in 0..*pairs {
                        rules.push(self.own(spot.family, rest, (*source, *destination, *own), n, pair));
                    }
                }
                Line::Store(rule, store) => rules.push(rule.clone().target(stored(*store, n))),
                Line::Child { lines, goes } => {
                    let child = self.member(table, Spot { level: spot.level + 1, ..spot }, lines, n);
                    let to = ChainRef::new(&child).unwrap();
                    rules.push(Rule::new().target(if *goes { Target::Goto(to) } else { Target::Jump(to) }));
                }
            }
        }
        // Chains that the group led to when it was made may be gone.
        rules.retain(|rule| match rule.chain_ref() {
            Some(ChainRef::Named(name)) => table.has_chain(name.as_str()),
            Some(ChainRef::Wrapped(name)) => table.has_chain(ChainKey::Wrapped(name.as_str())),
            None => true,
        });
        if self.random.one_in(24) {
            let at = self.random.below(rules.len() + 1);
            rules.insert(at, self.rule(table, spot, &name));
        }
        push(table, &name, rules);
        name
    }

    fn own(&mut self, family: Family, rest: &Rule, parts: (bool, bool, bool), n: usize, pair: usize) -> Rule {
        let address = Not::is(Masked::from(host(family, n + 100 * pair)));
        let (source, destination, own) = parts;
        let mut rule = rest.clone();
        rule.source = source.then_some(address);
        rule.destination = destination.then(|| Not::is(Masked::from(host(family, n))));
        if own {
            rule.matches.push(Match::Mac(Not::is(mac(n))));
        }
        rule
    }

    /// One change to the instances of a group; `false` when there are none in that table.
    pub(super) fn edit_instances(&mut self, table: &mut Table) -> bool {
        let own: Vec<usize> = (0..self.groups.len()).filter(|&at| self.groups[at].table == table.id()).collect();
        if own.is_empty() {
            return false;
        }
        let at = *self.random.pick(&own);
        let mut group = self.groups[at].clone();
        group.members.retain(|(name, _)| table.has_chain(name.as_str()));
        group.dispatchers.retain(|(name, _)| table.kind().builtin(name).is_some() || table.has_chain(name.as_str()));
        let family = table.id().family;
        let place = Spot { family, kind: table.kind(), incoming: group.incoming, level: group.level };
        match self.random.below(5) {
            0 | 1 => {
                for _ in 0..*self.random.pick(&[1, 1, 2, 9]) {
                    let n = group.members.iter().map(|(_, n)| n + 1).max().unwrap_or(0);
                    let name = self.member(table, place, &group.lines, n);
                    for (chain, by) in group.dispatchers.clone() {
                        let rule = self.leads_by(by, spot(table, &chain), &name, n);
                        let place = *self.random.pick(&[Place::Normal, Place::Normal, Place::Top]);
                        table.add_rule(chain.as_str(), Addition::new(rule).place(place)).unwrap();
                    }
                    group.members.push((name, n));
                }
            }
            2 => {
                let count = *self.random.pick(&[1, 1, 3, 100]);
                for _ in 0..count.min(group.members.len()) {
                    let (name, _) = group.members.remove(self.random.below(group.members.len()));
                    table.remove_chain(name.as_str()).unwrap();
                }
            }
            3 => {
                // In all of them, at the top or at the end.
                let rule = self.rule(table, place, ANY);
                let top = self.random.one_in(2);
                for (name, _) in &group.members {
                    let addition = Addition::new(rule.clone());
                    let addition = if top { addition.top() } else { addition };
                    table.add_rule(name.as_str(), addition).unwrap();
                }
                group.lines.push(Line::Fixed(rule));
            }
            _ => {
                let Some((name, _)) = group.members.get(self.random.below(group.members.len().max(1))).cloned() else {
                    return true;
                };
                let mut rules = rules_of(table, &name);
                if self.random.one_in(2) && !rules.is_empty() {
                    rules.remove(self.random.below(rules.len()));
                } else {
                    let at = self.random.below(rules.len() + 1);
                    rules.insert(at, self.rule(table, place, &name));
                }
                table.replace_chain(name.as_str(), rules).unwrap();
            }
        }
        self.groups[at] = group;
        true
    }
}

fn stored(store: Store, n: usize) -> Target {
    match store {
        Store::Zone => Target::Ct(Box::new(zone(n as u16 + 1, CtZoneDirection::Both))),
        Store::Mark => Target::Mark(MarkMask { value: n as u32, mask: u32::MAX }),
        Store::Class => Target::Classify(n as u32),
    }
}
