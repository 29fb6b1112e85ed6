//! `udp`: native but for a match that asks nothing, which is `struct xt_udp`; and the port tests that TCP shares.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::compile::stock::test::{Condition, Source, Test};
use crate::nft::expr::{CmpOp, Data, Expr, PayloadBase};
use crate::rule::matches::Udp;
use crate::rule::{Match, Not, PortRange, Protocol};

static NAME: Name = Name::new(|| "udp".into());

/// Ports that may be asked for, negated or not.
type Ports = Option<Not<PortRange>>;

/// `XT_UDP_INV_*`.
const INV_SRCPT: u8 = 1;
const INV_DSTPT: u8 = 2;

/// The port fields of a transport header.
const SPORT: Source = Source::Payload { base: PayloadBase::Transport, offset: 0, len: 2 };
const DPORT: Source = Source::Payload { base: PayloadBase::Transport, offset: 2, len: 2 };
const BOTH: Source = Source::Payload { base: PayloadBase::Transport, offset: 0, len: 4 };

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    spts: [u16; 2],
    dpts: [u16; 2],
    invflags: u8,
    pad: [u8; 7],
}
const _: () = assert!(size_of::<Info>() == 16);

pub(super) fn compile(m: &Udp, context: &Context<'_>, out: &mut Vec<Expr>) -> Result<(), CompileError> {
    context.needs(&[Protocol::UDP], "-m udp", "needs -p udp")?;
    let all = |ports: Ports| ports.is_none_or(|p| p == Not::is(PortRange::ALL));
    if all(m.sport) && all(m.dport) {
        let info = Info { spts: field(m.sport), dpts: field(m.dport), invflags: 0, pad: [0; 7] };
        out.push(xt_match(&NAME, 0, &info));
    } else {
        compile_ports(m.sport, m.dport, out);
    }
    Ok(())
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    Ok(Match::Udp(Udp {
        sport: range(info.spts, info.invflags & INV_SRCPT != 0)?,
        dport: range(info.dpts, info.invflags & INV_DSTPT != 0)?,
    }))
}

/// Reads a native test into the rule's last udp match that has its place free.
pub(super) fn lift_test(test: &Test, matches: &mut Vec<Match>) -> Result<(), &'static str> {
    let (sport, dport) = lift_ports(test)?;
    match matches.last_mut() {
        Some(Match::Udp(udp))
            if !(udp.sport.is_some() && sport.is_some() || udp.dport.is_some() && dport.is_some()) =>
        {
            udp.sport = udp.sport.or(sport);
            udp.dport = udp.dport.or(dport);
        }
        _ => matches.push(Match::Udp(Udp { sport, dport })),
    }
    Ok(())
}

/// Ports in an xt struct; all of them when none are asked for.
pub(super) fn field(ports: Ports) -> [u16; 2] {
    let ports = ports.map_or(PortRange::ALL, |p| p.value);
    [ports.first(), ports.last()]
}

/// Ports of an xt struct.
pub(super) fn range([first, last]: [u16; 2], negated: bool) -> Result<Ports, &'static str> {
    let value = PortRange::new(first, last).ok_or("its ports are the wrong way round")?;
    Ok(Some(Not { negated, value }).filter(|p| *p != Not::is(PortRange::ALL)))
}

/// Ports of a struct that has a flag for each side (SCTP, DCCP), so that all of them can be asked for as well.
pub(super) fn flagged(given: bool, negated: bool, [first, last]: [u16; 2]) -> Result<Ports, &'static str> {
    if !given {
        return Ok(None);
    }
    let value = PortRange::new(first, last).ok_or("its ports are the wrong way round")?;
    Ok(Some(Not { negated, value }))
}

/// The native tests for ports. Two single ports are one test, unless one is zero; a range from zero needs one end.
pub(super) fn compile_ports(sport: Ports, dport: Ports, out: &mut Vec<Expr>) {
    let single = |ports: Ports| match ports {
        Some(Not { negated: false, value }) if value.is_single() && value.first() != 0 => Some(value.first()),
        _ => None,
    };
    if let (Some(sport), Some(dport)) = (single(sport), single(dport)) {
        let [[a, b], [c, d]] = [sport.to_be_bytes(), dport.to_be_bytes()];
        Test { source: BOTH, mask: None, condition: Condition::equals([a, b, c, d], false) }.write(out);
        return;
    }
    for (ports, source) in [(sport, SPORT), (dport, DPORT)] {
        let Some(Not { negated, value }) = ports else { continue };
        let (first, last): (Data, Data) = (value.first().to_be_bytes().into(), value.last().to_be_bytes().into());
        let condition = if value == PortRange::ALL {
            if !negated {
                continue;
            }
            Condition::Range { outside: true, from: first, to: last }
        } else if value.is_single() {
            Condition::equals(first, negated)
        } else if value.first() == 0 {
            Condition::Cmp(if negated { CmpOp::Gt } else { CmpOp::Lte }, last)
        } else {
            Condition::Range { outside: negated, from: first, to: last }
        };
        Test { source, mask: None, condition }.write(out);
    }
}

/// Source and destination ports of a native test.
pub(super) fn lift_ports(test: &Test) -> Result<(Ports, Ports), &'static str> {
    if test.mask.is_some() {
        return Err("ports are compared without a mask");
    }
    if test.source == BOTH {
        let Some((&[a, b, c, d], false)) = test.condition.equality() else {
            return Err("both ports at once can only be equal");
        };
        let port = |bytes| Some(Not::is(PortRange::single(u16::from_be_bytes(bytes))));
        return Ok((port([a, b]), port([c, d])));
    }
    let ports = lift_range(&test.condition)?;
    match test.source {
        source if source == SPORT => Ok((Some(ports), None)),
        source if source == DPORT => Ok((None, Some(ports))),
        _ => Err("no port is there"),
    }
}

fn lift_range(condition: &Condition) -> Result<Not<PortRange>, &'static str> {
    let port =
        |data: &Data| <[u8; 2]>::try_from(data.as_bytes()).map(u16::from_be_bytes).map_err(|_| "a port has two bytes");
    let (first, last, negated) = match condition {
        Condition::Cmp(CmpOp::Eq, data) => (port(data)?, port(data)?, false),
        Condition::Cmp(CmpOp::Neq, data) => (port(data)?, port(data)?, true),
        Condition::Cmp(CmpOp::Lte, data) => (0, port(data)?, false),
        Condition::Cmp(CmpOp::Gt, data) => (0, port(data)?, true),
        Condition::Cmp(CmpOp::Gte, data) => (port(data)?, u16::MAX, false),
        Condition::Cmp(CmpOp::Lt, data) => (port(data)?, u16::MAX, true),
        Condition::Range { outside, from, to } => (port(from)?, port(to)?, *outside),
    };
    let value = PortRange::new(first, last).ok_or("the ports are the wrong way round")?;
    Ok(Not { negated, value })
}
