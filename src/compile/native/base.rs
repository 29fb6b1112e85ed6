//! Interfaces, protocol, addresses and fragments.
//!
//! Owns: the parts of a rule that are no matches, in both directions.
//! Never: writes an expression itself; it states conditions, and `condition.rs` makes loads and comparisons of them.
//!
//! Invariant: what cannot fail (`-i +`) leaves nothing behind, what cannot hold (`! -i +`, `! -s 0.0.0.0/0`) never matches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Writer;
use super::condition::{Condition, Field};
use super::lift::Lift;
use crate::compile::CompileError;
use crate::name::InterfaceName;
use crate::nft::expr::{Data, MetaKey, PayloadBase};
use crate::rule::{Family, InterfaceMatch, Masked, Not, Protocol, Rule};

/// The name that no interface has (`/` is refused in names): `! -i +`, as iptables-nft says it.
const NO_INTERFACE: [u8; 16] = *b"INVAL/D\0\0\0\0\0\0\0\0\0";
/// `struct iphdr`: `frag_off`.
const FRAG_OFF: Field = Field::Payload { base: PayloadBase::Network, offset: 6, len: 2 };
/// `IP_OFFSET`, its offset bits.
const FRAG_OFFSET_BITS: [u8; 2] = [0x1f, 0xff];

/// Which address of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
}

impl Side {
    /// The address, or its first `len` bytes.
    pub(super) fn field(self, family: Family, len: u32) -> Field {
        let offset = match (family, self) {
            (Family::Ipv4, Self::Source) => 12,
            (Family::Ipv4, Self::Destination) => 16,
            (Family::Ipv6, Self::Source) => 8,
            (Family::Ipv6, Self::Destination) => 24,
        };
        Field::Payload { base: PayloadBase::Network, offset, len }
    }

    /// The whole address.
    pub(super) fn whole(self, family: Family) -> Field {
        self.field(family, if family == Family::Ipv4 { 4 } else { 16 })
    }

    /// The address that a field is, or starts.
    pub(super) fn of(field: Field, family: Family) -> Option<Self> {
        let Field::Payload { len, .. } = field else { return None };
        [Self::Source, Self::Destination].into_iter().find(|side| side.field(family, len) == field)
    }
}

/// Appends the conditions for what stands before the matches, in the order of iptables-translate.
pub(super) fn compile(rule: &Rule, w: &mut Writer<'_>) -> Result<(), CompileError> {
    interface(rule.input.as_ref(), MetaKey::IIFNAME, w);
    interface(rule.output.as_ref(), MetaKey::OIFNAME, w);
    if let Some(Not { negated, .. }) = rule.fragment {
        w.only(Family::Ipv4, "-f")?;
        // A fragment that is not the first has an offset: `-f` is "not zero".
        w.test(Condition::masked(FRAG_OFF, !negated, FRAG_OFFSET_BITS, [0; 2]));
    }
    match rule.protocol {
        None | Some(Not { negated: false, value: Protocol::ALL }) => {}
        Some(Not { negated: true, value: Protocol::ALL }) => {
            return Err(CompileError::Value { field: "-p", reason: "the rule would never match" });
        }
        Some(Not { negated, value }) => w.test(Condition::equals(Field::Meta(MetaKey::L4PROTO), negated, [value.0])),
    }
    address(rule.source, Side::Source, "-s", w)?;
    address(rule.destination, Side::Destination, "-d", w)
}

/// A name is compared with all its NULs; without them it is a prefix.
fn interface(interface: Option<&Not<InterfaceMatch>>, key: MetaKey, w: &mut Writer<'_>) {
    let Some(Not { negated, value }) = interface else { return };
    let condition = match value {
        InterfaceMatch::Name(name) => {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(name.as_str().bytes()).for_each(|(to, from)| *to = from);
            Condition::equals(Field::Meta(key), *negated, bytes)
        }
        InterfaceMatch::Prefix(prefix) => {
            let bytes = Data::new(prefix.as_str().as_bytes()).unwrap_or_default();
            Condition::equals(Field::Meta(key), *negated, bytes)
        }
        InterfaceMatch::Any if *negated => Condition::equals(Field::Meta(key), false, NO_INTERFACE),
        InterfaceMatch::Any => return,
    };
    w.test(condition);
}

fn address(
    address: Option<Not<Masked>>,
    side: Side,
    field: &'static str,
    w: &mut Writer<'_>,
) -> Result<(), CompileError> {
    let Some(Not { negated, value }) = address else { return Ok(()) };
    w.only(value.family(), field)?;
    if value.is_any() && !negated {
        return Ok(());
    }
    match value {
        Masked::V4 { addr, mask } => masked(&addr.octets(), &mask.octets(), negated, side, w),
        Masked::V6 { addr, mask } => masked(&addr.octets(), &mask.octets(), negated, side, w),
    }
    Ok(())
}

/// A prefix of whole bytes is loaded alone; any other mask takes the whole address and a bitwise and. A negated mask of
/// nothing (`! -s 0.0.0.0/0`) so asks that zero differ from zero, which no packet does.
fn masked(addr: &[u8], mask: &[u8], negated: bool, side: Side, w: &mut Writer<'_>) {
    let (value, mask) = prefix_or_mask(addr, mask);
    let len = u32::try_from(value.as_bytes().len()).unwrap_or(16);
    w.test(Condition { mask, ..Condition::equals(side.field(w.family, len), negated, value) });
}

/// What an address is compared with: the first bytes when the mask is a prefix of whole bytes, else all and the mask.
pub(super) fn prefix_or_mask(addr: &[u8], mask: &[u8]) -> (Data, Option<Data>) {
    let whole = mask.iter().take_while(|&&b| b == 0xff).count();
    let by_bytes = whole > 0 && mask.iter().skip(whole).all(|&b| b == 0);
    let len = if by_bytes { whole } else { mask.len() };
    (addr.get(..len).and_then(Data::new).unwrap_or_default(), if by_bytes { None } else { Data::new(mask) })
}

/// Takes a condition into the rule if it is one of those above.
pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let rule = &mut l.rule;
    match c.field {
        Field::Meta(MetaKey::IIFNAME) => once(&mut rule.input, lift_interface(c)?),
        Field::Meta(MetaKey::OIFNAME) => once(&mut rule.output, lift_interface(c)?),
        Field::Meta(MetaKey::L4PROTO) => {
            let (negated, [0xff], [number]) = c.as_masked()? else { return None };
            once(&mut rule.protocol, Not { negated, value: Protocol(number) })
        }
        FRAG_OFF if l.family == Family::Ipv4 => {
            let (negated, FRAG_OFFSET_BITS, [0, 0]) = c.as_masked()? else { return None };
            once(&mut rule.fragment, Not { negated: !negated, value: () })
        }
        field => match Side::of(field, l.family)? {
            Side::Source => once(&mut rule.source, lift_address(c, l.family)?),
            Side::Destination => once(&mut rule.destination, lift_address(c, l.family)?),
        },
    }
}

/// Fills an option that may be given once.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.is_none().then(|| *place = Some(value))
}

fn lift_interface(c: &Condition) -> Option<Not<InterfaceMatch>> {
    if let Some((negated, _, bytes)) = c.as_masked::<16>() {
        if bytes == NO_INTERFACE {
            return (!negated).then_some(Not::not(InterfaceMatch::Any));
        }
        let end = bytes.iter().position(|&b| b == 0)?;
        return Some(Not { negated, value: InterfaceMatch::Name(name(bytes.get(..end)?)?) });
    }
    let (negated, data) = c.as_equals()?;
    Some(Not { negated, value: InterfaceMatch::Prefix(name(data.as_bytes())?) })
}

fn name(bytes: &[u8]) -> Option<InterfaceName> {
    InterfaceName::new(std::str::from_utf8(bytes).ok()?).ok()
}

/// The inverse of [`prefix_or_mask`] in a condition.
pub(super) fn lift_address(c: &Condition, family: Family) -> Option<Not<Masked>> {
    let (negated, value, mask) = match c.mask {
        Some(mask) => {
            let (negated, value) = Condition { mask: None, ..c.clone() }.as_equals()?;
            (negated, value, mask)
        }
        None => {
            let (negated, value) = c.as_equals()?;
            let ones = [0xff; Data::MAX];
            (negated, value, Data::new(ones.get(..value.as_bytes().len())?)?)
        }
    };
    let value = match (address_of(value, family), address_of(mask, family)) {
        (IpAddr::V4(addr), IpAddr::V4(mask)) if addr & mask == addr => Masked::v4(addr, mask),
        (IpAddr::V6(addr), IpAddr::V6(mask)) if addr & mask == addr => Masked::v6(addr, mask),
        _ => return None,
    };
    Some(Not { negated, value })
}

/// An address of which the first bytes are given.
fn address_of(data: Data, family: Family) -> IpAddr {
    let mut octets = [0; 16];
    octets.iter_mut().zip(data.as_bytes()).for_each(|(to, from)| *to = *from);
    match (family, octets) {
        (Family::Ipv4, [a, b, c, d, ..]) => Ipv4Addr::new(a, b, c, d).into(),
        (Family::Ipv6, octets) => Ipv6Addr::from(octets).into(),
    }
}
