//! Random models, and random changes to them, for everything that compares two ways to the same end.
//!
//! A model has the shapes that hosts have, mixed with what no host has: dispatch by address and by interface to one chain
//! an instance, ports with an address and a MAC of their own, zones and marks by interface, runs of rules that differ in
//! one field, and between them rules that overlap, repeat, negate, return and go to other chains.
//!
//! A wrapped chain is called `<side><level>-<number>`: side `i` is reached from PREROUTING, INPUT and FORWARD, side `o`
//! from OUTPUT and POSTROUTING (a rule about a MAC can only stand on the one, one about a socket's owner only on the
//! other), and jumps lead to higher levels only, so that there are no loops.

use nftwrap::nft::Policy;
use nftwrap::rule::matches::CtStates;
use nftwrap::rule::targets::CtZoneDirection;
use nftwrap::rule::{ChainRef, Family, MarkMask, Masked, Match, Not, PortRange, Protocol, Rule, Target};
use nftwrap::wrap::{Chain, Model, Table, TableKind};

use super::Random;
use super::host::Group;
use super::rule::{host, interface, mac, port, prefix, zone};

/// The highest level of a chain.
pub(super) const LEVELS: usize = 5;
/// Chains of a table, beyond which no run makes one each.
pub(super) const CHAINS: usize = 150;
/// The component.
pub(crate) const COMPONENT: &str = "agent";

/// What rules may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Whatever the machine has a meaning for.
    All,
    /// What the kernel takes in every table, what packets through a link can meet, and what `iptables-legacy` can say.
    Live,
}

/// Makes models from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    pub(crate) random: Random,
    pub(crate) rules: Rules,
    /// Rules of a run, at most; dispatch begins at eight.
    pub(crate) run: usize,
    /// Groups of instances that were made.
    pub(super) groups: Vec<Group>,
    number: usize,
    /// The model has no component: it states whole tables, policies included.
    whole: bool,
}

/// Where a rule stands, as far as it decides what the rule may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) family: Family,
    pub(crate) kind: TableKind,
    /// Reached from PREROUTING, INPUT and FORWARD.
    pub(crate) incoming: bool,
    pub(crate) level: usize,
}

/// A target for many rules at once.
#[derive(Debug, Clone)]
enum Goal {
    Fixed(Target),
    /// Another chain each.
    Chains(Vec<ChainRef>),
    /// Another zone, mark or class each.
    Numbers,
}

impl Generator {
    pub(crate) fn new(seed: u64, rules: Rules) -> Self {
        Self { random: Random(seed), rules, run: 14, groups: Vec::new(), number: 0, whole: false }
    }

    /// A model with rules in both families.
    pub(crate) fn model(&mut self) -> Model {
        self.whole = self.random.one_in(4);
        let mut model = match self.whole {
            true => Model::whole(),
            false => Model::builder().component(COMPONENT.parse().unwrap()).build().unwrap(),
        };
        for family in Family::BOTH {
            for kind in [TableKind::Filter, TableKind::Raw, TableKind::Mangle, TableKind::Nat] {
                if kind == TableKind::Filter || self.random.one_in(3) {
                    self.table(model.table_mut(family, kind).unwrap());
                }
            }
        }
        model
    }

    fn table(&mut self, table: &mut Table) {
        let (kind, family) = (table.kind(), table.id().family);
        for incoming in [true, false] {
            // Deepest first, so that there is something to jump to.
            for level in (1..=LEVELS).rev() {
                for _ in 0..self.random.below(3) {
                    self.chain(table, Spot { family, kind, incoming, level });
                }
            }
        }
        for builtin in kind.builtins() {
            let spot = spot(table, builtin.name);
            if self.whole && self.random.one_in(3) && kind != TableKind::Nat {
                let policy = *self.random.pick(&[Policy::Drop, Policy::Accept]);
                table.set_policy(builtin.name, policy, None).unwrap();
            }
            let rules = self.rules(table, spot, builtin.name);
            push(table, builtin.name, rules);
        }
    }

    /// Adds a chain with rules, and gives its name.
    pub(super) fn chain(&mut self, table: &mut Table, spot: Spot) -> String {
        let side = if spot.incoming { 'i' } else { 'o' };
        let name = self.name(side, spot.level);
        table.add_chain(&name).unwrap();
        let rules = self.rules(table, spot, &name);
        push(table, &name, rules);
        name
    }

    pub(super) fn name(&mut self, side: char, level: usize) -> String {
        self.number += 1;
        format!("{}{side}{level}-{}", if self.whole { "" } else { "$" }, self.number)
    }

    /// A chain's rules: single ones, runs, and some of them again. It may add chains that they jump to.
    pub(super) fn rules(&mut self, table: &mut Table, spot: Spot, chain: &str) -> Vec<Rule> {
        let mut rules = Vec::new();
        for _ in 0..self.random.below(4) {
            match self.random.below(10) {
                0..3 => rules.push(self.rule(table, spot, chain)),
                3..5 => rules.extend(self.run(table, spot, chain)),
                5 => rules.extend(self.folded(table, spot, chain)),
                6 => rules.extend(self.ports(table, spot, chain)),
                7..9 => rules.extend(self.instances(table, spot, chain)),
                _ => rules.extend(self.group(table, spot, chain)),
            }
        }
        // Again, somewhere, as it is or with another target; and two runs pushed into each other.
        for _ in 0..self.random.below(3) {
            if rules.is_empty() {
                break;
            }
            let mut rule = self.random.pick(&rules).clone();
            if self.random.one_in(2) {
                rule.target = self.target(table, spot, chain, rule.protocol);
            }
            let at = self.random.below(rules.len() + 1);
            rules.insert(at, rule);
        }
        if self.random.one_in(6) {
            self.random.shuffle(&mut rules);
        }
        rules
    }

    /// Rules that differ in a key, now and then with one among them that does not belong there.
    fn run(&mut self, table: &mut Table, spot: Spot, chain: &str) -> Vec<Rule> {
        let count = self.random.between(2, self.run);
        let rest = if self.random.one_in(4) { self.condition(Rule::new(), spot, chain) } else { Rule::new() };
        let goal = self.goal(table, spot, chain, rest.protocol, count);
        let field = self.random.below(7);
        let base = self.random.below(200);
        let mut rules = Vec::new();
        for n in 0..count {
            let n = base + n;
            let mut rule = rest.clone();
            let host = |n| Not::is(Masked::from(host(spot.family, n)));
            let (may_in, may_out) = interfaces(spot, chain);
            match field {
                0 => rule.destination = Some(host(n)),
                1 => rule.source = Some(host(n)),
                2 if may_in => rule.input = Some(Not::is(interface(n))),
                3 if may_out => rule.output = Some(Not::is(interface(n))),
                // In and out of each instance, one after the other.
                4 if may_in && may_out && n.is_multiple_of(2) => rule.input = Some(Not::is(interface(n / 2))),
                4 if may_in && may_out => rule.output = Some(Not::is(interface(n / 2))),
                5 if may_in => {
                    rule.input = Some(Not::is(interface(n)));
                    rule.source = Some(host(n));
                }
                6 if spot.incoming && may_in => rule.matches.push(Match::Mac(Not::is(mac(n)))),
                _ => rule.destination = Some(host(n)),
            }
            // A prefix among addresses, or one that is negated.
            if self.random.one_in(14) {
                rule.destination = Some(self.masked(spot.family));
            }
            rule.target = match &goal {
                Goal::Fixed(target) => Some(target.clone()),
                Goal::Chains(chains) => Some(self.leads(chains[n % chains.len()].clone())),
                Goal::Numbers => self.numbered(spot, n),
            };
            if self.random.one_in(16) {
                rule.target = self.target(table, spot, chain, rule.protocol);
            }
            rules.push(rule);
            if self.random.one_in(16) {
                rules.push(self.rule(table, spot, chain));
            }
        }
        rules
    }

    pub(super) fn leads(&mut self, chain: ChainRef) -> Target {
        if self.random.one_in(10) { Target::Goto(chain) } else { Target::Jump(chain) }
    }

    /// What the rules of a run do; sometimes each has a chain of its own, alike or not.
    fn goal(
        &mut self,
        table: &mut Table,
        spot: Spot,
        chain: &str,
        protocol: Option<Not<Protocol>>,
        count: usize,
    ) -> Goal {
        match self.random.below(4) {
            0 if spot.level < LEVELS && table.chains().count() < CHAINS => {
                let level = self.random.between(spot.level + 1, LEVELS);
                let shape = self.random.clone();
                let mut chains = Vec::with_capacity(count);
                for _ in 0..count {
                    // Alike, most of them: from the same numbers, so that they can be shared.
                    let own = self.random.clone();
                    if !own.0.is_multiple_of(3) {
                        self.random = shape.clone();
                    }
                    let name = self.chain(table, Spot { level, ..spot });
                    self.random = Random(own.0.wrapping_add(1));
                    chains.push(ChainRef::new(&name).unwrap());
                }
                Goal::Chains(chains)
            }
            1 if !self.chains(table, spot).is_empty() => Goal::Chains(self.chains(table, spot)),
            2 if matches!(spot.kind, TableKind::Raw | TableKind::Mangle) => Goal::Numbers,
            _ => match self.target(table, spot, chain, protocol) {
                Some(target) => Goal::Fixed(target),
                None => Goal::Fixed(Target::Accept),
            },
        }
    }

    fn numbered(&mut self, spot: Spot, n: usize) -> Option<Target> {
        let n = u32::try_from(n).unwrap();
        match spot.kind {
            TableKind::Raw => Some(Target::Ct(Box::new(zone(n as u16 + 1, CtZoneDirection::Both)))),
            _ => Some(Target::Mark(MarkMask { value: n, mask: if n.is_multiple_of(2) { u32::MAX } else { 0xffff } })),
        }
    }

    /// Rules one after the other that differ in one field and do the same.
    pub(super) fn folded(&mut self, table: &Table, spot: Spot, chain: &str) -> Vec<Rule> {
        let rest = if self.random.one_in(3) { self.condition(Rule::new(), spot, chain) } else { Rule::new() };
        let target = self.target(table, spot, chain, None);
        let field = self.random.below(6);
        let negated = self.random.one_in(12);
        let rules = (0..self.random.between(2, self.run)).map(|n| {
            let mut rule = rest.clone();
            match field {
                0 => rule.source = Some(Not { negated, value: prefix(spot.family, n * 3, 0) }),
                1 => rule.source = Some(Not { negated, value: prefix(spot.family, n, n % 9) }),
                2 => rule.destination = Some(Not { negated, value: prefix(spot.family, n, (n % 3) * 4) }),
                3 => rule = unbound(rule).tcp().dport(PortRange::single(port(n))),
                4 => {
                    let range = PortRange::new(port(n), port(n) + (n as u16 % 4) * 2).unwrap();
                    rule = unbound(rule).udp().dport(range);
                }
                _ if spot.incoming => rule.matches.push(Match::Mac(Not { negated, value: mac(n) })),
                _ => rule.source = Some(Not::is(prefix(spot.family, n, 1))),
            }
            rule.target = target.clone();
            rule
        });
        rules.collect()
    }

    /// Ports that each may only use their own address and MAC: a rule that leads to a chain each.
    fn ports(&mut self, table: &mut Table, spot: Spot, chain: &str) -> Vec<Rule> {
        let (may_in, _) = interfaces(spot, chain);
        if spot.level >= LEVELS || !spot.incoming || !may_in || spot.kind == TableKind::Nat {
            return Vec::new();
        }
        let base = self.random.below(100);
        let (strict, state) = (self.random.one_in(2), self.random.one_in(2));
        let level = self.random.between(spot.level + 1, LEVELS);
        let mut rules = Vec::new();
        for n in base..base + self.random.between(2, self.run) {
            let name = self.name('i', level);
            table.add_chain(&name).unwrap();
            let address = Rule::new().source(host(spot.family, n));
            let mut body = Vec::new();
            if state {
                body.push(Rule::new().state(CtStates::INVALID).discard());
            }
            body.push(if strict { address.matching(Match::Mac(Not::is(mac(n)))).ret() } else { address.ret() });
            if self.random.one_in(3) {
                // A pair more, of which there may be any number.
                body.push(Rule::new().source(host(spot.family, n + 100)).matching(Match::Mac(Not::is(mac(n)))).ret());
            }
            body.push(Rule::new().discard());
            if self.random.one_in(12) {
                body.push(self.rule(table, Spot { level, ..spot }, &name));
            }
            push(table, &name, body);
            rules.push(Rule::new().input(interface(n)).jump(ChainRef::new(&name).unwrap()));
        }
        rules
    }

    /// A security group: states first, then ports and sources.
    pub(super) fn group(&mut self, table: &Table, spot: Spot, chain: &str) -> Vec<Rule> {
        let verdict = self.random.pick(&[Target::Return, Target::Accept, Target::Drop]).clone();
        let mut rules = vec![Rule::new().state(CtStates::INVALID).target(Target::Drop)];
        rules.push(Rule::new().state(CtStates::ESTABLISHED | CtStates::RELATED).target(verdict.clone()));
        for _ in 0..self.random.below(5) {
            let port = port(self.random.below(40));
            let rule = if self.random.one_in(2) { Rule::new().tcp() } else { Rule::new().udp() };
            let rule = if self.random.one_in(3) {
                rule.dport(PortRange::new(port, port + self.random.below(20) as u16).unwrap())
            } else {
                rule.dport(PortRange::single(port))
            };
            let rule = Rule { source: self.random.one_in(2).then(|| self.masked(spot.family)), ..rule };
            rules.push(rule.target(verdict.clone()));
        }
        rules.push(self.rule(table, spot, chain));
        // nat decides once for a connection: no packet is dropped there.
        if spot.kind == TableKind::Nat {
            rules.retain(|r| r.target != Some(Target::Drop));
        }
        rules
    }
}

/// The rules of a chain by its kernel name.
pub(crate) fn rules_of(table: &Table, chain: &str) -> Vec<Rule> {
    table.chain(chain).into_iter().flat_map(Chain::rules).map(|entry| Rule::clone(entry.rule())).collect()
}

/// What a chain's name says about its place; a built-in chain is on level 0.
pub(crate) fn spot(table: &Table, chain: &str) -> Spot {
    let family = table.id().family;
    let kind = table.kind();
    if kind.builtin(chain).is_some() {
        let incoming = matches!(chain, "PREROUTING" | "INPUT" | "FORWARD");
        return Spot { family, kind, incoming, level: 0 };
    }
    let logical = chain.trim_start_matches('$').trim_start_matches(COMPONENT).trim_start_matches('-');
    let level = logical[1..2].parse().unwrap();
    Spot { family, kind, incoming: logical.starts_with('i'), level }
}

/// Whether `-i` and `-o` may stand there: iptables refuses them in built-in chains that have no such device.
pub(super) fn interfaces(spot: Spot, chain: &str) -> (bool, bool) {
    match chain {
        "PREROUTING" | "INPUT" => (true, false),
        "OUTPUT" | "POSTROUTING" => (false, true),
        _ => (spot.incoming, true),
    }
}

pub(super) fn push(table: &mut Table, chain: &str, rules: Vec<Rule>) {
    for rule in rules {
        table.push_rule(chain, rule).unwrap();
    }
}

/// The rule without its protocol, and without what only this protocol has.
fn unbound(mut rule: Rule) -> Rule {
    rule.protocol = None;
    let bound =
        |m: &Match| matches!(m, Match::Tcp(_) | Match::Udp(_) | Match::Icmp(_) | Match::Icmp6(_) | Match::Multiport(_));
    rule.matches.retain(|m| !bound(m));
    rule
}
