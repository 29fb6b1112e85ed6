//! `icmp` and `icmp6`: `struct ipt_icmp` and `struct ip6t_icmp`, which are the same.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::compile::stock::test::{Source, Test};
use crate::nft::expr::{Expr, PayloadBase};
use crate::rule::matches::IcmpType;
use crate::rule::{Family, Not, Protocol};

static NAME: Name = Name::new(|| "icmp".into());
static NAME6: Name = Name::new(|| "icmp6".into());

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    kind: u8,
    code: [u8; 2],
    invflags: u8,
    pad: [u8; 4],
}
const _: () = assert!(size_of::<Info>() == 8);

impl From<Not<IcmpType>> for Info {
    fn from(Not { negated, value: IcmpType { kind, codes: (first, last) } }: Not<IcmpType>) -> Self {
        Self { kind, code: [first, last], invflags: u8::from(negated), pad: [0; 4] }
    }
}

pub(super) fn compile(icmp: Not<IcmpType>, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.only(Family::Ipv4, "-m icmp")?;
    context.needs(&[Protocol::ICMP], "-m icmp", "needs -p icmp")?;
    Ok(xt_match(&NAME, 0, &Info::from(icmp)))
}

pub(super) fn compile6(icmp: Not<IcmpType>, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.only(Family::Ipv6, "-m icmp6")?;
    context.needs(&[Protocol::ICMPV6], "-m icmp6", "needs -p ipv6-icmp")?;
    Ok(xt_match(&NAME6, 0, &Info::from(icmp)))
}

pub(super) fn lift(info: &[u8]) -> Result<Not<IcmpType>, &'static str> {
    let Info { kind, code: [first, last], invflags, .. } = read(info)?;
    Ok(Not { negated: invflags & 1 != 0, value: IcmpType { kind, codes: (first, last) } })
}

/// A type without a code, as nft writes it.
pub(super) fn lift_test(test: &Test) -> Result<Not<IcmpType>, &'static str> {
    match (test.source, test.mask, test.condition.equality()) {
        (Source::Payload { base: PayloadBase::Transport, offset: 0, len: 1 }, None, Some((&[kind], negated))) => {
            Ok(Not { negated, value: IcmpType::new(kind) })
        }
        _ => Err("of ICMP only the type is compared natively"),
    }
}
