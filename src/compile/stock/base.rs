//! Interfaces, protocol, addresses and fragments, in the order of 1.8.9.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::test::{Condition, Source, Test};
use crate::compile::CompileError;
use crate::name::InterfaceName;
use crate::nft::expr::{CmpOp, Data, Expr, MetaKey, PayloadBase};
use crate::rule::{Family, InterfaceMatch, Masked, Not, Protocol, Rule};

/// The name that no interface has (`/` is refused in names): `! -i +`, as iptables-nft writes it, with its NUL.
const NO_INTERFACE: [u8; 8] = *b"INVAL/D\0";
/// `struct iphdr`: `frag_off` and its offset bits.
const FRAG_OFF: Source = Source::Payload { base: PayloadBase::Network, offset: 6, len: 2 };
const FRAG_OFFSET_BITS: [u8; 2] = [0x1f, 0xff];
/// `struct iphdr`: `protocol`; 1.8.11 compares it where 1.8.9 asks `meta l4proto`.
const IP_PROTOCOL: Source = Source::Payload { base: PayloadBase::Network, offset: 9, len: 1 };

/// Which address of a packet.
#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

impl Side {
    /// Its offset in the IP header.
    fn offset(self, family: Family) -> u32 {
        match (family, self) {
            (Family::Ipv4, Self::Source) => 12,
            (Family::Ipv4, Self::Destination) => 16,
            (Family::Ipv6, Self::Source) => 8,
            (Family::Ipv6, Self::Destination) => 24,
        }
    }
}

/// Appends the tests for what stands before the matches.
pub(super) fn compile(rule: &Rule, family: Family, out: &mut Vec<Expr>) -> Result<(), CompileError> {
    interface(rule.input.as_ref(), MetaKey::IIFNAME, out);
    interface(rule.output.as_ref(), MetaKey::OIFNAME, out);
    match rule.protocol {
        None | Some(Not { negated: false, value: Protocol::ALL }) => {}
        Some(Not { negated: true, value: Protocol::ALL }) => {
            return Err(CompileError::Value { field: "-p", reason: "the rule would never match" });
        }
        Some(Not { negated, value }) => {
            let condition = Condition::equals([value.0], negated);
            Test { source: Source::Meta(MetaKey::L4PROTO), mask: None, condition }.write(out);
        }
    }
    address(rule.source, Side::Source, family, "-s", out)?;
    address(rule.destination, Side::Destination, family, "-d", out)?;
    if let Some(Not { negated, .. }) = rule.fragment {
        if family == Family::Ipv6 {
            return Err(CompileError::Family { field: "-f", family });
        }
        // A fragment that is not the first has an offset: `-f` is "not zero".
        let condition = Condition::equals([0, 0], !negated);
        Test { source: FRAG_OFF, mask: Some(FRAG_OFFSET_BITS.into()), condition }.write(out);
    }
    Ok(())
}

/// A name with its NUL is compared whole; without it, it is a prefix.
fn interface(interface: Option<&Not<InterfaceMatch>>, key: MetaKey, out: &mut Vec<Expr>) {
    let Some(Not { negated, value }) = interface else { return };
    let condition = match value {
        InterfaceMatch::Name(name) => {
            let mut bytes = [0; 16];
            let end = name.as_str().len() + 1;
            for (to, from) in bytes.iter_mut().zip(name.as_str().bytes()) {
                *to = from;
            }
            Condition::equals(bytes.get(..end).and_then(Data::new).unwrap_or_default(), *negated)
        }
        InterfaceMatch::Prefix(prefix) => {
            Condition::equals(Data::new(prefix.as_str().as_bytes()).unwrap_or_default(), *negated)
        }
        InterfaceMatch::Any if *negated => Condition::equals(NO_INTERFACE, false),
        InterfaceMatch::Any => return,
    };
    Test { source: Source::Meta(key), mask: None, condition }.write(out);
}

fn address(
    address: Option<Not<Masked>>,
    side: Side,
    family: Family,
    field: &'static str,
    out: &mut Vec<Expr>,
) -> Result<(), CompileError> {
    let Some(Not { negated, value }) = address else { return Ok(()) };
    if value.family() != family {
        return Err(CompileError::Family { field, family });
    }
    if value.is_any() && !negated {
        return Ok(());
    }
    match value {
        Masked::V4 { addr, mask } => masked(&addr.octets(), &mask.octets(), negated, side.offset(family), out),
        Masked::V6 { addr, mask } => masked(&addr.octets(), &mask.octets(), negated, side.offset(family), out),
    }
    Ok(())
}

/// A prefix of whole bytes is loaded alone; any other mask takes the whole address and a bitwise and.
fn masked(addr: &[u8], mask: &[u8], negated: bool, offset: u32, out: &mut Vec<Expr>) {
    let whole = mask.iter().take_while(|&&b| b == 0xff).count();
    let by_bytes = whole > 0 && mask.iter().skip(whole).all(|&b| b == 0);
    let len = if by_bytes { whole } else { mask.len() };
    let mask = if by_bytes { None } else { Data::new(mask) };
    let value = addr.get(..len).and_then(Data::new).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, reason = "4 or 16 at most")]
    let source = Source::Payload { base: PayloadBase::Network, offset, len: len as u32 };
    Test { source, mask, condition: Condition::equals(value, negated) }.write(out);
}

/// Takes a test into the rule if it is one of those above; otherwise it is a match's.
pub(super) fn lift(test: &Test, family: Family, rule: &mut Rule) -> Result<bool, &'static str> {
    match test.source {
        Source::Meta(MetaKey::IIFNAME) => once(&mut rule.input, lift_interface(test)?)?,
        Source::Meta(MetaKey::OIFNAME) => once(&mut rule.output, lift_interface(test)?)?,
        Source::Meta(MetaKey::L4PROTO) => once(&mut rule.protocol, lift_protocol(test)?)?,
        source if source == IP_PROTOCOL && family == Family::Ipv4 => {
            once(&mut rule.protocol, lift_protocol(test)?)?;
        }
        source if source == FRAG_OFF && family == Family::Ipv4 => once(&mut rule.fragment, lift_fragment(test)?)?,
        Source::Payload { base: PayloadBase::Network, offset, len } => {
            let place = if offset == Side::Source.offset(family) {
                &mut rule.source
            } else if offset == Side::Destination.offset(family) {
                &mut rule.destination
            } else {
                return Ok(false);
            };
            once(place, lift_address(test, family, len)?)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Fills an option that may be given once.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("an iptables rule has only one such option"),
    }
}

fn lift_interface(test: &Test) -> Result<Not<InterfaceMatch>, &'static str> {
    let (None, Some((bytes, negated))) = (test.mask, test.condition.equality()) else {
        return Err("an interface is compared as a name");
    };
    if bytes.starts_with(&NO_INTERFACE) && !negated {
        return Ok(Not::not(InterfaceMatch::Any));
    }
    let end = bytes.iter().position(|&b| b == 0);
    let name = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    let name = std::str::from_utf8(name).ok().and_then(|n| InterfaceName::new(n).ok()).ok_or("no interface name")?;
    let value = if end.is_some() { InterfaceMatch::Name(name) } else { InterfaceMatch::Prefix(name) };
    Ok(Not { negated, value })
}

fn lift_protocol(test: &Test) -> Result<Not<Protocol>, &'static str> {
    match (test.mask, test.condition.equality()) {
        (None, Some((&[number], negated))) => Ok(Not { negated, value: Protocol(number) }),
        _ => Err("a protocol is compared as one number"),
    }
}

fn lift_fragment(test: &Test) -> Result<Not<()>, &'static str> {
    match (test.mask.as_ref().map(Data::as_bytes), &test.condition) {
        (Some(mask), Condition::Cmp(op @ (CmpOp::Eq | CmpOp::Neq), value))
            if mask == FRAG_OFFSET_BITS && value.as_bytes() == [0, 0] =>
        {
            Ok(Not { negated: *op == CmpOp::Eq, value: () })
        }
        _ => Err("only the fragment offset is compared, with zero"),
    }
}

fn lift_address(test: &Test, family: Family, len: u32) -> Result<Not<Masked>, &'static str> {
    let (value, negated) = test.condition.equality().ok_or("an address is compared by prefix")?;
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if value.len() != len || test.mask.is_some_and(|m| m.as_bytes().len() != len) {
        return Err("the lengths of address and mask differ");
    }
    let mut addr = [0; 16];
    let mut mask = [0; 16];
    let whole = match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 16,
    };
    if len > whole {
        return Err("more than an address is compared");
    }
    for (to, from) in addr.iter_mut().zip(value) {
        *to = *from;
    }
    match &test.mask {
        Some(given) => mask.iter_mut().zip(given.as_bytes()).for_each(|(to, from)| *to = *from),
        None => mask.iter_mut().take(len).for_each(|to| *to = 0xff),
    }
    let value = match family {
        Family::Ipv4 => {
            let ([a, b, c, d, ..], [e, f, g, h, ..]) = (addr, mask);
            let (addr, mask) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
            if addr & mask != addr {
                return Err("the address has bits outside its mask");
            }
            Masked::v4(addr, mask)
        }
        Family::Ipv6 => {
            let (addr, mask) = (Ipv6Addr::from(addr), Ipv6Addr::from(mask));
            if addr & mask != addr {
                return Err("the address has bits outside its mask");
            }
            Masked::v6(addr, mask)
        }
    };
    Ok(Not { negated, value })
}
