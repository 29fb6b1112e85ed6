//! `LOG`: `struct xt_log_info`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, fixed, read, text, xt_target};
use crate::nft::expr::Expr;
use crate::rule::Target;
use crate::rule::targets::{Log, LogFlags};

static NAME: Name = Name::new(|| "LOG".into());

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    level: u8,
    logflags: u8,
    prefix: [u8; 30],
}
const _: () = assert!(size_of::<Info>() == 32);

pub(super) fn compile(log: &Log) -> Result<Expr, CompileError> {
    if log.level > 7 {
        return Err(CompileError::Value { field: "--log-level", reason: "takes 0 to 7" });
    }
    let prefix = fixed("--log-prefix", &log.prefix)?;
    Ok(xt_target(&NAME, 0, &Info { level: log.level, logflags: log.flags.bits(), prefix }))
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    let Info { level, logflags, prefix } = read(info)?;
    Ok(Target::Log(Log { level, prefix: text(&prefix)?.into(), flags: LogFlags::from_bits_retain(logflags) }))
}
