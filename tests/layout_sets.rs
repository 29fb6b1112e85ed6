//! The sets and rules of the native layout in the running kernel: each form with each field, and what `nft` makes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::net::{IpAddr, UdpSocket};

use lab::Lab;
use nftwrap::compile::{NoIpsets, Program};
use nftwrap::kernel::Kernel;
use nftwrap::layout::native::codegen::{self, Code};
use nftwrap::layout::native::declare::{self, SetKind};
use nftwrap::layout::native::field::{Field, Fields, Key};
use nftwrap::layout::native::tlv::{Kind, SetTag, Tags};
use nftwrap::name::{ChainName, SetName, TableName};
use nftwrap::nft::expr::{Counter, Expr, Immediate, Operand, Register, Verdict};
use nftwrap::nft::uapi::NF_INET_LOCAL_OUT;
use nftwrap::nft::{BaseChain, Chain, Element, Elements, Rule as NftRule, Set, Table};
use nftwrap::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId, Nat};
use nftwrap::rule::{ChainRef, Family, MarkMask, Protocol, Rule, Target};
use nftwrap::transaction::{Batch, Origin};

const ORIGIN: Origin = Origin(0);

fn table() -> TableName {
    TableName::new("lab-filter").unwrap()
}

/// One batch with a table, and what it must read back as.
struct Bench {
    family: Family,
    batch: Batch,
    sets: Vec<Set>,
    elements: Vec<(SetName, Vec<Element>)>,
    programs: Vec<Program>,
}

impl Bench {
    fn new(family: Family) -> Self {
        let mut batch = Batch::begin(None);
        batch.add_table(&Table::new(family.into(), table()), ORIGIN);
        for chain in ["body", "rules"] {
            batch.add_chain(&Chain::new(family.into(), table(), ChainName::new(chain).unwrap()), ORIGIN);
        }
        Self { family, batch, sets: Vec::new(), elements: Vec::new(), programs: Vec::new() }
    }

    fn set(&mut self, kind: &SetKind<'_>, counters: bool, tag: Option<SetTag>, elements: Vec<Element>) -> SetName {
        let name = SetName::new(&format!("lab/set/{}", self.sets.len())).unwrap();
        let tags = Tags { set: tag, hash: Some([7; 16]), ..Tags::default() };
        let set = declare::declare(kind, self.family, &table(), &name, counters, &tags);
        assert_eq!(Tags::decode(set.userdata.as_deref().unwrap()).unwrap(), tags);
        let id = Some(u32::try_from(self.sets.len()).unwrap() + 1);
        self.batch.add_set(&Set { id, ..set.clone() }, ORIGIN);
        let list = Elements {
            family: self.family.into(),
            table: table(),
            set: name.clone(),
            set_id: None,
            elements: elements.clone(),
        };
        self.batch.add_elements(&list, ORIGIN);
        self.sets.push(set);
        self.elements.push((name.clone(), elements));
        name
    }

    fn rule(&mut self, rule: &Rule, code: &Code<'_>) {
        let mut program = Program::default();
        let body = ChainName::new("body").unwrap();
        let fallbacks = codegen::write(rule, Some(&body), code, self.family, &NoIpsets, &mut program).unwrap();
        assert_eq!(fallbacks, []);
        let rule = NftRule {
            family: self.family.into(),
            table: table(),
            chain: ChainName::new("rules").unwrap(),
            handle: None,
            position: None,
            expressions: program.expressions.clone(),
            compat: None,
            userdata: None,
        };
        self.batch.add_rule(&rule, ORIGIN);
        self.programs.push(program);
    }

    /// Lets packets through `rules`, and has `body` drop them.
    fn hook(&mut self, hook: u32) {
        let base = BaseChain { kind: "filter".into(), hook, priority: 0, policy: None, devices: vec![] };
        let chain = |name| Chain::new(self.family.into(), table(), ChainName::new(name).unwrap());
        let (start, body) = (Chain { base: Some(base), ..chain("start") }, chain("body"));
        let verdict = |chain: &Chain, verdict| NftRule {
            family: self.family.into(),
            table: table(),
            chain: chain.name.clone(),
            handle: None,
            position: None,
            expressions: vec![Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) })],
            compat: None,
            userdata: None,
        };
        let rules = [verdict(&start, Verdict::Jump(ChainName::new("rules").unwrap())), verdict(&body, Verdict::Drop)];
        self.batch.add_chain(&start, ORIGIN);
        rules.iter().for_each(|rule| self.batch.add_rule(rule, ORIGIN));
    }

    /// Commits it, and compares what stands with what was sent. Gives what `nft` lists.
    fn holds(self, lab: &Lab) -> String {
        let mut kernel = lab.kernel();
        kernel.commit(&self.batch.seal().unwrap()).unwrap();
        let family = self.family.into();
        let rules = kernel.rules(family, &table(), Some(&ChainName::new("rules").unwrap())).unwrap();
        assert_eq!(rules.len(), self.programs.len());
        for (rule, program) in rules.into_iter().zip(&self.programs) {
            assert_eq!(rule.expressions, program.expressions);
        }
        let sets = kernel.sets(family, &table()).unwrap();
        for set in &self.sets {
            let dumped = sets.iter().find(|s| s.name == set.name).unwrap();
            let same = Set { handle: dumped.handle, id: dumped.id, policy: dumped.policy, ..set.clone() };
            assert_eq!(*dumped, same);
        }
        for (name, sent) in self.elements {
            let mut dumped = kernel.elements(family, &table(), &name).unwrap();
            // Counters are there though no element came with one.
            dumped.iter_mut().for_each(|element| {
                assert!(element.expressions.is_empty() || element.expressions == [Expr::Counter(Counter::default())]);
                element.expressions.clear();
            });
            let sorted = |mut list: Vec<Element>| {
                list.sort_by(|a, b| (&a.key, a.flags.bits()).cmp(&(&b.key, b.flags.bits())));
                list
            };
            assert_eq!(sorted(dumped), sorted(sent));
        }
        let tool = match self.family {
            Family::Ipv4 => "ip",
            Family::Ipv6 => "ip6",
        };
        lab.quietly(&["nft", "list", "table", tool, "lab-filter"], "")
    }
}

fn address(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => [10, 1, 2, 3].into(),
        Family::Ipv6 => [0xfd00, 1, 2, 3, 4, 5, 6, 7].into(),
    }
}

/// Every field, addresses whole, by bytes and by bits.
fn all_fields(family: Family) -> Vec<Field> {
    let (whole, bytes, bits) = if family == Family::Ipv4 { (32, 24, 19) } else { (128, 64, 61) };
    vec![
        Field::Input,
        Field::Output,
        Field::Source(bits),
        Field::Source(whole),
        Field::Destination(bytes),
        Field::Destination(whole),
        Field::Mac,
        Field::SourcePort,
        Field::DestinationPort,
    ]
}

fn value(field: Field, family: Family) -> Vec<u8> {
    match field {
        Field::Input | Field::Output => b"tap0123456789ab".to_vec(),
        Field::Source(_) | Field::Destination(_) => match address(family) {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        },
        Field::Mac => vec![2, 1, 2, 3, 4, 5],
        Field::SourcePort => vec![0x1f, 0x90],
        Field::DestinationPort => vec![0, 22],
    }
}

fn key(fields: &[Field], family: Family) -> (Fields, Key) {
    let values: Vec<_> = fields.iter().map(|f| (*f, value(*f, family))).collect();
    Key::build(family, values.iter().map(|(f, v)| (*f, v.as_slice())))
}

/// All single fields, pairs and triples, and the longest key that fits.
fn keys(family: Family) -> Vec<(Fields, Key)> {
    let all = all_fields(family);
    let mut keys = Vec::new();
    for (a, first) in all.iter().enumerate() {
        keys.push(key(&[*first], family));
        for (b, second) in all.iter().enumerate().skip(a + 1) {
            keys.push(key(&[*first, *second], family));
            keys.extend(all.iter().skip(b + 1).map(|third| key(&[*first, *second, *third], family)));
        }
    }
    let longest = match family {
        Family::Ipv4 => vec![Field::Input, Field::Output, Field::Source(32), Field::Destination(32), Field::Mac],
        Family::Ipv6 => vec![Field::Input, Field::Source(128), Field::Destination(128), Field::Mac],
    };
    keys.push(key(&longest, family));
    keys.retain(|(fields, _)| fields.fit(family));
    keys
}

/// A rule that may ask for ports.
fn rest() -> Rule {
    Rule::new().protocol(Protocol::TCP)
}

#[test]
fn the_kernel_and_nft_take_every_form_of_every_key() {
    for family in Family::BOTH {
        let Some(lab) = Lab::new(&["nft"]) else { return };
        let mut bench = Bench::new(family);
        let body = ChainName::new("body").unwrap();
        let actions = [
            Element::with_verdict(&declare::action_key(1), Verdict::Accept),
            Element::with_verdict(&declare::action_key(4), Verdict::Jump(body.clone())),
        ];
        let actions = bench.set(&SetKind::Actions, false, None, actions.to_vec());
        let jump = Target::Jump(ChainRef::Named(ChainName::new("elsewhere").unwrap()));
        for (n, (fields, key)) in keys(family).iter().enumerate() {
            let tag = |kind| Some(SetTag { kind, context: Fields::default(), fields: fields.clone() });
            let counters = n % 2 == 0;
            match n % 3 {
                0 => {
                    let element = declare::mapping(key.bytes(), &declare::action_value(4));
                    let map = bench.set(&SetKind::Choice(fields), counters, tag(Kind::Choice), vec![element]);
                    bench.rule(&rest(), &Code::Choose { map: &map, actions: &actions, fields });
                }
                1 => {
                    let element = Element::new(key.bytes());
                    let set = bench.set(&SetKind::Member(fields), counters, tag(Kind::Member), vec![element]);
                    bench.rule(&rest().target(jump.clone()), &Code::Member { set: &set, fields });
                }
                _ => {
                    let store = Target::Mark(MarkMask::exact(0));
                    let kind = SetKind::Store { fields, store: &store };
                    let element = declare::mapping(key.bytes(), &0x17u32.to_ne_bytes());
                    let map = bench.set(&kind, counters, tag(Kind::Store), vec![element]);
                    bench.rule(&rest().target(store.clone()), &Code::Assign { map: &map, fields });
                }
            }
        }
        let listed = bench.holds(&lab);
        let (tool, wide) =
            if family == Family::Ipv4 { ("ip", "255.255.224.0") } else { ("ip6", "ffff:ffff:ffff:fff8::") };
        for line in [
            format!("{tool} daddr vmap @lab/set/0"),
            format!("iifname . {tool} saddr @lab/set"),
            format!("{tool} saddr & {wide} . ether saddr"),
            "elements = { 0x00000001 : accept, 0x00000004 : jump body }".to_owned(),
        ] {
            assert!(listed.contains(&line), "{line} is not in {listed}");
        }
    }
}

#[test]
fn every_value_that_a_map_gives_can_be_stored() {
    for family in Family::BOTH {
        let Some(lab) = Lab::new(&["nft"]) else { return };
        let mut bench = Bench::new(family);
        let (fields, key) = key(&[Field::Destination(if family == Family::Ipv4 { 32 } else { 128 })], family);
        let zone = |direction| {
            let zone = Some(CtZone { direction, id: CtZoneId::Number(0) });
            Target::Ct(Box::new(Ct { zone, ..Ct::default() }))
        };
        let to = value(Field::Source(32), family);
        let any = if family == Family::Ipv4 { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        let nat = Box::new(Nat { addresses: Some((any, any)), ..Nat::default() });
        let word = 0x0102_0304_u32.to_ne_bytes();
        let short = 17u16.to_ne_bytes();
        for (store, value) in [
            (Target::Mark(MarkMask::exact(0)), word.as_slice()),
            (Target::Classify(0), &word),
            (zone(CtZoneDirection::Both), &short),
            (zone(CtZoneDirection::Original), &short),
            (zone(CtZoneDirection::Reply), &short),
            (Target::Snat(nat.clone()), &to),
            (Target::Dnat(nat), &to),
        ] {
            let kind = SetKind::Store { fields: &fields, store: &store };
            let map = bench.set(&kind, false, None, vec![declare::mapping(key.bytes(), value)]);
            bench.rule(&Rule::new().target(store.clone()), &Code::Assign { map: &map, fields: &fields });
        }
        let listed = bench.holds(&lab);
        for line in ["meta priority set ip", "ct original zone set ip", "dnat to ip", ": 0x01020304 }", ": 102:304 }"] {
            assert!(listed.contains(line), "{line} is not in {listed}");
        }
    }
}

#[test]
fn constant_sets_take_values_ranges_and_both_in_concatenations() {
    for family in Family::BOTH {
        let Some(lab) = Lab::new(&["nft"]) else { return };
        let mut bench = Bench::new(family);
        let whole = if family == Family::Ipv4 { 32 } else { 128 };
        let one =
            |fields: &[Field], values: &[&[u8]]| Key::build(family, fields.iter().copied().zip(values.iter().copied()));
        // Ports: plain values; ranges, of which two touch and one ends with the last port.
        let port = |n: u16| one(&[Field::DestinationPort], &[&n.to_be_bytes()]).1;
        let fields = Fields::new([Field::DestinationPort]);
        let plain: Vec<_> = [22, 80, 443].map(|n| (port(n), port(n))).to_vec();
        let ranges: Vec<_> = [(22, 23), (24, 30), (80, 80), (60000, 65535)].map(|(a, b)| (port(a), port(b))).to_vec();
        // Addresses as prefixes; pairs of an address range and a port range.
        let low = value(Field::Source(whole), family);
        let high: Vec<u8> = low.iter().take(low.len() - 1).copied().chain([0xff]).collect();
        let pair = [Field::Source(whole), Field::DestinationPort];
        let first = one(&pair, &[&low, &80u16.to_be_bytes()]);
        let last = one(&pair, &[&high, &90u16.to_be_bytes()]);
        let source = Fields::new([Field::Source(whole)]);
        let addresses = vec![(one(&pair[..1], &[&low]).1, one(&pair[..1], &[&high]).1)];
        for (fields, interval, ranges) in [
            (&fields, false, &plain),
            (&fields, true, &ranges),
            (&source, true, &addresses),
            (&first.0, true, &vec![(first.1.clone(), last.1.clone())]),
            (&first.0, false, &vec![(first.1.clone(), first.1.clone())]),
        ] {
            let kind = SetKind::Constant { fields, interval, size: u32::try_from(ranges.len()).unwrap() };
            let set = bench.set(&kind, false, None, declare::constants(fields, interval, ranges));
            bench.rule(&rest().discard(), &Code::Member { set: &set, fields });
        }
        let listed = bench.holds(&lab);
        for line in
            ["{ 22, 80, 443 }", "{ 22-23, 24-30, 80, 60000-65535 }", " . 80-90 }", "saddr . tcp dport @lab/set/3 drop"]
        {
            assert!(listed.contains(line), "{line} is not in {listed}");
        }
    }
}

#[test]
fn the_directory_lists_names() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let mut bench = Bench::new(Family::Ipv4);
    let mut name = b"nova-compute-inst-7".to_vec();
    name.resize(declare::DIRECTORY_KEY_LEN, 0);
    let element = declare::mapping(&name, &3u32.to_ne_bytes());
    bench.set(&SetKind::Directory, false, None, vec![element]);
    let listed = bench.holds(&lab);
    assert!(listed.contains("\"nova-compute-inst-7\" : 0x00000003"), "{listed}");
}

/// What the kernel does with a packet, not what it shows.
#[test]
fn the_kernel_follows_choices_and_stores() {
    let Some(lab) = Lab::new(&["ip"]) else { return };
    lab.run("ip link set lo up");
    let family = Family::Ipv4;
    let mut bench = Bench::new(family);
    let to = |last: u8| Key::build(family, [(Field::Destination(32), [127, 0, 0, last].as_slice())]);
    let over = |last: u8| {
        let address = [127, 0, 0, last];
        Key::build(family, [(Field::Output, b"lo".as_slice()), (Field::Destination(32), &address)])
    };
    // 127.0.0.2 gets a mark that a later rule drops, 127.0.0.4 is dropped itself, the way to 127.0.0.5 leads through a
    // chain that drops, 127.0.0.6 is accepted before the rule that drops it.
    let store = Target::Mark(MarkMask::exact(0));
    let fields = to(0).0;
    let marks = [(2, 7u32), (3, 8)].map(|(last, mark)| declare::mapping(to(last).1.bytes(), &mark.to_ne_bytes()));
    let marks = bench.set(&SetKind::Store { fields: &fields, store: &store }, true, None, marks.to_vec());
    bench.rule(&Rule::new().target(store), &Code::Assign { map: &marks, fields: &fields });
    let body = ChainName::new("body").unwrap();
    let verdicts = [(1, Verdict::Accept), (2, Verdict::Drop), (3, Verdict::Jump(body.clone()))];
    let actions = verdicts.map(|(number, verdict)| Element::with_verdict(&declare::action_key(number), verdict));
    let actions = bench.set(&SetKind::Actions, false, None, actions.to_vec());
    let fields = over(0).0;
    let choices = [(4, 2), (5, 3), (6, 1)];
    let choices = choices.map(|(last, n)| declare::mapping(over(last).1.bytes(), &declare::action_value(n)));
    let choices = bench.set(&SetKind::Choice(&fields), true, None, choices.to_vec());
    bench.rule(&Rule::new(), &Code::Choose { map: &choices, actions: &actions, fields: &fields });
    bench.rule(&Rule::new().mark(MarkMask::exact(7)).discard(), &Code::Plain);
    let members = Fields::new([Field::Destination(32)]);
    let set = bench.set(&SetKind::Member(&members), true, None, vec![Element::new(to(6).1.bytes())]);
    bench.rule(&Rule::new().discard(), &Code::Member { set: &set, fields: &members });
    bench.hook(NF_INET_LOCAL_OUT);

    lab.kernel().commit(&bench.batch.seal().unwrap()).unwrap();
    let sent = |last: u8| {
        let send =
            move || UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", (IpAddr::from([127, 0, 0, last]), 9)).is_ok();
        lab.0.run(send).unwrap()
    };
    assert_eq!((1..=6).map(sent).collect::<Vec<_>>(), [true, false, true, false, false, true]);
    let counted = lab.kernel().elements(family.into(), &table(), &choices).unwrap();
    let packets = |element: &Element| match element.expressions[..] {
        [Expr::Counter(Counter { packets, .. })] => packets,
        _ => panic!("{element:?} does not count"),
    };
    assert_eq!(counted.iter().map(packets).collect::<Vec<_>>(), [1, 1, 1]);
}
