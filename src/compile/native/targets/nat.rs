//! `-j DNAT`, `-j SNAT`, `-j MASQUERADE`, `-j REDIRECT`: addresses and ports in registers.
//!
//! Flags and the ends of ranges are written out as the kernel would complete them, so that a dump is equal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::compile::registers::Registers;
use crate::nft::expr::{Data, Expr, Immediate, Masq, Nat, NatFlags, NatKind, Operand, Redir, Register};
use crate::rule::targets::{self, NatOptions, PortNat};
use crate::rule::{Family, PortRange, Target};

/// Which of the two that need no address.
#[derive(Clone, Copy)]
pub(super) enum PortKind {
    Masquerade,
    Redirect,
}

pub(super) fn compile(t: &targets::Nat, kind: NatKind, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    let field = if kind == NatKind::Snat { "--to-source" } else { "--to-destination" };
    if t.base_port.is_some() {
        return Ok(Form::Xt("nft cannot shift a range of ports"));
    }
    if let Some((first, last)) = t.addresses {
        let family = Family::of(first);
        w.only(family, field)?;
        if first.is_ipv4() != last.is_ipv4() {
            return Err(CompileError::Value { field, reason: "both ends must be of one family" });
        }
    }
    let mut registers = Registers::default();
    let mut flags = NatFlags::from_bits_retain(t.options.bits());
    let (mut addr_min, mut addr_max) = (None, None);
    if let Some((first, last)) = t.addresses {
        flags |= NatFlags::MAP_IPS;
        (addr_min, addr_max) = match w.lead.value {
            Some(value) => (Some(value), Some(value)),
            None => ends(octets(first), octets(last), &mut registers, w),
        };
    }
    let (proto_min, proto_max) = ports(t.ports, &mut flags, &mut registers, w);
    let family = w.family.into();
    w.push(Expr::Nat(Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags }));
    Ok(Form::Native)
}

pub(super) fn compile_port(t: &PortNat, kind: PortKind, w: &mut Writer<'_>) -> Form {
    let mut flags = NatFlags::from_bits_retain(t.options.bits());
    let (proto_min, proto_max) = ports(t.ports, &mut flags, &mut Registers::default(), w);
    w.push(match kind {
        PortKind::Masquerade => Expr::Masq(Masq { flags, proto_min, proto_max }),
        PortKind::Redirect => Expr::Redir(Redir { proto_min, proto_max, flags }),
    });
    Form::Native
}

fn ports(
    ports: Option<PortRange>,
    flags: &mut NatFlags,
    registers: &mut Registers,
    w: &mut Writer<'_>,
) -> (Option<Register>, Option<Register>) {
    let Some(ports) = ports else { return (None, None) };
    *flags |= NatFlags::PROTO_SPECIFIED;
    ends(ports.first().to_be_bytes().into(), ports.last().to_be_bytes().into(), registers, w)
}

/// Loads both ends of a range; one register serves both when they are equal.
fn ends(
    first: Data,
    last: Data,
    registers: &mut Registers,
    w: &mut Writer<'_>,
) -> (Option<Register>, Option<Register>) {
    let mut load = |data| {
        let dreg = registers.next();
        w.push(Expr::Immediate(Immediate { dreg, data: Operand::Value(data) }));
        Some(dreg)
    };
    let min = load(first);
    (min, if first == last { min } else { load(last) })
}

fn octets(addr: IpAddr) -> Data {
    match addr {
        IpAddr::V4(addr) => addr.octets().into(),
        IpAddr::V6(addr) => addr.octets().into(),
    }
}

/// Reads constants in registers and the translation that uses them.
pub(super) fn lift(rest: &[Expr], family: Family) -> Option<(Target, &[Expr])> {
    let mut loaded: Vec<(Register, Data)> = Vec::new();
    let mut tail = rest;
    loop {
        let (first, after) = tail.split_first()?;
        tail = after;
        match *first {
            Expr::Immediate(Immediate { dreg, data: Operand::Value(data) }) => loaded.push((dreg, data)),
            Expr::Nat(nat) => return Some((lift_nat(&nat, &loaded, family)?, tail)),
            Expr::Masq(Masq { flags, proto_min, proto_max }) => {
                let target = Target::Masquerade(lift_port(flags, proto_min, proto_max, &loaded)?);
                return Some((target, tail));
            }
            Expr::Redir(Redir { proto_min, proto_max, flags }) => {
                let target = Target::Redirect(lift_port(flags, proto_min, proto_max, &loaded)?);
                return Some((target, tail));
            }
            _ => return None,
        }
    }
}

fn lift_nat(nat: &Nat, loaded: &[(Register, Data)], family: Family) -> Option<Target> {
    (nat.family == family.into()).then_some(())?;
    let addr = |data: Data| match family {
        Family::Ipv4 => <[u8; 4]>::try_from(data.as_bytes()).ok().map(|o| IpAddr::V4(Ipv4Addr::from(o))),
        Family::Ipv6 => <[u8; 16]>::try_from(data.as_bytes()).ok().map(|o| IpAddr::V6(Ipv6Addr::from(o))),
    };
    let addresses = match both(nat.addr_min, nat.addr_max, loaded)? {
        Some((first, last)) => Some((addr(first)?, addr(last)?)),
        None => None,
    };
    let PortNat { ports, options } =
        lift_port(nat.flags.difference(NatFlags::MAP_IPS), nat.proto_min, nat.proto_max, loaded)?;
    let target = Box::new(targets::Nat { addresses, ports, base_port: None, options });
    Some(match nat.kind {
        NatKind::Snat => Target::Snat(target),
        NatKind::Dnat => Target::Dnat(target),
    })
}

fn lift_port(
    flags: NatFlags,
    min: Option<Register>,
    max: Option<Register>,
    loaded: &[(Register, Data)],
) -> Option<PortNat> {
    let port = |data: Data| Some(u16::from_be_bytes(data.as_bytes().try_into().ok()?));
    let ports = match both(min, max, loaded)? {
        Some((first, last)) => Some(PortRange::new(port(first)?, port(last)?)?),
        None => None,
    };
    let options = flags.difference(NatFlags::PROTO_SPECIFIED);
    Some(PortNat { ports, options: NatOptions::from_bits(options.bits())? })
}

/// What two registers hold; `Some(None)` when there are none.
#[allow(clippy::option_option, reason = "no register is not the same as one that nothing was loaded into")]
fn both(min: Option<Register>, max: Option<Register>, loaded: &[(Register, Data)]) -> Option<Option<(Data, Data)>> {
    let value = |register| loaded.iter().find(|(r, _)| *r == register).map(|(_, data)| *data);
    match (min, max) {
        (None, None) => Some(None),
        (Some(min), max) => Some(Some((value(min)?, value(max.unwrap_or(min))?))),
        (None, Some(_)) => None,
    }
}
