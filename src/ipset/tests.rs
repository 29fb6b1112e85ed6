//! Messages, and what is made of answers, without a kernel.

use super::*;
use crate::netlink::attr::Writer;
use crate::netlink::header::{FamilyHeader, Header, NLMSG_ERROR};
use crate::netlink::message::{Messages, append};
use crate::netlink::transport::Replay;

fn name(text: &str) -> IpsetName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn answer(seq: u32, errno: i32) -> Vec<u8> {
    let mut buf = Header { len: 36, kind: NLMSG_ERROR, flags: 0x100, seq, port: 0 }.encode().to_vec();
    buf.extend((-errno).to_ne_bytes());
    buf.extend(Header { len: 20, kind: 0x0609, flags: 5, seq, port: 0 }.encode());
    buf
}

fn end(seq: u32) -> Vec<u8> {
    let mut buf = Header { len: 20, kind: 3, flags: 2, seq, port: 0 }.encode().to_vec();
    buf.extend([0; 4]);
    buf
}

/// A part of a listing as `ip_set_dump_do` writes it.
fn part(seq: u32, first: bool, members: &[(&str, bool)]) -> Vec<u8> {
    let mut buf = Vec::new();
    append(&mut buf, 0x0607, 2, seq, FamilyHeader::new(2), |w| {
        w.u8(1, 7);
        w.string(2, "s");
        if first {
            w.string(3, "hash:net");
            w.u8(5, 2);
            w.u8(4, 6);
            w.nest(7, |w| {
                w.u32_be(18 | 1 << 14, 1024);
                w.u32_be(19 | 1 << 14, 65536);
            });
        }
        let member = |w: &mut Writer<'_>, text: &str, nomatch: bool| {
            let network = net(text);
            w.nest(7, |w| {
                w.nest(1, |w| match network.ip() {
                    IpAddr::V4(ip) => w.bytes(1 | 1 << 14, &ip.octets()),
                    IpAddr::V6(ip) => w.bytes(2 | 1 << 14, &ip.octets()),
                });
                w.u8(3, network.prefix());
                if nomatch {
                    w.u32_be(8 | 1 << 14, 1 << 2);
                }
            });
        };
        w.nest(8, |w| members.iter().for_each(|(text, nomatch)| member(w, text, *nomatch)));
    })
    .unwrap();
    buf
}

#[test]
fn a_listing_is_put_together_from_its_parts() {
    let parts =
        [part(1, true, &[("10.0.0.0/8", false)]), part(1, false, &[("10.1.0.0/16", true), ("9.9.9.9/32", false)])];
    let mut client = Client::over(Replay::new([parts.into_iter().chain([end(1)]).collect()]));
    let content = client.list(&name("s")).unwrap().unwrap();
    assert!(content.is(Kind::Net, Family::Ipv4) && !content.is(Kind::Net, Family::Ipv6));
    assert_eq!(content.maxelem, Some(65536));
    assert_eq!(content.members, [net("10.0.0.0/8"), net("9.9.9.9/32")]);
    assert_eq!(content.exceptions, [net("10.1.0.0/16")]);
}

#[test]
fn every_truncation_of_a_listing_fails() {
    let whole = part(1, true, &[("10.0.0.0/8", false)]);
    for cut in 0..whole.len() {
        let read =
            Messages::new(&whole[..cut]).map(|m| m.and_then(|m| message::decode(&m))).collect::<Result<Vec<_>, _>>();
        assert!(cut == 0 || read.is_err(), "cut at {cut}");
    }
}

#[test]
fn a_set_that_is_not_there_is_none() {
    let mut client = Client::over(Replay::new([vec![answer(1, libc::ENOENT)]]));
    assert_eq!(client.list(&name("s")).unwrap(), None);
    let mut client = Client::over(Replay::new([vec![answer(1, libc::EPERM)]]));
    assert!(client.list(&name("s")).unwrap_err().is_not_permitted());
}

#[test]
fn many_members_are_few_messages() {
    let members: Vec<_> = (0..2500_u32).map(|n| IpNetwork::from(IpAddr::from(n.to_be_bytes()))).collect();
    let mut client = Client::over(Replay::new((1..4).map(|seq| vec![answer(seq, 0)])));
    client.run(&Order::Add(name("s"), members)).unwrap();
    assert_eq!(client.transport.sent.len(), 3);
    assert!(client.transport.sent.iter().all(|datagram| datagram.len() < 64 * 1024 - 64));
}

#[test]
fn the_member_to_blame_is_named() {
    let answers = [(1, 4352), (2, 0), (3, 4352)].map(|(seq, errno)| vec![answer(seq, errno)]);
    let mut client = Client::over(Replay::new(answers));
    let error = client.run(&Order::Add(name("s"), vec![net("10.0.0.1/32"), net("10.0.0.2/32")])).unwrap_err();
    assert_eq!(error.to_string(), "cannot add to ipset s (10.0.0.2/32): the set is full");
    assert_eq!(error.reason(), Some(Reason::Full));
}

#[test]
fn everything_is_two_halves() {
    let text = |prefix: &str| halves(net(prefix)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text("0.0.0.0/0"), ["0.0.0.0/1", "128.0.0.0/1"]);
    assert_eq!(text("::/0"), ["::/1", "8000::/1"]);
    assert_eq!(text("10.0.0.0/8"), ["10.0.0.0/8"]);
}
