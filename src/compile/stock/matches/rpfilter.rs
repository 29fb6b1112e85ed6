//! `rpfilter`: `struct xt_rpfilter_info`.

use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::Match;
use crate::rule::matches::Rpfilter;

static NAME: Name = Name::new(|| "rpfilter".into());

pub(super) fn compile(flags: Rpfilter) -> Expr {
    xt_match(&NAME, 0, &[flags.bits(), 0, 0, 0, 0, 0, 0, 0])
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let [flags, ..]: [u8; 8] = read(info)?;
    Ok(Match::Rpfilter(Rpfilter::from_bits_retain(flags)))
}
