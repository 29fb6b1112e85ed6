//! `-m icmp` and `-m icmp6`: `icmp type`, as one load of type and code where both count.

use super::super::condition::{Condition, Field, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{CmpOp, PayloadBase};
use crate::rule::matches::IcmpType;
use crate::rule::{Family, Match, Not, Protocol};

const TYPE: Field = Field::Payload { base: PayloadBase::Transport, offset: 0, len: 1 };
const TYPE_AND_CODE: Field = Field::Payload { base: PayloadBase::Transport, offset: 0, len: 2 };

pub(super) fn compile(m: Not<IcmpType>, protocol: Protocol, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    let (family, option) =
        if protocol == Protocol::ICMP { (Family::Ipv4, "-m icmp") } else { (Family::Ipv6, "-m icmp6") };
    w.only(family, option)?;
    w.needs(&[protocol], option, "it needs `-p icmp`, or `-p ipv6-icmp` for IPv6")?;
    let Not { negated, value: IcmpType { kind, codes: (first, last) } } = m;
    w.test(match (first, last) {
        // Only in IPv4 does type 255 stand for all (`icmp_type_code_match` in `ip_tables.c`). Any type needs the header
        // all the same, and its negation never matches.
        _ if kind == IcmpType::ANY.kind && family == Family::Ipv4 => {
            let (op, limit) = if negated { (CmpOp::Lt, 0) } else { (CmpOp::Gte, 0) };
            Condition::new(TYPE, Test::Cmp(op, [limit].into()))
        }
        (0, u8::MAX) => Condition::equals(TYPE, negated, [kind]),
        (first, last) => Condition::range(TYPE_AND_CODE, negated, [kind, first], [kind, last]),
    });
    Ok(Form::Native)
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let own = match l.family {
        Family::Ipv4 => Protocol::ICMP,
        Family::Ipv6 => Protocol::ICMPV6,
    };
    (l.protocol() == Some(own)).then_some(())?;
    let m = match (c.field, &c.test) {
        (TYPE, Test::Cmp(op @ (CmpOp::Gte | CmpOp::Lt), limit)) if limit.as_bytes() == [0] => {
            Not { negated: *op == CmpOp::Lt, value: IcmpType::ANY }
        }
        (TYPE, _) => {
            let (negated, [kind], [last]) = c.as_range()?;
            (kind == last).then_some(Not { negated, value: IcmpType::new(kind) })?
        }
        (TYPE_AND_CODE, _) => {
            let (negated, [kind, first], [same, last]) = c.as_range()?;
            (kind == same).then_some(Not { negated, value: IcmpType { kind, codes: (first, last) } })?
        }
        _ => return None,
    };
    l.push(match l.family {
        Family::Ipv4 => Match::Icmp(m),
        Family::Ipv6 => Match::Icmp6(m),
    })
}
