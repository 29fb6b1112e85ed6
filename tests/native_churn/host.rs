//! A host whose changes cost what they change, so that there can be a million of them.
//!
//! An instance has a chain of the rules of its group, and a chain against spoofing with its own address and MAC; the one
//! is led to by address, the other by interface, which also has a zone of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nftwrap::rule::matches::CtStates;
use nftwrap::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId};
use nftwrap::rule::{ChainRef, Family, InterfaceMatch, Masked, Match, Not, PortRange, Rule, Target};
use nftwrap::wrap::{Addition, Model, Place, Table, TableKind};

use crate::random::Random;

/// Whose chains these are.
pub(crate) const COMPONENT: &str = "agent";
/// Groups of rules, of which each instance has one.
const GROUPS: usize = 12;
/// More instances of a group are not changed at once.
const MANY: usize = 100;

/// What there is, beside the model.
pub(crate) struct Host {
    pub(crate) random: Random,
    /// The most instances.
    most: usize,
    next: usize,
    /// Number and group.
    instances: Vec<(usize, usize)>,
    /// What is added to the rules of each group, by the port.
    added: Vec<Vec<u16>>,
    /// Rules that come and go by themselves.
    loose: Vec<(Family, &'static str, Place, Rule)>,
    spare: Vec<(Family, String)>,
}

impl Host {
    pub(crate) fn new(seed: u64, most: usize) -> Self {
        let (instances, added) = (Vec::new(), vec![Vec::new(); GROUPS]);
        Self { random: Random(seed), most, next: 0, instances, added, loose: Vec::new(), spare: Vec::new() }
    }

    pub(crate) fn instances(&self) -> usize {
        self.instances.len()
    }

    /// The model before the first instance.
    pub(crate) fn model(&self) -> Model {
        let mut model = Model::builder().component(COMPONENT.parse().unwrap()).build().unwrap();
        for family in Family::BOTH {
            let table = filter(&mut model, family);
            for (chain, from) in [("$local", &["INPUT", "FORWARD"][..]), ("$spoof", &["FORWARD"])] {
                table.add_chain(chain).unwrap();
                for from in from {
                    table.add_rule(*from, Rule::new().jump(ChainRef::new(chain).unwrap())).unwrap();
                }
            }
        }
        model
    }

    /// One change of any kind.
    pub(crate) fn change(&mut self, model: &mut Model) {
        let full = self.instances.len() >= self.most;
        match self.random.below(1000) {
            0..300 if !full => self.add(model),
            0..600 => self.remove(model),
            600..750 => self.one(model),
            750..753 => self.all(model),
            // What cuts a run costs as much as the run is long.
            753..763 if self.most <= 1000 || self.random.one_in(50) => self.loose(model),
            763..780 => self.spare(model),
            780..880 => self.regroup(model),
            _ if full => self.remove(model),
            _ => self.add(model),
        }
    }

    pub(crate) fn add(&mut self, model: &mut Model) {
        let (n, group) = (self.next, self.random.below(GROUPS));
        self.next += 1;
        self.instances.push((n, group));
        let (family, [instance, spoof]) = (family(n), chains(n));
        let table = filter(model, family);
        table.add_chain(&instance).unwrap();
        table.replace_chain(&instance, self.body(group)).unwrap();
        table.add_rule("$local", leads(n, &instance)).unwrap();
        table.add_chain(&spoof).unwrap();
        let own = Rule::new().source(address(n));
        let own =
            own.matching(Match::Mac(Not::is([0xfa, 0x16, (n >> 24) as u8, (n >> 16) as u8, (n >> 8) as u8, n as u8])));
        table.replace_chain(&spoof, [own.ret(), Rule::new().discard()]).unwrap();
        table.add_rule("$spoof", Rule::new().input(tap(n)).jump(ChainRef::new(&spoof).unwrap())).unwrap();
        let raw = model.table_mut(family, TableKind::Raw).unwrap();
        raw.add_rule("PREROUTING", zone(n)).unwrap();
    }

    pub(crate) fn remove(&mut self, model: &mut Model) {
        if self.instances.is_empty() {
            return;
        }
        let at = self.random.below(self.instances.len());
        let (n, _) = self.instances.swap_remove(at);
        let table = filter(model, family(n));
        for chain in &chains(n) {
            assert!(table.remove_chain(chain).unwrap());
        }
        let raw = model.table_mut(family(n), TableKind::Raw).unwrap();
        assert!(raw.remove_rule("PREROUTING", &zone(n), Place::Normal).unwrap());
    }

    /// A rule more or less in one instance.
    fn one(&mut self, model: &mut Model) {
        let Some((n, _)) = self.any() else { return };
        let rule = Rule::new().udp().dport(PortRange::single(53)).accept();
        let (table, [instance, _]) = (filter(model, family(n)), chains(n));
        if !table.remove_rule(&instance, &rule, Place::Top).unwrap() {
            table.add_rule(&instance, Addition::new(rule).top()).unwrap();
        }
    }

    /// A rule more or less in all instances of a group.
    fn all(&mut self, model: &mut Model) {
        let group = self.random.below(GROUPS);
        let members: Vec<usize> = self.instances.iter().filter(|(_, of)| *of == group).map(|(n, _)| *n).collect();
        if members.len() > MANY && !self.random.one_in(20) {
            return;
        }
        let port = 8000 + self.random.below(12) as u16;
        match self.added[group].iter().position(|added| *added == port) {
            Some(at) => drop(self.added[group].remove(at)),
            None => self.added[group].push(port),
        }
        for n in members {
            filter(model, family(n)).replace_chain(&chains(n)[0], self.body(group)).unwrap();
        }
    }

    /// An instance gets the rules of another group.
    fn regroup(&mut self, model: &mut Model) {
        let Some((n, at)) = self.any() else { return };
        let group = self.random.below(GROUPS);
        self.instances[at].1 = group;
        filter(model, family(n)).replace_chain(&chains(n)[0], self.body(group)).unwrap();
    }

    /// A prefix among the addresses, an address twice, or a rule that stands in the way of all.
    fn loose(&mut self, model: &mut Model) {
        if self.loose.len() > 3 || (!self.loose.is_empty() && self.random.one_in(2)) {
            let (family, chain, place, rule) = self.loose.swap_remove(self.random.below(self.loose.len()));
            filter(model, family).remove_rule(chain, &rule, place).unwrap();
            return;
        }
        let Some((n, _)) = self.any() else { return };
        let place = *self.random.pick(&[Place::Top, Place::Normal, Place::Bottom]);
        let (chain, rule) = match self.random.below(4) {
            0 => ("$local", Rule::new().destination(around(n)).discard()),
            1 => ("$local", Rule::new().destination(address(n)).accept()),
            2 => ("$local", Rule::new().udp().dport(PortRange::single(68)).accept()),
            _ => ("$spoof", Rule::new().input(tap(n)).source(address(n)).discard()),
        };
        let addition = Addition::new(rule.clone()).place(place);
        if filter(model, family(n)).add_rule(chain, addition).unwrap() {
            self.loose.push((family(n), chain, place, rule));
        }
    }

    /// A chain more or less that is led to by interface and by no key.
    fn spare(&mut self, model: &mut Model) {
        if self.spare.len() > 10 {
            let (family, chain) = self.spare.swap_remove(self.random.below(self.spare.len()));
            assert!(filter(model, family).remove_chain(&chain).unwrap());
            return;
        }
        let Some((n, _)) = self.any() else { return };
        let chain = format!("$spare-{}", self.next);
        self.next += 1;
        let table = filter(model, family(n));
        table.add_chain(&chain).unwrap();
        let rules =
            (0..self.random.below(12)).map(|port| Rule::new().tcp().dport(PortRange::single(port as u16)).ret());
        table.replace_chain(&chain, rules).unwrap();
        table.add_rule("FORWARD", Rule::new().jump(ChainRef::new(&chain).unwrap())).unwrap();
        self.spare.push((family(n), chain));
    }

    /// Takes everything away.
    pub(crate) fn clear(&mut self, model: &mut Model) {
        while !self.instances.is_empty() {
            self.remove(model);
        }
        (self.loose, self.spare) = (Vec::new(), Vec::new());
        for family in Family::BOTH {
            for kind in [TableKind::Filter, TableKind::Raw] {
                let table = model.table_mut(family, kind).unwrap();
                let names: Vec<String> = table.chains().map(|chain| chain.name().to_string()).collect();
                for name in names {
                    match name.strip_prefix(COMPONENT) {
                        Some(logical) => drop(table.remove_chain(&format!("${}", &logical[1..])).unwrap()),
                        None => drop(table.empty_chain(&name).unwrap()),
                    }
                }
            }
        }
    }

    /// The number of an instance, and its place.
    fn any(&mut self) -> Option<(usize, usize)> {
        let at = (!self.instances.is_empty()).then(|| self.random.below(self.instances.len()))?;
        Some((self.instances[at].0, at))
    }

    fn body(&self, group: usize) -> Vec<Rule> {
        let mut rules = vec![Rule::new().state(CtStates::ESTABLISHED | CtStates::RELATED).accept()];
        let base = 1000 * group as u16;
        rules.extend((0..group as u16).map(|n| Rule::new().tcp().dport(PortRange::single(base + 2 * n)).accept()));
        rules.extend(self.added[group].iter().map(|port| Rule::new().udp().dport(PortRange::single(*port)).accept()));
        rules.push(Rule::new().discard());
        rules
    }
}

fn filter(model: &mut Model, family: Family) -> &mut Table {
    model.table_mut(family, TableKind::Filter).unwrap()
}

/// One in four instances has IPv6.
fn family(n: usize) -> Family {
    if n % 4 == 3 { Family::Ipv6 } else { Family::Ipv4 }
}

fn chains(n: usize) -> [String; 2] {
    [format!("$i-{n}"), format!("$o-{n}")]
}

fn address(n: usize) -> IpAddr {
    match family(n) {
        Family::Ipv4 => Ipv4Addr::from(0x0a00_0000 + n as u32).into(),
        Family::Ipv6 => Ipv6Addr::from(0x2001_0db8_0000_0001_0000_0000_0000_0000 + n as u128).into(),
    }
}

/// The prefix of the 64 addresses around an instance's.
fn around(n: usize) -> Masked {
    match address(n) {
        IpAddr::V4(v4) => Masked::v4(v4, Ipv4Addr::from(u32::MAX << 6)),
        IpAddr::V6(v6) => Masked::v6(v6, Ipv6Addr::from(u128::MAX << 6)),
    }
}

fn tap(n: usize) -> InterfaceMatch {
    InterfaceMatch::new(&format!("tap{n}")).unwrap()
}

fn leads(n: usize, chain: &str) -> Rule {
    Rule::new().destination(address(n)).jump(ChainRef::new(chain).unwrap())
}

fn zone(n: usize) -> Rule {
    let id = CtZoneId::Number((n % 65_000) as u16 + 1);
    let zone = Some(CtZone { direction: CtZoneDirection::Both, id });
    Rule::new().input(tap(n)).target(Target::Ct(Box::new(Ct { zone, ..Ct::default() })))
}
