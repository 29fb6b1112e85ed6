//! `-j NFLOG`: `log group`, as iptables-nft itself writes it.

use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::{Expr, Log};
use crate::rule::Target;
use crate::rule::targets::Nflog;

/// `NF_LOG_PREFIXLEN` without its NUL.
const PREFIX_MAX: usize = 127;

pub(super) fn compile(t: &Nflog, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    if let Some(prefix) = t.prefix.as_ref().filter(|p| p.len() > PREFIX_MAX) {
        return Err(CompileError::TooLong { field: "--nflog-prefix", len: prefix.len(), max: PREFIX_MAX });
    }
    w.push(Expr::Log(Log {
        group: Some(t.group),
        prefix: t.prefix.as_ref().filter(|p| !p.is_empty()).cloned(),
        snaplen: t.size,
        // 0 is what the kernel takes anyway, and it does not show it.
        qthreshold: t.threshold.filter(|&t| t != 0),
        ..Log::default()
    }));
    Ok(Form::Native)
}

pub(super) fn lift(log: &Log) -> Option<Target> {
    (log.level.is_none() && log.flags.is_none()).then_some(())?;
    Some(Target::Nflog(Nflog {
        group: log.group?,
        prefix: log.prefix.clone(),
        size: log.snaplen,
        threshold: log.qthreshold,
    }))
}
