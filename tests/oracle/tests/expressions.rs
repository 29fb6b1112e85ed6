//! Every expression, byte for byte as libnftnl writes it.

use nftwrap::name::ChainName;
use nftwrap::netlink::attr::{Attr, Reader, Writer};
use nftwrap::nft::expr::*;
use nftwrap::nft::uapi::NFTA_RULE_EXPRESSIONS;
use nftwrap::nft::{Family, listing};
use nftwrap_oracle::rule::Rule;

#[path = "../../../src/nft/expr/tests/samples.rs"]
mod samples;

/// What libnftnl 1.2.4 has no expression for, or cannot set.
fn beyond_libnftnl(expr: &Expr) -> bool {
    matches!(expr, Expr::Unknown(_))
}

fn ours(expr: &Expr) -> Vec<u8> {
    let mut buf = Vec::new();
    let mut w = Writer::new(&mut buf);
    encode_list(std::slice::from_ref(expr), &mut w);
    w.finish().unwrap();
    buf
}

fn theirs(expr: &Expr) -> Vec<u8> {
    let message = Rule::build(Family::Ip, "t", "c", std::slice::from_ref(expr)).unwrap().message(0, 1);
    let list: Vec<Attr<'_>> = Reader::new(&message[20..]).map(Result::unwrap).collect();
    list.iter().find(|a| a.kind == NFTA_RULE_EXPRESSIONS).unwrap().payload.to_vec()
}

#[test]
fn the_bytes_are_libnftnls() {
    let mut wrong = 0;
    for expr in samples::all().iter().filter(|e| !beyond_libnftnl(e)) {
        let (ours, theirs) = (ours(expr), theirs(expr));
        if ours != theirs {
            wrong += 1;
            println!("{expr:?}\n ours   {ours:02x?}\n theirs {theirs:02x?}");
        }
    }
    assert_eq!(wrong, 0);
}

/// Where libnftnl's text loses something and ours does not.
fn says_more(expr: &Expr) -> bool {
    match expr {
        Expr::Immediate(i) => matches!(i.data, Operand::Verdict(Verdict::Other(_))),
        Expr::Exthdr(Exthdr::Load { op, .. } | Exthdr::Store { op, .. }) => {
            matches!(op, ExthdrOp::Sctp | ExthdrOp::Dccp)
        }
        Expr::Exthdr(Exthdr::Strip { op, .. }) => *op != ExthdrOp::TcpOpt,
        Expr::Fib(fib) => !FibFlags::all().contains(fib.flags),
        Expr::Meta(Meta::Load { key, .. } | Meta::Store { key, .. }) => key.0 > MetaKey::SDIFNAME.0,
        Expr::Socket(socket) => matches!(socket.key, SocketKey::Cgroupv2 { .. }),
        _ => false,
    }
}

#[test]
fn the_listing_is_libnftnls() {
    for expr in samples::all().iter().filter(|e| !beyond_libnftnl(e) && !says_more(e)) {
        let theirs = Rule::build(Family::Ip, "t", "c", std::slice::from_ref(expr)).unwrap().listing();
        let ours = listing::rule(std::slice::from_ref(expr)).to_string();
        assert_eq!(format!("ip t c\n{ours}"), theirs.trim_end(), "{expr:?}");
    }
}

#[test]
fn every_key_has_libnftnls_word() {
    let dreg = Register::R1;
    let meta = (0..=MetaKey::SDIFNAME.0).map(|key| Expr::from(Meta::Load { key: MetaKey(key), dreg }));
    let ct = (0..=CtKey::DST_IP6.0).map(|key| Expr::from(Ct::Load { key: CtKey(key), dreg, direction: None }));
    let fib = (0..=FibFlags::all().bits()).map(|flags| {
        let flags = FibFlags::from_bits_retain(flags);
        Expr::from(Fib { dreg, result: FibResult::Oif, flags })
    });
    let log = (0..0x40).map(|flags| Expr::from(Log { level: Some(4), flags: Some(flags), ..Log::default() }));
    for expr in meta.chain(ct).chain(fib).chain(log) {
        let theirs = Rule::build(Family::Ip, "t", "c", std::slice::from_ref(&expr)).unwrap().listing();
        assert_eq!(format!("ip t c\n  {}", listing::expression(&expr)), theirs.trim_end(), "{expr:?}");
    }
}
