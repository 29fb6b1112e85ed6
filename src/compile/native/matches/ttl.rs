//! `-m ttl` and `-m hl`: `ip ttl` and `ip6 hoplimit`.

use super::super::condition::{Condition, Field, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{CmpOp, PayloadBase};
use crate::rule::matches::{Ttl, TtlOp};
use crate::rule::{Family, Match};

/// `struct iphdr`: `ttl`; `struct ipv6hdr`: `hop_limit`.
fn field(family: Family) -> Field {
    let offset = match family {
        Family::Ipv4 => 8,
        Family::Ipv6 => 7,
    };
    Field::Payload { base: PayloadBase::Network, offset, len: 1 }
}

pub(super) fn compile(m: Ttl, family: Family, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    w.only(family, if family == Family::Ipv4 { "-m ttl" } else { "-m hl" })?;
    let op = match m.op {
        TtlOp::Eq => CmpOp::Eq,
        TtlOp::Ne => CmpOp::Neq,
        TtlOp::Lt => CmpOp::Lt,
        TtlOp::Gt => CmpOp::Gt,
    };
    w.test(Condition::new(field(family), Test::Cmp(op, [m.value].into())));
    Ok(Form::Native)
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let Condition { hton: false, mask: None, test: Test::Cmp(op, data), .. } = c else { return None };
    let (true, &[value]) = (c.field == field(l.family), data.as_bytes()) else { return None };
    let op = match *op {
        CmpOp::Eq => TtlOp::Eq,
        CmpOp::Neq => TtlOp::Ne,
        CmpOp::Lt => TtlOp::Lt,
        CmpOp::Gt => TtlOp::Gt,
        _ => return None,
    };
    let m = Ttl { op, value };
    l.push(match l.family {
        Family::Ipv4 => Match::Ttl(m),
        Family::Ipv6 => Match::Hl(m),
    })
}
