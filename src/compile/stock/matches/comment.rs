//! `comment`: `struct xt_comment_info`. Only for comments that do not go to user data.

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, fixed, text, xt_match};
use crate::name::Comment;
use crate::nft::expr::Expr;
use crate::rule::Match;

pub(in crate::compile::stock) const LEN: usize = 256;
static NAME: Name = Name::new(|| "comment".into());

pub(super) fn compile(comment: &Comment) -> Result<Expr, CompileError> {
    Ok(xt_match(&NAME, 0, &fixed::<LEN>("--comment", comment.as_str())?))
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    if info.len() != LEN {
        return Err("its struct has another size");
    }
    Comment::new(text(info)?).map(Match::Comment).map_err(|_| "its text holds a control character")
}
