//! Every expression, byte for byte as libnftnl writes it.

use nftwrap::name::ChainName;
use nftwrap::netlink::attr::{Attr, Reader, Writer};
use nftwrap::nft::Family;
use nftwrap::nft::expr::*;
use nftwrap::nft::uapi::NFTA_RULE_EXPRESSIONS;
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
