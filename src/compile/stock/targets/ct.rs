//! `CT` revision 2, for `-j CT` and `-j NOTRACK`: `struct xt_ct_target_info_v1`.

use std::sync::Arc;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, fixed, read, text, xt_target};
use crate::nft::expr::Expr;
use crate::rule::Target;
use crate::rule::targets::{Ct, CtEvents, CtZone, CtZoneDirection, CtZoneId};

static NAME: Name = Name::new(|| "CT".into());

/// `XT_CT_*`.
const NOTRACK: u16 = 1 << 0;
/// Written as `-j NOTRACK`.
const NOTRACK_ALIAS: u16 = 1 << 1;
const ZONE_DIR_ORIG: u16 = 1 << 2;
const ZONE_DIR_REPL: u16 = 1 << 3;
const ZONE_MARK: u16 = 1 << 4;
/// `1 << IPEXP_NEW`.
const EXPECT_NEW: u32 = 1;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    flags: u16,
    zone: u16,
    ct_events: u32,
    exp_events: u32,
    helper: [u8; 16],
    timeout: [u8; 32],
    pad: [u8; 4],
    /// The kernel's own.
    ct: u64,
}
const _: () = assert!(size_of::<Info>() == 72);

pub(super) fn compile(ct: &Ct) -> Result<Expr, CompileError> {
    let mut info = Info::new_zeroed();
    if ct.notrack {
        info.flags |= NOTRACK;
    }
    if let Some(helper) = &ct.helper {
        info.helper = fixed("--helper", helper)?;
    }
    if let Some(timeout) = &ct.timeout {
        info.timeout = fixed("--timeout", timeout)?;
    }
    info.ct_events = ct.events.map_or(0, |e| e.bits());
    info.exp_events = if ct.expect_new { EXPECT_NEW } else { 0 };
    if let Some(CtZone { direction, id }) = ct.zone {
        info.flags |= match direction {
            CtZoneDirection::Both => 0,
            CtZoneDirection::Original => ZONE_DIR_ORIG,
            CtZoneDirection::Reply => ZONE_DIR_REPL,
        };
        match id {
            CtZoneId::Number(0) => {
                return Err(CompileError::Value { field: "--zone", reason: "zone 0 is the default, leave it out" });
            }
            CtZoneId::Number(zone) => info.zone = zone,
            CtZoneId::Mark => info.flags |= ZONE_MARK,
        }
    }
    Ok(xt_target(&NAME, 2, &info))
}

pub(super) fn compile_notrack() -> Expr {
    let mut info = Info::new_zeroed();
    info.flags = NOTRACK | NOTRACK_ALIAS;
    xt_target(&NAME, 2, &info)
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    let info: Info = read(info)?;
    let has = |bit| info.flags & bit != 0;
    if has(NOTRACK_ALIAS) {
        return Ok(Target::Notrack);
    }
    let name = |bytes| text(bytes).map(|t| Some(Arc::<str>::from(t)).filter(|t| !t.is_empty()));
    let direction = match (has(ZONE_DIR_ORIG), has(ZONE_DIR_REPL)) {
        (false, false) => CtZoneDirection::Both,
        (true, false) => CtZoneDirection::Original,
        (false, true) => CtZoneDirection::Reply,
        (true, true) => return Err("its zone has two directions"),
    };
    let id = if has(ZONE_MARK) {
        Some(CtZoneId::Mark)
    } else {
        Some(CtZoneId::Number(info.zone)).filter(|_| info.zone != 0)
    };
    Ok(Target::Ct(Box::new(Ct {
        notrack: has(NOTRACK),
        helper: name(&info.helper)?,
        timeout: name(&info.timeout)?,
        events: Some(CtEvents::from_bits_retain(info.ct_events)).filter(|e| !e.is_empty()),
        expect_new: info.exp_events & EXPECT_NEW != 0,
        zone: id.map(|id| CtZone { direction, id }),
    })))
}
