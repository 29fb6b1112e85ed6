//! `ttl` and `hl`: `struct ipt_ttl_info` and `struct ip6t_hl_info`, which are the same.

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::compile::stock::test::{Condition, Test};
use crate::nft::expr::{CmpOp, Expr};
use crate::rule::matches::{Ttl, TtlOp};
use crate::rule::{Family, Match};

static TTL: Name = Name::new(|| "ttl".into());
static HL: Name = Name::new(|| "hl".into());

/// `{ u8 mode, value }`.
fn info(Ttl { op, value }: Ttl) -> [u8; 8] {
    let mode = match op {
        TtlOp::Eq => 0,
        TtlOp::Ne => 1,
        TtlOp::Lt => 2,
        TtlOp::Gt => 3,
    };
    [mode, value, 0, 0, 0, 0, 0, 0]
}

pub(super) fn compile(ttl: Ttl, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.only(Family::Ipv4, "-m ttl")?;
    Ok(xt_match(&TTL, 0, &info(ttl)))
}

pub(super) fn compile_hl(hl: Ttl, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.only(Family::Ipv6, "-m hl")?;
    Ok(xt_match(&HL, 0, &info(hl)))
}

pub(super) fn lift(info: &[u8]) -> Result<Ttl, &'static str> {
    let [mode, value, ..]: [u8; 8] = read(info)?;
    let op = match mode {
        0 => TtlOp::Eq,
        1 => TtlOp::Ne,
        2 => TtlOp::Lt,
        3 => TtlOp::Gt,
        _ => return Err("it compares in an unknown way"),
    };
    Ok(Ttl { op, value })
}

/// `ip ttl`, as nft writes it. iptables-nft does not read `ip6 hoplimit`.
pub(super) fn lift_test(test: &Test, offset: u32, family: Family) -> Result<Match, &'static str> {
    let Condition::Cmp(op, data) = test.condition else { return Err("no iptables match looks at this") };
    let (Family::Ipv4, 8, None, &[value]) = (family, offset, test.mask, data.as_bytes()) else {
        return Err("no iptables match looks at this");
    };
    let op = match op {
        CmpOp::Eq => TtlOp::Eq,
        CmpOp::Neq => TtlOp::Ne,
        CmpOp::Lt => TtlOp::Lt,
        CmpOp::Gt => TtlOp::Gt,
        CmpOp::Lte | CmpOp::Gte => return Err("iptables has no such comparison of hops"),
    };
    Ok(Match::Ttl(Ttl { op, value }))
}
