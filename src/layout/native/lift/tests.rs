//! Tables by hand: what the compiler writes, and what else may stand there.

use std::sync::Arc;

use super::*;
use crate::compile::{NoIpsets, native};
use crate::layout::native::declare::{action_key, action_value};
use crate::name::TableName;
use crate::nft::expr::{
    Ct, CtKey, Lookup as LookupExpr, Meta, MetaKey, Payload, PayloadBase, Register, SetRef, Verdict,
};
use crate::nft::{Chain, Element, ElementData, Rule as KernelRuleObject, Set, SetFlags};
use crate::rule::targets::{Ct as CtTarget, CtZone, CtZoneDirection, CtZoneId};
use crate::rule::{ChainRef, Not, Target};

/// A table under construction.
#[derive(Default)]
struct World {
    chains: Vec<Chain>,
    rules: Vec<KernelRuleObject>,
    sets: Vec<(Set, Vec<Element>)>,
}

const FAMILY: nft::Family = nft::Family::Ip;

fn table() -> TableName {
    TableName::new("c-filter").unwrap()
}

fn tlv(entries: &[(u8, &[u8])]) -> Option<Box<[u8]>> {
    let mut out = Vec::new();
    for (kind, value) in entries {
        out.extend_from_slice(&[*kind, u8::try_from(value.len()).unwrap()]);
        out.extend_from_slice(value);
    }
    Some(out.into())
}

impl World {
    fn chain(&mut self, name: &str) {
        self.chains.push(Chain::new(FAMILY, table(), ChainName::new(name).unwrap()));
    }

    fn rule(&mut self, chain: &str, expressions: Vec<Expr>, userdata: Option<Box<[u8]>>) {
        let chain = ChainName::new(chain).unwrap();
        let (handle, position, compat) = (None, None, None);
        self.rules.push(KernelRuleObject {
            family: FAMILY,
            table: table(),
            chain,
            handle,
            position,
            expressions,
            compat,
            userdata,
        });
    }

    /// A set with an entry `FIELDS`: kind, context fields, fields.
    fn set(&mut self, name: &str, flags: SetFlags, shape: &[u8], elements: Vec<Element>) {
        let mut set = Set::new(FAMILY, table(), SetName::new(name).unwrap(), 4);
        set.flags = flags;
        let mut fields = vec![1];
        fields.extend_from_slice(shape);
        set.userdata = tlv(&[(0x7a, &fields)]);
        self.sets.push((set, elements));
    }

    fn lift(&self) -> LiftedTable {
        let standing = Standing { family: Family::Ipv4, chains: &self.chains, rules: &self.rules, sets: &self.sets };
        lift(&standing, &NoIpsets)
    }

    fn rules_of(&self, chain: &str) -> Vec<Rule> {
        let table = self.lift();
        let chain = table.chains.iter().find(|c| c.name.as_str() == chain).unwrap();
        chain.rules.iter().map(|r| r.rule.clone().unwrap()).collect()
    }
}

fn lookup(set: &str, dreg: Option<Register>) -> Expr {
    Expr::Lookup(LookupExpr { set: SetRef { name: Arc::from(set), id: 0 }, sreg: Register::R1, dreg, inverted: false })
}

fn source() -> Expr {
    Expr::Payload(Payload::Load { dreg: Register::R1, base: PayloadBase::Network, offset: 12, len: 4 })
}

fn with_value(key: &[u8], value: &[u8], userdata: Option<Box<[u8]>>) -> Element {
    Element { data: Some(ElementData::Value(value.into())), userdata, ..Element::new(key) }
}

fn jump(name: &str) -> Verdict {
    Verdict::Jump(ChainName::new(name).unwrap())
}

fn directory(world: &mut World, entries: &[(&str, u32, Option<&[u8]>)]) {
    let elements = entries.iter().map(|(name, number, key)| {
        let mut bytes = [0; 64];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        with_value(&bytes, &number.to_ne_bytes(), key.and_then(|key| tlv(&[(0x7b, key)])))
    });
    world.set("c/chains", SetFlags::MAP, &[8, 0, 0], elements.collect());
}

fn compiled(rule: &Rule) -> Vec<Expr> {
    let mut program = compile_program(rule);
    std::mem::take(&mut program.expressions)
}

fn compile_program(rule: &Rule) -> crate::compile::Program {
    let mut program = crate::compile::Program::default();
    native::compile(rule, Family::Ipv4, None, &NoIpsets, &mut program).unwrap();
    program
}

fn source_is(octets: [u8; 4]) -> Rule {
    Rule::new().source(std::net::IpAddr::from(octets))
}

fn to(rule: Rule, chain: &str) -> Rule {
    rule.jump(ChainRef::new(chain).unwrap())
}

/// A dispatcher with two instances that share a body, and a third that drops.
fn dispatched() -> World {
    let mut world = World::default();
    world.chain("c-local");
    world.chain("c/1");
    let name = |name: &str| tlv(&[(0, b"web\0"), (0x78, name.as_bytes())]);
    world.set(
        "c/map/1",
        SetFlags::MAP,
        &[1, 0, 1, 3, 32],
        vec![
            with_value(&[10, 0, 0, 9], &2_u32.to_ne_bytes(), None),
            with_value(&[10, 0, 0, 2], &4_u32.to_ne_bytes(), name("c-inst-2")),
            with_value(&[10, 0, 0, 1], &4_u32.to_ne_bytes(), name("c-inst-1")),
        ],
    );
    world.set(
        "c/actions/1",
        SetFlags::MAP,
        &[7, 0, 0],
        vec![
            Element::with_verdict(&2_u32.to_ne_bytes(), Verdict::Drop),
            Element::with_verdict(&4_u32.to_ne_bytes(), jump("c/1")),
        ],
    );
    directory(&mut world, &[("c-local", 0, None)]);
    let map = lookup("c/map/1", Some(Register::R1));
    world.rule("c-local", vec![source(), map, lookup("c/actions/1", Some(Register::VERDICT))], None);
    world.rule("c/1", compiled(&to(Rule::new(), "c/1").accept()), None);
    world
}

#[test]
fn a_dispatch_reads_as_its_rules_in_the_order_of_keys() {
    let world = dispatched();
    let web = |rule: Rule| rule.comment(crate::name::Comment::new("web").unwrap());
    assert_eq!(
        world.rules_of("c-local"),
        [
            web(to(source_is([10, 0, 0, 1]), "c-inst-1")),
            web(to(source_is([10, 0, 0, 2]), "c-inst-2")),
            source_is([10, 0, 0, 9]).discard(),
        ]
    );
}

#[test]
fn a_shared_body_reads_as_every_chain_that_is_named() {
    let world = dispatched();
    assert_eq!(world.rules_of("c-inst-1"), [Rule::new().accept()]);
    assert_eq!(world.rules_of("c-inst-2"), [Rule::new().accept()]);
    let table = world.lift();
    let shared: Vec<_> = table.chains.iter().map(|c| (c.name.as_str(), c.body.as_str(), c.sharing)).collect();
    assert_eq!(shared, [("c-inst-1", "c/1", 2), ("c-inst-2", "c/1", 2), ("c-local", "c-local", 1)]);
    let local = &table.kernel[0].rules[0];
    let used = local.lookup.as_ref().unwrap();
    assert_eq!((used.set.as_str(), used.actions.as_ref().unwrap().as_str()), ("c/map/1", "c/actions/1"));
}

#[test]
fn folded_ranges_read_as_prefixes_where_they_are() {
    let mut world = World::default();
    world.chain("in");
    let range = |first: [u8; 4], end: [u8; 4]| [Element::new(&first), Element::interval_end(&end)];
    let mut elements = Vec::new();
    elements.extend(range([192, 168, 0, 0], [192, 169, 0, 0]));
    elements.extend(range([10, 0, 0, 7], [10, 0, 0, 8]));
    elements.extend(range([10, 0, 0, 9], [10, 0, 0, 13]));
    elements.push(Element::new(&[224, 0, 0, 0]));
    world.set("c/set/1", SetFlags::INTERVAL, &[0, 0, 1, 3, 32], elements);
    let mut program = compiled(&Rule::new().tcp());
    program.extend([source(), lookup("c/set/1", None)]);
    program.extend(compiled(&Rule::new().discard()));
    world.rule("in", program, None);
    let rules = world.rules_of("in");
    let net = |text: &str| Rule::new().source(text.parse::<ipnetwork::IpNetwork>().unwrap()).tcp().discard();
    assert_eq!(rules[0], net("10.0.0.7/32"));
    assert!(matches!(rules[1].matches.as_slice(), [crate::rule::Match::Iprange(_)]), "{:?}", rules[1]);
    assert_eq!(rules[2..], [net("192.168.0.0/16"), net("224.0.0.0/3")]);
}

#[test]
fn folded_ports_go_to_the_protocols_match() {
    let mut world = World::default();
    world.chain("in");
    let elements = vec![
        Element::new(&[0, 22]),
        Element::interval_end(&[0, 23]),
        Element::new(&[0, 80]),
        Element::interval_end(&[0, 91]),
    ];
    world.set("c/set/1", SetFlags::INTERVAL, &[0, 0, 1, 7, 0], elements);
    let port = Expr::Payload(Payload::Load { dreg: Register::R1, base: PayloadBase::Transport, offset: 2, len: 2 });
    let mut program = compiled(&Rule::new().tcp());
    program.extend([port, lookup("c/set/1", None)]);
    program.extend(compiled(&Rule::new().accept()));
    world.rule("in", program, None);
    let tcp = |first, last| Rule::new().tcp().dport(crate::rule::PortRange::new(first, last).unwrap()).accept();
    assert_eq!(world.rules_of("in"), [tcp(22, 22), tcp(80, 90)]);
}

#[test]
fn a_stored_value_comes_from_the_element() {
    let mut world = World::default();
    world.chain("PREROUTING");
    let mut device = [0; 16];
    device[..4].copy_from_slice(b"tap1");
    world.set("c/map/1", SetFlags::MAP, &[2, 0, 1, 1, 0], vec![with_value(&device, &4097_u16.to_ne_bytes(), None)]);
    let load = Expr::Meta(Meta::Load { key: MetaKey::IIFNAME, dreg: Register::R1 });
    let store = Expr::Ct(Ct::Store { key: CtKey::ZONE, sreg: Register::R1, direction: None });
    world.rule("PREROUTING", vec![load, lookup("c/map/1", Some(Register::R1)), store], None);
    let [rule] = world.rules_of("PREROUTING").try_into().unwrap();
    let zone = Some(CtZone { direction: CtZoneDirection::Both, id: CtZoneId::Number(4097) });
    assert_eq!(rule.target, Some(Target::Ct(Box::new(CtTarget { zone, ..CtTarget::default() }))));
    assert_eq!(rule.input.unwrap().value.to_string(), "tap1");
}

#[test]
fn a_chain_of_a_family_has_the_rules_of_its_own_key() {
    let mut world = World::default();
    world.chain("c/5");
    let key = |last: u8, source: u8| {
        let mut key = [0; 20];
        key[..4].copy_from_slice(b"tap1");
        key[3] = last;
        key[16..].copy_from_slice(&[10, 0, 0, source]);
        key
    };
    let elements = vec![Element::new(&key(b'1', 1)), Element::new(&key(b'2', 2)), Element::new(&key(b'1', 3))];
    world.set("c/family/1", SetFlags::CONCAT, &[4, 1, 1, 1, 0, 3, 32], elements);
    let device = |last: u8| key(last, 0)[..16].to_vec();
    let (one, two) = (device(b'1'), device(b'2'));
    directory(&mut world, &[("c-s1", 5, Some(&one)), ("c-s2", 5, Some(&two)), ("c-lost", 5, None)]);
    let load = Expr::Meta(Meta::Load { key: MetaKey::IIFNAME, dreg: Register::R1 });
    let address = Expr::Payload(Payload::Load { dreg: Register::R2, base: PayloadBase::Network, offset: 12, len: 4 });
    let mut program = vec![load, address, lookup("c/family/1", None)];
    program.extend(compiled(&Rule::new().ret()));
    world.rule("c/5", program, None);
    world.rule("c/5", compiled(&Rule::new().discard()), None);
    let own = |last| source_is([10, 0, 0, last]).ret();
    assert_eq!(world.rules_of("c-s1"), [own(1), own(3), Rule::new().discard()]);
    assert_eq!(world.rules_of("c-s2"), [own(2), Rule::new().discard()]);
    // Without a key it is not known which elements are meant, and that is said.
    let table = world.lift();
    let lost = table.chains.iter().find(|c| c.name.as_str() == "c-lost").unwrap();
    assert!(lost.rules[0].rule.is_err());
}

/// Two ports of a family. Two keys lead to the first, which so has each of its elements twice; its rules lead on to
/// chains of their own, and each port stores its zone.
#[test]
fn several_keys_that_lead_to_a_chain_give_each_rule_once() {
    let mut world = World::default();
    world.chain("c-ports");
    world.chain("c/5");
    world.chain("c/6");
    let device = |name: &str| {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes.to_vec()
    };
    let named = |name: &str| tlv(&[(0x78, name.as_bytes())]);
    let ports = [("tap1", "1"), ("tap1b", "1"), ("tap2", "2")];
    let lead = |to: &str, number: u32| {
        ports
            .map(|(tap, port)| with_value(&device(tap), &action_value(number), named(&format!("c-{to}{port}"))))
            .to_vec()
    };
    world.set("c/map/1", SetFlags::MAP, &[1, 0, 1, 1, 0], lead("o", 4));
    world.set("c/family/4", SetFlags::MAP, &[5, 1, 0, 1, 0], lead("s", 5));
    let zones = ports.map(|(tap, port)| with_value(&device(tap), &port.parse::<u16>().unwrap().to_ne_bytes(), None));
    world.set("c/family/2", SetFlags::MAP, &[6, 1, 0, 1, 0], zones.to_vec());
    let own = [("tap1", 9), ("tap1", 1), ("tap1b", 1), ("tap1b", 9), ("tap2", 2)];
    let own = own.map(|(tap, last)| Element {
        expressions: vec![Expr::Counter(Counter { packets: 1, bytes: 10 })],
        ..Element::new(&[device(tap), vec![10, 0, 0, last]].concat())
    });
    world.set("c/family/3", SetFlags::CONCAT, &[4, 1, 1, 1, 0, 3, 32], own.to_vec());
    let verdicts = [(4, jump("c/5")), (5, jump("c/6"))];
    let actions = verdicts.map(|(number, verdict)| Element::with_verdict(&action_key(number), verdict));
    world.set("c/actions/1", SetFlags::MAP, &[7, 0, 0], actions.to_vec());
    world.set("c/actions/4", SetFlags::MAP, &[7, 0, 0], actions.to_vec());
    directory(&mut world, &[("c-ports", 0, None), ("c/5", 5, None), ("c/6", 6, None)]);
    let load = || Expr::Meta(Meta::Load { key: MetaKey::IIFNAME, dreg: Register::R1 });
    let choose = |map: &str, actions: &str| {
        vec![load(), lookup(map, Some(Register::R1)), lookup(actions, Some(Register::VERDICT))]
    };
    world.rule("c-ports", choose("c/map/1", "c/actions/1"), None);
    world.rule("c/5", choose("c/family/4", "c/actions/4"), None);
    let store = Expr::Ct(Ct::Store { key: CtKey::ZONE, sreg: Register::R1, direction: None });
    world.rule("c/5", vec![load(), lookup("c/family/2", Some(Register::R1)), store], None);
    let address = Expr::Payload(Payload::Load { dreg: Register::R2, base: PayloadBase::Network, offset: 12, len: 4 });
    let mut program = vec![load(), address, lookup("c/family/3", None)];
    program.extend(compiled(&Rule::new().ret()));
    world.rule("c/6", program, None);

    let zone = |number| {
        let zone = Some(CtZone { direction: CtZoneDirection::Both, id: CtZoneId::Number(number) });
        Rule { target: Some(Target::Ct(Box::new(CtTarget { zone, ..CtTarget::default() }))), ..Rule::new() }
    };
    assert_eq!(world.rules_of("c-o1"), [to(Rule::new(), "c-s1"), zone(1)]);
    assert_eq!(world.rules_of("c-o2"), [to(Rule::new(), "c-s2"), zone(2)]);
    let source = |last| source_is([10, 0, 0, last]).ret();
    assert_eq!(world.rules_of("c-s1"), [source(1), source(9)]);
    assert_eq!(world.rules_of("c-s2"), [source(2)]);
    let table = world.lift();
    let names: Vec<_> = table.chains.iter().map(|chain| chain.name.as_str()).collect();
    assert_eq!(names, ["c-o1", "c-o2", "c-ports", "c-s1", "c-s2"]);
    let counted = |chain: usize| table.chains[chain].rules[0].counter.map(|c| (c.packets, c.bytes));
    assert_eq!((counted(3), counted(4)), (Some((2, 20)), Some((1, 10))));
}

/// A rule of a family may ask for what led to its chain as well.
#[test]
fn a_field_of_the_key_is_a_condition_where_the_rule_asks_for_it() {
    let mut world = World::default();
    world.chain("c/5");
    let pair = |last: u8| [[10, 0, 0, last], [2, 0, 0, 0], [0, last, 0, 0]].concat();
    world.set(
        "c/family/1",
        SetFlags::CONCAT,
        &[4, 1, 2, 3, 32, 3, 32, 5, 0],
        vec![Element::new(&pair(1)), Element::new(&pair(2))],
    );
    directory(&mut world, &[("c-s1", 5, Some(&[10, 0, 0, 1]))]);
    let mac = Expr::Payload(Payload::Load { dreg: Register::R2, base: PayloadBase::Link, offset: 6, len: 6 });
    let mut program = vec![source(), mac, lookup("c/family/1", None)];
    program.extend(compiled(&Rule::new().ret()));
    world.rule("c/5", program, None);
    let mut rule = source_is([10, 0, 0, 1]).ret();
    rule.matches.push(crate::rule::Match::Mac(Not::is([2, 0, 0, 0, 0, 1])));
    assert_eq!(world.rules_of("c-s1"), [rule]);
}

#[test]
fn a_jump_says_which_of_the_chains_that_share_its_target_it_means() {
    let mut world = dispatched();
    world.chain("c-out");
    for (number, chain) in ["c-inst-2", "c-inst-1"].into_iter().enumerate() {
        let mut program = compiled(&to(Rule::new().tcp(), "c/1"));
        let named = tlv(&[(0, b"x\0"), (0x78, chain.as_bytes())]);
        if number == 0 {
            program = compiled(&to(Rule::new().udp(), "c/1"));
        }
        world.rule("c-out", program, named);
    }
    let x = |rule: Rule| rule.comment(crate::name::Comment::new("x").unwrap());
    assert_eq!(world.rules_of("c-out"), [x(to(Rule::new().udp(), "c-inst-2")), x(to(Rule::new().tcp(), "c-inst-1"))]);
}

/// Without a directory, as when the kernel has lost it, a body has the name of its first chain.
#[test]
fn a_body_that_nothing_names_has_the_name_it_was_made_for() {
    let mut world = World::default();
    world.chain("c/1");
    world.chains[0].userdata = tlv(&[(0, b"c-inst-1\0")]);
    world.chain("c/2");
    world.chains[1].userdata = tlv(&[(0, b"two words\0")]);
    let names: Vec<_> = world.lift().chains.iter().map(|chain| chain.name.to_string()).collect();
    assert_eq!(names, ["c-inst-1", "c/2"]);
}

#[test]
fn what_is_not_understood_is_kept() {
    let mut world = World::default();
    world.chain("in");
    world.set("c/set/1", SetFlags::empty(), &[0, 0, 1, 99, 0], vec![Element::new(&[1])]);
    world.set("c/set/2", SetFlags::empty(), &[0, 0, 1, 3, 32], vec![Element::new(&[1])]);
    for set in ["c/set/1", "c/set/2", "other"] {
        world.rule("in", vec![source(), lookup(set, None)], None);
    }
    let table = world.lift();
    let rules = &table.chains[0].rules;
    assert_eq!(rules.len(), 3);
    assert!(rules.iter().all(|rule| rule.rule.is_err() && rule.expressions.len() == 2));
}
