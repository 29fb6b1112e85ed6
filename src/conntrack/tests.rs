//! Decoding of what the kernel sends, and what is asked of it, without one.

use super::*;
use crate::netlink::attr::Writer;
use crate::netlink::message::{Messages, append};
use crate::netlink::transport::Replay;

const SEQ: u32 = 1;

/// A tuple as `ctnetlink_dump_tuples` writes it.
fn tuple(w: &mut Writer<'_>, kind: u16, ends: [[u8; 4]; 2], ports: [u16; 2], zone: Option<u16>) {
    w.nest(kind, |w| {
        w.nest(1, |w| {
            w.bytes(1, &ends[0]);
            w.bytes(2, &ends[1]);
        });
        w.nest(2, |w| {
            w.u8(1, 17);
            w.u16_be(2, ports[0]);
            w.u16_be(3, ports[1]);
        });
        if let Some(zone) = zone {
            w.u16_be(3, zone);
        }
    });
}

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const FLOATING: [u8; 4] = [192, 0, 2, 101];
const FIXED: [u8; 4] = [10, 0, 0, 2];

/// An entry that is translated, with what else the kernel tells about one.
fn entry(seq: u32, id: u32, zones: [Option<u16>; 3]) -> Vec<u8> {
    let mut buf = Vec::new();
    append(&mut buf, 0x0100, 2, seq, FamilyHeader::new(2), |w| {
        tuple(w, 1, [CLIENT, FLOATING], [40000, 53], zones[0]);
        tuple(w, 2, [FIXED, CLIENT], [53, 40000], zones[1]);
        w.u32_be(3, 0x188);
        w.u32_be(7, 29);
        w.u32_be(8, 0x1234);
        w.u32_be(12, id);
        w.u32_be(11, 1);
        if let Some(zone) = zones[2] {
            w.u16_be(18, zone);
        }
    })
    .unwrap();
    buf
}

fn end(seq: u32) -> Vec<u8> {
    let mut buf = crate::netlink::header::Header { len: 20, kind: 3, flags: 2, seq, port: 0 }.encode().to_vec();
    buf.extend([0; 4]);
    buf
}

fn answer(seq: u32, errno: i32) -> Vec<u8> {
    let mut buf = crate::netlink::header::Header { len: 36, kind: 2, flags: 0x100, seq, port: 0 }.encode().to_vec();
    buf.extend((-errno).to_ne_bytes());
    buf.extend(crate::netlink::header::Header { len: 20, kind: 0x0102, flags: 5, seq, port: 0 }.encode());
    buf
}

fn one(message: &[u8]) -> Entry {
    let message = Messages::new(message).next().unwrap().unwrap();
    let (header, attributes) = message.family().unwrap();
    Entry::decode(header.family, attributes).unwrap().unwrap()
}

#[test]
fn an_entry_says_where_it_goes_and_comes_from() {
    let entry = one(&entry(SEQ, 7, [None; 3]));
    assert_eq!(entry.original.to_string(), "src=192.0.2.1 dst=192.0.2.101 sport=40000 dport=53");
    assert_eq!(entry.reply.to_string(), "src=10.0.0.2 dst=192.0.2.1 sport=53 dport=40000");
    assert_eq!((entry.zone, entry.mark, entry.status, entry.timeout, entry.id), (0, 0x1234, 0x188, Some(29), Some(7)));
}

#[test]
fn zones_are_of_both_directions_or_of_one() {
    let zone = |zones| {
        let entry = one(&entry(SEQ, 7, zones));
        (entry.zone, entry.zone_direction)
    };
    assert_eq!(zone([None, None, Some(5)]), (5, None));
    assert_eq!(zone([Some(5), None, None]), (5, Some(Direction::Original)));
    assert_eq!(zone([None, Some(5), None]), (5, Some(Direction::Reply)));
}

#[test]
fn every_truncation_fails_or_is_shorter() {
    let whole = entry(SEQ, 7, [None, None, Some(5)]);
    for cut in 20..whole.len() {
        // No panic; and what is taken has both tuples.
        if let Ok(Some(entry)) = Entry::decode(2, crate::netlink::attr::Reader::new(&whole[20..cut])) {
            assert_eq!(entry.reply.source, IpAddr::from(FIXED));
        }
    }
    assert!(Entry::decode(2, crate::netlink::attr::Reader::new(&[])).is_err());
    assert!(Entry::decode(7, crate::netlink::attr::Reader::new(&[])).unwrap().is_none());
}

#[test]
fn each_condition_of_a_filter_counts() {
    let entry = one(&entry(SEQ, 7, [None, None, Some(5)]));
    let net = |text: &str| Some(text.parse().unwrap());
    let original = |ends| Filter { original: ends, ..Filter::default() };
    let reply = |ends| Filter { reply: ends, ..Filter::default() };
    let mark = |value, mask| Filter { mark: Some(Mark { value, mask }), ..Filter::default() };
    for (filter, takes) in [
        (Filter::default(), true),
        (Filter { family: Some(Family::Ipv4), ..Filter::default() }, true),
        (Filter { family: Some(Family::Ipv6), ..Filter::default() }, false),
        (Filter { zone: Some(5), ..Filter::default() }, true),
        (Filter { zone: Some(0), ..Filter::default() }, false),
        (Filter { protocol: Some(17), ..Filter::default() }, true),
        (Filter { protocol: Some(6), ..Filter::default() }, false),
        (mark(0x1234, u32::MAX), true),
        (mark(0x34, 0xff), true),
        (mark(0xffff_ff34, 0xff), true),
        (mark(0x35, 0xff), false),
        (original(Ends { source: net("192.0.2.1"), ..Ends::default() }), true),
        (original(Ends { source: net("192.0.2.0/24"), destination: net("192.0.2.101"), ..Ends::default() }), true),
        (original(Ends { source: net("192.0.2.2"), ..Ends::default() }), false),
        (original(Ends { source: net("192.0.2.0/24"), destination: net("10.0.0.2"), ..Ends::default() }), false),
        (original(Ends { destination: net("192.0.2.101"), ..Ends::default() }), true),
        (original(Ends { source: net("::/0"), ..Ends::default() }), false),
        (original(Ends { source_port: Some(40000), destination_port: Some(53), ..Ends::default() }), true),
        (original(Ends { source_port: Some(53), ..Ends::default() }), false),
        (original(Ends { destination_port: Some(54), ..Ends::default() }), false),
        (reply(Ends { source: net("10.0.0.2"), destination: net("192.0.2.1"), ..Ends::default() }), true),
        (reply(Ends { destination: net("10.0.0.2"), ..Ends::default() }), false),
        (reply(Ends { source_port: Some(53), destination_port: Some(40000), ..Ends::default() }), true),
        (Filter::answers_from(FIXED.into()), true),
        (Filter::answers_from(FLOATING.into()), false),
    ] {
        assert_eq!(filter.takes(&entry), takes, "{filter:?}");
        let other = Filter::answers_from(CLIENT.into());
        assert_eq!(AnyOf::new(&[other, filter.clone()]).take(&entry), takes, "among others: {filter:?}");
    }
}

/// What is deleted is named by tuple, zone and number; what has gone is none of our business; others are tried.
#[test]
fn deletion_names_each_entry_and_goes_on() {
    let mut list = Vec::new();
    for id in 1..=4 {
        list.push(entry(1, id, [None, None, (id == 4).then_some(9)]));
    }
    list.push(end(1));
    let answers = [0, libc::ENOENT, libc::EPERM, 0].into_iter().zip(2..).map(|(errno, seq)| vec![answer(seq, errno)]);
    let mut conntrack = Conntrack::over(Replay::new(std::iter::once(list).chain(answers)));
    let error = conntrack.clean(FIXED.into()).unwrap_err();
    assert!(error.is_not_permitted() && !error.is_not_supported());
    assert_eq!(error.errno(), Some(libc::EPERM));
    assert!(matches!(&error.operation, Operation::Delete(entry) if entry.id == Some(3)));
    assert!(error.to_string().starts_with("cannot delete the connection protocol 17 src=192.0.2.1 dst=192.0.2.101"));
    let sent = &conntrack.transport.sent;
    assert_eq!(sent.len(), 5);
    for (id, bytes) in (1..).zip(&sent[1..]) {
        let message = Messages::new(bytes).next().unwrap().unwrap();
        assert_eq!((message.header.kind, message.header.flags), (0x0102, 5));
        let (header, attributes) = message.family().unwrap();
        assert_eq!(header.family, 2);
        let attributes: Vec<_> = attributes.map(Result::unwrap).collect();
        let kinds: Vec<u16> = attributes.iter().map(|attribute| attribute.kind).collect();
        assert_eq!(kinds, if id == 4 { vec![1, 18, 12] } else { vec![1, 12] });
        assert_eq!(attributes.last().unwrap().u32_be(), Ok(id));
        assert!(!attributes[0].payload.is_empty());
    }
}
