//! `-j LOG`: `log` without a group.

use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{Expr, Log};
use crate::rule::Target;
use crate::rule::targets::{self, LogFlags};

pub(super) fn compile(t: &targets::Log, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    if t.prefix.len() > 29 {
        return Err(CompileError::TooLong { field: "--log-prefix", len: t.prefix.len(), max: 29 });
    }
    if t.level > 7 {
        return Err(CompileError::Value { field: "--log-level", reason: "0 to 7" });
    }
    w.push(Expr::Log(Log {
        prefix: Some(&t.prefix).filter(|p| !p.is_empty()).cloned(),
        level: Some(t.level.into()),
        flags: Some(u32::from(t.flags.bits())).filter(|&f| f != 0),
        ..Log::default()
    }));
    Ok(Form::Native)
}

pub(super) fn lift(log: &Log) -> Option<Target> {
    Some(Target::Log(targets::Log {
        level: log.level.unwrap_or(4).try_into().ok().filter(|&l: &u8| l < 8)?,
        prefix: log.prefix.clone().unwrap_or_default(),
        flags: LogFlags::from_bits_retain(log.flags.unwrap_or(0).try_into().ok()?),
    }))
}
