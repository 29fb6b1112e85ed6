//! `multiport` revision 1: `struct xt_multiport_v1`.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::{Multiport, MultiportSide};
use crate::rule::{Match, PortRange, Protocol};

static NAME: Name = Name::new(|| "multiport".into());
const PROTOCOLS: [Protocol; 5] = [Protocol::TCP, Protocol::UDP, Protocol::UDPLITE, Protocol::SCTP, Protocol::DCCP];

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    flags: u8,
    count: u8,
    ports: [u16; Multiport::SLOTS],
    /// 1 where a range starts; its last port is in the next place.
    pflags: [u8; Multiport::SLOTS],
    invert: u8,
}
const _: () = assert!(size_of::<Info>() == 48);

pub(super) fn compile(m: &Multiport, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.needs(&PROTOCOLS, "-m multiport", "needs -p tcp, udp, udplite, sctp or dccp")?;
    let count = m.slots();
    let field = "ports of -m multiport";
    if count == 0 {
        return Err(CompileError::Value { field, reason: "none given" });
    }
    let mut info = Info::new_zeroed();
    info.flags = match m.side {
        MultiportSide::Source => 0,
        MultiportSide::Destination => 1,
        MultiportSide::Either => 2,
    };
    info.invert = u8::from(m.negated);
    let mut places = info.ports.iter_mut().zip(&mut info.pflags);
    let too_many = || CompileError::TooMany { field, count, max: Multiport::SLOTS };
    for range in &m.ports {
        let (port, flag) = places.next().ok_or_else(too_many)?;
        *port = range.first();
        if !range.is_single() {
            *flag = 1;
            let (last, _) = places.next().ok_or_else(too_many)?;
            *last = range.last();
        }
    }
    info.count = u8::try_from(count).map_err(|_| too_many())?;
    Ok(xt_match(&NAME, 1, &info))
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    let side = match info.flags {
        0 => MultiportSide::Source,
        1 => MultiportSide::Destination,
        2 => MultiportSide::Either,
        _ => return Err("it looks at an unknown port"),
    };
    let mut places = info.ports.into_iter().zip(info.pflags).take(usize::from(info.count));
    let mut ports = Vec::with_capacity(usize::from(info.count));
    while let Some((first, starts_range)) = places.next() {
        let last = if starts_range == 0 { Some(first) } else { places.next().map(|(last, _)| last) };
        let range = last.and_then(|last| PortRange::new(first, last)).ok_or("it has half a range")?;
        ports.push(range);
    }
    Ok(Match::Multiport(Multiport { side, negated: info.invert != 0, ports }))
}
