//! `set` revision 4: `struct xt_set_info_match_v4`.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, has, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::{Set, SetCounter, SetCounterOp, SetDirection};
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "set".into());

/// `IPSET_INV_MATCH`; bit n is `src` in dimension n.
const INV_MATCH: u8 = 1;
/// `IPSET_DIM_MAX`.
const DIMENSIONS: usize = 6;
/// `IPSET_FLAG_*`.
const SKIP_COUNTER_UPDATE: u32 = 1 << 3;
const SKIP_SUBCOUNTER_UPDATE: u32 = 1 << 4;
const RETURN_NOMATCH: u32 = 1 << 7;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Counter {
    value: u64,
    op: u8,
    pad: [u8; 7],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    index: u16,
    dim: u8,
    set_flags: u8,
    pad: [u8; 4],
    packets: Counter,
    bytes: Counter,
    flags: u32,
    pad2: [u8; 4],
}
const _: () = assert!(size_of::<Info>() == 48);

pub(super) fn compile(m: &Set, context: &Context<'_>) -> Result<Expr, CompileError> {
    let count = m.directions.len();
    if !(1..=DIMENSIONS).contains(&count) {
        return Err(CompileError::TooMany { field: "directions of --match-set", count, max: DIMENSIONS });
    }
    let mut info = Info::new_zeroed();
    info.index = context.sets.index(&m.name.value).ok_or_else(|| CompileError::NoSuchSet(m.name.value.clone()))?;
    info.set_flags = if m.name.negated { INV_MATCH } else { 0 };
    for direction in &m.directions {
        info.dim += 1;
        info.set_flags |= u8::from(*direction == SetDirection::Source) << info.dim;
    }
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    info.flags = bit(m.return_nomatch, RETURN_NOMATCH)
        | bit(m.keep_counters, SKIP_COUNTER_UPDATE)
        | bit(m.keep_subcounters, SKIP_SUBCOUNTER_UPDATE);
    info.packets = counter(m.packets);
    info.bytes = counter(m.bytes);
    Ok(xt_match(&NAME, 4, &info))
}

/// `IPSET_COUNTER_*`.
fn counter(condition: Option<SetCounter>) -> Counter {
    let (value, op) = match condition {
        None => (0, 0),
        Some(SetCounter { op: SetCounterOp::Eq, value }) => (value, 1),
        Some(SetCounter { op: SetCounterOp::Ne, value }) => (value, 2),
        Some(SetCounter { op: SetCounterOp::Lt, value }) => (value, 3),
        Some(SetCounter { op: SetCounterOp::Gt, value }) => (value, 4),
    };
    Counter { value, op, pad: [0; 7] }
}

fn lift_counter(counter: &Counter) -> Result<Option<SetCounter>, &'static str> {
    let op = match counter.op {
        0 => return Ok(None),
        1 => SetCounterOp::Eq,
        2 => SetCounterOp::Ne,
        3 => SetCounterOp::Lt,
        4 => SetCounterOp::Gt,
        _ => return Err("it compares a counter in an unknown way"),
    };
    Ok(Some(SetCounter { op, value: counter.value }))
}

pub(super) fn lift(info: &[u8], context: &Context<'_>) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    if info.dim == 0 || usize::from(info.dim) > DIMENSIONS {
        return Err("it has an impossible number of directions");
    }
    let value = context.sets.name(info.index).ok_or("its set is not there")?;
    let direction = |n| if info.set_flags >> n & 1 == 1 { SetDirection::Source } else { SetDirection::Destination };
    Ok(Match::Set(Box::new(Set {
        name: Not { negated: info.set_flags & INV_MATCH != 0, value },
        directions: (1..=info.dim).map(direction).collect(),
        return_nomatch: has(info.flags, RETURN_NOMATCH),
        keep_counters: has(info.flags, SKIP_COUNTER_UPDATE),
        keep_subcounters: has(info.flags, SKIP_SUBCOUNTER_UPDATE),
        packets: lift_counter(&info.packets)?,
        bytes: lift_counter(&info.bytes)?,
    })))
}
