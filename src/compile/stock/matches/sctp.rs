//! `sctp`: `struct xt_sctp_info`.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::udp::flagged;
use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::Sctp;
use crate::rule::{Match, Not, Protocol};

static NAME: Name = Name::new(|| "sctp".into());

/// `XT_SCTP_*`.
const SRC_PORTS: u32 = 1;
const DEST_PORTS: u32 = 2;
/// `flag_info` as iptables starts it: chunk type -1 is "none".
const NO_FLAGS: [[u8; 3]; 4] = [[0xff, 0, 0]; 4];

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    dpts: [u16; 2],
    spts: [u16; 2],
    chunkmap: [u32; 64],
    chunk_match_type: u32,
    flag_info: [[u8; 3]; 4],
    flag_count: i32,
    flags: u32,
    invflags: u32,
    pad: [u8; 4],
}
const _: () = assert!(size_of::<Info>() == 296);

pub(super) fn compile(m: &Sctp, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.needs(&[Protocol::SCTP], "-m sctp", "needs -p sctp")?;
    let mut info = Info::new_zeroed();
    info.flag_info = NO_FLAGS;
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
    Ok(Match::Sctp(Sctp { sport: ports(SRC_PORTS, info.spts)?, dport: ports(DEST_PORTS, info.dpts)? }))
}
