//! `dccp`: `struct xt_dccp_info`.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::udp::flagged;
use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::Dccp;
use crate::rule::{Match, Not, Protocol};

static NAME: Name = Name::new(|| "dccp".into());

/// `XT_DCCP_*`.
const SRC_PORTS: u16 = 1;
const DEST_PORTS: u16 = 2;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    dpts: [u16; 2],
    spts: [u16; 2],
    flags: u16,
    invflags: u16,
    typemask: u16,
    option: u8,
    pad: u8,
}
const _: () = assert!(size_of::<Info>() == 16);

pub(super) fn compile(m: &Dccp, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.needs(&[Protocol::DCCP], "-m dccp", "needs -p dccp")?;
    let mut info = Info::new_zeroed();
    for (ports, flag, place) in [(m.sport, SRC_PORTS, &mut info.spts), (m.dport, DEST_PORTS, &mut info.dpts)] {
        if let Some(Not { negated, value }) = ports {
            *place = [value.first(), value.last()];
            info.flags |= flag;
            info.invflags |= if negated { flag } else { 0 };
        }
    }
    Ok(xt_match(&NAME, 0, &info))
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    if info.flags & !(SRC_PORTS | DEST_PORTS) != 0 {
        return Err("only its ports are known");
    }
    let ports = |flag, ends| flagged(info.flags & flag != 0, info.invflags & flag != 0, ends);
    Ok(Match::Dccp(Dccp { sport: ports(SRC_PORTS, info.spts)?, dport: ports(DEST_PORTS, info.dpts)? }))
}
