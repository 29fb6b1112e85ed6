//! `mac`: `struct xt_mac_info`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "mac".into());

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    srcaddr: [u8; 6],
    pad: [u8; 2],
    invert: u32,
    pad2: [u8; 4],
}
const _: () = assert!(size_of::<Info>() == 16);

pub(super) fn compile(Not { negated, value: srcaddr }: Not<[u8; 6]>) -> Expr {
    xt_match(&NAME, 0, &Info { srcaddr, pad: [0; 2], invert: u32::from(negated), pad2: [0; 4] })
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let Info { srcaddr, invert, .. } = read(info)?;
    Ok(Match::Mac(Not { negated: invert != 0, value: srcaddr }))
}
