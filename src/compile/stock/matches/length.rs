//! `length`: `struct xt_length_info`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "length".into());

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    min: u16,
    max: u16,
    invert: u8,
    pad: [u8; 3],
}
const _: () = assert!(size_of::<Info>() == 8);

pub(super) fn compile(Not { negated, value: (min, max) }: Not<(u16, u16)>) -> Result<Expr, CompileError> {
    if min > max {
        return Err(CompileError::Value { field: "--length", reason: "its ends are the wrong way round" });
    }
    Ok(xt_match(&NAME, 0, &Info { min, max, invert: u8::from(negated), pad: [0; 3] }))
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let Info { min, max, invert, .. } = read(info)?;
    Ok(Match::Length(Not { negated: invert != 0, value: (min, max) }))
}
