//! `DNAT`, `SNAT`, `MASQUERADE`, `REDIRECT`: three structs for what is one range.
//!
//! IPv4 `SNAT`, `MASQUERADE` and `REDIRECT` take `nf_nat_ipv4_multi_range_compat`, their IPv6 forms `nf_nat_range`, and
//! `DNAT` of both families `nf_nat_range2`.

use std::net::{IpAddr, Ipv4Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, inet_addr, read, read_inet_addr, xt_target};
use crate::nft::expr::{Expr, NatFlags};
use crate::rule::targets::{Nat, NatOptions, PortNat};
use crate::rule::{Family, PortRange, Target};

static DNAT: Name = Name::new(|| "DNAT".into());
static SNAT: Name = Name::new(|| "SNAT".into());
static MASQUERADE: Name = Name::new(|| "MASQUERADE".into());
static REDIRECT: Name = Name::new(|| "REDIRECT".into());

/// `struct nf_nat_ipv4_multi_range_compat` with its one range.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct MultiRange4 {
    rangesize: u32,
    flags: u32,
    min_ip: [u8; 4],
    max_ip: [u8; 4],
    min: [u8; 2],
    max: [u8; 2],
    pad: [u8; 4],
}
const _: () = assert!(size_of::<MultiRange4>() == 24);

/// `struct nf_nat_range`.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Range {
    flags: u32,
    min_addr: [u8; 16],
    max_addr: [u8; 16],
    min_proto: [u8; 2],
    max_proto: [u8; 2],
}
const _: () = assert!(size_of::<Range>() == 40);

/// `struct nf_nat_range2`.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Range2 {
    range: Range,
    base_proto: [u8; 2],
    pad: [u8; 6],
}
const _: () = assert!(size_of::<Range2>() == 48);

/// The widest of the three, checked for the family.
fn widest(nat: &Nat, context: &Context<'_>, field: &'static str) -> Result<Range2, CompileError> {
    let mut flags = NatFlags::from_bits_retain(nat.options.bits());
    if let Some((first, last)) = nat.addresses {
        for addr in [first, last] {
            context.only(Family::of(addr), field)?;
        }
        flags |= NatFlags::MAP_IPS;
    }
    if nat.ports.is_some() {
        flags |= NatFlags::PROTO_SPECIFIED;
    }
    if nat.base_port.is_some() {
        flags |= NatFlags::PROTO_OFFSET;
    }
    let (first, last) = nat.addresses.unwrap_or((Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()));
    let port = |port: Option<u16>| port.unwrap_or(0).to_be_bytes();
    Ok(Range2 {
        range: Range {
            flags: flags.bits(),
            min_addr: inet_addr(first),
            max_addr: inet_addr(last),
            min_proto: port(nat.ports.map(PortRange::first)),
            max_proto: port(nat.ports.map(PortRange::last)),
        },
        base_proto: port(nat.base_port),
        pad: [0; 6],
    })
}

/// `SNAT`, `MASQUERADE` and `REDIRECT`: the struct that they have in this family.
fn narrow(name: &Name, revision6: u32, nat: &Nat, context: &Context<'_>) -> Result<Expr, CompileError> {
    if nat.base_port.is_some() {
        return Err(CompileError::Value { field: "--to-source", reason: "only DNAT shifts ports" });
    }
    let Range { flags, min_addr, max_addr, min_proto, max_proto } = widest(nat, context, "--to-source")?.range;
    Ok(match context.family {
        Family::Ipv4 => {
            let ([a, b, c, d, ..], [e, f, g, h, ..]) = (min_addr, max_addr);
            let (min_ip, max_ip) = ([a, b, c, d], [e, f, g, h]);
            let (min, max) = (min_proto, max_proto);
            xt_target(name, 0, &MultiRange4 { rangesize: 1, flags, min_ip, max_ip, min, max, pad: [0; 4] })
        }
        Family::Ipv6 => xt_target(name, revision6, &Range { flags, min_addr, max_addr, min_proto, max_proto }),
    })
}

pub(super) fn compile_dnat(nat: &Nat, context: &Context<'_>) -> Result<Expr, CompileError> {
    Ok(xt_target(&DNAT, 2, &widest(nat, context, "--to-destination")?))
}

pub(super) fn compile_snat(nat: &Nat, context: &Context<'_>) -> Result<Expr, CompileError> {
    narrow(&SNAT, 1, nat, context)
}

pub(super) fn compile_masquerade(nat: &PortNat, context: &Context<'_>) -> Result<Expr, CompileError> {
    narrow(&MASQUERADE, 0, &with_ports(nat), context)
}

pub(super) fn compile_redirect(nat: &PortNat, context: &Context<'_>) -> Result<Expr, CompileError> {
    narrow(&REDIRECT, 0, &with_ports(nat), context)
}

fn with_ports(nat: &PortNat) -> Nat {
    Nat { ports: nat.ports, options: nat.options, ..Nat::default() }
}

fn lift_widest(range2: &Range2, family: Family) -> Result<Nat, &'static str> {
    let Range { flags, min_addr, max_addr, min_proto, max_proto } = range2.range;
    let flags = NatFlags::from_bits_retain(flags);
    let known = NatFlags::MAP_IPS | NatFlags::PROTO_SPECIFIED | NatFlags::PROTO_OFFSET;
    let options = NatOptions::from_bits((flags - known).bits()).ok_or("it has an unknown flag")?;
    let addresses: (IpAddr, IpAddr) = (read_inet_addr(min_addr, family), read_inet_addr(max_addr, family));
    let ports = PortRange::new(u16::from_be_bytes(min_proto), u16::from_be_bytes(max_proto));
    Ok(Nat {
        addresses: flags.contains(NatFlags::MAP_IPS).then_some(addresses),
        ports: match flags.contains(NatFlags::PROTO_SPECIFIED) {
            true => Some(ports.ok_or("its ports are the wrong way round")?),
            false => None,
        },
        base_port: flags.contains(NatFlags::PROTO_OFFSET).then_some(u16::from_be_bytes(range2.base_proto)),
        options,
    })
}

fn lift_narrow(info: &[u8], family: Family) -> Result<Nat, &'static str> {
    let range = match family {
        Family::Ipv4 => {
            let MultiRange4 { rangesize: 1, flags, min_ip, max_ip, min, max, .. } = read(info)? else {
                return Err("it has several ranges");
            };
            Range {
                flags,
                min_addr: inet_addr(min_ip.into()),
                max_addr: inet_addr(max_ip.into()),
                min_proto: min,
                max_proto: max,
            }
        }
        Family::Ipv6 => read(info)?,
    };
    lift_widest(&Range2 { range, base_proto: [0; 2], pad: [0; 6] }, family)
}

fn lift_ports(info: &[u8], family: Family) -> Result<PortNat, &'static str> {
    match lift_narrow(info, family)? {
        Nat { addresses: None, ports, base_port: None, options } => Ok(PortNat { ports, options }),
        _ => Err("it names an address"),
    }
}

pub(super) fn lift_dnat(info: &[u8], family: Family) -> Result<Target, &'static str> {
    Ok(Target::Dnat(Box::new(lift_widest(&read(info)?, family)?)))
}

pub(super) fn lift_snat(info: &[u8], family: Family) -> Result<Target, &'static str> {
    Ok(Target::Snat(Box::new(lift_narrow(info, family)?)))
}

pub(super) fn lift_masquerade(info: &[u8], family: Family) -> Result<Target, &'static str> {
    lift_ports(info, family).map(Target::Masquerade)
}

pub(super) fn lift_redirect(info: &[u8], family: Family) -> Result<Target, &'static str> {
    lift_ports(info, family).map(Target::Redirect)
}
