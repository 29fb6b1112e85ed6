//! `iprange` revision 1: `struct xt_iprange_mtinfo`.

use std::net::IpAddr;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, inet_addr, read, read_inet_addr, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::Iprange;
use crate::rule::{Family, Match, Not};

static NAME: Name = Name::new(|| "iprange".into());

/// `IPRANGE_*`; the inverted bit is four higher.
const SRC: u8 = 1 << 0;
const DST: u8 = 1 << 1;
const INVERTED_SHIFT: u8 = 4;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    src_min: [u8; 16],
    src_max: [u8; 16],
    dst_min: [u8; 16],
    dst_max: [u8; 16],
    flags: u8,
    pad: [u8; 7],
}
const _: () = assert!(size_of::<Info>() == 72);

pub(super) fn compile(m: &Iprange, context: &Context<'_>) -> Result<Expr, CompileError> {
    let mut info = Info::new_zeroed();
    if let Some(range) = m.source {
        (info.src_min, info.src_max) = ends(range, context, "--src-range")?;
        info.flags |= flags(SRC, range.negated);
    }
    if let Some(range) = m.destination {
        (info.dst_min, info.dst_max) = ends(range, context, "--dst-range")?;
        info.flags |= flags(DST, range.negated);
    }
    Ok(xt_match(&NAME, 1, &info))
}

type Ends = ([u8; 16], [u8; 16]);

fn ends(range: Not<(IpAddr, IpAddr)>, context: &Context<'_>, field: &'static str) -> Result<Ends, CompileError> {
    let (first, last) = range.value;
    for end in [first, last] {
        context.only(Family::of(end), field)?;
    }
    Ok((inet_addr(first), inet_addr(last)))
}

fn flags(bit: u8, negated: bool) -> u8 {
    bit | if negated { bit << INVERTED_SHIFT } else { 0 }
}

pub(super) fn lift(info: &[u8], context: &Context<'_>) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    let range = |bit: u8, min, max| {
        (info.flags & bit != 0).then(|| Not {
            negated: info.flags & (bit << INVERTED_SHIFT) != 0,
            value: (read_inet_addr(min, context.family), read_inet_addr(max, context.family)),
        })
    };
    let source = range(SRC, info.src_min, info.src_max);
    let destination = range(DST, info.dst_min, info.dst_max);
    Ok(Match::Iprange(Box::new(Iprange { source, destination })))
}
