//! `-j REJECT`: `reject`, with the ICMP codes themselves where iptables has numbers of its own.

use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{Expr, Reject, RejectKind};
use crate::rule::targets::Reject as Answer;
use crate::rule::{Family, Protocol};

/// Answers of IPv4 and their codes (`ICMP_*_UNREACH` and such, `linux/icmp.h`).
const CODES4: [(Answer, u8); 7] = [
    (Answer::NetUnreachable, 0),
    (Answer::HostUnreachable, 1),
    (Answer::ProtoUnreachable, 2),
    (Answer::PortUnreachable, 3),
    (Answer::NetProhibited, 9),
    (Answer::HostProhibited, 10),
    (Answer::AdminProhibited, 13),
];
/// Answers of IPv6 (`ICMPV6_*`, `linux/icmpv6.h`).
const CODES6: [(Answer, u8); 6] = [
    (Answer::NoRoute, 0),
    (Answer::AdmProhibited6, 1),
    (Answer::AddrUnreachable, 3),
    (Answer::PortUnreachable, 4),
    (Answer::PolicyFail, 5),
    (Answer::RejectRoute, 6),
];

fn codes(family: Family) -> &'static [(Answer, u8)] {
    match family {
        Family::Ipv4 => &CODES4,
        Family::Ipv6 => &CODES6,
    }
}

pub(super) fn compile(t: Answer, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    let reject = if t == Answer::TcpReset {
        w.needs(&[Protocol::TCP], "--reject-with", "tcp-reset needs `-p tcp`")?;
        Reject { kind: RejectKind::TcpRst, code: 0 }
    } else {
        let code = codes(w.family).iter().find(|(answer, _)| *answer == t).map(|(_, code)| *code);
        let code = code.ok_or(CompileError::Family { field: "--reject-with", family: w.family })?;
        Reject { kind: RejectKind::IcmpUnreach, code }
    };
    w.push(Expr::Reject(reject));
    Ok(Form::Native)
}

pub(super) fn lift(reject: Reject, family: Family) -> Option<Answer> {
    match reject.kind {
        RejectKind::TcpRst => Some(Answer::TcpReset),
        RejectKind::IcmpUnreach => codes(family).iter().find(|(_, code)| *code == reject.code).map(|(t, _)| *t),
        RejectKind::IcmpxUnreach => None,
    }
}
