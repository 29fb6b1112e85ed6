//! `CONNMARK` revision 2: `struct xt_connmark_tginfo2`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, read, xt_target};
use crate::nft::expr::Expr;
use crate::rule::targets::{Connmark, ConnmarkOp};
use crate::rule::{MarkMask, Target};

static NAME: Name = Name::new(|| "CONNMARK".into());

/// `XT_CONNMARK_*`.
const SET: u8 = 0;
const SAVE: u8 = 1;
const RESTORE: u8 = 2;
/// `D_SHIFT_*`.
const SHIFT_LEFT: u8 = 0;
const SHIFT_RIGHT: u8 = 1;
/// Bits of a mark.
const MARK_BITS: u8 = 32;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    ctmark: u32,
    ctmask: u32,
    nfmask: u32,
    shift_dir: u8,
    shift_bits: u8,
    mode: u8,
    pad: u8,
}
const _: () = assert!(size_of::<Info>() == 16);

pub(super) fn compile(connmark: &Connmark) -> Result<Expr, CompileError> {
    let shift_bits = connmark.shift.unsigned_abs();
    if shift_bits > MARK_BITS {
        return Err(CompileError::Value { field: "--left-shift-mark", reason: "a mark has 32 bits" });
    }
    let (mode, ctmark, ctmask, nfmask) = match connmark.op {
        ConnmarkOp::Set(MarkMask { value, mask }) => (SET, value, mask, u32::MAX),
        ConnmarkOp::Save { nfmask, ctmask } => (SAVE, 0, ctmask, nfmask),
        ConnmarkOp::Restore { nfmask, ctmask } => (RESTORE, 0, ctmask, nfmask),
    };
    let shift_dir = if connmark.shift < 0 { SHIFT_RIGHT } else { SHIFT_LEFT };
    Ok(xt_target(&NAME, 2, &Info { ctmark, ctmask, nfmask, shift_dir, shift_bits, mode, pad: 0 }))
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    let Info { ctmark, ctmask, nfmask, shift_dir, shift_bits, mode, .. } = read(info)?;
    let op = match mode {
        SET => ConnmarkOp::Set(MarkMask { value: ctmark, mask: ctmask }),
        SAVE => ConnmarkOp::Save { nfmask, ctmask },
        RESTORE => ConnmarkOp::Restore { nfmask, ctmask },
        _ => return Err("it has an unknown operation"),
    };
    let bits = i8::try_from(shift_bits).map_err(|_| "it shifts by more bits than a mark has")?;
    Ok(Target::Connmark(Connmark { op, shift: if shift_dir == SHIFT_RIGHT { -bits } else { bits } }))
}
