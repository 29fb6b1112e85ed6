//! `addrtype` revision 1: `struct xt_addrtype_info_v1`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::stock::info::{Name, has, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::{AddrTypes, Addrtype, AddrtypeLimit};
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "addrtype".into());

/// `XT_ADDRTYPE_*`.
const INVERT_SOURCE: u32 = 1;
const INVERT_DEST: u32 = 2;
const LIMIT_IFACE_IN: u32 = 4;
const LIMIT_IFACE_OUT: u32 = 8;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    source: u16,
    dest: u16,
    flags: u32,
}
const _: () = assert!(size_of::<Info>() == 8);

pub(super) fn compile(m: &Addrtype) -> Expr {
    let types = |side: &Option<Not<AddrTypes>>| side.map_or(0, |s| s.value.bits());
    let negated = |side: &Option<Not<AddrTypes>>| side.is_some_and(|s| s.negated);
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    let limit = match m.limit {
        None => 0,
        Some(AddrtypeLimit::In) => LIMIT_IFACE_IN,
        Some(AddrtypeLimit::Out) => LIMIT_IFACE_OUT,
    };
    let flags = bit(negated(&m.source), INVERT_SOURCE) | bit(negated(&m.destination), INVERT_DEST) | limit;
    xt_match(&NAME, 1, &Info { source: types(&m.source), dest: types(&m.destination), flags })
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    let side = |bits: u16, invert: u32| {
        let negated = has(info.flags, invert);
        (bits != 0 || negated).then(|| Not { negated, value: AddrTypes::from_bits_retain(bits) })
    };
    let limit = match (has(info.flags, LIMIT_IFACE_IN), has(info.flags, LIMIT_IFACE_OUT)) {
        (false, false) => None,
        (true, false) => Some(AddrtypeLimit::In),
        (false, true) => Some(AddrtypeLimit::Out),
        (true, true) => return Err("it is limited to two interfaces"),
    };
    let (source, destination) = (side(info.source, INVERT_SOURCE), side(info.dest, INVERT_DEST));
    Ok(Match::Addrtype(Addrtype { source, destination, limit }))
}
