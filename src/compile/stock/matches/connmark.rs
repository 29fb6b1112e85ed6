//! `connmark` revision 1: `struct xt_connmark_mtinfo1`.

use super::mark::Info;
use crate::compile::stock::info::{Name, xt_match};
use crate::nft::expr::Expr;
use crate::rule::{MarkMask, Match, Not};

static NAME: Name = Name::new(|| "connmark".into());

pub(super) fn compile(mark: Not<MarkMask>) -> Expr {
    xt_match(&NAME, 1, &Info::from(mark))
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    Info::lift(info).map(Match::Connmark)
}
