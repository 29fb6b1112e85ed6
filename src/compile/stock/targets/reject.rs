//! `REJECT`: `struct ipt_reject_info` and `struct ip6t_reject_info`, a number each.

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_target};
use crate::nft::expr::Expr;
use crate::rule::targets::Reject;
use crate::rule::{Family, Protocol, Target};

static NAME: Name = Name::new(|| "REJECT".into());

const ALL: [Reject; 13] = [
    Reject::PortUnreachable,
    Reject::TcpReset,
    Reject::NetUnreachable,
    Reject::HostUnreachable,
    Reject::ProtoUnreachable,
    Reject::NetProhibited,
    Reject::HostProhibited,
    Reject::AdminProhibited,
    Reject::NoRoute,
    Reject::AdmProhibited6,
    Reject::AddrUnreachable,
    Reject::PolicyFail,
    Reject::RejectRoute,
];

fn code(reject: Reject, family: Family) -> Option<u32> {
    match family {
        Family::Ipv4 => reject.code4(),
        Family::Ipv6 => reject.code6(),
    }
}

pub(super) fn compile(reject: Reject, context: &Context<'_>) -> Result<Expr, CompileError> {
    let family = context.family;
    let with = code(reject, family).ok_or(CompileError::Family { field: "--reject-with", family })?;
    if reject == Reject::TcpReset {
        context.needs(&[Protocol::TCP], "--reject-with tcp-reset", "needs -p tcp")?;
    }
    Ok(xt_target(&NAME, 0, &[with, 0]))
}

pub(super) fn lift(info: &[u8], family: Family) -> Result<Target, &'static str> {
    let [with, _]: [u32; 2] = read(info)?;
    let found = ALL.into_iter().find(|r| code(*r, family) == Some(with));
    found.map(Target::Reject).ok_or("it answers in an unknown way")
}
