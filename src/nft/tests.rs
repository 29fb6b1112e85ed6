//! Every object goes through its message and back, and every piece of such a message fails cleanly.

use std::sync::Arc;

use super::expr::{Counter, Expr, Immediate, Limit, LimitKind, Match, Operand, Quota, Register, Verdict};
use super::uapi::*;
use super::*;
use crate::name::{ChainName, SetName, TableName};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::netlink::message::Messages;

fn table() -> TableName {
    TableName::new("filter").unwrap()
}

fn chain(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

fn set() -> SetName {
    SetName::new("__set%d").unwrap()
}

fn jump(to: &str) -> Expr {
    Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(Verdict::Jump(chain(to))) })
}

fn counter(packets: u64, bytes: u64) -> Expr {
    Expr::Counter(Counter { packets, bytes })
}

fn base(devices: &[&str]) -> Chain {
    let base = BaseChain {
        kind: "filter".into(),
        hook: NF_INET_LOCAL_IN,
        priority: -150,
        policy: Some(Policy::Drop),
        devices: devices.iter().map(|d| Arc::from(*d)).collect(),
    };
    Chain {
        handle: Some(3),
        base: Some(base),
        counters: Some(Counter { packets: 1, bytes: 2 }),
        uses: Some(4),
        flags: Some(NFT_CHAIN_BASE),
        userdata: Some([9, 1, 0].into()),
        ..Chain::new(Family::Ip, table(), chain("INPUT"))
    }
}

fn rule() -> Rule {
    Rule {
        family: Family::Ip6,
        table: table(),
        chain: chain("FORWARD"),
        handle: Some(7),
        position: Some(u64::MAX),
        expressions: vec![
            Expr::Match(Match { name: "multiport".into(), revision: 1, info: Arc::from([0_u8; 48]) }),
            counter(5, 6),
            jump("nova-compute-local"),
        ],
        compat: Some(Compat { protocol: 6, inverted: true }),
        userdata: Some([0, 2, b'a', 0].into()),
    }
}

fn full_set() -> Set {
    Set {
        handle: Some(11),
        id: Some(2),
        flags: SetFlags::ANONYMOUS | SetFlags::INTERVAL | SetFlags::MAP | SetFlags::from_bits_retain(0x8000),
        key_kind: 7,
        data: Some(SetData::Value { kind: 13, len: 4 }),
        policy: Some(SetPolicy::Memory),
        size: Some(100),
        fields: vec![4, 2],
        timeout: Some(60_000),
        gc_interval: Some(5),
        userdata: Some([0, 4, 1, 0, 0, 0].into()),
        expressions: vec![counter(0, 0)],
        ..Set::new(Family::Inet, table(), set(), 8)
    }
}

fn elements() -> Elements {
    let elements = vec![
        Element { expressions: vec![counter(1, 2), counter(3, 4)], ..Element::new(&[10, 0, 0, 1]) },
        Element::interval_end(&[10, 0, 0, 9]),
        Element::with_verdict(b"tap1", Verdict::Goto(chain("i1"))),
        Element {
            data: Some(ElementData::Value([1, 2, 3, 4].into())),
            timeout: Some(1_000),
            expiration: Some(999),
            userdata: Some([1].into()),
            key_end: Some([9; 20].into()),
            expressions: vec![counter(1, 2)],
            ..Element::new(&[7; 20])
        },
        Element { object: Some("ftp".into()), flags: ElementFlags::CATCHALL, ..Element::default() },
    ];
    Elements { family: Family::Inet, table: table(), set: set(), set_id: Some(2), elements }
}

fn object(data: ObjectData) -> Object {
    Object {
        handle: Some(2),
        uses: Some(0),
        userdata: Some([1, 1, 1].into()),
        ..Object::new(Family::Ip, table(), "o".into(), data)
    }
}

fn messages() -> Vec<Message> {
    let full_table = Table {
        flags: TableFlags::OWNER | TableFlags::from_bits_retain(0x40),
        handle: Some(1),
        uses: Some(2),
        owner: Some(3),
        userdata: Some([4].into()),
        ..Table::new(Family::Inet, table())
    };
    let limit = Limit { rate: 10, unit: 60, burst: 5, kind: LimitKind::Packets, over: false };
    let helper = CtHelper { helper: "tftp".into(), l3proto: Some(2), l4proto: 17 };
    let objects = [
        ObjectData::Counter(Counter { packets: 1, bytes: 2 }),
        ObjectData::Quota(Quota { bytes: 1, over: true, consumed: 1 }),
        ObjectData::Limit(limit),
        ObjectData::CtHelper(helper),
        ObjectData::Unknown { kind: NFT_OBJECT_SYNPROXY, data: Some([8, 0, 1, 0, 1, 2, 3, 4].into()) },
        ObjectData::Unknown { kind: NFT_OBJECT_COUNTER, data: None },
    ];
    let mut all = vec![
        Message::NewTable(full_table.clone()),
        Message::DelTable(Table::new(Family::Arp, table())),
        Message::NewChain(base(&[])),
        Message::NewChain(base(&["eth0"])),
        Message::NewChain(base(&["eth0", "eth1"])),
        Message::DelChain(Chain::new(Family::Bridge, table(), chain("c"))),
        Message::NewRule(rule()),
        Message::DelRule(Rule { compat: None, userdata: None, position: None, ..rule() }),
        Message::NewSet(full_set()),
        Message::NewSet(Set { data: Some(SetData::Verdict), object_kind: Some(1), ..full_set() }),
        Message::DelSet(Set::new(Family::Ip, table(), set(), 0)),
        Message::NewElements(elements()),
        Message::DelElements(Elements { elements: vec![], ..elements() }),
        Message::NewGen(Generation { id: 9, process: Some(1), process_name: Some("nft".into()) }),
        Message::BatchBegin { generation: Some(9) },
        Message::BatchBegin { generation: None },
        Message::BatchEnd,
    ];
    all.extend(objects.map(|data| Message::NewObject(object(data))));
    all.push(Message::DelObject(object(ObjectData::Unknown { kind: NFT_OBJECT_QUOTA, data: None })));
    all
}

fn encode(message: &Message) -> Vec<u8> {
    let mut buf = Vec::new();
    let write = |buf: &mut Vec<u8>, kind, family, fill: &dyn Fn(&mut Writer<'_>)| {
        message::append(buf, kind, 1, family, 0, 1, fill).unwrap();
    };
    match message {
        Message::NewTable(t) => write(&mut buf, NFT_MSG_NEWTABLE, t.family, &|w| t.encode(w)),
        Message::DelTable(t) => write(&mut buf, NFT_MSG_DELTABLE, t.family, &|w| t.encode(w)),
        Message::NewChain(c) => write(&mut buf, NFT_MSG_NEWCHAIN, c.family, &|w| c.encode(w)),
        Message::DelChain(c) => write(&mut buf, NFT_MSG_DELCHAIN, c.family, &|w| c.encode(w)),
        Message::NewRule(r) => write(&mut buf, NFT_MSG_NEWRULE, r.family, &|w| r.encode(w)),
        Message::DelRule(r) => write(&mut buf, NFT_MSG_DELRULE, r.family, &|w| r.encode(w)),
        Message::NewSet(s) => write(&mut buf, NFT_MSG_NEWSET, s.family, &|w| s.encode(w)),
        Message::DelSet(s) => write(&mut buf, NFT_MSG_DELSET, s.family, &|w| s.encode(w)),
        Message::NewElements(e) => write(&mut buf, NFT_MSG_NEWSETELEM, e.family, &|w| e.encode(w)),
        Message::DelElements(e) => write(&mut buf, NFT_MSG_DELSETELEM, e.family, &|w| e.encode(w)),
        Message::NewObject(o) => write(&mut buf, NFT_MSG_NEWOBJ, o.family, &|w| o.encode(w)),
        Message::DelObject(o) => write(&mut buf, NFT_MSG_DELOBJ, o.family, &|w| o.encode(w)),
        Message::NewGen(g) => write(&mut buf, NFT_MSG_NEWGEN, Family::Ip, &|w| g.encode(w)),
        Message::BatchBegin { generation } => message::append_batch_begin(&mut buf, 1, *generation).unwrap(),
        Message::BatchEnd => message::append_batch_end(&mut buf, 1).unwrap(),
        Message::Other { .. } => unreachable!("nothing here is unknown"),
    }
    buf
}

#[test]
fn every_object_comes_back_as_it_went() {
    for message in messages() {
        let buf = encode(&message);
        let split: Vec<_> = Messages::new(&buf).map(Result::unwrap).collect();
        assert_eq!(split.len(), 1);
        assert_eq!(Message::decode(&split[0]).unwrap(), message);
    }
}

#[test]
fn every_truncation_fails() {
    for message in messages() {
        let buf = encode(&message);
        for cut in 1..buf.len() {
            assert!(Messages::new(&buf[..cut]).any(|m| m.is_err()), "{message:?} cut at {cut}");
            // The same cut with a header that admits it: an error or a smaller object, never the same one.
            if cut < 20 || cut + 3 >= buf.len() {
                continue;
            }
            let mut short = buf[..cut].to_vec();
            short[..4].copy_from_slice(&u32::try_from(cut).unwrap().to_ne_bytes());
            let decoded = Messages::new(&short).next().unwrap().map(|m| Message::decode(&m)).unwrap();
            assert_ne!(decoded, Ok(message.clone()), "cut at {cut}");
        }
    }
}

#[test]
fn any_bytes_decode_or_fail_without_a_panic() {
    for message in messages() {
        let buf = encode(&message);
        for at in 16..buf.len() {
            for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
                let mut bad = buf.clone();
                bad[at] = value;
                for message in Messages::new(&bad).flatten() {
                    let _ = Message::decode(&message);
                }
            }
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let error = Chain::decode(Family::Ip, Reader::new(&[])).unwrap_err();
    assert_eq!(error, AttrError::Missing { kind: NFTA_CHAIN_TABLE, name: "NFTA_CHAIN_TABLE" });
    assert!(Table::decode(Family::Ip, Reader::new(&[])).is_err());
    assert!(Rule::decode(Family::Ip, Reader::new(&[])).is_err());
    assert!(Set::decode(Family::Ip, Reader::new(&[])).is_err());
    assert!(Elements::decode(Family::Ip, Reader::new(&[])).is_err());
    assert!(Object::decode(Family::Ip, Reader::new(&[])).is_err());
    assert!(Generation::decode(Reader::new(&[])).is_err());
}

#[test]
fn messages_of_other_subsystems_are_let_through() {
    let mut buf = encode(&messages()[0]);
    buf[4..6].copy_from_slice(&0x0100_u16.to_ne_bytes());
    let message = Messages::new(&buf).next().unwrap().unwrap();
    assert_eq!(Message::decode(&message), Ok(Message::Other { kind: 0x0100 }));
}

#[test]
fn long_lists_of_elements_fill_as_many_messages_as_they_need() {
    let keys = 0..10_000_u32;
    let list = Elements { elements: keys.map(|k| Element::new(&k.to_be_bytes())).collect(), ..elements() };
    let mut buf = Vec::new();
    let mut parts = 0;
    let mut from = 0;
    while from < list.elements.len() {
        message::append(&mut buf, NFT_MSG_NEWSETELEM, 1, Family::Inet, 0, 1, |w| from = list.encode_part(from, w))
            .unwrap();
        parts += 1;
    }
    assert_eq!(parts, 3, "16 bytes an element, 4,095 of them in a list");
    let back: Vec<_> = Messages::new(&buf)
        .flat_map(|m| match Message::decode(&m.unwrap()) {
            Ok(Message::NewElements(part)) => part.elements,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(back, list.elements);

    let whole = message::append(&mut buf, NFT_MSG_NEWSETELEM, 1, Family::Inet, 0, 1, |w| list.encode(w));
    assert!(matches!(whole, Err(AttrError::TooLong { .. })));
}

#[test]
fn an_element_too_long_for_any_message_is_an_error() {
    let list = Elements { elements: vec![Element::new(&[1]), Element::new(&[0; 66_000])], ..elements() };
    let mut buf = Vec::new();
    let mut next = 0;
    message::append(&mut buf, NFT_MSG_NEWSETELEM, 1, Family::Inet, 0, 1, |w| next = list.encode_part(0, w)).unwrap();
    assert_eq!(next, 1);
    let second =
        message::append(&mut buf, NFT_MSG_NEWSETELEM, 1, Family::Inet, 0, 1, |w| next = list.encode_part(1, w));
    assert!(matches!(second, Err(AttrError::TooLong { .. })));
}
