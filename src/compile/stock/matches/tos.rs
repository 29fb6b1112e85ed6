//! `tos` revision 1 and `dscp`: `struct xt_tos_match_info` and `struct xt_dscp_info`.

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::Tos;
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "tos".into());
static DSCP: Name = Name::new(|| "dscp".into());

/// `{ u8 tos_mask, tos_value, invert }`.
pub(super) fn compile(Not { negated, value: Tos { value, mask } }: Not<Tos>) -> Expr {
    xt_match(&NAME, 1, &[mask, value, u8::from(negated), 0, 0, 0, 0, 0])
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let [mask, value, invert, ..]: [u8; 8] = read(info)?;
    Ok(Match::Tos(Not { negated: invert != 0, value: Tos { value, mask } }))
}

/// `{ u8 dscp, invert }`.
pub(super) fn compile_dscp(Not { negated, value }: Not<u8>) -> Result<Expr, CompileError> {
    if value > 63 {
        return Err(CompileError::Value { field: "--dscp", reason: "takes 0 to 63" });
    }
    Ok(xt_match(&DSCP, 0, &[value, u8::from(negated), 0, 0, 0, 0, 0, 0]))
}

pub(super) fn lift_dscp(info: &[u8]) -> Result<Match, &'static str> {
    let [value, invert, ..]: [u8; 8] = read(info)?;
    Ok(Match::Dscp(Not { negated: invert != 0, value }))
}
