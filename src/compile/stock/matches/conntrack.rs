//! `conntrack` revision 3, for `-m conntrack` and `-m state`: `struct xt_conntrack_mtinfo3`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, inet_addr, read, read_inet_addr, xt_match};
use crate::nft::expr::{self, Expr};
use crate::rule::matches::{Conntrack, CtDirection, CtStates, CtStatus};
use crate::rule::{Family, Masked, Match, Not, PortRange, Protocol};

static NAME: Name = Name::new(|| "conntrack".into());

/// `XT_CONNTRACK_*`: bits of `match_flags` and `invert_flags`.
const STATE: u16 = 1 << 0;
const PROTO: u16 = 1 << 1;
const ORIGSRC: u16 = 1 << 2;
const ORIGDST: u16 = 1 << 3;
const REPLSRC: u16 = 1 << 4;
const REPLDST: u16 = 1 << 5;
const STATUS: u16 = 1 << 6;
const EXPIRES: u16 = 1 << 7;
const ORIGSRC_PORT: u16 = 1 << 8;
const ORIGDST_PORT: u16 = 1 << 9;
const REPLSRC_PORT: u16 = 1 << 10;
const REPLDST_PORT: u16 = 1 << 11;
const DIRECTION: u16 = 1 << 12;
/// Written as `-m state`.
const STATE_ALIAS: u16 = 1 << 13;

/// `XT_CONNTRACK_STATE_*` beside our own bits.
const STATES: [(CtStates, u16); 7] = [
    (CtStates::INVALID, 1 << 0),
    (CtStates::ESTABLISHED, 1 << 1),
    (CtStates::RELATED, 1 << 2),
    (CtStates::NEW, 1 << 3),
    (CtStates::SNAT, 1 << 6),
    (CtStates::DNAT, 1 << 7),
    (CtStates::UNTRACKED, 1 << 8),
];

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Address {
    addr: [u8; 16],
    mask: [u8; 16],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    origsrc: Address,
    origdst: Address,
    replsrc: Address,
    repldst: Address,
    expires_min: u32,
    expires_max: u32,
    l4proto: u16,
    origsrc_port: u16,
    origdst_port: u16,
    replsrc_port: u16,
    repldst_port: u16,
    match_flags: u16,
    invert_flags: u16,
    state_mask: u16,
    status_mask: u16,
    origsrc_port_high: u16,
    origdst_port_high: u16,
    replsrc_port_high: u16,
    repldst_port_high: u16,
    pad: [u8; 6],
}
const _: () = assert!(size_of::<Info>() == 168);

impl Info {
    /// Sets the flags of an option that is given, and gives its value.
    fn option<T>(&mut self, option: Option<Not<T>>, flag: u16) -> Option<T> {
        let Not { negated, value } = option?;
        self.match_flags |= flag;
        if negated {
            self.invert_flags |= flag;
        }
        Some(value)
    }

    /// The value of an option whose flag is set.
    fn given<T>(&self, flag: u16, value: T) -> Option<Not<T>> {
        (self.match_flags & flag != 0).then(|| Not { negated: self.invert_flags & flag != 0, value })
    }

    fn ports(&self, flag: u16, first: u16, last: u16) -> Result<Option<Not<PortRange>>, &'static str> {
        if self.match_flags & flag == 0 {
            return Ok(None);
        }
        Ok(self.given(flag, PortRange::new(first, last).ok_or("its ports are the wrong way round")?))
    }
}

fn state_mask(states: CtStates) -> Result<u16, CompileError> {
    let unknown = CompileError::Value { field: "--ctstate", reason: "the kernel has no such state" };
    if !CtStates::all().contains(states) {
        return Err(unknown);
    }
    Ok(STATES.iter().filter(|(state, _)| states.contains(*state)).fold(0, |mask, (_, bit)| mask | bit))
}

fn lift_states(mask: u16) -> Result<CtStates, &'static str> {
    let states = STATES.iter().filter(|(_, bit)| mask & bit != 0).fold(CtStates::empty(), |s, (state, _)| s | *state);
    if state_mask(states) == Ok(mask) { Ok(states) } else { Err("it has a state that iptables does not know") }
}

/// `-m state`. Nearly every chain has one of a few forms, so each is made once and shared.
pub(super) fn compile_state(states: Not<CtStates>) -> Result<Expr, CompileError> {
    static MADE: [OnceLock<Arc<[u8]>>; 1024] = [const { OnceLock::new() }; 1024];
    let mask = state_mask(states.value)?;
    let make = || {
        let mut info = Info::new_zeroed();
        info.match_flags = STATE | STATE_ALIAS;
        info.invert_flags = if states.negated { STATE } else { 0 };
        info.state_mask = mask;
        Arc::from(info.as_bytes())
    };
    let place = MADE.get(usize::from(mask) | usize::from(states.negated) << 9);
    let info = place.map_or_else(make, |p| Arc::clone(p.get_or_init(make)));
    Ok(Expr::Match(expr::Match { name: Arc::clone(&NAME), revision: 3, info }))
}

/// `-m conntrack`.
pub(super) fn compile(m: &Conntrack, context: &Context<'_>) -> Result<Expr, CompileError> {
    let mut info = Info::new_zeroed();
    if let Some(states) = info.option(m.state, STATE) {
        info.state_mask = state_mask(states)?;
    }
    if let Some(Protocol(number)) = info.option(m.protocol, PROTO) {
        info.l4proto = u16::from(number);
    }
    if let Some(a) = info.option(m.original_source, ORIGSRC) {
        info.origsrc = address(a, context, "--ctorigsrc")?;
    }
    if let Some(a) = info.option(m.original_destination, ORIGDST) {
        info.origdst = address(a, context, "--ctorigdst")?;
    }
    if let Some(a) = info.option(m.reply_source, REPLSRC) {
        info.replsrc = address(a, context, "--ctreplsrc")?;
    }
    if let Some(a) = info.option(m.reply_destination, REPLDST) {
        info.repldst = address(a, context, "--ctrepldst")?;
    }
    if let Some(ports) = info.option(m.original_source_port, ORIGSRC_PORT) {
        (info.origsrc_port, info.origsrc_port_high) = (ports.first(), ports.last());
    }
    if let Some(ports) = info.option(m.original_destination_port, ORIGDST_PORT) {
        (info.origdst_port, info.origdst_port_high) = (ports.first(), ports.last());
    }
    if let Some(ports) = info.option(m.reply_source_port, REPLSRC_PORT) {
        (info.replsrc_port, info.replsrc_port_high) = (ports.first(), ports.last());
    }
    if let Some(ports) = info.option(m.reply_destination_port, REPLDST_PORT) {
        (info.repldst_port, info.repldst_port_high) = (ports.first(), ports.last());
    }
    if let Some(status) = info.option(m.status, STATUS) {
        info.status_mask = status.bits();
    }
    if let Some((min, max)) = info.option(m.expire, EXPIRES) {
        (info.expires_min, info.expires_max) = (min, max);
    }
    // The original direction is the option, the reply direction its negation.
    let direction = m.direction.map(|d| Not { negated: d == CtDirection::Reply, value: () });
    info.option(direction, DIRECTION);
    Ok(xt_match(&NAME, 3, &info))
}

/// A mask of all ones fills the union, as 1.8.9 does it for an address without a mask.
fn address(masked: Masked, context: &Context<'_>, field: &'static str) -> Result<Address, CompileError> {
    context.only(masked.family(), field)?;
    Ok(match masked {
        Masked::V4 { addr, mask: Ipv4Addr::BROADCAST } => Address { addr: inet_addr(addr.into()), mask: [0xff; 16] },
        Masked::V4 { addr, mask } => Address { addr: inet_addr(addr.into()), mask: inet_addr(mask.into()) },
        Masked::V6 { addr, mask } => Address { addr: addr.octets(), mask: mask.octets() },
    })
}

/// The address keeps its host bits, unlike that of `-s`.
fn lift_address(address: &Address, family: Family) -> Masked {
    match (read_inet_addr(address.addr, family), read_inet_addr(address.mask, family)) {
        (IpAddr::V4(addr), IpAddr::V4(mask)) => Masked::V4 { addr, mask },
        (IpAddr::V6(addr), IpAddr::V6(mask)) => Masked::V6 { addr, mask },
        (addr, _) => Masked::host(addr),
    }
}

pub(super) fn lift(info: &[u8], context: &Context<'_>) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    if info.match_flags & STATE_ALIAS != 0 {
        return match info.match_flags {
            flags if flags == STATE | STATE_ALIAS => {
                let value = lift_states(info.state_mask)?;
                Ok(Match::State(Not { negated: info.invert_flags & STATE != 0, value }))
            }
            _ => Err("`-m state` has only states"),
        };
    }
    let state = if info.match_flags & STATE != 0 { lift_states(info.state_mask)? } else { CtStates::empty() };
    let number = if info.match_flags & PROTO != 0 {
        u8::try_from(info.l4proto).map_err(|_| "its protocol is over 255")?
    } else {
        0
    };
    let address = |flag, address| info.given(flag, lift_address(address, context.family));
    Ok(Match::Conntrack(Box::new(Conntrack {
        state: info.given(STATE, state),
        protocol: info.given(PROTO, Protocol(number)),
        original_source: address(ORIGSRC, &info.origsrc),
        original_destination: address(ORIGDST, &info.origdst),
        reply_source: address(REPLSRC, &info.replsrc),
        reply_destination: address(REPLDST, &info.repldst),
        original_source_port: info.ports(ORIGSRC_PORT, info.origsrc_port, info.origsrc_port_high)?,
        original_destination_port: info.ports(ORIGDST_PORT, info.origdst_port, info.origdst_port_high)?,
        reply_source_port: info.ports(REPLSRC_PORT, info.replsrc_port, info.replsrc_port_high)?,
        reply_destination_port: info.ports(REPLDST_PORT, info.repldst_port, info.repldst_port_high)?,
        status: info.given(STATUS, CtStatus::from_bits_retain(info.status_mask)),
        expire: info.given(EXPIRES, (info.expires_min, info.expires_max)),
        direction: info
            .given(DIRECTION, ())
            .map(|d| if d.negated { CtDirection::Reply } else { CtDirection::Original }),
    })))
}

/// In an IPv4 table only the first four bytes of a mask count; 1.8.9 fills the others or not, by how the mask was
/// written. The bytes with those cleared, or `None` when there are none to clear.
pub(in crate::compile::stock) fn clear_dead_mask_bytes(m: &expr::Match, family: Family) -> Option<Arc<[u8]>> {
    if family != Family::Ipv4 || &*m.name != "conntrack" || m.revision != 3 {
        return None;
    }
    let mut info: Info = read(&m.info).ok()?;
    if info.match_flags & (ORIGSRC | ORIGDST | REPLSRC | REPLDST) == 0 {
        return None;
    }
    for address in [&mut info.origsrc, &mut info.origdst, &mut info.replsrc, &mut info.repldst] {
        address.mask.iter_mut().skip(4).for_each(|b| *b = 0);
    }
    Some(info.as_bytes().into())
}
