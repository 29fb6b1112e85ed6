//! `pkttype`: `struct xt_pkttype_info`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::stock::info::{Name, read, xt_match};
use crate::compile::stock::test::Test;
use crate::nft::expr::Expr;
use crate::rule::matches::Pkttype;
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "pkttype".into());

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    pkttype: u32,
    invert: u32,
}
const _: () = assert!(size_of::<Info>() == 8);

pub(super) fn compile(Not { negated, value }: Not<Pkttype>) -> Expr {
    let pkttype = match value {
        Pkttype::Unicast => 0,
        Pkttype::Broadcast => 1,
        Pkttype::Multicast => 2,
    };
    xt_match(&NAME, 0, &Info { pkttype, invert: u32::from(negated) })
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let Info { pkttype, invert } = read(info)?;
    by_number(pkttype, invert != 0)
}

/// `meta pkttype`, as nft writes it.
pub(super) fn lift_test(test: &Test) -> Result<Match, &'static str> {
    match (test.mask, test.condition.equality()) {
        (None, Some((&[number], negated))) => by_number(u32::from(number), negated),
        _ => Err("a packet type is compared as one number"),
    }
}

fn by_number(number: u32, negated: bool) -> Result<Match, &'static str> {
    let value = match number {
        0 => Pkttype::Unicast,
        1 => Pkttype::Broadcast,
        2 => Pkttype::Multicast,
        _ => return Err("iptables has no such packet type"),
    };
    Ok(Match::Pkttype(Not { negated, value }))
}
