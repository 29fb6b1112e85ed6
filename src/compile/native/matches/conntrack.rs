//! `-m conntrack` and `-m state`: `ct state` and its like.
//!
//! Two things of `conntrack_mt` (`net/netfilter/xt_conntrack.c`) shape this file:
//! - A packet without a connection is INVALID or UNTRACKED, and for it the other options are never asked: with a state
//!   that such a packet can have, they are an "or" that one rule cannot say in nft.
//! - The states SNAT and DNAT are bits of the connection's status, and they too are or-ed to the others.
//!
//! Where a packet has no connection, every `ct` load but that of the state ends the rule, as the xt match does.

use super::super::base::{lift_address, prefix_or_mask};
use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{CtDirection as Direction, CtKey};
use crate::rule::matches::{Conntrack, CtDirection, CtStates, CtStatus};
use crate::rule::{Family, Masked, Match, Not, PortRange, Protocol};

const STATE: Field = Field::Ct(CtKey::STATE, None);
/// The same in both directions; the kernel keeps none for it.
const PROTOCOL: Field = Field::Ct(CtKey::PROTOCOL, None);
const STATUS: Field = Field::Ct(CtKey::STATUS, None);
/// `IPS_SRC_NAT`, `IPS_DST_NAT`.
const SRC_NAT: u32 = 1 << 4;
const DST_NAT: u32 = 1 << 5;
/// States of packets without a connection.
const NO_CONNECTION: CtStates = CtStates::INVALID.union(CtStates::UNTRACKED);
const VIRTUAL: CtStates = CtStates::SNAT.union(CtStates::DNAT);

pub(super) fn compile_state(states: Not<CtStates>, w: &mut Writer<'_>) -> Form {
    let Not { negated, value } = states;
    if !value.intersects(VIRTUAL) {
        w.test(Condition::any_bit(STATE, negated, u32::from(value.bits())));
    } else if !negated && VIRTUAL.contains(value) {
        let bit = |state, bit| if value.contains(state) { bit } else { 0 };
        let bits = bit(CtStates::SNAT, SRC_NAT) | bit(CtStates::DNAT, DST_NAT);
        w.test(Condition::any_bit(STATUS, false, bits));
    } else {
        return Form::Xt("translated or in another state is an \"or\" of two conditions");
    }
    Form::Native
}

pub(super) fn compile(m: &Conntrack, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    for (address, option) in addresses(m) {
        if let Some(address) = address {
            w.only(address.value.family(), option)?;
        }
    }
    if *m == Conntrack::default() {
        return Ok(Form::Xt("without an option it matches packets that have a connection"));
    }
    if let Some(Not { negated, value }) = m.state {
        let without_connection = if negated { !value.contains(NO_CONNECTION) } else { value.intersects(NO_CONNECTION) };
        if without_connection && (Conntrack { state: None, ..m.clone() }) != Conntrack::default() {
            return Ok(Form::Xt("for packets without a connection only the state counts"));
        }
    }
    if m.expire.is_some_and(|e| e.value.0 > u32::MAX / 1000) {
        return Ok(Form::Xt("nft counts the time left in milliseconds, up to 49 days"));
    }
    if let Some(state) = m.state {
        let form = compile_state(state, w);
        if matches!(form, Form::Xt(_)) {
            return Ok(form);
        }
    }
    if let Some(Not { negated, value }) = m.protocol {
        w.test(Condition::equals(PROTOCOL, negated, [value.0]));
    }
    for (address, place) in addresses(m).map(|a| a.0).into_iter().zip(PLACES) {
        if let Some(Not { negated, value }) = address {
            w.test(compile_address(value, negated, place.0, place.1));
        }
    }
    for (ports, place) in ports(m).into_iter().zip(PLACES) {
        if let Some(Not { negated, value }) = ports {
            let field = port_field(place.0, place.1);
            w.test(Condition::range(field, negated, value.first().to_be_bytes(), value.last().to_be_bytes()));
        }
    }
    if let Some(Not { negated, value }) = m.status {
        w.test(Condition::any_bit(STATUS, negated, u32::from(value.bits())));
    }
    if let Some(Not { negated, value: (first, last) }) = m.expire {
        // Whole seconds: a second has a thousand milliseconds that count as it.
        let last = last.checked_mul(1000).and_then(|ms| ms.checked_add(999)).unwrap_or(u32::MAX);
        w.test(Condition::host_range(Field::Ct(CtKey::EXPIRATION, None), negated, first.saturating_mul(1000), last));
    }
    if let Some(direction) = m.direction {
        let number = u8::from(direction == CtDirection::Reply);
        w.test(Condition::equals(Field::Ct(CtKey::DIRECTION, None), false, [number]));
    }
    Ok(Form::Native)
}

/// In the order of the options: whether it is the source, and of which direction.
const PLACES: [(bool, Direction); 4] =
    [(true, Direction::Original), (false, Direction::Original), (true, Direction::Reply), (false, Direction::Reply)];

fn addresses(m: &Conntrack) -> [(Option<Not<Masked>>, &'static str); 4] {
    [
        (m.original_source, "--ctorigsrc"),
        (m.original_destination, "--ctorigdst"),
        (m.reply_source, "--ctreplsrc"),
        (m.reply_destination, "--ctrepldst"),
    ]
}

fn ports(m: &Conntrack) -> [Option<Not<PortRange>>; 4] {
    [m.original_source_port, m.original_destination_port, m.reply_source_port, m.reply_destination_port]
}

fn port_field(source: bool, direction: Direction) -> Field {
    Field::Ct(if source { CtKey::PROTO_SRC } else { CtKey::PROTO_DST }, Some(direction))
}

fn address_field(family: Family, source: bool, direction: Direction) -> Field {
    let key = match (family, source) {
        (Family::Ipv4, true) => CtKey::SRC_IP,
        (Family::Ipv4, false) => CtKey::DST_IP,
        (Family::Ipv6, true) => CtKey::SRC_IP6,
        (Family::Ipv6, false) => CtKey::DST_IP6,
    };
    Field::Ct(key, Some(direction))
}

/// The host bits that the option may have are not compared. A prefix of whole bytes is compared with so many bytes of
/// what is loaded.
fn compile_address(address: Masked, negated: bool, source: bool, direction: Direction) -> Condition {
    let field = address_field(address.family(), source, direction);
    let (value, mask) = match address {
        Masked::V4 { addr, mask } => prefix_or_mask(&(addr & mask).octets(), &mask.octets()),
        Masked::V6 { addr, mask } => prefix_or_mask(&(addr & mask).octets(), &mask.octets()),
    };
    Condition { mask, ..Condition::equals(field, negated, value) }
}

/// What a condition says, in the order in which [`compile`] writes them.
pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let mut m = Conntrack::default();
    match c.field {
        STATE => {
            let (negated, bits) = c.as_any_bit()?;
            let value = CtStates::from_bits_retain(u16::try_from(bits).ok()?);
            return l.push(Match::State(Not { negated, value }));
        }
        STATUS => match c.as_any_bit()? {
            (false, bits) if bits & (SRC_NAT | DST_NAT) != 0 => {
                (bits & !(SRC_NAT | DST_NAT) == 0).then_some(())?;
                let state = |bit, state| if bits & bit != 0 { state } else { CtStates::empty() };
                m.state = Some(Not::is(state(SRC_NAT, CtStates::SNAT) | state(DST_NAT, CtStates::DNAT)));
                return l.push(Match::Conntrack(Box::new(m)));
            }
            (negated, bits) => {
                m.status = Some(Not { negated, value: CtStatus::from_bits_retain(u16::try_from(bits).ok()?) });
            }
        },
        PROTOCOL => {
            let (negated, [number], _) = c.as_range()?;
            m.protocol = Some(Not { negated, value: Protocol(number) });
        }
        Field::Ct(CtKey::EXPIRATION, None) => {
            let (negated, first, last) = c.as_host_range()?;
            let last = if last == u32::MAX { last } else { (last % 1000 == 999).then_some(last / 1000)? };
            m.expire = Some(Not { negated, value: ((first % 1000 == 0).then_some(first / 1000)?, last) });
        }
        Field::Ct(CtKey::DIRECTION, None) => {
            let (negated, [number], _) = c.as_range()?;
            let reply = (number == 1) != negated;
            m.direction = Some(if reply { CtDirection::Reply } else { CtDirection::Original });
        }
        Field::Ct(_, Some(direction)) => lift_place(c, direction, l.family, &mut m)?,
        _ => return None,
    }
    match l.rule.matches.last_mut() {
        Some(Match::Conntrack(before)) if last_option(before) < last_option(&m) => {
            join(before, m);
            Some(())
        }
        _ => l.push(Match::Conntrack(Box::new(m))),
    }
}

fn lift_place(c: &Condition, direction: Direction, family: Family, m: &mut Conntrack) -> Option<()> {
    let at = PLACES.iter().position(|&(source, d)| {
        d == direction && [port_field(source, d), address_field(family, source, d)].contains(&c.field)
    })?;
    let (source, _) = *PLACES.get(at)?;
    if c.field == port_field(source, direction) {
        let (negated, first, last) = c.as_range()?;
        let value = PortRange::new(u16::from_be_bytes(first), u16::from_be_bytes(last))?;
        let place = [
            &mut m.original_source_port,
            &mut m.original_destination_port,
            &mut m.reply_source_port,
            &mut m.reply_destination_port,
        ]
        .into_iter()
        .nth(at)?;
        *place = Some(Not { negated, value });
        return Some(());
    }
    let place = [&mut m.original_source, &mut m.original_destination, &mut m.reply_source, &mut m.reply_destination]
        .into_iter()
        .nth(at)?;
    *place = Some(lift_address(c, family)?);
    Some(())
}

/// The options of a match that are given, as bits in the order in which they are written.
fn options(m: &Conntrack) -> [bool; 13] {
    let [a, b, c, d] = addresses(m).map(|a| a.0.is_some());
    let [e, f, g, h] = ports(m).map(|p| p.is_some());
    let (state, protocol) = (m.state.is_some(), m.protocol.is_some());
    let (status, expire, direction) = (m.status.is_some(), m.expire.is_some(), m.direction.is_some());
    [state, protocol, a, b, c, d, e, f, g, h, status, expire, direction]
}

fn last_option(m: &Conntrack) -> Option<usize> {
    options(m).iter().rposition(|&given| given)
}

/// Adds the options that only `from` has.
fn join(to: &mut Conntrack, from: Conntrack) {
    to.protocol = to.protocol.or(from.protocol);
    to.original_source = to.original_source.or(from.original_source);
    to.original_destination = to.original_destination.or(from.original_destination);
    to.reply_source = to.reply_source.or(from.reply_source);
    to.reply_destination = to.reply_destination.or(from.reply_destination);
    to.original_source_port = to.original_source_port.or(from.original_source_port);
    to.original_destination_port = to.original_destination_port.or(from.original_destination_port);
    to.reply_source_port = to.reply_source_port.or(from.reply_source_port);
    to.reply_destination_port = to.reply_destination_port.or(from.reply_destination_port);
    to.status = to.status.or(from.status);
    to.expire = to.expire.or(from.expire);
    to.direction = to.direction.or(from.direction);
}
