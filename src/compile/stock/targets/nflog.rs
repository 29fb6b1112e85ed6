//! `NFLOG`: native, `log` with a group.

use std::sync::Arc;

use crate::compile::CompileError;
use crate::nft::expr::{self, Expr};
use crate::rule::Target;
use crate::rule::targets::Nflog;

/// `NF_LOG_PREFIXLEN` without its NUL.
const PREFIX_MAX: usize = 127;

/// The group is always sent, a threshold of zero and an empty prefix never.
pub(super) fn compile(nflog: &Nflog) -> Result<Expr, CompileError> {
    let prefix = nflog.prefix.as_ref().filter(|p| !p.is_empty());
    if let Some(len) = prefix.map(|p| p.len()).filter(|&len| len > PREFIX_MAX) {
        return Err(CompileError::TooLong { field: "--nflog-prefix", len, max: PREFIX_MAX });
    }
    Ok(Expr::Log(expr::Log {
        group: Some(nflog.group),
        prefix: prefix.map(Arc::clone),
        snaplen: nflog.size,
        qthreshold: nflog.threshold.filter(|&t| t != 0),
        level: None,
        flags: None,
    }))
}

pub(super) fn lift(log: &expr::Log) -> Result<Target, &'static str> {
    match log {
        expr::Log { group: Some(group), prefix, snaplen, qthreshold, level: None, flags: None } => {
            let prefix = prefix.as_ref().map(Arc::clone);
            Ok(Target::Nflog(Nflog { group: *group, prefix, size: *snaplen, threshold: *qthreshold }))
        }
        _ => Err("of native logging, iptables only knows groups"),
    }
}
